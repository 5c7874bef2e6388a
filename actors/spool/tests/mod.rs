//! Stories of the spool: what it promises, on good disks and bad ones.

mod bad_disk;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use redb::{Builder, StorageBackend};
use tempfile::TempDir;

use super::keeper::Keeper;
use super::{Content, Importance, NewReport, Sequence, Spool, SpoolError, SpoolLimits};
use bad_disk::Disk;

/// Tells the re-executed test binary that it is the child, and where its spool is.
const CHILD_SPOOL: &str = "PLATEN_TEST_CHILD_SPOOL";

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
async fn a_full_spool_thins_the_oldest_and_tells() {
    let spool = on_disk(&Disk::default(), small(), || 1).await;
    spool.append(vec![keep(b"alert")]).await.unwrap();
    for batch in 0..30 {
        let report = |n: u32| thinnable(device(n % 2), batch * 50 + n, &[9; 4_000]);
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
        let report = |n: u32| thinnable(device(0), batch * 50 + n, &[9; 4_000]);
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
        match spool.append(vec![keep(&[1; 200_000])]).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, SpoolError::Full { .. }), "{refusal}");
    assert_eq!(spool.stats().waiting, kept);
    spool.ack(Sequence(kept)).await.unwrap();
    let place = spool.append(vec![keep(&[1; 200_000])]).await.unwrap();
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
            thinnable(device(n), round, &vec![3; size])
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
async fn a_damaged_report_is_skipped_counted_and_told() {
    let disk = Disk::default();
    let spool = on_disk(&disk, SpoolLimits::default(), || 1).await;
    let marked = keep(b"MARKED-BY-THE-TEST");
    spool
        .append(vec![keep(b"a"), marked, keep(b"c")])
        .await
        .unwrap();
    spool.close().await;
    let spoiled = disk.spoil(b"MARKED-BY-THE-TEST");
    assert!(spoiled > 0, "the report is on disk");
    let spool = on_disk(&disk, SpoolLimits::default(), || 1).await;
    for _again in 0..2 {
        let contents: Vec<Content> = contents(&spool).await;
        let report = |body: &[u8]| Content::Report(body.to_vec());
        assert_eq!(contents, [report(b"a"), Content::Damaged, report(b"c")]);
        assert_eq!(spool.stats().damaged, 1);
    }
    assert_eq!(
        spool.append(vec![keep(b"d")]).await.unwrap(),
        Sequence(4)..=Sequence(4)
    );
}

#[tokio::test]
async fn a_file_that_is_no_spool_is_set_aside() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("spool.redb"), vec![0x5a; 70_000]).unwrap();
    let spool = open(folder.path(), SpoolLimits::default()).await;
    spool.append(vec![keep(b"a")]).await.unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("spool.redb.damaged-")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_passes() {
    let disk = Disk::default();
    let spool = on_disk(&disk, SpoolLimits::default(), || 1).await;
    spool.append(vec![keep(b"before")]).await.unwrap();
    for error in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        *disk.failing.lock().unwrap() = Some(error);
        for _again in 0..3 {
            let refusal = spool.append(vec![keep(b"meanwhile")]).await.unwrap_err();
            assert!(matches!(refusal, SpoolError::Unusable { .. }), "{refusal}");
        }
        *disk.failing.lock().unwrap() = None;
        assert_eq!(bodies(&spool).await[0], b"before");
    }
    spool.append(vec![keep(b"after")]).await.unwrap();
    assert_eq!(
        bodies(&spool).await,
        [b"before".to_vec(), b"after".to_vec()]
    );
}

#[tokio::test]
async fn a_power_cut_takes_nothing_that_was_promised() {
    let disk = Disk::default();
    let mut promised: Vec<Vec<u8>> = Vec::new();
    for cut in 0..20_u8 {
        let spool = on_disk(&disk, SpoolLimits::default(), || 1).await;
        assert_eq!(bodies(&spool).await, promised, "before cut {cut}");
        for n in 0..3 {
            let body = vec![cut, n];
            spool.append(vec![keep(&body)]).await.unwrap();
            promised.push(body);
        }
        // From here on nothing reaches the disk for good, as if the power went before the sync.
        disk.is_cut.store(true, Ordering::SeqCst);
        let _ = spool.append(vec![keep(b"not promised")]).await;
        spool.close().await;
        disk.cut_power();
    }
}

#[tokio::test]
async fn a_killed_process_takes_nothing_that_was_promised() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("spool.redb");
    let mut promised = Vec::new();
    // As many promises as are waited for before the kill: it falls into another step each time.
    for promises in [1, 4, 2, 7, 3, 11] {
        promised.extend(kill_child_after(&file, promises));
        let spool = open(folder.path(), SpoolLimits::default()).await;
        let found: Vec<u64> = spool
            .peek(usize::MAX, usize::MAX)
            .await
            .unwrap()
            .into_iter()
            .map(|spooled| spooled.sequence.0)
            .collect();
        assert!(found.is_sorted_by(|a, b| a < b), "each stands there once");
        let missing = promised.iter().find(|sequence| !found.contains(sequence));
        assert_eq!(missing, None, "of {promised:?}, found {found:?}");
        spool.close().await;
    }
}

/// The child of the test above; does nothing when it is not one.
#[tokio::test]
async fn child_that_appends_until_killed() {
    let Some(file) = std::env::var_os(CHILD_SPOOL) else {
        return;
    };
    let spool = Spool::open(file, SpoolLimits::default()).await.unwrap();
    loop {
        let report = thinnable(device(1), 1, &[5; 3_000]);
        let places = spool.append(vec![report.clone(), report]).await.unwrap();
        println!("\npromised {} {}", places.start().0, places.end().0);
    }
}

/// Starts the child, waits for so many promises, and kills it (SIGKILL).
fn kill_child_after(file: &Path, promises: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "spool::tests::child_that_appends_until_killed",
            "--nocapture",
        ])
        .env(CHILD_SPOOL, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut promised = Vec::new();
    let mut take = |line: &str| -> bool {
        let Some(places) = line.strip_prefix("promised ") else {
            return false;
        };
        promised.extend(
            places
                .split(' ')
                .filter_map(|place| place.parse::<u64>().ok()),
        );
        true
    };
    let mut seen = 0;
    while seen < promises {
        let line = lines
            .next()
            .expect("the child appends until it is killed")
            .unwrap();
        seen += usize::from(take(&line));
    }
    child.kill().unwrap();
    // Promises made before the kill, still in the pipe; the last line may be cut.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let whole = rest.len().saturating_sub(1);
    for line in &rest[..whole] {
        take(line);
    }
    child.wait().unwrap();
    promised
}

async fn on_disk(disk: &Disk, limits: SpoolLimits, now_ms: fn() -> u64) -> Spool {
    let disk = disk.clone();
    let open = move |_: &Path| Builder::new().create_with_backend(disk.clone());
    let keeper = Keeper::new("spool in memory".into(), limits).on(Box::new(open), now_ms);
    Spool::start(keeper).await.unwrap()
}

async fn new_spool(limits: SpoolLimits) -> (TempDir, Spool) {
    let folder = TempDir::new().unwrap();
    let spool = open(folder.path(), limits).await;
    (folder, spool)
}

async fn open(folder: &Path, limits: SpoolLimits) -> Spool {
    Spool::open(folder.join("spool.redb"), limits)
        .await
        .unwrap()
}

fn small() -> SpoolLimits {
    SpoolLimits {
        bytes_max: 4 * 1_024 * 1_024,
        ..SpoolLimits::default()
    }
}

async fn contents(spool: &Spool) -> Vec<Content> {
    let all = spool.peek(usize::MAX, usize::MAX).await.unwrap();
    all.into_iter().map(|spooled| spooled.content).collect()
}

async fn bodies(spool: &Spool) -> Vec<Vec<u8>> {
    let body = |content| match content {
        Content::Report(body) => Some(body),
        Content::Thinned { .. } | Content::Damaged => None,
    };
    contents(spool).await.into_iter().filter_map(body).collect()
}

fn keep(body: &[u8]) -> NewReport {
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    NewReport {
        importance: Importance::Keep,
        device: None,
        at,
        body: body.to_vec(),
    }
}

fn thinnable(device: DeviceId, second: u32, body: &[u8]) -> NewReport {
    let at = Timestamp::from_second(1_700_000_000 + i64::from(second)).unwrap();
    let (importance, device) = (Importance::Thinnable, Some(device));
    NewReport {
        importance,
        device,
        at,
        body: body.to_vec(),
    }
}

fn device(number: u32) -> DeviceId {
    DeviceId::parse(&format!("{number:032x}")).unwrap()
}
