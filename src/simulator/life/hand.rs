//! What somebody has a printer do beside its jobs: print labels, start again.

use super::{Activity, Life, START_MS, Trouble};
use crate::mib;

/// How long it is silent after a part was changed.
const PART_CHANGED_MS: u64 = 1_000;

/// Why a label printer stands, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// No media.
    MediaOut,
    /// No ribbon.
    RibbonOut,
    /// The head is open: somebody clears a label, or has not come yet.
    HeadOpen,
}

impl Life {
    /// Prints so many pages at once, beside every job.
    pub(crate) fn print(&mut self, pages: u64) {
        self.pages[mib::kind_of_page(false, false, false)] += pages;
    }

    /// Starts again, silent until that is over.
    pub(crate) fn restart(&mut self) {
        self.enter(Activity::Starting, START_MS);
    }

    /// Starts again within a second: somebody changed a part of it, and a story waits no minute.
    pub(crate) fn restart_soon(&mut self) {
        self.enter(Activity::Starting, PART_CHANGED_MS);
    }

    /// Why it stands, if it does.
    pub(crate) fn stands(&self) -> Option<Stand> {
        match self.activity {
            Activity::Stopped(Trouble::PaperOut(_)) => Some(Stand::MediaOut),
            Activity::Stopped(Trouble::SupplyOut(_)) => Some(Stand::RibbonOut),
            Activity::Stopped(Trouble::Jam) | Activity::Opened(_) => Some(Stand::HeadOpen),
            Activity::Idle
            | Activity::Asleep
            | Activity::WarmingUp
            | Activity::Printing
            | Activity::Starting => None,
        }
    }
}
