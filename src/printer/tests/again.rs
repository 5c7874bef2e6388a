//! A walk by what is known gives what a walk of a stranger gives, whatever has changed meanwhile.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use std::path::Path;

use printer::again::Again;
use printer::profile::Profiles;
use printer::question::{self, Plan};
use printer::walk::Walk;
use proptest::prelude::*;
use snmp::recording::Recording;
use snmp::{Oid, Value, VarBind};

/// Every walk of ours, by its name.
fn walks() -> Vec<(String, Walk)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walks");
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut all: Vec<(String, Walk)> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|it| it == "snmprec"))
        .map(|path| {
            let recording = Recording::parse(&std::fs::read(&path).expect("a walk"));
            let walk = Walk::from(&recording.expect("a recording"));
            (path.display().to_string(), walk)
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn plan(device: &Walk) -> Plan {
    let profiles = Profiles::embedded().expect("profiles");
    let mut plan = question::full(device, &profiles);
    plan.scalars.extend(question::greeting());
    plan
}

/// What a whole walk of a device gives.
fn explored(device: &Walk, plan: &Plan) -> Walk {
    let is_asked = |oid: &Oid| {
        let mut columns = plan.tables.iter().flatten();
        plan.scalars.contains(oid) || columns.any(|column| oid.is_under(column))
    };
    let held = device.iter().filter(|(oid, _)| is_asked(oid));
    held.map(|(oid, value)| VarBind::new(oid, value.clone()))
        .collect()
}

/// The answer of a device to GetNext.
fn next(device: &Walk, behind: &Oid) -> VarBind {
    let mut after = device.iter().filter(|(oid, _)| oid > behind);
    match after.next() {
        Some((oid, value)) => VarBind::new(oid, value.clone()),
        None => VarBind::new(behind.clone(), Value::EndOfMibView),
    }
}

/// Walks `device` by what `known` holds; how many questions it took, and how many groups it had to
/// walk anew.
fn again(device: &Walk, known: &Walk, plan: &Plan) -> (Walk, usize, usize) {
    let mut again = Again::by(known, plan.clone()).expect("few objects");
    let mut questions = 0;
    while let Some(asked) = again.question() {
        let answer = asked.names.iter().map(|behind| next(device, behind));
        again.absorb(answer.collect()).expect("all are answered");
        questions += 1;
    }
    let (mut walk, stale, missing) = again.finish();
    let mut rest = Plan {
        scalars: missing,
        tables: Vec::new(),
    };
    rest.tables.clone_from(&stale);
    for (oid, value) in explored(device, &rest).iter() {
        walk.insert(oid, value.clone());
    }
    (walk, questions, stale.len())
}

#[test]
fn what_has_not_changed_is_walked_in_a_few_questions() {
    for (name, device) in walks() {
        let plan = plan(&device);
        let known = explored(&device, &plan);
        let (walk, questions, stale) = again(&device, &known, &plan);
        assert_eq!(walk, known, "{name}");
        assert_eq!(stale, 0, "{name}");
        let least = known.len().div_ceil(60);
        assert!((2..=least + 3).contains(&questions), "{name}: {questions}");
    }
}

#[test]
fn an_answer_with_another_number_of_objects_is_no_answer() {
    let (_, device) = walks().remove(0);
    let plan = plan(&device);
    let known = explored(&device, &plan);
    let mut again = Again::by(&known, plan).expect("few objects");
    let asked = again.question().expect("a question").names.to_vec();
    let mut answer: Vec<VarBind> = asked.iter().map(|behind| next(&device, behind)).collect();
    answer.pop();
    assert!(again.absorb(answer).is_err());
    assert_eq!(again.question().expect("the same").names, asked);
}

/// The objects in which two walks differ.
fn differing(one: &Walk, other: &Walk) -> Vec<Oid> {
    let names = one.iter().chain(other.iter()).map(|(oid, _)| oid);
    let differs = |oid: &Oid| one.get(oid) != other.get(oid);
    names.filter(differs).collect()
}

/// The objects of a device without one row of its tables, which all their columns have: one that only
/// shorter columns have shows when the device is walked as if it were new.
fn without_row(device: &Walk, plan: &Plan, pick: usize) -> Walk {
    let columns: Vec<&Oid> = plan.tables.iter().flatten().collect();
    let table = |column: &Oid| column.arcs().split_last().map(|(_, entry)| entry.to_vec());
    let rows_of = |column: &Oid| -> Vec<Vec<u32>> {
        let rows = device.under(column.arcs());
        rows.map(|(row, _)| row.to_vec()).collect()
    };
    let is_everywhere = |(column, row): &(&Oid, Vec<u32>)| {
        let others = columns.iter().filter(|it| table(it) == table(column));
        let mut others = others.map(|it| rows_of(it)).filter(|it| !it.is_empty());
        others.all(|rows| rows.contains(row))
    };
    let rows: Vec<(&Oid, Vec<u32>)> = columns
        .iter()
        .flat_map(|column| {
            let of = |(row, _): (&[u32], _)| (*column, row.to_vec());
            device.under(column.arcs()).map(of).collect::<Vec<_>>()
        })
        .filter(is_everywhere)
        .collect();
    let Some((column, row)) = rows.get(pick % rows.len().max(1)) else {
        return device.clone();
    };
    let entry = column.arcs().split_last().map_or(&[][..], |(_, it)| it);
    let is_in = |oid: &Oid| oid.arcs().starts_with(entry) && oid.arcs().ends_with(row);
    let kept = device.iter().filter(|(oid, _)| !is_in(oid));
    kept.map(|(oid, value)| VarBind::new(oid, value.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_that_came_or_went_is_seen(which in any::<usize>(), pick in any::<usize>()) {
        let all = walks();
        let (_, device) = &all[which % all.len()];
        let plan = plan(device);
        let less = without_row(device, &plan, pick);
        for (now, before) in [(&less, device), (device, &less)] {
            let known = explored(before, &plan);
            let (walk, ..) = again(now, &known, &plan);
            prop_assert_eq!(differing(&walk, &explored(now, &plan)), Vec::<Oid>::new());
        }
    }

    #[test]
    fn an_object_that_went_and_a_value_that_changed_are_seen(which in any::<usize>(), picks in proptest::collection::vec(any::<usize>(), 1..8)) {
        let all = walks();
        let (_, device) = &all[which % all.len()];
        let plan = plan(device);
        let known = explored(device, &plan);
        let mut now = device.clone();
        for (at, pick) in picks.into_iter().enumerate() {
            let oid = known.iter().nth(pick % known.len()).map(|(oid, _)| oid);
            let value = if at % 2 == 0 { Value::NoSuchInstance } else { Value::Integer(7) };
            now.insert(oid.expect("an object"), value);
        }
        let (walk, ..) = again(&now, &known, &plan);
        prop_assert_eq!(walk, explored(&now, &plan));
    }
}
