//! Who is who, by sightings alone.

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn keys(serial: &str, mac: &str) -> Fingerprint {
    let some = |key: &str| (!key.is_empty()).then(|| key.to_owned());
    Fingerprint {
        serial: some(serial),
        mac: some(mac),
        engine_id: None,
    }
}

fn found(registry: &mut Registry, keys: &Fingerprint, address: IpAddr) -> DeviceId {
    match registry.sight(keys, address, now()) {
        Sighting::New(settled) => settled.device,
        other => panic!("not new: {other:?}"),
    }
}

fn address_of(registry: &Registry, device: &DeviceId) -> Option<IpAddr> {
    registry.get(device).expect("known").address
}

#[test]
fn a_device_seen_again_where_it_lives_is_the_same() {
    let mut registry = Registry::default();
    let a = keys("hp/a", "m1");
    let device = found(&mut registry, &a, HERE);
    assert_eq!(
        registry.sight(&a, HERE, now()),
        Sighting::Same(device.clone())
    );
    let shy = keys("", "");
    assert_eq!(
        registry.sight(&shy, HERE, now()),
        Sighting::Same(device),
        "it told nothing"
    );
    assert_eq!(registry.len(), 1);
}

#[test]
fn a_device_without_any_key_is_known_by_its_address() {
    let mut registry = Registry::default();
    let shy = keys("", "");
    let one = found(&mut registry, &shy, HERE);
    let other = found(&mut registry, &shy, THERE);
    assert_ne!(one, other);
    assert_eq!(registry.sight(&shy, THERE, now()), Sighting::Same(other));
}

#[test]
fn a_known_device_elsewhere_is_asked_before_it_moves() {
    let mut registry = Registry::default();
    let a = keys("hp/a", "m1");
    let device = found(&mut registry, &a, HERE);
    assert_eq!(
        registry.sight(&a, THERE, now()),
        Sighting::Claim(device.clone())
    );
    assert_eq!(
        registry.sight(&a, THERE, now()),
        Sighting::Asked,
        "once is enough"
    );
    assert_eq!(address_of(&registry, &device), Some(HERE));
    let settled = registry.gone(&device, now()).expect("it moves");
    assert_eq!((settled.address, settled.evicted), (THERE, None));
    assert_eq!(registry.sight(&a, THERE, now()), Sighting::Same(device));
}

#[test]
fn a_printer_with_two_addresses_stays_where_it_is() {
    let mut registry = Registry::default();
    let a = keys("hp/a", "m1");
    let device = found(&mut registry, &a, HERE);
    assert_eq!(
        registry.sight(&a, THERE, now()),
        Sighting::Claim(device.clone())
    );
    assert_eq!(registry.confirmed(&device, now()), None);
    assert_eq!(address_of(&registry, &device), Some(HERE));
    assert_eq!(registry.len(), 1);
}

#[test]
fn two_devices_that_swap_addresses_stay_themselves() {
    let mut registry = Registry::default();
    let (a, b) = (keys("hp/a", "m1"), keys("hp/b", "m2"));
    let (one, other) = (
        found(&mut registry, &a, HERE),
        found(&mut registry, &b, THERE),
    );
    assert_eq!(
        registry.sight(&b, HERE, now()),
        Sighting::Claim(other.clone())
    );
    let settled = registry.gone(&other, now()).expect("it moves");
    assert_eq!(
        (settled.address, settled.evicted),
        (HERE, Some(one.clone()))
    );
    assert_eq!(
        address_of(&registry, &one),
        None,
        "nobody knows where it is"
    );
    let Sighting::Moved(settled) = registry.sight(&a, THERE, now()) else {
        panic!("it has no address to be asked at");
    };
    assert_eq!((settled.device, settled.evicted), (one, None));
    assert_eq!(address_of(&registry, &other), Some(HERE));
}

#[test]
fn two_living_boards_with_one_serial_are_two_devices() {
    let mut registry = Registry::default();
    let device = found(&mut registry, &keys("hp/a", "m1"), HERE);
    let twin = keys("hp/a", "m2");
    assert_eq!(
        registry.sight(&twin, THERE, now()),
        Sighting::Claim(device.clone())
    );
    let settled = registry.confirmed(&device, now()).expect("a newcomer");
    assert_ne!(settled.device, device);
    assert_eq!(
        registry.sight(&twin, THERE, now()),
        Sighting::Same(settled.device)
    );
    let first = registry.sight(&keys("hp/a", "m1"), HERE, now());
    assert_eq!(first, Sighting::Same(device));
}

#[test]
fn a_new_network_card_in_a_printer_that_left_is_the_same_printer() {
    let mut registry = Registry::default();
    let device = found(&mut registry, &keys("hp/a", "m1"), HERE);
    let repaired = keys("hp/a", "m2");
    assert_eq!(
        registry.sight(&repaired, THERE, now()),
        Sighting::Claim(device.clone())
    );
    let settled = registry.gone(&device, now()).expect("it moves");
    assert_eq!(settled.device, device);
    assert_eq!(registry.get(&device).expect("known").fingerprint, repaired);
}

#[test]
fn a_stranger_at_a_known_address_takes_it() {
    let mut registry = Registry::default();
    let device = found(&mut registry, &keys("hp/a", "m1"), HERE);
    let Sighting::New(settled) = registry.sight(&keys("hp/b", "m2"), HERE, now()) else {
        panic!("a stranger");
    };
    assert_eq!(settled.evicted, Some(device.clone()));
    assert_eq!(address_of(&registry, &device), None);
}

#[test]
fn a_device_missed_by_sweeps_is_named_until_it_is_seen() {
    let mut registry = Registry::default();
    let a = keys("hp/a", "m1");
    let device = found(&mut registry, &a, HERE);
    let everywhere = |_| true;
    assert!(
        registry.swept(everywhere, 2).is_empty(),
        "it was seen in this sweep"
    );
    assert!(registry.swept(everywhere, 2).is_empty(), "missed once");
    assert!(
        registry.swept(|_| false, 2).is_empty(),
        "another subnet says nothing"
    );
    let missed = registry.swept(everywhere, 2);
    assert_eq!(missed, std::slice::from_ref(&device));
    registry.sight(&a, HERE, now());
    assert!(registry.swept(everywhere, 2).is_empty());
    assert!(registry.get(&device).is_some(), "remembered all the time");
}

#[test]
fn what_is_no_printer_is_left_alone_for_a_day() {
    let mut registry = Registry::default();
    let a = keys("cisco/a", "m1");
    let device = found(&mut registry, &a, HERE);
    registry.unmask(&device, now());
    assert_eq!(registry.sight(&a, HERE, now()), Sighting::NoPrinter);
    let tomorrow = now() + SignedDuration::from_hours(25);
    assert!(matches!(
        registry.sight(&a, HERE, tomorrow),
        Sighting::New(_)
    ));
}

#[test]
fn an_address_that_is_somebody_else_each_time_brings_few_ghosts() {
    let mut registry = Registry::default();
    for n in 0..100 {
        registry.sight(&keys(&format!("hp/{n}"), ""), HERE, now());
    }
    assert_eq!(registry.len(), 8);
    let tomorrow = now() + SignedDuration::from_hours(25);
    let sighting = registry.sight(&keys("hp/new", ""), HERE, tomorrow);
    assert!(matches!(sighting, Sighting::New(_)), "{sighting:?}");
}

#[test]
fn what_changed_is_handed_out_once_and_comes_back() {
    let mut registry = Registry::default();
    let device = found(&mut registry, &keys("hp/a", ""), HERE);
    let records = registry.take_changed();
    assert_eq!(records.len(), 1);
    assert!(registry.take_changed().is_empty());
    registry.prove(&device, &keys("hp/a", "m1"));
    let records = registry.take_changed();
    assert_eq!(records[0].1.fingerprint, keys("hp/a", "m1"));
    registry.mark_changed([device.clone()]);
    assert_eq!(
        registry.take_changed().len(),
        1,
        "could not be kept: once more"
    );
    let body = serde_json::to_vec(&records[0].1).expect("a body");
    let mut next = Registry::default();
    next.recall(
        device.clone(),
        serde_json::from_slice(&body).expect("the body"),
    );
    assert_eq!(
        next.sight(&keys("hp/a", ""), HERE, now()),
        Sighting::Same(device)
    );
}
