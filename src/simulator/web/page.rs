//! Which pages a printer can have, and at which port each is found.

use serde::Deserialize;

/// How alike a name must be to be offered instead of an unknown one (Jaro-Winkler, 0 to 1).
const LIKENESS_MIN: f64 = 0.7;
/// Most doors of one printer: more than any device listens on for its pages.
const DOORS_MAX: usize = 16;

/// What a door shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Status, supplies and counters, as the printer lives.
    Panel,
    /// Absolute links, frames, redirects and a base: pages that know their own address.
    Links,
    /// A form to log in, a cookie, and settings that can be changed.
    Login,
    /// A TLS end that answers every hello of today with the alert of an old one.
    Tls10,
    /// A TLS end whose key has 512 bits.
    TlsWeak,
    /// A page that talks over a WebSocket.
    WebSocket,
    /// A long log.
    Log,
    /// Takes a firmware.
    Firmware,
    /// IPP: what the printer says of itself.
    Ipp,
    /// LEDM, the documents of HP's printers.
    Ledm,
    /// LEDM of a large format printer.
    LedmLarge,
    /// HTTP as broken devices speak it.
    Broken,
    /// Everything an attacker's printer can do, a path each.
    Hostile,
    /// Connections that nobody ever takes.
    Tarpit,
    /// A raw port that talks PJL for ever.
    Pjl,
    /// A raw port that swallows what comes and counts it.
    Raw,
    /// A label printer's raw port: SGD, `~HS`, and commands.
    Zebra,
    /// A raw port that answers PJL's INFO.
    PjlInfo,
    /// LPR: the state of a queue, and jobs.
    Lpr,
}

/// How a device speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With a certificate that it signed itself.
    Usual,
    /// With one that is over.
    Expired,
    /// It drops whoever names a host (server_name, RFC 6066).
    Nameless,
}

/// Every page: how a fleet file names it, and where it is found unless the file says otherwise.
const PAGES: [(&str, Page, Option<End>, u16); 23] = [
    ("panel", Page::Panel, None, 80),
    ("links", Page::Links, None, 80),
    ("login", Page::Login, None, 80),
    ("tls", Page::Panel, Some(End::Usual), 443),
    ("tls-expired", Page::Panel, Some(End::Expired), 443),
    ("tls-sni", Page::Panel, Some(End::Nameless), 443),
    ("tls10", Page::Tls10, None, 443),
    ("tls-weak", Page::TlsWeak, None, 443),
    ("websocket", Page::WebSocket, None, 80),
    ("log", Page::Log, None, 80),
    ("firmware", Page::Firmware, None, 80),
    ("ipp", Page::Ipp, None, 631),
    ("ledm", Page::Ledm, None, 80),
    ("ledm-large", Page::LedmLarge, None, 80),
    ("ledm-tls", Page::Ledm, Some(End::Usual), 443),
    ("broken", Page::Broken, None, 80),
    ("hostile", Page::Hostile, None, 80),
    ("tarpit", Page::Tarpit, None, 80),
    ("pjl", Page::Pjl, None, 9100),
    ("raw", Page::Raw, None, 9100),
    ("zebra", Page::Zebra, None, 9100),
    ("pjl-info", Page::PjlInfo, None, 9100),
    ("lpr", Page::Lpr, None, 515),
];

/// One port of a printer and what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    /// What it shows.
    pub(crate) page: Page,
    /// How it speaks TLS, if it does.
    pub(crate) tls: Option<End>,
    /// The TCP port.
    pub(crate) port: u16,
}

/// The key `web` of a fleet file.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "web is a page such as \"panel\", { page = \"panel\", port = 8080 }, or a list of these"
)]
pub(crate) enum RawWeb {
    /// One page.
    One(RawDoor),
    /// Several.
    Many(Vec<RawDoor>),
}

/// A page at its usual port, or at another.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawDoor {
    /// At its usual port.
    Usual(String),
    /// At another.
    At(RawAt),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAt {
    page: String,
    port: u16,
    /// Whether a page that is plain by itself is shown over TLS.
    #[serde(default)]
    tls: bool,
}

/// The doors that a group of printers has, from its keys `web` and `raw`.
///
/// # Errors
/// In words: an unknown page with the nearest known one, a port twice, port 0, too many doors.
pub(crate) fn doors(web: Option<&RawWeb>, raw: Option<u16>) -> Result<Vec<Door>, String> {
    let mut doors = Vec::new();
    match web {
        Some(RawWeb::One(door)) => open(door, &mut doors)?,
        Some(RawWeb::Many(many)) => {
            for door in many {
                open(door, &mut doors)?;
            }
        }
        None => {}
    }
    doors.extend(raw.map(|port| Door {
        page: Page::Raw,
        tls: None,
        port,
    }));
    if doors.len() > DOORS_MAX {
        return Err(format!(
            "{} doors are more than {DOORS_MAX}: leave some out",
            doors.len()
        ));
    }
    for (at, door) in doors.iter().enumerate() {
        if door.port == 0 {
            return Err("port 0 is no door: write the port itself".to_owned());
        }
        if doors.iter().take(at).any(|other| other.port == door.port) {
            return Err(format!(
                "two pages at port {}: write {{ page = …, port = … }} for one of them",
                door.port
            ));
        }
    }
    Ok(doors)
}

fn open(door: &RawDoor, doors: &mut Vec<Door>) -> Result<(), String> {
    match door {
        RawDoor::Usual(name) => {
            let door = named(name)?;
            // A printer of that age has its plain page too.
            if door.page == Page::Tls10 {
                doors.push(named("panel")?);
            }
            doors.push(door);
        }
        RawDoor::At(at) => {
            let mut door = named(&at.page)?;
            door.port = at.port;
            if at.tls {
                if !door.page.is_sound() {
                    return Err(format!("page '{}' is not shown over TLS", at.page));
                }
                door.tls = door.tls.or(Some(End::Usual));
            }
            doors.push(door);
        }
    }
    Ok(())
}

impl Page {
    /// Whether it speaks HTTP as it should, and so may do that over TLS too.
    pub(crate) fn is_sound(self) -> bool {
        match self {
            Self::Panel | Self::Links | Self::Login => true,
            Self::WebSocket | Self::Log | Self::Firmware => true,
            Self::Ipp | Self::Ledm | Self::LedmLarge => true,
            Self::Tls10 | Self::TlsWeak | Self::Broken | Self::Hostile => false,
            Self::Tarpit | Self::Pjl | Self::Raw => false,
            Self::Zebra | Self::PjlInfo | Self::Lpr => false,
        }
    }
}

fn named(name: &str) -> Result<Door, String> {
    if let Some((_, page, tls, port)) = PAGES.iter().find(|(known, ..)| *known == name) {
        return Ok(Door {
            page: *page,
            tls: *tls,
            port: *port,
        });
    }
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    let nearest = PAGES
        .iter()
        .map(|(known, ..)| *known)
        .filter(|known| likeness(known) >= LIKENESS_MIN)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Err(match nearest {
        Some(nearest) => format!("no page '{name}': did you mean '{nearest}'?"),
        None => {
            let all: Vec<&str> = PAGES.iter().map(|(known, ..)| *known).collect();
            format!("no page '{name}': there are {}", all.join(", "))
        }
    })
}
