//! What is a command, and what may be done: octets and instants in, a verdict out.

use jiff::ToSpan;
use proto::v1::command::Order as Wire;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;

const AGENT: &str = "0123456789abcdef0123456789abcdef";
const ID: &str = "fedcba9876543210fedcba9876543210";

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn ping() -> v1::Command {
    v1::Command {
        id: ID.to_owned(),
        agent_id: AGENT.to_owned(),
        issuer: "anna".to_owned(),
        reason: "a\u{1b}[31m test\u{202e}".to_owned(),
        issued_ms: now().as_millisecond(),
        expires_ms: (now() + 10.minutes()).as_millisecond(),
        order: Some(Wire::Ping(v1::Ping {
            address: "10.0.0.1".to_owned(),
            count: 3,
        })),
    }
}

fn signed(command: &v1::Command, key: &Ed25519KeyPair, context: &[u8]) -> Vec<u8> {
    let command = command.encode_to_vec();
    let signature = key.sign(&[context, &command].concat()).as_ref().to_vec();
    v1::SignedCommand { command, signature }.encode_to_vec()
}

fn opened(octets: &[u8]) -> Result<Opened, NotOurs> {
    open(octets, key(1).public_key().as_ref(), AGENT)
}

fn judged(change: impl FnOnce(&mut v1::Command)) -> Result<Order, Verdict> {
    let mut command = ping();
    change(&mut command);
    judge(
        &opened(&signed(&command, &key(1), SIGNATURE_CONTEXT)).unwrap(),
        now(),
    )
}

fn refused(words: &str) -> Result<Order, Verdict> {
    Err(Verdict::Refused(words.to_owned()))
}

#[test]
fn the_hubs_command_is_opened_and_its_words_do_nothing_to_a_log() {
    let command = opened(&signed(&ping(), &key(1), SIGNATURE_CONTEXT)).unwrap();
    assert_eq!((command.kind(), command.issuer.as_str()), ("ping", "anna"));
    assert_eq!(command.reason, "a[31m test");
    let address = "10.0.0.1".parse().unwrap();
    assert_eq!(
        judge(&command, now()),
        Ok(Order::Ping { address, count: 3 })
    );
}

#[test]
fn what_the_pinned_key_did_not_sign_for_us_is_not_ours() {
    let good = signed(&ping(), &key(1), SIGNATURE_CONTEXT);
    assert_eq!(
        opened(&signed(&ping(), &key(2), SIGNATURE_CONTEXT)),
        Err(NotOurs::Forged)
    );
    assert_eq!(opened(&signed(&ping(), &key(1), b"")), Err(NotOurs::Forged));
    assert_eq!(
        opened(&signed(&ping(), &key(1), b"platen ticket v1\n")),
        Err(NotOurs::Forged)
    );
    let other = v1::Command {
        agent_id: ID.to_owned(),
        ..ping()
    };
    let other = signed(&other, &key(1), SIGNATURE_CONTEXT);
    assert_eq!(opened(&other), Err(NotOurs::ForAnother));
    for id in [
        "",
        "FEDCBA9876543210FEDCBA9876543210",
        "../../../../etc/passwd",
        &"a".repeat(33),
    ] {
        let command = v1::Command {
            id: id.to_owned(),
            ..ping()
        };
        let octets = signed(&command, &key(1), SIGNATURE_CONTEXT);
        assert_eq!(opened(&octets), Err(NotOurs::NoId), "{id}");
    }
    assert_eq!(
        opened(&vec![0; COMMAND_BYTES_MAX + 1]),
        Err(NotOurs::TooLong(COMMAND_BYTES_MAX + 1))
    );
    assert_eq!(opened(b"\xff\xff\xff"), Err(NotOurs::NoFrame));
    assert_eq!(opened(b""), Err(NotOurs::Forged));
    let mut frame = v1::SignedCommand {
        command: vec![0xff; 9],
        signature: Vec::new(),
    };
    let text = [SIGNATURE_CONTEXT, &frame.command].concat();
    frame.signature = key(1).sign(&text).as_ref().to_vec();
    assert_eq!(opened(&frame.encode_to_vec()), Err(NotOurs::NoCommand));
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 1;
        assert!(opened(&bent).is_err(), "a bit of octet {at}");
        assert!(opened(&good[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_command_is_good_for_its_time_only() {
    let ms = |at: Timestamp| at.as_millisecond();
    assert!(
        judged(|it| it.issued_ms = ms(now() + 1.minutes())).is_ok(),
        "a clock a little ahead"
    );
    assert_eq!(
        judged(|it| it.expires_ms = ms(now())),
        Err(Verdict::Expired)
    );
    let future = |it: &mut v1::Command| it.issued_ms = ms(now() + 3.minutes());
    assert_eq!(
        judged(future),
        refused("it comes from the future: compare the clocks of hub and agent")
    );
    let long = |it: &mut v1::Command| it.expires_ms = ms(now() + 24.hours() + 1.seconds());
    assert_eq!(judged(long), refused("it would be good for more than 24 h"));
    let turned = |it: &mut v1::Command| it.issued_ms = ms(now() + 11.minutes());
    assert_eq!(judged(turned), refused("it ends before it begins"));
    assert_eq!(
        judged(|it| it.expires_ms = i64::MAX),
        refused("its times are no times")
    );
}

#[test]
fn an_order_that_is_unknown_or_has_no_door_is_not_supported() {
    let orders = [None, Some(Wire::UpdateNow(v1::UpdateNow::default()))];
    for order in orders {
        let named = format!("{order:?}");
        assert_eq!(
            judged(|it| it.order = order),
            refused(translate::UNSUPPORTED),
            "{named}"
        );
    }
}

#[test]
fn a_ticket_out_of_its_form_is_refused_and_a_good_one_is_taken_whole() {
    let host_key = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 32], &[7; 32]].concat();
    let good = v1::Ticket {
        session: "a1".repeat(16),
        device_id: "b2".repeat(16),
        port: 443,
        until_ms: (now() + 15.minutes()).as_millisecond(),
        idle_secs: 300,
        host_key,
        user: "agent-1".to_owned(),
        bind_host: "a1".repeat(16),
        bind_port: 443,
        is_read_only: true,
        is_fallback: false,
    };
    let open = |ticket: Option<v1::Ticket>| {
        judged(|it| it.order = Some(Wire::OpenTunnel(v1::OpenTunnel { ticket })))
    };
    let Ok(Order::OpenTunnel(taken)) = open(Some(good.clone())) else {
        panic!("a good ticket is refused");
    };
    assert_eq!((taken.port, taken.issuer.as_str()), (443, "anna"));
    assert_eq!(taken.bind, (good.bind_host.clone(), 443));
    assert!(taken.is_read_only && !taken.is_fallback);
    assert!(open(None).is_err());
    type Bend = fn(&mut v1::Ticket);
    let bent: [(&str, Bend); 16] = [
        ("session", |it| it.session = "A1".repeat(16)),
        ("no session", |it| it.session.clear()),
        ("device", |it| it.device_id = "10.0.0.1".to_owned()),
        ("port 0", |it| it.port = 0),
        ("port 65536", |it| it.port = 65_536),
        ("until", |it| it.until_ms = i64::MAX),
        ("idle 29", |it| it.idle_secs = 29),
        ("idle 3601", |it| it.idle_secs = 3_601),
        ("no key", |it| it.host_key.clear()),
        ("half a key", |it| it.host_key.truncate(20)),
        ("long key", |it| it.host_key = vec![0; 1_025]),
        ("no user", |it| it.user.clear()),
        ("user", |it| it.user = "a b".to_owned()),
        ("name", |it| it.bind_host = "a\u{1b}".to_owned()),
        ("long name", |it| it.bind_host = "a".repeat(65)),
        ("bind port", |it| it.bind_port = 0),
    ];
    for (what, bend) in bent {
        let mut ticket = good.clone();
        bend(&mut ticket);
        let judged = open(Some(ticket));
        assert!(
            matches!(judged, Err(Verdict::Refused(_))),
            "{what}: {judged:?}"
        );
    }
    let close = |session: String| {
        judged(|it| it.order = Some(Wire::CloseTunnel(v1::CloseTunnel { session })))
    };
    assert!(matches!(close("a1".repeat(16)), Ok(Order::CloseTunnel(_))));
    assert!(close("a1".to_owned()).is_err());
}

#[test]
fn an_order_out_of_its_bounds_is_refused() {
    let ping = |address: &str, count| {
        let address = address.to_owned();
        Some(Wire::Ping(v1::Ping { address, count }))
    };
    let range = |label: &str, items: usize| v1::RemoteRange {
        label: label.to_owned(),
        addresses: vec!["10.0.0.1".to_owned(); items],
        ..v1::RemoteRange::default()
    };
    let credential = |version: &str, octets| v1::SealedCredential {
        name: "a".to_owned(),
        version: version.to_owned(),
        sealed: vec![0; octets],
    };
    let configure = |ranges: Vec<v1::RemoteRange>, credentials: Vec<v1::SealedCredential>| {
        Some(Wire::Configure(v1::Configure {
            ranges,
            credentials,
            ..v1::Configure::default()
        }))
    };
    let orders = [
        ping("10.0.0.1", 0),
        ping("10.0.0.1", 11),
        ping("10.0.0.1", u32::MAX),
        ping("printer.example.org", 1),
        ping("10.0.0.0/24", 1),
        ping("10.0.0.1:161", 1),
        Some(Wire::ReadNow(v1::ReadNow {
            device_id: "../spool".to_owned(),
        })),
        Some(Wire::DiscoverNow(v1::DiscoverNow {
            subnet: "a\nb".to_owned(),
        })),
        Some(Wire::DiscoverNow(v1::DiscoverNow {
            subnet: "a".repeat(65),
        })),
        Some(Wire::ReleaseQuarantine(v1::ReleaseQuarantine::default())),
        configure(vec![range("a", 1); 65], vec![]),
        configure(vec![range("a", 257)], vec![]),
        configure(vec![range("", 1)], vec![]),
        configure(vec![], vec![credential("2c", 513)]),
        configure(vec![], vec![credential("2c", 0)]),
        configure(vec![], vec![credential("3", 64)]),
        configure(vec![], vec![credential("2c", 64); 17]),
    ];
    for order in orders {
        let named = format!("{order:?}");
        let verdict = judged(|it| it.order = order);
        assert!(
            matches!(verdict, Err(Verdict::Refused(_))),
            "{named}: {verdict:?}"
        );
    }
}

#[test]
fn what_a_label_printer_is_told_is_of_the_list_or_refused() {
    use v1::zebra::Action;
    let told = |action: Action, [variable, value, label]: [&str; 3]| {
        let wire = v1::Zebra {
            device_id: "b2".repeat(16),
            action: action.into(),
            variable: variable.to_owned(),
            value: value.to_owned(),
            label: label.to_owned(),
        };
        judged(|it| it.order = Some(Wire::Zebra(wire)))
    };
    let (set, stored) = (Action::SetVariable, Action::SendStoredLabel);
    for (action, words) in [
        (Action::Feed, ["", "", ""]),
        (Action::Calibrate, ["", "", ""]),
        (Action::PrintConfiguration, ["", "", ""]),
        (Action::Reset, ["", "", ""]),
        (set, ["print.tone", "12.5", ""]),
        (stored, ["", "", "E:SHIPPING.ZPL"]),
    ] {
        let order = told(action, words);
        assert!(
            matches!(order, Ok(Order::Zebra { .. })),
            "{action:?}: {order:?}"
        );
    }
    for (action, words) in [
        (Action::Unspecified, ["", "", ""]),
        (set, ["device.command", "reset", ""]),
        (set, ["print.tone", "12\"\r\n~JR", ""]),
        (set, ["", "", ""]),
        (stored, ["", "", "X^FS^XZ~JR"]),
        (stored, ["", "", ""]),
    ] {
        assert!(told(action, words).is_err(), "{action:?} {words:?}");
    }
    let queue = |device: &str, queue: &str| {
        let wire = v1::LprQueue {
            device_id: device.to_owned(),
            queue: queue.to_owned(),
        };
        judged(|it| it.order = Some(Wire::LprQueue(wire)))
    };
    let id = "b2".repeat(16);
    assert!(matches!(queue(&id, "lp"), Ok(Order::Queue { .. })));
    assert!(queue(&id, "lp\n\u{2}lp").is_err() && queue(&id, "").is_err());
    assert!(queue("", "lp").is_err());
}
