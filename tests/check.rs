//! `platen check` names the cause of each staged network failure.
//!
//! What needs no network of its own is staged on loopback; routes and firewalls are staged in
//! network namespaces, and where those are not permitted the test says so.

#![cfg(test)]

#[path = "check/staged.rs"]
mod staged;
// Each story needs another part of it.
#[path = "network.rs"]
#[allow(dead_code)]
mod network;
#[path = "network/site.rs"]
#[allow(dead_code)]
mod site;

use std::process::{Command, Output, Stdio};

use network::{HUB, HUB_NAME, Network, Who};
use serde_json::Value;
use site::Site;
use staged::{Authority, YEARS_NOW, YEARS_PAST, portal, proxy_with_user, server, ssh_banner};
use stories::{World, free_port, program};

/// Seconds that each step of a check may take here.
const TIMEOUT: &str = "2";

/// What a check said of one row.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    state: String,
    cause: String,
    words: String,
}

/// The row whose subject holds these words.
fn row(output: &Output, subject: &str) -> Said {
    let text = String::from_utf8_lossy(&output.stdout);
    let all: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(all["schema"], 1);
    let checks = all["checks"].as_array().expect("a list");
    let is_it = |check: &&Value| check["subject"].as_str().expect("text").contains(subject);
    let found = checks
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {subject} in {text}"));
    let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let failed = checks.iter().any(|check| check["state"] == "failed");
    assert_eq!(
        output.status.code(),
        Some(if failed { 3 } else { 0 }),
        "{text}"
    );
    let (what, why, next) = (word("what"), word("why"), word("next"));
    let state = word("state");
    assert!(state == "ok" || !next.is_empty(), "no next step: {found}");
    Said {
        state,
        cause: word("cause"),
        words: format!("{what}; {why}; {next}"),
    }
}

/// Checks the row, and shows what was said: the log of this test is the list of causes.
fn names(stage: &str, output: &Output, subject: &str, cause: &str, word: &str) {
    let said = row(output, subject);
    println!("{stage}: {} {}: {}", said.state, said.cause, said.words);
    assert_eq!(said.cause, cause, "{stage}: {said:?}");
    assert!(
        said.words.contains(word),
        "{stage}: no '{word}' in {said:?}"
    );
}

/// An enrolled agent, whose configuration a stage adds to.
struct Loopback {
    world: World,
    hub_port: String,
}

impl Loopback {
    async fn new() -> Self {
        let mut world = World::new();
        world.hub_runs().await;
        world.agent_is_configured(&["127.255.255.1"], free_port(), "");
        world.agent_is_enrolled();
        let line = world.invitation("port");
        let url = line.split_whitespace().nth(2).expect("an address");
        let hub_port = url.rsplit(':').next().expect("a port").to_owned();
        Self { world, hub_port }
    }

    fn authority(&self) -> Authority {
        Authority::of_hub(&self.world.path("hub/authority.pem"))
    }

    /// What the check says with these keys in `[hub]`.
    fn check(&self, hub: &str) -> Output {
        self.world
            .agent_is_configured(&["127.255.255.1"], free_port(), &format!("[hub]\n{hub}\n"));
        self.world
            .agent_says("check", &["--json", "--timeout", TIMEOUT])
    }

    /// The same, with the clock moved.
    fn check_at(&self, moved: &str) -> Output {
        self.world
            .agent_is_configured(&["127.255.255.1"], free_port(), "");
        Command::new("faketime")
            .args(["-f", moved])
            .arg(program("platen"))
            .args(["check", "--json", "--timeout", TIMEOUT, "--config"])
            .arg(self.world.path("agent.toml"))
            // The timers of the program go on as they are.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env_remove("HTTPS_PROXY")
            .stdin(Stdio::null())
            .output()
            .expect("faketime runs; scripts/setup test installs it")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_causes_that_can_be_staged_on_loopback_are_named() {
    let mut site = Loopback::new().await;
    let at = |port: u16| format!("url = \"https://localhost:{port}\"");
    let fine = site.check("");
    assert_eq!(row(&fine, "grpc").state, "ok", "{fine:?}");
    assert_eq!(row(&fine, "mqtt").state, "ok", "{fine:?}");

    let said = site.check("url = \"https://hub.invalid\"");
    names("DNS", &said, "grpc", "dns", "hub.invalid is not known");

    let proxy = proxy_with_user(&site.world);
    let port = proxy.port;
    let said = site.check(&format!("proxy = \"http://127.0.0.1:{port}\""));
    names(
        "proxy 407",
        &said,
        "grpc",
        "proxy_authentication",
        "407, Basic",
    );

    let said = site.check(&at(portal("http://login.hotel.example/")));
    names(
        "captive portal",
        &said,
        "grpc",
        "captive_portal",
        "login.hotel.example",
    );
    let portal = server(&Authority::new("hotel").certify("login.hotel.example", YEARS_NOW)).await;
    names(
        "captive portal with TLS",
        &site.check(&at(portal)),
        "grpc",
        "wrong_server",
        "captive",
    );

    let middlebox = server(&Authority::new("Middlebox CA").certify("localhost", YEARS_NOW)).await;
    let said = site.check(&at(middlebox));
    names(
        "intercepting TLS",
        &said,
        "grpc",
        "intercepted",
        "CN=Middlebox CA",
    );

    let expired = server(&site.authority().certify("localhost", YEARS_PAST)).await;
    let said = site.check(&at(expired));
    names(
        "certificate expired",
        &said,
        "grpc",
        "certificate_expired",
        "both clocks agree",
    );

    names(
        "clock ahead",
        &site.check_at("+4000d"),
        "grpc",
        "clock",
        "the clocks differ",
    );
    names(
        "clock behind",
        &site.check_at("-4000d"),
        "grpc",
        "clock",
        "clock is behind",
    );

    // The hub's own name and certificate, and no broker behind them.
    let brokerless = server(&site.authority().certify("localhost", YEARS_NOW)).await;
    let said = site.check(&at(brokerless));
    assert_eq!(row(&said, "grpc").state, "ok", "{said:?}");
    names(
        "broker down",
        &said,
        "mqtt",
        "broker_down",
        "commands do not arrive",
    );

    site.world.hub_is_killed();
    let said = site.check("");
    names(
        "hub down",
        &said,
        &site.hub_port,
        "hub_down",
        "nothing listens",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_causes_that_need_a_network_are_named() {
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => {
            eprintln!(
                "NOT STAGED, since namespaces are not permitted here ({why}): route, drop, reject, SSH"
            );
            return;
        }
    };
    let site = Site::new(&network).await;
    site.agent_is_configured(("10.91.3.200", "10.91.3.201"), 4, "");
    site.agent_is_enrolled();
    let check = || site.agent_says("check", &["--json", "--timeout", TIMEOUT]);
    let _ssh = ssh_banner(&network, Who::Hub, HUB, &site.path("ssh.log")).await;
    let fine = check();
    assert_eq!(row(&fine, "grpc").state, "ok", "{fine:?}");
    assert_eq!(row(&fine, "ssh").state, "ok", "{fine:?}");
    let router = |order: &str| network.filters(Who::Router, order);

    router("add table inet f");
    router("add chain inet f way { type filter hook forward priority filter; }");
    router("add rule inet f way tcp dport 22 drop");
    let said = check();
    names(
        "SSH blocked",
        &said,
        "ssh",
        "ssh_blocked",
        "web access will not work",
    );
    assert_eq!(row(&said, "grpc").state, "ok");
    assert_eq!(row(&said, "ssh").state, "warning");
    router("flush chain inet f way");

    router("add rule inet f way tcp dport 443 drop");
    names("firewall drop", &check(), "grpc", "dropped", "vanish");
    router("flush chain inet f way");

    router("add rule inet f way tcp dport 443 reject with icmp type admin-prohibited");
    names(
        "firewall reject",
        &check(),
        "grpc",
        "rejected",
        "does not let this through",
    );
    router("flush chain inet f way");

    network.hosts("");
    names("DNS", &check(), "grpc", "dns", HUB_NAME);
    network.hosts(&format!("{HUB} {HUB_NAME}\n"));

    network.says(Who::Agent, &["ip", "route", "delete", "default"]);
    let said = check();
    names("no route", &said, "grpc", "no_route", "leads nowhere");
    names(
        "no route to printers",
        &said,
        "10.91.3",
        "no_route",
        "0 answers: no route",
    );
}
