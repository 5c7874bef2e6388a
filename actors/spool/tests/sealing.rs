//! What a thief, a lost key and an older release make of a spool.

use std::path::Path;

use jiff::Timestamp;
use redb::{Builder, ReadableTable, TableDefinition};
use sha2::{Digest, Sha256};

use super::{bodies, contents, device, keep, key, noise, other_key, thinnable};
use crate::spool::tables::{ACKS, DEVICES, META, REPORTS, THINNABLE};
use crate::spool::{Alarm, Content, NewReport, Sequence, Spool, SpoolKey, SpoolLimits};

const SECRET: &[u8] = b"TOP-SECRET-SERIAL-OF-A-PRINTER-0123456789";

async fn open(path: &Path, key: SpoolKey) -> Spool {
    Spool::open(path, key, SpoolLimits::default())
        .await
        .unwrap()
}

fn holds(path: &Path, octets: &[u8]) -> bool {
    let file = std::fs::read(path).unwrap();
    file.windows(octets.len()).any(|window| window == octets)
}

fn beside(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path.parent().unwrap()).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "spool.redb")
        .collect()
}

#[tokio::test]
async fn the_file_tells_nothing_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.redb");
    let spool = open(&path, key()).await;
    spool.append(vec![keep(SECRET)]).await.unwrap();
    spool
        .remember(vec![(device(1), SECRET.to_vec())])
        .await
        .unwrap();
    spool.close().await;
    assert!(!holds(&path, SECRET));
    assert!(!holds(&path, b"SECRET"));
}

#[tokio::test]
async fn a_lost_key_sets_the_spool_aside_and_says_so_and_the_old_key_opens_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.redb");
    let spool = open(&path, key()).await;
    spool.append(vec![keep(b"a"), keep(b"b")]).await.unwrap();
    let epoch = spool.stats().epoch;
    spool.close().await;

    let spool = open(&path, other_key()).await;
    assert!(
        spool.stats().epoch > epoch,
        "another spool is another epoch"
    );
    assert_eq!(spool.stats().waiting, 0);
    spool.append(vec![keep(b"c")]).await.unwrap();
    let aside = beside(&path);
    assert!(aside[0].starts_with("spool.redb.locked-"), "{aside:?}");
    let alarms = spool.alarms(Timestamp::now());
    let [Alarm::Locked { aside: told, .. }] = &alarms[..] else {
        panic!("{alarms:?}");
    };
    assert_eq!(*told, aside[0], "the alarm names the file");
    spool.close().await;

    let back = open(&folder.path().join(&aside[0]), key()).await;
    assert_eq!(bodies(&back).await, [b"a", b"b"], "nothing was lost");
}

#[tokio::test]
async fn an_entry_that_was_moved_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.redb");
    let spool = open(&path, key()).await;
    spool.append(vec![keep(b"a"), keep(b"b")]).await.unwrap();
    spool
        .remember(vec![(device(1), vec![1]), (device(2), vec![2])])
        .await
        .unwrap();
    spool.close().await;
    let database = Builder::new().create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut reports = transaction.open_table(REPORTS).unwrap();
        let first = reports.get(1).unwrap().unwrap().value().to_vec();
        reports.insert(2, first.as_slice()).unwrap();
        let mut devices = transaction.open_table(DEVICES).unwrap();
        let id = device(1);
        let one = devices.get(id.as_str()).unwrap().unwrap().value().to_vec();
        devices.insert(device(2).as_str(), one.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let spool = open(&path, key()).await;
    assert_eq!(
        contents(&spool).await,
        [Content::Report(b"a".to_vec()), Content::Damaged]
    );
    assert_eq!(spool.recall().await.unwrap(), [(device(1), vec![1])]);
}

/// An entry as the first form of the spool had it: behind the head of a SHA-256 of key and octets.
fn under_checksum(key: &[u8], octets: &[u8]) -> Vec<u8> {
    let digest = Sha256::new().chain_update(key).chain_update(octets);
    [&digest.finalize()[..8], octets].concat()
}

/// Writes a spool of the first form: these reports, of which the first `acked` are acked.
fn write_first_form(path: &Path, reports: &[NewReport], acked: u64) {
    let database = Builder::new().create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(REPORTS).unwrap();
        let mut thinnable = transaction.open_table(THINNABLE).unwrap();
        for (sequence, report) in (1_u64..).zip(reports) {
            let is_thinnable = report.device.is_some();
            let id = report.device.as_ref().map_or("", |id| id.as_str());
            let mut octets = vec![u8::from(is_thinnable)];
            octets.extend(report.at.as_millisecond().to_be_bytes());
            octets.push(u8::try_from(id.len()).unwrap());
            octets.extend([id.as_bytes(), &report.body].concat());
            let octets = under_checksum(&sequence.to_be_bytes(), &octets);
            table.insert(sequence, octets.as_slice()).unwrap();
            if is_thinnable && sequence > acked {
                thinnable.insert(sequence, ()).unwrap();
            }
        }
        let mut acks = transaction.open_table(ACKS).unwrap();
        acks.insert(1, acked).unwrap();
        let mut devices = transaction.open_table(DEVICES).unwrap();
        let id = device(1);
        let octets = under_checksum(id.as_str().as_bytes(), SECRET);
        devices.insert(id.as_str(), octets.as_slice()).unwrap();
        let mut meta = transaction.open_table(META).unwrap();
        let last = reports.len() as u64;
        for (name, value) in [
            ("epoch", 1_700_000_000_000),
            ("last", last),
            ("acked", acked),
            ("waiting", last - acked),
            ("bytes", 77),
            ("thinned", 5),
            ("damaged", 0),
        ] {
            meta.insert(name, value).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_spool_of_the_first_form_is_carried_over_and_leaves_nothing_in_the_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.redb");
    let reports = [
        keep(b"acked"),
        thinnable(device(1), 1, &noise(300, 1)),
        keep(SECRET),
    ];
    write_first_form(&path, &reports, 1);
    assert!(holds(&path, SECRET), "the first form stands in the open");
    // What a cut in an earlier attempt left behind.
    std::fs::write(path.with_extension("carried"), b"half").unwrap();

    for _again in 0..2 {
        let spool = open(&path, key()).await;
        let stats = spool.stats();
        assert_eq!(stats.epoch, 1_700_000_000_000);
        assert_eq!((stats.waiting, stats.thinned, stats.damaged), (2, 5, 0));
        assert_eq!(bodies(&spool).await, [noise(300, 1), SECRET.to_vec()]);
        assert_eq!(
            spool.recall().await.unwrap(),
            [(device(1), SECRET.to_vec())]
        );
        spool.close().await;
        assert!(!holds(&path, SECRET));
    }
    assert_eq!(beside(&path), Vec::<String>::new());
    let spool = open(&path, key()).await;
    spool.rewind(Sequence(1)).await.unwrap();
    assert_eq!(bodies(&spool).await[0], b"acked", "acked ones too");
}

#[tokio::test]
async fn a_damaged_lid_does_not_lock_a_spool_whose_records_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.redb");
    let spool = open(&path, key()).await;
    spool.append(vec![keep(b"a")]).await.unwrap();
    spool.close().await;
    let database = Builder::new().create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    const LID: TableDefinition<&str, &[u8]> = TableDefinition::new("lid");
    let lid = &[7_u8; 40][..];
    transaction
        .open_table(LID)
        .unwrap()
        .insert("lid", lid)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_eq!(bodies(&open(&path, key()).await).await, [b"a"]);
}
