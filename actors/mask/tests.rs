//! What leaves the site under masks, and that nothing else does.

use jiff::Timestamp;
use prost::Message;

use super::*;
use crate::spool::SpoolStats;
use crate::wire;

const ALL: MaskSettings = MaskSettings {
    addresses: true,
    host_names: true,
    locations: true,
    serial_tails: 6,
};

/// What must not leave under [`ALL`], in the spellings that devices use.
const SECRETS: [&str; 15] = [
    "10.20.4.17",
    "00:17:c8:65:e2:b9",
    "0017C865E2B9",
    "8000111103001788",
    "anna-office",
    "Anna-Office",
    "Villa Morel",
    "INV-0047",
    "W2D8303202",
    "303202",
    "CRG445566",
    // The serial number and the address as the hex of their octets.
    "57324438333033323032",
    "4509a320-00a0",
    // The beginning of a place, which evidence cuts short.
    "56696c6c61",
    "0a140411",
];

/// A reading that holds a secret wherever a device can put one.
const READING: &str = r#"{
    "schema": 1, "is_printer": true, "address": "10.20.4.17", "at": "2026-11-23T08:00:03Z",
    "identity": {"vendor": "Kyocera", "model": "Anna-Office", "serial": "W2D8303202",
        "firmware": ["1.2.3.4"], "mac": "00:17:c8:65:e2:b9", "host_name": "anna-office",
        "asset": "INV-0047", "location": "Villa Morel", "profile": "kyocera",
        "engine_id": "8000111103001788", "uuid": "4509a320-00a0-008f-00b6-0017c865e2b9"},
    "status": {"state": "idle", "severity": "warning", "conditions": ["lowToner"],
        "console": ["VILLA MOREL", "IP 10.20.4.17:80", "00-17-C8-65-E2-B9"]},
    "meters": [
        {"name": "other", "label": "of w2d8303202", "value": 4, "unit": "feet",
         "evidence": {"door": "snmp", "object": "1.3.6.1.2", "rule": "r",
                      "raw": "Hex-STRING: 0057324438333033323032"}}],
    "supplies": [
        {"index": "1.2", "description": "Toner SN CRG445566", "class": "consumed",
         "type": "toner", "color": "anna-office", "part": "at 10.20.4.17", "level": {"state": "percent", "percent": 8.25}, "unit": "impressions",
         "serial": "CRG445566", "evidence": {"door": "snmp", "object": "1.3", "rule": "r",
                      "raw": "IpAddress: 0a140411"}}],
    "trays": [{"index": "1.2", "name": "Anna-Office", "media": "villa morel",
        "level": {"state": "unlimited"}, "unit": "sheets",
        "evidence": {"door": "snmp", "object": "1.3", "raw": "", "rule": "r"}}],
    "alerts": [{"index": "1.1835", "severity": "warning", "group": 10, "group_index": -1,
        "code": 1001, "name": "markerFuserUnderTemperature",
        "description": "call 10.20.4.17, printer 0017c865e2b9", "training": "untrained"}],
    "sources": {
        "location": {"door": "snmp", "object": "1.3.6.1.2.1.1.6.0", "rule": "r",
                     "raw": "Hex-STRING: 56696c6c61…"},
        "uuid": {"door": "ipp", "object": "printer-uuid", "rule": "r",
                 "raw": "text: 4509a320-00a0-008f-00b6-0017c865e2b9"}}
}"#;

fn report(reading: &str) -> Report {
    Report::Full {
        device: device(),
        reading: serde_json::from_str(reading).expect("a reading"),
    }
}

fn device() -> DeviceId {
    DeviceId::parse("00112233445566778899aabbccddeeff").expect("32 digits")
}

fn stats(last: u64) -> SpoolStats {
    SpoolStats {
        epoch: 7,
        last: Sequence(last),
        ..SpoolStats::default()
    }
}

/// The octets of a report as they leave under masks.
fn sent(masks: &Masks, sequence: u64, report: Report) -> Vec<u8> {
    let masked = masks.report(7, Sequence(sequence), report);
    wire::to_proto(sequence, &masked).encode_to_vec()
}

fn holds(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn nothing_masked_leaves_wherever_a_device_puts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |settings| Masks::open(folder.path(), settings, &stats(0)).expect("masks");
    let plain = sent(&open(MaskSettings::default()), 1, report(READING));
    let leaks = SECRETS.iter().filter(|secret| holds(&plain, secret));
    assert!(leaks.count() > 9, "the test must be able to fail");
    let masked = sent(&open(ALL), 1, report(READING));
    for secret in SECRETS {
        assert!(!holds(&masked, secret), "{secret} left the site");
    }
    assert!(!holds(&masked, device().as_str()), "the plain device id");
    for kept in [
        "Kyocera", "1.2.3.4", "W2D8~", "100::", "mac-", "host-", "place-",
    ] {
        assert!(holds(&masked, kept), "{kept} is missing");
    }
    let silent = Report::Silent {
        device: device(),
        at: Timestamp::UNIX_EPOCH,
        address: Some([10, 20, 4, 17].into()),
    };
    assert!(!holds(&sent(&open(ALL), 2, silent), "10.20.4.17"));
}

#[test]
fn each_mask_masks_its_own_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    for (settings, gone, kept) in [
        (
            MaskSettings {
                addresses: true,
                ..MaskSettings::default()
            },
            vec!["10.20.4.17", "00:17:c8:65:e2:b9", "8000111103001788"],
            vec!["W2D8303202", "Villa Morel", "anna-office", "INV-0047"],
        ),
        (
            MaskSettings {
                host_names: true,
                ..MaskSettings::default()
            },
            vec!["anna-office", "INV-0047"],
            vec!["W2D8303202", "Villa Morel", "10.20.4.17"],
        ),
        (
            MaskSettings {
                locations: true,
                ..MaskSettings::default()
            },
            vec!["Villa Morel"],
            vec!["W2D8303202", "anna-office", "10.20.4.17"],
        ),
        (
            MaskSettings {
                serial_tails: 3,
                ..MaskSettings::default()
            },
            vec!["W2D8303202", "303202"],
            vec!["W2D8303~", "anna-office", "10.20.4.17"],
        ),
    ] {
        let masks = Masks::trial(folder.path(), settings).expect("masks");
        let octets = sent(&masks, 1, report(READING));
        for text in gone {
            assert!(!holds(&octets, text), "{settings:?}: {text} left");
        }
        for text in kept {
            assert!(holds(&octets, text), "{settings:?}: {text} is gone");
        }
    }
}

#[test]
fn one_value_has_one_pseudonym_for_good_and_another_at_another_site() {
    let (here, there) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let masked = |folder: &Path| {
        let masks = Masks::open(folder, ALL, &stats(0)).expect("masks");
        sent(&masks, 1, report(READING))
    };
    assert_eq!(masked(here.path()), masked(here.path()));
    assert_ne!(masked(here.path()), masked(there.path()));
    let mode = fs::metadata(here.path().join(FILE)).expect("the key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_look_at_what_would_be_sent_writes_nothing_and_uses_the_sites_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let trial = || {
        Masks::trial(folder.path(), ALL)
            .expect("masks")
            .device(&device())
    };
    assert_ne!(trial(), trial(), "a passing key each");
    assert!(!folder.path().join(FILE).exists());
    let kept = Masks::open(folder.path(), ALL, &stats(0)).expect("masks");
    assert_eq!(trial(), kept.device(&device()));
}

#[test]
fn a_report_that_may_have_been_sent_keeps_its_id_when_the_masks_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = |settings, last, sequence| {
        let masks = Masks::open(folder.path(), settings, &stats(last)).expect("masks");
        let masked = masks.report(7, Sequence(sequence), report(READING));
        masked.device().expect("of a device").clone()
    };
    let none = MaskSettings::default();
    assert_eq!(id(none, 5, 5), device());
    // Masked from the sixth report on; what waited before goes masked, but under its id.
    assert_eq!(id(ALL, 5, 5), device());
    let keyed = id(ALL, 5, 6);
    assert_ne!(keyed, device());
    assert_eq!(id(ALL, 9, 9), keyed);
    // And no more from the tenth on.
    assert_eq!(id(none, 9, 9), keyed);
    assert_eq!(id(none, 9, 10), device());
    assert_eq!(id(none, 9, 3), device());
}

#[test]
fn a_device_that_names_itself_after_a_closed_list_is_still_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let masks = Masks::open(folder.path(), ALL, &stats(0)).expect("masks");
    for word in [
        "idle",
        "warning",
        "impressions",
        "2026-11-23T08:00:03Z",
        "snmp",
    ] {
        let reading = READING.replace("Villa Morel", word);
        let masked = masks.report(7, Sequence(1), report(&reading));
        assert!(matches!(masked, Report::Full { .. }), "{word}: {masked:?}");
    }
}

#[test]
fn addresses_in_words_are_found_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let masks = Masks::open(folder.path(), ALL, &stats(0)).expect("masks");
    for (words, addresses) in [
        ("printer 10.0.0.7 did not answer", 1),
        ("10.0.0.7:161, 10.0.0.8.", 2),
        ("from 10.0.0.0/24 to 2001:db8::7", 2),
        ("[fe80::1]:161", 1),
        ("at 10:20:30 of firmware 1.2.3", 0),
        ("bed bade dead", 0),
    ] {
        let masked = masks.words(words);
        assert_eq!(masked.matches("100::").count(), addresses, "{masked}");
        assert_eq!(masks.words(&masked), masked, "masked twice");
        if addresses == 0 {
            assert_eq!(masked, words);
        }
    }
}

#[test]
fn a_damaged_key_is_an_error_and_no_new_key() {
    let folder = tempfile::tempdir().expect("a folder");
    for text in ["", "{}", r#"{"key": "zz", "changes": []}"#] {
        fs::write(folder.path().join(FILE), text).expect("written");
        let opened = Masks::open(folder.path(), ALL, &stats(0));
        assert!(matches!(opened, Err(MaskError::Damaged(_))), "{text}");
    }
}

#[test]
fn a_result_leaves_masked_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let masks = Masks::open(folder.path(), ALL, &stats(0)).expect("masks");
    let result = br#"{"address": "10.20.4.17", "device": {"model": "Anna-Office"},
        "why": "10.20.4.17 is silent", "host_name": "anna-office"}"#;
    let masked = masks.result(result.to_vec());
    assert!(!holds(&masked, "10.20.4.17") && !holds(&masked, "Office"));
    assert!(holds(&masked, "100::"));
    let recording = b"1.3.6.1.2.1.1.5.0|4|anna-office\n".to_vec();
    assert_eq!(masks.result(recording.clone()), b"");
    assert_eq!(Masks::default().result(recording.clone()), recording);
}
