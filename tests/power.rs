//! The power is cut while the spool is written: what it accepted is there when the power returns.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use actors::spool::{
    Alarm, Content, Importance, NewReport, Sequence, Spool, SpoolError, SpoolKey, SpoolLimits,
};
use jiff::Timestamp;
use stories::{PATIENCE, World, until};
use tempfile::TempDir;

#[path = "power/disk.rs"]
mod disk;

use disk::{Dice, Disk, Survives};

/// Cuts in a run.
const CUTS: u64 = 200;

/// Most changes between two cuts: some three appends with their acks, of which each takes a dozen.
const CHANGES_MAX: u64 = 120;

/// A disk of the test on a folder; none, and said so, where this machine has no FUSE. The same is
/// then told only by `spool::tests::faults` of the actors, without the kernel in between.
fn disk(folder: &Path) -> Option<Disk> {
    match Disk::mount(folder) {
        Ok(disk) => Some(disk),
        Err(error) => {
            println!("NOT TRIED HERE: this machine mounts no FUSE file system ({error})");
            assert!(
                !Path::new("/dev/fuse").exists() || std::env::var_os("CI").is_some(),
                "there is /dev/fuse, and yet: {error}"
            );
            None
        }
    }
}

#[test]
fn the_disk_of_these_tests_forgets_what_was_not_synced() {
    let folder = TempDir::new().expect("a folder");
    let Some(disk) = disk(folder.path()) else {
        return;
    };
    let path = |name: &str| folder.path().join(name);
    fs::write(path("unsynced"), b"gone").expect("written");
    fs::write(path("kept"), b"old").expect("written");
    File::open(path("kept"))
        .and_then(|file| file.sync_all())
        .expect("synced");
    File::open(folder.path())
        .and_then(|folder| folder.sync_all())
        .expect("synced");
    fs::write(path("nameless"), b"synced, but its name is not").expect("written");
    File::open(path("nameless"))
        .and_then(|file| file.sync_all())
        .expect("synced");
    fs::write(path("kept"), b"new").expect("written");
    assert_eq!(fs::read(path("kept")).expect("read"), b"new");
    disk.return_power(Survives::Nothing, &mut Dice(1));
    assert_eq!(fs::read(path("kept")).expect("read"), b"old");
    assert_eq!(fs::read(path("unsynced")).expect("its name"), b"");
    assert!(!path("nameless").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cut_takes_what_was_accepted() {
    cuts(Survives::Nothing, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_that_leaves_some_blocks_and_not_others() {
    cuts(Survives::SomeBlocks, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_an_alarm_at_the_hub_and_nothing_accepted_is_lost() {
    let folder = TempDir::new().expect("a folder");
    let Some(disk) = disk(folder.path()) else {
        return;
    };
    let fleet = "seed = 7\nspeed = 600.0\n[[printers]]\n\
                 recording = \"kyocera-taskalfa-4054ci\"\naddresses = [\"127.37.0.1\", \"127.37.0.2\"]\n";
    let rack = stories::rack(fleet);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.37.0.1-2"], rack.port, "");
    world.agent_is_enrolled();
    let file = folder.path().join("spool.redb");
    std::os::unix::fs::symlink(file, world.path("agent/spool.redb")).expect("a link");
    world.agent_is_started();
    until("two printers are stored", PATIENCE, || async {
        (world.printers().len() == 2).then_some(())
    })
    .await;

    disk.fill(true);
    until("the hub shows the alarm", PATIENCE, || async {
        let said = world.hub_says(&["agent", "ls"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        said.contains("the spool's disk failed").then_some(())
    })
    .await;
    let status = world.status().expect("the agent lives");
    assert_eq!(
        status["restarts"]["total"], 0,
        "somebody died of it: {status}"
    );
    let stored = world.stored().await.len();
    disk.fill(false);
    until("reports come again", PATIENCE, || async {
        (world.stored().await.len() > stored + 4).then_some(())
    })
    .await;
    let spooled = world.settles(rack).await;
    assert_eq!(
        spooled,
        world.stored().await,
        "what was accepted is at the hub"
    );
}

/// What the spool has accepted and not been told to forget.
type Accepted = BTreeMap<u64, Vec<u8>>;

async fn cuts(survives: Survives, seed: u64) {
    let folder = TempDir::new().expect("a folder");
    let Some(disk) = disk(folder.path()) else {
        return;
    };
    let secret = TempDir::new().expect("a folder");
    let key = SpoolKey::of_folder(secret.path()).expect("a key");
    let path = folder.path().join("spool.redb");
    let mut dice = Dice(seed);
    let mut accepted = Accepted::new();
    let mut all = 0;
    for cut in 0..CUTS {
        let spool = Spool::open(&path, key.clone(), SpoolLimits::default())
            .await
            .unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        check(&spool, &accepted, cut).await;
        disk.cut_after(dice.below(CHANGES_MAX));
        while !disk.is_off() {
            all += live(&spool, &mut accepted, &mut dice).await.unwrap_or(0);
        }
        spool.close().await;
        disk.return_power(survives, &mut dice);
    }
    let spool = Spool::open(&path, key, SpoolLimits::default())
        .await
        .expect("the spool");
    check(&spool, &accepted, CUTS).await;
    spool.close().await;
    assert!(all > CUTS, "only {all} reports were accepted");
    println!("{CUTS} cuts, {all} reports accepted, 0 of them lost ({survives:?})");
}

/// Appends, hands over and remembers until the power goes; how many reports were accepted.
async fn live(spool: &Spool, accepted: &mut Accepted, dice: &mut Dice) -> Result<u64, SpoolError> {
    let length = 1 + dice.below(3_000);
    let bodies: Vec<Vec<u8>> = (0..1 + dice.below(3))
        .map(|_| dice.octets(length))
        .collect();
    let report = |body: &Vec<u8>| NewReport {
        importance: Importance::Keep,
        device: None,
        at: Timestamp::UNIX_EPOCH,
        body: body.clone(),
    };
    let places = spool.append(bodies.iter().map(report).collect()).await?;
    let count = bodies.len() as u64;
    accepted.extend((places.start().0..=places.end().0).zip(bodies));
    if dice.below(3) == 0 {
        let peeked = spool.peek(4, usize::MAX).await?;
        if let Some(last) = peeked.last() {
            // From here on the spool may forget them, whether it lives to say so or not.
            accepted.retain(|place, _| *place > last.sequence.0);
            spool.ack(last.sequence).await?;
        }
    }
    Ok(count)
}

/// Everything accepted stands in the spool, once and unaltered, and nothing is damaged.
async fn check(spool: &Spool, accepted: &Accepted, cut: u64) {
    for alarm in spool.alarms(Timestamp::now()) {
        let is_disk = matches!(alarm, Alarm::Failing { .. });
        assert!(is_disk, "cut {cut}: {alarm}");
    }
    let mut found = Accepted::new();
    let peeked = spool.peek(usize::MAX, usize::MAX).await.expect("readable");
    for spooled in peeked {
        let Content::Report(body) = spooled.content else {
            panic!("cut {cut}: {:?} is damaged", spooled.sequence);
        };
        let before = found.insert(spooled.sequence.0, body);
        assert_eq!(before, None, "each stands once");
    }
    for (place, body) in accepted {
        assert!(found.get(place) == Some(body), "cut {cut}: {place} is lost");
    }
    let last = accepted.keys().next_back().copied().unwrap_or(0);
    assert!(
        spool.stats().last >= Sequence(last),
        "no place is given twice"
    );
}
