//! From what was found out to one cause and one thing to do. Pure: values in, a diagnosis out.
//!
//! The order is that in which a technician would ask, and the first thing that is wrong is the cause:
//! whatever lies behind it could not be seen anyway.

use std::net::IpAddr;

use actors::reach::knock::Knocked;
use printer::doctor::State;
use serde::Serialize;
use snmp::usm::Refusal;

use super::facts::{Agent, Asked, Device, Echo, Facts, Outcome, Place, Printer, Tcp};
use super::worth;

/// Why a printer or a value is missing, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// What was written is no address.
    NotAnAddress,
    /// A name that nobody knows.
    NameUnresolved,
    /// The site has no ranges.
    NoRanges,
    /// A name in the ranges is not known.
    RangeUnresolved,
    /// No range holds it.
    OutOfScope,
    /// A range leaves it out.
    Excluded,
    /// Multicast, broadcast, or the end of a subnet.
    NotOneDevice,
    /// Its range has no credential.
    NoCredential,
    /// This machine knows no way there.
    NoRoute,
    /// A firewall or router says no.
    Prohibited,
    /// The device is there, and nobody listens at its SNMP port.
    SnmpClosed,
    /// The device is there, and silent over SNMP.
    SnmpSilent,
    /// Nothing of it is there.
    NobodyAnswers,
    /// SNMP is there, and answers none of the communities.
    WrongCommunity,
    /// What comes is no SNMP.
    NotSnmp,
    /// The user is not known.
    UnknownUser,
    /// The authentication password or algorithm is another.
    WrongPassword,
    /// The privacy password or algorithm is another.
    WrongPrivacy,
    /// The user may not read at this level.
    WrongLevel,
    /// The context is not known.
    WrongContext,
    /// Its engine cannot be followed: clock, boots or id.
    BadEngine,
    /// A user is refused for another reason.
    UserRefused,
    /// The credential may see nothing.
    MayReadNothing,
    /// It is something else.
    NotAPrinter,
    /// Two devices answer in turn.
    TwoDevices,
    /// It could not be read.
    Unread,
    /// Another printer than at the last reading.
    AnotherDevice,
    /// The agent set it aside.
    SetAside,
    /// The reading is not whole.
    NotWhole,
    /// No agent runs here.
    AgentAway,
    /// The device has no such object.
    NotInMib,
    /// The device would not answer for it.
    ValueRefused,
    /// The device says that it does not know.
    ValueUnknown,
    /// No profile reads this maker.
    NoProfile,
    /// The value is there and not proven.
    Beta,
}

/// What is the matter, and the one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// For programs; absent where nothing is the matter.
    pub cause: Option<Cause>,
    /// How bad it is.
    pub state: State,
    /// What is the matter.
    pub what: String,
    /// Why, or what is known of it.
    pub why: String,
    /// What to do; empty where there is nothing.
    pub next: String,
}

impl Diagnosis {
    pub(super) fn new(
        (cause, state): (Cause, State),
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            cause: Some(cause),
            state,
            what: what.into(),
            why: why.into(),
            next: next.into(),
        }
    }

    /// The same as it is told.
    pub(super) fn told(self) -> printer::doctor::Diagnosis {
        let word = |cause| match serde_json::to_value(cause) {
            Ok(serde_json::Value::String(word)) => Some(word),
            Ok(_) | Err(_) => None,
        };
        printer::doctor::Diagnosis {
            cause: self.cause.and_then(word),
            state: self.state,
            what: self.what,
            why: self.why,
            next: self.next,
        }
    }
}

/// Names the cause.
pub fn judge(facts: &Facts) -> Diagnosis {
    let found = place(facts)
        .or_else(|| silence(facts))
        .or_else(|| device(facts));
    found.unwrap_or_else(|| Diagnosis {
        cause: None,
        state: State::Ok,
        what: "nothing is the matter: it is in scope, answers, is a printer, and was read whole"
            .to_owned(),
        why: String::new(),
        next: String::new(),
    })
}

fn failed(cause: Cause, what: String, why: &str, next: impl Into<String>) -> Option<Diagnosis> {
    Some(Diagnosis::new((cause, State::Failed), what, why, next))
}

/// What is wrong with the address, or with where it is.
fn place(facts: &Facts) -> Option<Diagnosis> {
    let written = &facts.written;
    match &facts.place {
        Place::NoAddress { why, cure } => failed(
            Cause::NotAnAddress,
            format!("'{written}' is not the address of a printer"),
            why,
            cure.clone(),
        ),
        Place::Unresolved { why } => failed(
            Cause::NameUnresolved,
            format!("the name '{written}' has no address"),
            why,
            format!(
                "find the printer's address (its panel shows it): platen doctor ADDRESS, or \
                     have '{written}' entered where this machine looks names up"
            ),
        ),
        Place::NoRanges(address) => failed(
            Cause::NoRanges,
            format!("no printer is looked for at all, {address} neither"),
            "there are no [[ranges]] in the configuration",
            format!("write a range into it: addresses = [\"{address}\"]"),
        ),
        Place::RangeUnresolved { why, .. } => failed(
            Cause::RangeUnresolved,
            "nobody can say what the ranges hold".to_owned(),
            why,
            "correct the name in the configuration, or write its address",
        ),
        Place::Outside { address, ranges } => failed(
            Cause::OutOfScope,
            format!("{address} is in none of the ranges, so nothing was sent to it"),
            &format!("the ranges are: {ranges}"),
            format!("add it to the addresses of a range: \"{address}\""),
        ),
        Place::Excluded { address, label } => failed(
            Cause::Excluded,
            format!("{address} is excluded, so nothing was sent to it"),
            &format!("the range '{label}' names it in exclude"),
            format!("take it out of exclude in the range '{label}', if it is to be read"),
        ),
        Place::NoDevice(address) => failed(
            Cause::NotOneDevice,
            format!("{address} is not the address of one device"),
            "it is a multicast, broadcast or unspecified address",
            "name the printer's own address: its panel shows it",
        ),
        Place::Inside { .. } => None,
    }
}

/// Why nobody answered, where nobody did.
fn silence(facts: &Facts) -> Option<Diagnosis> {
    let Place::Inside {
        address,
        label,
        port,
    } = &facts.place
    else {
        return None;
    };
    let does = |is: fn(&Outcome) -> bool| facts.asked.iter().any(|asked| is(&asked.outcome));
    if does(|it| *it == Outcome::Answers) {
        return None;
    }
    if facts.asked.is_empty() {
        let next = format!("name one in the range: credentials = [\"public\"] in '{label}'");
        let what = format!("the range '{label}' has no credential to ask {address} with");
        return failed(Cause::NoCredential, what, "", next);
    }
    if does(|it| *it == Outcome::Mute) {
        return failed(
            Cause::MayReadNothing,
            format!("{address} answers, and shows nothing"),
            "its SNMP settings give this credential a view in which no object stands",
            "let the credential read all of MIB-2 and the Printer-MIB, at the printer",
        );
    }
    if let Some(refused) = refusal(facts) {
        return Some(refused);
    }
    let unsendable = facts.asked.iter().find_map(|asked| match &asked.outcome {
        Outcome::Unsendable(why) => Some(why.clone()),
        _ => None,
    });
    if let Some(why) = unsendable {
        let next = format!("see which way this machine takes: ip route get {address}");
        let what = format!("nothing can be sent to {address}");
        return failed(Cause::NoRoute, what, &why, next);
    }
    Some(knocked(facts, *address, (label, *port)))
}

/// What a knock at the port of a device tells that answers no question.
fn knocked(facts: &Facts, address: IpAddr, (label, port): (&str, u16)) -> Diagnosis {
    let failed = |cause, what: String, why: &str, next: String| {
        Diagnosis::new((cause, State::Failed), what, why, next)
    };
    match &facts.knock {
        Some(Knocked::Closed) => failed(
            Cause::SnmpClosed,
            format!("{address} is there, and nobody listens at UDP port {port}"),
            "ICMP says so: SNMP is off, on another port, or a firewall answers in its name",
            "switch SNMP on at the printer (its page: Network, SNMP)".to_owned(),
        ),
        Some(Knocked::Prohibited) => failed(
            Cause::Prohibited,
            format!("somebody on the way does not let UDP port {port} through to {address}"),
            "ICMP says so: a firewall, or a router that knows no way",
            "give `platen ports --markdown` to whoever runs the network".to_owned(),
        ),
        Some(Knocked::Engine) => failed(
            Cause::WrongCommunity,
            format!("{address} speaks SNMP, and answers none of the communities"),
            "its SNMPv3 engine names itself, so the way is open and it is awake: the community is \
             another, or SNMP v1 and v2c are off",
            format!(
                "compare the community set at the printer with the credential {} of '{label}'",
                names(facts)
            ),
        ),
        Some(Knocked::Spoke | Knocked::Silent | Knocked::Unsendable(_)) | None => quiet(facts),
    }
}

/// What silence means, as far as anything else told.
fn quiet(facts: &Facts) -> Diagnosis {
    let address = facts.place.address().map(|it| it.to_string());
    let address = address.unwrap_or_default();
    let odd = facts.asked.iter().find_map(|asked| match &asked.outcome {
        Outcome::Silent { odd, .. } => odd.clone(),
        _ => None,
    });
    let odd = odd.or_else(|| {
        let has_spoken = facts.knock == Some(Knocked::Spoke);
        has_spoken.then(|| "what came is no SNMP".to_owned())
    });
    let state = State::Failed;
    if let Some(odd) = odd {
        return Diagnosis::new(
            (Cause::NotSnmp, state),
            format!("{address} sends something, and it is no answer"),
            odd,
            "see that its SNMP port is that of the configuration ([snmp] port), then update its \
             firmware",
        );
    }
    let lives = match (&facts.echo, facts.tcp) {
        (Some(Echo::Answers(_)), _) => Some("it answers ping".to_owned()),
        (_, Some((port, Tcp::Accepts))) => Some(format!("it accepts TCP {port}")),
        (_, Some((port, Tcp::Refuses))) => Some(format!("it refuses TCP {port}, so it lives")),
        _ => None,
    };
    if let Some(lives) = lives {
        let why = format!(
            "{lives}; a wrong community, SNMP that is off, a firewall that drops UDP and a printer \
             whose SNMP sleeps are the same silence from here"
        );
        let next = match &facts.last {
            Some(last) => format!(
                "wake it (press a key at its panel) and ask again: it was read on {}, so its \
                 settings were right then",
                last.at
            ),
            None => format!(
                "at the printer, see that SNMP is on and that its community is that of the \
                 credential {}",
                names(facts)
            ),
        };
        let what = format!("{address} is on, and silent over SNMP");
        return Diagnosis::new((Cause::SnmpSilent, state), what, why, next);
    }
    let pinged = match &facts.echo {
        Some(Echo::NotPermitted(_)) => "ping is not permitted here, so it may be on all the same",
        _ => "neither ping nor SNMP is answered",
    };
    Diagnosis::new(
        (Cause::NobodyAnswers, state),
        format!("nobody answers at {address}"),
        format!("{pinged}; it is off, has another address, or a firewall drops everything"),
        "compare the address with the one that the printer's panel shows",
    )
}

/// The names of the communities that were tried, for people.
fn names(facts: &Facts) -> String {
    let mut names: Vec<String> = Vec::new();
    for asked in facts.asked.iter().filter(|asked| asked.version != "3") {
        let name = format!("'{}'", asked.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// Why a user of version 3 is refused: of several, the one that came furthest.
fn refusal(facts: &Facts) -> Option<Diagnosis> {
    let refused = facts.asked.iter().filter_map(|asked| match &asked.outcome {
        Outcome::Refused(refusal) => Some((asked, refusal)),
        _ => None,
    });
    let (asked, refusal) = refused.max_by_key(|(_, refusal)| far(refusal))?;
    let address = facts.place.address()?;
    let Asked { name, .. } = asked;
    let (cause, next) = match refusal {
        Refusal::UnknownUser => (
            Cause::UnknownUser,
            format!("compare the user name at the printer with `user` of the credential '{name}'"),
        ),
        Refusal::WrongDigest(_) => (
            Cause::WrongPassword,
            format!("set the authentication password of '{name}' anew, at the printer and here"),
        ),
        Refusal::Undecipherable(_) | Refusal::Unanswered(_) => (
            Cause::WrongPrivacy,
            format!("set the privacy password and algorithm of '{name}' anew, there and here"),
        ),
        Refusal::UnsupportedLevel(_) | Refusal::NotAuthorized(_) => (
            Cause::WrongLevel,
            format!("compare what the user of '{name}' may do at the printer: its level, its view"),
        ),
        Refusal::UnknownContext => (
            Cause::WrongContext,
            format!("take `context` out of the credential '{name}', or write the printer's"),
        ),
        Refusal::ClockJumps | Refusal::BootsLatched | Refusal::EngineChanges => (
            Cause::BadEngine,
            "switch SNMPv3 off and on again at the printer, which sets its engine anew".to_owned(),
        ),
        Refusal::UnknownModel | Refusal::Other(_) | Refusal::Unnamed => (
            Cause::UserRefused,
            format!("give the printer a user as in the credential '{name}', or use a community"),
        ),
    };
    failed(
        cause,
        format!("{address} answers, but not to the credential '{name}'"),
        &refusal.to_string(),
        next,
    )
}

/// How far a user came before it was refused.
fn far(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::UnknownModel | Refusal::Other(_) | Refusal::Unnamed => 0,
        Refusal::ClockJumps | Refusal::BootsLatched | Refusal::EngineChanges => 1,
        Refusal::UnknownUser => 2,
        Refusal::UnsupportedLevel(_) => 3,
        Refusal::WrongDigest(_) => 4,
        Refusal::Undecipherable(_) | Refusal::Unanswered(_) => 5,
        Refusal::UnknownContext => 6,
        Refusal::NotAuthorized(_) => 7,
    }
}

/// What is the matter with a device that answers.
fn device(facts: &Facts) -> Option<Diagnosis> {
    let address = facts.place.address()?;
    match facts.device.as_ref()? {
        Device::Other(why) => failed(
            Cause::NotAPrinter,
            format!("{address} answers, and is no printer"),
            why,
            format!("if it is one after all: platen read {address} --record FILE, and report it"),
        ),
        Device::Swapped => failed(
            Cause::TwoDevices,
            format!("two devices answer at {address} in turn"),
            "nothing of such a reading is used, since nobody could say whose it is",
            "give one of both another address",
        ),
        Device::Unread(why) => failed(
            Cause::Unread,
            format!("{address} said who it is, and could not be read"),
            why,
            format!("ask again, more patiently: platen read {address} --timeout 10"),
        ),
        Device::Printer(printer) => {
            moved(facts, printer)
                .or_else(|| aside(facts))
                .or_else(|| match &facts.wanted {
                    Some(wanted) => worth::of_one(printer, wanted),
                    None => worth::of_all(printer, facts.agent.as_ref()),
                })
        }
    }
}

/// Whether another printer was read here last.
fn moved(facts: &Facts, printer: &Printer) -> Option<Diagnosis> {
    let last = facts.last.as_ref()?;
    let (before, now) = (last.serial.as_ref()?, printer.named.serial.as_ref()?);
    let state = State::Warning;
    (before != now).then(|| {
        Diagnosis::new(
            (Cause::AnotherDevice, state),
            format!("another printer is here than at the last reading: serial {now}, not {before}"),
            format!("{} was read here on {}", last.title, last.at),
            "find where the other one went: platen discover RANGE",
        )
    })
}

/// Whether the agent reads it no more.
fn aside(facts: &Facts) -> Option<Diagnosis> {
    let Some(Agent::Runs {
        set_aside: Some((device, cause)),
        ..
    }) = &facts.agent
    else {
        return None;
    };
    failed(
        Cause::SetAside,
        "the agent set it aside and reads it no more".to_owned(),
        cause,
        format!("platen release {device}"),
    )
}
