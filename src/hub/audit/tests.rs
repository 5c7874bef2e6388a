//! What is a line, what is a whole chain, and what happens where nothing can be written.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::head::Head;
use super::writer::{Audit, AuditError, Chain, GROUP_MAX};
use super::*;
use crate::session::{Cause, SessionId, Witness};
use crate::store::Store;

fn now() -> Timestamp {
    "2026-11-25T07:00:00Z".parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        id: SessionId::new().unwrap(),
        tenant: Tenant::DEFAULT,
        agent: "a".repeat(32),
        device: printer::identity::DeviceId::parse(&"d".repeat(32)).unwrap(),
        address: None,
        port: 80,
        holder: "a.martin".to_owned(),
        reason: "jam".to_owned(),
        from: Some("10.1.2.3".parse().unwrap()),
        opened: now(),
        until: now() + Duration::from_mins(15),
        idle_max: Duration::from_mins(5),
        is_read_only: true,
        is_fallback: false,
    }
}

fn asked(number: u64, path: &str) -> Deed {
    Deed::Asked {
        number,
        method: "GET".to_owned(),
        path: path.to_owned(),
    }
}

fn chain(sealer: &Sealer) -> Vec<Line> {
    let terms = terms();
    let first = [Entry::opened(&terms), Entry::approved(&terms, "m.dupont")];
    let mut lines = sealer.lines(&Mark::beginning(), &first, now());
    let deed = Entry::deed(&terms, &asked(1, "/"));
    lines.extend(sealer.lines(&Mark::at(lines.last()), &[deed.clone(), deed], now()));
    lines
}

fn whole(sealer: &Sealer, lines: &[Line]) -> Result<Mark, Wrong> {
    let follow = |end: Mark, line| sealer.follow(&end, line);
    lines.iter().try_fold(Mark::beginning(), follow)
}

#[test]
fn every_part_of_a_line_is_covered() {
    let sealer = Sealer::new(b"key");
    let lines = chain(&sealer);
    assert_eq!(whole(&sealer, &lines), Ok(Mark::at(lines.last())));
    let changes: [fn(&mut Line); 9] = [
        |line| line.at_ms += 1,
        |line| line.tenant.push('x'),
        |line| line.session = "0".repeat(32),
        |line| line.kind.push('x'),
        |line| line.body = line.body.replace('/', "/x"),
        |line| line.opening += 1,
        |line| line.before = NOTHING.to_owned(),
        |line| line.hash = NOTHING.to_owned(),
        |line| line.seal = NOTHING.to_owned(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = lines.clone();
        change(&mut changed[2]);
        let wrong = whole(&sealer, &changed).unwrap_err();
        let is_found = matches!(wrong, Wrong::Changed(3) | Wrong::Forged(3));
        assert!(is_found, "{number}: {wrong}");
    }
    // What stands at the end of one part cannot stand at the beginning of the next.
    let mut moved = lines[2].clone();
    let last = moved.kind.pop().unwrap();
    moved.body.insert(0, last);
    assert_ne!(super::digest(&moved), lines[2].hash);
}

#[test]
fn a_chain_made_anew_from_the_middle_has_no_seal() {
    let sealer = Sealer::new(b"key");
    let mut lines = chain(&sealer);
    let (before, terms) = (Mark::at(lines.get(1)), terms());
    let other = [Entry::deed(&terms, &asked(1, "/other"))];
    lines.truncate(2);
    lines.extend(Sealer::new(b"guessed").lines(&before, &other, now()));
    assert_eq!(whole(&sealer, &lines), Err(Wrong::Forged(3)));
}

#[test]
fn one_interrupted_commit_explains_one_group_and_no_more() {
    let sealer = Sealer::new(b"key");
    let lines = chain(&sealer);
    let (first, second) = lines.split_at(2);
    let written = Mark::at(first.last());
    let end = Mark::at(second.last());
    assert_eq!(sealer.interrupted(&written, second), Ok(end));
    assert_eq!(sealer.interrupted(&written, &[]), Ok(written));
    let two = sealer.interrupted(&Mark::beginning(), &lines);
    assert_eq!(two, Err(Wrong::Beyond(3)));
}

#[test]
fn a_path_is_bounded_and_cut_between_characters() {
    let path = format!("/{}", "é".repeat(PATH_BYTES_MAX));
    let entry = Entry::deed(&terms(), &asked(1, &path));
    let kept = entry.body["path"].as_str().unwrap();
    assert_eq!(kept.len(), PATH_BYTES_MAX - 1);
    assert_eq!(entry.body["is_cut"], true);
    let short = Entry::deed(&terms(), &asked(1, "/set?contrast=3"));
    assert_eq!(short.body["path"], "/set?contrast=3");
    assert_eq!(short.body["is_cut"], false);
}

#[test]
fn an_end_that_was_written_half_is_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let head = Head::open(folder.path()).unwrap();
    assert!(head.hold().unwrap().is_none());
    head.make(&Mark::beginning()).unwrap();
    let mark = |sequence| Mark {
        sequence,
        hash: hex(&[7; 32]),
    };
    for sequence in 1..=3 {
        let mut held = head.hold().unwrap().unwrap();
        held.move_to(mark(sequence)).unwrap();
        assert_eq!(held.end(), mark(sequence));
    }
    let path = folder.path().join("audit.head");
    let text = std::fs::read_to_string(&path).unwrap();
    let newest = text.find("00003").unwrap();
    let mut torn = text.clone().into_bytes();
    torn[newest + 40] = b'x';
    std::fs::write(&path, &torn).unwrap();
    assert_eq!(head.hold().unwrap().unwrap().end(), mark(2));
    std::fs::write(
        &path,
        text.replace("0000000000000000000", "0000000000000000009"),
    )
    .unwrap();
    let forged = head.hold().unwrap_err().to_string();
    assert!(forged.contains("restore it from a backup"), "{forged}");
}

#[tokio::test]
async fn deeds_that_come_together_are_one_commit_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("sqlite:hub.db", folder.path()).await.unwrap();
    let audit = Audit::open(store.clone(), folder.path()).unwrap();
    let terms = terms();
    audit.write(Entry::opened(&terms)).await.unwrap();
    let notes = (1..=200).map(|number| audit.note(&terms, asked(number, "/")));
    let noted = futures_util::future::join_all(notes).await;
    assert!(noted.iter().all(Result::is_ok));
    let lines = store.audit_after(0, 1_000).await.unwrap();
    assert_eq!(lines.len(), 201);
    let groups: std::collections::BTreeSet<_> = lines.iter().map(|line| line.opening).collect();
    assert!(groups.len() < 20, "{groups:?}");
    let end = Chain::open(store, folder.path()).unwrap().verify().await;
    assert_eq!(end.unwrap().sequence, 201);
}

#[tokio::test]
async fn two_programs_write_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("sqlite:hub.db", folder.path()).await.unwrap();
    let chains = [0, 1].map(|_| Chain::open(store.clone(), folder.path()).unwrap());
    let write = async |chain: &Chain| {
        for number in 0..20 {
            let entry = Entry::ssh_key_added(&Tenant::DEFAULT, "anna", &number.to_string());
            chain.add(&[entry], now()).await.unwrap();
        }
    };
    tokio::join!(write(&chains[0]), write(&chains[1]));
    assert_eq!(chains[0].verify().await.unwrap().sequence, 40);
}

/// A small file system in memory, unmounted when dropped; `None` where nobody may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"])
            .arg(folder.path())
            .output();
        let is_mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        is_mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no octet free.
    fn fill(&self) {
        let mut size = 1 << 20;
        let mut number = 0;
        while size > 0 {
            let file = self.path().join(format!("fill-{number}"));
            if std::fs::write(file, vec![0_u8; size]).is_err() {
                size /= 2;
            }
            number += 1;
        }
    }

    fn free(&self) {
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("fill-")
            {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_takes_no_deed_and_says_why() {
    let Some(disk) = SmallDisk::mount() else {
        println!("NOT TRIED HERE: this user mounts no file system");
        return;
    };
    let store = Store::open("sqlite:hub.db", disk.path()).await.unwrap();
    let audit = Audit::open(store.clone(), disk.path()).unwrap();
    let sessions = crate::session::Sessions::default();
    let session = sessions
        .begin(terms(), std::sync::Arc::new(audit.clone()))
        .unwrap();
    audit.write(Entry::opened(session.terms())).await.unwrap();
    session.note(asked(1, "/")).await.unwrap();

    disk.fill();
    let mut number = 2;
    let refused = loop {
        // What SQLite has set aside takes a few lines more.
        match session.note(asked(number, &"/x".repeat(900))).await {
            Ok(()) if number < 2_000 => number += 1,
            Ok(()) => panic!("a full disk takes everything"),
            Err(refused) => break refused.to_string(),
        }
    };
    assert!(
        refused.contains("full") && refused.contains("free the hub's disk"),
        "{refused}"
    );
    assert_eq!(session.has_ended().unwrap().cause, Cause::NoAudit);
    let opened = audit
        .write(Entry::opened(&terms()))
        .await
        .unwrap_err()
        .to_string();
    assert!(opened.contains("full"), "{opened}");

    disk.free();
    audit.write(Entry::opened(&terms())).await.unwrap();
    let end = Chain::open(store, disk.path())
        .unwrap()
        .verify()
        .await
        .unwrap();
    assert_eq!(
        end.sequence,
        number + 1,
        "what was refused is not there, the rest is whole"
    );
}

#[tokio::test]
async fn a_chain_whose_end_was_lost_takes_nothing_until_a_person_has_looked() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("sqlite:hub.db", folder.path()).await.unwrap();
    let chain = Chain::open(store, folder.path()).unwrap();
    chain.add(&[Entry::opened(&terms())], now()).await.unwrap();
    std::fs::remove_file(folder.path().join("audit.head")).unwrap();
    let refused = chain.add(&[Entry::opened(&terms())], now()).await;
    assert!(matches!(refused, Err(AuditError::NoHead(1))), "{refused:?}");
    assert!(matches!(chain.verify().await, Err(AuditError::NoHead(1))));
    let expected = chain
        .adopt(&Tenant::DEFAULT, "restored", now())
        .await
        .unwrap();
    assert_eq!(expected, None);
    assert_eq!(chain.verify().await.unwrap().sequence, 2);
    const { assert!(GROUP_MAX < 1_000, "a group is read in one page") };
}
