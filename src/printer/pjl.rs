//! PJL (HP, Printer Job Language Technical Reference): what a printer says of itself over its raw
//! port, and the reading that it makes.
//!
//! Only INFO is asked, of a closed list, each with an ECHO before it by which its answer is known
//! from what the printer says unasked. USTATUS, which never stops, and PRINTREPORT, which prints,
//! cannot be made here. It is for printers that list PJL as an interpreter ([`lists_pjl`]).

mod answer;
mod judge;

pub use answer::{ANSWER_BYTES_MAX, Answer, PjlError, answer};
pub use judge::{Said, judge};

use snmp::Oid;

use crate::mib;
use crate::walk::{Walk, number_of};

/// The Universal Exit Language: it enters PJL, and leaves it.
const UEL: &str = "\x1b%-12345X";

/// What an ECHO is told to say, before its number.
const ECHO: &str = "PLATEN";

/// langPJL (PrtInterpreterLangFamilyTC).
const FAMILY_PJL: i64 = 5;

/// What INFO is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Info {
    /// The model.
    Id,
    /// Trays and languages.
    Config,
    /// Memory.
    Memory,
    /// A code, and the line of the display.
    Status,
    /// Pages in all.
    PageCount,
    /// Levels; newer printers of HP's and a few others.
    Supplies,
    /// Names, serial number and firmware; newer printers of HP's.
    ProdInfo,
    /// The settings.
    Variables,
}

impl Info {
    /// What a reading asks, the one that every printer has first.
    pub const READING: [Self; 6] = [
        Self::Id,
        Self::Status,
        Self::PageCount,
        Self::ProdInfo,
        Self::Supplies,
        Self::Config,
    ];

    /// The category's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Config => "CONFIG",
            Self::Memory => "MEMORY",
            Self::Status => "STATUS",
            Self::PageCount => "PAGECOUNT",
            Self::Supplies => "SUPPLIES",
            Self::ProdInfo => "PRODINFO",
            Self::Variables => "VARIABLES",
        }
    }
}

/// The question for a category, as it is sent; `number` is that of its ECHO.
#[must_use]
pub fn question(info: Info, number: u32) -> Vec<u8> {
    let (echo, name) = (echo(number), info.name());
    format!("{UEL}@PJL\r\n@PJL ECHO {echo}\r\n@PJL INFO {name}\r\n{UEL}").into_bytes()
}

fn echo(number: u32) -> String {
    format!("{ECHO} {number}")
}

/// The column that says which languages a printer has.
#[must_use]
pub fn interpreters() -> Oid {
    Oid::new(mib::PRT_INTERPRETER_FAMILY)
}

/// Whether a printer lists PJL among them.
#[must_use]
pub fn lists_pjl(walk: &Walk) -> bool {
    let mut families = walk.under(mib::PRT_INTERPRETER_FAMILY);
    families.any(|(_, value)| number_of(value) == Some(FAMILY_PJL))
}
