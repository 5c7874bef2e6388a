//! The queue itself: append, peek, ack, and what is remembered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::bad_disk::Disk;
use super::{bodies, device, keep, new_spool, noise, on_disk, open, small};
use crate::spool::{Content, Sequence, SpoolError, SpoolLimits};

#[tokio::test]
async fn what_was_appended_is_peeked_in_order_until_acked() {
    let (_folder, spool) = new_spool(SpoolLimits::default()).await;
    let places = spool.append(vec![keep(b"a"), keep(b"b")]).await.unwrap();
    assert_eq!(places, Sequence(1)..=Sequence(2));
    spool.append(vec![keep(b"c")]).await.unwrap();
    assert_eq!(bodies(&spool).await, [b"a", b"b", b"c"]);
    spool.ack(Sequence(2)).await.unwrap();
    assert_eq!(bodies(&spool).await, [b"c"]);
    let stats = spool.stats();
    assert_eq!(
        (stats.waiting, stats.last, stats.acked),
        (1, Sequence(3), Sequence(2))
    );
    assert_eq!(stats.oldest, Some(keep(b"").at));
    spool.ack(Sequence(99)).await.unwrap();
    assert_eq!(
        spool.stats().acked,
        Sequence(3),
        "an ack beyond the last place is one of all"
    );
}

#[tokio::test]
async fn a_peek_is_bounded_but_never_empty() {
    let (_folder, spool) = new_spool(SpoolLimits::default()).await;
    spool
        .append((0..9).map(|_| keep(&[7; 1_000])).collect())
        .await
        .unwrap();
    assert_eq!(spool.peek(4, usize::MAX).await.unwrap().len(), 4);
    assert_eq!(spool.peek(9, 2_500).await.unwrap().len(), 2);
    assert_eq!(spool.peek(9, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let (folder, spool) = new_spool(SpoolLimits::default()).await;
    spool.append(vec![keep(b"a"), keep(b"b")]).await.unwrap();
    spool.ack(Sequence(1)).await.unwrap();
    spool
        .remember(vec![(device(1), vec![1]), (device(2), vec![2])])
        .await
        .unwrap();
    spool.remember(vec![(device(1), vec![3])]).await.unwrap();
    spool.forget(device(2)).await.unwrap();
    let before = spool.stats();
    spool.close().await;
    let spool = open(folder.path(), SpoolLimits::default()).await;
    assert_eq!(spool.stats(), before);
    assert_eq!(bodies(&spool).await, [b"b"]);
    assert_eq!(spool.recall().await.unwrap(), [(device(1), vec![3])]);
}

#[tokio::test]
async fn a_hub_restored_from_a_backup_gets_them_again() {
    let (_folder, spool) = new_spool(SpoolLimits::default()).await;
    spool
        .append((0..5).map(|n| keep(&[n])).collect())
        .await
        .unwrap();
    spool.ack(Sequence(5)).await.unwrap();
    assert_eq!(spool.stats().waiting, 0);
    spool.rewind(Sequence(3)).await.unwrap();
    assert_eq!(bodies(&spool).await, [[2], [3], [4]]);
    assert_eq!(spool.stats().waiting, 3);
}

#[tokio::test]
async fn a_watcher_hears_of_each_append() {
    let (_folder, spool) = new_spool(SpoolLimits::default()).await;
    let mut news = spool.watch();
    spool.append(vec![keep(b"a"), keep(b"b")]).await.unwrap();
    news.changed().await.unwrap();
    assert_eq!(*news.borrow_and_update(), 2);
}

#[tokio::test]
async fn acked_reports_go_after_their_time() {
    static NOW_MS: AtomicU64 = AtomicU64::new(1_700_000_000_000);
    let hour = Duration::from_secs(3_600);
    let limits = SpoolLimits {
        keep_acked: 72 * hour,
        ..SpoolLimits::default()
    };
    let disk = Disk::default();
    let spool = on_disk(&disk, limits, || NOW_MS.load(Ordering::Relaxed)).await;
    spool.append(vec![keep(b"a"), keep(b"b")]).await.unwrap();
    spool.ack(Sequence(1)).await.unwrap();
    let advance = |hours: u64| NOW_MS.fetch_add(hours * 3_600_000, Ordering::Relaxed);
    advance(71);
    spool.ack(Sequence(2)).await.unwrap();
    spool.rewind(Sequence(1)).await.unwrap();
    assert_eq!(bodies(&spool).await, [b"a", b"b"]);
    spool.ack(Sequence(2)).await.unwrap();
    advance(73);
    spool.append(vec![keep(b"c")]).await.unwrap();
    spool.ack(Sequence(3)).await.unwrap();
    spool.rewind(Sequence(1)).await.unwrap();
    assert_eq!(
        bodies(&spool).await,
        [b"c"],
        "the first two are past their time"
    );
}

#[tokio::test]
async fn calls_at_once_share_a_write_and_each_hears_its_own_places() {
    let (_folder, spool) = new_spool(SpoolLimits::default()).await;
    let calls = (0..200_u32).map(|number| {
        let spool = spool.clone();
        async move {
            let body = |of: u32| keep(format!("{number}/{of}").as_bytes());
            let reports = (0..number % 4).map(body).collect();
            (number, spool.append(reports).await.unwrap())
        }
    });
    let told = futures_util::future::join_all(calls).await;
    let all = spool.peek(usize::MAX, usize::MAX).await.unwrap();
    let mut seen = 0;
    for (number, places) in told {
        let (first, last) = (places.start().0, places.end().0);
        assert_eq!(last + 1 - first, u64::from(number % 4));
        for (place, of) in (first..=last).zip(0_u32..) {
            let report = &all[usize::try_from(place).unwrap() - 1];
            assert_eq!(report.sequence, Sequence(place));
            let body = format!("{number}/{of}").into_bytes();
            assert_eq!(report.content, Content::Report(body));
            seen += 1;
        }
    }
    assert_eq!(seen, all.len());
}

#[tokio::test]
async fn of_calls_at_once_only_those_are_refused_that_have_no_room() {
    let (_folder, spool) = new_spool(small()).await;
    // Each is a quarter of what the disk may hold, and none may be thinned.
    let calls = (0..12).map(|seed| {
        let spool = spool.clone();
        async move { spool.append(vec![keep(&noise(500_000, seed))]).await }
    });
    let told = futures_util::future::join_all(calls).await;
    let kept = told.iter().filter(|it| it.is_ok()).count();
    assert!((3..12).contains(&kept), "{kept}");
    let is_full = |it: &Result<_, _>| matches!(it, Ok(_) | Err(SpoolError::Full { .. }));
    assert!(told.iter().all(is_full), "{told:?}");
    assert_eq!(bodies(&spool).await.len(), kept);
}
