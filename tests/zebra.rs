//! Label printers and print queues, from the hub's command to its effect at the simulated printer.
//! Who is none of these hears nothing: `honeypot.rs`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Output;

use serde_json::Value;
use simulator::Running;
use stories::{PATIENCE, World, until};

/// Where the queues of these fleets are: 515 takes root.
const LPR: u16 = 1515;

/// The doors of a range that opens all of them.
const EVERY_DOOR: &str = "ipp = 1631, ledm = 1443, zebra = 9100, pjl = 9100, lpr = 1515";

/// Why, in every command of these stories.
const REASON: &str = "--reason=a story";

/// Labels that each Zebra had printed when it was recorded.
const RECORDED: u64 = 411_200;

/// One that prints nothing by itself, so that every label is one that was ordered.
const AT_REST: &str = "life = { pages_per_hour = 0, reboot_hours = 0, sleep = \"never\" }\n\
                       web = [{ page = \"zebra\", port = 9100 }, { page = \"lpr\", port = 1515 }]\n";

/// One that jams at its first label and waits for ever.
const STANDING: &str = "speed = 1000.0\nlife = { pages_per_hour = 6000, jams_per_10000_pages = \
                        9999, repair_secs = 864000, reboot_hours = 0, sleep = \"never\" }\n\
                        web = [{ page = \"zebra\", port = 9100 }, { page = \"lpr\", port = 1515 }]\n";

fn group(recording: &str, addresses: &str, rest: &str) -> String {
    format!("[[printers]]\nrecording = \"{recording}\"\naddresses = {addresses}\n{rest}")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A world whose agent has this in its ranges, and so many printers stored.
async fn world(rack: &Running, ranges: &[(&str, &str)], printers: usize) -> World {
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.66.255.1"], rack.port, "");
    let file = world.path("agent.toml");
    let mut config = std::fs::read_to_string(&file).expect("a configuration");
    for (addresses, doors) in ranges {
        config += &format!(
            "[[ranges]]\nlabel = \"{addresses}\"\naddresses = [\"{addresses}\"]\n\
             credentials = [\"public\"]\ndoors = {{ {doors} }}\n"
        );
    }
    std::fs::write(&file, config).expect("a configuration");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("every printer is stored", PATIENCE * 2, || async {
        (world.printers().len() == printers).then_some(())
    })
    .await;
    world
}

/// The device ids by their addresses.
fn devices(world: &World) -> BTreeMap<String, String> {
    let text = |printer: &Value, key: &str| printer[key].as_str().expect(key).to_owned();
    let printers = world.printers();
    let pair = |printer: &Value| (text(printer, "address"), text(printer, "device"));
    printers.iter().map(pair).collect()
}

/// Orders something and waits for its end.
fn ordered(world: &World, words: &[&str]) -> (Option<i32>, Value) {
    let words = [&["cmd"], words, &[REASON, "--json"]].concat();
    let output = world.hub_says(&words);
    let outcome = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    assert!(!outcome.is_null(), "{words:?}: {}", said(&output));
    (output.status.code(), outcome)
}

/// Reads a printer by another door.
fn read(world: &World, rack: &Running, address: &str, more: &[&str]) -> Output {
    let port = rack.port.to_string();
    let words = ["read", address, "--port", &port, "--json"];
    world.platen(&[&words, more].concat())
}

fn reading(world: &World, rack: &Running, address: &str, via: &str) -> Value {
    let output = read(world, rack, address, &["--via", via, "--timeout", "10"]);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn total(reading: &Value) -> u64 {
    let meters = reading["meters"].as_array().expect("meters");
    let total = meters.iter().find(|meter| meter["name"] == "total");
    total.expect("a total")["value"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_its_effect_at_the_printer_and_is_answered_in_words() {
    let zebras = "[\"127.66.0.1\", \"127.66.0.2\", \"127.66.0.3\", \"127.66.0.4\", \
                  \"127.66.0.5\", \"127.66.0.6\"]";
    let rack = stories::rack(
        &[
            "seed = 66\n".to_owned(),
            group("zebra-zt411", zebras, AT_REST),
        ]
        .concat(),
    );
    let world = world(&rack, &[("127.66.0.0/24", EVERY_DOOR)], 6).await;
    let devices = devices(&world);
    let set = [
        "set-variable",
        "--variable",
        "print.tone",
        "--value",
        "12.5",
    ];
    let stored = ["send-stored-label", "--label", "SHIPPING"];
    let table: [(&str, &[&str], &str, &str, u64); 6] = [
        (
            "127.66.0.1",
            &["print-configuration"],
            "to print its configuration label",
            "print configuration",
            1,
        ),
        ("127.66.0.2", &["feed"], "to feed one label", "feed", 1),
        (
            "127.66.0.3",
            &["calibrate"],
            "to measure its media",
            "calibrate",
            0,
        ),
        (
            "127.66.0.4",
            &stored,
            "to print its stored label E:SHIPPING.ZPL",
            "print stored E:SHIPPING.ZPL",
            1,
        ),
        (
            "127.66.0.5",
            &set,
            "to set print.tone to 12.5",
            "set print.tone 12.5",
            0,
        ),
        ("127.66.0.6", &["reset"], "to start again", "reset", 0),
    ];
    for (address, words, told, did, labels) in table {
        let id = devices[address].as_str();
        let (exit, outcome) = ordered(&world, &[&["zebra", "story", id], words].concat());
        assert_eq!(exit, Some(0), "{outcome}");
        let result = &outcome["result"];
        assert_eq!(result["told"], told, "{outcome}");
        assert_eq!(result["over"], "zebra");
        assert_eq!(result["confirmed"], words == set, "{outcome}");
        let arrived = rack.arrived(ip(address)).await.expect("a printer");
        assert_eq!(arrived.told, [did], "once");
        // What was sent is nowhere but at the printer.
        let traces = outcome.to_string() + &world.log_of("agent") + &world.log_of("hub");
        for octets in ["~WC", "~PH", "~JC", "~JR", "^XA", "U1 setvar"] {
            assert!(!traces.contains(octets), "{octets}");
        }
        if words != ["reset"] {
            let reading = reading(&world, &rack, address, "zebra");
            assert_eq!(total(&reading), RECORDED + labels, "{address}");
            assert_eq!(reading["status"]["state"], "idle", "{reading}");
        }
    }
    // The agent's own readings hold what the printers say there, too.
    until("a reading holds what SGD says", PATIENCE, || async {
        let bodies = world.reading_bodies().await;
        let says = |body: &String| body.contains("\"door\":\"zebra\"");
        bodies.iter().any(|(_, body)| says(body)).then_some(())
    })
    .await;
    // One thing a minute: the second is refused, and the printer is told nothing of it.
    let id = devices["127.66.0.2"].as_str();
    let before = rack.arrived(ip("127.66.0.2")).await.expect("a printer");
    let (exit, soon) = ordered(&world, &["zebra", "story", id, "feed"]);
    assert_eq!(
        (exit, &soon["state"]),
        (Some(77), &"refused".into()),
        "{soon}"
    );
    assert!(
        soon["why"]
            .as_str()
            .expect("why")
            .contains("one thing in 60 s")
    );
    let after = rack.arrived(ip("127.66.0.2")).await.expect("a printer");
    assert_eq!(after.told, before.told);
    // What is not of the list is not even signed.
    let wrong = [
        "cmd",
        "zebra",
        "story",
        id,
        "send-stored-label",
        "--label",
        "X^XZ~JR",
        REASON,
    ];
    let wrong = world.hub_says(&wrong);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        said(&wrong).contains("a stored label is written as"),
        "{}",
        said(&wrong)
    );
    // A device that nobody knows.
    let (exit, nobody) = ordered(&world, &["zebra", "story", &"0".repeat(32), "feed"]);
    assert_eq!(exit, Some(77), "{nobody}");
    assert!(
        nobody["why"]
            .as_str()
            .expect("why")
            .contains("there is no device")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_range_decides_which_door_a_command_takes_and_silence_is_a_state() {
    let fleet = [
        "seed = 67\n".to_owned(),
        group("zebra-zt411", "\"127.66.1.1\"", AT_REST),
        group("zebra-zt411", "\"127.66.2.1\"", AT_REST),
        group("zebra-zt411", "\"127.66.3.1\"", STANDING),
        group(
            "hp-laserjet-m507dn",
            "\"127.66.3.2\"",
            "frozen = true\nweb = [{ page = \"pjl-info\", \
              port = 9100 }, { page = \"lpr\", port = 1515 }]\n",
        ),
    ];
    let rack = stories::rack(&fleet.concat());
    let ranges = [
        ("127.66.1.0/24", "lpr = 1515"),
        ("127.66.2.0/24", "ipp = 1631"),
        ("127.66.3.0/24", EVERY_DOOR),
    ];
    let world = world(&rack, &ranges, 4).await;
    let devices = devices(&world);
    // A range with LPR alone: the command goes as a job.
    let by_lpr = devices["127.66.1.1"].as_str();
    let (exit, told) = ordered(&world, &["zebra", "story", by_lpr, "feed"]);
    assert_eq!(
        (exit, &told["result"]["over"]),
        (Some(0), &"lpr".into()),
        "{told}"
    );
    let arrived = rack.arrived(ip("127.66.1.1")).await.expect("a printer");
    assert_eq!(arrived.told, ["feed"]);
    // One with neither: refused.
    let closed = devices["127.66.2.1"].as_str();
    for words in [
        ["zebra", "story", closed, "feed"].as_slice(),
        &["lpr", "story", closed],
    ] {
        let (exit, refused) = ordered(&world, words);
        assert_eq!(exit, Some(77), "{refused}");
        let why = refused["why"].as_str().expect("why");
        assert!(why.contains("does not open"), "{why}");
    }
    let arrived = rack.arrived(ip("127.66.2.1")).await.expect("a printer");
    assert_eq!((arrived.connections, arrived.raw_bytes), (0, 0));
    // One that stands answers variables and is silent to ~HS.
    let stands = reading(&world, &rack, "127.66.3.1", "zebra");
    assert_eq!(stands["status"]["state"], "stopped", "{stands}");
    assert_eq!(
        stands["status"]["conditions"],
        serde_json::json!(["doorOpen"])
    );
    let alert = stands["alerts"][0]["description"]
        .as_str()
        .expect("an alert");
    assert!(alert.contains("silent to ~HS"), "{alert}");
    // The state of queues: counted, and nobody's name leaves.
    let hp = devices["127.66.3.2"].as_str();
    let (exit, empty) = ordered(&world, &["lpr", "story", hp]);
    assert_eq!(
        (exit, &empty["result"]["jobs"]),
        (Some(0), &0.into()),
        "{empty}"
    );
    let (_, busy) = ordered(&world, &["lpr", "story", hp, "busy"]);
    assert_eq!(busy["result"]["jobs"], 2, "{busy}");
    let (exit, stopped) = ordered(&world, &["lpr", "story", &devices["127.66.3.1"]]);
    assert_eq!(exit, Some(0), "{stopped}");
    assert!(
        stopped["result"]["says"][0]
            .as_str()
            .expect("says")
            .contains("is stopped")
    );
    let (port, lpr) = (rack.port.to_string(), LPR.to_string());
    let ports = ["--port", &port, "--lpr-port", &lpr, "--timeout", "10"];
    let words = ["queue", "127.66.3.2", "--queue", "busy"];
    let shown = said(&world.platen(&[&words[..], &ports].concat()));
    assert!(
        shown.starts_with("busy: 2 jobs\n  busy is ready and printing\n"),
        "{shown}"
    );
    let json = said(&world.platen(&[&words[..], &["--json"], &ports].concat()));
    for names in [busy.to_string(), shown, json] {
        for name in ["anna", "salaries", "jack", "resignation"] {
            assert!(!names.contains(name), "{names}");
        }
    }
    // PJL, where it is listed; and where it is not, nothing is sent.
    let pjl = reading(&world, &rack, "127.66.3.2", "pjl");
    assert_eq!(pjl["identity"]["vendor"], "HP", "{pjl}");
    assert_eq!(pjl["meters"][0]["evidence"]["door"], "pjl", "{pjl}");
    let heard = rack
        .arrived(ip("127.66.1.1"))
        .await
        .expect("a printer")
        .raw_bytes;
    let refused = read(
        &world,
        &rack,
        "127.66.1.1",
        &["--via", "pjl", "--timeout", "10"],
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("does not list PJL"),
        "{}",
        said(&refused)
    );
    let after = rack
        .arrived(ip("127.66.1.1"))
        .await
        .expect("a printer")
        .raw_bytes;
    assert_eq!(heard, after);
}
