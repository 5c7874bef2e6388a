//! Facts of a reading: where what a printer counted does not add up.
//!
//! A difference is no error and nothing is corrected: vendors count calibration sheets, blank
//! sides and service prints in one counter and not in the other. Whoever bills must see it.

use serde::{Deserialize, Serialize};

use crate::meter::{Meter, MeterName};

/// Most facts of one reading: there are fewer checks.
const FACTS_MAX: usize = 16;

/// A total, and the meters that should add up to it.
const SUMS: &[(&str, &[&str])] = &[
    ("total", &["engine"]),
    ("total", &["mono", "color"]),
    ("total", &["print", "copy", "fax"]),
    ("print", &["print_mono", "print_color"]),
    ("copy", &["copy_mono", "copy_color"]),
];

/// What stands between the name of a meter and the door that has another count of it.
const OVER: &str = " over ";

/// Two counts of one thing that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The meter that should be the sum.
    pub whole: MeterName,
    /// The meters that should add up to it.
    pub parts: Vec<MeterName>,
    /// Whole less parts.
    pub difference: i64,
    /// Both in words: `total 432951, engine 424405`.
    pub text: String,
}

/// Checks the meters of a reading against each other. Only meters of one unit are compared, and
/// only where every part is told.
#[must_use]
pub fn of(meters: &[Meter]) -> Vec<Fact> {
    let find = |name: &str| meters.iter().find(|meter| meter.name.as_str() == name);
    let check = |(whole, parts): &(&str, &[&str])| {
        let whole = find(whole)?;
        let parts: Vec<&Meter> = parts.iter().map(|part| find(part)).collect::<Option<_>>()?;
        compare(whole, &parts)
    };
    let sums = SUMS.iter().filter_map(check);
    let doors = meters.iter().filter_map(|meter| over_doors(meters, meter));
    sums.chain(doors).take(FACTS_MAX).collect()
}

/// The label of a count that another door has too, and that differs.
pub(crate) fn label_over(name: &str, door: &str) -> String {
    format!("{name}{OVER}{door}")
}

/// A count of a second source beside that of the first.
fn over_doors(meters: &[Meter], other: &Meter) -> Option<Fact> {
    let (name, door) = other.label.as_deref()?.rsplit_once(OVER)?;
    if door != other.evidence.door || other.name != MeterName::OTHER {
        return None;
    }
    let is_first = |meter: &&Meter| match &meter.label {
        Some(label) => label == name,
        None => meter.name.as_str() == name,
    };
    compare(meters.iter().find(is_first)?, &[other])
}

fn compare(whole: &Meter, parts: &[&Meter]) -> Option<Fact> {
    if parts.iter().any(|part| part.unit != whole.unit) {
        return None;
    }
    let mut values = parts.iter().map(|part| part.value);
    let sum = values.try_fold(0_u64, u64::checked_add)?;
    let difference = i64::try_from(i128::from(whole.value) - i128::from(sum)).ok()?;
    let words: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {}", named(part), part.value))
        .collect();
    (difference != 0).then(|| Fact {
        whole: whole.name.clone(),
        parts: parts.iter().map(|part| part.name.clone()).collect(),
        difference,
        text: format!("{} {}, {}", named(whole), whole.value, words.join(" + ")),
    })
}

fn named(meter: &Meter) -> &str {
    meter.label.as_deref().unwrap_or(meter.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Unit;
    use crate::reading::Evidence;

    fn meter(name: &str, value: u64, unit: Unit) -> Meter {
        Meter {
            name: MeterName::try_from(name.to_owned()).expect("a meter"),
            label: None,
            value,
            unit,
            beta: false,
            rolls_over_at: None,
            evidence: Evidence {
                door: "snmp".to_owned(),
                object: String::new(),
                raw: String::new(),
                rule: String::new(),
            },
        }
    }

    fn texts(meters: &[(&str, u64)]) -> Vec<String> {
        let meters: Vec<Meter> = meters
            .iter()
            .map(|(name, value)| meter(name, *value, Unit::Impressions))
            .collect();
        of(&meters).into_iter().map(|fact| fact.text).collect()
    }

    #[test]
    fn a_difference_is_a_fact_with_both_values() {
        let differs = texts(&[("total", 432_951), ("engine", 424_405)]);
        assert_eq!(differs, ["total 432951, engine 424405"]);
        assert!(texts(&[("total", 9), ("engine", 9)]).is_empty());
        let parts = texts(&[
            ("print", 40_600),
            ("print_mono", 14_730),
            ("print_color", 25_000),
        ]);
        assert_eq!(parts, ["print 40600, print_mono 14730 + print_color 25000"]);
    }

    #[test]
    fn what_is_not_told_or_has_another_unit_is_not_compared() {
        assert!(texts(&[("total", 100), ("mono", 60)]).is_empty());
        let total = meter("total", 100, Unit::Sheets);
        assert!(of(&[total, meter("engine", 190, Unit::Impressions)]).is_empty());
        let huge = [("total", u64::MAX), ("mono", u64::MAX), ("color", 1)];
        assert!(texts(&huge).is_empty());
    }
}
