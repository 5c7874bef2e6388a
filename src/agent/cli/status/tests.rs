//! What the status looks like.

use actors::messages::{Cause, ChildId, Kind, UplinkVitals};
use actors::status::{
    ChildRestarts, DoubtfulPrinter, Refusing, SilentPrinter, StatusSnapshot, TroubledPrinter,
};
use actors::tunnel::SessionsStatus;
use printer::identity::DeviceId;

use super::*;
use crate::control::About;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn the_status_says_what_a_person_asks_for() {
    let now = at("2026-11-23T08:10:00Z");
    let device = DeviceId::parse(&"0a".repeat(16)).expect("an id");
    let snapshot = StatusSnapshot {
        schema: 1,
        at: now,
        started_at: at("2026-11-11T08:00:00Z"),
        hub: Some(HubStatus {
            url: "https://hub.example.org".to_owned(),
            uplink: UplinkVitals {
                contact_at: Some(at("2026-11-23T08:09:58Z")),
                trouble: None,
                since: Some(at("2026-11-11T08:00:02Z")),
                commands: Some(LineState {
                    is_connected: true,
                    since: Some(at("2026-11-23T05:10:00Z")),
                    ..LineState::default()
                }),
                acked: 7,
            },
        }),
        printers: PrintersStatus {
            known: 14,
            read: 13,
            silent: 1,
            read_first_at: Some(at("2026-11-23T08:00:00Z")),
            read_last_at: Some(at("2026-11-23T08:03:00Z")),
            next_at: Some(at("2026-11-23T10:00:00Z")),
            silent_listed: vec![SilentPrinter {
                device: device.clone(),
                address: Some([192, 168, 1, 52].into()),
                since: at("2026-11-20T08:00:00Z"),
            }],
            refusing: 7,
            refusing_listed: vec![Refusing {
                address: [192, 168, 1, 54].into(),
                device: None,
                why: "user 'mps': \u{1b}[31mno".to_owned(),
            }],
            troubled_listed: vec![TroubledPrinter {
                device: device.clone(),
                address: Some([192, 168, 1, 53].into()),
                trouble: "used up \u{1b}[31mthe budget".to_owned(),
            }],
            ..PrintersStatus::default()
        },
        subnets: vec![SubnetStatus {
            label: "office".to_owned(),
            scanner: ScannerVitals {
                swept_at: Some(at("2026-11-23T06:00:00Z")),
                seen: 14,
                next_at: Some(at("2026-11-23T12:00:00Z")),
                ..ScannerVitals::default()
            },
        }],
        queue: QueueStatus::default(),
        restarts: RestartsStatus {
            total: 2,
            by_kind: [(Kind::Device, 2)].into(),
            children: vec![ChildRestarts {
                child: ChildId::Device(device.clone()),
                restarts: 2,
                cause: Cause::Panicked("bad \u{1b}[31mwalk".to_owned()),
                died_at: at("2026-11-23T08:05:00Z"),
                is_alive: true,
            }],
        },
        sessions: SessionsStatus {
            open: 1,
            waiting: 2,
        },
        set_aside: vec![SetAsideStatus {
            device: device.clone(),
            address: Some([192, 168, 1, 66].into()),
            since: at("2026-11-23T07:10:00Z"),
            cause: "panicked: ouch".to_owned(),
            bytes: 1_472,
            file: Some("/var/lib/platen/quarantine/x.json".into()),
        }],
    };
    let about = About {
        name: "lyon-1".to_owned(),
        version: "0.1.0".to_owned(),
        enrolled_as: Some("Garage Morel / Lyon".to_owned()),
    };
    let text = text(&Status { about, snapshot });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "lyon-1 · enrolled as Garage Morel / Lyon · up 12 d · v0.1.0"
    );
    assert_eq!(
        lines[1],
        "Channels  grpc ✓ 2 s ago   mqtt ✓ for 3 h   https://hub.example.org"
    );
    assert_eq!(
        lines[2],
        "Printers  14 known · 13 read 08:00Z–08:03Z · 1 silent (192.168.1.52 3 d)"
    );
    assert_eq!(
        lines[3].trim_start(),
        "192.168.1.53: used up [31mthe budget"
    );
    assert_eq!(
        lines[4..7],
        [
            "Refusing  7 answer, but no credential fits",
            "          192.168.1.54: user 'mps': [31mno",
            "          and 6 more",
        ]
    );
    let lines = &lines[3..];
    assert_eq!(
        lines[4],
        format!("Set aside 192.168.1.66 1 h ago: panicked: ouch · platen release {device}")
    );
    assert_eq!(
        lines[5].trim_start(),
        "its last 1472 octets: /var/lib/platen/quarantine/x.json"
    );
    let lines = &lines[3..];
    assert_eq!(
        lines[3],
        "Subnet    office · swept 2 h ago, 14 seen · next discovery 12:00Z"
    );
    assert_eq!(lines[4], "Queue     0 waiting · next read 10:00Z");
    assert_eq!(lines[5], "Sessions  1 open · 2 waiting for approval");
    assert_eq!(lines[6], "Restarts  2");
    assert!(
        lines[7].contains("2× · panicked: bad") && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[test]
fn a_printer_that_may_be_another_one_is_named_with_both_and_why() {
    let now = at("2026-11-23T08:10:00Z");
    let id = |text: &str| DeviceId::parse(&text.repeat(16)).expect("an id");
    let printers = PrintersStatus {
        doubtful: 12,
        doubtful_listed: vec![DoubtfulPrinter {
            device: id("0a"),
            address: Some([192, 168, 1, 55].into()),
            may_be: id("0b"),
            or: vec![id("0c")],
            more: 3,
            why: "same serial, \u{1b}[31mnew MAC".to_owned(),
            since: at("2026-11-23T08:00:00Z"),
        }],
        ..PrintersStatus::default()
    };
    let lines = doubtful(&printers, now);
    assert!(
        lines[0].starts_with("192.168.1.55 10 min ago: 0a0a"),
        "{lines:?}"
    );
    assert!(
        lines[0].contains(" may be 0b0b")
            && lines[0].contains(", 0c0c")
            && lines[0].ends_with("; kept apart")
    );
    assert!(!lines[0].contains('\u{1b}'));
    assert_eq!(lines[1], "and 11 more");
}

#[test]
fn each_channel_says_since_when_it_is_down_and_why() {
    let now = at("2026-11-23T08:10:00Z");
    let down = |trouble: &str| LineState {
        since: Some(at("2026-11-23T08:06:00Z")),
        trouble: Some(trouble.to_owned()),
        ..LineState::default()
    };
    let hub = |trouble: Option<&str>, commands: Option<LineState>| HubStatus {
        url: "https://hub.example.org".to_owned(),
        uplink: UplinkVitals {
            contact_at: Some(at("2026-11-23T08:04:00Z")),
            trouble: trouble.map(str::to_owned),
            since: Some(at("2026-11-23T08:05:00Z")),
            commands,
            acked: 7,
        },
    };
    let said = |hub: HubStatus| channels(Some(&hub), now);
    assert_eq!(
        said(hub(Some("no \u{1b}[31mroute"), Some(down("refused")))),
        "grpc ✗ for 5 min, last answer 6 min ago   mqtt ✗ for 4 min   https://hub.example.org\n          \
         grpc: no [31mroute\n          mqtt: refused"
    );
    assert_eq!(
        said(hub(None, Some(LineState::default()))),
        "grpc ✓ 6 min ago   mqtt … connecting   https://hub.example.org"
    );
    assert_eq!(
        said(hub(None, None)),
        "grpc ✓ 6 min ago   mqtt – takes no commands   https://hub.example.org"
    );
}
