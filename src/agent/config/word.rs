//! The site's own word: what the hub may not change, how far it may reach, what leaves masked, and
//! how long the site keeps a log of what left.

use std::collections::BTreeSet;

use actors::mask::MaskSettings;
use actors::outbox::OutboxLimits;
use actors::reach::range::AddressRange;
use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Places, bounded, layers, parse_ranges};

/// What can be locked: what a hub can ask to change, now or with a later agent.
pub const LOCKABLE: [&str; 9] = [
    "ranges",
    "doors",
    "credentials",
    "schedule",
    "schedule.read_secs",
    "schedule.status_secs",
    "schedule.discover_secs",
    "web_access",
    "masks",
];
/// What is locked unless the site says otherwise: where the agent reaches, and what leaves.
pub const LOCK_DEFAULT: [&str; 4] = ["ranges", "doors", "web_access", "masks"];
/// Longest tail of a serial number that can be masked: longer than any serial number.
const SERIAL_TAIL_MAX: u64 = 64;
/// Longest that the log of sent messages can be kept: a year.
const OUTBOX_DAYS_MAX: u64 = 366;
/// Largest that it can be, in MiB.
const OUTBOX_MIB_MAX: u64 = 64 * 1024;
/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// What the site keeps to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteWord {
    /// What the hub may not change, out of [`LOCKABLE`].
    pub lock: BTreeSet<String>,
    /// What the ranges of a hub may never exceed; absent for the site's own ranges.
    pub ceiling: Option<Vec<AddressRange>>,
    /// What leaves as a pseudonym.
    pub masks: MaskSettings,
    /// How much is kept of what was sent.
    pub outbox: OutboxLimits,
}

impl SiteWord {
    /// Whether the site locks a key, or the section that it is in.
    #[must_use]
    pub fn locks(&self, key: &str) -> bool {
        let section = key.split('.').next().unwrap_or(key);
        self.lock.contains(key) || self.lock.contains(section)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSite {
    ceiling: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMasks {
    addresses: bool,
    host_names: bool,
    locations: bool,
    serial_tails: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawOutbox {
    days: Option<Spanned<u64>>,
    size_mib: Option<Spanned<u64>>,
}

/// Makes what is written valid, or says where it is not.
pub(super) fn check(
    (lock, site): (Option<Vec<Spanned<String>>>, RawSite),
    masks: RawMasks,
    outbox: RawOutbox,
    places: &Places,
) -> Result<SiteWord, ConfigError> {
    let lock = match lock {
        None => LOCK_DEFAULT.map(str::to_owned).into(),
        Some(keys) => keys
            .into_iter()
            .map(|key| check_key(key, places))
            .collect::<Result<_, _>>()?,
    };
    if let Some(ceiling) = &site.ceiling {
        for range in ceiling {
            let parsed = range.as_ref().parse::<AddressRange>();
            if parsed.is_ok_and(|range| range.name().is_some()) {
                let what = format!("'{}' is a host name", range.as_ref());
                let hint = "write addresses: who answers to a name, the name's owner decides";
                return Err(places.error(range, what, hint));
            }
        }
    }
    let ceiling = site.ceiling.map(|ceiling| parse_ranges(ceiling, places));
    let tails = bounded(masks.serial_tails, 0, 0, SERIAL_TAIL_MAX, places)?;
    let limits = OutboxLimits::default();
    let days = bounded(
        outbox.days,
        u64::from(limits.days),
        1,
        OUTBOX_DAYS_MAX,
        places,
    )?;
    let mib = limits.bytes_max / MIB;
    let mib = bounded(outbox.size_mib, mib, 1, OUTBOX_MIB_MAX, places)?;
    Ok(SiteWord {
        lock,
        ceiling: ceiling.transpose()?,
        masks: MaskSettings {
            addresses: masks.addresses,
            host_names: masks.host_names,
            locations: masks.locations,
            serial_tails: usize::try_from(tails).unwrap_or(usize::MAX),
        },
        outbox: OutboxLimits {
            days: u32::try_from(days).unwrap_or(u32::MAX),
            bytes_max: mib.saturating_mul(MIB),
        },
    })
}

fn check_key(key: Spanned<String>, places: &Places) -> Result<String, ConfigError> {
    if LOCKABLE.contains(&key.as_ref().as_str()) {
        return Ok(key.into_inner());
    }
    let what = format!("there is nothing to lock by the name '{}'", key.as_ref());
    let hint = match layers::nearest(key.as_ref(), LOCKABLE.into_iter()) {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => format!("write some of {}", LOCKABLE.join(", ")),
    };
    Err(places.error(&key, what, hint))
}
