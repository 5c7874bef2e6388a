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
    /// The panel over TLS, with a certificate that the device signed itself.
    Tls,
    /// The same with a certificate that is over.
    TlsExpired,
    /// A TLS end that drops whoever names a host (server_name, RFC 6066).
    TlsSni,
    /// A TLS end that answers every hello of today with the alert of an old one.
    Tls10,
    /// A page that talks over a WebSocket.
    WebSocket,
    /// A long log.
    Log,
    /// Takes a firmware.
    Firmware,
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
}

/// Every page: how a fleet file names it, and where it is found unless the file says otherwise.
const PAGES: [(&str, Page, u16); 15] = [
    ("panel", Page::Panel, 80),
    ("links", Page::Links, 80),
    ("login", Page::Login, 80),
    ("tls", Page::Tls, 443),
    ("tls-expired", Page::TlsExpired, 443),
    ("tls-sni", Page::TlsSni, 443),
    ("tls10", Page::Tls10, 443),
    ("websocket", Page::WebSocket, 80),
    ("log", Page::Log, 80),
    ("firmware", Page::Firmware, 80),
    ("broken", Page::Broken, 80),
    ("hostile", Page::Hostile, 80),
    ("tarpit", Page::Tarpit, 80),
    ("pjl", Page::Pjl, 9100),
    ("raw", Page::Raw, 9100),
];

/// One port of a printer and what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    /// What it shows.
    pub(crate) page: Page,
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
    let (page, port) = match door {
        RawDoor::Usual(name) => {
            let (page, port) = named(name)?;
            // A printer of that age has its plain page too.
            if page == Page::Tls10 {
                let (panel, plain) = named("panel")?;
                doors.push(Door {
                    page: panel,
                    port: plain,
                });
            }
            (page, port)
        }
        RawDoor::At(at) => (named(&at.page)?.0, at.port),
    };
    doors.push(Door { page, port });
    Ok(())
}

fn named(name: &str) -> Result<(Page, u16), String> {
    if let Some((_, page, port)) = PAGES.iter().find(|(known, ..)| *known == name) {
        return Ok((*page, *port));
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
