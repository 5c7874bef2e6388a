//! Vendor profiles: what is known of a maker's own objects, applied to a walk.
//!
//! The knowledge is data in `config/vendors/*.toml`; `profile_file` parses it. What a line cannot
//! say is a [`Decoder`], a closed set that the data refers to by name.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use snmp::{Oid, Value};

use crate::decoder::{Decoder, Key};
use crate::meter::{Meter, MeterName, Unit};
use crate::profile_file;
use crate::reading::Evidence;
use crate::supply::{Level, Supply};
use crate::walk::{Shapes, Walk};
use crate::{brand, mib, text};

/// Words that Brother puts before a firmware level.
const FIRMWARE_WORDS: &str = "Firmware Ver.";

/// Names each file of `config/vendors/` with its text.
macro_rules! embedded {
    ($($name:literal)*) => {
        &[$((
            concat!($name, ".toml"),
            include_str!(concat!("../../config/vendors/", $name, ".toml")),
        )),*]
    };
}

/// The profiles that are part of the program: the one list of them.
const EMBEDDED: &[(&str, &str)] = embedded! {
    "brother"
    "canon"
    "dell"
    "epson"
    "hp"
    "konica-minolta"
    "kyocera"
    "lexmark"
    "oce"
    "oki"
    "panasonic"
    "pantum"
    "ricoh"
    "samsung"
    "sharp"
    "toshiba"
    "tsc"
    "xerox"
    "zebra"
};

/// Every profile that is known.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    list: Vec<Profile>,
    /// The shapes of the devices that are known, of which how to ask depends on the profile, too.
    shapes: Arc<Shapes>,
}

/// What is known of one maker's objects.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The profile's name, as a reading shows it.
    pub name: String,
    /// Its version, counted from 1: raised whenever a value may come out differently.
    pub version: u32,
    /// The brands it reads.
    pub makers: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
    pub(crate) enterprises: Vec<u32>,
    pub(crate) identity: Vec<IdentityRule>,
    pub(crate) meters: Vec<MeterRule>,
    pub(crate) supply_levels: Vec<SupplyRule>,
    pub(crate) level_codes: Vec<LevelCode>,
}

/// Where a profile comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is part of the program.
    Embedded,
    /// It stands in a folder at the site; the first 8 hex digits of its text's SHA-256.
    Folder(String),
}

/// Why a profile was refused: the file, the line, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {message}")]
pub struct ProfileError {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Most rows of one object that may tell a serial number.
const SERIALS_MAX: usize = 2;

/// An object that names the device.
#[derive(Debug, Clone)]
pub(crate) struct IdentityRule {
    pub(crate) field: IdentityField,
    pub(crate) object: Oid,
}

/// What an object names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityField {
    Serial,
    Model,
    Firmware,
    Asset,
    DeviceId,
}

/// An object that counts.
#[derive(Debug, Clone)]
pub(crate) struct MeterRule {
    pub(crate) name: MeterName,
    pub(crate) unit: Unit,
    pub(crate) object: Oid,
    pub(crate) decoder: Decoder,
    pub(crate) divisor: u32,
    /// The first value that the counter cannot show.
    pub(crate) rolls_over_at: Option<u64>,
    pub(crate) source: String,
    /// The recording of a real device that proves it; `None` for beta.
    pub(crate) proven: Option<String>,
}

/// An object that knows a supply's level better than the standard table, where that says nothing
/// but "some" or "unknown".
#[derive(Debug, Clone)]
pub(crate) struct SupplyRule {
    pub(crate) kind: String,
    pub(crate) color: Option<String>,
    pub(crate) object: Oid,
    pub(crate) decoder: Decoder,
    pub(crate) divisor: u32,
    /// Numbers that are no share but mean a level.
    pub(crate) codes: Vec<LevelCode>,
    /// Whether the object holds such codes only.
    pub(crate) is_flag: bool,
}

/// A level in the standard table that means something of the maker's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LevelCode {
    pub(crate) level: i64,
    pub(crate) means: Meaning,
}

/// What a maker's level code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Meaning {
    Low,
    Empty,
    Full,
    Some,
}

impl Meaning {
    fn level(self) -> Level {
        match self {
            Self::Low => Level::Low,
            Self::Empty => Level::Empty,
            Self::Full => Level::Full,
            Self::Some => Level::Some,
        }
    }
}

impl SupplyRule {
    /// The level behind a number: what its code means, else a share where it can be one.
    fn level(&self, number: i64) -> Option<Level> {
        let mut codes = self.codes.iter();
        if let Some(code) = codes.find(|code| code.level == number) {
            return Some(code.means.level());
        }
        let is_share = (0..=100 * i64::from(self.divisor)).contains(&number);
        (is_share && !self.is_flag).then(|| Level::Percent {
            percent: number as f64 / f64::from(self.divisor),
        })
    }
}

/// What a profile says about who a device is.
#[derive(Debug, Clone, Default)]
pub(crate) struct VendorIdentity {
    pub(crate) serial: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) firmware: Vec<String>,
    pub(crate) asset: Option<String>,
    pub(crate) device_id: Option<String>,
}

impl Profiles {
    /// The profiles that are part of the program.
    ///
    /// # Errors
    /// [`ProfileError`] names file and line; a test keeps this from happening.
    pub fn embedded() -> Result<Self, ProfileError> {
        let parse = |(file, text): &(&str, &str)| profile_file::parse(file, text, Origin::Embedded);
        let list = EMBEDDED.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self {
            list,
            shapes: Arc::default(),
        })
    }

    /// These profiles with those of a folder: (file name, text) pairs. One of the same name
    /// replaces ours.
    ///
    /// # Errors
    /// [`ProfileError`] names file and line.
    pub fn with_folder(
        mut self,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ProfileError> {
        for (file, text) in files {
            let origin = Origin::Folder(fingerprint(&text));
            let profile = profile_file::parse(&file, &text, origin)?;
            self.list.retain(|known| known.name != profile.name);
            self.list.insert(0, profile);
        }
        Ok(self)
    }

    /// The profile of the device that was walked: by its enterprise number, else by the brand
    /// with which it begins to describe itself.
    #[must_use]
    pub fn for_walk(&self, walk: &Walk) -> Option<&Profile> {
        let number = brand::enterprise(walk);
        let by_number = number.and_then(|number| {
            let mut list = self.list.iter();
            list.find(|profile| profile.enterprises.contains(&number))
        });
        by_number.or_else(|| {
            let description = walk.text(mib::SYS_DESCR, &[mib::SCALAR])?;
            let brand = brand::leading(&description)?;
            let is_its = |profile: &&Profile| profile.makers.iter().any(|it| it == brand.name);
            self.list.iter().find(is_its)
        })
    }

    /// The shapes that the walks of all devices share.
    #[must_use]
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Every profile.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.list.iter()
    }
}

impl Profile {
    /// The instances to GET.
    #[must_use]
    pub fn scalars(&self) -> Vec<Oid> {
        let mut oids: Vec<Oid> = self
            .identity
            .iter()
            .map(|rule| rule.object.clone())
            .collect();
        oids.extend(
            self.numbers()
                .flat_map(|(object, decoder)| decoder.scalars(object)),
        );
        oids.sort();
        oids.dedup();
        oids
    }

    /// The columns to walk.
    #[must_use]
    pub fn columns(&self) -> Vec<Oid> {
        let mut oids: Vec<Oid> = self
            .numbers()
            .flat_map(|(object, decoder)| decoder.columns(object))
            .collect();
        oids.sort();
        oids.dedup();
        oids
    }

    /// The instances that move between two full readings.
    #[must_use]
    pub fn moving(&self, last: &Walk) -> Vec<Oid> {
        let mut oids: Vec<Oid> = self
            .numbers()
            .flat_map(|(object, decoder)| decoder.instances(object, last))
            .filter(|oid| last.get(oid).is_some())
            .collect();
        oids.sort();
        oids.dedup();
        oids
    }

    /// The objects of a walk in which the maker tells the serial number.
    #[must_use]
    pub fn serials(&self, last: &Walk) -> Vec<Oid> {
        let rules = self.identity.iter();
        let tells = rules.filter(|rule| rule.field == IdentityField::Serial);
        let rows = tells.flat_map(|rule| {
            let column = rule.object.arcs();
            let rows = last.under(column).take(SERIALS_MAX);
            rows.map(|(row, _)| rule.object.with(row))
        });
        rows.collect()
    }

    /// The object in which a meter is looked for first.
    #[must_use]
    pub fn object_of(&self, name: &MeterName) -> Option<&Oid> {
        let mut rules = self.meters.iter();
        rules
            .find(|rule| rule.name == *name)
            .map(|rule| &rule.object)
    }

    /// The parts that a walk lacks of a meter that is a sum, where it has another part. Without them the
    /// sum would be too low, and nobody could tell.
    #[must_use]
    pub fn lacking(&self, name: &MeterName, walk: &Walk) -> Vec<Oid> {
        let is_sum =
            |rule: &&MeterRule| rule.name == *name && matches!(rule.decoder, Decoder::Sum(_));
        let Some(rule) = self.meters.iter().find(is_sum) else {
            return Vec::new();
        };
        let parts = rule.decoder.scalars(&rule.object);
        let (there, lacking): (Vec<Oid>, Vec<Oid>) =
            parts.into_iter().partition(|part| walk.get(part).is_some());
        if there.is_empty() { there } else { lacking }
    }

    /// What the maker's own objects say about who the device is.
    pub(crate) fn identity(&self, walk: &Walk) -> VendorIdentity {
        let mut says = VendorIdentity::default();
        for rule in &self.identity {
            let Some(Value::OctetString(octets)) = walk.get(&rule.object) else {
                continue;
            };
            let said = match rule.field {
                IdentityField::DeviceId => text::decode_device_id(octets, walk.charset()),
                IdentityField::Serial
                | IdentityField::Model
                | IdentityField::Firmware
                | IdentityField::Asset => text::decode(octets, walk.charset()),
            };
            if said.is_empty() {
                continue;
            }
            match rule.field {
                IdentityField::Serial => says.serial = says.serial.or(Some(said)),
                IdentityField::Model => says.model = says.model.or(Some(said)),
                IdentityField::Firmware => {
                    says.firmware
                        .push(said.trim_start_matches(FIRMWARE_WORDS).to_owned());
                }
                IdentityField::Asset => says.asset = says.asset.or(Some(said)),
                IdentityField::DeviceId => says.device_id = says.device_id.or(Some(said)),
            }
        }
        says
    }

    /// The maker's own meters. A meter that no recording proves is marked `beta`.
    pub(crate) fn meters(&self, walk: &Walk) -> Vec<Meter> {
        let read = |rule: &MeterRule| {
            let (object, number) = rule.decoder.read(&rule.object, walk)?;
            Some(Meter {
                name: rule.name.clone(),
                label: None,
                value: u64::try_from(number).ok()? / u64::from(rule.divisor),
                unit: rule.unit,
                beta: rule.proven.is_none(),
                rolls_over_at: rule.rolls_over_at,
                evidence: self.evidence((&rule.object, &rule.decoder), &object, walk),
            })
        };
        self.meters.iter().filter_map(read).collect()
    }

    /// Makes more of a supply than the standard does: the maker's level codes, and levels that
    /// stand elsewhere.
    pub(crate) fn refine(&self, supply: &mut Supply, raw_level: Option<i64>, walk: &Walk) {
        let code = self
            .level_codes
            .iter()
            .find(|code| Some(code.level) == raw_level);
        if let Some(code) = code {
            supply.level = code.means.level();
            supply.remaining = None;
            supply.evidence.rule = format!("{}/level-code", self.stamp());
        }
        if !matches!(supply.level, Level::Some | Level::Unknown) {
            return;
        }
        let is_its = |rule: &&SupplyRule| {
            rule.kind == supply.kind && (rule.color.is_none() || rule.color == supply.color)
        };
        let found = self.supply_levels.iter().filter(is_its).find_map(|rule| {
            let (object, number) = rule.decoder.read(&rule.object, walk)?;
            Some((rule, object, rule.level(number)?))
        });
        if let Some((rule, object, level)) = found {
            supply.level = level;
            supply.evidence = self.evidence((&rule.object, &rule.decoder), &object, walk);
        }
    }

    /// Name and version, and for one of a folder which text it was: `kyocera@1`, or
    /// `kyocera@2+3f9a2c81`. The rule of every value's evidence begins with it.
    #[must_use]
    pub fn stamp(&self) -> String {
        let Self { name, version, .. } = self;
        match &self.origin {
            Origin::Embedded => format!("{name}@{version}"),
            Origin::Folder(digits) => format!("{name}@{version}+{digits}"),
        }
    }

    fn evidence(&self, (object, decoder): (&Oid, &Decoder), found: &Oid, walk: &Walk) -> Evidence {
        let stamp = self.stamp();
        let rule = match decoder {
            Decoder::Scalar => format!("{stamp}/scalar"),
            Decoder::Sum(_) | Decoder::Matching(_) => {
                let parts = decoder.instances(object, walk);
                return Evidence::sum(&parts, walk, &format!("{stamp}/sum"));
            }
            Decoder::Keyed {
                key: Key::Number(key),
                ..
            } => format!("{stamp}/row {key}"),
            Decoder::Keyed {
                key: Key::Label(key),
                ..
            } => format!("{stamp}/row '{key}'"),
            Decoder::Records { record } => format!("{stamp}/record {record:02x}"),
            Decoder::Text { before: None } => format!("{stamp}/number in text"),
            Decoder::Text { before: Some(word) } => format!("{stamp}/number before {word}"),
        };
        Evidence::snmp(found, walk.get(found), &rule)
    }

    fn numbers(&self) -> impl Iterator<Item = (&Oid, &Decoder)> {
        let meters = self.meters.iter().map(|rule| (&rule.object, &rule.decoder));
        meters.chain(
            self.supply_levels
                .iter()
                .map(|rule| (&rule.object, &rule.decoder)),
        )
    }
}

/// The first 8 hex digits of a text's SHA-256: which of two files it was.
fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(4)
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_profile_is_right() {
        let profiles = Profiles::embedded().expect("every profile parses");
        assert_eq!(profiles.iter().count(), EMBEDDED.len());
    }
}
