//! Credentials that fit, and devices that none fits: what the agent, its status and the hub make of a
//! device that answers and refuses all of its range's, and which credential is tried first.

#![cfg(test)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use actors::spool::SpoolLimits;
use serde_json::Value;
use stories::{World, until};

/// Longest until something is read, swept or told.
const PATIENCE: Duration = Duration::from_secs(60);

/// The printer that knows the agent's user.
const OPEN: &str = "127.45.0.10";

/// The printer that knows another user alone.
const CLOSED: &str = "127.45.0.11";

/// Where nobody is.
const RANGE: &str = "127.45.0.8/29";

/// Two printers of version 3 alone, with a user each.
fn fleet() -> String {
    let user = |name: &str| {
        format!(
            "[[users]]\nname = \"{name}\"\nauth = \"sha256\"\nauth_password = \"hush-{name}\"\n"
        )
    };
    let printer = |address: &str, user: &str| {
        format!(
            "[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"{address}\"\n\
             serial = \"CR{{n:5}}\"\nversions = [\"3\"]\nusers = [\"{user}\"]\n"
        )
    };
    let (mps, other) = (user("mps"), user("other"));
    format!(
        "frozen = true\n{mps}{other}{}{}",
        printer(OPEN, "mps"),
        printer(CLOSED, "other")
    )
}

/// Two users, of whom the first is known nowhere, with this password of the second.
fn configure(world: &World, snmp_port: u16, password: &str) {
    let path = world.path("password");
    std::fs::write(&path, format!("{password}\n")).expect("a password");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, private).expect("a mode");
    let user = |key: &str, name: &str| {
        format!(
            "[credentials.{key}]\nversion = \"3\"\nuser = \"{name}\"\nauth = \"sha256\"\n\
             auth_password_file = {path:?}\n"
        )
    };
    let more = format!(
        "[[ranges]]\naddresses = [{RANGE:?}]\ncredentials = [\"first\", \"second\"]\n{}{}",
        user("first", "nobody"),
        user("second", "mps"),
    );
    // The range of the community holds nobody.
    world.agent_is_configured(&["127.45.1.0/30"], snmp_port, &more);
}

/// The devices that accept no credential, by address.
fn refusing(status: &Value) -> Vec<String> {
    let listed = status["printers"]["refusing_listed"].as_array();
    let address = |it: &Value| it["address"].as_str().unwrap_or_default().to_owned();
    listed.into_iter().flatten().map(address).collect()
}

async fn read_one(world: &World) -> Value {
    until("the open printer is read", PATIENCE, || async {
        let status = world.status()?;
        let printers = &status["printers"];
        (printers["read"] == 1 && printers["refusing"] == 1).then_some(status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_accepts_no_credential_is_told_from_the_silent_at_the_site_and_at_the_hub() {
    let rack = stories::rack(&fleet());
    let mut world = World::new();
    world.hub_runs().await;
    configure(&world, rack.port, "hush-mps");
    world.agent_is_enrolled();
    world.agent_is_started();
    let status = read_one(&world).await;
    assert_eq!(refusing(&status), [CLOSED]);
    assert_eq!(status["printers"]["silent"], 0, "{status}");
    let said = world.agent_says("status", &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("1 answers, but no credential fits"), "{said}");
    let words = "user 'mps': the user name is not known there";
    assert!(said.contains(words), "{said}");

    let told = until("the hub is told", PATIENCE, || async {
        let said = world.hub_says(&["agent", "show", "story"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        said.contains("no credential fits").then_some(said)
    })
    .await;
    let line = format!("{CLOSED} answers, but no credential fits: user 'nobody'");
    assert!(told.contains(&line) && told.contains(words), "{told}");
    assert!(!told.contains("hush"), "{told}");
    let json = world.hub_says(&["agent", "ls", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let listed = &json["agents"][0]["status"]["refusing"];
    assert_eq!(listed[0]["address"], CLOSED, "{json}");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_that_fits_is_tried_first_also_after_a_new_start() {
    // One printer alone, so that whoever is refused was refused by it.
    let fleet = fleet();
    let (alone, _) = fleet.rsplit_once("[[printers]]").expect("two printers");
    let rack = stories::rack(alone);
    let mut world = World::new();
    configure(&world, rack.port, "hush-mps");
    let is_read = async |world: &World| {
        until("the printer is read", PATIENCE, || async {
            let status = world.status()?;
            (status["printers"]["read"] == 1).then_some(())
        })
        .await;
    };
    world.agent_is_started();
    is_read(&world).await;
    // The sweep tried both users, and so did the first reading.
    let before = rack.counts().await.strangers;
    assert!((1..=2).contains(&before), "as nobody: {before}");
    assert_eq!(world.agent_ends().await, Some(0));
    let spool = world.spool(SpoolLimits::default()).await;
    let known = spool.recall().await.expect("the known devices");
    spool.close().await;
    let known = String::from_utf8(known[0].1.clone()).expect("JSON");
    assert!(
        known.contains("\"credential\":{\"name\":\"second\""),
        "{known}"
    );
    assert!(!known.contains("hush"), "{known}");
    world.agent_is_started();
    is_read(&world).await;
    // The sweep, which knows of no device, may have tried both again; the reading did not.
    let after = rack.counts().await.strangers;
    assert!(after <= before + 1, "{after}");
    // No sweep and no reading since has tried another than the one that fits.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(rack.counts().await.strangers, after);
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_printer_that_refuses_is_not_silent_and_is_asked_on() {
    let rack = stories::rack(&fleet());
    let mut world = World::new();
    configure(&world, rack.port, "hush-mps");
    world.agent_is_started();
    read_one(&world).await;
    assert_eq!(world.agent_ends().await, Some(0));
    configure(&world, rack.port, "another-password");
    world.agent_is_started();
    let status = until("both refuse", PATIENCE, || async {
        let status = world.status()?;
        (status["printers"]["refusing"] == 2).then_some(status)
    })
    .await;
    assert_eq!(status["printers"]["silent"], 0, "{status}");
    let listed = &status["printers"]["refusing_listed"];
    assert_eq!(refusing(&status), [OPEN, CLOSED]);
    assert!(listed[0]["device"].is_string(), "it is known: {listed}");
    let why = listed[0]["why"].as_str().unwrap_or_default();
    assert!(
        why.contains("the authentication password is wrong"),
        "{why}"
    );
    // Twice the failures that make a device silent, at a reading a second.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let status = world.status().expect("the agent answers");
    assert_eq!(status["printers"]["silent"], 0, "{status}");
    assert_eq!(status["printers"]["refusing"], 2, "{status}");
    assert_eq!(world.agent_ends().await, Some(0));
}
