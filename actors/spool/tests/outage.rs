//! Days without a hub: 500 printers read every 15 minutes, as a site would spool them.
//!
//! Readings are our own recordings', with counters that run, supplies that empty and are replaced,
//! and alerts that come and go. The week of a small site is told in the suite, with a disk as small
//! as the site; the whole is told by `scripts/outage`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use printer::identity::DeviceId;
use printer::judge::judge;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::supply::Level;
use printer::walk::Walk;
use snmp::recording::Recording;

use super::device;
use crate::report::Report;
use crate::spool::{
    Content, Importance, NewReport, PEEK_REPORTS_MAX, Spool, SpoolKey, SpoolLimits,
};

/// Between two readings of a printer.
const READ_EVERY: SignedDuration = SignedDuration::from_mins(15);
const READS_A_DAY: u32 = 96;
/// Pages of a printer in a quarter of an office hour.
const PAGES_A_READ: u64 = 14;
/// Readings between two alerts of a printer, and how many of them one stands: one every three days.
const ALERT_EVERY: u32 = 3 * READS_A_DAY;
const ALERT_READS: u32 = 5;
/// Readings between two replacements of a supply: some six weeks.
const REPLACED_EVERY: u32 = 45 * READS_A_DAY;
/// The printers for which the product's share of the disk is made.
const PRINTERS: u32 = 500;

/// Everything that was accepted, to be looked for afterwards.
#[derive(Debug, Default)]
struct Accepted {
    kept: BTreeSet<(DeviceId, Timestamp)>,
    thinnable: BTreeMap<DeviceId, u64>,
}

/// What an outage came to.
#[derive(Debug)]
struct Outcome {
    reads: u64,
    kept: usize,
    left: u64,
    thinned: u64,
    file_bytes_peak: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} reads; {} must be kept, and were; {} wait, {} were thinned, each told of; \
             at most {} KiB on disk",
            self.reads,
            self.kept,
            self.left,
            self.thinned,
            self.file_bytes_peak / 1_024
        )
    }
}

/// The printers of our recordings.
fn readings() -> Vec<Reading> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    let profiles = Profiles::embedded().unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "snmprec"))
        .collect();
    files.sort();
    files
        .iter()
        .filter_map(|path| {
            let recording = Recording::parse(&std::fs::read(path).unwrap()).unwrap();
            let address = Some("10.20.30.40".parse().unwrap());
            match judge(
                &Walk::from(&recording),
                &profiles,
                address,
                Timestamp::UNIX_EPOCH,
            ) {
                Verdict::Printer(reading) if !reading.meters.is_empty() => Some(*reading),
                Verdict::Printer(_) | Verdict::NotAPrinter { .. } => None,
            }
        })
        .collect()
}

/// One printer at one of its readings, and whether that is one that must be kept.
fn report(template: &Reading, number: u32, turn: u32, at: Timestamp) -> NewReport {
    let mut reading = template.clone();
    reading.at = at;
    reading.identity.serial = Some(format!("SN{:07}", number * 7_919));
    reading.identity.host_name = Some(format!("printer-{number}"));
    let is_office_hour = |turn: u32| (32..72).contains(&(turn % READS_A_DAY));
    let hours = turn / READS_A_DAY * 40 + (turn % READS_A_DAY).saturating_sub(32).min(40);
    let pages = u64::from(hours) * PAGES_A_READ + u64::from(is_office_hour(turn));
    for meter in &mut reading.meters {
        meter.value += pages + u64::from(number) * 977;
        meter.evidence.raw = format!("Counter32: {}", meter.value);
    }
    let since_replaced = (turn + number * 37) % REPLACED_EVERY;
    let percent = 100.0 - f64::from(since_replaced * 100 / REPLACED_EVERY);
    for supply in &mut reading.supplies {
        if let Level::Percent { percent: level } = &mut supply.level {
            *level = percent;
            supply.evidence.raw = format!("INTEGER: {percent}");
        }
    }
    let since_alert = (turn + number * 53) % ALERT_EVERY;
    if since_alert >= ALERT_READS {
        reading.alerts.clear();
    }
    let is_event = [0, ALERT_READS].contains(&since_alert) || since_replaced == 0;
    let is_daily_meter = turn.is_multiple_of(READS_A_DAY);
    let id = device(number + 1);
    let report = Report::Full {
        device: id.clone(),
        reading: Box::new(reading),
    };
    NewReport {
        importance: if is_event || is_daily_meter {
            Importance::Keep
        } else {
            Importance::Thinnable
        },
        device: Some(id),
        at,
        body: report.to_body(),
    }
}

/// Lives through an outage, and checks what is left of it. A copy of the spool stays in `copy`.
async fn outage(printers: u32, days: u32, limits: SpoolLimits, copy: Option<&Path>) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let key = SpoolKey::of_folder(folder.path()).unwrap();
    let path = folder.path().join("spool.redb");
    let spool = Spool::open(&path, key.clone(), limits).await.unwrap();
    let templates = readings();
    let begin = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
    let begin = Timestamp::from_second(begin.as_second()).unwrap();
    let mut accepted = Accepted::default();
    let mut file_bytes_peak = 0;
    for turn in 0..days * READS_A_DAY {
        let at = begin + READ_EVERY * i32::try_from(turn).unwrap();
        let reports: Vec<NewReport> = (0..printers)
            .zip(templates.iter().cycle())
            .map(|(number, template)| {
                let at = at + SignedDuration::from_millis(i64::from(number) * 1_700);
                report(template, number, turn, at)
            })
            .collect();
        for report in &reports {
            let id = report.device.clone().unwrap();
            match report.importance {
                Importance::Keep => drop(accepted.kept.insert((id, report.at))),
                Importance::Thinnable => *accepted.thinnable.entry(id).or_default() += 1,
            }
        }
        spool.append(reports).await.unwrap();
        file_bytes_peak = file_bytes_peak.max(std::fs::metadata(&path).unwrap().len());
    }
    assert!(
        file_bytes_peak <= limits.bytes_max,
        "{file_bytes_peak} bytes on disk, beyond the bound"
    );
    assert_eq!(spool.alarms(Timestamp::now()), []);
    let stats = spool.stats();
    spool.close().await;
    if let Some(copy) = copy {
        for file in ["spool.redb", "spool.key"] {
            std::fs::copy(folder.path().join(file), copy.join(file)).unwrap();
        }
    }
    let kept = accepted.kept.len();
    let spool = Spool::open(&path, key, limits).await.unwrap();
    look_for(&spool, accepted).await;
    Outcome {
        reads: u64::from(printers) * u64::from(days * READS_A_DAY),
        kept,
        left: stats.waiting,
        thinned: stats.thinned,
        file_bytes_peak,
    }
}

/// Empties the spool: what must be kept is there, and what is not is told of exactly.
async fn look_for(spool: &Spool, mut accepted: Accepted) {
    let mut told: BTreeMap<DeviceId, u64> = BTreeMap::new();
    loop {
        let peeked = spool.peek(PEEK_REPORTS_MAX, usize::MAX).await.unwrap();
        let Some(last) = peeked.last().map(|last| last.sequence) else {
            break;
        };
        for spooled in peeked {
            let id = spooled.device.unwrap();
            match spooled.content {
                Content::Thinned { reports, .. } => {
                    let before = told.insert(id, u64::from(reports));
                    assert_eq!(before, None, "told once a device");
                }
                Content::Report(body) => {
                    let Report::Full { reading, .. } = Report::from_body(&body).unwrap() else {
                        panic!("another report than was appended");
                    };
                    if !accepted.kept.remove(&(id.clone(), reading.at)) {
                        *accepted.thinnable.get_mut(&id).unwrap() -= 1;
                    }
                }
                Content::Damaged => panic!("nothing was damaged"),
            }
        }
        spool.ack(last).await.unwrap();
    }
    assert_eq!(accepted.kept.len(), 0, "of those that must be kept, lost");
    accepted.thinnable.retain(|_, missing| *missing > 0);
    assert_eq!(told, accepted.thinnable, "what was thinned is told exactly");
}

fn share_of(printers: u32) -> SpoolLimits {
    let whole = SpoolLimits::default();
    SpoolLimits {
        bytes_max: whole.bytes_max / u64::from(PRINTERS) * u64::from(printers),
        ..whole
    }
}

#[tokio::test]
async fn a_week_without_a_hub_loses_nothing_that_must_be_kept_and_tells_the_rest() {
    let outcome = outage(8, 7, share_of(8), None).await;
    assert!(outcome.thinned > 0, "{outcome}");
    println!("{outcome}");
}

/// The whole: `PLATEN_OUTAGE_DAYS` days; the spool is left in `PLATEN_OUTAGE_FOLDER`.
#[tokio::test]
#[ignore = "takes minutes; scripts/outage runs it"]
async fn a_long_outage_of_a_large_site() {
    let days = std::env::var("PLATEN_OUTAGE_DAYS").unwrap_or_default();
    let days = days.parse().unwrap_or(7);
    let copy = std::env::var_os("PLATEN_OUTAGE_FOLDER").map(PathBuf::from);
    let begin = Instant::now();
    let outcome = outage(PRINTERS, days, SpoolLimits::default(), copy.as_deref()).await;
    println!(
        "{days} days of {PRINTERS} printers in {:?}: {outcome:?}",
        begin.elapsed()
    );
}
