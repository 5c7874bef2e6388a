//! One end is put back to an older state, as from a backup: both ends heal by themselves, and end
//! with every report once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actors::report::Report;
use actors::spool::{Importance, NewReport, SpoolLimits};
use jiff::{SignedDuration, Timestamp};
use printer::identity::DeviceId;
use printer::judge;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use serde_json::Value;
use snmp::recording::Recording;
use stories::{World, until};

/// Longest that two ends may take to agree again.
const HEALING: Duration = Duration::from_secs(90);

/// Longest that 90 days may take to be handed over.
const DRAINING: Duration = Duration::from_secs(600);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A share of the disk so small that a day of these printers is thinned.
const SMALL: u64 = 768 * 1_024;

/// The files of the hub's store.
const STORE: [&str; 3] = ["hub.db", "hub.db-wal", "hub.db-shm"];

fn reading() -> Reading {
    let path = stories::recordings().join("kyocera-taskalfa-4054ci.snmprec");
    let recording = Recording::parse(&fs::read(path).expect("a recording")).expect("its form");
    let profiles = Profiles::embedded().expect("profiles");
    let at = Timestamp::UNIX_EPOCH;
    match judge::judge(&Walk::from(&recording), &profiles, None, at) {
        Verdict::Printer(reading) => *reading,
        Verdict::NotAPrinter { reason } => panic!("{reason}"),
    }
}

/// The beginning of a story, two days ago.
fn two_days_ago() -> Timestamp {
    let now = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
    now - HOUR * 49
}

/// Reads so many printers every quarter of an hour, in these hours since `begin`, into the spool of
/// the agent, which must not run.
async fn printers_are_read(
    world: &World,
    begin: Timestamp,
    printers: u8,
    hours: std::ops::Range<i32>,
) {
    let limits = SpoolLimits {
        bytes_max: SMALL,
        ..SpoolLimits::default()
    };
    let spool = world.spool(limits).await;
    let template = reading();
    for quarter in hours.start * 4..hours.end * 4 {
        let at = begin + HOUR * quarter / 4;
        let report = |printer: u8| {
            let mut reading = template.clone();
            reading.at = at + SignedDuration::from_secs(i64::from(printer));
            for meter in &mut reading.meters {
                meter.value += u64::from(quarter.unsigned_abs());
            }
            new_report(printer, reading, quarter % 24 == 0)
        };
        let appended = spool.append((0..printers).map(report).collect()).await;
        appended.expect("room");
    }
    spool.close().await;
}

fn new_report(printer: u8, reading: Reading, is_kept: bool) -> NewReport {
    let device = DeviceId::parse(&format!("{printer:032x}")).expect("an id");
    let at = reading.at;
    let report = Report::Full {
        device: device.clone(),
        reading: Box::new(reading),
    };
    let importance = if is_kept {
        Importance::Keep
    } else {
        Importance::Thinnable
    };
    NewReport {
        importance,
        device: Some(device),
        at,
        body: report.to_body(),
    }
}

/// Runs the agent until nothing waits, and ends it.
async fn everything_is_handed_over(world: &mut World) {
    world.agent_is_started();
    until("nothing waits", HEALING, || async {
        (world.status()?["queue"]["waiting"] == 0).then_some(())
    })
    .await;
    assert_eq!(world.agent_ends().await, Some(0));
}

/// A hub and an enrolled agent that knows no printer: what it reports, the stories write.
async fn a_site() -> World {
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.255.255.1"], 161, "");
    world.agent_is_enrolled();
    world
}

fn copy(files: &[PathBuf], folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for file in files {
        let to = folder.join(file.file_name().expect("a name"));
        let _ = fs::remove_file(&to);
        if file.exists() {
            fs::copy(file, to).expect("copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_restored_from_yesterdays_backup_ends_as_if_it_had_never_failed() {
    let (mut world, begin) = (a_site().await, two_days_ago());
    printers_are_read(&world, begin, 6, 0..24).await;
    everything_is_handed_over(&mut world).await;
    let store = |folder: &str| STORE.map(|file| world.path(folder).join(file));
    let (live, backup) = (store("hub"), store("backup"));
    let (hub, backups) = (world.path("hub"), world.path("backup"));
    world.hub_is_killed();
    copy(&live, &backups);

    world.hub_is_started();
    printers_are_read(&world, begin, 6, 24..48).await;
    everything_is_handed_over(&mut world).await;
    let never_failed = world.dump().await;

    world.hub_is_killed();
    copy(&backup, &hub);
    let restored = world.dump().await;
    let is_lost = |line: &&String| !restored.contains(line);
    let lost: Vec<&String> = never_failed.iter().filter(is_lost).collect();
    assert!(
        lost.iter().any(|line| line.contains("\"thinned\"")),
        "a day is lost, and with it what tells of its thinning"
    );
    world.hub_is_started();
    world.hub_is_healthy().await;
    // Nothing new waits: the hub's own words show the agent what is lost.
    world.agent_is_started();
    until("the hub has yesterday again", HEALING, || async {
        (world.dump().await.len() == never_failed.len()).then_some(())
    })
    .await;
    assert_eq!(world.agent_ends().await, Some(0));
    let healed = world.dump().await;
    let differs = healed.iter().zip(&never_failed).find(|(a, b)| a != b);
    assert_eq!(differs, None, "the two hubs are equal, row by row");
    println!(
        "{} rows, {} of them healed",
        healed.len(),
        healed.len() - restored.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_restored_from_a_backup_loses_nothing_and_tells_nothing_twice() {
    let (mut world, begin) = (a_site().await, two_days_ago());
    printers_are_read(&world, begin, 3, 0..4).await;
    everything_is_handed_over(&mut world).await;
    // Waits at the time of the backup, and is handed over after it.
    printers_are_read(&world, begin, 3, 4..5).await;
    let spool = [world.path("agent").join("spool.redb")];
    let (agent, backup) = (world.path("agent"), world.path("backup"));
    copy(&spool, &backup);
    everything_is_handed_over(&mut world).await;
    printers_are_read(&world, begin, 3, 5..8).await;
    everything_is_handed_over(&mut world).await;
    let before = world.stored().await;

    copy(&[backup.join("spool.redb")], &agent);
    printers_are_read(&world, begin, 3, 8..13).await;
    everything_is_handed_over(&mut world).await;

    let after = world.stored().await;
    let readings: BTreeSet<(&String, i64)> = after.iter().map(|mark| (&mark.2, mark.3)).collect();
    assert_eq!(readings.len(), after.len(), "nothing is told twice");
    assert!(
        before.iter().all(|mark| after.contains(mark)),
        "what was kept stays"
    );
    assert_eq!(after.len(), before.len() + 3 * 5 * 4, "nothing is lost");
    let epochs: BTreeSet<u64> = after.iter().map(|mark| mark.0).collect();
    assert_eq!(epochs.len(), 2, "one new epoch, and no loop of them");
    assert!(
        alarms(&world).iter().any(|it| it.contains("new epoch")),
        "the hub shows it: {:?}",
        alarms(&world)
    );
}

/// What the hub shows of the agent's alarms.
fn alarms(world: &World) -> Vec<String> {
    let said = world.hub_says(&["agent", "ls", "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    let alarms = said["agents"][0]["status"]["alarms"].as_array().cloned();
    let alarms = alarms.unwrap_or_default();
    alarms
        .iter()
        .filter_map(|alarm| alarm.as_str().map(str::to_owned))
        .collect()
}

/// Hands over the spool of a long outage, made by the actors' own test, and takes the time.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; scripts/outage runs it"]
async fn a_long_outage_is_handed_over_in_minutes() {
    let folder = std::env::var_os("PLATEN_OUTAGE_FOLDER").expect("where the spool is");
    let mut world = a_site().await;
    let files = ["spool.redb", "spool.key"].map(|file| Path::new(&folder).join(file));
    copy(&files, &world.path("agent"));
    let spool = world.spool(SpoolLimits::default()).await;
    let waiting = spool.stats().waiting;
    spool.close().await;
    let begin = Instant::now();
    world.agent_is_started();
    until("nothing waits", DRAINING, || async {
        (world.status()?["queue"]["waiting"] == 0).then_some(())
    })
    .await;
    let took = begin.elapsed();
    assert_eq!(world.stored().await.len() as u64, waiting);
    println!("{waiting} reports were handed over in {took:?}");
}
