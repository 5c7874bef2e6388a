//! The TLS of the hub's doors, judged by sslyze against Mozilla's intermediate configuration.

use std::process::Command;

use stories::World;

/// What sslyze finds that is so on purpose: the hub is its own authority, which agents pin.
const ON_PURPOSE: [&str; 1] = ["certificate_path_validation"];

/// sslyze beside snmpsim, as scripts/setup puts it, or in the PATH.
fn sslyze() -> Option<Command> {
    let beside = std::env::var_os("PLATEN_SNMPSIM").map(std::path::PathBuf::from);
    let beside = beside.map(|venv| venv.join("bin").join("sslyze"));
    let program = beside.filter(|path| path.is_file());
    let program = program.unwrap_or_else(|| "sslyze".into());
    let is_there = Command::new(&program).arg("--help").output().is_ok();
    is_there.then(|| Command::new(program))
}

#[tokio::test(flavor = "multi_thread")]
async fn sslyze_finds_nothing_below_mozillas_intermediate() {
    let Some(mut sslyze) = sslyze() else {
        eprintln!("sslyze is not installed (scripts/setup test): not scanned");
        return;
    };
    let mut world = World::new();
    world.hub_runs().await;
    let door = format!("127.0.0.1:{}", world.uplink_port());
    sslyze.args(["--mozilla_config", "intermediate", &door]);
    let scan = tokio::task::spawn_blocking(move || sslyze.output()).await;
    let scan = scan.expect("a thread").expect("sslyze runs");
    let text = String::from_utf8_lossy(&scan.stdout).into_owned();
    let (_, verdict) = text.split_once("COMPLIANCE AGAINST").expect("a verdict");
    assert!(verdict.contains(&door), "{text}");
    assert!(!verdict.contains("ERROR"), "the scan was not made: {text}");
    let found: Vec<&str> = verdict
        .lines()
        .filter_map(|line| line.trim().strip_prefix("* ")?.split_once(':'))
        .map(|(what, _)| what)
        .filter(|what| !ON_PURPOSE.contains(what))
        .collect();
    assert!(found.is_empty(), "{found:?}: {text}");
    assert!(
        text.contains("TLS_AES_256_GCM_SHA384"),
        "ciphers were tried: {text}"
    );
}
