//! Who stands at the site: printers whose every door is open, and 40 devices that hear nothing.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use simulator::{Fleet, Running};

/// What is read in full and told what to do: no Zebra's door is closed.
const ZEBRAS: u8 = 3;

/// The doors of a fleet, where they are at a site, or where anybody may listen.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub raw: u16,
    pub lpr: u16,
    pub ipp: u16,
    pub ledm: u16,
}

impl Ports {
    /// The usual ones where this process may listen below 1024.
    pub fn of_this_machine() -> Self {
        let (raw, ledm) = (9_100, 8_443);
        match std::net::TcpListener::bind((address(0, 1), 515)) {
            Ok(_) => Self {
                raw,
                lpr: 515,
                ipp: 631,
                ledm,
            },
            Err(_) => Self {
                raw,
                lpr: 1_515,
                ipp: 1_631,
                ledm,
            },
        }
    }

    /// The three that are never to be knocked at.
    pub fn watched(self) -> [u16; 3] {
        [self.raw, self.lpr, self.ipp]
    }
}

/// A range of the site, with the doors that it opens.
#[derive(Debug)]
pub struct Range {
    pub addresses: &'static str,
    pub doors: String,
}

/// Every door is open here.
pub const OPEN: u8 = 1;
/// SGD and PJL are allowed here, for printers that are none of both.
pub const RAW: u8 = 2;
/// LPR is, over which a Zebra would be told what to do.
pub const QUEUES: u8 = 3;

pub fn ranges(ports: Ports) -> [Range; 3] {
    let Ports {
        raw,
        lpr,
        ipp,
        ledm,
    } = ports;
    [
        Range {
            addresses: "127.68.1.0/24",
            doors: format!("ipp = {ipp}, ledm = {ledm}, zebra = {raw}, pjl = {raw}, lpr = {lpr}"),
        },
        Range {
            addresses: "127.68.2.0/24",
            doors: format!("zebra = {raw}, pjl = {raw}"),
        },
        Range {
            addresses: "127.68.3.0/24",
            doors: format!("lpr = {lpr}"),
        },
    ]
}

pub fn address(range: u8, last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 68, range, last))
}

/// The printers whose doors are open, and are used.
pub const REAL: [(u8, u8); 7] = [
    (OPEN, 1),
    (OPEN, 2),
    (OPEN, 3),
    (OPEN, 4),
    (OPEN, 5),
    (OPEN, 6),
    (OPEN, 7),
];
/// Two of them change their addresses with who is none, again and again.
pub const SWAPS: [((u8, u8), (u8, u8)); 2] = [((OPEN, 3), (OPEN, 61)), ((OPEN, 7), (OPEN, 62))];
/// A Zebra that hears nothing from when it falls silent.
pub const LOST_ZEBRA: (u8, u8) = (OPEN, 60);
/// What says of itself nothing but a Zebra's queue: read in full it may be a printer.
pub const APPLIANCE: (u8, u8) = (RAW, 1);
/// A printer of another maker that falls silent.
pub const LOST_OTHER: (u8, u8) = (RAW, 12);
/// Who says over SNMP that it is no printer, or nothing.
pub const UNKNOWN: [(u8, u8); 21] = {
    let mut all = [(OPEN, 0); 21];
    let mut n = 0;
    while n < all.len() {
        all[n] = (OPEN, 30 + n as u8);
        n += 1;
    }
    all
};
/// Those among them that do not answer at all.
const SILENT: usize = 6;
/// Printers of other makers where only SGD and PJL are allowed, and one that lists a Zebra's queue.
pub const OF_OTHERS: usize = 12;
/// And where only LPR is.
pub const WITH_QUEUES: usize = 4;

/// Recordings of printers that are no Zebras and do not list PJL.
const OTHERS: [&str; 15] = [
    "brother-mfc-l8690cdw",
    "canon-imageprograf-tx-3100",
    "tsc-te310",
    "toshiba-tec-b-ex4t1",
    "epson-sc-t5405",
    "fujifilm-apeos-c5570",
    "hp-designjet-t1708",
    "konica-minolta-bizhub-c459",
    "lanier-mp-c3004",
    "lexmark-cx725",
    "oce-colorwave-3500",
    "oki-c844",
    "panasonic-dp-mb545",
    "pantum-bm5100fdw",
    "samsung-clx-9301",
];

/// What is no printer, whatever it says: file, sysDescr, sysObjectID below the enterprises, sysName,
/// and the print queue that it lists.
const IMPOSTORS: [(&str, &str, &str, &str, &str); 9] = [
    (
        "queues-windows",
        "Hardware: Intel64 - Software: Windows Version 10.0 (Build 20348)",
        "311.1.1.3.1.2",
        "PRINT1",
        "ZDesigner ZD420-203dpi ZPL",
    ),
    (
        "queues-linux",
        "Linux print 6.1.0-18-amd64 #1 SMP x86_64",
        "8072.3.2.10",
        "print",
        "Zebra ZTC ZD420-203dpi ZPL",
    ),
    (
        "queues-zebra",
        "Linux zebra 6.1.0-18-amd64 #1 SMP x86_64",
        "8072.3.2.10",
        "Zebra-ZT411",
        "Zebra Technologies ZTC ZT411",
    ),
    (
        "reader-symbol",
        "Zebra Technologies FX9600 RFID Reader",
        "388.11",
        "FX9600F11D2C",
        "",
    ),
    (
        "reader-plain",
        "Zebra Technologies FX7500 RFID Reader",
        "8072.3.2.10",
        "Zebra FX7500",
        "",
    ),
    (
        "daemon",
        "Zebra routing daemon 0.99.24",
        "3317.1.2.1",
        "zebra",
        "",
    ),
    (
        "wireless",
        "Zebra Technologies RFS 7000 Wireless Switch",
        "388.14",
        "Zebra RFS",
        "",
    ),
    (
        "switch-named",
        "Managed switch SW-2416, 24 ports",
        "9.1.1208",
        "Zebra ZT411 label printer",
        "",
    ),
    ("nameless", "", "8072.3.2.10", "Zebra", ""),
];

/// The recording of the appliance.
const QUEUE_BOX: (&str, &str, &str, &str, &str) = (
    "appliance",
    "Print appliance 3.1",
    "8072.3.2.10",
    "printbox",
    "Zebra ZTC ZD420-203dpi ZPL",
);

/// A recording of such a device.
fn impostor((_, descr, number, name, queue): (&str, &str, &str, &str, &str)) -> String {
    let mut text = format!(
        "1.3.6.1.2.1.1.1.0|4|{descr}\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.{number}\n\
         1.3.6.1.2.1.1.3.0|67|123456\n1.3.6.1.2.1.1.5.0|4|{name}\n"
    );
    if !queue.is_empty() {
        text += "1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n";
        let _ = writeln!(text, "1.3.6.1.2.1.25.3.2.1.3.1|4|{queue}");
        text += "1.3.6.1.2.1.25.3.5.1.1.1|2|3\n";
    }
    text
}

/// Copies our recordings, and writes those of the impostors beside them.
fn record(folder: &Path) {
    let own = stories::recordings();
    for part in ["", "makers"] {
        std::fs::create_dir_all(folder.join(part)).expect("a folder");
        for entry in std::fs::read_dir(own.join(part)).expect("recordings") {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name");
            if path.is_file() {
                std::fs::copy(&path, folder.join(part).join(name)).expect("a copy");
            }
        }
    }
    for it in IMPOSTORS.into_iter().chain([QUEUE_BOX]) {
        let file = folder.join(format!("{}.snmprec", it.0));
        std::fs::write(file, impostor(it)).expect("a recording");
    }
}

fn group(recording: &str, (range, last): (u8, u8), more: &str) -> String {
    let at = address(range, last);
    format!("[[printers]]\nrecording = \"{recording}\"\naddresses = \"{at}\"\n{more}\n")
}

/// The fleet file: printers that live 300 times as fast, as the week does.
fn fleet(ports: Ports) -> String {
    let Ports {
        raw,
        lpr,
        ipp,
        ledm,
    } = ports;
    let mut fleet = "seed = 68\nspeed = 300.0\n\
                     life = { pages_per_hour = 20, reboot_hours = 0, sleep = \"never\" }\n\
                     [[users]]\nname = \"mps\"\nauth = \"sha256\"\nauth_password = \"auth-password\"\n"
        .to_owned();
    let zebra = format!(
        "web = [{{ page = \"zebra\", port = {raw} }}, {{ page = \"lpr\", port = {lpr} }}, \
         {{ page = \"ipp\", port = {ipp} }}]"
    );
    let office = format!(
        "web = [{{ page = \"pjl-info\", port = {raw} }}, {{ page = \"lpr\", port = {lpr} }}, \
         {{ page = \"ipp\", port = {ipp} }}, {{ page = \"ledm-tls\", port = {ledm} }}]"
    );
    let pots = format!(
        "web = [{{ page = \"raw\", port = {raw} }}, {{ page = \"raw\", port = {lpr} }}, \
         {{ page = \"raw\", port = {ipp} }}]"
    );
    for (number, place) in REAL.into_iter().enumerate() {
        fleet += &match number as u8 {
            ..ZEBRAS => group("zebra-zt411", place, &zebra),
            3 | 4 => group("hp-laserjet-m507dn", place, &office),
            _ => group("kyocera-taskalfa-4054ci", place, &office),
        };
    }
    fleet += &group("zebra-zt411", LOST_ZEBRA, "");
    let whoever = IMPOSTORS.iter().map(|it| (it.0, ""));
    let switches = [("switch-sw-2416", ""); 4];
    let strangers = [("kyocera-taskalfa-4054ci", "versions = [\"3\"]"); 2];
    let known = whoever.chain(switches).chain(strangers);
    assert_eq!(known.clone().count() + SILENT, UNKNOWN.len());
    for (place, (recording, more)) in UNKNOWN[SILENT..].iter().zip(known) {
        fleet += &group(recording, *place, more);
    }
    for ((_, other), recording) in SWAPS.into_iter().zip(["queues-windows", "switch-sw-2416"]) {
        fleet += &group(recording, other, &pots);
    }
    fleet += &group(QUEUE_BOX.0, APPLIANCE, "");
    let others = (2..=OF_OTHERS)
        .map(|n| (RAW, n))
        .chain((1..=WITH_QUEUES).map(|n| (QUEUES, n)));
    for ((range, last), maker) in others.zip(OTHERS) {
        fleet += &group(&format!("makers/{maker}"), (range, last as u8), "");
    }
    fleet
}

/// Starts everyone who answers over SNMP.
pub fn rack(folder: &Path, ports: Ports) -> Running {
    record(folder);
    let mut fleet = Fleet::parse(&fleet(ports), folder).unwrap_or_else(|error| panic!("{error}"));
    fleet.port = 0;
    fleet.recordings = folder.to_owned();
    simulator::run(fleet, std::future::pending()).unwrap_or_else(|error| panic!("{error}"))
}

/// Everyone who listens and is no simulated page: 38 of the 40.
pub fn listening() -> Vec<(u8, u8)> {
    let others = (1..=OF_OTHERS).map(|n| (RAW, n as u8));
    let queues = (1..=WITH_QUEUES).map(|n| (QUEUES, n as u8));
    UNKNOWN
        .into_iter()
        .chain([LOST_ZEBRA])
        .chain(others)
        .chain(queues)
        .collect()
}
