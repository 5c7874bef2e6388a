//! Reports: kept exactly once, acknowledged only when kept.

use crate::store::accept::{AcceptError, Accepted};
use crate::store::report::{Batch, Body, Report};
use crate::store::tests::{Place, accept, agent, at, device_id, now, read, status};
use crate::store::{Tenant, tests::sqlite};

const EPOCH: u64 = 1_795_000_000_000;

pub(super) async fn a_repeat_changes_nothing(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-22T08:00:00Z", 10),
        read(2, 1, "2026-11-22T09:00:00Z", 12),
    ];

    let first = accept(&store, &agent, EPOCH, &batch).await.unwrap();
    let again = accept(&store, &agent, EPOCH, &batch).await.unwrap();

    assert_eq!(
        first,
        Accepted {
            acked: 2,
            resend_from: None,
            repeated: 0
        }
    );
    assert_eq!(
        again,
        Accepted {
            acked: 2,
            resend_from: None,
            repeated: 2
        }
    );
    assert_eq!(
        store
            .history(&Tenant::DEFAULT, &device_id(1), 100)
            .await
            .unwrap()
            .len(),
        2
    );
}

pub(super) async fn concurrent_polls_keep_each_report_once(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let batch: Vec<Report> = (1..=50)
        .map(|n| read(n, 1, "2026-11-22T08:00:00Z", n))
        .collect();

    let polls = (0..6).map(|_| {
        let (store, agent, batch) = (store.clone(), agent.clone(), batch.clone());
        tokio::spawn(async move { accept(&store, &agent, EPOCH, &batch).await })
    });
    let mut repeated = 0;
    for poll in polls.collect::<Vec<_>>() {
        let accepted = poll.await.unwrap().unwrap();
        assert_eq!(accepted.acked, 50);
        repeated += accepted.repeated;
    }

    assert_eq!(repeated, 5 * 50);
    assert_eq!(
        store
            .history(&Tenant::DEFAULT, &device_id(1), 1_000)
            .await
            .unwrap()
            .len(),
        50
    );
}

pub(super) async fn a_gap_before_a_batch_is_asked_for_once(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let batch = [read(7, 1, "2026-11-22T08:00:00Z", 10)];

    // The spool had acknowledged reports 1 to 6 from a hub whose database was then restored.
    let first = accept(&store, &agent, EPOCH, &batch).await.unwrap();
    assert_eq!(
        first,
        Accepted {
            acked: 0,
            resend_from: Some(1),
            repeated: 0
        }
    );

    // It still has 5 and 6, and sends them again with the rest.
    let rewound = [
        read(5, 1, "2026-11-22T06:00:00Z", 8),
        read(6, 1, "2026-11-22T07:00:00Z", 9),
        read(7, 1, "2026-11-22T08:00:00Z", 10),
    ];
    let second = accept(&store, &agent, EPOCH, &rewound).await.unwrap();
    assert_eq!(
        second,
        Accepted {
            acked: 7,
            resend_from: None,
            repeated: 1
        }
    );
    let idle = accept(&store, &agent, EPOCH, &[]).await.unwrap();
    assert_eq!(
        idle,
        Accepted {
            acked: 7,
            resend_from: None,
            repeated: 0
        }
    );
}

pub(super) async fn a_gap_inside_a_batch_is_a_gap_of_the_spool(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-22T08:00:00Z", 10),
        read(4, 1, "2026-11-22T11:00:00Z", 12),
    ];

    let accepted = accept(&store, &agent, EPOCH, &batch).await.unwrap();

    assert_eq!(
        accepted,
        Accepted {
            acked: 4,
            resend_from: None,
            repeated: 0
        }
    );
}

pub(super) async fn a_new_epoch_begins_at_one(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let old = [
        read(1, 1, "2026-11-22T08:00:00Z", 10),
        read(2, 1, "2026-11-22T09:00:00Z", 11),
    ];
    accept(&store, &agent, EPOCH, &old).await.unwrap();

    let new = [read(1, 1, "2026-11-22T10:00:00Z", 12)];
    let accepted = accept(&store, &agent, EPOCH + 1, &new).await.unwrap();

    assert_eq!(
        accepted,
        Accepted {
            acked: 1,
            resend_from: None,
            repeated: 0
        }
    );
    assert_eq!(
        store
            .history(&Tenant::DEFAULT, &device_id(1), 100)
            .await
            .unwrap()
            .len(),
        3
    );
}

pub(super) async fn another_report_of_the_same_number_is_refused_with_its_batch(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let kept = [read(1, 1, "2026-11-22T08:00:00Z", 10)];
    accept(&store, &agent, EPOCH, &kept).await.unwrap();

    // A spool restored from a backup counts on from where the backup was.
    let other = [
        read(1, 2, "2026-11-22T08:30:00Z", 5),
        read(2, 2, "2026-11-22T09:00:00Z", 6),
    ];
    let refused = accept(&store, &agent, EPOCH, &other).await;

    assert!(
        matches!(refused, Err(AcceptError::Altered { sequence: 1, .. })),
        "{refused:?}"
    );
    assert!(
        store
            .printer(&Tenant::DEFAULT, &device_id(2))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store.agents(&Tenant::DEFAULT).await.unwrap()[0]
            .trouble
            .is_some()
    );
}

pub(super) async fn what_was_acknowledged_is_there_after_a_restart(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let batch = [read(1, 1, "2026-11-22T08:00:00Z", 10)];
    let acked = accept(&store, &agent, EPOCH, &batch).await.unwrap().acked;
    // Not closed: the process is gone, as after a kill.
    std::mem::forget(store);

    let store = place.open().await;

    let again = accept(&store, &agent, EPOCH, &batch).await.unwrap();
    assert_eq!(
        again,
        Accepted {
            acked,
            resend_from: None,
            repeated: 1
        }
    );
    assert_eq!(store.fleet(&Tenant::DEFAULT).await.unwrap().len(), 1);
}

pub(super) async fn a_late_reading_is_kept_but_is_not_the_latest(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-22T10:00:00Z", 12),
        read(2, 1, "2026-11-22T08:00:00Z", 10),
    ];

    accept(&store, &agent, EPOCH, &batch).await.unwrap();

    let row = store
        .printer(&Tenant::DEFAULT, &device_id(1))
        .await
        .unwrap()
        .unwrap()
        .row;
    assert_eq!(row.reading.meters[0].value, 12);
    assert_eq!(row.first_seen, at("2026-11-22T08:00:00Z"));
    assert_eq!(row.last_seen, at("2026-11-22T10:00:00Z"));
    let history = store
        .history(&Tenant::DEFAULT, &device_id(1), 1)
        .await
        .unwrap();
    assert_eq!(history[0].reading.meters[0].value, 12);
}

pub(super) async fn a_clock_that_is_ahead_hides_no_later_reading(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let ahead = [read(1, 1, "2036-01-01T00:00:00Z", 10)];
    accept(&store, &agent, EPOCH, &ahead).await.unwrap();

    let later = now() + std::time::Duration::from_mins(1);
    let right = [read(2, 1, "2026-11-23T08:01:00Z", 11)];
    store
        .accept(
            &agent,
            &Batch {
                epoch: EPOCH,
                status: &status(),
                reports: &right,
            },
            later,
        )
        .await
        .unwrap();

    let row = store
        .printer(&Tenant::DEFAULT, &device_id(1))
        .await
        .unwrap()
        .unwrap()
        .row;
    assert_eq!(row.reading.meters[0].value, 11);
    assert_eq!(row.last_seen, later);
}

pub(super) async fn a_device_is_silent_until_it_answers(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let silent = |sequence, when: &str| Report {
        sequence,
        body: Body::Silent {
            device: device_id(1),
            at: at(when),
            address: None,
        },
    };
    let batch = [
        read(1, 1, "2026-11-22T08:00:00Z", 10),
        silent(2, "2026-11-22T09:00:00Z"),
        silent(3, "2026-11-22T10:00:00Z"),
    ];
    accept(&store, &agent, EPOCH, &batch).await.unwrap();
    let row = store
        .printer(&Tenant::DEFAULT, &device_id(1))
        .await
        .unwrap()
        .unwrap()
        .row;
    assert_eq!(row.silent_since, Some(at("2026-11-22T09:00:00Z")));

    let back = [read(4, 1, "2026-11-22T11:00:00Z", 10)];
    accept(&store, &agent, EPOCH, &back).await.unwrap();
    let row = store
        .printer(&Tenant::DEFAULT, &device_id(1))
        .await
        .unwrap()
        .unwrap()
        .row;
    assert_eq!(row.silent_since, None);
}

pub(super) async fn thinning_is_kept_as_a_report(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    let thinned = Report {
        sequence: 3,
        body: Body::Thinned {
            device: Some(device_id(1)),
            reports: 2,
            first: at("2026-11-22T06:00:00Z"),
            last: at("2026-11-22T07:00:00Z"),
        },
    };

    let batch = [thinned];
    accept(&store, &agent, EPOCH, &batch).await.unwrap();
    let accepted = accept(&store, &agent, EPOCH, &batch).await.unwrap();

    // The spool begins at 3, as it says itself: asked once, then believed.
    assert_eq!(
        accepted,
        Accepted {
            acked: 3,
            resend_from: None,
            repeated: 1
        }
    );
}

pub(super) async fn what_a_site_lost_after_it_was_kept_stays_kept(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    accept(
        &store,
        &agent,
        EPOCH,
        &[read(1, 1, "2026-11-22T08:00:00Z", 10)],
    )
    .await
    .unwrap();
    let when = at("2026-11-22T08:00:00Z");
    let lost = Body::Thinned {
        device: None,
        reports: 1,
        first: when,
        last: when,
    };

    let again = accept(
        &store,
        &agent,
        EPOCH,
        &[Report {
            sequence: 1,
            body: lost,
        }],
    )
    .await
    .unwrap();

    assert_eq!(
        again,
        Accepted {
            acked: 1,
            resend_from: None,
            repeated: 1
        }
    );
    assert_eq!(
        store
            .history(&Tenant::DEFAULT, &device_id(1), 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_sequence_that_no_column_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).open().await;
    let agent = agent(&store, "lyon").await;
    let batch = [read(u64::MAX, 1, "2026-11-22T08:00:00Z", 10)];
    let refused = accept(&store, &agent, EPOCH, &batch).await;
    assert!(
        matches!(refused, Err(AcceptError::TooLarge("sequence"))),
        "{refused:?}"
    );
}
