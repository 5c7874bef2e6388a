//! Real devices: every recording beside this checkout is judged, and what the questions ask for
//! is enough to judge it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::Timestamp;
use printer::change;
use printer::profile::Profiles;
use printer::question;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use snmp::recording::Recording;
use snmp::traverse::{Columns, Limits};
use snmp::{ErrorStatus, Oid, Pdu, PduKind, Value, VarBind, Version};

/// Most questions that a full reading of any recorded device may take.
const QUESTIONS_MAX: u32 = 60;

/// The folder of recordings, if this checkout stands beside one.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings");
    if !folder.is_dir() {
        println!("skipped: no recordings beside this checkout");
        return None;
    }
    Some(folder)
}

fn recordings(kind: &str) -> Vec<(String, Recording)> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder.join(kind)).expect("a folder of recordings");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    // What a device says in another context (`NAME@Context`) is no device of its own.
    let is_device = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".snmprec") && !name.contains('@')
    };
    paths.retain(is_device);
    paths.sort();
    let read = |path: PathBuf| {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read(&path).expect("readable");
        let recording = Recording::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, recording)
    };
    paths.into_iter().map(read).collect()
}

fn profiles() -> &'static Profiles {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::embedded().expect("profiles"));
    &PROFILES
}

fn judge(walk: &Walk) -> Verdict {
    printer::judge(walk, profiles(), None, Timestamp::UNIX_EPOCH)
}

/// What the device answers to one question, as RFC 3416 has it.
fn answer(device: &Recording, kind: PduKind, oids: &[Oid]) -> Pdu {
    let repetitions = match kind {
        PduKind::GetBulk {
            max_repetitions, ..
        } => max_repetitions,
        _ => 1,
    };
    let mut at = oids.to_vec();
    let mut varbinds = Vec::new();
    for _ in 0..repetitions {
        for oid in &mut at {
            let varbind = match device.next_after(oid) {
                Some((next, value)) => VarBind::new(next.clone(), value.clone()),
                None => VarBind::new(oid.clone(), Value::EndOfMibView),
            };
            *oid = varbind.oid.clone();
            varbinds.push(varbind);
        }
    }
    let (error_status, error_index) = (ErrorStatus::NoError, 0);
    Pdu {
        kind: PduKind::Response,
        request_id: 1,
        error_status,
        error_index,
        varbinds,
    }
}

fn get(device: &Recording, oids: &[Oid]) -> Vec<VarBind> {
    let read = |oid: &Oid| {
        let value = device.get(oid).cloned().unwrap_or(Value::NoSuchObject);
        VarBind::new(oid.clone(), value)
    };
    oids.iter().map(read).collect()
}

/// Reads a device as the agent does: probe, identity, plan. Gives the walk and what it cost.
fn read_by_questions(device: &Recording) -> (Walk, u32) {
    let mut walk: Walk = get(device, &question::probe()).into_iter().collect();
    walk.overlay(get(device, &question::identity()));
    let plan = question::full(&walk, profiles());
    let mut questions = 2 + plan.scalars.len().div_ceil(60) as u32;
    walk.overlay(get(device, &plan.scalars));
    for table in &plan.tables {
        let mut columns = Columns::new(table, Limits::default(), Version::V2c);
        while let Some(question) = columns.next() {
            columns
                .absorb(&answer(device, question.kind, &question.oids))
                .expect("absorbs");
        }
        questions += columns.pdus();
        walk.overlay(columns.finish());
    }
    (walk, questions)
}

#[test]
fn printers_are_found_and_nothing_else_is() {
    for (name, device) in recordings("printers") {
        // What a device says in another context is no device of its own.
        if !name.contains('@') {
            assert!(
                matches!(judge(&Walk::from(&device)), Verdict::Printer(_)),
                "{name}"
            );
        }
    }
    for (name, device) in recordings("not-printers") {
        match judge(&Walk::from(&device)) {
            Verdict::NotAPrinter { reason } => assert!(reason.len() > 20, "{name}: {reason}"),
            Verdict::Printer(_) => panic!("{name} is no printer"),
        }
    }
}

#[test]
fn every_recording_can_be_judged_and_its_reading_survives_json() {
    for kind in ["printers", "fragments", "ambiguous", "not-printers"] {
        for (name, device) in recordings(kind) {
            let Verdict::Printer(reading) = judge(&Walk::from(&device)) else {
                continue;
            };
            let json = serde_json::to_string(&reading).expect("writes");
            let back: Reading = serde_json::from_str(&json).expect("reads");
            // The last digit of a float may move, which is no change.
            assert_eq!(change::between(&reading, &back), [], "{name}");
            assert_eq!(reading.identity, back.identity, "{name}");
            assert_eq!(reading.alerts, back.alerts, "{name}");
        }
    }
}

#[test]
fn a_probe_is_enough_to_take_a_printer_up_and_most_others_not() {
    for (name, device) in recordings("printers") {
        let is_candidate = question::is_candidate(&get(&device, &question::probe()));
        assert!(is_candidate, "{name}");
    }
    let others = recordings("not-printers");
    let is_taken = |device: &Recording| question::is_candidate(&get(device, &question::probe()));
    let taken = others.iter().filter(|(_, device)| is_taken(device)).count();
    assert!(
        taken * 3 <= others.len(),
        "{taken} of {} others are read in full",
        others.len()
    );
}

#[test]
fn what_is_asked_is_all_that_a_reading_needs() {
    for (name, device) in recordings("printers") {
        let whole = Walk::from(&device);
        let (asked, questions) = read_by_questions(&device);
        assert_eq!(judge(&asked), judge(&whole), "{name}");
        assert!(questions <= QUESTIONS_MAX, "{name}: {questions} questions");
    }
}

#[test]
fn what_moves_is_asked_again_by_name() {
    for (name, device) in recordings("printers") {
        let walk = Walk::from(&device);
        let oids = question::status(&walk, profiles());
        let known = oids.iter().filter(|oid| walk.get(oid).is_some()).count();
        // All but sysUpTime and hrDeviceStatus come from the last walk itself.
        assert!(known + 2 >= oids.len(), "{name}");
        let Verdict::Printer(reading) = judge(&walk) else {
            continue;
        };
        let asked = |object: &str| oids.iter().any(|oid| oid.to_string() == object);
        assert!(
            reading
                .meters
                .iter()
                .all(|meter| asked(&meter.evidence.object)),
            "{name}"
        );
    }
}
