//! Levels as pictures: the long bar of one supply, and the small tanks of a fleet row.
//!
//! Used by both pages. Pure. A level without a number gets a hatch and its word, never a width.

use printer::supply::{Level, Supply};
use printer::tray::Tray;

use super::words;

/// Tanks drawn in one fleet row. Photo printers have up to twelve inks; the lowest is a number
/// beside the drawing anyway.
const TANKS_MAX: usize = 8;

/// Tanks for which every row leaves room.
const TANKS_ALIGNED: usize = 4;

/// Width of a tank with its air, and height of one, in CSS pixels.
const TANK_PITCH: usize = 10;
const TANK_HEIGHT: f64 = 22.0;

/// A bar ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Class of its color: `k`, `c`, `m`, `y`, or `x` for everything else.
    pub ink: &'static str,
    /// How much is left in percent, where it is a number.
    pub percent: Option<f64>,
    /// The number with its sign, or the word in its place.
    pub words: String,
}

impl Bar {
    /// Draws a supply in its color.
    #[must_use]
    pub fn of_supply(supply: &Supply) -> Self {
        let words = words::level(supply.level, supply.remaining, supply.unit);
        Self {
            ink: ink(supply.color.as_deref()),
            percent: percent(supply.level),
            words,
        }
    }

    /// Draws a tray.
    #[must_use]
    pub fn of_tray(tray: &Tray) -> Self {
        let words = words::level(tray.level, tray.remaining, tray.unit);
        Self {
            ink: ink(None),
            percent: percent(tray.level),
            words,
        }
    }

    /// Width of the filled part, as an SVG length.
    #[must_use]
    pub fn width(&self) -> String {
        format!("{:.2}%", self.percent.unwrap_or(0.0))
    }

    /// The value of `role=meter`, a tenth of a percent being more than a printer knows.
    #[must_use]
    pub fn value(&self) -> String {
        format!("{:.1}", self.percent.unwrap_or(0.0))
    }
}

/// One tank of a fleet row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tank {
    /// Left edge, pixels.
    pub x: usize,
    /// Class of its color.
    pub ink: &'static str,
    /// Upper edge and height of what is left, pixels; `None` is a hatch.
    pub fill: Option<(String, String)>,
}

/// The tanks of a printer's colors, in the printer's own order.
#[must_use]
pub fn tanks(supplies: &[Supply]) -> Vec<Tank> {
    let colors = supplies.iter().filter(|supply| is_colorant(&supply.kind));
    let tank = |(at, supply): (usize, &Supply)| {
        let fill = percent(supply.level).map(|percent| {
            let height = TANK_HEIGHT * percent / 100.0;
            (
                format!("{:.1}", TANK_HEIGHT - height),
                format!("{height:.1}"),
            )
        });
        Tank {
            x: at * TANK_PITCH,
            ink: ink(supply.color.as_deref()),
            fill,
        }
    };
    colors.take(TANKS_MAX).enumerate().map(tank).collect()
}

/// Width of the drawing: four tanks even for one, so that the numbers beside them stand in line.
#[must_use]
pub fn tanks_width(tanks: &[Tank]) -> usize {
    tanks.len().max(TANKS_ALIGNED) * TANK_PITCH
}

/// Whether a supply puts color on paper (PrtMarkerSuppliesTypeTC, RFC 3805).
fn is_colorant(kind: &str) -> bool {
    matches!(
        kind,
        "toner"
            | "ink"
            | "inkCartridge"
            | "inkRibbon"
            | "solidWax"
            | "ribbonWax"
            | "tonerCartridge"
    )
}

/// The level as a number, where it is one.
fn percent(level: Level) -> Option<f64> {
    match level {
        Level::Percent { percent } => Some(percent.clamp(0.0, 100.0)),
        Level::Quantity
        | Level::Some
        | Level::Unknown
        | Level::Unlimited
        | Level::Low
        | Level::Empty
        | Level::Full
        | Level::Implausible => None,
    }
}

/// The class of a color: light inks count as their full ones.
fn ink(color: Option<&str>) -> &'static str {
    match color {
        Some("black" | "matteBlack" | "photoBlack") => "k",
        Some("cyan" | "lightCyan") => "c",
        Some("magenta" | "lightMagenta") => "m",
        Some("yellow") => "y",
        _ => "x",
    }
}
