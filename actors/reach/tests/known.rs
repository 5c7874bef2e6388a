//! Devices that were read before: by what is known of them, in few questions, and asked for no more at
//! once than they bear.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use printer::profile::Profiles;
use snmp::{ErrorStatus, PduKind};

use super::super::again::read_again;
use super::super::survey::{ReadError, read_device};
use super::fake_device::{FakeDevice, answer, refuse};
use super::{FIRST, SECOND, patient, printer, public};

/// Varbinds that fit into an answer of a small device.
const FITTING: usize = 10;

/// Starts a device whose serial changes at this question, counted from the first that asks by what
/// is known; which questions came, and how many objects they asked for.
async fn known_device(
    swapped_at: usize,
    objects_max: usize,
) -> (FakeDevice, Arc<Mutex<Vec<usize>>>) {
    let asked_for = Arc::new(Mutex::new(Vec::new()));
    let asked_here = asked_for.clone();
    let device = FakeDevice::start(move |asked| {
        let mut questions = asked_here.lock().unwrap();
        let is_by_known = asked.pdu.kind == PduKind::GetNext;
        if is_by_known {
            questions.push(asked.pdu.varbinds.len());
        }
        let is_swapped = questions.len() >= swapped_at;
        let serial = if is_swapped { SECOND } else { FIRST };
        let mut answer = answer(&printer(serial), &asked);
        if is_by_known {
            answer.pdu.varbinds.truncate(objects_max);
        }
        vec![answer]
    });
    (device.await, asked_for)
}

#[tokio::test]
async fn a_printer_that_is_known_is_walked_in_fewer_questions() {
    let (device, _) = known_device(usize::MAX, usize::MAX).await;
    let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
    let (target, credentials) = (device.target(), [public()]);
    let whole = read_device(&snmp, &target, &credentials, &profiles)
        .await
        .unwrap();
    let again = read_again(&snmp, &target, whole.last(), &credentials, &profiles)
        .await
        .unwrap();
    assert_eq!(again.walk, whole.walk);
    assert!(again.is_whole && again.bears_again);
    assert!(again.pdus < whole.pdus && again.pdus <= 3, "{}", again.pdus);
    // What is remembered of it is the same.
    let packed = again.pack(&profiles).expect("a printer");
    let walk = packed.walk().expect("a walk");
    let now = again.verdict.into_reading().expect("a printer");
    let unpacked = packed.reading(&walk, (&again.walk, &now), &profiles);
    assert_eq!((&walk, unpacked), (&again.walk, Some(now)));
}

#[tokio::test]
async fn another_device_under_way_is_seen_when_asked_by_what_is_known() {
    let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
    for (swapped_at, is_first) in [(1, true), (2, false)] {
        let (device, _) = known_device(swapped_at, usize::MAX).await;
        let (target, credentials) = (device.target(), [public()]);
        let whole = read_device(&snmp, &target, &credentials, &profiles)
            .await
            .unwrap();
        let refusal = read_again(&snmp, &target, whole.last(), &credentials, &profiles).await;
        let is_seen = match refusal {
            Err(ReadError::AnotherDevice { .. }) => is_first,
            Err(ReadError::SwappedUnderway { .. }) => !is_first,
            _ => false,
        };
        assert!(is_seen, "{refusal:?}");
    }
}

#[tokio::test]
async fn a_device_that_does_not_bear_many_objects_is_read_as_if_it_were_new() {
    let (device, asked_for) = known_device(usize::MAX, 5).await;
    let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
    let (target, credentials) = (device.target(), [public()]);
    let whole = read_device(&snmp, &target, &credentials, &profiles)
        .await
        .unwrap();
    let mut last = whole.clone();
    for _ in 0..2 {
        last = read_again(&snmp, &target, last.last(), &credentials, &profiles)
            .await
            .unwrap();
        assert!(last.walk == whole.walk && !last.bears_again);
    }
    // It was tried once and is remembered.
    assert_eq!(asked_for.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_device_bears_at_once_is_learned_once() {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    let device = FakeDevice::start(move |asked| {
        let whole = answer(&printer(FIRST), &asked);
        let is_walk = !matches!(asked.pdu.kind, PduKind::Get);
        if is_walk && whole.pdu.varbinds.len() > FITTING {
            counted.fetch_add(1, Ordering::Relaxed);
            return vec![refuse(&asked, ErrorStatus::TooBig, 0)];
        }
        vec![whole]
    });
    let (device, snmp, profiles) = (device.await, patient(), Profiles::embedded().unwrap());
    let (target, credentials) = (device.target(), [public()]);
    let whole = read_device(&snmp, &target, &credentials, &profiles)
        .await
        .unwrap();
    // From the most that is ever asked down to what fits, for the first of all tables only.
    let halvings = refused.swap(0, Ordering::Relaxed);
    assert!((1..=3).contains(&halvings), "{halvings} were too big");
    let again = read_again(&snmp, &target, whole.last(), &credentials, &profiles)
        .await
        .unwrap();
    assert!(again.walk == whole.walk && again.bearing == whole.bearing);
    // What is known of it is asked in questions of their own, once; of the tables none is too big.
    assert!(refused.swap(0, Ordering::Relaxed) <= 1);
    let packed = again.pack(&profiles).expect("a printer");
    let walk = packed.walk().expect("a walk");
    let third = read_again(&snmp, &target, packed.last(&walk), &credentials, &profiles)
        .await
        .unwrap();
    assert!(third.walk == whole.walk && third.is_whole);
    assert_eq!(refused.load(Ordering::Relaxed), 0);
}
