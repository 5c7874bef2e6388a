//! A printer's own page, opened by a person at the hub: the real programs at both ends, the
//! simulator's printers behind them, and Chromium or plain HTTP in front.
//!
//! With `PLATEN_PICTURES=DIR` it saves what it sees there.

#[cfg(test)]
#[path = "browser/chrome.rs"]
mod chrome;
#[cfg(test)]
#[path = "web_access/disk.rs"]
mod disk;
#[cfg(test)]
#[path = "web_access/ends.rs"]
mod ends;
#[cfg(test)]
#[path = "web_access/page.rs"]
mod page;
#[cfg(test)]
#[path = "web_access/person.rs"]
mod person;
#[cfg(test)]
#[path = "web_access/swap.rs"]
mod swap;
