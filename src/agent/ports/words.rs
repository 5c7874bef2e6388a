//! The words of the firewall table, in the languages of the people who run networks.
//!
//! A word that a language lacks does not compile; the names of protocols are the same everywhere.

use clap::ValueEnum;

/// A language of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Lang {
    /// English
    #[default]
    En,
    /// French
    Fr,
    /// Italian
    It,
    /// German
    De,
}

impl Lang {
    /// Its words.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &ENGLISH,
            Self::Fr => &FRENCH,
            Self::It => &ITALIAN,
            Self::De => &GERMAN,
        }
    }
}

/// Every word of the table.
#[derive(Debug)]
pub struct Words {
    /// The headings: destination, direction, protocol, port, what for.
    pub headings: [&'static str; 5],
    /// Every row's direction.
    pub outgoing: &'static str,
    /// What gRPC is for.
    pub readings: &'static str,
    /// What MQTT is for.
    pub commands: &'static str,
    /// What SSH is for.
    pub web_access: &'static str,
    /// What a connection to a printer's page is for.
    pub session: &'static str,
    /// What SNMP is for.
    pub printers: &'static str,
    /// What IPP is for.
    pub identified: &'static str,
    /// What LEDM is for.
    pub hp: &'static str,
    /// What SGD is for.
    pub zebra: &'static str,
    /// What PJL is for.
    pub pjl: &'static str,
    /// What LPR is for.
    pub queues: &'static str,
    /// What ICMP is for.
    pub ping: &'static str,
    /// Before the hub's address where a proxy stands in between.
    pub onward: &'static str,
    /// Before addresses that are not contacted.
    pub never: &'static str,
    /// Behind what is used only when somebody asks for it.
    pub on_request: &'static str,
    /// Where no name server is known.
    pub name_servers: &'static str,
    /// What DNS is for.
    pub name_of_hub: &'static str,
    /// What DNS is for.
    pub names_of_printers: &'static str,
}

const ENGLISH: Words = Words {
    headings: ["DESTINATION", "DIRECTION", "PROTOCOL", "PORT", "FOR"],
    outgoing: "outgoing",
    readings: "readings",
    commands: "commands",
    web_access: "web pages of printers",
    session: "a printer's own web page, or raw printing",
    printers: "finding and reading printers",
    identified: "reading printers that SNMP has identified",
    hp: "reading printers of HP's",
    zebra: "reading and servicing printers of Zebra's",
    pjl: "reading printers that list PJL",
    queues: "queues of printers, and jobs for Zebra's",
    ping: "is a printer there",
    onward: "onward to",
    never: "never",
    on_request: "on request",
    name_servers: "the name servers of this machine",
    name_of_hub: "name of the hub or proxy",
    names_of_printers: "host names of printers, once at the start",
};

const FRENCH: Words = Words {
    headings: ["DESTINATION", "SENS", "PROTOCOLE", "PORT", "POUR"],
    outgoing: "sortant",
    readings: "relevés",
    commands: "commandes",
    web_access: "pages web des imprimantes",
    session: "page web d'une imprimante, ou impression brute",
    printers: "recherche et lecture des imprimantes",
    identified: "lecture des imprimantes identifiées par SNMP",
    hp: "lecture des imprimantes HP",
    zebra: "lecture et entretien des imprimantes Zebra",
    pjl: "lecture des imprimantes qui annoncent PJL",
    queues: "files d'attente des imprimantes, et travaux pour les Zebra",
    ping: "présence d'une imprimante",
    onward: "à destination de",
    never: "jamais",
    on_request: "sur demande",
    name_servers: "les serveurs de noms de cette machine",
    name_of_hub: "nom du hub ou du proxy",
    names_of_printers: "noms d'hôte des imprimantes, une fois au démarrage",
};

const ITALIAN: Words = Words {
    headings: ["DESTINAZIONE", "DIREZIONE", "PROTOCOLLO", "PORTA", "PER"],
    outgoing: "in uscita",
    readings: "letture dei contatori",
    commands: "comandi",
    web_access: "pagine web delle stampanti",
    session: "pagina web di una stampante, o stampa diretta",
    printers: "ricerca e lettura delle stampanti",
    identified: "lettura delle stampanti identificate via SNMP",
    hp: "lettura delle stampanti HP",
    zebra: "lettura e manutenzione delle stampanti Zebra",
    pjl: "lettura delle stampanti che dichiarano PJL",
    queues: "code delle stampanti, e lavori per le Zebra",
    ping: "presenza di una stampante",
    onward: "verso",
    never: "mai",
    on_request: "su richiesta",
    name_servers: "i server dei nomi di questa macchina",
    name_of_hub: "nome dell'hub o del proxy",
    names_of_printers: "nomi host delle stampanti, una volta all'avvio",
};

const GERMAN: Words = Words {
    headings: ["ZIEL", "RICHTUNG", "PROTOKOLL", "PORT", "WOFÜR"],
    outgoing: "ausgehend",
    readings: "Zählerstände",
    commands: "Befehle",
    web_access: "Webseiten der Drucker",
    session: "Webseite eines Druckers, oder Rohdruck",
    printers: "Drucker finden und auslesen",
    identified: "Drucker auslesen, die SNMP erkannt hat",
    hp: "Drucker von HP auslesen",
    zebra: "Drucker von Zebra auslesen und warten",
    pjl: "Drucker auslesen, die PJL nennen",
    queues: "Warteschlangen der Drucker, und Aufträge für die von Zebra",
    ping: "ist ein Drucker da",
    onward: "weiter an",
    never: "nie",
    on_request: "auf Anforderung",
    name_servers: "die Namensserver dieses Rechners",
    name_of_hub: "Name des Hubs oder des Proxys",
    names_of_printers: "Hostnamen der Drucker, einmal beim Start",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything a language says, but for headings that are the same word in two languages.
    fn said(words: &Words) -> Vec<&'static str> {
        let Words {
            headings: [_, direction, protocol, _, purpose],
            outgoing,
            readings,
            commands,
            web_access,
            session,
            printers,
            identified,
            hp,
            zebra,
            pjl,
            queues,
            ping,
            onward,
            never,
            on_request,
            name_servers,
            name_of_hub,
            names_of_printers,
        } = words;
        vec![
            direction,
            protocol,
            purpose,
            outgoing,
            readings,
            commands,
            web_access,
            session,
            printers,
            identified,
            hp,
            zebra,
            pjl,
            queues,
            ping,
            onward,
            never,
            on_request,
            name_servers,
            name_of_hub,
            names_of_printers,
        ]
    }

    #[test]
    fn every_language_has_every_word_and_a_word_of_its_own() {
        let mut all: Vec<&str> = Lang::value_variants()
            .iter()
            .flat_map(|lang| said(lang.words()))
            .collect();
        assert!(all.iter().all(|word| !word.trim().is_empty()));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "a word was left untranslated");
    }
}
