//! The journal's promises, each over a file that is closed and opened again.

use jiff::ToSpan;
use tempfile::TempDir;

use super::*;

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn id(number: u64) -> String {
    format!("{number:032x}")
}

fn beginning(number: u64) -> Beginning {
    Beginning {
        id: id(number),
        kind: "ping",
        issuer: "anna".to_owned(),
        digest: [7; 32],
        expires_ms: (now() + 10.minutes()).as_millisecond(),
    }
}

async fn open(folder: &TempDir) -> Journal {
    Journal::open(folder.path().join("commands.redb"))
        .await
        .unwrap()
}

fn done(number: u64, result: &[u8]) -> Outcome {
    Outcome {
        result: result.to_vec(),
        ..Outcome::new(&id(number), State::Done, "", now())
    }
}

#[tokio::test]
async fn a_command_that_comes_again_has_the_outcome_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder).await;
    assert_eq!(
        journal.begin(beginning(1), now()).await.unwrap(),
        Begun::First
    );
    assert_eq!(
        journal.begin(beginning(1), now()).await.unwrap(),
        Begun::Underway
    );
    journal.end(done(1, b"{}")).await.unwrap();
    drop(journal);
    let journal = open(&folder).await;
    assert_eq!(journal.settle(now()).await.unwrap(), 0);
    let again = journal.begin(beginning(1), now()).await.unwrap();
    assert_eq!(
        again,
        Begun::Ended {
            outcome: done(1, b"{}"),
            is_same: true
        }
    );
    let other = Beginning {
        digest: [8; 32],
        ..beginning(1)
    };
    let other = journal.begin(other, now()).await.unwrap();
    assert_eq!(
        other,
        Begun::Ended {
            outcome: done(1, b"{}"),
            is_same: false
        }
    );
}

#[tokio::test]
async fn what_the_agent_died_over_is_unknown_and_never_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder).await;
    assert_eq!(
        journal.begin(beginning(1), now()).await.unwrap(),
        Begun::First
    );
    drop(journal);
    let journal = open(&folder).await;
    assert_eq!(journal.settle(now()).await.unwrap(), 1);
    let Begun::Ended {
        outcome,
        is_same: true,
    } = journal.begin(beginning(1), now()).await.unwrap()
    else {
        panic!("it would be done again");
    };
    assert_eq!(
        (outcome.state, outcome.why.as_str()),
        (State::Failed, UNKNOWN_END)
    );
}

#[tokio::test]
async fn the_journal_is_bounded_and_forgets_what_is_past_only() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder).await;
    let fill = journal.clone();
    blocking(move || {
        let mut write = fill.database.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        {
            let mut entries = write.open_table(ENTRIES)?;
            for number in 0..ENTRIES_MAX {
                let entry = Entry {
                    kind: "ping".to_owned(),
                    issuer: String::new(),
                    digest: String::new(),
                    begun_ms: now().as_millisecond(),
                    expires_ms: now().as_millisecond(),
                    end: None,
                };
                entries.insert(id(number).as_str(), written(&entry).as_slice())?;
            }
        }
        write.commit()?;
        Ok(())
    })
    .await
    .unwrap();
    let late = now() + 47.hours();
    let full = journal.begin(beginning(u64::MAX), late).await;
    assert!(matches!(full, Err(JournalError::Full)), "{full:?}");
    let later = now() + 49.hours();
    let begun = journal.begin(beginning(u64::MAX), later).await.unwrap();
    assert_eq!(begun, Begun::First);
}

#[tokio::test]
async fn old_results_make_room_and_their_end_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder).await;
    let result = vec![b'x'; crate::order::RESULT_BYTES_MAX];
    let most = RESULTS_BYTES_MAX / crate::order::RESULT_BYTES_MAX as u64;
    for number in 0..=most {
        journal.begin(beginning(number), now()).await.unwrap();
        journal.end(done(number, &result)).await.unwrap();
    }
    let Begun::Ended { outcome, .. } = journal.begin(beginning(0), now()).await.unwrap() else {
        panic!("it would be done again");
    };
    assert_eq!(
        (outcome.state, outcome.why.as_str()),
        (State::Done, RESULT_GONE)
    );
    let Begun::Ended { outcome, .. } = journal.begin(beginning(most), now()).await.unwrap() else {
        panic!("it would be done again");
    };
    assert_eq!(outcome.result.len(), result.len());
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Journal::open(folder.path().join("nowhere/commands.redb")).await;
    assert!(matches!(refused, Err(JournalError::Disk(_))), "{refused:?}");
}
