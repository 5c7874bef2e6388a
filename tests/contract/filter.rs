//! A packet filter that allows exactly what the agent's firewall table lists, and counts the rest.

use std::process::Command;

use serde_json::Value;

use crate::network::{HUB, HUB_NAME, Network, Who};
use crate::site::Site;

/// Answers to packets of the table that any router or machine may give (RFC 792).
const ICMP_ERRORS: &str =
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } counter accept";

/// The filter in the agent's namespace.
#[derive(Debug)]
pub struct Filter<'n> {
    network: &'n Network,
}

impl<'n> Filter<'n> {
    /// A filter that allows nothing yet.
    pub fn new(network: &'n Network) -> Self {
        Self { network }
    }

    /// Allows what the table lists, and nothing else; the counter begins at 0.
    pub fn allows(&self, table: &Value) {
        let rows = table["ports"].as_array().expect("rows");
        assert!(!rows.is_empty(), "an empty table");
        let (mut out, mut back) = (vec![ICMP_ERRORS.to_owned()], vec![ICMP_ERRORS.to_owned()]);
        // What is excluded from a row is outside, whichever row it is excluded from.
        for row in rows {
            for excluded in row["exclude"].as_array().expect("a list") {
                let excluded = excluded.as_str().expect("text");
                out.insert(
                    0,
                    format!("ip daddr {excluded} counter name outside {LOG} accept"),
                );
            }
        }
        for row in rows {
            let (there, here) = rules(row);
            out.push(there);
            back.push(here);
        }
        let chain = |name: &str, hook: &str, rules: &[String]| {
            format!(
                "  chain {name} {{ type filter hook {hook} priority filter; policy accept;\n    \
                 {}\n    counter name outside {LOG}\n  }}\n",
                rules.join("\n    ")
            )
        };
        let text = format!(
            "table inet contract {{\n  counter outside {{ }}\n{}{}}}\n",
            chain("out", "output", &out),
            chain("back", "input", &back)
        );
        let file = tempfile::NamedTempFile::new().expect("a file");
        let whole = format!("table inet contract\ndelete table inet contract\n{text}");
        std::fs::write(file.path(), &whole).expect("rules");
        let file = file.path().to_str().expect("a path of text");
        println!("{text}");
        self.network.says(Who::Agent, &["nft", "-f", file]);
    }

    /// Packets that the table does not list, in and out.
    pub fn outside(&self) -> u64 {
        let told = self
            .network
            .says(Who::Agent, &["nft", "-j", "list", "counters"]);
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let counters = told["nftables"].as_array().expect("a list");
        let counter = counters
            .iter()
            .find(|it| it["counter"]["name"] == "outside");
        counter.expect("the counter")["counter"]["packets"]
            .as_u64()
            .expect("a number")
    }

    /// Checks that nothing was outside, and that something was inside of each rule of `used`.
    pub fn was_kept(&self, site: &Site<'_>, during: &str, used: &[&str]) {
        let rules = self
            .network
            .says(Who::Agent, &["nft", "list", "table", "inet", "contract"]);
        println!("{during}:\n{rules}");
        let outside = self.outside();
        assert_eq!(
            outside,
            0,
            "{during}: {}\n{rules}\n{}",
            kernel_log(),
            site.log("agent")
        );
        let is_used = |line: &str| !line.contains("counter packets 0 ");
        for must in used {
            let lines: Vec<&str> = rules.lines().filter(|line| line.contains(*must)).collect();
            assert!(
                !lines.is_empty() && lines.iter().all(|it| is_used(it)),
                "{must}: {rules}"
            );
        }
    }
}

/// Names each stray packet in the kernel's log, where that is allowed.
const LOG: &str = "log prefix \"contract \"";

/// The last stray packets, if the kernel tells.
fn kernel_log() -> String {
    let told = Command::new("dmesg").output();
    let told = told.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    let lines = told.unwrap_or_default();
    let strays: Vec<&str> = lines
        .lines()
        .filter(|it| it.contains("contract "))
        .collect();
    strays
        .into_iter()
        .rev()
        .take(5)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The rule for a row's packets, and the one for their answers.
fn rules(row: &Value) -> (String, String) {
    let word = |key: &str| {
        row[key]
            .as_str()
            .unwrap_or_else(|| panic!("{key} of {row}"))
    };
    assert_eq!(word("direction"), "outgoing", "{row}");
    let to = match word("destination") {
        HUB_NAME => HUB,
        address => address,
    };
    let answer = "ct state established,related counter accept";
    match (word("transport"), row["port"].as_u64()) {
        ("icmp", None) => (
            format!("ip daddr {to} icmp type echo-request counter accept"),
            format!("ip saddr {to} icmp type echo-reply {answer}"),
        ),
        (transport @ ("tcp" | "udp"), Some(port)) => (
            format!("ip daddr {to} {transport} dport {port} counter accept"),
            format!("ip saddr {to} {transport} sport {port} {answer}"),
        ),
        other => panic!("{other:?} in {row}"),
    }
}
