//! `platen doctor` names the cause of each staged failure, and one thing to do.
//!
//! Printers are the simulator's, other agents net-snmp's, routes and firewalls stand in network
//! namespaces; where those are not permitted the test says so.

#![cfg(test)]

#[path = "doctor/case.rs"]
mod case;
#[path = "doctor/hub.rs"]
mod hub;
// Each story needs another part of it.
#[path = "network.rs"]
#[allow(dead_code)]
mod network;
#[path = "doctor/ways.rs"]
mod ways;

use std::net::UdpSocket;

use case::{ADDRESS, Case, FLEET, SECRET, user};
use serde_json::Value;
use stories::until;

/// Longest until an agent has read, or has handed over.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
fn what_is_no_address_is_said_to_be_none() {
    let case = Case::of_nobody();
    let said = case.doctor(&["10.0.0.0/24"]);
    said.names("not_an_address", "many addresses");
    case.doctor(&["10.0.0.300"]).names("not_an_address", "");
    case.doctor(&["224.0.0.1"])
        .names("not_one_device", "multicast");
}

#[test]
fn a_name_that_nobody_knows_is_told_from_a_printer_that_is_away() {
    let case = Case::of_nobody();
    let said = case.doctor(&["printer.invalid"]);
    said.names("name_unresolved", "printer.invalid");
    assert_eq!(said.json["address"], Value::Null);
}

#[test]
fn an_address_out_of_scope_gets_no_packet() {
    let trap = UdpSocket::bind("127.61.0.9:0").expect("a socket");
    let port = trap.local_addr().expect("an address").port();
    let case = Case::at(port, "");
    let said = case.doctor(&["127.61.0.9"]);
    said.names("out_of_scope", "127.61.0.9");
    assert_silent(&trap);
}

#[test]
fn an_excluded_address_gets_no_packet() {
    let trap = UdpSocket::bind("127.61.1.9:0").expect("a socket");
    let port = trap.local_addr().expect("an address").port();
    let more = "[[ranges]]\nlabel = \"floor 2\"\naddresses = [\"127.61.1.0/24\"]\n\
                exclude = [\"127.61.1.9\"]\n";
    let case = Case::at(port, more);
    case.doctor(&["127.61.1.9"]).names("excluded", "floor 2");
    assert_silent(&trap);
}

fn assert_silent(trap: &UdpSocket) {
    trap.set_nonblocking(true).expect("a socket");
    let came = trap.recv(&mut [0; 16]).expect_err("nothing came");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_range_whose_name_nobody_knows_is_named() {
    let more = "[[ranges]]\nlabel = \"floor 3\"\naddresses = [\"floor3.invalid\"]\n";
    let case = Case::at(1, more);
    let said = case.doctor(&["127.61.2.9"]);
    said.names("range_unresolved", "floor 3");
}

#[test]
fn a_closed_port_is_told_from_a_silent_printer() {
    let case = Case::of_nobody();
    case.doctor(&[ADDRESS]).names("snmp_closed", "SNMP is off");
}

#[test]
fn a_wrong_community_is_told_where_an_engine_names_itself() {
    let Some(case) = Case::of_snmpd(&format!("rocommunity {SECRET}\n")) else {
        return;
    };
    let said = case.doctor(&[ADDRESS]);
    said.names("wrong_community", "'public'");
}

#[test]
fn a_community_that_may_read_nothing_is_told_from_a_wrong_one() {
    let text = "view none included .1.3.6.1.99\nrocommunity public default -V none\n";
    let Some(case) = Case::of_snmpd(text) else {
        return;
    };
    case.doctor(&[ADDRESS]).names("may_read_nothing", "view");
}

#[test]
fn a_printer_that_knows_another_user_is_told() {
    let case = Case::of_user("someone-else", (SECRET, SECRET));
    case.doctor(&[ADDRESS]).names("unknown_user", "'reader'");
}

#[test]
fn a_wrong_password_is_told() {
    let case = Case::of_user("mps", ("another-password", SECRET));
    case.doctor(&[ADDRESS])
        .names("wrong_password", "authentication password");
}

#[test]
fn a_wrong_privacy_password_is_told() {
    let case = Case::of_user("mps", (SECRET, "another-password"));
    case.doctor(&[ADDRESS])
        .names("wrong_privacy", "privacy password");
}

#[test]
fn a_switch_is_said_to_be_no_printer_and_why() {
    let case = Case::of("recording = \"switch-sw-2416\"");
    let said = case.doctor(&[ADDRESS]);
    said.names("not_a_printer", "a network switch");
}

#[test]
fn two_devices_at_one_address_are_told() {
    let case = Case::of(&format!("{FLEET}misbehave = \"serial-changes\""));
    case.doctor(&[ADDRESS]).names("two_devices", "in turn");
}

#[test]
fn what_is_no_snmp_is_told_from_silence() {
    let case = Case::of(&format!("{FLEET}misbehave = \"version-wrong\""));
    case.doctor(&[ADDRESS]).names("not_snmp", "another version");
}

#[test]
fn a_reading_that_is_not_whole_says_what_is_missing() {
    let case = Case::of(&format!("{FLEET}misbehave = \"oid-cycle-17\""));
    case.doctor(&[ADDRESS]).names("not_whole", "");
}

#[test]
fn a_level_that_the_printer_does_not_know_is_shown_with_what_it_said() {
    let case = Case::of("recording = \"makers/tsc-te310\"");
    let said = case.doctor(&[ADDRESS, "--value", "supplies"]);
    said.names("value_unknown", "INTEGER: -");
    let unknown = said.values("unknown");
    assert!(unknown.iter().all(|it| it["rule"] != ""), "{unknown:?}");
}

#[test]
fn a_meter_that_nothing_proves_is_said_to_be_beta() {
    let case = Case::of("recording = \"xerox-versalink-c505\"");
    let said = case.doctor(&[ADDRESS]);
    let beta = said.values("beta");
    let name = beta.first().expect("a beta meter")["name"].as_str();
    let said = case.doctor(&[ADDRESS, "--value", name.expect("a name")]);
    said.names("beta", "never billed");
}

#[test]
fn a_value_that_a_printer_does_not_tell_is_said_to_be_missing() {
    let case = Case::of(FLEET);
    let said = case.doctor(&[ADDRESS, "--value", "fax_mono"]);
    said.names("not_in_mib", "fax_mono");
}

#[test]
fn a_maker_without_a_profile_is_said_to_be_read_by_the_standard_alone() {
    let case = Case::playing(case::ACME);
    let said = case.doctor(&[ADDRESS, "--value", "color"]);
    said.names("no_profile", "99999");
    let total = said.value("total");
    assert_eq!(total["state"], "ok", "{total}");
    assert_eq!(total["rule"], "printer-mib/life-count", "{total}");
}

#[test]
fn a_printer_that_can_be_read_and_is_not_has_no_agent() {
    let case = Case::of(FLEET);
    let said = case.doctor(&[ADDRESS]);
    said.names("agent_away", "platen run");
    assert_eq!(said.json["range"], "range 1");
    let steps: Vec<&str> = said.steps().iter().map(|step| step.0).collect();
    let order = [
        "address", "scope", "icmp", "port", "snmp", "device", "profile", "agent",
    ];
    assert_eq!(steps, order);
}

#[test]
fn a_printer_of_version_1_alone_is_asked_in_it() {
    let case = Case::of(&format!("{FLEET}versions = [\"1\"]"));
    let said = case.doctor(&[ADDRESS]);
    let snmp: Vec<(&str, &str)> = said
        .steps()
        .into_iter()
        .filter(|step| step.0 == "snmp")
        .map(|step| (step.1, step.2))
        .collect();
    assert_eq!(snmp, [("2c 'public'", "failed"), ("1 'public'", "ok")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_printer_than_at_the_last_reading_is_told() {
    let mut case = Case::of(&format!("{FLEET}serial = \"BEFORE{{n:3}}\""));
    case.world.hub_runs().await;
    case.world.agent_is_enrolled();
    case.world.agent_is_started();
    until("the hub has a printer", PATIENCE, || async {
        (!case.world.printers().is_empty()).then_some(())
    })
    .await;
    let said = case.doctor(&[ADDRESS]);
    let agent = said.steps().into_iter().find(|step| step.0 == "agent");
    assert_eq!(agent.map(|step| step.2), Some("ok"), "{}", said.json);
    let last = said.steps().into_iter().find(|step| step.0 == "last");
    assert!(last.is_some_and(|step| step.3.contains("BEFORE")));
    case.world.agent_is_killed();
    case.plays(&format!("{FLEET}serial = \"AFTER{{n:3}}\""));
    let said = case.doctor(&[ADDRESS]);
    said.names("another_device", "BEFORE000");
    assert_eq!(said.json["diagnosis"]["state"], "warning");
}

#[test]
fn a_user_fits_where_a_community_does_not() {
    let case = Case::with_users(&user("mps", SECRET, SECRET), "mps", (SECRET, SECRET));
    let said = case.doctor(&[ADDRESS]);
    said.names("agent_away", "platen run");
    let device = said.steps().into_iter().find(|step| step.0 == "device");
    assert!(device.is_some_and(|step| step.3.contains("TASKalfa")));
}
