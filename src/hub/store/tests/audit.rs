//! Whatever somebody with the database does to the audit's lines is found, and where.

use crate::audit::writer::{AuditError, Chain};
use crate::audit::{Entry, Mark, Wrong};
use crate::session::Deed;
use crate::store::tests::web::terms;
use crate::store::tests::{Place, agent, now};
use crate::store::{Store, StoreError};

/// Lines of a chain that is tampered with, two in a group.
const LINES: u64 = 8;

/// Does something to the table, as whoever holds the database can.
async fn tamper(store: &Store, sql: &'static str) {
    let done: Result<u64, StoreError> = async {
        Ok(on_pool!(store, pool => sqlx::query(sql).execute(pool).await?.rows_affected()))
    }
    .await;
    assert!(done.unwrap() > 0, "{sql}");
}

async fn filled(chain: &Chain) -> Mark {
    let terms = terms("a");
    let mut end = Mark::beginning();
    for number in 1..=LINES / 2 {
        let asked = Deed::Asked {
            number,
            method: "GET".to_owned(),
            path: format!("/{number}"),
        };
        let answered = Deed::Answered {
            number,
            status: 200,
            sent: 0,
            received: 9,
        };
        let entries = [asked, answered].map(|deed| Entry::deed(&terms, &deed));
        end = chain.add(&entries, now()).await.unwrap();
    }
    end
}

pub(super) async fn whatever_is_done_to_the_audit_is_found(place: Place) {
    let store = place.open().await;
    let cases = [
        ("UPDATE audit SET body = '{}' WHERE sequence = 3", 3),
        ("UPDATE audit SET at_ms = at_ms + 1 WHERE sequence = 8", 8),
        ("DELETE FROM audit WHERE sequence = 5", 5),
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("UPDATE audit SET sequence = 99 WHERE sequence = 4", 4),
        // Two lines change places.
        ("UPDATE audit SET sequence = CASE sequence WHEN 3 THEN 103 ELSE 104 END
          WHERE sequence IN (3, 4)", 0),
        ("UPDATE audit SET sequence = CASE sequence WHEN 103 THEN 4 ELSE 3 END
          WHERE sequence IN (103, 104)", 3),
        // One is put in where another was, and one at the end.
        ("UPDATE audit SET sequence = sequence + 100 WHERE sequence > 2", 0),
        ("INSERT INTO audit SELECT 3, at_ms, tenant, session, kind, body, opening, hash, hash, seal
          FROM audit WHERE sequence = 2", 0),
        ("UPDATE audit SET sequence = sequence - 99 WHERE sequence > 100", 3),
        ("INSERT INTO audit SELECT 9, at_ms, tenant, session, kind, body, 9, hash, hash, seal
          FROM audit WHERE sequence = 8", 9),
    ];
    let mut folder = tempfile::tempdir().unwrap();
    let mut is_fresh = false;
    for (sql, found) in cases {
        if !is_fresh {
            on_pool!(&store, pool => sqlx::query("DELETE FROM audit").execute(pool).await.map(|_| ()))
                .unwrap();
            folder = tempfile::tempdir().unwrap();
            let chain = Chain::open(store.clone(), folder.path()).unwrap();
            let end = filled(&chain).await;
            assert_eq!((end.sequence, chain.verify().await.unwrap()), (LINES, end));
        }
        is_fresh = found == 0;
        tamper(&store, sql).await;
        if is_fresh {
            continue;
        }
        let chain = Chain::open(store.clone(), folder.path()).unwrap();
        let wrong = match chain.verify().await {
            Err(AuditError::Wrong(wrong)) => wrong,
            other => panic!("{sql}: {other:?}"),
        };
        let (Wrong::Missing(at) | Wrong::Before(at) | Wrong::Changed(at) | Wrong::Forged(at)) =
            wrong
        else {
            panic!("{sql}: {wrong}")
        };
        assert_eq!(at, found, "{sql}: {wrong}");
    }
}

pub(super) async fn an_audit_that_was_cut_is_found_and_takes_nothing_more(place: Place) {
    let store = place.open().await;
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(store.clone(), folder.path()).unwrap();
    filled(&chain).await;
    tamper(&store, "DELETE FROM audit WHERE sequence > 7").await;
    let cut = Wrong::Cut {
        last: 7,
        written: LINES,
    };
    let is_cut = |error: AuditError| matches!(error, AuditError::Wrong(wrong) if wrong == cut);
    assert!(is_cut(chain.verify().await.unwrap_err()));
    let entry = Entry::opened(&terms("a"));
    assert!(is_cut(
        chain
            .add(std::slice::from_ref(&entry), now())
            .await
            .unwrap_err()
    ));
    tamper(&store, "DELETE FROM audit").await;
    assert!(chain.verify().await.is_err(), "all of it");
    assert!(chain.add(&[entry], now()).await.is_err());
}

pub(super) async fn a_crash_between_commit_and_head_loses_nothing(place: Place) {
    let store = place.open().await;
    agent(&store, "lyon").await;
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(store.clone(), folder.path()).unwrap();
    filled(&chain).await;
    let head = folder.path().join("audit.head");
    let before = std::fs::read(&head).unwrap();
    let entry = Entry::opened(&terms("a"));
    let group = [entry.clone(), entry.clone()];
    let end = chain.add(&group, now()).await.unwrap();
    std::fs::write(&head, &before).unwrap();
    assert_eq!(chain.verify().await.unwrap(), end, "one group ahead");
    let end = chain
        .add(std::slice::from_ref(&entry), now())
        .await
        .unwrap();
    assert_eq!(end.sequence, LINES + 3);
    assert_eq!(chain.verify().await.unwrap(), end);
    std::fs::write(&head, &before).unwrap();
    let beyond = chain.verify().await.unwrap_err();
    assert!(
        matches!(beyond, AuditError::Wrong(Wrong::Beyond(at)) if at == LINES + 3),
        "two groups are no interrupted commit: {beyond}"
    );
    assert!(chain.add(&[entry], now()).await.is_err());
}
