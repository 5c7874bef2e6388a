//! What a printer says over PJL becomes a reading; what it says unasked is stepped over; and no
//! question is made that prints or never stops.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use jiff::Timestamp;
use printer::pjl::{ANSWER_BYTES_MAX, Answer, Info, PjlError, Said, answer, judge, question};
use printer::reading::Reading;
use printer::sources;
use printer::status::{Severity, State};
use printer::supply::Level;
use proptest::prelude::*;

/// Every category there is.
const ALL: [Info; 8] = [
    Info::Id,
    Info::Config,
    Info::Memory,
    Info::Status,
    Info::PageCount,
    Info::Supplies,
    Info::ProdInfo,
    Info::Variables,
];

/// What a printer sends for question 7.
fn sent(info: Info, body: &str) -> Vec<u8> {
    let name = info.name();
    format!("@PJL ECHO PLATEN 7\r\n\x0c@PJL INFO {name}\r\n{body}\x0c").into_bytes()
}

fn told(info: Info, body: &str) -> Answer {
    let found = answer(&sent(info, body), info, 7).expect("sound");
    found.expect("whole")
}

fn reading(bodies: &[(Info, &str)]) -> Reading {
    let mut said = Said::default();
    for (info, body) in bodies {
        said.take(*info, told(*info, body));
    }
    let reading = judge(&said, None, Timestamp::UNIX_EPOCH);
    assert_eq!(sources::missing(&reading), [""; 0]);
    reading
}

#[test]
fn a_question_asks_one_category_and_nothing_that_prints() {
    assert_eq!(
        question(Info::Id, 7),
        b"\x1b%-12345X@PJL\r\n@PJL ECHO PLATEN 7\r\n@PJL INFO ID\r\n\x1b%-12345X"
    );
    for info in ALL {
        let text = String::from_utf8(question(info, 1)).expect("text");
        let commands: Vec<&str> = text
            .split("\r\n")
            .filter(|it| it.contains("@PJL "))
            .collect();
        assert_eq!(commands.len(), 2, "{text}");
        assert!(commands[1].starts_with("@PJL INFO "), "{text}");
        for word in [
            "USTATUS",
            "PRINTREPORT",
            "SET",
            "DEFAULT",
            "RDYMSG",
            "FS",
            "ENTER",
        ] {
            assert!(
                !text.split([' ', '\r', '\n']).any(|it| it == word),
                "{text}"
            );
        }
        // It ends where it began: outside of PJL.
        assert!(text.starts_with("\x1b%-12345X@PJL") && text.ends_with("\x1b%-12345X"));
    }
}

#[test]
fn an_answer_is_known_by_its_echo_from_what_is_said_unasked() {
    let unasked = b"@PJL USTATUS DEVICE\r\nCODE=10023\r\n\x0c".to_vec();
    let other = b"@PJL ECHO PLATEN 6\r\n\x0c@PJL INFO ID\r\n\"OLD\"\r\n\x0c".to_vec();
    let ours = sent(Info::Id, "\"HP LASERJET 4 PLUS\"\r\n");
    let all = [unasked.clone(), other.clone(), unasked, ours].concat();
    let found = answer(&all, Info::Id, 7).expect("sound");
    assert_eq!(found, Some(told(Info::Id, "\"HP LASERJET 4 PLUS\"\r\n")));
    assert_eq!(
        answer(&other, Info::Id, 7),
        Ok(None),
        "of an earlier question"
    );
    for end in 0..all.len() {
        assert_eq!(answer(&all[..end], Info::Id, 7), Ok(None), "cut at {end}");
    }
    let pages = [b"\x0c".repeat(60_000), sent(Info::Id, "\"HP\"\r\n")].concat();
    assert_eq!(
        answer(&pages, Info::Id, 7),
        Ok(Some(told(Info::Id, "\"HP\"\r\n")))
    );
    let without_echo = sent(Info::Id, "\"HP\"\r\n").split_off(21);
    assert_eq!(answer(&without_echo, Info::Id, 7), Ok(None));
    let endless = b"@PJL USTATUS DEVICE\r\n\x0c".repeat(ANSWER_BYTES_MAX / 20);
    assert_eq!(answer(&endless, Info::Id, 7), Err(PjlError::TooLong));
}

#[test]
fn what_it_says_is_a_reading_with_its_evidence() {
    let reading = reading(&[
        (Info::Id, "\"HP LASERJET M507\"\r\n"),
        (
            Info::ProdInfo,
            "ProductName = \"HP LaserJet M507dn\"\r\nProductSerialNumber = \"PHCQX12345\"\r\n\
             FirmwareDateCode = \"20230113\"\r\n",
        ),
        (
            Info::Status,
            "CODE=10001\r\nDISPLAY=\"Ready\"\r\nONLINE=TRUE\r\n",
        ),
        (Info::PageCount, "PAGECOUNT=183933\r\n"),
        (
            Info::Supplies,
            "BLACK_CARTRIDGE=42%\r\nMAINTENANCE=0x31\r\nFUSER_KIT=7%\r\nnonsense\r\n",
        ),
        (
            Info::Config,
            "IN TRAYS [2 ENUMERATED]\r\n\tINTRAY1 MP\r\n\tINTRAY2 PC\r\nDUPLEX\r\n",
        ),
    ]);
    let identity = &reading.identity;
    assert_eq!(identity.vendor.as_deref(), Some("HP"));
    assert_eq!(identity.model.as_deref(), Some("LaserJet M507dn"));
    assert_eq!(identity.serial.as_deref(), Some("PHCQX12345"));
    assert_eq!(identity.firmware, ["20230113"]);
    assert_eq!(reading.status.state, State::Idle);
    assert_eq!(reading.status.console, ["Ready"]);
    assert_eq!(
        (reading.meters[0].value, reading.meters[0].beta),
        (183_933, true)
    );
    assert_eq!(reading.meters[0].evidence.door, "pjl");
    let names: Vec<&str> = reading
        .trays
        .iter()
        .map(|tray| tray.name.as_str())
        .collect();
    assert_eq!(names, ["INTRAY1 MP", "INTRAY2 PC"]);
    assert!(
        reading
            .trays
            .iter()
            .all(|tray| tray.level == Level::Unknown)
    );
    let black = &reading.supplies[0];
    assert_eq!(black.level, Level::Percent { percent: 42.0 });
    assert_eq!(black.color.as_deref(), Some("black"));
    assert_eq!(reading.supplies.len(), 2, "{:?}", reading.supplies);
}

#[test]
fn codes_are_states_and_an_unknown_one_claims_nothing() {
    let state = |code: &str, online: &str| {
        let body = format!("CODE={code}\r\nDISPLAY=\"x\"\r\nONLINE={online}\r\n");
        let status = reading(&[(Info::Status, &body)]).status;
        (status.state, status.severity, status.conditions.join(" "))
    };
    let row = |state, severity, words: &str| (state, severity, words.to_owned());
    let critical = Severity::Critical;
    assert_eq!(state("10001", "TRUE"), row(State::Idle, Severity::Ok, ""));
    assert_eq!(
        state("10002", "FALSE"),
        row(State::Offline, critical, "offline")
    );
    assert_eq!(
        state("10006", "TRUE"),
        row(State::Idle, Severity::Warning, "lowToner")
    );
    assert_eq!(
        state("10023", "TRUE"),
        row(State::Printing, Severity::Ok, "")
    );
    assert_eq!(
        state("40021", "FALSE"),
        row(State::Stopped, critical, "doorOpen")
    );
    assert_eq!(
        state("42202", "FALSE"),
        row(State::Stopped, critical, "jammed")
    );
    assert_eq!(
        state("41213", "FALSE"),
        row(State::Stopped, critical, "noPaper")
    );
    assert_eq!(
        state("99999", "TRUE"),
        row(State::Unknown, Severity::Unknown, "")
    );
    assert_eq!(
        state("99999", "FALSE"),
        row(State::Offline, critical, "offline")
    );
    assert_eq!(state("", ""), row(State::Unknown, Severity::Unknown, ""));
}

#[test]
fn what_it_does_not_have_is_not_there() {
    let reading = reading(&[
        (Info::Id, "\"?\"\r\n"),
        (Info::PageCount, "\"?\"\r\n"),
        (Info::ProdInfo, ""),
        (Info::Supplies, "BLACK=-3%\r\n=50%\r\nCYAN_TONER=150%\r\n"),
        (Info::Config, "IN TRAYS [99999999999 ENUMERATED]\r\n"),
    ]);
    assert_eq!(reading.identity.model, None);
    assert!(reading.meters.is_empty() && reading.trays.is_empty());
    for supply in &reading.supplies {
        assert!(!matches!(supply.level, Level::Percent { .. }), "{supply:?}");
    }
    // Older printers give the number alone.
    let old = self::reading(&[(Info::PageCount, "1234\r\n")]);
    assert_eq!(old.meters[0].value, 1_234);
}

proptest! {
    #[test]
    fn any_octets_are_an_answer_none_or_an_error(
        octets in proptest::collection::vec(any::<u8>(), 0..2_000),
        which in 0..ALL.len(),
    ) {
        let info = ALL[which];
        drop(answer(&octets, info, 7));
        let framed = [sent(info, ""), octets].concat();
        let body = framed.strip_suffix(b"\x0c").unwrap_or(&framed);
        if let Ok(Some(answer)) = answer(&[body, b"\x0c"].concat(), info, 7) {
            let mut said = Said::default();
            said.take(info, answer);
            let reading = judge(&said, None, Timestamp::UNIX_EPOCH);
            prop_assert!(reading.trays.len() <= 64 && reading.supplies.len() <= 128);
        }
    }
}
