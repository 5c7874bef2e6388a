//! What the log keeps, and what it gives up.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn keeper(folder: &Path, limits: OutboxLimits) -> Keeper {
    Keeper {
        folder: folder.join(FOLDER),
        limits,
        missed: Arc::default(),
        is_torn: false,
        is_failing: false,
    }
}

fn entry(at: &str, size: usize) -> Entry {
    Entry {
        at: at.parse().expect("an instant"),
        kind: Kind::Poll,
        message: Value::String("x".repeat(size)),
    }
}

fn all(state_dir: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let ever = (Timestamp::MIN, Timestamp::MAX);
    read(state_dir, ever, |entry| {
        entries.push(entry);
        Ok(())
    })
    .expect("readable");
    entries
}

#[tokio::test]
async fn what_is_noted_is_read_back_in_order_and_is_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = Outbox::open(folder.path(), OutboxLimits::default()).expect("an outbox");
    for number in 0..20 {
        outbox.note(Kind::Poll, json!({ "epoch": number })).await;
    }
    drop(outbox);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while all(folder.path()).len() < 20 {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let numbers: Vec<_> = all(folder.path())
        .iter()
        .map(|entry| entry.message["epoch"].as_u64())
        .collect();
    assert_eq!(numbers, (0..20).map(Some).collect::<Vec<_>>());
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let kept = folder.path().join(FOLDER);
    assert_eq!(mode(&kept), 0o700);
    let name = parts(&kept).expect("files").remove(0);
    assert_eq!(mode(&kept.join(name)), 0o600);
}

#[test]
fn days_beyond_the_limit_are_gone_and_days_within_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    make_folder(&folder.path().join(FOLDER)).expect("a folder");
    let mut keeper = keeper(folder.path(), OutboxLimits::default());
    for at in [
        "2026-10-01T10:00:00Z",
        "2026-10-25T10:00:00Z",
        "2026-10-26T10:00:00Z",
        "2026-11-25T10:00:00Z",
    ] {
        keeper.append(&entry(at, 10)).expect("written");
    }
    let days: Vec<String> = all(folder.path()).iter().map(|it| day(it.at)).collect();
    assert_eq!(days, ["2026-10-26", "2026-11-25"]);
}

#[test]
fn the_bound_on_disk_holds_and_what_is_given_up_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    make_folder(&folder.path().join(FOLDER)).expect("a folder");
    let limits = OutboxLimits {
        days: 30,
        bytes_max: 64 * 1024,
    };
    let mut keeper = keeper(folder.path(), limits);
    for day in 1..=20 {
        for hour in 0..24 {
            let at = format!("2026-11-{day:02}T{hour:02}:00:00Z");
            keeper.append(&entry(&at, 1_000)).expect("written");
            let names = parts(&keeper.folder).expect("files");
            let sizes = names.iter().map(|name| {
                let file = fs::metadata(keeper.folder.join(name));
                file.expect("there").len()
            });
            assert!(sizes.sum::<u64>() <= limits.bytes_max);
        }
    }
    let kept = all(folder.path());
    assert!(kept.len() > 30, "{} lines in 64 KiB", kept.len());
    assert!(kept.iter().any(|entry| entry.kind == Kind::Dropped));
    assert!(kept.is_sorted_by_key(|entry| entry.at));
}

#[test]
fn a_line_that_was_cut_short_costs_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    make_folder(&folder.path().join(FOLDER)).expect("a folder");
    let mut keeper = keeper(folder.path(), OutboxLimits::default());
    keeper
        .append(&entry("2026-11-25T10:00:00Z", 10))
        .expect("written");
    let name = parts(&keeper.folder).expect("files").remove(0);
    let path = keeper.folder.join(name);
    let mut text = fs::read(&path).expect("a file");
    text.extend(b"{\"at\": \"2026-11-25T1");
    fs::write(&path, text).expect("written");
    keeper.is_torn = true;
    keeper
        .append(&entry("2026-11-25T11:00:00Z", 10))
        .expect("written");
    assert_eq!(all(folder.path()).len(), 2);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_holds_up_nobody_and_is_told_of_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = Outbox::open(folder.path(), OutboxLimits::default()).expect("an outbox");
    let kept = folder.path().join(FOLDER);
    // Not even root can make a file in what is no folder.
    fs::remove_dir(&kept).expect("empty");
    fs::write(&kept, "").expect("a file in its place");
    let begun = std::time::Instant::now();
    for _ in 0..30 {
        outbox.note(Kind::Poll, Value::Null).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while outbox.missed.load(Ordering::Relaxed) < 30 {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    fs::remove_file(&kept).expect("removed");
    make_folder(&kept).expect("a folder again");
    outbox.note(Kind::Poll, Value::Null).await;
    while all(folder.path()).len() < 2 {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let kept = all(folder.path());
    assert_eq!(kept[0].kind, Kind::Gap);
    assert_eq!(kept[0].message["messages"], 30);
}
