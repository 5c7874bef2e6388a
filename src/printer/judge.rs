//! From a walk to a reading: the one place where everything of a printer comes together.

use std::net::IpAddr;

use jiff::Timestamp;
use snmp::Oid;

use crate::direction::Direction;
use crate::meter::{Meter, MeterName};
use crate::profile::{Profile, Profiles};
use crate::reading::{Reading, SCHEMA, Verdict};
use crate::sources::{self, Sources};
use crate::walk::Walk;
use crate::{alert, facts, identify, meter, mib, recognize, status, supply, tray};

/// sysUpTime counts hundredths of a second (RFC 3418).
const TICKS_PER_SECOND: u64 = 100;

/// Decides what a device is, and reads it if it is a printer.
///
/// `walk` holds what was answered to [`crate::question::full`]; objects that lack make the
/// reading poorer, never wrong.
#[must_use]
pub fn judge(walk: &Walk, profiles: &Profiles, address: Option<IpAddr>, at: Timestamp) -> Verdict {
    if let Some(reason) = recognize::why_no_printer(walk) {
        return Verdict::NotAPrinter { reason };
    }
    let profile = profiles.for_walk(walk);
    let device = identify::printer_row(walk);
    let alerts = alert::read(walk);
    let meters = meters(walk, profile);
    let supplies = supply::read(walk, |supply, level| {
        if let Some(profile) = profile {
            profile.refine(supply, level, walk);
        }
        supply.direction = Direction::of(supply, &alerts);
    });
    let mut reading = Box::new(Reading {
        schema: SCHEMA,
        is_printer: true,
        address,
        at,
        up_secs: up_secs(walk),
        identity: identify::read(walk, device, profile),
        status: status::read(walk, device, &alerts),
        facts: facts::of(&meters),
        meters,
        supplies,
        trays: tray::read(walk),
        alerts,
        sources: Sources::new(),
    });
    reading.sources = sources::of(walk, device, profile, &reading);
    Verdict::Printer(reading)
}

/// The reading of what a device said before, which has become `reading` by what it says now: where
/// nothing but the time since its start has moved, there is nothing to decide again. None where it was
/// no printer.
#[must_use]
pub fn judge_before(
    before: (&Walk, Option<IpAddr>, Timestamp),
    now: (&Walk, &Reading),
    profiles: &Profiles,
) -> Option<Box<Reading>> {
    let ((before, address, at), (now, reading)) = (before, now);
    let up_time = Oid::new(mib::SYS_UP_TIME).with(&[mib::SCALAR]);
    if !before.is_same_but(now, &up_time) {
        return judge(before, profiles, address, at).into_reading();
    }
    Some(Box::new(Reading {
        address,
        at,
        up_secs: up_secs(before),
        ..reading.clone()
    }))
}

/// sysUpTime in seconds.
fn up_secs(walk: &Walk) -> Option<u64> {
    let ticks = walk.number(mib::SYS_UP_TIME, &[mib::SCALAR])?;
    Some(u64::try_from(ticks).ok()? / TICKS_PER_SECOND)
}

/// The standard meters, then the maker's; of two with one name the standard one stands.
fn meters(walk: &Walk, profile: Option<&Profile>) -> Vec<Meter> {
    let mut meters = meter::read(walk);
    for meter in profile
        .map(|profile| profile.meters(walk))
        .unwrap_or_default()
    {
        let is_new = |known: &Meter| known.name != meter.name || meter.name == MeterName::OTHER;
        if meters.iter().all(is_new) {
            meters.push(meter);
        }
    }
    meters
}
