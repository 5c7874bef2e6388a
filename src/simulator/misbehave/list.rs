//! The ways in which a printer can answer wrongly, each under a name for the fleet file.
//!
//! The numbers are those of the catalog of hostile printers (docs/reference/hostile-printers.md). A
//! number with several forms has several names.

use serde::Deserialize;

pub use super::table::BEHAVIORS;

/// How alike a name must be to be offered instead of an unknown one (Jaro-Winkler, 0 to 1).
const LIKENESS_MIN: f64 = 0.7;

/// One way to misbehave.
#[derive(Debug)]
pub struct Behavior {
    /// Its number in the catalog.
    pub number: u8,
    /// What the fleet file calls it.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    pub(crate) trick: Trick,
}

/// What a device does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trick {
    OidRepeats,
    OidDecreases,
    OidCycle(u32),
    OidEndless,
    OidArcs(usize),
    ArcOver32Bits,
    ArcPadded,
    LengthHuge,
    LengthIndefinite,
    Nested,
    Trailing,
    ValueHuge,
    VarbindsMany,
    VarbindsFewer,
    VarbindsMore,
    VarbindsOther,
    IdWrong,
    IdOld,
    CommunityWrong,
    VersionWrong,
    OtherAddress,
    OtherPort,
    Duplicates,
    LateSecs(u64),
    TooBig,
    GenErr,
    NoInstance,
    TypeChanges,
    CounterWraps,
    CounterResets,
    CounterUnknown(i64),
    Counter64InV1,
    GaugeNegative,
    TicksBack,
    Text(&'static [u8]),
    Serial(&'static [u8]),
    SerialChanges,
    SupplyMax(i64),
    SupplyOverMax,
    Supplies256,
    SwitchObjectId,
    RouterInterfaces,
    BulkAmplified,
    Fragments,
    IcmpStorm,
    OneAMinute,
    FiveASecond,
    Reboots,
    BootsLatched,
    BootsFall,
    TimeTenYears,
    EngineChanges,
    EngineSame,
    MacBytes(usize),
    Replay,
    ReportLoop,
    ReportLoopEngine,
    SaltReused,
    PaddingOdd,
    PaddingShort,
    DowngradeReport,
    DowngradeAnswer,
}

impl Trick {
    /// Whether it is one of an engine of version 3: then questions with a community are answered
    /// honestly, and else those of users.
    pub(crate) fn is_of_engine(self) -> bool {
        BEHAVIORS
            .iter()
            .any(|known| known.trick == self && WITH_V3.contains(&known.number))
    }
}

/// The numbers of the catalog that take SNMPv3.
pub const WITH_V3: std::ops::RangeInclusive<u8> = 46..=56;

/// A name in the fleet file.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct RawBehavior(String);

impl RawBehavior {
    /// The trick of this name; else what is wrong, with the nearest name.
    pub(crate) fn check(&self) -> Result<Trick, String> {
        let wanted = self.0.as_str();
        if let Some(known) = BEHAVIORS.iter().find(|known| known.name == wanted) {
            return Ok(known.trick);
        }
        let likeness = |name: &str| strsim::jaro_winkler(wanted, name);
        let nearest = BEHAVIORS
            .iter()
            .map(|known| known.name)
            .filter(|name| likeness(name) >= LIKENESS_MIN)
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        Err(match nearest {
            Some(nearest) => format!("unknown misbehavior '{wanted}': did you mean '{nearest}'?"),
            None => format!(
                "unknown misbehavior '{wanted}': docs/reference/hostile-printers.md lists them"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_of_the_catalog_is_played() {
        let played: BTreeSet<u8> = BEHAVIORS.iter().map(|known| known.number).collect();
        let catalog: BTreeSet<u8> = (1..=56).collect();
        assert_eq!(played, catalog);
        let names: BTreeSet<&str> = BEHAVIORS.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), BEHAVIORS.len(), "a name stands for one thing");
    }

    #[test]
    fn the_documents_list_the_same() {
        let page = include_str!("../../../docs/reference/hostile-printers.md");
        for Behavior {
            number, name, does, ..
        } in BEHAVIORS
        {
            let line = format!("\n| {number} | `{name}` | {does} |\n");
            assert!(page.contains(&line), "the page lacks: {line}");
        }
        let is_row = |line: &&str| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit();
        let rows = page.lines().filter(is_row);
        assert_eq!(rows.count(), BEHAVIORS.len(), "the page has more");
    }

    #[test]
    fn an_unknown_name_is_answered_by_the_nearest() {
        let check = |name: &str| RawBehavior(name.to_owned()).check();
        assert_eq!(check("oid-cycle-17"), Ok(Trick::OidCycle(17)));
        let unknown = "unknown misbehavior 'oid-cicle-17': did you mean 'oid-cycle-17'?";
        assert_eq!(check("oid-cicle-17"), Err(unknown.to_owned()));
        assert!(check("zzz").is_err_and(|error| error.contains("hostile-printers.md")));
    }
}
