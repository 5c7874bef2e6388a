//! Messages of version 3: those of net-snmp are read and written again octet by octet, and forged
//! ones are refused.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use snmp::usm::{
    Asked, Auth, Data, Dialog, Doubt, Draft, Frame, Heard, Key, Keys, Level, Privacy, Scoped,
    Security, User, plain_scoped,
};
use snmp::{ErrorStatus, Oid, Pdu, PduKind, Value, VarBind};

/// What net-snmp asked and answered with every pair of algorithms.
const NET_SNMP: &str = include_str!("usm/net-snmp.txt");

const SYS_NAME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 5, 0];

/// One exchange of net-snmp's.
struct Exchange {
    user: User,
    question: Vec<u8>,
    answer: Vec<u8>,
}

fn exchanges() -> Vec<Exchange> {
    let lines = NET_SNMP.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [auth, privacy, question, answer] = words[..] else {
            panic!("{line}");
        };
        let (a, p) = (Auth::from_word(auth), Privacy::from_word(privacy));
        let user = match (a, p) {
            (None, _) => User::new("none", "", Security::None),
            (Some(a), None) => User::new(auth, "", Security::Auth(a, b"auth-password")),
            (Some(a), Some(p)) => User::new(
                &format!("{auth}-{privacy}"),
                "",
                Security::AuthPriv((a, b"auth-password"), (p, b"priv-password")),
            ),
        };
        Exchange {
            user: user.expect("a user"),
            question: octets(question),
            answer: octets(answer),
        }
    };
    lines.map(read).collect()
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

fn pdu_of(frame: &Frame<'_>, keys: &Keys) -> Pdu {
    match frame.contents(keys) {
        Ok(Scoped::Pdu { pdu, .. }) => pdu,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_net_snmp_says_is_authentic_and_understood() {
    let exchanges = exchanges();
    assert_eq!(exchanges.len(), 43, "every pair, auth alone, and none");
    for Exchange {
        user,
        question,
        answer,
    } in exchanges
    {
        let asked = Frame::decode(&question).expect("a question");
        let answered = Frame::decode(&answer).expect("an answer");
        let keys = user.localize(asked.engine_id);
        let is_secured = user.level() != Level::NoAuthNoPriv;
        assert_eq!(asked.is_authentic(&keys), is_secured, "{user:?}");
        assert_eq!(answered.is_authentic(&keys), is_secured, "{user:?}");
        assert_eq!(asked.level, user.level());
        let pdu = pdu_of(&answered, &keys);
        let value = Value::OctetString(b"test-host".to_vec());
        assert_eq!(pdu.varbinds, [VarBind::new(SYS_NAME.into(), value)]);
        assert_eq!(pdu.request_id, pdu_of(&asked, &keys).request_id);
    }
}

#[test]
fn what_we_say_is_what_net_snmp_says_octet_by_octet() {
    for Exchange { user, question, .. } in exchanges() {
        let asked = Frame::decode(&question).expect("a question");
        let keys = user.localize(asked.engine_id);
        let pdu = pdu_of(&asked, &keys);
        let salt = asked.salt.try_into().map_or(0, u64::from_be_bytes);
        let draft = Draft {
            message_id: asked.message_id,
            is_reportable: true,
            engine_id: asked.engine_id,
            boots: asked.boots,
            time: asked.time,
            user: asked.user,
            scoped: &plain_scoped(asked.engine_id, b"", &pdu).expect("a scoped PDU"),
        };
        let ours = draft.encode(&keys, salt);
        if user.privacy() == Some(Privacy::Des) {
            // What fills DES's last block is anybody's choice.
            let frame = Frame::decode(&ours).expect("a question");
            assert!(frame.is_authentic(&keys));
            assert_eq!(frame.salt, asked.salt);
            assert_eq!(pdu_of(&frame, &keys), pdu);
            assert_eq!(ours.len(), question.len());
        } else {
            assert_eq!(ours, question, "{user:?}");
        }
    }
}

#[test]
fn snmp_parser_reads_our_messages_alike() {
    use snmp_parser::{ScopedPduData, SecurityParameters, parse_snmp_v3};
    for Exchange { user, question, .. } in exchanges() {
        let ours = Frame::decode(&question).expect("a question");
        let (_, theirs) = parse_snmp_v3(&question).expect("snmp-parser reads it");
        let SecurityParameters::USM(usm) = theirs.security_params else {
            panic!("no USM parameters for {user:?}");
        };
        assert_eq!(usm.msg_authoritative_engine_id, ours.engine_id);
        assert_eq!(usm.msg_authoritative_engine_boots, ours.boots);
        assert_eq!(usm.msg_authoritative_engine_time, ours.time);
        assert_eq!(usm.msg_user_name.as_bytes(), ours.user);
        assert_eq!(usm.msg_authentication_parameters, ours.mac);
        assert_eq!(usm.msg_privacy_parameters, ours.salt);
        assert_eq!(theirs.header_data.msg_id, ours.message_id);
        match (theirs.data, ours.data) {
            (ScopedPduData::Encrypted(theirs), Data::Hidden(ours)) => assert_eq!(theirs, ours),
            (ScopedPduData::Plaintext(_), Data::Plain(_)) => {}
            (theirs, ours) => panic!("{theirs:?} is not {ours:?}"),
        }
    }
}

/// An engine that a forger knows everything of but the keys.
const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04engine";
const ASKED: Asked = Asked {
    message_id: 0x0102_0304,
    request_id: 77,
};

/// An answer with a MAC of these many octets, made with the key as a device would make it, where
/// the hash has as many; zeros behind it.
fn answer_with_mac((auth, key): (Auth, &Key), mac_bytes: usize) -> Vec<u8> {
    let mut message = answer_around(&vec![0; mac_bytes]);
    let full = full_hmac(auth, key.expose(), &message);
    let at = mac_at(&message, mac_bytes);
    for (to, octet) in message[at..at + mac_bytes].iter_mut().zip(full) {
        *to = octet;
    }
    message
}

fn mac_at(message: &[u8], mac_bytes: usize) -> usize {
    let frame = Frame::decode(message).expect("a frame");
    assert_eq!(frame.mac.len(), mac_bytes);
    frame.mac.as_ptr().addr() - message.as_ptr().addr()
}

fn answer_around(mac: &[u8]) -> Vec<u8> {
    let pdu = Pdu {
        kind: PduKind::Response,
        request_id: ASKED.request_id,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds: vec![VarBind::new(Oid::from(SYS_NAME), Value::Integer(1))],
    };
    let scoped = plain_scoped(ENGINE, b"", &pdu).expect("a scoped PDU");
    let header = wrap(
        0x30,
        &[b"\x02\x04\x01\x02\x03\x04\x02\x02\x05\xdc\x04\x01\x01\x02\x01\x03"],
    );
    let fields = [
        &wrap(0x04, &[ENGINE])[..],
        b"\x02\x01\x03\x02\x01\x09",
        &wrap(0x04, &[b"u"]),
        &wrap(0x04, &[mac]),
        b"\x04\x00",
    ];
    let security = wrap(0x04, &[&wrap(0x30, &fields)]);
    wrap(0x30, &[b"\x02\x01\x03", &header, &security, &scoped])
}

fn wrap(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let contents = pieces.concat();
    let [high, low] = u16::try_from(contents.len()).expect("short").to_be_bytes();
    [&[tag, 0x82, high, low][..], &contents].concat()
}

fn full_hmac(auth: Auth, key: &[u8], message: &[u8]) -> Vec<u8> {
    macro_rules! of {
        ($hash:ty) => {{
            let mut mac = <Hmac<$hash> as KeyInit>::new_from_slice(key).expect("any length");
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match auth {
        Auth::Md5 => of!(md5::Md5),
        Auth::Sha1 => of!(sha1::Sha1),
        Auth::Sha224 => of!(sha2::Sha224),
        Auth::Sha256 => of!(sha2::Sha256),
        Auth::Sha384 => of!(sha2::Sha384),
        Auth::Sha512 => of!(sha2::Sha512),
    }
}

fn user(auth: Auth) -> User {
    User::new("u", "", Security::Auth(auth, b"auth-password")).expect("a user")
}

/// A dialog that has met the engine and waits for the answer.
fn waiting(auth: Auth) -> (Dialog, Keys) {
    let user = user(auth);
    let keys = user.localize(ENGINE);
    (met(Arc::new(user), &keys), keys)
}

fn met(user: Arc<User>, keys: &Keys) -> Dialog {
    let mut dialog = Dialog::new(user, 0);
    dialog.meet(ENGINE.to_vec(), keys.clone(), (3, 9), Duration::ZERO);
    dialog
}

#[test]
fn a_mac_of_any_other_length_is_refused_however_right() {
    for auth in Auth::ALL {
        let (mut dialog, keys) = waiting(auth);
        let key = Key::from_password(auth, b"auth-password").localized(auth, ENGINE);
        for mac_bytes in 0..=auth.key_bytes() + 4 {
            let answer = answer_with_mac((auth, &key), mac_bytes);
            let is_right = mac_bytes == auth.mac_bytes();
            let frame = Frame::decode(&answer).expect("a frame");
            assert_eq!(frame.is_authentic(&keys), is_right, "{auth:?} {mac_bytes}");
            let heard = dialog.hear(&answer, ASKED, Duration::ZERO);
            match heard {
                Heard::Answer(_) => assert!(is_right, "{auth:?} {mac_bytes}"),
                other => assert!(!is_right, "{auth:?} {mac_bytes}: {other:?}"),
            }
        }
    }
}

#[test]
fn no_mac_of_two_octets_is_taken_for_right() {
    for auth in Auth::ALL {
        let (mut dialog, keys) = waiting(auth);
        let mut answer = answer_around(&[0, 0]);
        let at = mac_at(&answer, 2);
        for guess in 0..=u16::MAX {
            answer[at..at + 2].copy_from_slice(&guess.to_be_bytes());
            let frame = Frame::decode(&answer).expect("a frame");
            assert!(!frame.is_authentic(&keys), "{auth:?} {guess:#06x}");
            let heard = dialog.hear(&answer, ASKED, Duration::ZERO);
            assert!(
                matches!(heard, Heard::Stray(Doubt::Mac)),
                "{auth:?} {guess:#06x}"
            );
        }
    }
}

#[test]
fn a_message_with_one_bit_changed_is_refused() {
    for auth in Auth::ALL {
        let key = Key::from_password(auth, b"auth-password").localized(auth, ENGINE);
        let answer = answer_with_mac((auth, &key), auth.mac_bytes());
        let (dialog, keys) = waiting(auth);
        for bit in 0..answer.len() * 8 {
            let mut forged = answer.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let mut dialog = met(dialog.user().clone(), &keys);
            let is_taken = Frame::decode(&forged).is_ok_and(|frame| frame.is_authentic(&keys));
            assert!(!is_taken, "{auth:?} bit {bit}");
            let heard = dialog.hear(&forged, ASKED, Duration::ZERO);
            assert!(
                matches!(heard, Heard::Stray(_) | Heard::Malformed(_)),
                "{auth:?} bit {bit}: {heard:?}"
            );
        }
    }
}

#[test]
fn a_mac_of_another_key_is_refused() {
    for auth in Auth::ALL {
        let key = Key::from_password(auth, b"auth-password").localized(auth, ENGINE);
        let answer = answer_with_mac((auth, &key), auth.mac_bytes());
        let frame = Frame::decode(&answer).expect("a frame");
        let other = User::new("u", "", Security::Auth(auth, b"other-password")).expect("a user");
        assert!(!frame.is_authentic(&other.localize(ENGINE)));
        assert!(!frame.is_authentic(&user(auth).localize(b"another engine")));
        assert!(!frame.is_authentic(&user_without_keys()));
    }
}

fn user_without_keys() -> Keys {
    User::new("u", "", Security::None)
        .expect("a user")
        .localize(ENGINE)
}
