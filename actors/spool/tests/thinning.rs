//! A spool that is full: what is given up, what never, and what is told of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use printer::identity::DeviceId;
use redb::StorageBackend;

use super::bad_disk::Disk;
use super::{device, keep, noise, on_disk, small, thinnable};
use crate::spool::{Alarm, Content, Sequence, SpoolError, Spooled};

#[tokio::test]
async fn a_full_spool_thins_the_oldest_and_tells() {
    let spool = on_disk(&Disk::default(), small(), || 1).await;
    spool.append(vec![keep(b"alert")]).await.unwrap();
    for batch in 0..30 {
        let report = |n: u32| {
            thinnable(
                device(n % 2),
                batch * 50 + n,
                &noise(4_000, u64::from(batch * 50 + n)),
            )
        };
        spool.append((0..50).map(report).collect()).await.unwrap();
    }
    let stats = spool.stats();
    assert!(
        stats.thinned > 0 && stats.bytes <= small().bytes_max,
        "{stats:?}"
    );
    let all = spool.peek(usize::MAX, usize::MAX).await.unwrap();
    assert_eq!(
        all[0].content,
        Content::Report(b"alert".to_vec()),
        "alerts are never thinned"
    );
    let mut told: BTreeMap<DeviceId, u32> = BTreeMap::new();
    let mut kept = 0;
    for spooled in &all {
        match &spooled.content {
            Content::Thinned {
                reports,
                first,
                last,
            } => {
                assert!(first <= last);
                *told.entry(spooled.device.clone().unwrap()).or_default() += reports;
            }
            Content::Report(_) => kept += 1,
            Content::Damaged => panic!("nothing was damaged"),
        }
    }
    assert_eq!(u64::from(told.values().sum::<u32>()), stats.thinned);
    assert_eq!(
        kept + stats.thinned,
        1_501,
        "each report is kept, or told of as thinned"
    );
    assert_eq!(stats.waiting, all.len() as u64);
}

#[tokio::test]
async fn what_was_handed_out_is_not_thinned() {
    let spool = on_disk(&Disk::default(), small(), || 1).await;
    spool
        .append(vec![thinnable(device(0), 0, b"sent, perhaps kept")])
        .await
        .unwrap();
    assert_eq!(spool.peek(1, usize::MAX).await.unwrap().len(), 1);
    for batch in 0..20 {
        let report = |n: u32| {
            thinnable(
                device(0),
                batch * 50 + n,
                &noise(4_000, u64::from(batch * 50 + n)),
            )
        };
        spool.append((0..50).map(report).collect()).await.unwrap();
    }
    assert!(spool.stats().thinned > 0);
    let first = spool.peek(1, usize::MAX).await.unwrap().remove(0);
    assert_eq!(first.sequence, Sequence(1));
}

#[tokio::test]
async fn a_spool_full_of_what_must_be_kept_refuses_and_recovers() {
    let spool = on_disk(&Disk::default(), small(), || 1).await;
    let mut kept = 0;
    let refusal = loop {
        match spool.append(vec![keep(&noise(200_000, 1))]).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, SpoolError::Full { .. }), "{refusal}");
    assert_eq!(spool.stats().waiting, kept);
    let alarms = spool.alarms(Timestamp::UNIX_EPOCH);
    assert!(matches!(alarms[..], [Alarm::Full { .. }]), "{alarms:?}");
    spool.ack(Sequence(kept)).await.unwrap();
    let place = spool.append(vec![keep(&noise(200_000, 1))]).await.unwrap();
    assert_eq!(
        *place.start(),
        Sequence(kept + 1),
        "no place is given twice"
    );
}

#[tokio::test]
async fn the_file_stays_within_its_bound() {
    let disk = Disk::default();
    let spool = on_disk(&disk, small(), || 1).await;
    let mut largest = 0;
    for round in 0..120_u32 {
        let report = |n: u32| {
            let size = 500 + 7_919 * (round + n) as usize % 20_000;
            thinnable(device(n), round, &noise(size, u64::from(n)))
        };
        spool.append((0..5).map(report).collect()).await.unwrap();
        if round % 8 == 0 {
            spool.ack(Sequence(u64::from(round * 2))).await.unwrap();
        }
        largest = largest.max(disk.len().unwrap());
    }
    assert!(
        largest <= small().bytes_max,
        "{largest} bytes of {}",
        small().bytes_max
    );
}

#[tokio::test]
async fn a_long_history_is_kept_at_even_steps_and_one_report_a_device_tells_of_the_rest() {
    const HOURS: u32 = 1_200;
    let spool = on_disk(&Disk::default(), small(), || 1).await;
    for hour in 0..HOURS {
        let body = noise(1_500, u64::from(hour));
        let report = |n: u32| thinnable(device(n), hour * 3_600, &body);
        spool.append((0..2).map(report).collect()).await.unwrap();
    }
    let all = spool.peek(usize::MAX, usize::MAX).await.unwrap();
    for id in [device(0), device(1)] {
        let of_device = all.iter().filter(|it| it.device.as_ref() == Some(&id));
        let (told, kept): (Vec<&Spooled>, Vec<&Spooled>) =
            of_device.partition(|it| matches!(it.content, Content::Thinned { .. }));
        let [
            Spooled {
                content: Content::Thinned { reports, .. },
                ..
            },
        ] = told[..]
        else {
            panic!("{} reports tell of it", told.len());
        };
        assert_eq!(kept.len() as u32 + reports, HOURS);
        let hours: Vec<i64> = kept
            .iter()
            .map(|it| (it.at.as_second() - 1_700_000_000) / 3_600)
            .collect();
        let longest = hours.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(
            longest <= Some(4),
            "a hole of {longest:?} hours in {hours:?}"
        );
        assert_eq!(hours[0], 0, "the first stands");
    }
}

#[tokio::test]
async fn what_was_perhaps_sent_before_a_restart_is_not_thinned_after_it() {
    let disk = Disk::default();
    let spool = on_disk(&disk, small(), || 1).await;
    let first = thinnable(device(0), 0, b"sent, perhaps kept");
    spool.append(vec![first]).await.unwrap();
    assert_eq!(spool.peek(1, usize::MAX).await.unwrap().len(), 1);
    spool.close().await;
    let spool = on_disk(&disk, small(), || 1).await;
    for batch in 0..20_u32 {
        let report = |n: u32| {
            let body = noise(4_000, u64::from(batch * 50 + n));
            thinnable(device(0), batch * 50 + n, &body)
        };
        spool.append((0..50).map(report).collect()).await.unwrap();
    }
    assert!(spool.stats().thinned > 0);
    let first = spool.peek(1, usize::MAX).await.unwrap().remove(0);
    assert_eq!(first.sequence, Sequence(1));
}
