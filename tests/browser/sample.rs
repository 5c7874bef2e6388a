//! A fleet to look at: 24 printers of ten makes at three sites, and 90 days of their readings.
//!
//! Used by the browser test. Values are made up and repeatable; shapes are those of real readings:
//! a waste box that says only `some`, a page count that was reset, days on which nobody read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use hub::store::agents::{AgentId, AgentStatus};
use hub::store::invitations::{Answer, Enrollment};
use hub::store::report::{Batch, Body, Report};
use hub::store::{Store, Tenant};
use jiff::{SignedDuration, Timestamp};
use printer::alert::Alert;
use printer::identity::{DeviceId, Identity};
use printer::meter::{Meter, MeterName, Unit};
use printer::mib;
use printer::reading::{Evidence, Reading, SCHEMA};
use printer::sources::Sources;
use printer::status::{Severity, State, Status};
use printer::supply::{Level, Supply, SupplyClass};
use printer::tray::Tray;

/// Days of history behind today.
const DAYS: u64 = 89;

/// Days, counted back from today, on which no agent reported at all.
const OUTAGE: std::ops::RangeInclusive<u64> = 38..=39;

/// Days, counted back from today, that only the first printer was switched off.
const FIRST_AWAY: std::ops::RangeInclusive<u64> = 17..=20;

/// Agents, each with when it last polled, in minutes before now.
const AGENTS: [(&str, i64); 3] = [("lyon-1", 0), ("dijon-1", 1), ("annecy-1", 190)];

/// Color printer, or not: what its `levels` mean.
const COLORS: [&str; 4] = ["black", "cyan", "magenta", "yellow"];

/// How a printer is today.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Ready,
    Printing,
    Asleep,
    Low,
    Jam,
    Door,
    Silent,
}

/// A printer of the sample.
struct Kind {
    vendor: &'static str,
    model: &'static str,
    place: &'static str,
    agent: usize,
    /// Pages on a weekday.
    daily: u64,
    mood: Mood,
    /// What is left today in percent: black alone, or black, cyan, magenta, yellow.
    levels: Vec<f64>,
}

/// Vendor, model, place, agent, pages on a weekday, mood, levels.
const FLEET_TABLE: &str = include_str!("fleet.txt");

static FLEET: LazyLock<Vec<Kind>> = LazyLock::new(|| FLEET_TABLE.lines().map(kind).collect());

fn kind(line: &'static str) -> Kind {
    let fields: Vec<_> = line.split('|').collect();
    let [vendor, model, place, agent, daily, mood, levels] = fields[..] else {
        panic!("a line of the fleet has seven fields: {line}");
    };
    let mood = match mood {
        "Ready" => Mood::Ready,
        "Printing" => Mood::Printing,
        "Asleep" => Mood::Asleep,
        "Low" => Mood::Low,
        "Jam" => Mood::Jam,
        "Door" => Mood::Door,
        "Silent" => Mood::Silent,
        other => panic!("no mood: {other}"),
    };
    let levels = levels
        .split(' ')
        .map(|level| level.parse().unwrap())
        .collect();
    let (agent, daily) = (agent.parse().unwrap(), daily.parse().unwrap());
    Kind {
        vendor,
        model,
        place,
        agent,
        daily,
        mood,
        levels,
    }
}

/// Fills the store with the fleet as it stands at `now`; answers the first printer's id.
pub(crate) async fn fill(store: &Store, now: Timestamp) -> DeviceId {
    for (agent, (name, minutes)) in AGENTS.iter().enumerate() {
        let id = enroll(store, name, now).await;
        let mut reports = reports_of(agent, now);
        reports.sort_by_key(|(at, _)| *at);
        let reports: Vec<_> = (1..)
            .zip(reports)
            .map(|(sequence, (_, body))| Report { sequence, body })
            .collect();
        let printers = FLEET.iter().filter(|kind| kind.agent == agent).count();
        let status = AgentStatus {
            version: "0.1.0".to_owned(),
            devices: u32::try_from(printers).unwrap(),
            ..AgentStatus::default()
        };
        let polled = now - SignedDuration::from_mins(*minutes);
        for batch in reports.chunks(500) {
            let batch = Batch {
                epoch: 1,
                status: &status,
                reports: batch,
            };
            store.accept(&id, &batch, polled).await.unwrap();
        }
    }
    device(0)
}

/// Reports one printer that calls itself `words` wherever a device can.
pub(crate) async fn fill_hostile(store: &Store, words: &str, now: Timestamp) -> DeviceId {
    let id = enroll(store, "hostile", now).await;
    let mut reading = reading(0, 0, now);
    let text = || words.to_owned();
    reading.identity.model = Some(text());
    reading.identity.serial = Some(text());
    reading.identity.location = Some(text());
    reading.identity.firmware = vec![text()];
    reading.status.console = vec![text()];
    reading.status.conditions = vec![text()];
    for supply in &mut reading.supplies {
        supply.description = text();
        supply.color = Some(text());
        supply.evidence.raw = text();
    }
    reading.trays[0].name = text();
    reading.alerts = vec![alert("critical", "other", words)];
    let body = Body::Reading {
        device: device(0),
        is_status: false,
        reading: Box::new(reading),
    };
    let report = [Report { sequence: 1, body }];
    let status = AgentStatus::default();
    let batch = Batch {
        epoch: 1,
        status: &status,
        reports: &report,
    };
    store.accept(&id, &batch, now).await.unwrap();
    device(0)
}

async fn enroll(store: &Store, name: &str, now: Timestamp) -> AgentId {
    let tenant = Tenant::DEFAULT;
    store.invite(&tenant, name, name, now).await.unwrap();
    let Answer::Open(invitation) = store.invitation(&tenant, name, now).await.unwrap() else {
        panic!("a fresh invitation is open");
    };
    let until = now + SignedDuration::from_hours(24);
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: name,
        key_hash: name,
        sealing_key: None,
        until,
        version: "0.1.0",
    };
    assert!(store.enroll(&tenant, &enrollment, now).await.unwrap());
    store.agent_of(&tenant, name, now).await.unwrap().unwrap()
}

fn reports_of(agent: usize, now: Timestamp) -> Vec<(Timestamp, Body)> {
    let mut reports = Vec::new();
    for (at, kind) in FLEET
        .iter()
        .enumerate()
        .filter(|(_, kind)| kind.agent == agent)
    {
        for ago in (0..=DAYS).rev() {
            let is_away = OUTAGE.contains(&ago) || (at == 0 && FIRST_AWAY.contains(&ago));
            if is_away || (kind.mood == Mood::Silent && ago < 3) {
                continue;
            }
            let when = read_at(kind, at, ago, now);
            let reading = Box::new(reading(at, ago, when));
            let body = Body::Reading {
                device: device(at),
                is_status: false,
                reading,
            };
            reports.push((when, body));
        }
        if kind.mood == Mood::Silent {
            let silent = now - SignedDuration::from_hours(70);
            reports.push((
                silent,
                Body::Silent {
                    device: device(at),
                    at: silent,
                    address: None,
                },
            ));
        }
    }
    reports
}

/// The latest reading is minutes old; those of a silent agent, hours; the others are whole days.
fn read_at(kind: &Kind, at: usize, ago: u64, now: Timestamp) -> Timestamp {
    let minutes = if AGENTS[kind.agent].1 > 60 {
        192
    } else {
        2 + at as i64 % 7
    };
    now - SignedDuration::from_hours(24 * ago as i64) - SignedDuration::from_mins(minutes)
}

fn device(at: usize) -> DeviceId {
    DeviceId::parse(&format!("{:032x}", 0xa11ce_u128 << 64 | at as u128)).unwrap()
}

/// What printer `at` said `ago` days before today.
fn reading(at: usize, ago: u64, when: Timestamp) -> Reading {
    let Kind {
        vendor,
        model,
        place,
        agent,
        mood,
        levels,
        ..
    } = &FLEET[at];
    let (agent, mood) = (*agent, *mood);
    let octet = |base: usize| u8::try_from(base).unwrap();
    let address = Ipv4Addr::new(10, 20, 4 + octet(agent), 17 + octet(at) * 3);
    Reading {
        schema: SCHEMA,
        is_printer: true,
        address: Some(IpAddr::V4(address)),
        at: when,
        up_secs: None,
        sources: Sources::new(),
        identity: Identity {
            vendor: Some((*vendor).to_owned()),
            model: Some((*model).to_owned()),
            serial: Some(format!(
                "{}{:08}",
                &vendor[..2].to_uppercase(),
                noise(at, 7) % 100_000_000
            )),
            firmware: vec!["2V8_S000.002.801".to_owned()],
            mac: Some(format!("00:17:c8:65:{:02x}:b9", 0x40 + at)),
            host_name: Some(format!("PRN{at:04}")),
            location: Some((*place).to_owned()),
            profile: Some(vendor.to_lowercase()),
            ..Identity::default()
        },
        status: status(mood, ago),
        meters: meters(at, ago),
        supplies: supplies(at, levels, ago),
        trays: trays(at),
        alerts: alerts(mood, ago),
        facts: Vec::new(),
    }
}

fn status(mood: Mood, ago: u64) -> Status {
    let (state, severity, condition, console) = match mood {
        _ if ago > 0 => (State::Idle, Severity::Ok, None, "Ready"),
        Mood::Ready | Mood::Silent => (State::Idle, Severity::Ok, None, "Ready to print."),
        Mood::Printing => (State::Printing, Severity::Ok, None, "Printing..."),
        Mood::Asleep => (State::Standby, Severity::Ok, None, "Sleep mode"),
        Mood::Low => (
            State::Idle,
            Severity::Warning,
            Some("lowToner"),
            "Cyan toner is low.",
        ),
        Mood::Jam => (
            State::Stopped,
            Severity::Critical,
            Some("jammed"),
            "Paper jam in tray 2",
        ),
        Mood::Door => (
            State::Stopped,
            Severity::Critical,
            Some("doorOpen"),
            "Close the front cover",
        ),
    };
    let conditions = condition.map(str::to_owned).into_iter().collect();
    Status {
        state,
        severity,
        conditions,
        console: vec![console.to_owned()],
    }
}

fn alerts(mood: Mood, ago: u64) -> Vec<Alert> {
    match mood {
        _ if ago > 0 => Vec::new(),
        Mood::Low => vec![alert(
            "warning",
            "markerTonerAlmostEmpty",
            "Cyan toner is low.",
        )],
        Mood::Jam => vec![alert("critical", "jam", "Paper jam in tray 2")],
        Mood::Door => vec![alert("critical", "coverOpen", "Front cover")],
        Mood::Ready | Mood::Printing | Mood::Asleep | Mood::Silent => Vec::new(),
    }
}

fn alert(severity: &str, name: &str, description: &str) -> Alert {
    Alert {
        index: "1.1835".to_owned(),
        severity: severity.to_owned(),
        group: 11,
        group_index: None,
        code: 1104,
        name: name.to_owned(),
        description: description.to_owned(),
        training: "untrained".to_owned(),
    }
}

/// The page count `ago` days before today: weekdays print, weekends hardly.
fn total(at: usize, ago: u64) -> u64 {
    let made = |ago: &u64| {
        let daily = FLEET[at].daily;
        let is_weekend = matches!(ago % 7, 1 | 2);
        let share = if is_weekend {
            4
        } else {
            70 + noise(at, *ago) % 61
        };
        daily * share / 100
    };
    let printed: u64 = (ago..=DAYS).map(|ago| made(&ago)).sum();
    let began = 12_000 + noise(at, 1) % 390_000;
    // One board was changed a month ago: its count began again.
    if at == 8 && ago < 31 {
        (ago..31).map(|ago| made(&ago)).sum()
    } else {
        began + printed
    }
}

fn meters(at: usize, ago: u64) -> Vec<Meter> {
    let total = total(at, ago);
    let mut meters = vec![meter("total", total, Unit::Impressions, 1)];
    if FLEET[at].levels.len() == 4 {
        let color = total / 5;
        meters.push(meter(
            "print_mono",
            total - color - total / 9,
            Unit::Impressions,
            2,
        ));
        meters.push(meter("print_color", color, Unit::Impressions, 3));
        meters.push(meter("copy", total / 9, Unit::Impressions, 4));
        meters.push(meter("scan", total / 6, Unit::Impressions, 5));
        meters.push(meter("total_large", total / 190, Unit::Impressions, 6));
    }
    let mut engine = meter("engine", total + total / 50, Unit::Impressions, 7);
    engine.beta = true;
    meters.push(engine);
    meters
}

fn meter(name: &str, value: u64, unit: Unit, row: u32) -> Meter {
    Meter {
        name: MeterName::try_from(name.to_owned()).unwrap(),
        label: None,
        value,
        unit,
        beta: false,
        rolls_over_at: None,
        evidence: evidence(
            mib::PRT_MARKER_LIFE_COUNT,
            row,
            &format!("Counter32: {value}"),
        ),
    }
}

fn supplies(at: usize, levels: &[f64], ago: u64) -> Vec<Supply> {
    let kind = if FLEET[at].vendor == "Epson" {
        "ink"
    } else {
        "toner"
    };
    let mut supplies: Vec<_> = (1..)
        .zip(levels.iter().zip(COLORS))
        .map(|(row, (&percent, color))| {
            let was = percent + ago as f64 * (0.4 + 0.5 * f64::from(row));
            let level = Level::Percent {
                percent: was % 100.0,
            };
            let mut supply = supply(row, kind, Some(color), level);
            let letter = if color == "black" {
                "K".to_owned()
            } else {
                color[..1].to_uppercase()
            };
            supply.description = format!("TK-8337{letter}");
            supply
        })
        .collect();
    let row = u32::try_from(supplies.len()).unwrap() + 1;
    if levels.len() == 4 {
        supplies.push(supply(
            row,
            "opc",
            Some("black"),
            Level::Percent { percent: 78.0 },
        ));
        supplies.push(supply(row + 1, "wasteToner", None, Level::Some));
    }
    if FLEET[at].vendor == "Xerox" {
        supplies.push(supply(row + 2, "fuser", None, Level::Unknown));
    }
    supplies
}

fn supply(row: u32, kind: &str, color: Option<&str>, level: Level) -> Supply {
    let (capacity, remaining) = match level {
        Level::Percent { percent } => (Some(15_000), Some((150.0 * percent) as u64)),
        _ => (None, None),
    };
    let is_waste = kind == "wasteToner";
    let raw = remaining.map_or("INTEGER: -3".to_owned(), |left| format!("INTEGER: {left}"));
    Supply {
        index: format!("1.{row}"),
        description: if is_waste { "Waste Toner Box" } else { "" }.to_owned(),
        class: if is_waste {
            SupplyClass::Receptacle
        } else {
            SupplyClass::Consumed
        },
        kind: kind.to_owned(),
        color: color.map(str::to_owned),
        level,
        direction: None,
        capacity,
        remaining,
        unit: Unit::Impressions,
        part: None,
        serial: None,
        evidence: evidence(mib::PRT_SUPPLY_LEVEL, row, &raw),
    }
}

fn trays(at: usize) -> Vec<Tray> {
    let tray = |row: u32, name: &str, level, remaining| Tray {
        index: format!("1.{row}"),
        name: name.to_owned(),
        media: Some("A4".to_owned()),
        level,
        capacity: Some(500),
        remaining,
        unit: Unit::Sheets,
        evidence: evidence(mib::PRT_INPUT_LEVEL, row, "INTEGER: 150"),
    };
    let full = 20 + noise(at, 3) % 80;
    vec![
        tray(1, "Multipurpose tray", Level::Some, None),
        tray(
            2,
            "Cassette 1",
            Level::Percent {
                percent: full as f64,
            },
            Some(full * 5),
        ),
        tray(3, "Cassette 2", Level::Percent { percent: 30.0 }, Some(150)),
    ]
}

fn evidence(column: &[u32], row: u32, raw: &str) -> Evidence {
    let object: Vec<_> = column.iter().chain(&[1, row]).map(u32::to_string).collect();
    Evidence {
        door: "snmp".to_owned(),
        object: object.join("."),
        raw: raw.to_owned(),
        rule: "printer-mib/life-count".to_owned(),
    }
}

/// A number that looks random and is always the same (splitmix64).
fn noise(at: usize, salt: u64) -> u64 {
    let mut z = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 8
}
