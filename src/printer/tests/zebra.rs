//! What a Zebra says becomes a reading, silence included; what it is told comes from a closed list;
//! and nothing that it or a person writes ends in a panic, or on the wire.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use jiff::Timestamp;
use printer::meter::Unit;
use printer::reading::Reading;
use printer::sources;
use printer::status::{Severity, State};
use printer::zebra::host::{self, HostError, HostStatus};
use printer::zebra::sgd::{self, Answer, SgdError, Variable};
use printer::zebra::{Command, NoCommand, Said, Setting, StoredLabel, judge};
use proptest::prelude::*;

/// An answer to `~HS` of the documented structure: ready, with a ribbon, 812 dots long.
const READY: &[u8] = b"\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n\
                       \x02000,0,0,0,1,2,6,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n";

fn host(octets: &[u8]) -> HostStatus {
    host::decode(octets).expect("sound").expect("whole")
}

/// What a ZT411 says of itself.
fn said() -> Said {
    let mut said = Said::default();
    let text = |text: &str| Answer::Text(text.to_owned());
    for (variable, answer) in [
        (Variable::ProductName, text("ZTC ZT411-203dpi ZPL")),
        (Variable::UniqueId, text("52J204117730")),
        (Variable::FriendlyName, text("dock-4")),
        (Variable::Firmware, text("V93.21.17Z")),
        (Variable::LinkOs, text("6.6")),
        (Variable::PrintLength, text("1489 INCHES, 3784 CENTIMETERS")),
        (Variable::LabelCount, text("411200")),
        (Variable::UserLabelCount, Answer::NotThere),
        (Variable::HeadClean, text("120 INCHES")),
        (Variable::HeadLatch, text("ok")),
        (Variable::MediaStatus, text("ok")),
    ] {
        said.take(variable, answer);
    }
    said
}

fn read(said: &Said) -> Reading {
    let reading = judge(said, None, Timestamp::UNIX_EPOCH);
    assert_eq!(sources::missing(&reading), [""; 0]);
    reading
}

#[test]
fn questions_are_as_the_guide_has_them() {
    let asked = sgd::question(Variable::LabelCount);
    assert_eq!(asked, b"! U1 getvar \"odometer.total_label_count\"\r\n");
    assert_eq!(host::QUESTION, b"~HS\r\n");
    for variable in Variable::READING {
        let name = variable.name();
        assert_eq!(name, name.to_lowercase());
    }
}

#[test]
fn answers_are_read_as_they_come() {
    let text = |text: &str| Ok(Some(Answer::Text(text.to_owned())));
    let long = [b"\"".to_vec(), vec![b'x'; 2_000]].concat();
    type Row<'a> = (&'a [u8], Result<Option<Answer>, SgdError>);
    let table: &[Row<'_>] = &[
        (b"", Ok(None)),
        (b"\r\n", Ok(None)),
        (b"\"V93", Ok(None)),
        (b"\"V93.21\"", text("V93.21")),
        (b"\r\n\"ok\"\r\n", text("ok")),
        (b"\"\"", text("")),
        (b"\"?\"", Ok(Some(Answer::NotThere))),
        (b"?", Ok(Some(Answer::NotThere))),
        (b"\"a\x1b[31mb\xe2\x80\xaec\"", text("a [31mb c")),
        (b"HTTP/1.1 400", Err(SgdError::NoQuote)),
        (&long, Err(SgdError::TooLong)),
    ];
    for (octets, expected) in table {
        let shown = String::from_utf8_lossy(octets);
        assert_eq!(sgd::answer(octets), *expected, "{shown}");
    }
}

#[test]
fn the_three_strings_of_hs_are_states_and_the_password_is_not_looked_at() {
    let ready = host(READY);
    let expected = HostStatus {
        label_length_dots: 812,
        uses_ribbon: true,
        ..HostStatus::default()
    };
    assert_eq!(ready, expected);
    let bent = |from: &str, to: &str| {
        let text = String::from_utf8(READY.to_vec()).expect("text");
        host(text.replacen(from, to, 1).as_bytes())
    };
    assert!(bent("030,0,0,", "030,1,0,").is_paper_out);
    assert!(bent("030,0,0,", "030,0,1,").is_paused);
    assert!(bent("000,0,0,0\x03", "000,0,0,1\x03").is_too_hot);
    assert!(bent("\x02000,0,0,0,", "\x02000,0,1,0,").is_head_open);
    assert!(bent("\x02000,0,0,0,", "\x02000,0,0,1,").is_ribbon_out);
    assert_eq!(bent("00000000", "00000017").labels_left, 17);
    // A password of letters is none of our business.
    assert_eq!(bent("1234,0", "pass,word"), expected);
    for end in 0..READY.len() - 3 {
        assert_eq!(host::decode(&READY[..end]), Ok(None), "cut at {end}");
    }
}

#[test]
fn what_is_no_answer_to_hs_is_said() {
    let three = |first: &str, second: &str| {
        format!("\x02{first}\x03\x02{second}\x03\x020,0\x03").into_bytes()
    };
    let sound = (
        "030,0,0,0812,000,0,0,0,000,0,0,0",
        "000,0,0,0,1,2,6,0,0,1,000",
    );
    assert!(host::decode(&three(sound.0, sound.1)).is_ok());
    for (first, second, bad) in [
        ("", sound.1, 1),
        ("030,0", sound.1, 1),
        ("030,0,0,-812,0,0,0,0,0,0,0,0", sound.1, 1),
        ("030,0,0,99999999999,0,0,0,0,0,0,0,0", sound.1, 1),
        (sound.0, "0,0,x,0,1,2,6,0,0,1,0", 2),
        (sound.0, "0,0", 2),
    ] {
        let decoded = host::decode(&three(first, second));
        assert_eq!(decoded, Err(HostError::Malformed(bad)), "{first} {second}");
    }
    let endless = vec![b'~'; host::ANSWER_BYTES_MAX + 1];
    assert_eq!(host::decode(&endless), Err(HostError::TooLong));
}

#[test]
fn a_zebra_that_answers_is_a_reading_with_its_odometers() {
    let mut said = said();
    said.take_host(host(READY));
    let reading = read(&said);
    let identity = &reading.identity;
    assert_eq!(identity.vendor.as_deref(), Some("Zebra"));
    assert_eq!(identity.model.as_deref(), Some("ZT411-203dpi ZPL"));
    assert_eq!(identity.serial.as_deref(), Some("52J204117730"));
    assert_eq!(identity.firmware, ["V93.21.17Z", "Link-OS 6.6"]);
    let status = (reading.status.state, reading.status.severity);
    assert_eq!(status, (State::Idle, Severity::Ok), "{:?}", reading.alerts);
    let meters: Vec<_> = reading
        .meters
        .iter()
        .map(|it| (it.name.as_str(), it.label.as_deref(), it.value, it.unit))
        .collect();
    let head = Some("odometer.headclean");
    assert_eq!(
        meters,
        [
            ("total", None, 411_200, Unit::Items),
            ("length", None, 37, Unit::Meters),
            ("other", head, 10, Unit::Feet),
        ]
    );
    for meter in &reading.meters {
        assert!(meter.beta, "no recording proves it: {meter:?}");
        assert_eq!(meter.evidence.door, "zebra");
        assert!(meter.evidence.raw.starts_with("text: "), "{meter:?}");
    }
}

#[test]
fn silence_is_a_state_and_what_can_be_known_of_it_is_said() {
    let mut said = said();
    let silent = read(&said);
    assert_eq!(silent.status.state, State::Stopped);
    assert_eq!(silent.status.severity, Severity::Critical);
    assert!(silent.alerts[0].description.contains("silent to ~HS"));
    said.take(Variable::HeadLatch, Answer::Text("open".to_owned()));
    assert_eq!(read(&said).status.conditions, ["doorOpen"]);
    said.take(Variable::MediaStatus, Answer::Text("out".to_owned()));
    assert_eq!(read(&said).status.conditions, ["noPaper", "doorOpen"]);
    // One that says nothing at all may be stopped or set to another language: neither is claimed.
    let mute = read(&Said::default());
    assert_eq!(mute.status.state, State::Unknown);
    assert_eq!(mute.status.severity, Severity::Warning);
    assert!(mute.alerts[0].description.contains("answers nothing"));
    assert!(mute.meters.is_empty());
}

#[test]
fn hs_tells_states_apart() {
    let state = |bend: fn(&mut HostStatus)| {
        let (mut said, mut status) = (said(), host(READY));
        bend(&mut status);
        said.take_host(status);
        let status = read(&said).status;
        (status.state, status.severity, status.conditions.join(" "))
    };
    let row = |state, severity, conditions: &str| (state, severity, conditions.to_owned());
    let (stopped, critical) = (State::Stopped, Severity::Critical);
    assert_eq!(
        state(|it| it.is_paper_out = true),
        row(stopped, critical, "noPaper")
    );
    assert_eq!(
        state(|it| it.is_ribbon_out = true),
        row(stopped, critical, "noToner")
    );
    assert_eq!(
        state(|it| it.is_head_open = true),
        row(stopped, critical, "doorOpen")
    );
    assert_eq!(
        state(|it| it.is_paused = true),
        row(State::Offline, critical, "offline")
    );
    assert_eq!(state(|it| it.is_too_hot = true), row(stopped, critical, ""));
    assert_eq!(
        state(|it| it.labels_left = 3),
        row(State::Printing, Severity::Ok, "")
    );
    assert_eq!(
        state(|it| it.is_too_cold = true),
        row(State::Idle, Severity::Warning, "")
    );
}

#[test]
fn every_command_has_its_octets_and_its_words() {
    let set = |variable: &str, value: &str| {
        Command::Set(Setting::parse(variable, value).expect("permitted"))
    };
    let stored = |name: &str| Command::PrintStored(StoredLabel::parse(name).expect("a name"));
    let table: [(Command, &str, &str); 9] = [
        (Command::Calibrate, "~JC\r\n", "to measure its media"),
        (Command::Feed, "~PH\r\n", "to feed one label"),
        (
            Command::PrintConfiguration,
            "~WC\r\n",
            "to print its configuration label",
        ),
        (Command::Reset, "~JR\r\n", "to start again"),
        (
            set("print.tone", "12.5"),
            "! U1 setvar \"print.tone\" \"12.5\"\r\n",
            "to set print.tone to 12.5",
        ),
        (
            set("ezpl.print_width", "0832"),
            "! U1 setvar \"ezpl.print_width\" \"832\"\r\n",
            "to set ezpl.print_width to 832",
        ),
        (
            set("odometer.headclean", "0"),
            "! U1 setvar \"odometer.headclean\" \"0\"\r\n",
            "to set odometer.headclean to 0",
        ),
        (
            stored("SHIPPING"),
            "^XA^XFE:SHIPPING.ZPL^FS^XZ\r\n",
            "to print its stored label E:SHIPPING.ZPL",
        ),
        (
            stored("R:A1.ZPL"),
            "^XA^XFR:A1.ZPL^FS^XZ\r\n",
            "to print its stored label R:A1.ZPL",
        ),
    ];
    for (command, octets, words) in table {
        assert_eq!(command.octets(), octets.as_bytes());
        assert_eq!(command.to_string(), words);
    }
}

#[test]
fn what_is_not_of_the_list_is_no_command() {
    for (variable, value) in [
        ("print.tone", "30.1"),
        ("print.tone", "-1"),
        ("print.tone", "1e1"),
        ("print.tone", "12.55"),
        ("print.tone", "12\" \"x"),
        ("media.speed", "0"),
        ("media.speed", "15"),
        ("media.speed", "3.5"),
        ("ezpl.print_width", "1"),
        ("zpl.label_length", "32001"),
        ("odometer.headclean", "1"),
        ("odometer.headclean", ""),
    ] {
        let parsed = Setting::parse(variable, value);
        assert!(
            matches!(parsed, Err(NoCommand::Value { .. })),
            "{variable} {value}"
        );
    }
    for variable in [
        "device.command",
        "Print.Tone",
        "print.tone\"",
        "",
        "file.delete",
    ] {
        assert_eq!(Setting::parse(variable, "1"), Err(NoCommand::Variable));
    }
    for label in [
        "",
        "E:",
        "C:LABEL",
        "E:LABEL.GRF",
        "label",
        "A B",
        "E:E:X",
        "X^XZ",
        "LABEL.ZPL.ZPL",
        "ABCDEFGHIJKLMNOPQ",
        "É",
    ] {
        assert_eq!(StoredLabel::parse(label), Err(NoCommand::Label), "{label}");
    }
}

#[test]
fn a_value_is_known_again_however_it_is_written() {
    let tone = Setting::parse("print.tone", "12.0").expect("permitted");
    assert!(tone.is_kept("12") && tone.is_kept("12.0") && !tone.is_kept("12.1"));
    let clean = Setting::parse("odometer.headclean", "0").expect("permitted");
    assert!(clean.is_kept("0 INCHES, 0 CENTIMETERS") && !clean.is_kept("7 INCHES"));
    assert!(!clean.is_kept("?") && !clean.is_kept(""));
}

proptest! {
    #[test]
    fn no_text_reaches_the_wire_that_could_act(variable in ".{0,40}", value in ".{0,40}") {
        let names = ["print.tone", "media.speed", "ezpl.print_width", "zpl.label_length",
                     "odometer.headclean", variable.as_str()];
        for name in names {
            if let Ok(setting) = Setting::parse(name, &value) {
                let octets = Command::Set(setting).octets();
                let head = format!("! U1 setvar \"{name}\" \"");
                let inner = octets.strip_prefix(head.as_bytes()).expect("the head");
                let inner = inner.strip_suffix(b"\"\r\n").expect("the tail");
                prop_assert!((1..=5).contains(&inner.len()));
                prop_assert!(inner.iter().all(|it| it.is_ascii_digit() || *it == b'.'));
            }
        }
        if let Ok(label) = StoredLabel::parse(&value) {
            let octets = Command::PrintStored(label).octets();
            let inner = octets.strip_prefix(b"^XA^XF").expect("the head");
            let inner = inner.strip_suffix(b".ZPL^FS^XZ\r\n").expect("the tail");
            let (drive, name) = inner.split_at(2);
            prop_assert!(b"REBA".contains(&drive[0]) && drive[1] == b':');
            prop_assert!((1..=16).contains(&name.len()));
            prop_assert!(name.iter().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit()));
        }
    }

    #[test]
    fn every_value_within_the_bounds_is_written_as_it_was_meant(tenths in 0_u16..=300, dots in 2_u16..=2_550) {
        let text = format!("{}.{}", tenths / 10, tenths % 10);
        prop_assert_eq!(Setting::parse("print.tone", &text).expect("permitted").value(), text);
        let text = dots.to_string();
        prop_assert_eq!(Setting::parse("ezpl.print_width", &text).expect("permitted").value(), text);
    }

    #[test]
    fn any_octets_are_an_answer_none_or_an_error(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(Some(Answer::Text(text))) = sgd::answer(&octets) {
            prop_assert!(text.chars().count() <= 255 && !text.chars().any(char::is_control));
            let mut said = Said::default();
            for variable in Variable::READING {
                said.take(variable, Answer::Text(text.clone()));
            }
            prop_assert!(read(&said).is_printer);
        }
        if let Ok(Some(status)) = host::decode(&octets) {
            let mut said = Said::default();
            said.take_host(status);
            prop_assert!(read(&said).meters.is_empty());
        }
    }

    #[test]
    fn a_sound_answer_bent_anywhere_never_panics(at in 0..READY.len(), octet in any::<u8>()) {
        let mut bent = READY.to_vec();
        bent[at] = octet;
        drop(host::decode(&bent));
    }
}
