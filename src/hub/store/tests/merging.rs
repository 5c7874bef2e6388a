//! Devices that are one printer, and again two.

use std::borrow::Cow;

use jiff::civil::date;

use crate::store::merges::{Merge, Merged};
use crate::store::printers::{PastReading, Which};
use crate::store::tests::{Place, accept, agent, agent_of, device_id, now, read};
use crate::store::{Store, Tenant};

const TENANT: Tenant = Tenant::DEFAULT;

fn into(device: u8, into: u8) -> Merge {
    Merge {
        device: device_id(device),
        into: device_id(into),
        at: now(),
        by: "test".to_owned(),
        reason: "the board was changed".to_owned(),
    }
}

async fn history(store: &Store, device: u8) -> Vec<PastReading> {
    store
        .history(&TENANT, &device_id(device), 100)
        .await
        .unwrap()
}

fn totals(history: &[PastReading]) -> Vec<u64> {
    history
        .iter()
        .map(|it| it.reading.meters[0].value)
        .collect()
}

async fn pages(store: &Store, which: Which<'_>) -> Vec<Option<u64>> {
    let (from, to) = (date(2026, 11, 10), date(2026, 11, 13));
    let days = store.daily_pages(&TENANT, which, from, to).await.unwrap();
    days.iter().map(|day| day.pages).collect()
}

pub(super) async fn merged_devices_show_one_history_and_split_ones_their_own(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-10T08:00:00Z", 1_000),
        read(2, 1, "2026-11-11T08:00:00Z", 1_100),
        read(3, 2, "2026-11-12T08:00:00Z", 1_150),
        read(4, 2, "2026-11-13T08:00:00Z", 1_170),
        read(5, 3, "2026-11-13T09:00:00Z", 7),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();
    let before = (history(&store, 1).await, history(&store, 2).await);
    let fleet = store.fleet(&TENANT).await.unwrap();
    let all = pages(&store, Which::All).await;

    assert_eq!(
        store.merge(&TENANT, &into(1, 2)).await.unwrap(),
        Merged::Done
    );
    assert_eq!(
        store.merge(&TENANT, &into(1, 2)).await.unwrap(),
        Merged::Already
    );
    for device in [1, 2] {
        let whole = history(&store, device).await;
        assert_eq!(totals(&whole), [1_170, 1_150, 1_100, 1_000]);
        // One counter: what was printed around the change is counted too.
        let pages = pages(&store, Which::One(&device_id(device))).await;
        assert_eq!(pages, [Some(0), Some(100), Some(50), Some(20)]);
        let detail = store.whole_printer(&TENANT, &device_id(device)).await;
        let detail = detail.unwrap().unwrap();
        assert_eq!(
            (detail.row.device, detail.row.root),
            (device_id(2), device_id(2))
        );
        assert_eq!(detail.elsewhere[0].device, device_id(1));
    }
    assert_eq!(totals(&history(&store, 3).await), [7]);
    let kept = store.merges(&TENANT).await.unwrap();
    assert_eq!(kept, [into(1, 2)]);

    assert!(store.split(&TENANT, &device_id(1)).await.unwrap());
    assert!(!store.split(&TENANT, &device_id(1)).await.unwrap());
    assert_eq!((history(&store, 1).await, history(&store, 2).await), before);
    assert_eq!(store.fleet(&TENANT).await.unwrap(), fleet);
    assert_eq!(pages(&store, Which::All).await, all);
}

pub(super) async fn a_part_follows_its_printer_and_two_make_no_circle(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-10T08:00:00Z", 10),
        read(2, 2, "2026-11-11T08:00:00Z", 20),
        read(3, 3, "2026-11-12T08:00:00Z", 30),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();
    assert_eq!(
        store.merge(&TENANT, &into(1, 2)).await.unwrap(),
        Merged::Done
    );
    assert_eq!(
        store.merge(&TENANT, &into(2, 3)).await.unwrap(),
        Merged::Done
    );
    assert_eq!(
        store.merge(&TENANT, &into(3, 1)).await.unwrap(),
        Merged::Already
    );
    assert_eq!(
        store.merge(&TENANT, &into(9, 1)).await.unwrap(),
        Merged::Unknown
    );
    assert_eq!(totals(&history(&store, 1).await), [30, 20, 10]);
    let roots = store.fleet(&TENANT).await.unwrap();
    assert!(roots.iter().all(|row| row.root == device_id(3)));
    assert!(store.split(&TENANT, &device_id(2)).await.unwrap());
    assert_eq!(totals(&history(&store, 1).await), [20, 10]);
    assert_eq!(totals(&history(&store, 3).await), [30]);
}

pub(super) async fn nothing_is_merged_across_tenants(place: Place) {
    let store = place.open().await;
    let stranger = Tenant(Cow::Borrowed("stranger"));
    let (lyon, theirs) = (
        agent(&store, "lyon").await,
        agent_of(&store, &stranger, "theirs").await,
    );
    let ours = [
        read(1, 1, "2026-11-10T08:00:00Z", 10),
        read(2, 2, "2026-11-10T09:00:00Z", 20),
    ];
    accept(&store, &lyon, 1, &ours).await.unwrap();
    let others = [
        read(1, 3, "2026-11-10T08:00:00Z", 30),
        read(2, 1, "2026-11-10T09:00:00Z", 40),
    ];
    accept(&store, &theirs, 1, &others).await.unwrap();
    for merge in [into(1, 3), into(3, 1)] {
        assert_eq!(store.merge(&TENANT, &merge).await.unwrap(), Merged::Unknown);
    }
    assert_eq!(
        store.merge(&TENANT, &into(1, 2)).await.unwrap(),
        Merged::Done
    );
    // The same id in another tenant is another printer, and stays alone.
    let history = store.history(&stranger, &device_id(1), 10).await.unwrap();
    assert_eq!(totals(&history), [40]);
    assert!(store.merges(&stranger).await.unwrap().is_empty());
    assert!(!store.split(&stranger, &device_id(1)).await.unwrap());
    assert_eq!(totals(&self::history(&store, 1).await), [20, 10]);
}

pub(super) async fn a_printer_of_its_own_is_part_of_none_until_it_is_merged(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let batch = [
        read(1, 1, "2026-11-10T08:00:00Z", 10),
        read(2, 2, "2026-11-10T08:00:00Z", 20),
    ];
    accept(&store, &lyon, 1, &batch).await.unwrap();
    let apart = into(1, 1);
    assert!(store.keep_apart(&TENANT, &apart).await.unwrap());
    assert!(
        store.keep_apart(&TENANT, &apart).await.unwrap(),
        "said again"
    );
    assert!(
        !store.keep_apart(&TENANT, &into(9, 9)).await.unwrap(),
        "nobody"
    );
    let stranger = Tenant(Cow::Borrowed("stranger"));
    assert!(
        !store.keep_apart(&stranger, &apart).await.unwrap(),
        "not theirs"
    );
    let families = store.families(&TENANT).await.unwrap();
    assert!(families.is_empty() && families.root(&device_id(1)) == device_id(1));
    assert_eq!(totals(&history(&store, 1).await), [10]);
    assert_eq!(
        store.merge(&TENANT, &into(1, 2)).await.unwrap(),
        Merged::Done
    );
    assert_eq!(totals(&history(&store, 1).await).len(), 2);
    assert!(
        !store.keep_apart(&TENANT, &apart).await.unwrap(),
        "it is a part"
    );
}
