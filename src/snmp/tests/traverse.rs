//! Walking columns against devices that behave in every way devices do.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use std::collections::BTreeMap;

use snmp::traverse::{Bearing, Columns, Ending, Limits, Question, TraverseError};
use snmp::{ErrorStatus, Oid, Pdu, PduKind, Value, VarBind, Version};

/// Questions after which a test gives up: none here needs a tenth.
const QUESTIONS_MAX: u32 = 2_000;

/// A table of a device: column, row, number.
type Table = BTreeMap<Oid, Value>;

fn column(number: u32) -> Oid {
    [1, 3, 9, number].into()
}

/// Columns 1 to `columns`, each with this many rows, and one object behind them.
fn table(rows: &[u32]) -> Table {
    let mut table = Table::new();
    for (at, rows) in rows.iter().enumerate() {
        let root = column(1 + at as u32);
        table.extend((1..=*rows).map(|row| (root.with(&[row]), Value::Integer(row.into()))));
    }
    table.insert([1, 3, 10].into(), Value::Null);
    table
}

fn next(table: &Table, oid: &Oid) -> VarBind {
    let behind =
        table.range::<Oid, _>((std::ops::Bound::Excluded(oid), std::ops::Bound::Unbounded));
    match behind.into_iter().next() {
        Some((oid, value)) => VarBind::new(oid.clone(), value.clone()),
        None => VarBind::new(oid.clone(), Value::EndOfMibView),
    }
}

fn response(varbinds: Vec<VarBind>) -> Pdu {
    Pdu {
        kind: PduKind::Response,
        request_id: 1,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds,
    }
}

fn refusal(status: ErrorStatus, index: u32) -> Pdu {
    Pdu {
        error_status: status,
        error_index: index,
        ..response(Vec::new())
    }
}

/// Answers as RFC 3416 has it.
fn answer(table: &Table, question: &Question) -> Pdu {
    let repetitions = match question.kind {
        PduKind::GetBulk {
            max_repetitions, ..
        } => max_repetitions,
        _ => 1,
    };
    let mut at = question.oids.clone();
    let mut varbinds = Vec::new();
    for _ in 0..repetitions {
        for oid in &mut at {
            let varbind = next(table, oid);
            *oid = varbind.oid.clone();
            varbinds.push(varbind);
        }
    }
    response(varbinds)
}

/// Runs a traverse against a device; `None` is silence. Gives what was gathered, how each column
/// ended, and every question.
fn run(
    columns: Columns,
    device: impl FnMut(&Question) -> Option<Pdu>,
) -> (Vec<VarBind>, Vec<Ending>, Vec<Question>) {
    let (mut columns, mut device, mut asked) = (columns, device, Vec::new());
    while let Some(question) = columns.next() {
        match device(&question) {
            Some(pdu) => drop(columns.absorb(&pdu)),
            None => columns.failed(),
        }
        asked.push(question);
        assert!(columns.pdus() < QUESTIONS_MAX, "it never ends");
    }
    let endings = columns
        .endings()
        .map(|(_, ending)| ending.expect("ended"))
        .collect();
    (columns.finish(), endings, asked)
}

fn columns(count: u32, version: Version) -> Columns {
    let roots: Vec<Oid> = (1..=count).map(column).collect();
    Columns::new(&roots, Limits::default(), version)
}

fn is_bulk(question: &Question) -> bool {
    matches!(question.kind, PduKind::GetBulk { .. })
}

#[test]
fn ragged_columns_are_read_whole_in_few_questions() {
    let table = table(&[30, 3, 0, 17]);
    let (gathered, endings, asked) = run(columns(4, Version::V2c), |question| {
        Some(answer(&table, question))
    });
    assert_eq!(gathered.len(), 50);
    assert!(gathered.is_sorted_by(|a, b| a.oid < b.oid));
    assert_eq!(endings, [Ending::Complete; 4]);
    assert!(asked.len() <= 5, "{} questions", asked.len());
}

#[test]
fn version_1_walks_by_get_next_and_one_missing_name_ends_one_column() {
    let table = table(&[3, 2]);
    let (gathered, endings, asked) = run(columns(3, Version::V1), |question| {
        let pdu = answer(&table, question);
        // Nothing is behind column 2 for this device: version 1 says so with noSuchName.
        let missing = pdu.varbinds.iter().position(|varbind| {
            varbind.value == Value::EndOfMibView || !varbind.oid.is_under(&[1, 3, 9].into())
        });
        match missing {
            Some(at) => Some(refusal(ErrorStatus::NoSuchName, 1 + at as u32)),
            None => Some(pdu),
        }
    });
    assert_eq!(gathered.len(), 5);
    assert!(
        asked
            .iter()
            .all(|question| question.kind == PduKind::GetNext)
    );
    assert_eq!(
        endings,
        [Ending::Complete, Ending::EndOfMib, Ending::EndOfMib]
    );
}

#[test]
fn an_answer_that_does_not_fit_is_asked_in_smaller_parts() {
    let table = table(&[8, 8, 8, 8]);
    let (gathered, endings, _) = run(columns(4, Version::V2c), |question| {
        let pdu = answer(&table, question);
        let is_too_big = pdu.varbinds.len() > 2;
        Some(if is_too_big {
            refusal(ErrorStatus::TooBig, 0)
        } else {
            pdu
        })
    });
    assert_eq!(gathered.len(), 32);
    assert_eq!(endings, [Ending::Complete; 4]);
}

#[test]
fn a_device_for_which_everything_is_too_big_is_left() {
    let (gathered, endings, asked) = run(columns(4, Version::V2c), |_| {
        Some(refusal(ErrorStatus::TooBig, 0))
    });
    assert_eq!(gathered, []);
    assert_eq!(endings, [Ending::TooBig; 4]);
    assert!(asked.len() < 20);
}

#[test]
fn a_device_that_refuses_get_bulk_is_asked_by_get_next() {
    let table = table(&[3, 3]);
    for pdu in [
        None,
        Some(refusal(ErrorStatus::GenErr, 0)),
        Some(response(Vec::new())),
    ] {
        let (gathered, endings, asked) = run(columns(2, Version::V2c), |question| {
            if is_bulk(question) {
                pdu.clone()
            } else {
                Some(answer(&table, question))
            }
        });
        assert_eq!(gathered.len(), 6, "{pdu:?}");
        assert_eq!(endings, [Ending::Complete; 2], "{pdu:?}");
        assert!(
            asked.iter().filter(|question| is_bulk(question)).count() <= 2,
            "{pdu:?}"
        );
    }
}

#[test]
fn a_device_that_lays_out_get_bulk_wrongly_is_asked_by_get_next() {
    let table = table(&[5, 5]);
    let (gathered, endings, _) = run(columns(2, Version::V2c), |question| {
        let mut pdu = answer(&table, question);
        // Column by column instead of row by row.
        pdu.varbinds.sort_by(|a, b| a.oid.cmp(&b.oid));
        Some(pdu)
    });
    assert_eq!(gathered.len(), 10);
    assert_eq!(endings, [Ending::Complete; 2]);
}

#[test]
fn an_error_ends_the_column_it_names_and_no_other() {
    let table = table(&[4, 4, 4]);
    let (gathered, endings, _) = run(columns(3, Version::V2c), |question| {
        let broken = question
            .oids
            .iter()
            .position(|oid| *oid == column(2).with(&[2]));
        Some(match broken {
            _ if is_bulk(question) => refusal(ErrorStatus::GenErr, 1),
            Some(at) => refusal(ErrorStatus::GenErr, 1 + at as u32),
            None => answer(&table, question),
        })
    });
    assert_eq!(gathered.len(), 10);
    let refused = Ending::Refused(ErrorStatus::GenErr);
    assert_eq!(endings, [Ending::Complete, refused, Ending::Complete]);
}

#[test]
fn a_device_that_walks_in_a_circle_is_left_with_a_name_for_it() {
    let table = table(&[4, 4]);
    let (gathered, endings, asked) = run(columns(2, Version::V2c), |question| {
        let mut pdu = answer(&table, question);
        for varbind in &mut pdu.varbinds {
            if varbind.oid == column(1).with(&[3]) {
                varbind.oid = column(1).with(&[1]);
            }
        }
        Some(pdu)
    });
    assert_eq!(endings, [Ending::NotIncreasing, Ending::Complete]);
    assert_eq!(gathered.len(), 6);
    assert!(asked.len() < 12);
}

#[test]
fn the_end_of_the_mib_ends_a_column() {
    let mut table = table(&[2]);
    table.remove(&Oid::from([1, 3, 10]));
    let (gathered, endings, asked) = run(columns(1, Version::V2c), |question| {
        Some(answer(&table, question))
    });
    assert_eq!(
        (gathered.len(), endings[0], asked.len()),
        (2, Ending::EndOfMib, 1)
    );
}

#[test]
fn a_silent_device_costs_three_questions() {
    let (gathered, endings, asked) = run(columns(20, Version::V2c), |_| None);
    assert_eq!(gathered, []);
    assert_eq!(endings, [Ending::Silent; 20]);
    assert_eq!(asked.len(), 3);
}

#[test]
fn an_answer_with_too_few_objects_is_asked_column_by_column() {
    let table = table(&[3, 3]);
    let (gathered, _, _) = run(columns(2, Version::V1), |question| {
        let mut pdu = answer(&table, question);
        pdu.varbinds.truncate(1);
        Some(pdu)
    });
    assert_eq!(gathered.len(), 6);
}

#[test]
fn an_endless_device_stops_at_the_budget() {
    let endless = |question: &Question| {
        let step = |oid: &Oid| {
            let last = oid.arcs().last().copied().unwrap_or_default();
            VarBind::new(
                column(1).with(&[last + 1]),
                Value::OctetString(vec![0; 100]),
            )
        };
        Some(response(question.oids.iter().map(step).collect()))
    };
    let limits = Limits {
        pdus_max: 50,
        ..Limits::default()
    };
    let (gathered, endings, asked) = run(Columns::new(&[column(1)], limits, Version::V1), endless);
    assert_eq!(
        (gathered.len(), endings[0], asked.len()),
        (50, Ending::Budget, 50)
    );

    let limits = Limits {
        bytes_max: 1_000,
        ..Limits::default()
    };
    let (gathered, endings, _) = run(Columns::new(&[column(1)], limits, Version::V1), endless);
    assert_eq!((gathered.len(), endings[0]), (9, Ending::Budget));
}

#[test]
fn a_value_beyond_the_limit_is_left_out_and_the_walk_goes_on() {
    let mut table = table(&[3]);
    table.insert(column(1).with(&[2]), Value::OctetString(vec![0; 9_000]));
    let (gathered, endings, _) = run(columns(1, Version::V2c), |question| {
        Some(answer(&table, question))
    });
    assert_eq!((gathered.len(), endings[0]), (2, Ending::Complete));
}

#[test]
fn what_is_no_answer_changes_nothing() {
    let mut walk = columns(1, Version::V2c);
    assert_eq!(
        walk.absorb(&response(Vec::new())),
        Err(TraverseError::NotAsked)
    );
    let question = walk.next().expect("a question");
    let echo = Pdu {
        kind: question.kind,
        ..response(Vec::new())
    };
    assert_eq!(walk.absorb(&echo), Err(TraverseError::NotAResponse));
    assert_eq!(walk.absorb(&answer(&table(&[1]), &question)), Ok(()));
    assert_eq!(walk.next(), None);
    assert_eq!(walk.finish().len(), 1);
}

/// A device that fits so many varbinds into one answer, and how often it was asked for more.
fn walk_small(known: Bearing, fitting: usize) -> (Bearing, usize, usize) {
    let table = table(&[8, 8, 8, 8]);
    let (mut walk, mut too_big, mut gathered) = (columns(4, Version::V2c).bearing(known), 0, 0);
    while let Some(question) = walk.next() {
        let pdu = answer(&table, &question);
        let pdu = if pdu.varbinds.len() > fitting {
            too_big += 1;
            refusal(ErrorStatus::TooBig, 0)
        } else {
            gathered += pdu.varbinds.len();
            pdu
        };
        walk.absorb(&pdu).expect("an answer");
    }
    assert!(gathered >= 32);
    (walk.learned(), too_big, walk.finish().len())
}

#[test]
fn how_much_a_device_bears_is_learned_once() {
    for fitting in [1, 2, 3, 7, 20, 47] {
        let (learned, too_big, objects) = walk_small(Bearing::default(), fitting);
        assert!(too_big > 0 && objects == 32, "{fitting}");
        let (again, too_big, objects) = walk_small(learned, fitting);
        assert_eq!((again, too_big, objects), (learned, 0, 32), "{fitting}");
    }
    let (learned, too_big, _) = walk_small(Bearing::default(), 48);
    assert_eq!((learned, too_big), (Bearing::default(), 0));
}

#[test]
fn one_object_that_is_too_big_is_not_the_device() {
    let table = table(&[4, 4, 4]);
    let huge = column(2).with(&[3]);
    let mut walk = columns(3, Version::V2c);
    while let Some(question) = walk.next() {
        let pdu = answer(&table, &question);
        let is_too_big = pdu.varbinds.iter().any(|it| it.oid == huge);
        walk.absorb(&if is_too_big {
            refusal(ErrorStatus::TooBig, 0)
        } else {
            pdu
        })
        .expect("an answer");
    }
    assert_eq!(walk.learned(), Bearing::default());
    let endings: Vec<_> = walk.endings().map(|(_, ending)| ending.unwrap()).collect();
    let wanted = [Ending::Complete, Ending::TooBig, Ending::Complete];
    assert_eq!(endings, wanted);
}

#[test]
fn who_refuses_get_bulk_is_not_asked_so_again() {
    let table = table(&[3, 3]);
    let walk = |known: Bearing, broken: Option<Oid>| {
        let (mut walk, mut bulks) = (columns(2, Version::V2c).bearing(known), 0);
        while let Some(question) = walk.next() {
            bulks += u32::from(is_bulk(&question));
            let at = question
                .oids
                .iter()
                .position(|oid| Some(oid) == broken.as_ref());
            walk.absorb(&match at {
                _ if is_bulk(&question) => refusal(ErrorStatus::GenErr, 0),
                Some(at) => refusal(ErrorStatus::GenErr, 1 + at as u32),
                None => answer(&table, &question),
            })
            .expect("an answer");
        }
        (walk.learned(), bulks)
    };
    let (learned, bulks) = walk(Bearing::default(), None);
    assert_eq!(bulks, 1);
    assert_eq!(walk(learned, None), (learned, 0));
    // Where one object is refused, it may have been that and not GetBulk.
    let (learned, _) = walk(Bearing::default(), Some(column(2).with(&[1])));
    assert_eq!(learned, Bearing::default());
}

#[test]
fn a_question_that_gets_lost_halves_what_the_next_table_is_asked_for() {
    let table = table(&[8, 8]);
    let walk = |known: Bearing, lost: u32| {
        let (mut walk, mut most) = (columns(2, Version::V2c).bearing(known), 0);
        for turn in 0.. {
            let Some(question) = walk.next() else { break };
            let pdu = answer(&table, &question);
            most = most.max(pdu.varbinds.len());
            if turn < lost {
                walk.failed();
            } else {
                walk.absorb(&pdu).expect("an answer");
            }
        }
        (walk.learned(), most)
    };
    let (learned, most) = walk(Bearing::default(), 1);
    assert_eq!(most, 24);
    assert_eq!(walk(learned, 0), (learned, 12));
    // Who answers nothing in all of a table has not shown that less would have helped.
    assert_eq!(walk(Bearing::default(), 3).0, Bearing::default());
}
