//! The hub orders the doctor's report of a running agent: the same report, and the same words.

use std::time::Duration;

use serde_json::Value;
use stories::until;

use crate::case::{ADDRESS, Case, FLEET, SECRET};

/// Longest until an agent has read, or has answered.
const PATIENCE: Duration = Duration::from_secs(60);

/// In scope, and nobody is there.
const NOBODY: &str = "127.60.0.11";

/// In none of the ranges.
const OUTSIDE: &str = "127.61.9.9";

/// What the site keeps to itself where it masks.
const MASKS: &str = "[masks]\naddresses = true\nhost_names = true\nlocations = true\n\
                     serial_tails = 6\n";

/// Steps whose words hold a time that passed, or the time of day.
const TIMED: [&str; 3] = ["icmp", "snmp", "last"];

/// A site of one printer whose agent runs and is heard by a hub.
async fn reported(more: &str) -> Case {
    let mut case = Case::of(&format!("{FLEET}serial = \"KYO{{n:7}}\""));
    case.configured(more);
    case.world.hub_runs().await;
    case.world.agent_is_enrolled();
    case.world.agent_is_started();
    until("the hub has a printer", PATIENCE, || async {
        (!case.world.printers().is_empty()).then_some(())
    })
    .await;
    case
}

/// What the hub prints of the doctor's report: as JSON, or for people.
fn ordered(case: &Case, words: &[&str]) -> String {
    let words = [&["cmd", "doctor", "story"], words, &["--reason=a story"]].concat();
    let said = case.world.hub_says(&words);
    let told = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(0), "{words:?}: {told}");
    String::from_utf8(said.stdout).expect("text")
}

fn report(case: &Case, words: &[&str]) -> Value {
    let told: Value =
        serde_json::from_str(&ordered(case, &[words, &["--json"]].concat())).expect("JSON");
    assert_eq!(
        (&told["kind"], &told["state"]),
        (&"doctor".into(), &"done".into())
    );
    told["result"].clone()
}

/// The same without the times that passed.
fn untimed(mut report: Value) -> Value {
    report["at"] = Value::Null;
    for step in report["steps"].as_array_mut().expect("a list") {
        if TIMED.contains(&step["step"].as_str().expect("a word")) {
            step["what"] = bare(step["what"].as_str().expect("text")).into();
        }
    }
    report
}

/// The same lines without the digits of those that hold a time.
fn untimed_text(text: &str) -> Vec<String> {
    let is_timed = |line: &str| TIMED.iter().any(|step| line.starts_with(step));
    let lines = text.lines().map(|line| match is_timed(line) {
        true => bare(line),
        false => line.to_owned(),
    });
    lines.collect()
}

fn bare(text: &str) -> String {
    let digits = |c: char| c.is_ascii_digit();
    text.split(digits).filter(|part| !part.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_shows_the_same_report() {
    let case = reported("").await;
    let asked: [(&[&str], Value); 4] = [
        (&[OUTSIDE], "out_of_scope".into()),
        (&[NOBODY], Value::Null),
        (&[ADDRESS, "--value", "fax_mono"], "not_in_mib".into()),
        (&[ADDRESS], Value::Null),
    ];
    for (words, cause) in asked {
        let there = case.doctor(words);
        let here = report(&case, words);
        assert_eq!(
            untimed(here.clone()),
            untimed(there.json.clone()),
            "{words:?}"
        );
        if !cause.is_null() {
            assert_eq!(here["diagnosis"]["cause"], cause, "{here}");
        }
        let text = ordered(&case, words);
        assert_eq!(untimed_text(&text), untimed_text(there.text()), "{words:?}");
        assert!(!text.contains(SECRET));
    }
    assert_eq!(report(&case, &[NOBODY])["diagnosis"]["state"], "failed");
    let outside = report(&case, &[OUTSIDE]);
    let steps: Vec<&Value> = outside["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(
        steps.len(),
        2,
        "its address and that it is out of scope: {steps:?}"
    );
    let values = report(&case, &[ADDRESS])["values"].clone();
    let values = values.as_array().expect("a list").len();
    assert!(values > 10, "{values} values");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_keeps_the_sites_word() {
    let case = reported(MASKS).await;
    let there = case.doctor(&[ADDRESS]).json;
    let named = there["printer"].as_object().expect("a printer");
    let kept: Vec<&str> = ["serial", "mac", "host_name", "location"]
        .iter()
        .filter_map(|key| named.get(*key)?.as_str())
        .chain([ADDRESS])
        .collect();
    assert!(kept.len() >= 3, "{named:?}");
    // By its address, as somebody on the phone says it, and the report names none of it.
    let here = report(&case, &[ADDRESS]).to_string();
    for kept in kept {
        let octets: String = kept.bytes().map(|octet| format!("{octet:02x}")).collect();
        assert!(!here.contains(kept), "{kept} is in {here}");
        assert!(
            !here.to_lowercase().contains(&octets),
            "{kept} is in {here}"
        );
    }
    assert!(here.contains("TASKalfa"), "{here}");
}
