//! What the portal and the commands are shown.

use std::borrow::Cow;

use jiff::civil::date;

use crate::permission::Rights;
use crate::store::agents::AgentStatus;
use crate::store::printers::Which;
use crate::store::report::{Batch, Body};
use crate::store::tests::{Place, accept, agent, agent_of, at, device_id, now, read};
use crate::store::{Pool, Store, StoreError, Tenant};

const TENANT: Tenant = Tenant::DEFAULT;

pub(super) async fn the_same_device_of_two_agents_is_two_rows_and_one_history(place: Place) {
    let store = place.open().await;
    let (lyon, paris) = (agent(&store, "lyon").await, agent(&store, "paris").await);
    let early = [read(1, 1, "2026-11-22T08:00:00Z", 10)];
    let late = [read(1, 1, "2026-11-22T09:00:00Z", 11)];
    accept(&store, &lyon, 1, &early).await.unwrap();
    accept(&store, &paris, 1, &late).await.unwrap();

    let fleet = store.fleet(&TENANT).await.unwrap();
    let names: Vec<&str> = fleet.iter().map(|row| row.agent_name.as_str()).collect();
    assert_eq!(names, ["lyon", "paris"]);
    let detail = store
        .printer(&TENANT, &device_id(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(detail.row.agent_name, "paris");
    assert_eq!(detail.elsewhere[0].agent_name, "lyon");
    let history = store.history(&TENANT, &device_id(1), 10).await.unwrap();
    let values: Vec<u64> = history
        .iter()
        .map(|past| past.reading.meters[0].value)
        .collect();
    assert_eq!(values, [11, 10]);
}

pub(super) async fn pages_are_counted_from_the_day_before_and_gaps_are_said(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-09T08:00:00Z", 900),
        read(2, 1, "2026-11-10T08:00:00Z", 1_000),
        read(3, 1, "2026-11-11T23:59:59Z", 1_100),
        read(4, 1, "2026-11-12T00:00:00Z", 1_120),
        read(5, 1, "2026-11-15T08:00:00Z", 1_500),
        read(6, 1, "2026-11-16T08:00:00Z", 3),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();

    let which = Which::One(&device_id(1));
    let days = store
        .daily_pages(&TENANT, which, date(2026, 11, 11), date(2026, 11, 16))
        .await
        .unwrap();

    let pages: Vec<Option<u64>> = days.iter().map(|day| day.pages).collect();
    assert_eq!(pages, [Some(100), Some(20), None, None, Some(0), Some(0)]);
    assert_eq!((days[4].gap_pages, days[5].is_broken), (380, true));
}

pub(super) async fn a_day_of_many_readings_is_counted_around_its_falls(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-10T07:00:00Z", 90_000),
        read(2, 1, "2026-11-10T08:00:00Z", 90_004),
        read(3, 1, "2026-11-10T09:00:00Z", 90_010),
        read(4, 1, "2026-11-10T10:00:00Z", 0),
        read(5, 1, "2026-11-10T11:00:00Z", 90_020),
        read(6, 1, "2026-11-10T12:00:00Z", 90_021),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();

    let day = date(2026, 11, 10);
    let days = store
        .daily_pages(&TENANT, Which::All, day, day)
        .await
        .unwrap();

    assert_eq!((days[0].pages, days[0].is_broken), (Some(21), true));
}

pub(super) async fn a_total_that_nothing_proves_is_in_no_day(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let beta = |sequence, when, total| {
        let mut report = read(sequence, 1, when, total);
        if let Body::Reading { reading, .. } = &mut report.body {
            reading.meters[0].beta = true;
        }
        report
    };
    let batch = [
        beta(1, "2026-11-10T08:00:00Z", 100),
        beta(2, "2026-11-11T08:00:00Z", 130),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();

    let day = date(2026, 11, 11);
    let days = store
        .daily_pages(&TENANT, Which::All, day, day)
        .await
        .unwrap();

    assert_eq!((days[0].pages, days[0].printers), (None, 0));
}

pub(super) async fn the_fleet_adds_up(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-10T08:00:00Z", 100),
        read(2, 2, "2026-11-10T08:00:00Z", 500),
        read(3, 1, "2026-11-11T08:00:00Z", 130),
        read(4, 2, "2026-11-11T08:00:00Z", 507),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();

    let day = date(2026, 11, 11);
    let days = store
        .daily_pages(&TENANT, Which::All, day, day)
        .await
        .unwrap();

    assert_eq!(
        (days.len(), days[0].pages, days[0].printers),
        (1, Some(37), 2)
    );
    let none = store
        .daily_pages(&TENANT, Which::One(&device_id(9)), day, day)
        .await
        .unwrap();
    assert_eq!(none[0].pages, None);
}

pub(super) async fn one_tenant_sees_nothing_of_another(place: Place) {
    let store = place.open().await;
    let other = Tenant(Cow::Borrowed("other"));
    let lyon = agent(&store, "lyon").await;
    let batch = [read(1, 1, "2026-11-10T08:00:00Z", 100)];
    accept(&store, &lyon, 1, &batch).await.unwrap();
    let holder = ("anna", &Rights::usual());
    let link = store
        .portal_link_create(&TENANT, holder, now())
        .await
        .unwrap();
    let namesake = agent_of(&store, &other, "lyon").await;

    assert!(store.fleet(&other).await.unwrap().is_empty());
    assert!(
        store
            .printer(&other, &device_id(1))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .history(&other, &device_id(1), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let day = date(2026, 11, 10);
    let days = store
        .daily_pages(&other, Which::All, day, day)
        .await
        .unwrap();
    assert_eq!(days[0].pages, None);
    assert!(
        store
            .portal_link_use(&other, link.reveal(), now())
            .await
            .unwrap()
            .is_none()
    );
    assert_ne!(namesake.as_str(), lyon.as_str());
    assert_eq!(store.agents(&other).await.unwrap().len(), 1);
}

pub(super) async fn an_agent_tells_how_it_is(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let told = AgentStatus {
        version: "0.3.0".to_owned(),
        started_at: Some(at("2026-11-20T08:00:00Z")),
        spool_reports: 12,
        devices: 24,
        ..AgentStatus::default()
    };

    store
        .accept(
            &lyon,
            &Batch {
                epoch: 1,
                status: &told,
                reports: &[],
            },
            now(),
        )
        .await
        .unwrap();

    let agents = store.agents(&TENANT).await.unwrap();
    assert_eq!(agents[0].status.as_ref(), Some(&told));
    assert_eq!(
        (agents[0].last_poll, agents[0].version.as_str()),
        (Some(now()), "0.3.0")
    );
}

pub(super) async fn a_store_of_a_newer_hub_is_refused(place: Place) {
    let store = place.open().await;
    let next = "INSERT INTO _sqlx_migrations
        (version, description, success, checksum, execution_time) VALUES (9999, 'next', $1, $2, 0)";
    let sum: &[u8] = &[0];
    match &store.pool {
        Pool::Sqlite(pool) => {
            sqlx::query(next)
                .bind(true)
                .bind(sum)
                .execute(pool)
                .await
                .unwrap();
        }
        Pool::Postgres(pool) => {
            sqlx::query(next)
                .bind(true)
                .bind(sum)
                .execute(pool)
                .await
                .unwrap();
        }
    }

    let refused = Store::open(&place.url, &place.folder).await.unwrap_err();

    assert!(
        matches!(refused, StoreError::Newer { version: 9999, .. }),
        "{refused}"
    );
}
