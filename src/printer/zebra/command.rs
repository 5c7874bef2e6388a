//! What a Zebra can be told: a closed list, and the octets of each.
//!
//! No text of a person's reaches the wire. A value is a number within its bounds and is written anew;
//! the name of a stored label is letters and digits. Everything else is a constant of this file.

use std::fmt;

use super::sgd::Variable;

/// Longest name of a stored label: ZPL II has 8 letters and digits, Link-OS 16.
const LABEL_NAME_MAX: usize = 16;

/// The format that is recalled (ZPL II, `^XF`); graphics and fonts are none.
const LABEL_SUFFIX: &str = ".ZPL";

/// Drives that hold formats (ZPL II, `^DF`): memory, flash, card, expansion.
const DRIVES: [char; 4] = ['R', 'E', 'B', 'A'];

/// The drive of a label whose name has none: flash, which keeps it without power.
const DRIVE_USUAL: char = 'E';

/// Darkness in tenths: 0.0 to 30.0 (SGD, `print.tone`).
const TONE_TENTHS_MAX: u16 = 300;

/// Inches a second: the fastest printer has 14 (SGD, `media.speed`).
const SPEED: std::ops::RangeInclusive<u16> = 1..=14;

/// Dots: the widest head, of 8.5 inches at 300 dots an inch, has 2,550 (SGD, `ezpl.print_width`).
const WIDTH_DOTS: std::ops::RangeInclusive<u16> = 2..=2_550;

/// Dots (SGD, `zpl.label_length`).
const LENGTH_DOTS: std::ops::RangeInclusive<u16> = 1..=32_000;

/// Something that a Zebra can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Measure the media (`~JC`).
    Calibrate,
    /// Feed one label (`~PH`).
    Feed,
    /// Print its configuration label (`~WC`).
    PrintConfiguration,
    /// Start again, as after power-on (`~JR`).
    Reset,
    /// Set one of the permitted variables.
    Set(Setting),
    /// Print a label that it holds.
    PrintStored(StoredLabel),
}

/// A permitted variable and a value that it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting(Value);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// In tenths.
    Tone(u16),
    Speed(u16),
    PrintWidth(u16),
    LabelLength(u16),
    /// Back to 0: the only value that is written.
    HeadCleaned,
}

/// A label in a printer's own memory: drive and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLabel {
    drive: char,
    name: String,
}

/// Why something is no command of the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCommand {
    /// Not a permitted variable.
    #[error(
        "a Zebra's variable that may be set is print.tone, media.speed, ezpl.print_width, \
         zpl.label_length or odometer.headclean"
    )]
    Variable,
    /// Not a value of it.
    #[error("{name} is {bounds}")]
    Value {
        /// The variable.
        name: &'static str,
        /// What it may be.
        bounds: &'static str,
    },
    /// Not the name of a label.
    #[error(
        "a stored label is written as SHIPPING or E:SHIPPING.ZPL: drive R, E, B or A, and up to \
         {LABEL_NAME_MAX} capitals and digits"
    )]
    Label,
}

impl Setting {
    /// Takes a variable and its value as they are written.
    ///
    /// # Errors
    /// [`NoCommand`] says what may be set, and to what.
    pub fn parse(variable: &str, value: &str) -> Result<Self, NoCommand> {
        let within = |bounds: std::ops::RangeInclusive<u16>| {
            number(value).filter(|number| bounds.contains(number))
        };
        let (parsed, name, bounds) = match variable {
            "print.tone" => (
                tenths(value).map(Value::Tone),
                "print.tone",
                "a number from 0.0 to 30.0",
            ),
            "media.speed" => (
                within(SPEED).map(Value::Speed),
                "media.speed",
                "a whole number from 1 to 14, in inches a second",
            ),
            "ezpl.print_width" => (
                within(WIDTH_DOTS).map(Value::PrintWidth),
                "ezpl.print_width",
                "a whole number from 2 to 2550, in dots",
            ),
            "zpl.label_length" => (
                within(LENGTH_DOTS).map(Value::LabelLength),
                "zpl.label_length",
                "a whole number from 1 to 32000, in dots",
            ),
            "odometer.headclean" => (
                (value == "0").then_some(Value::HeadCleaned),
                "odometer.headclean",
                "only ever set to 0, when its head was cleaned",
            ),
            _ => return Err(NoCommand::Variable),
        };
        parsed.map(Self).ok_or(NoCommand::Value { name, bounds })
    }

    /// Which variable it is, to be asked afterwards.
    #[must_use]
    pub fn variable(self) -> Variable {
        match self.0 {
            Value::Tone(_) => Variable::Tone,
            Value::Speed(_) => Variable::Speed,
            Value::PrintWidth(_) => Variable::PrintWidth,
            Value::LabelLength(_) => Variable::LabelLength,
            Value::HeadCleaned => Variable::HeadClean,
        }
    }

    /// The value as it is sent: digits, and one point at most.
    #[must_use]
    pub fn value(self) -> String {
        match self.0 {
            Value::Tone(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
            Value::Speed(number) | Value::PrintWidth(number) | Value::LabelLength(number) => {
                number.to_string()
            }
            Value::HeadCleaned => "0".to_owned(),
        }
    }

    /// Whether an answer to [`Setting::variable`] has this value: `12`, `12.0` and `0 INCHES, 0
    /// CENTIMETERS` are numbers like any.
    #[must_use]
    pub fn is_kept(self, answer: &str) -> bool {
        let first = |text: &str| {
            let digits = text.trim().split([' ', ',']).next()?;
            digits.parse::<f64>().ok()
        };
        let (told, wanted) = (first(answer), first(&self.value()));
        told.zip(wanted)
            .is_some_and(|(told, wanted)| (told - wanted).abs() < f64::EPSILON)
    }
}

impl StoredLabel {
    /// Takes a name as it is written: `SHIPPING`, `SHIPPING.ZPL` or `E:SHIPPING.ZPL`.
    ///
    /// # Errors
    /// [`NoCommand::Label`].
    pub fn parse(text: &str) -> Result<Self, NoCommand> {
        let (drive, name) = match text.split_once(':') {
            None => (DRIVE_USUAL, text),
            Some((drive, name)) => {
                let known = DRIVES.into_iter().find(|known| drive == known.to_string());
                (known.ok_or(NoCommand::Label)?, name)
            }
        };
        let name = name.strip_suffix(LABEL_SUFFIX).unwrap_or(name);
        let is_sound = |octet: u8| octet.is_ascii_uppercase() || octet.is_ascii_digit();
        if !(1..=LABEL_NAME_MAX).contains(&name.len()) || !name.bytes().all(is_sound) {
            return Err(NoCommand::Label);
        }
        Ok(Self {
            drive,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for StoredLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{LABEL_SUFFIX}", self.drive, self.name)
    }
}

impl Command {
    /// The octets, as they are sent.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let text = match self {
            Self::Calibrate => "~JC\r\n".to_owned(),
            Self::Feed => "~PH\r\n".to_owned(),
            Self::PrintConfiguration => "~WC\r\n".to_owned(),
            Self::Reset => "~JR\r\n".to_owned(),
            Self::Set(setting) => format!(
                "! U1 setvar \"{}\" \"{}\"\r\n",
                setting.variable().name(),
                setting.value()
            ),
            Self::PrintStored(label) => format!("^XA^XF{label}^FS^XZ\r\n"),
        };
        text.into_bytes()
    }
}

/// What it is told, in words.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calibrate => f.write_str("to measure its media"),
            Self::Feed => f.write_str("to feed one label"),
            Self::PrintConfiguration => f.write_str("to print its configuration label"),
            Self::Reset => f.write_str("to start again"),
            Self::Set(setting) => write!(
                f,
                "to set {} to {}",
                setting.variable().name(),
                setting.value()
            ),
            Self::PrintStored(label) => write!(f, "to print its stored label {label}"),
        }
    }
}

/// A whole number of digits alone.
fn number(text: &str) -> Option<u16> {
    let is_plain = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// A number with one decimal at most, in tenths.
fn tenths(text: &str) -> Option<u16> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let tenth = number(tenth).filter(|_| tenth.len() == 1)?;
    let tenths = number(whole)?.checked_mul(10)?.checked_add(tenth)?;
    (tenths <= TONE_TENTHS_MAX).then_some(tenths)
}
