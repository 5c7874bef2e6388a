//! Printers that answer as they should not: what the agent says of each, and that nobody else is
//! read the worse for it.
//!
//! One fleet has every behavior of the simulator's list, a printer each, and honest neighbors
//! between them. The printers are read by the agent's own way of reading, all at once, while a real
//! agent finds and reads the same fleet.

#![cfg(test)]

#[path = "hostile_snmp/again.rs"]
mod again;
#[path = "hostile_snmp/budgets.rs"]
mod budgets;
#[path = "hostile_snmp/downgrade.rs"]
mod downgrade;
#[path = "hostile_snmp/table.rs"]
mod table;
#[path = "hostile_snmp/values.rs"]
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::reach::credential::Credential;
use actors::reach::scope::{Door, InScope, Scope};
use actors::reach::session::{CLOSING, PDUS_MAX, READING_TIME_MAX};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::reach::survey::{ReadError, Survey, read_device, with_v1};
use printer::meter::MeterName;
use printer::mib;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::supply::Level;
use serde_json::Value;
use simulator::{BEHAVIORS, WITH_V3};
use snmp::Oid;
use snmp::usm::{Auth, Privacy, Security, User};
use stories::{World, until};
use table::{Says, TABLE};

/// Honest printers.
const NEIGHBORS: u8 = 8;

/// Longest until a reading counts as hanging: its 30 s, 10 s for who answers at its end, and room for
/// a machine that is busy with all the others. [`dearness`] has what is kept to.
const READING_MAX: Duration = Duration::from_secs(45);

/// How often the neighbors are read while the others are, and with what pause.
const ROUNDS: usize = 20;
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// Longest a neighbor's reading may take: a question that had to be asked twice takes 0.5 s more.
const NEIGHBOR_MAX: Duration = Duration::from_secs(3);

/// Longest a reading may be as JSON; an honest one has some 10 KiB.
const READING_BYTES_MAX: usize = 1_024 * 1_024;

/// Longest until the agent has told of everyone it can.
const ALL_READ: Duration = Duration::from_secs(90);

/// Printers that must be read: all that can be, but for those whose serial number is another's.
const READ_MIN: u64 = 50;

/// Devices that one address brings in a day.
const GHOSTS_MAX: usize = 8;

/// The users that the fleet knows.
const USERS: &str = "[[users]]\nname = \"mps\"\nauth = \"sha256\"\nauth_password = \"auth-password\"\n\
    priv = \"aes128\"\npriv_password = \"priv-password\"\n\
    [[users]]\nname = \"desk\"\nauth = \"sha\"\nauth_password = \"auth-password\"\n\
    priv = \"des\"\npriv_password = \"priv-password\"\n";

/// The memory that an agent may take.
const AGENT_KIB_MAX: u64 = 96 * 1_024;

/// Where the behavior stands that is this one of the list: those of version 3 in a range of theirs.
fn misbehaving(number: usize) -> Ipv4Addr {
    let range = if is_of_users(number) { 2 } else { 0 };
    let last = u8::try_from(10 + 2 * number).expect("few behaviors");
    Ipv4Addr::new(127, 44, range, last)
}

fn is_of_users(number: usize) -> bool {
    WITH_V3.contains(&BEHAVIORS[number].number)
}

fn neighbor(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 44, 1, 10 + number)
}

/// Every behavior at an address of its own, and the neighbors.
fn fleet() -> String {
    let group = |address: Ipv4Addr, more: &str| {
        format!(
            "[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"{address}\"\n\
             serial = \"HS{{n:5}}\"\n{more}\n"
        )
    };
    let mut fleet = format!("seed = 44\nfrozen = true\n{USERS}");
    for (number, behavior) in BEHAVIORS.iter().enumerate() {
        let mut how = format!("misbehave = \"{}\"\n", behavior.name);
        if is_of_users(number) {
            how += "versions = [\"3\"]\n";
        }
        fleet += &group(misbehaving(number), &how);
    }
    // What they say has to be the same on another one.
    for (range, name, more) in [
        (0, "serial-same", ""),
        (2, "engine-same", "versions = [\"3\"]"),
    ] {
        let other = Ipv4Addr::new(127, 44, range, 250);
        fleet += &group(other, &format!("misbehave = \"{name}\"\n{more}"));
    }
    for number in 0..NEIGHBORS {
        fleet += &group(neighbor(number), "");
    }
    fleet
}

/// A community, a user, and a user whose encryption has padding.
struct Credentials {
    public: Credential,
    mps: Credential,
    desk: Credential,
}

impl Credentials {
    fn new() -> Self {
        let user = |name, auth, privacy| {
            let security =
                Security::AuthPriv((auth, b"auth-password"), (privacy, b"priv-password"));
            Credential::User(Arc::new(User::new(name, "", security).expect("a user")))
        };
        Self {
            public: Credential::v2c("public"),
            mps: user("mps", Auth::Sha256, Privacy::Aes128),
            desk: user("desk", Auth::Sha1, Privacy::Des),
        }
    }

    /// As whom the printer there is read.
    fn of(&self, address: Ipv4Addr) -> &Credential {
        let is_there = |name: &str| address == place_of(name);
        match address.octets() {
            _ if is_there("padding-odd") || is_there("padding-short") => &self.desk,
            [_, _, 2, _] => &self.mps,
            // Of the neighbors every other one is asked as a user.
            [_, _, 1, last] if last % 2 == 1 => &self.mps,
            _ => &self.public,
        }
    }
}

/// Somebody who reads, as `platen read` does.
struct Reader {
    snmp: Snmp,
    credentials: Credentials,
    scope: Scope,
    door: Door,
    profiles: Profiles,
}

impl Reader {
    fn new(port: u16) -> Self {
        let door = Door::Snmp { port };
        let range = "127.44.0.0/16".parse().expect("a range");
        let settings = SnmpSettings {
            timeout: Duration::from_millis(500),
            retries: 2,
            in_flight_max: 256,
            packets_per_second_max: 20_000,
        };
        Self {
            snmp: Snmp::open(settings).expect("a socket"),
            credentials: Credentials::new(),
            scope: Scope::new(&[range], &[], &[door]).expect("a scope"),
            door,
            profiles: Profiles::embedded().expect("profiles"),
        }
    }

    fn target(&self, address: Ipv4Addr) -> InScope {
        let admitted = self.scope.admit(IpAddr::V4(address), self.door);
        admitted.expect("in the range")
    }

    /// A reading, which ends by itself.
    async fn read(&self, address: Ipv4Addr) -> Result<Survey, ReadError> {
        let target = self.target(address);
        let credentials = with_v1(std::slice::from_ref(self.credentials.of(address)));
        let reading = read_device(&self.snmp, &target, &credentials, &self.profiles);
        let ended = tokio::time::timeout(READING_MAX, reading).await;
        ended.unwrap_or_else(|_| panic!("the reading of {address} hangs"))
    }
}

fn reading_of(survey: &Survey) -> Option<&Reading> {
    match &survey.verdict {
        Verdict::Printer(reading) => Some(reading),
        Verdict::NotAPrinter { .. } => None,
    }
}

/// What a reading tells of a printer, beside who it is: pages, supplies and trays.
type Told = (Option<u64>, usize, usize);

fn told(reading: &Reading) -> Told {
    let total = reading.meters.iter().find(|it| it.name == MeterName::TOTAL);
    let pages = total.map(|it| it.value);
    (pages, reading.supplies.len(), reading.trays.len())
}

/// What is wrong with what came of a reading; nothing if it is what it should be.
fn complaint(read: &Result<Survey, ReadError>, says: Says, honest: Told) -> Option<String> {
    let is_right = match (read, says) {
        (Err(error), Says::Nothing(why)) => error.to_string().contains(why),
        (Err(_), _) => false,
        (Ok(survey), _) => match (&survey.verdict, says) {
            (Verdict::NotAPrinter { reason }, Says::NoPrinter(why)) => reason == why,
            (Verdict::NotAPrinter { .. }, _) => false,
            (Verdict::Printer(reading), says) => {
                is_bounded(reading) && is_as_said((survey, reading), says, honest)
            }
        },
    };
    let shown = match read {
        Err(error) => error.to_string(),
        Ok(survey) => match &survey.verdict {
            Verdict::NotAPrinter { reason } => format!("no printer: {reason}"),
            Verdict::Printer(reading) => format!("{:?}, {:?}", told(reading), survey.trouble),
        },
    };
    (!is_right).then(|| format!("{says:?} was to be, and is {shown}"))
}

fn is_as_said((survey, reading): (&Survey, &Reading), says: Says, honest: Told) -> bool {
    let is_whole = survey.trouble.is_none() && survey.unanswered.is_empty();
    match says {
        Says::Right => is_whole && told(reading) == honest,
        Says::Pages(pages) => is_whole && told(reading).0 == pages,
        Says::MadeUp => is_whole,
        Says::Part(why) => survey.trouble.as_ref().is_some_and(|it| it.contains(why)),
        Says::Nothing(_) | Says::NoPrinter(_) => false,
    }
}

/// Nothing that a device says takes a reading beyond what a page or a hub can bear.
fn is_bounded(reading: &Reading) -> bool {
    let json = serde_json::to_string(reading).expect("a reading is JSON");
    let levels = reading.supplies.iter().map(|supply| supply.level);
    let mut percents = levels.filter_map(|level| match level {
        Level::Percent { percent } => Some(percent),
        _ => None,
    });
    json.len() < READING_BYTES_MAX && percents.all(|percent| (0.0..=100.0).contains(&percent))
}

/// What a reading cost beyond the budget of one; nothing if it kept to it. Who answers at its end is
/// asked under a budget of its own, which the count of questions leaves out.
fn dearness(read: &Result<Survey, ReadError>, took: Duration) -> Option<String> {
    let pdus = read.as_ref().map_or(0, |survey| survey.pdus);
    let is_dear = pdus > PDUS_MAX || took > READING_TIME_MAX + CLOSING.time_max;
    is_dear.then(|| format!("it took {pdus} questions and {took:?}"))
}

/// Reads the neighbors again and again, and says how long each reading took.
async fn neighbors_are_read(reader: &Reader, honest: Told) -> Vec<Duration> {
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        for number in 0..NEIGHBORS {
            let started = Instant::now();
            let survey = reader.read(neighbor(number)).await;
            let wrong = complaint(&survey, Says::Right, honest);
            assert_eq!(wrong, None, "neighbor {number} in round {round}");
            took.push(started.elapsed());
        }
        tokio::time::sleep(BETWEEN_ROUNDS).await;
    }
    took
}

#[test]
fn every_behavior_of_the_simulator_is_in_the_table() {
    let played: Vec<&str> = BEHAVIORS.iter().map(|it| it.name).collect();
    let expected: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(played, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaving_printer_is_told_about_and_its_neighbors_notice_nothing() {
    let rack = stories::rack(&fleet());
    let reader = Reader::new(rack.port);
    let first = reader.read(neighbor(0)).await.expect("an honest printer");
    let honest = told(reading_of(&first).expect("a printer"));
    assert!(
        honest.0.is_some() && honest.1 > 0 && honest.2 > 0,
        "{honest:?}"
    );

    let reads = TABLE.iter().enumerate().map(|(number, (name, says))| {
        let reader = &reader;
        async move {
            let started = Instant::now();
            let read = reader.read(misbehaving(number)).await;
            let dear = dearness(&read, started.elapsed());
            let wrong = complaint(&read, *says, honest).or(dear);
            let wrong = wrong.or_else(|| values::complaint(name, read.as_ref().ok()?));
            wrong.map(|wrong| format!("{name}: {wrong}"))
        }
    });
    let (wrong, took) = futures_util::join!(
        futures_util::future::join_all(reads),
        neighbors_are_read(&reader, honest),
    );
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let slowest = took.iter().max().expect("they were read");
    assert!(*slowest < NEIGHBOR_MAX, "a neighbor took {slowest:?}");
    let unsent = rack.counts().await.unsent;
    assert_eq!(
        unsent, 0,
        "the simulator could not play: fragments and ICMP take CAP_NET_RAW"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_agent_reads_everyone_it_can_and_none_of_its_actors_dies() {
    let rack = stories::rack(&fleet());
    let mut world = World::new();
    let ranges = ["127.44.0.0/24", "127.44.1.0/27"];
    world.agent_is_configured(&ranges, rack.port, &range_of_users(&world));
    world.agent_is_started();
    // Each is read within ten seconds of its discovery, and the slowest takes thirty.
    until("the agent tells of those it can find", ALL_READ, || async {
        let status = world.status()?;
        let troubled = places(&status["printers"]["troubled_listed"]);
        let wanted = [
            "oid-cycle-17",
            "oid-endless",
            "value-60k",
            "router-interfaces",
        ];
        let mut wanted = wanted.iter().map(|name| address_of(name));
        let is_read = status["printers"]["read"].as_u64()? >= READ_MIN;
        (is_read && wanted.all(|it| troubled.contains_key(&it))).then_some(())
    })
    .await;
    let status = world.status().expect("the agent answers");
    let printers = &status["printers"];
    assert_eq!(status["restarts"]["total"], 0, "{status}");
    assert_eq!(status["set_aside"], serde_json::json!([]));
    // One that is another at every question brings some ghosts a day, and no more.
    let known = printers["known"].as_u64().expect("a count");
    assert!(
        known <= (TABLE.len() + 1 + usize::from(NEIGHBORS) + GHOSTS_MAX) as u64,
        "{known}"
    );
    let (troubled, silent) = (
        places(&printers["troubled_listed"]),
        places(&printers["silent_listed"]),
    );
    for number in 0..NEIGHBORS {
        let place = neighbor(number).to_string();
        assert!(
            !troubled.contains_key(&place) && !silent.contains_key(&place),
            "{printers}"
        );
    }
    let endless = &troubled[&address_of("oid-endless")];
    assert!(
        endless.contains("used up the budget of one reading"),
        "{endless}"
    );
    let said = world.agent_says("status", &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("127.44.0."), "{said}");
    let memory = peak_kib(&mut world);
    assert!(memory < AGENT_KIB_MAX, "{memory} KiB");
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_devices_with_one_engine_id_are_told_apart() {
    let many = format!(
        "seed = 44\nfrozen = true\n{USERS}[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
         addresses = {{ range = \"127.44.2.0/24\", count = 200 }}\nserial = \"HS{{n:5}}\"\n\
         misbehave = \"engine-same\"\n"
    );
    let rack = stories::rack(&many);
    let reader = Reader::new(rack.port);
    let places = (1..=254).map(|last| Ipv4Addr::new(127, 44, 2, last));
    let asked = places.map(|place| {
        let (reader, target) = (&reader, reader.target(place));
        async move {
            let serial = Oid::new(mib::PRT_SERIAL_NUMBER).with(&[1]);
            let asked = [serial];
            let got = reader.snmp.get(&target, &reader.credentials.mps, &asked);
            got.await.ok().map(|varbinds| varbinds[0].value.clone())
        }
    });
    let serials = futures_util::future::join_all(asked).await;
    let serials: BTreeSet<String> = serials
        .into_iter()
        .flatten()
        .map(|serial| format!("{serial:?}"))
        .collect();
    assert_eq!(serials.len(), 200);
}

/// Where the printers of a list are, and what is said of each.
fn places(list: &Value) -> BTreeMap<String, String> {
    let rows = list.as_array().into_iter().flatten();
    let place = |row: &Value| {
        let trouble = row["trouble"].as_str().unwrap_or_default();
        Some((row["address"].as_str()?.to_owned(), trouble.to_owned()))
    };
    rows.filter_map(place).collect()
}

/// Where the printer stands that behaves so.
fn address_of(name: &str) -> String {
    place_of(name).to_string()
}

fn place_of(name: &str) -> Ipv4Addr {
    let number = BEHAVIORS.iter().position(|it| it.name == name);
    misbehaving(number.expect("a behavior"))
}

/// A range whose printers are asked as a user only.
fn range_of_users(world: &World) -> String {
    format!(
        "[[ranges]]\naddresses = [\"127.44.2.0/24\"]\ncredentials = [\"mps\"]\n{}",
        user_of(world)
    )
}

/// The user of the configuration whom the fleet knows.
fn user_of(world: &World) -> String {
    let file = |name: &str| {
        let path = world.path(name);
        std::fs::write(&path, format!("{name}\n")).expect("a password");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("a mode");
        path
    };
    format!(
        "[credentials.mps]\nversion = \"3\"\nuser = \"mps\"\nauth = \"sha256\"\n\
         auth_password_file = {:?}\npriv = \"aes128\"\npriv_password_file = {:?}\n",
        file("auth-password"),
        file("priv-password"),
    )
}

/// The most memory that the agent has had in hand, as the kernel counts it.
fn peak_kib(world: &mut World) -> u64 {
    let pid = world.agent().expect("the agent runs").pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let mut words = line.expect("a peak").split_whitespace();
    words.nth(1).and_then(|it| it.parse().ok()).expect("KiB")
}
