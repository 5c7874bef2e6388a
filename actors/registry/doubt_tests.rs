//! Who may be whom, by readings.

use printer::identity::score::can_be;

use super::*;

const HOUR: i64 = 60;

fn place(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

/// A printer of one model: its keys, its count, and when it was started and read.
fn told((serial, mac): (&str, &str), total: u64, (started, read): (i64, i64)) -> Traits {
    let some = |key: &str| (!key.is_empty()).then(|| key.to_owned());
    Traits {
        keys: Fingerprint {
            serial: some(serial),
            mac: some(mac),
            engine_id: None,
        },
        told: Told {
            uuid: None,
            model: Some("M507".to_owned()),
            total: Some(total),
            started: Some(at(started)),
            at: Some(at(read)),
        },
    }
}

/// Whoever answers there is found, and read.
fn found(registry: &mut Registry, traits: &Traits, last: u8) -> DeviceId {
    let now = traits.told.at.expect("a reading");
    let sighting = registry.sight(traits.clone(), place(last), now);
    let Sighting::New(settled) = sighting else {
        panic!("not new: {sighting:?}")
    };
    registry.prove_reading(&settled.device, traits);
    settled.device
}

fn doubt<'a>(registry: &'a Registry, device: &DeviceId) -> Option<&'a Doubt> {
    registry.get(device).expect("known").doubt.as_ref()
}

#[test]
fn a_board_that_moved_is_believed_once_the_twin_was_read_elsewhere() {
    let mut registry = Registry::default();
    let one = found(&mut registry, &told(("", "m1"), 90_000, (0, HOUR)), 1);
    let twin = found(&mut registry, &told(("", "m2"), 90_010, (0, HOUR)), 2);
    // Both were off; the board of the one is seen elsewhere.
    let seen = told(("", "m1"), 90_020, (2 * HOUR, 3 * HOUR));
    assert!(
        !registry.is_alone(&one, &seen),
        "its board may be in the twin"
    );
    let sighting = registry.sight(seen.clone(), place(3), at(3 * HOUR));
    let Sighting::New(settled) = sighting else {
        panic!("kept apart: {sighting:?}")
    };
    registry.prove_reading(&settled.device, &seen);
    let named: Vec<_> = doubt(&registry, &settled.device)
        .expect("it says so")
        .named()
        .collect();
    assert!(named.contains(&&one) && named.contains(&&twin), "{named:?}");
    // The twin was read with its own board while this one ran: it is none of the twin.
    let own = told(("", "m2"), 90_015, (2 * HOUR + 1, 3 * HOUR + 1));
    registry.prove_reading(&twin, &own);
    let left: Vec<_> = doubt(&registry, &settled.device)
        .expect("one is left")
        .named()
        .collect();
    assert_eq!(left, [&one]);
    assert!(!can_be((&own.keys, &own.told), &seen));
}

#[test]
fn a_printer_without_a_twin_is_known_again_by_its_board_alone() {
    let mut registry = Registry::default();
    let one = found(&mut registry, &told(("", "m1"), 90_000, (0, HOUR)), 1);
    found(&mut registry, &told(("", "m2"), 10_000, (0, HOUR)), 2);
    found(&mut registry, &told(("hp/c", "m3"), 90_010, (0, HOUR)), 3);
    let seen = told(("", "m1"), 90_020, (2 * HOUR, 3 * HOUR));
    assert!(
        registry.is_alone(&one, &seen),
        "one counts elsewhere, one has a serial number"
    );
    let sighting = registry.sight(seen, place(4), at(3 * HOUR));
    assert_eq!(sighting, Sighting::Claim(one));
}

#[test]
fn a_new_id_in_a_known_place_says_whom_it_may_be_until_both_run_at_once() {
    let mut registry = Registry::default();
    let one = found(&mut registry, &told(("", "m1"), 90_000, (0, HOUR)), 1);
    let other = found(
        &mut registry,
        &told(("", "m9"), 90_030, (2 * HOUR, 3 * HOUR)),
        1,
    );
    assert_eq!(doubt(&registry, &other).map(|it| &it.of), Some(&one));
    let back = told(("", "m1"), 90_001, (3 * HOUR + 5, 4 * HOUR));
    registry.prove_reading(&one, &back);
    assert!(
        doubt(&registry, &other).is_some(),
        "it may have been changed back"
    );
    registry.prove_reading(&other, &told(("", "m9"), 90_040, (2 * HOUR, 5 * HOUR)));
    assert_eq!(doubt(&registry, &other), None, "they ran at once");
}

#[test]
fn what_is_new_and_tells_its_own_number_is_no_other() {
    let mut registry = Registry::default();
    found(&mut registry, &told(("hp/a", "m1"), 90_000, (0, HOUR)), 1);
    let new = found(
        &mut registry,
        &told(("hp/b", "m2"), 3, (2 * HOUR, 3 * HOUR)),
        1,
    );
    assert_eq!(doubt(&registry, &new), None);
}

#[test]
fn a_number_is_on_two_printers_only_once_they_are_two() {
    let mut registry = Registry::default();
    let one = found(&mut registry, &told(("hp/a", "m1"), 90_000, (0, HOUR)), 1);
    let seen = told(("hp/a", "m2"), 400_000, (2 * HOUR, 3 * HOUR));
    // Nobody answers where the first one was.
    let sighting = registry.sight(seen.clone(), place(2), at(3 * HOUR));
    let Sighting::New(settled) = sighting else {
        panic!("kept apart: {sighting:?}")
    };
    registry.prove_reading(&settled.device, &seen);
    assert_eq!(registry.shared_serial(&one), None);
    registry.prove_reading(
        &one,
        &told(("hp/a", "m1"), 90_002, (2 * HOUR + 9, 3 * HOUR + 9)),
    );
    assert_eq!(doubt(&registry, &settled.device), None);
    assert_eq!(registry.shared_serial(&one).as_deref(), Some("hp/a"));
    assert_eq!(registry.take_sharing().len(), 2);
}
