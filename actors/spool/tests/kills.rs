//! A process that is killed while it appends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{device, thinnable};
use crate::spool::{Spool, SpoolKey, SpoolLimits};

/// Tells the re-executed test binary that it is the child, and where its spool is.
const CHILD_SPOOL: &str = "PLATEN_TEST_CHILD_SPOOL";

#[tokio::test]
async fn a_killed_process_takes_nothing_that_was_promised() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("spool.redb");
    let mut promised = Vec::new();
    // As many promises as are waited for before the kill: it falls into another step each time.
    for promises in [1, 4, 2, 7, 3, 11] {
        promised.extend(kill_child_after(&file, promises));
        let spool = Spool::open(&file, child_key(&file), SpoolLimits::default())
            .await
            .unwrap();
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
    let Some(file) = std::env::var_os(CHILD_SPOOL).map(PathBuf::from) else {
        return;
    };
    let spool = Spool::open(&file, child_key(&file), SpoolLimits::default())
        .await
        .unwrap();
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
            "spool::tests::kills::child_that_appends_until_killed",
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

/// The key in the folder of the child's spool.
fn child_key(file: &Path) -> SpoolKey {
    SpoolKey::of_folder(file.parent().unwrap()).unwrap()
}
