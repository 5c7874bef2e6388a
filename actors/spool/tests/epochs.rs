//! A spool that was restored from a backup begins a new epoch, once in a while.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::bad_disk::Disk;
use super::{bodies, keep, on_disk};
use crate::spool::{Alarm, Sequence, SpoolLimits};

const MINUTE_MS: u64 = 60_000;

#[tokio::test]
async fn what_waits_goes_on_under_a_new_epoch_and_what_was_acked_is_not_told_again() {
    static NOW_MS: AtomicU64 = AtomicU64::new(1_700_000_000_000);
    let now = || NOW_MS.load(Ordering::Relaxed);
    let disk = Disk::default();
    let spool = on_disk(&disk, SpoolLimits::default(), now).await;
    let reports = (0..5).map(|n| keep(&[n])).collect();
    spool.append(reports).await.unwrap();
    spool.ack(Sequence(3)).await.unwrap();
    let epoch = spool.stats().epoch;
    NOW_MS.fetch_add(MINUTE_MS, Ordering::Relaxed);

    assert!(spool.begin_epoch(0).await.unwrap());
    let stats = spool.stats();
    assert_eq!(stats.epoch, epoch + MINUTE_MS);
    assert_eq!((stats.waiting, stats.last), (2, Sequence(5)));
    assert_eq!(bodies(&spool).await, [[3], [4]]);
    spool.rewind(Sequence(1)).await.unwrap();
    assert_eq!(
        bodies(&spool).await,
        [[3], [4]],
        "a hub that asks for all gets these"
    );
    let at = Timestamp::from_millisecond(i64::try_from(now()).unwrap()).unwrap();
    let alarms = spool.alarms(at);
    assert!(matches!(alarms[..], [Alarm::NewEpoch { .. }]), "{alarms:?}");
    spool.close().await;
    let spool = on_disk(&disk, SpoolLimits::default(), now).await;
    assert_eq!(bodies(&spool).await, [[3], [4]]);
    assert_eq!(spool.alarms(at), alarms, "a restart silences nothing");
}

#[tokio::test]
async fn epochs_do_not_follow_each_other_in_a_loop() {
    static NOW_MS: AtomicU64 = AtomicU64::new(1_700_000_000_000);
    let now = || NOW_MS.load(Ordering::Relaxed);
    let spool = on_disk(&Disk::default(), SpoolLimits::default(), now).await;
    assert!(spool.begin_epoch(0).await.unwrap());
    let epoch = spool.stats().epoch;
    NOW_MS.fetch_add(9 * MINUTE_MS, Ordering::Relaxed);
    assert!(!spool.begin_epoch(0).await.unwrap());
    assert_eq!(spool.stats().epoch, epoch);
    NOW_MS.fetch_add(MINUTE_MS, Ordering::Relaxed);
    let ahead = epoch + 1_000_000_000;
    assert!(spool.begin_epoch(ahead).await.unwrap());
    assert_eq!(
        spool.stats().epoch,
        ahead + 1,
        "newer than what the hub knows"
    );
}
