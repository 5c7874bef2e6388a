//! Whether a device is a printer at all.

use crate::walk::Walk;

/// Whether what little is known leaves it open that this is a printer.
pub(crate) fn may_be_a_printer(_walk: &Walk) -> bool {
    true
}

/// Why a device is no printer, for a person to read; `None` for a printer.
pub(crate) fn why_no_printer(_walk: &Walk) -> Option<String> {
    None
}
