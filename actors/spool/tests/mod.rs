//! Stories of the spool: what it promises, on good disks and bad ones.

mod bad_disk;
mod bad_file;
mod epochs;
mod faults;
mod kills;
mod outage;
mod queue;
mod sealing;
mod thinning;

use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;
use printer::identity::DeviceId;
use redb::{Builder, ReadableDatabase};
use tempfile::TempDir;

use super::keeper::{Clock, Keeper};
use super::tables::REPORTS;
use super::{Content, Importance, NewReport, Spool, SpoolKey, SpoolLimits};
use bad_disk::Disk;

async fn on_disk(disk: &Disk, limits: SpoolLimits, now_ms: Clock) -> Spool {
    let disk = disk.clone();
    let open = move |_: &Path| Builder::new().create_with_backend(disk.clone());
    let keeper = Keeper::new("spool in memory".into(), key(), limits, now_ms).on(Box::new(open));
    Spool::start(keeper).await.unwrap()
}

async fn new_spool(limits: SpoolLimits) -> (TempDir, Spool) {
    let folder = TempDir::new().unwrap();
    let spool = open(folder.path(), limits).await;
    (folder, spool)
}

async fn open(folder: &Path, limits: SpoolLimits) -> Spool {
    Spool::open(folder.join("spool.redb"), key(), limits)
        .await
        .unwrap()
}

/// One key for all tests of a process.
fn key() -> SpoolKey {
    static KEY: LazyLock<SpoolKey> = LazyLock::new(other_key);
    KEY.clone()
}

fn other_key() -> SpoolKey {
    SpoolKey::of_folder(TempDir::new().unwrap().path()).unwrap()
}

/// Octets that cannot be packed (splitmix64).
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// The octets of a report as they stand on a disk.
fn sealed(disk: &Disk, sequence: u64) -> Vec<u8> {
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_read().unwrap();
    let reports = transaction.open_table(REPORTS).unwrap();
    let octets = reports.get(sequence).unwrap().unwrap();
    octets.value().to_vec()
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
