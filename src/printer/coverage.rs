//! What the profiles cover: makers, and of each meter whether a recording of a real device proves
//! it. Used by `platen profiles` and by the page that a test writes.

use serde::Serialize;

use crate::decoder::Decoder;
use crate::meter::{MeterName, Unit};
use crate::profile::{IdentityField, Origin, Profile, Profiles};

/// What one profile covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The profile's name.
    pub profile: String,
    /// Its version.
    pub version: u32,
    /// `embedded`, or `folder` and the first digits of the file's SHA-256.
    pub origin: String,
    /// As evidence names it.
    pub stamp: String,
    /// The brands that it reads.
    pub makers: Vec<String>,
    /// What it knows of who a device is: `serial`, `model`, `firmware`, `asset`, `device_id`.
    pub identity: Vec<&'static str>,
    /// Its meters, each name once, by the rule that is tried first.
    pub meters: Vec<MeterCoverage>,
    /// Supplies whose level stands in an object of the maker's.
    pub supply_levels: usize,
    /// Codes of the maker's in the standard table of supplies.
    pub level_codes: usize,
    /// The named decoders that it needs.
    pub decoders: Vec<&'static str>,
}

/// What a profile knows of one meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeterCoverage {
    /// Which.
    pub name: MeterName,
    /// What it counts in.
    pub unit: Unit,
    /// Where the fact comes from.
    pub source: String,
    /// The recording of a real device that proves it; absent for beta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<String>,
}

/// What every profile covers, by name.
#[must_use]
pub fn of(profiles: &Profiles) -> Vec<Coverage> {
    let mut all: Vec<Coverage> = profiles.iter().map(of_one).collect();
    all.sort_by(|a, b| a.profile.cmp(&b.profile));
    all
}

/// What one profile covers.
#[must_use]
pub fn of_one(profile: &Profile) -> Coverage {
    let mut meters: Vec<MeterCoverage> = Vec::new();
    for rule in &profile.meters {
        let is_known = |known: &MeterCoverage| known.name == rule.name;
        if meters.iter().any(is_known) {
            continue;
        }
        meters.push(MeterCoverage {
            name: rule.name.clone(),
            unit: rule.unit,
            source: rule.source.clone(),
            proven: rule.proven.clone(),
        });
    }
    let mut identity: Vec<&'static str> = profile
        .identity
        .iter()
        .map(|rule| field_name(rule.field))
        .collect();
    identity.sort_unstable();
    identity.dedup();
    let decoders = profile.meters.iter().map(|rule| &rule.decoder);
    let decoders = decoders.chain(profile.supply_levels.iter().map(|rule| &rule.decoder));
    let mut decoders: Vec<&'static str> = decoders.filter_map(decoder_name).collect();
    decoders.sort_unstable();
    decoders.dedup();
    Coverage {
        profile: profile.name.clone(),
        version: profile.version,
        origin: match &profile.origin {
            Origin::Embedded => "embedded".to_owned(),
            Origin::Folder(digits) => format!("folder {digits}"),
        },
        stamp: profile.stamp(),
        makers: profile.makers.clone(),
        identity,
        meters,
        supply_levels: profile.supply_levels.len(),
        level_codes: profile.level_codes.len(),
        decoders,
    }
}

fn field_name(field: IdentityField) -> &'static str {
    match field {
        IdentityField::Serial => "serial",
        IdentityField::Model => "model",
        IdentityField::Firmware => "firmware",
        IdentityField::Asset => "asset",
        IdentityField::DeviceId => "device_id",
    }
}

/// The decoder's name as a profile writes it; none for what is a plain number.
fn decoder_name(decoder: &Decoder) -> Option<&'static str> {
    match decoder {
        Decoder::Scalar => None,
        Decoder::Sum(_) => Some("sum"),
        Decoder::Keyed { .. } => Some("keyed"),
        Decoder::Records { .. } => Some("records"),
        Decoder::Matching(_) => Some("matching"),
        Decoder::Text { .. } => Some("text"),
    }
}
