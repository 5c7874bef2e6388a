//! The policy as a table: what is asked, and the word of the refusal.

use jiff::ToSpan;

use super::*;
use crate::tunnel::ticket::{HostKey, SessionId};

fn ticket(now: &ZonedDateTime, minutes: i64) -> Ticket {
    let key = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 32], &[7; 32]].concat();
    Ticket {
        session: SessionId::parse(&"a1".repeat(16)).expect("an id"),
        device: printer::identity::DeviceId::parse(&"b2".repeat(16)).expect("an id"),
        port: 80,
        until: now.timestamp() + minutes.minutes(),
        idle_max: Duration::from_secs(60),
        host_key: HostKey::parse(&key).expect("a key"),
        user: "agent".into(),
        bind: ("a1".repeat(16), 80),
        is_read_only: false,
        is_fallback: false,
        issuer: "t".into(),
        reason: "r".into(),
        expires: now.timestamp() + 5.minutes(),
    }
}

fn open() -> WebAccess {
    WebAccess {
        allow: Allow::Always,
        gateway: Destination::new("hub.example.org", 22).ok(),
        ..WebAccess::default()
    }
}

#[test]
fn every_refusal_names_the_key_that_is_in_the_way() {
    let now: ZonedDateTime = "2026-11-25T12:00+00[UTC]".parse().expect("an instant");
    let night = Hours(vec!["22:00-24:00".parse().expect("a window")]);
    let usual = ticket(&now, 15);
    let fallback = Ticket {
        is_fallback: true,
        ..usual.clone()
    };
    for (policy, ticket, says) in [
        (open(), &usual, None),
        (open(), &fallback, Some("plain_fallback")),
        (open(), &ticket(&now, 17), Some("max_minutes")),
        (open(), &ticket(&now, 0), Some("over before")),
        (
            WebAccess {
                plain_fallback: true,
                ..open()
            },
            &fallback,
            None,
        ),
        (
            WebAccess {
                allow: Allow::Never,
                ..open()
            },
            &usual,
            Some("allow"),
        ),
        (
            WebAccess {
                allow: Allow::Ask,
                ..open()
            },
            &usual,
            Some("approvers"),
        ),
        (
            WebAccess {
                gateway: None,
                ..open()
            },
            &usual,
            Some("[tunnel]"),
        ),
        (
            WebAccess {
                hours: night,
                ..open()
            },
            &usual,
            Some("hours"),
        ),
    ] {
        let judged = policy.judge(ticket, &now);
        match says {
            None => assert_eq!(judged.expect("let").until, ticket.until),
            Some(word) => {
                let why = judged.expect_err(word);
                assert!(why.contains(word), "{why}");
            }
        }
    }
}

#[test]
fn a_session_ends_with_the_sites_hours() {
    let now: ZonedDateTime = "2026-11-25T18:55+00[UTC]".parse().expect("an instant");
    let policy = WebAccess {
        hours: Hours(vec!["mon-fri 07:00-19:00".parse().expect("a window")]),
        ..open()
    };
    let leave = policy.judge(&ticket(&now, 15), &now).expect("let");
    assert_eq!(leave.cause, Cause::Hours);
    assert_eq!(leave.until, now.timestamp() + 5.minutes());
}
