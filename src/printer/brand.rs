//! Brands: the names makers write, and their enterprise numbers.
//!
//! Used to name a vendor, to take the brand off a model, and to tell a printer's maker from
//! others. What is known of a maker's objects is in `config/vendors/`, not here.

use crate::brands::BRANDS;
use crate::mib;
use crate::walk::Walk;

/// A maker of printers.
pub(crate) struct Brand {
    /// The vendor as a reading names it.
    pub(crate) name: &'static str,
    /// How the maker begins a description, lower case, the longest first.
    pub(crate) words: &'static [&'static str],
    /// How a description begins that names one of its lines but not the maker, lower case.
    pub(crate) lines: &'static [&'static str],
    /// Its enterprise number (IANA), where it is its own.
    pub(crate) enterprise: Option<u32>,
    /// Subtrees behind the enterprise number that only its printers have; empty where the maker
    /// makes other networked things and no subtree is known.
    pub(crate) printer_subtrees: &'static [&'static [u32]],
    /// Words that a description of one of its printers has, lower case; empty where the maker
    /// makes nothing else that answers SNMP.
    pub(crate) printer_words: &'static [&'static str],
}

/// The enterprise number of print server cards that Zebra and others build in (ESI).
pub(crate) const PRINT_SERVER_ENTERPRISE: u32 = 683;

/// What some label printers say before the maker's name, lower case.
const KINDS: &[&str] = &["thermal label printer "];

impl Brand {
    /// Whether a description of this brand is one of its printers.
    pub(crate) fn describes_printer(&self, description: &str) -> bool {
        let lower = description.to_lowercase();
        self.printer_words.is_empty() || self.printer_words.iter().any(|word| has(&lower, word))
    }
}

/// The brand whose name a text begins with.
pub(crate) fn leading(text: &str) -> Option<&'static Brand> {
    let lower = text.trim_start().to_lowercase();
    let lower = KINDS
        .iter()
        .find_map(|kind| lower.strip_prefix(kind))
        .unwrap_or(&lower);
    BRANDS.iter().find(|brand| {
        let mut begins = brand.words.iter().chain(brand.lines);
        begins.any(|word| starts(lower, word))
    })
}

/// The brand of an enterprise number.
pub(crate) fn of_enterprise(number: u32) -> Option<&'static Brand> {
    BRANDS.iter().find(|brand| brand.enterprise == Some(number))
}

/// Whether sysObjectID lies where only printers are: `None` where it does not say.
pub(crate) fn object_id_says_printer(arcs: &[u32]) -> Option<bool> {
    let tail = arcs.strip_prefix(mib::ENTERPRISES)?;
    let (number, tail) = tail.split_first()?;
    if *number == PRINT_SERVER_ENTERPRISE {
        return Some(true);
    }
    let brand = of_enterprise(*number)?;
    if brand.printer_subtrees.is_empty() {
        return None;
    }
    Some(
        brand
            .printer_subtrees
            .iter()
            .any(|subtree| tail.starts_with(subtree)),
    )
}

/// The enterprise number of whoever made the device: that of sysObjectID, else, where that is
/// missing, that of its first private object.
pub(crate) fn enterprise(walk: &Walk) -> Option<u32> {
    let private = || {
        walk.under(mib::ENTERPRISES)
            .next()
            .and_then(|(tail, _)| tail.first().copied())
    };
    match walk.at(mib::SYS_OBJECT_ID, &[mib::SCALAR]) {
        Some(_) => walk.enterprise(),
        None => private(),
    }
}

/// Takes the brand off the beginning of a model.
pub(crate) fn without_brand<'a>(text: &'a str, brand: &Brand) -> &'a str {
    let lower = text.to_lowercase();
    let is_whole = |word: &&&str| {
        let rest = lower.strip_prefix(**word);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let word = brand.words.iter().find(is_whole);
    let rest = word.and_then(|word| text.get(word.len()..)).unwrap_or(text);
    let rest = rest.trim_start_matches([' ', '-', ',', ':']);
    if rest.is_empty() { text } else { rest }
}

/// Whether a text begins with a word that ends there.
fn starts(text: &str, word: &str) -> bool {
    // Nearly no word has even the first letter.
    if text.as_bytes().first() != word.as_bytes().first() {
        return false;
    }
    let rest = text.strip_prefix(word);
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) || word == "zebra")
}

/// Whether a text has a word, at the beginning of one.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(char::is_alphanumeric)
    })
}
