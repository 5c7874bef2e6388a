//! What a dialog with an engine believes, what it recovers from, and where it ends.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::prelude::*;
use snmp::usm::{
    Asked, Auth, BOOTS_MAX, Dialog, Draft, Frame, Heard, Keys, Level, Privacy, Refusal, Report,
    Scoped, Security, User, WINDOW_SECS, plain_report, plain_scoped,
};
use snmp::{ErrorStatus, Oid, Pdu, PduKind, Value, VarBind};

const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04first";
const OTHER_ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04other";
const ASKED: Asked = Asked {
    message_id: 0x1234_5678,
    request_id: 4_711,
};
/// Longest a question may go on: two discoveries, a setting of the clock, and the question itself.
const MESSAGES_MAX: usize = 6;

const NOT_IN_TIME: u32 = 2;
const UNKNOWN_ENGINE: u32 = 4;

/// A device of which the test knows all.
struct Device {
    id: Vec<u8>,
    boots: u32,
    time: u32,
}

impl Device {
    fn new() -> Self {
        let (boots, time) = (7, 1_000);
        Self {
            id: ENGINE.to_vec(),
            boots,
            time,
        }
    }

    /// A message of this device, secured with these keys.
    fn says(&self, keys: &Keys, asked: Asked, scoped: &[u8]) -> Vec<u8> {
        let name = user_of(keys.level()).name().to_owned();
        let draft = Draft {
            message_id: asked.message_id,
            is_reportable: false,
            engine_id: &self.id,
            boots: self.boots,
            time: self.time,
            user: name.as_bytes(),
            scoped,
        };
        draft.encode(keys, 0x5a17)
    }

    fn answers(&self, keys: &Keys, asked: Asked) -> Vec<u8> {
        let pdu = pdu(PduKind::Response, asked, vec![found()]);
        let scoped = plain_scoped(&self.id, b"", &pdu).expect("a scoped PDU");
        self.says(keys, asked, &scoped)
    }

    /// A Report of a counter of usmStats.
    fn reports(&self, keys: &Keys, counter: u32) -> Vec<u8> {
        let oid = Oid::new(&[1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0]);
        self.says(keys, ASKED, &report_of(&self.id, &oid))
    }

    /// What this device does with a message: it says who it is, refuses what is out of its window,
    /// or answers.
    fn takes(&self, message: &[u8]) -> Vec<u8> {
        let frame = Frame::decode(message).expect("a question");
        if frame.engine_id != self.id {
            return self.reports(&no_keys(), UNKNOWN_ENGINE);
        }
        let keys = user().localize(&self.id);
        assert!(frame.is_authentic(&keys));
        let is_late = frame.boots != self.boots || frame.time.abs_diff(self.time) > WINDOW_SECS;
        if is_late || self.boots == BOOTS_MAX {
            let keys = user_of(Level::AuthNoPriv).localize(&self.id);
            return self.reports(&keys, NOT_IN_TIME);
        }
        self.answers(&keys, ASKED)
    }
}

fn report_of(engine_id: &[u8], oid: &Oid) -> Vec<u8> {
    plain_report(engine_id, &Report::from_oid(oid), 1).expect("a report")
}

fn pdu(kind: PduKind, asked: Asked, varbinds: Vec<VarBind>) -> Pdu {
    Pdu {
        kind,
        request_id: asked.request_id,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds,
    }
}

fn found() -> VarBind {
    let oid = Oid::new(&[1, 3, 6, 1, 2, 1, 1, 5, 0]);
    VarBind::new(oid, Value::OctetString(b"printer".to_vec()))
}

/// The user of a level; made once, since that takes its time.
fn user_of(level: Level) -> Arc<User> {
    static USERS: OnceLock<[Arc<User>; 3]> = OnceLock::new();
    let auth = (Auth::Sha256, &b"auth-password"[..]);
    let privacy = (Privacy::Aes128, &b"priv-password"[..]);
    let [none, authentic, private] = USERS.get_or_init(|| {
        [
            Security::None,
            Security::Auth(auth.0, auth.1),
            Security::AuthPriv(auth, privacy),
        ]
        .map(|security| Arc::new(User::new("mps", "", security).expect("a user")))
    });
    match level {
        Level::NoAuthNoPriv => none.clone(),
        Level::AuthNoPriv => authentic.clone(),
        Level::AuthPriv => private.clone(),
    }
}

fn user() -> Arc<User> {
    user_of(Level::AuthPriv)
}

fn no_keys() -> Keys {
    user_of(Level::NoAuthNoPriv).localize(ENGINE)
}

fn question() -> Pdu {
    pdu(PduKind::Get, ASKED, vec![VarBind::asking(found().oid)])
}

fn at(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A dialog that has met the device, authentically.
fn acquainted(device: &Device, now: Duration) -> Dialog {
    let mut dialog = Dialog::new(user(), 1);
    let (ended, _) = ask(&mut dialog, now, |message| device.takes(message));
    assert!(ended.is_ok(), "{ended:?}");
    dialog.begin();
    dialog
}

/// Asks one question to its end: its answer or refusal, and how many messages it took.
fn ask(
    dialog: &mut Dialog,
    now: Duration,
    mut device: impl FnMut(&[u8]) -> Vec<u8>,
) -> (Result<Pdu, Refusal>, usize) {
    dialog.begin();
    for messages in 1..=MESSAGES_MAX {
        let message = dialog.message(&question(), ASKED.message_id, now);
        let reply = device(&message.expect("a question"));
        match dialog.hear(&reply, ASKED, now) {
            Heard::Answer(pdu) => return (Ok(pdu), messages),
            Heard::Engine { id, boots, time } => {
                let keys = dialog.user().localize(&id);
                dialog.meet(id, keys, (boots, time), now);
            }
            Heard::Again => {}
            Heard::Refused(refusal) => return (Err(refusal), messages),
            other @ (Heard::Stray(_) | Heard::Malformed(_)) => panic!("{other:?}"),
        }
    }
    panic!("the question goes on for ever");
}

#[test]
fn a_question_finds_the_engine_first_and_the_next_one_knows_it() {
    let device = Device::new();
    let mut dialog = Dialog::new(user(), 1);
    let (answer, messages) = ask(&mut dialog, at(0), |message| device.takes(message));
    assert_eq!(answer.map(|pdu| pdu.varbinds), Ok(vec![found()]));
    assert_eq!(messages, 2, "the discovery and the question");
    let (answer, messages) = ask(&mut dialog, at(1), |message| device.takes(message));
    assert!(answer.is_ok());
    assert_eq!(messages, 1);
}

#[test]
fn a_context_is_asked_for_by_its_name() {
    let user = User::new("mps", "Jetdirect", Security::None).expect("a user");
    let keys = user.localize(ENGINE);
    let mut dialog = Dialog::new(Arc::new(user), 1);
    dialog.meet(ENGINE.to_vec(), keys, (1, 1), at(0));
    let message = dialog.message(&question(), 1, at(0)).expect("a question");
    let needle = [&b"\x04\x09"[..], b"Jetdirect"].concat();
    let holds = |octets: &[u8]| octets.windows(needle.len()).any(|some| some == needle);
    assert!(holds(&message));
}

#[test]
fn a_device_that_rebooted_is_followed() {
    let mut device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    (device.boots, device.time) = (8, 3);
    let (answer, messages) = ask(&mut dialog, at(60), |message| device.takes(message));
    assert!(answer.is_ok());
    assert_eq!(messages, 2, "its report sets the clock");
    let (_, messages) = ask(&mut dialog, at(61), |message| device.takes(message));
    assert_eq!(messages, 1);
}

#[test]
fn a_clock_that_jumped_is_followed_forward_and_back() {
    let mut device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    let ten_years = 10 * 365 * 86_400;
    device.time += ten_years;
    let (answer, messages) = ask(&mut dialog, at(1), |message| device.takes(message));
    assert!(answer.is_ok());
    assert_eq!(messages, 2, "its report sets the clock");
    // What is behind the window is believed from nobody, so the engine is found anew.
    device.time -= ten_years;
    let (answer, messages) = ask(&mut dialog, at(2), |message| device.takes(message));
    assert!(answer.is_ok());
    assert_eq!(messages, 3);
}

#[test]
fn boots_that_went_back_are_found_anew() {
    let mut device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    device.boots -= 1;
    let (answer, messages) = ask(&mut dialog, at(1), |message| device.takes(message));
    assert!(answer.is_ok());
    assert_eq!(messages, 3);
}

#[test]
fn a_discovery_that_lies_about_the_clock_costs_one_message() {
    let device = Device::new();
    let liar = Device {
        boots: 9_999,
        time: 1,
        ..Device::new()
    };
    let mut dialog = Dialog::new(user(), 1);
    let (answer, messages) = ask(&mut dialog, at(0), |message| {
        let is_discovery = Frame::decode(message).is_ok_and(|frame| frame.engine_id.is_empty());
        if is_discovery { &liar } else { &device }.takes(message)
    });
    assert!(answer.is_ok());
    assert_eq!(messages, 3);
}

#[test]
fn boots_at_their_end_are_said_in_words() {
    let mut device = Device::new();
    device.boots = BOOTS_MAX;
    let mut dialog = Dialog::new(user(), 1);
    let (refused, _) = ask(&mut dialog, at(0), |message| device.takes(message));
    assert_eq!(refused, Err(Refusal::BootsLatched));
    let words = Refusal::BootsLatched.to_string();
    assert!(words.contains("2147483647"), "{words}");
}

#[test]
fn another_engine_at_the_address_is_found_anew() {
    let mut device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    device.id = OTHER_ENGINE.to_vec();
    let (answer, messages) = ask(&mut dialog, at(1), |message| device.takes(message));
    assert!(answer.is_ok());
    assert_eq!(messages, 3);
}

#[test]
fn an_engine_with_another_id_each_time_is_given_up() {
    let mut device = Device::new();
    let mut dialog = Dialog::new(user(), 1);
    let (refused, _) = ask(&mut dialog, at(0), |_| {
        device.id[5] = device.id[5].wrapping_add(1);
        device.reports(&no_keys(), UNKNOWN_ENGINE)
    });
    assert_eq!(refused, Err(Refusal::EngineChanges));
}

#[test]
fn reports_without_end_end_the_question() {
    let device = Device::new();
    for level in [Level::NoAuthNoPriv, Level::AuthNoPriv] {
        let keys = user_of(level).localize(ENGINE);
        let mut dialog = acquainted(&device, at(0));
        let (refused, _) = ask(&mut dialog, at(0), |message| {
            let is_discovery = Frame::decode(message).is_ok_and(|it| it.engine_id.is_empty());
            let (keys, counter) = if is_discovery {
                (&no_keys(), UNKNOWN_ENGINE)
            } else {
                (&keys, NOT_IN_TIME)
            };
            device.reports(keys, counter)
        });
        assert_eq!(refused, Err(Refusal::ClockJumps), "{level}");
    }
}

#[test]
fn every_report_is_said_in_words() {
    let device = Device::new();
    let table = [
        (1, "the user is not set up for authPriv there"),
        (3, "the user name is not known there"),
        (
            5,
            "the authentication password is wrong, or the device has another algorithm than sha256",
        ),
        (
            6,
            "the privacy password is wrong, or the device has another algorithm than aes128",
        ),
    ];
    for (counter, words) in table {
        let mut dialog = acquainted(&device, at(0));
        let report = device.reports(&no_keys(), counter);
        match dialog.hear(&report, ASKED, at(0)) {
            Heard::Refused(refusal) => assert_eq!(refusal.to_string(), words),
            other => panic!("{counter}: {other:?}"),
        }
    }
    // snmpUnknownContexts, and something that no RFC knows.
    for (oid, words) in [
        ("1.3.6.1.6.3.12.1.5.0", "the context is not known there"),
        ("1.2.3.4", "it refuses with a report of 1.2.3.4"),
    ] {
        let scoped = report_of(ENGINE, &oid.parse().expect("an object"));
        let report = device.says(&no_keys(), ASKED, &scoped);
        let mut dialog = acquainted(&device, at(0));
        match dialog.hear(&report, ASKED, at(0)) {
            Heard::Refused(refusal) => assert_eq!(refusal.to_string(), words),
            other => panic!("{oid}: {other:?}"),
        }
    }
}

#[test]
fn a_user_without_a_view_is_told_so() {
    let device = Device::new();
    let mut pdu = pdu(PduKind::Response, ASKED, Vec::new());
    pdu.error_status = ErrorStatus::Other(16);
    let scoped = plain_scoped(ENGINE, b"", &pdu).expect("a scoped PDU");
    let answer = device.says(&user().localize(ENGINE), ASKED, &scoped);
    let heard = acquainted(&device, at(0)).hear(&answer, ASKED, at(0));
    assert!(matches!(
        heard,
        Heard::Refused(Refusal::NotAuthorized(Level::AuthPriv))
    ));
}

#[test]
fn a_replayed_answer_is_dropped() {
    let device = Device::new();
    let keys = user().localize(ENGINE);
    let mut dialog = acquainted(&device, at(0));
    // Yesterday's answer, to another message or to another question.
    for asked in [
        Asked {
            message_id: ASKED.message_id - 1,
            ..ASKED
        },
        Asked {
            request_id: ASKED.request_id - 1,
            ..ASKED
        },
    ] {
        let mut replayed = device.answers(&keys, asked);
        assert!(matches!(
            dialog.hear(&replayed, ASKED, at(0)),
            Heard::Stray(_)
        ));
        // Put under the right msgID, it has a wrong MAC; and still the wrong request-id.
        let id = ASKED.message_id.to_be_bytes();
        let place = replayed
            .windows(4)
            .position(|some| some == asked.message_id.to_be_bytes());
        replayed[place.expect("a msgID")..][..4].copy_from_slice(&id);
        assert!(matches!(
            dialog.hear(&replayed, ASKED, at(0)),
            Heard::Stray(_)
        ));
    }
    let answer = device.answers(&keys, ASKED);
    assert!(matches!(
        dialog.hear(&answer, ASKED, at(0)),
        Heard::Answer(_)
    ));
}

#[test]
fn an_answer_of_another_engine_is_dropped() {
    let device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    let other = Device {
        id: OTHER_ENGINE.to_vec(),
        ..Device::new()
    };
    // With its own keys, and with those of the engine that was asked.
    for keys in [user().localize(OTHER_ENGINE), user().localize(ENGINE)] {
        let answer = other.answers(&keys, ASKED);
        assert!(matches!(
            dialog.hear(&answer, ASKED, at(0)),
            Heard::Stray(_)
        ));
    }
}

#[test]
fn an_answer_outside_the_window_is_not_believed() {
    for (behind, is_believed) in [(0, true), (WINDOW_SECS, true), (WINDOW_SECS + 1, false)] {
        let mut device = Device::new();
        let mut dialog = acquainted(&device, at(0));
        device.time -= behind;
        let answer = device.answers(&user().localize(ENGINE), ASKED);
        let heard = dialog.hear(&answer, ASKED, at(0));
        match heard {
            Heard::Answer(_) => assert!(is_believed, "{behind}"),
            Heard::Again => assert!(!is_believed, "{behind}"),
            other => panic!("{behind}: {other:?}"),
        }
    }
    let mut device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    // The engine's clock goes on while nobody asks.
    device.time += 100;
    let answer = device.answers(&user().localize(ENGINE), ASKED);
    let heard = dialog.hear(&answer, ASKED, at(100 + 151));
    assert!(matches!(heard, Heard::Again), "{heard:?}");
}

#[test]
fn an_answer_at_a_lower_level_is_dropped() {
    let device = Device::new();
    for asked_at in [Level::AuthNoPriv, Level::AuthPriv] {
        for answered_at in [Level::NoAuthNoPriv, Level::AuthNoPriv] {
            if answered_at == asked_at {
                continue;
            }
            let user = user_of(asked_at);
            let mut dialog = Dialog::new(user.clone(), 1);
            dialog.meet(ENGINE.to_vec(), user.localize(ENGINE), (7, 1_000), at(0));
            let answer = device.answers(&user_of(answered_at).localize(ENGINE), ASKED);
            let heard = dialog.hear(&answer, ASKED, at(0));
            assert!(matches!(heard, Heard::Stray(_)), "{asked_at} {answered_at}");
        }
    }
}

#[test]
fn a_salt_is_used_once() {
    let device = Device::new();
    let mut dialog = acquainted(&device, at(0));
    let mut salts = BTreeSet::new();
    for _ in 0..1_000 {
        let message = dialog.message(&question(), 1, at(0)).expect("a question");
        let frame = Frame::decode(&message).expect("a question");
        assert!(salts.insert(frame.salt.to_vec()));
    }
}

#[test]
fn a_report_is_never_an_answer() {
    let device = Device::new();
    let keys = user().localize(ENGINE);
    let report = device.reports(&keys, 3);
    let frame = Frame::decode(&report).expect("a report");
    assert!(matches!(frame.contents(&keys), Ok(Scoped::Report(_))));
}

proptest! {
    #[test]
    fn nothing_that_comes_is_taken_for_an_answer_or_stops_us(
        cut in 0_usize..200, changes in prop::collection::vec((0_usize..200, any::<u8>()), 1..8)
    ) {
        let device = Device::new();
        let mut dialog = acquainted(&device, at(0));
        let right = device.answers(&user().localize(ENGINE), ASKED);
        let mut answer = right.clone();
        for (place, octet) in changes {
            let place = place % answer.len();
            answer[place] = octet;
        }
        answer.truncate(answer.len().saturating_sub(cut % 3));
        let heard = dialog.hear(&answer, ASKED, at(0));
        prop_assert_eq!(matches!(heard, Heard::Answer(_)), answer == right);
    }

    #[test]
    fn any_octets_are_a_frame_or_none(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Frame::decode(&octets);
    }
}
