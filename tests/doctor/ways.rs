//! What needs a network of its own: who is off, who is silent, and who is not let through.

use std::path::Path;

use stories::program;

use crate::case::Said;
use crate::network::{Network, Who};

/// A machine in the printers' network: it answers ping, and nobody listens at its SNMP port.
const PRINTER: &str = "10.91.3.2";

/// An address in that network at which nobody is.
const NOBODY: &str = "10.91.3.99";

/// Asks in the agent's namespace, for people and as JSON.
fn doctor(network: &Network, config: &Path, address: &str) -> Said {
    let program = program("platen");
    let (program, config) = (program.to_str(), config.to_str());
    let (program, config) = (program.expect("text"), config.expect("text"));
    let words = [program, "doctor", address, "--config", config];
    // Side by side: each waits for what does not come.
    std::thread::scope(|threads| {
        let text = threads.spawn(|| network.runs(Who::Agent, &words).stdout);
        let json = network.runs(Who::Agent, &[&words[..], &["--json"]].concat());
        let text = text.join().expect("platen runs");
        Said::new(json, String::from_utf8(text).expect("text"))
    })
}

#[test]
fn ways_that_are_off_asleep_dropped_and_rejected_are_told_apart() {
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => {
            eprintln!("NOT STAGED, since namespaces are not permitted here ({why})");
            return;
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("agent.toml");
    let text = format!(
        "name = \"ways\"\nstate_dir = {:?}\n[snmp]\ntimeout_ms = 300\nretries = 0\n[[ranges]]\n\
         addresses = [\"10.91.3.0/24\", \"10.99.0.1\"]\n",
        folder.path().join("state")
    );
    std::fs::write(&config, text).expect("a configuration");
    let doctor = |address: &str| doctor(&network, &config, address);
    let router = |order: &str| network.filters(Who::Router, order);

    let said = doctor(PRINTER);
    said.names("snmp_closed", "nobody listens");
    let icmp = said.steps().into_iter().find(|step| step.0 == "icmp");
    assert_eq!(icmp.map(|step| step.2), Some("ok"), "{}", said.json);

    doctor(NOBODY).names("nobody_answers", "neither ping nor SNMP");

    router("add table inet f");
    router("add chain inet f way { type filter hook forward priority filter; }");
    router("add rule inet f way udp dport 161 drop");
    doctor(PRINTER).names("snmp_silent", "it answers ping");

    // Ping is dropped too; the page's port is closed, and its reset says that the printer is on.
    router("add rule inet f way icmp type echo-request drop");
    doctor(PRINTER).names("snmp_silent", "it refuses TCP 443");
    router("flush chain inet f way");

    router("add rule inet f way udp dport 161 reject with icmp type admin-prohibited");
    doctor(PRINTER).names("prohibited", "firewall");
    router("flush chain inet f way");

    network.says(Who::Agent, &["ip", "route", "delete", "default"]);
    doctor(PRINTER).names("no_route", "ip route get");
}
