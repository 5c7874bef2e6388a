//! The network contract: what `platen ports --json` lists is all that the agent sends, and it
//! listens on nothing.
//!
//! The agent, the hub and the printers stand in network namespaces. The packet filter in the
//! agent's namespace is generated from the table; whatever else comes or goes, on any interface,
//! is counted as outside, and must be nothing. Two things are allowed beside the table, as
//! docs/reference/ports.md says: ICMP errors, which answer packets of the table, and ARP, by which
//! any machine finds its neighbor.

#![cfg(test)]

// Each story needs another part of it.
#[path = "contract/filter.rs"]
mod filter;
#[path = "network.rs"]
#[allow(dead_code)]
mod network;
#[path = "network/site.rs"]
#[allow(dead_code)]
mod site;

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use filter::Filter;
use network::{AGENT, HUB, HUB_NAME, Network, ROUTER, Who};
use site::Site;
use stories::{PATIENCE, Running, program, recordings, until};

/// Printers that the simulator plays, at 10.91.3.11 and up.
const PLAYED: u8 = 5;
/// Whom the agent may contact: .9 to .14. Nobody is at .9 and .10.
const RANGE: &str = "10.91.3.8/29";
/// A printer that is there and must never be contacted.
const EXCLUDED: &str = "10.91.3.13";
/// Between two sweeps in a whole run, in seconds.
const SWEEP_SECS: u32 = 4;
/// A sweep at the start and none after.
const SWEEP_ONCE_SECS: u32 = 86_400;
/// How long the system must know of no listening socket, over several readings of each printer.
const QUIET: Duration = Duration::from_secs(6);
/// Printers that are found: .11, .12 and .14, since .13 is excluded and .15 is outside.
const FOUND: u64 = 3;
/// MQTT with a port of its own, beside the WebSocket on the hub's own port.
const MQTTS: &str = "[mqtt]\ntransport = \"tls\"";
/// The printer whose page is reached, and where its port comes out on the hub's machine.
const PAGE: &str = "10.91.3.11";
const LOCAL: &str = "127.0.0.1:18999";
/// What every run must use of the table, by the filter's rules.
const USED: [&str; 3] = ["udp dport 161", "icmp type echo-request", "tcp dport 8000"];
/// Longest that the port sweep may take.
const SWEEP_LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_but_what_the_table_lists_and_nothing_listens() {
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => {
            eprintln!("NOT SHOWN, since namespaces are not permitted here: {why}");
            return;
        }
    };
    let mut site = Site::new(&network).await;
    let _printers = printers_run(&network, &site);
    site.agent_is_configured((RANGE, EXCLUDED), SWEEP_SECS, "");
    let filter = Filter::new(&network);

    filter.allows(&site.json("ports").expect("the table"));
    site.agent_is_enrolled();
    a_whole_run(&mut site).await;
    filter.was_kept(
        &site,
        "enrollment, discovery, readings, a check, commands, an outage",
        &USED,
    );

    site.agent_is_configured((RANGE, EXCLUDED), SWEEP_SECS, MQTTS);
    filter.allows(&site.json("ports").expect("the table"));
    a_whole_run(&mut site).await;
    let hubs = ["8883", "443", "22"].map(|port| format!("{HUB} tcp dport {port}"));
    let used = [USED[0], USED[1], USED[2], &hubs[0], &hubs[1], &hubs[2]];
    filter.was_kept(&site, "the same with MQTT on a port of its own", &used);

    let _proxy = proxy_runs(&network, &site).await;
    let proxy = format!("proxy = \"http://{ROUTER}:3128\"");
    site.agent_is_configured((RANGE, EXCLUDED), SWEEP_SECS, &proxy);
    let table = site.json("ports").expect("the table");
    let rows = table["ports"].as_array().expect("rows");
    let is_hub = |row: &&serde_json::Value| row["destination"] == HUB_NAME;
    assert!(
        !rows.iter().any(|row| is_hub(&row)),
        "through the proxy only: {table}"
    );
    filter.allows(&table);
    a_whole_run(&mut site).await;
    filter.was_kept(&site, "the same through a proxy", &USED);

    nothing_listens(&network, &mut site).await;
    the_filter_sees_what_is_outside(&network, &filter);
}

/// Discovery, readings, a check, commands, and a hub that goes and comes back.
async fn a_whole_run(site: &mut Site<'_>) {
    site.agent_is_started();
    let read = |site: &Site<'_>, least: u64| {
        let status = site.json("status")?;
        let (printers, hub) = (&status["printers"], &status["hub"]);
        let is_read = printers["read"].as_u64()? >= least && hub["contact_at"].is_string();
        (is_read && status["queue"]["waiting"] == 0).then_some(())
    };
    until(
        "the printers are read and the hub has them",
        PATIENCE,
        || std::future::ready(read(site, FOUND)),
    )
    .await;
    // Everything that it contacts is looked at, and the exit code is another story.
    let checked = site.json("check").expect("a check");
    let word = format!("{FOUND} printers");
    assert!(checked.to_string().contains(&word), "{checked}");

    commands_are_done(site);
    a_page_is_reached(site).await;

    site.hub_is_killed();
    until("reports gather in the spool", PATIENCE, || {
        let waiting = site
            .json("status")
            .and_then(|it| it["queue"]["waiting"].as_u64());
        std::future::ready(waiting.filter(|waiting| *waiting >= 4))
    })
    .await;
    site.hub_is_started().await;
    until("the spool is empty again", PATIENCE * 2, || {
        std::future::ready(read(site, FOUND))
    })
    .await;
    site.agent_ends().await;
}

/// Every command that contacts a printer, and one for an address that is excluded.
fn commands_are_done(site: &Site<'_>) {
    for (words, exit) in [
        (&["cmd", "ping", "story", "10.91.3.11"][..], 0),
        (&["cmd", "check", "story", "10.91.3.12"], 0),
        (&["cmd", "walk", "story", "10.91.3.14"], 0),
        (&["cmd", "read", "story"], 0),
        (&["cmd", "discover", "story"], 0),
        (&["cmd", "ping", "story", EXCLUDED], 77),
    ] {
        let said = site.hub_says(&[words, &["--reason", "the contract"]].concat());
        let told = String::from_utf8_lossy(&said.stderr);
        let log = || site.log("agent");
        assert_eq!(
            said.status.code(),
            Some(exit),
            "{words:?}: {told}\n{}",
            log()
        );
    }
}

/// A person at the hub reaches a printer's port through a tunnel that the agent dials.
async fn a_page_is_reached(site: &Site<'_>) {
    let (network, config, log) = (site.network(), site.path("hub.toml"), site.path("open.log"));
    let page = ["-m", "http.server", "8000", "--bind", PAGE].map(OsStr::new);
    let _page = network.starts(
        Who::Printers,
        Path::new("python3"),
        &page,
        &site.path("page.log"),
    );
    let words = ["open", PAGE, "--port", "8000", "--reason", "the contract"];
    let mut words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    words.extend(["--listen", LOCAL, "--config"].map(OsStr::new));
    words.push(config.as_os_str());
    let open = network.starts(Who::Hub, &program("platen-hub"), &words, &log);
    let there = format!("http://{LOCAL}/");
    until("the printer's page is reached", PATIENCE, || async {
        let seen = network.runs(Who::Hub, &["curl", "-sf", "-m", "5", &there]);
        let text = String::from_utf8_lossy(&seen.stdout).into_owned();
        text.contains("Directory listing").then_some(())
    })
    .await;
    assert_eq!(open.terminate().await, Some(0), "{}", site.log("open"));
}

/// The simulator in the printers' namespace.
fn printers_run(network: &Network, site: &Site<'_>) -> [Running; 2] {
    let fleet = site.path("fleet.toml");
    let addresses: Vec<String> = (1..=PLAYED).map(|n| format!("127.20.0.{n}")).collect();
    let text = format!(
        "seed = 5\nport = 1161\nspeed = 600.0\nrecordings = {:?}\n[[printers]]\n\
         recording = \"kyocera-taskalfa-4054ci\"\naddresses = {addresses:?}\n",
        recordings()
    );
    std::fs::write(&fleet, text).expect("a fleet");
    let relay = network.printers_are_relayed(PLAYED, 1161, &site.path("relay.log"));
    let args = ["run", "--fleet"].map(OsStr::new);
    let args: Vec<&OsStr> = args.into_iter().chain([fleet.as_os_str()]).collect();
    let (program, log) = (program("platen-sim"), site.path("sim.log"));
    [relay, network.starts(Who::Printers, &program, &args, &log)]
}

/// tinyproxy on the router; it knows the hub by the router's hosts file.
async fn proxy_runs(network: &Network, site: &Site<'_>) -> Running {
    let config = site.path("tinyproxy.conf");
    let text = format!("Port 3128\nListen {ROUTER}\nTimeout 600\n");
    std::fs::write(&config, text).expect("a configuration");
    let args = [OsStr::new("-d"), OsStr::new("-c"), config.as_os_str()];
    let log = site.path("tinyproxy.log");
    let running = network.starts(Who::Router, Path::new("tinyproxy"), &args, &log);
    until("the proxy listens", PATIENCE, || async {
        let listens = network
            .says(Who::Router, &["ss", "-Hlnt"])
            .contains(":3128");
        listens.then_some(())
    })
    .await;
    running
}

/// While the agent runs, the system knows no listening socket of it, and no TCP port of 65,535
/// answers the hub.
async fn nothing_listens(network: &Network, site: &mut Site<'_>) {
    site.agent_is_configured((RANGE, EXCLUDED), SWEEP_ONCE_SECS, "");
    site.agent_is_started();
    until("the printers are read", PATIENCE, || {
        let read = site
            .json("status")
            .and_then(|it| it["printers"]["read"].as_u64());
        std::future::ready(read.filter(|read| *read >= FOUND))
    })
    .await;
    let listening = || network.says(Who::Agent, &["ss", "-Hlntup"]);
    // While it sweeps, its own questions' answers come to a UDP socket that is connected to nobody.
    until("the sweep at the start is over", PATIENCE, || {
        std::future::ready(listening().is_empty().then_some(()))
    })
    .await;
    let quiet_from = Instant::now();
    let packets = || network.says(Who::Printers, &["cat", "/proc/net/dev"]);
    let before = packets();
    while quiet_from.elapsed() < QUIET {
        assert_eq!(listening(), "", "TCP and UDP, while printers are read");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_ne!(packets(), before, "no printer was read meanwhile");
    let sweep = format!(
        "import errno, socket\nopen_ports = []\nclosed = 0\n\
         for port in range(1, 65536):\n    s = socket.socket()\n    s.settimeout(2)\n    \
         code = s.connect_ex(('{AGENT}', port))\n    s.close()\n    \
         closed += code == errno.ECONNREFUSED\n    \
         if code == 0: open_ports.append(port)\n\
         print(closed, open_ports)\n"
    );
    let began = Instant::now();
    let swept = network.says(Who::Hub, &["python3", "-c", &sweep]);
    assert!(began.elapsed() < SWEEP_LIMIT, "{:?}", began.elapsed());
    assert_eq!(swept.trim(), "65535 []", "closed ports, open ports");
    site.agent_ends().await;
}

/// A single packet that the table does not list is counted.
fn the_filter_sees_what_is_outside(network: &Network, filter: &Filter<'_>) {
    let before = filter.outside();
    let stray = format!(
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                         s.sendto(b'x', ('{HUB}', 162))\n"
    );
    network.says(Who::Agent, &["python3", "-c", &stray]);
    assert!(filter.outside() > before, "the filter is blind");
    let excluded = stray.replace(HUB, EXCLUDED).replace("162", "161");
    let before = filter.outside();
    network.says(Who::Agent, &["python3", "-c", &excluded]);
    assert!(filter.outside() > before, "an excluded address is outside");
}
