//! What the agent tells of itself with a poll, masked as the site wants it.

use jiff::Timestamp;
use proto::v1;

use crate::mask::Masks;
use crate::parts::Word;
use crate::spool::{Alarm, SpoolStats};
use crate::status::{DoubtfulPrinter, Refusing, Totals};

/// Printers that may be another one of which the hub is told in words: it lists them itself as well.
const DOUBTS_TOLD_MAX: usize = 5;

/// What the agent tells of itself with a poll.
#[derive(Debug)]
pub(super) struct Myself<'a> {
    /// What it lets out.
    pub(super) word: &'a Word,
    /// Its printers and restarts.
    pub(super) totals: Totals,
    /// When it was started.
    pub(super) started_at: Timestamp,
    /// Which start this is, and its random name.
    pub(super) start: (u64, &'a str),
    /// Whether commands can come.
    pub(super) commands_connected: bool,
    /// What is wrong, most important first.
    pub(super) alarms: Vec<String>,
}

/// Puts it into the hub's language.
pub(super) fn agent_status(
    stats: &SpoolStats,
    myself: &Myself<'_>,
    of_spool: Vec<Alarm>,
) -> v1::AgentStatus {
    let Myself {
        word,
        totals,
        started_at,
        start: (boot, instance),
        commands_connected,
        alarms,
    } = myself;
    let of_spool = of_spool.iter().map(Alarm::to_string);
    let doubts = totals.doubtful.iter().take(DOUBTS_TOLD_MAX).map(doubt);
    let alarms = of_spool.chain(alarms.iter().cloned()).chain(doubts);
    v1::AgentStatus {
        configuration: word.configuration.clone(),
        refusing: totals
            .refusing
            .iter()
            .map(|it| refusing(it, &word.masks))
            .collect(),
        doubtful: totals
            .doubtful
            .iter()
            .map(|it| doubtful(it, &word.masks))
            .collect(),
        alarms: alarms.map(|alarm| word.masks.words(&alarm)).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at_ms: started_at.as_millisecond(),
        spool_reports: stats.waiting,
        spool_oldest_ms: stats.oldest.map_or(0, Timestamp::as_millisecond),
        devices: totals.known,
        devices_silent: totals.silent,
        restarts: totals.restarts,
        boot: *boot,
        commands_connected: *commands_connected,
        instance: (*instance).to_owned(),
    }
}

/// A device that accepts no credential, as it leaves the site.
fn refusing(refusing: &Refusing, masks: &Masks) -> v1::Refusing {
    let device = refusing.device.as_ref().map(|device| masks.device(device));
    v1::Refusing {
        address: masks.words(&refusing.address.to_string()),
        why: masks.words(&refusing.why),
        device_id: device.map(|device| device.to_string()).unwrap_or_default(),
    }
}

/// A device that may be another one, as it leaves the site.
fn doubtful(it: &DoubtfulPrinter, masks: &Masks) -> v1::Doubtful {
    let address = it.address.map(|address| masks.words(&address.to_string()));
    let may_be = std::iter::once(&it.may_be).chain(&it.or);
    v1::Doubtful {
        device_id: masks.device(&it.device).to_string(),
        address: address.unwrap_or_default(),
        may_be: may_be.map(|id| masks.device(id).to_string()).collect(),
        more: it.more,
        why: masks.words(&it.why),
        since_ms: it.since.as_millisecond(),
    }
}

/// A device that may be another one, in words; both without their ids, which a site may mask.
fn doubt(it: &DoubtfulPrinter) -> String {
    let place = it
        .address
        .map_or("a printer whose address is unknown".to_owned(), |address| {
            format!("the printer at {address}")
        });
    format!(
        "{place} may be one that is known already ({}); it is kept apart, see platen status",
        it.why
    )
}
