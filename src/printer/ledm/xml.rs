//! XML as far as LEDM has it: elements by their local names, and their texts.
//!
//! Attributes, comments and instructions are passed over unread. A document type is refused before
//! anything in it is looked at, so there are no entities but the five of XML and numbers. What is
//! built is bounded in octets, depth and number.

use std::str::FromStr;

use encoding_rs::Encoding;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::{Document, LedmError};
use crate::text;

/// Most octets of one document: the longest known, a usage by size and kind of paper, has some 60 KiB.
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1_024;

/// Most elements within each other; known documents go 9 deep.
pub const DEPTH_MAX: usize = 32;

/// Most elements of one document; known documents have some 2,000.
pub const ELEMENTS_MAX: usize = 20_000;

/// Octets for each element of a document, on the average: known documents have more than 50. What has
/// fewer is no document, and would take many times its octets.
const ELEMENT_BYTES_MIN: usize = 20;

/// Elements that a document may have however short it is.
const ELEMENTS_ANYWAY: usize = 64;

/// Octets in which a declaration with an encoding must stand.
const DECLARATION_BYTES_MAX: usize = 256;

/// An element with everything in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    name: Box<str>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Its local name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything directly in it.
    pub(super) fn children(&self) -> &[Self] {
        &self.children
    }

    /// The elements of this name directly in it.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children
            .iter()
            .filter(move |child| *child.name == *name)
    }

    /// The first element at `A/B/C`, each directly in the one before.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        let mut names = path.split('/');
        names.try_fold(self, |element, name| {
            element.children.iter().find(|child| *child.name == *name)
        })
    }

    /// The text of the first element at `A/B/C`; none where it is empty.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.at(path)?.own_text()
    }

    /// Its own text; none where it is empty.
    pub(super) fn own_text(&self) -> Option<String> {
        Some(text::clean(&self.text)).filter(|text| !text.is_empty())
    }
}

/// The root of a document.
pub(super) fn parse(document: Document, octets: &[u8]) -> Result<Element, LedmError> {
    if octets.len() > DOCUMENT_BYTES_MAX {
        return Err(LedmError::TooLong(document));
    }
    let text = decoded(octets);
    let wrong = |why: &str| LedmError::NotXml {
        document,
        why: text::clean(why),
    };
    let mut reader = Reader::from_str(&text);
    // A lone `&` in the name of a cartridge is no reason to lose a reading.
    reader.config_mut().allow_dangling_amp = true;
    // Those that are open, the root first.
    let mut open: Vec<Element> = Vec::new();
    let mut count = 0_usize;
    let by_length = ELEMENTS_ANYWAY + octets.len() / ELEMENT_BYTES_MIN;
    let count_max = ELEMENTS_MAX.min(by_length);
    loop {
        let event = reader.read_event();
        match event.map_err(|error| wrong(&error.to_string()))? {
            Event::Start(tag) => {
                count += 1;
                if count > count_max {
                    return Err(LedmError::TooMany(document));
                }
                if open.len() >= DEPTH_MAX {
                    return Err(LedmError::TooDeep(document));
                }
                open.push(named(tag.local_name().into_inner()));
            }
            Event::Empty(tag) => {
                count += 1;
                if count > count_max {
                    return Err(LedmError::TooMany(document));
                }
                let element = named(tag.local_name().into_inner());
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
            Event::End(_) => {
                let Some(mut element) = open.pop() else {
                    return Err(wrong("an end without a beginning"));
                };
                element.children.shrink_to_fit();
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    // What follows the root is of no interest.
                    None => return Ok(element),
                }
            }
            Event::Text(text) => write(&mut open, &text.into_inner()),
            Event::CData(text) => write(&mut open, &text.into_inner()),
            Event::GeneralRef(reference) => match character(&reference) {
                Some(letter) => write(&mut open, letter.encode_utf8(&mut [0; 4])),
                None => return Err(wrong("an entity that XML does not have")),
            },
            Event::DocType(_) => return Err(LedmError::Doctype(document)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return Err(wrong("it ends in the middle")),
        }
    }
}

fn named(name: &str) -> Element {
    Element {
        name: name.into(),
        ..Element::default()
    }
}

fn write(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// The character behind `&amp;` or `&#228;`.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten();
    }
    match reference.xml10_content().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// The text of a document: by its byte order mark, else in the encoding it declares, else UTF-8; in
/// Latin-1 where it is not what it says.
fn decoded(octets: &[u8]) -> String {
    if let Some((set, length)) = Encoding::for_bom(octets) {
        let rest = octets.get(length..).unwrap_or_default();
        return set.decode_without_bom_handling(rest).0.into_owned();
    }
    // A declaration that can be read as it stands is not of sixteen bits a letter.
    let set = declared(octets).map_or(encoding_rs::UTF_8, Encoding::output_encoding);
    let text = set.decode_without_bom_handling_and_without_replacement(octets);
    let text = text.unwrap_or_else(|| {
        let latin = encoding_rs::WINDOWS_1252;
        latin.decode_without_bom_handling(octets).0
    });
    text.into_owned()
}

/// The encoding in `<?xml version="1.0" encoding="ISO-8859-1"?>`.
fn declared(octets: &[u8]) -> Option<&'static Encoding> {
    let head = octets.get(..DECLARATION_BYTES_MAX.min(octets.len()))?;
    let head = String::from_utf8_lossy(head);
    let declaration = head.trim_start().strip_prefix("<?xml")?;
    let (declaration, _) = declaration.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = value.get(1..)?.split(quote).next()?;
    Encoding::for_label(label.as_bytes())
}

/// A number as documents write it, with a fraction where there is one; none that is not finite.
pub(super) fn number<N: FromStr>(text: &str) -> Option<N> {
    text.trim().parse().ok()
}
