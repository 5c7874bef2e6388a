//! The site's own word, with real programs: what it masks never reaches the hub, what was sent can
//! be read, and a dry run sends nothing.

use std::path::Path;

use serde_json::Value;
use stories::{PATIENCE, World, until};

const FLEET: &str = "seed = 21\nspeed = 600.0\n\
    [[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"127.41.0.1\"\n\
    [[printers]]\nrecording = \"xerox-versalink-c505\"\naddresses = \"127.41.0.2\"\n\
    [[printers]]\nrecording = \"hp-laserjet-m507dn\"\naddresses = \"127.41.0.3\"\n";

const MASKS: &str = "[masks]\naddresses = true\nhost_names = true\nlocations = true\n\
    serial_tails = 4\n";

/// Everything in these readings that the masks are for: addresses, serial numbers, and what the
/// owner called the printers and their places.
fn secrets(readings: &[Value]) -> Vec<String> {
    let mut secrets: Vec<String> = (1..=3).map(|host| format!("127.41.0.{host}")).collect();
    for reading in readings {
        let identity = &reading["identity"];
        for key in [
            "serial",
            "mac",
            "host_name",
            "location",
            "asset",
            "engine_id",
        ] {
            secrets.extend(identity[key].as_str().map(str::to_owned));
        }
        let supplies = reading["supplies"].as_array().into_iter().flatten();
        secrets.extend(supplies.filter_map(|it| Some(it["serial"].as_str()?.to_owned())));
    }
    secrets.retain(|secret| secret.len() > 3);
    secrets.sort();
    secrets.dedup();
    secrets
}

/// Which of these texts stand in the files of a folder, whatever their case.
fn found(folder: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(self::found(&path, texts));
            continue;
        }
        // A socket that a killed program left behind holds no octets.
        if !path.is_file() {
            continue;
        }
        let octets = std::fs::read(&path).expect("a file").to_ascii_lowercase();
        for text in texts {
            let text = text.to_ascii_lowercase();
            let mut windows = octets.windows(text.len());
            if windows.any(|window| window == text.as_bytes()) {
                found.push(format!("{text} in {}", path.display()));
            }
        }
    }
    found
}

/// What the printers say to whoever asks them at the site.
fn read_at_the_site(world: &World, port: u16) -> Vec<Value> {
    let port = port.to_string();
    let args = ["discover", "127.41.0.1-3", "--port", &port, "--json"];
    let said = world.platen(&args);
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let list: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    list.as_array().cloned().expect("a list")
}

fn outbox(world: &World, more: &[&str]) -> Vec<Value> {
    let said = world.agent_says("outbox", &[&["--json"], more].concat());
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let text = String::from_utf8(said.stdout).expect("text");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_site_masks_never_reaches_the_hub() {
    let rack = stories::rack(FLEET);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.41.0.1-3"], rack.port, MASKS);
    world.agent_is_enrolled();
    let secrets = secrets(&read_at_the_site(&world, rack.port));
    assert!(
        secrets.len() >= 9,
        "the printers have more to tell: {secrets:?}"
    );

    world.agent_is_started();
    until("three printers are read thrice", PATIENCE, || async {
        (world.readings().await.len() >= 9).then_some(())
    })
    .await;
    let printers = world.printers();
    assert_eq!(
        printers.len(),
        3,
        "each printer is one, under its pseudonym"
    );
    assert!(
        printers.iter().all(|printer| {
            let address = printer["reading"]["address"]
                .as_str()
                .or(printer["address"].as_str());
            address.is_some_and(|address| address.starts_with("100::"))
        }),
        "{printers:?}"
    );

    // The site can read what it sent: the very same readings, and no secret either.
    let sent: Vec<(u64, Value)> = outbox(&world, &["--kind", "poll"])
        .iter()
        .flat_map(|poll| {
            poll["message"]["reports"]
                .as_array()
                .cloned()
                .expect("reports")
        })
        .map(|report| (report["sequence"].as_u64().expect("a number"), report))
        .collect();
    let stored = world.stored().await;
    assert!(!stored.is_empty());
    for (_, sequence, device, _) in &stored {
        let noted = sent.iter().find(|(number, _)| number == sequence);
        let (_, noted) = noted.unwrap_or_else(|| panic!("#{sequence} was sent unseen"));
        assert_eq!(noted["device"], **device, "#{sequence}");
    }
    let text = world.agent_says("outbox", &["--since", "1h"]);
    let text = String::from_utf8(text.stdout).expect("text");
    assert!(
        text.contains("poll: ") && text.contains("reading  "),
        "{text}"
    );

    // Every other message is there too, without what is secret.
    let all = outbox(&world, &[]);
    let of_kind = |kind: &str| all.iter().find(|entry| entry["kind"] == kind);
    assert!(
        of_kind("presence").is_some(),
        "the command line came up unseen"
    );
    let enrollment = of_kind("enrollment").expect("the enrollment is noted");
    assert_eq!(enrollment["message"]["code"], "***");

    // Nor does a secret stand in what is given to those who help.
    let said = world.agent_says("diag", &[]);
    let bundle = String::from_utf8(said.stdout).expect("text");
    let bundle: Value = serde_json::from_str(&bundle).expect("JSON");
    assert_eq!(bundle["status"]["printers"]["known"], 3);
    let checks = bundle["check"]["checks"].as_array().expect("findings");
    let state = |area: &str| {
        let of = checks.iter().find(|it| it["area"] == area);
        of.map(|it| it["state"].clone())
    };
    for area in ["hub", "agent", "disk", "range"] {
        assert_eq!(state(area), Some("ok".into()), "{area}: {checks:?}");
    }
    let bundle = bundle.to_string().to_lowercase();
    for secret in &secrets {
        assert!(
            !bundle.contains(&secret.to_lowercase()),
            "{secret} is in the bundle"
        );
    }
    assert!(!bundle.contains("private key"));

    assert_eq!(world.agent_ends().await, Some(0));
    world.hub_is_killed();
    let none: [String; 0] = [];
    assert_eq!(found(&world.path("hub"), &secrets), none, "at the hub");
    assert_eq!(
        found(&world.path("agent/outbox"), &secrets),
        none,
        "in the outbox"
    );
    let log = world.log_of("hub").to_lowercase();
    for secret in &secrets {
        assert!(
            !log.contains(&secret.to_lowercase()),
            "{secret} is in the hub's log"
        );
    }
}

/// What `platen config show` says.
fn shown(world: &World, more: &[&str]) -> String {
    let config = world.path("agent.toml");
    let config = config.to_str().expect("a path of text");
    let said = world.platen(&[&["config", "show", "--config", config], more].concat());
    String::from_utf8(said.stdout).expect("text")
}

/// Gives the agent an order of the hub's and returns what came of it.
fn ordered(world: &World, more: &[&str]) -> Value {
    let fixed = ["cmd", "configure", "story", "--reason", "a story", "--json"];
    let said = world.hub_says(&[&fixed, more].concat());
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&said.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_configures_what_the_site_leaves_to_it() {
    let fleet = FLEET.replace("127.41.", "127.43.");
    let rack = stories::rack(&fleet);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(
        &["127.43.0.1-3"],
        rack.port,
        "[site]\nceiling = [\"127.43.0.0/24\"]\n",
    );
    let config = std::fs::read_to_string(world.path("agent.toml")).expect("a configuration");
    let lock = "lock = [\"schedule.status_secs\"]\n";
    std::fs::write(world.path("agent.toml"), format!("{lock}{config}")).expect("written");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("three printers are stored", PATIENCE, || async {
        (world.printers().len() == 3).then_some(())
    })
    .await;

    // What the site locks, and what lies beyond its ceiling, is refused as a whole.
    let wider = ["--range", "all=127.43.0.0/16", "--read-every", "7s"];
    for (asked, why) in [
        (
            &["--status-every", "9s", "--read-every", "7s"][..],
            "locks schedule.status_secs",
        ),
        (&wider[..], "beyond the site's ceiling"),
    ] {
        let outcome = ordered(&world, asked);
        assert_eq!(outcome["state"], "refused", "{outcome}");
        assert!(
            outcome["why"].as_str().is_some_and(|it| it.contains(why)),
            "{outcome}"
        );
    }
    assert!(
        shown(&world, &[]).contains("read_secs = 2\n"),
        "a part of a refused word counts"
    );

    // What is left to the hub comes into effect, in the same process.
    let secret = world.path("community");
    std::fs::write(&secret, "public\n").expect("written");
    let credential = format!("new={}", secret.display());
    let pid = world.agent().expect("the agent runs").pid();
    let taken = ordered(
        &world,
        &[
            "--range",
            "one=127.43.0.2",
            "--use",
            "one=new",
            "--credential",
            &credential,
            "--read-every",
            "1s",
        ],
    );
    assert_eq!(taken["state"], "done", "{taken}");
    let id = taken["id"].as_str().expect("an id");
    until("the hub's range is swept", PATIENCE, || async {
        let status = world.status()?;
        (status["subnets"][0]["label"] == "one" && status["subnets"][0]["seen"] == 1).then_some(())
    })
    .await;
    assert_eq!(world.agent().expect("the agent runs").pid(), pid);
    let origins = shown(&world, &["--origin"]);
    for key in [
        "schedule.read_secs = 1 ",
        "ranges.0.addresses",
        "credentials.new.community",
    ] {
        let line = origins.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in {origins}"));
        assert!(line.ends_with(&format!("# hub command {id}")), "{line}");
    }
    assert!(
        !shown(&world, &[]).contains("public\"\n"),
        "a secret is shown"
    );

    // The site has the last word, at each start.
    assert_eq!(world.agent_ends().await, Some(0));
    let config = std::fs::read_to_string(world.path("agent.toml")).expect("a configuration");
    let locked = config.replace("lock = [", "lock = [\"ranges\", ");
    std::fs::write(world.path("agent.toml"), locked).expect("written");
    world.agent_is_started();
    until("the site's own range is swept", PATIENCE, || async {
        let status = world.status()?;
        (status["subnets"][0]["label"] != "one" && status["subnets"][0]["seen"] == 3).then_some(())
    })
    .await;
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_be_sent_and_sends_nothing() {
    let rack = stories::rack(&FLEET.replace("127.41.", "127.42."));
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.42.0.1-3"], rack.port, "");
    world.agent_is_enrolled();
    let listed = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    let before = listed(&world.path("agent"));
    let said = world.agent_says("run", &["--dry-run", "--json"]);
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let text = String::from_utf8(said.stdout).expect("text");
    let polls: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let serials: Vec<&str> = polls
        .iter()
        .flat_map(|poll| poll["message"]["reports"].as_array().expect("reports"))
        .filter_map(|report| report["reading"]["identity"]["serial"].as_str())
        .collect();
    assert!(serials.len() >= 3, "{text}");
    assert_eq!(polls[0]["message"]["status"]["devices"], 3);
    assert_eq!(
        listed(&world.path("agent")),
        before,
        "the state folder was touched"
    );
    assert_eq!(world.readings().await.len(), 0, "something was sent");
    assert_eq!(world.printers().len(), 0);

    // The very same is what the agent then sends.
    world.agent_is_started();
    until("three printers are stored", PATIENCE, || async {
        (world.printers().len() == 3).then_some(())
    })
    .await;
    let readings = world.readings().await;
    for serial in serials {
        assert!(
            readings.iter().any(|reading| reading.body.contains(serial)),
            "{serial}"
        );
    }
    assert_eq!(world.agent_ends().await, Some(0));
}
