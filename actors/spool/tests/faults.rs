//! Disks that lie, fill up, fail and lose power.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use tempfile::TempDir;

use super::bad_disk::Disk;
use super::bad_file::{BadDisk, Fault};
use super::{bodies, contents, device, keep, key, noise, on_disk, open, sealed, small, thinnable};
use crate::spool::keeper::Keeper;
use crate::spool::{Alarm, Content, Sequence, Spool, SpoolError, SpoolLimits};

/// The instant of the scripted hour.
const NOON_MS: u64 = 1_795_000_000_000;
const NOON_MS_AT: &str = "2026-11-18T11:06:40Z";

#[tokio::test]
async fn a_damaged_report_is_skipped_counted_and_told() {
    let disk = Disk::default();
    let spool = on_disk(&disk, SpoolLimits::default(), || 1).await;
    spool
        .append(vec![keep(b"a"), keep(b"b"), keep(b"c")])
        .await
        .unwrap();
    spool.close().await;
    let spoiled = disk.spoil(&sealed(&disk, 2));
    assert!(spoiled > 0, "the report is on disk");
    let spool = on_disk(&disk, SpoolLimits::default(), || 1).await;
    for _again in 0..2 {
        let contents: Vec<Content> = contents(&spool).await;
        let report = |body: &[u8]| Content::Report(body.to_vec());
        assert_eq!(contents, [report(b"a"), Content::Damaged, report(b"c")]);
        assert_eq!(spool.stats().damaged, 1);
        let alarms = spool.alarms(Timestamp::UNIX_EPOCH);
        assert!(
            matches!(alarms[..], [Alarm::Damaged { reports: 1, .. }]),
            "{alarms:?}"
        );
    }
    assert_eq!(
        spool.append(vec![keep(b"d")]).await.unwrap(),
        Sequence(4)..=Sequence(4)
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

/// Power cuts of the test below. Where FUSE can be mounted, the stories cut a real file's power.
const CUTS: u64 = 200;

#[tokio::test]
async fn a_power_cut_takes_nothing_that_was_accepted() {
    let disk = Disk::default();
    let mut accepted: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for cut in 0..CUTS {
        let spool = on_disk(&disk, SpoolLimits::default(), || NOON_MS).await;
        let found = spool.peek(usize::MAX, usize::MAX).await.unwrap();
        for (place, body) in &accepted {
            let here = found.iter().find(|it| it.sequence.0 == *place);
            let content = here.map(|it| &it.content);
            assert!(
                content == Some(&Content::Report(body.clone())),
                "{cut}: {place}"
            );
        }
        assert!(found.iter().all(|it| it.content != Content::Damaged));
        // The power goes before the change of that number, wherever in an append or an ack it is.
        disk.cut_after(noise(1, cut)[0] % 60);
        for n in 0.. {
            let body = noise(300, cut * 1_000 + n);
            let Ok(places) = spool.append(vec![keep(&body)]).await else {
                break;
            };
            accepted.insert(places.start().0, body);
            if n % 4 == 3 {
                let up_to = Sequence(places.start().0 - 1);
                accepted.retain(|place, _| *place > up_to.0);
                if spool.ack(up_to).await.is_err() {
                    break;
                }
            }
        }
        spool.close().await;
        disk.return_power((cut % 2 == 0).then_some(cut));
    }
    let spool = on_disk(&disk, SpoolLimits::default(), || NOON_MS).await;
    assert!(spool.stats().last.0 > CUTS, "{:?}", spool.stats());
}

#[tokio::test]
async fn a_file_that_is_no_spool_is_set_aside_and_said() {
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
    let alarms = spool.alarms(Timestamp::now());
    assert!(matches!(alarms[..], [Alarm::SetAside { .. }]), "{alarms:?}");
}

/// What an hour of the script saw.
#[derive(Debug, Default)]
struct Hour {
    /// What was accepted, by its place.
    accepted: BTreeMap<u64, Vec<u8>>,
    /// The last place whose ack was accepted.
    acked: u64,
    failed: u64,
    alarms: Vec<Alarm>,
}

/// An hour of a site: a report and a status every five minutes, handed over every ten.
async fn hour(path: &Path, disk: &BadDisk) -> Hour {
    let opener = disk.clone();
    let keeper = Keeper::new(path.to_owned(), key(), small(), || NOON_MS)
        .on(Box::new(move |path| opener.open(path)));
    let spool = Spool::start(keeper).await.unwrap();
    let mut hour = Hour::default();
    for turn in 0..12_u8 {
        let reports = vec![
            keep(&noise(2_000, u64::from(turn))),
            thinnable(device(1), u32::from(turn), &[turn; 60]),
        ];
        let bodies: Vec<Vec<u8>> = reports.iter().map(|it| it.body.clone()).collect();
        match spool.append(reports).await {
            Ok(places) => {
                let places = places.start().0..=places.end().0;
                hour.accepted.extend(places.zip(bodies));
            }
            Err(error) => hour.fails(error),
        }
        let remembered = spool.remember(vec![(device(1), vec![turn])]).await;
        remembered.unwrap_or_else(|error| hour.fails(error));
        if turn % 2 == 0 {
            continue;
        }
        match spool.peek(2, usize::MAX).await {
            Ok(peeked) => {
                let Some(last) = peeked.last() else { continue };
                match spool.ack(last.sequence).await {
                    Ok(()) => hour.acked = hour.acked.max(last.sequence.0),
                    Err(error) => hour.fails(error),
                }
            }
            Err(error) => hour.fails(error),
        }
    }
    hour.alarms = spool.alarms(NOON_MS_AT.parse().unwrap());
    spool.close().await;
    hour
}

impl Hour {
    fn fails(&mut self, error: SpoolError) {
        // A call that ended in a panic would be `Closed`.
        let is_told = matches!(
            error,
            SpoolError::Unusable { .. } | SpoolError::Resting { .. }
        );
        assert!(is_told, "{error}");
        self.failed += 1;
    }
}

#[tokio::test]
async fn whichever_write_breaks_nothing_accepted_is_lost_and_an_alarm_rings() {
    every_write_fails(Fault::Broken).await;
}

#[tokio::test]
async fn whichever_write_finds_no_room_nothing_accepted_is_lost_and_an_alarm_rings() {
    every_write_fails(Fault::Full).await;
}

#[tokio::test]
async fn whichever_write_is_cut_short_nothing_accepted_is_lost_and_an_alarm_rings() {
    every_write_fails(Fault::Short).await;
}

#[tokio::test]
async fn from_whichever_write_on_the_disk_is_full_nothing_accepted_is_lost_and_an_alarm_rings() {
    every_write_fails(Fault::StaysFull).await;
}

/// Lives the hour once for each of its writes, which fails.
async fn every_write_fails(fault: Fault) {
    let fast = Path::new("/dev/shm");
    let folder = if fast.is_dir() {
        TempDir::new_in(fast).unwrap()
    } else {
        TempDir::new().unwrap()
    };
    let good = BadDisk::new(Fault::Broken, 0);
    let whole = hour(&folder.path().join("good"), &good).await;
    assert_eq!((whole.accepted.len(), whole.failed), (24, 0));
    assert_eq!(whole.alarms, []);
    let writes = good.writes();
    assert!(writes > 100, "{writes} writes");
    let mut felt = 0;
    for at in 1..=writes {
        let path = folder.path().join("bad");
        let disk = BadDisk::new(fault, at);
        let seen = hour(&path, &disk).await;
        assert!(
            disk.writes() < 4 * writes + 1_000,
            "{fault:?} at {at}: a loop of {} writes",
            disk.writes()
        );
        // A fault at the opening fails no call of the hour, but rings.
        let rings = matches!(seen.alarms[..], [Alarm::Failing { .. }]);
        assert!(
            rings || (seen.failed == 0 && seen.alarms.is_empty()),
            "{fault:?} at {at}: {:?}",
            seen.alarms
        );
        felt += u64::from(rings);

        let spool = Spool::open(&path, key(), small()).await.unwrap();
        assert!(spool.stats().acked.0 >= seen.acked, "{fault:?} at {at}");
        spool.rewind(Sequence(1)).await.unwrap();
        let found: Vec<(u64, Vec<u8>)> = spool
            .peek(usize::MAX, usize::MAX)
            .await
            .unwrap()
            .into_iter()
            .map(|it| match it.content {
                Content::Report(body) => (it.sequence.0, body),
                Content::Thinned { .. } | Content::Damaged => panic!("{fault:?} at {at}"),
            })
            .collect();
        assert!(found.is_sorted_by(|a, b| a.0 < b.0), "each stands once");
        let found: BTreeMap<u64, Vec<u8>> = found.into_iter().collect();
        for (place, body) in &seen.accepted {
            assert!(found.get(place) == Some(body), "{fault:?} at {at}: {place}");
        }
        spool.close().await;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    assert!(
        felt * 10 > writes * 9,
        "{felt} of {writes} faults were felt"
    );
    println!("{fault:?}: each of {writes} writes failed once, {felt} were felt, nothing was lost");
}
