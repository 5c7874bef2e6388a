//! LEDM: the XML documents that HP's printers serve over HTTP, and the reading that they make.
//!
//! A second source beside SNMP, without a public specification. Only a closed list of documents can
//! be asked for: [`Document`] names no other, so lists of jobs, logs and whatever else has persons
//! in it are out of reach. A document is parsed in context, because one name of an element means
//! different things in different subunits, and by local names, because prefixes differ by firmware.

mod consumables;
mod judge;
mod quantity;
mod status;
mod xml;

pub use judge::judge;
pub use xml::{DEPTH_MAX, DOCUMENT_BYTES_MAX, ELEMENTS_MAX, Element};

use crate::identity::Identity;
use crate::text;

/// Whose printers serve it.
const MAKER: &str = "HP";

/// A document that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Document {
    /// What the printer serves.
    DiscoveryTree,
    /// Who it is.
    ProductConfigDyn,
    /// How it is.
    ProductStatusDyn,
    /// What it has counted.
    ProductUsageDyn,
    /// What it consumes.
    ConsumableConfigDyn,
}

/// Why a document says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedmError {
    /// More than [`DOCUMENT_BYTES_MAX`].
    #[error("its {0} is longer than {kib} KiB", kib = DOCUMENT_BYTES_MAX / 1_024)]
    TooLong(Document),
    /// No XML, or XML that ends in the middle.
    #[error("its {document} is no XML as it should be: {why}")]
    NotXml {
        /// Which.
        document: Document,
        /// What was wrong.
        why: String,
    },
    /// A document type declaration, which no document of LEDM has: entities are defined there.
    #[error("its {0} declares a document type, which is not followed")]
    Doctype(Document),
    /// More than [`DEPTH_MAX`].
    #[error("elements of its {0} lie more than {DEPTH_MAX} deep")]
    TooDeep(Document),
    /// More than [`ELEMENTS_MAX`], or so many in so few octets as no document has.
    #[error("its {0} has more than {ELEMENTS_MAX} elements, or too many for its length")]
    TooMany(Document),
    /// Another document, or a page.
    #[error("its {document} is a '{found}'")]
    Another {
        /// Which.
        document: Document,
        /// The name of its root.
        found: String,
    },
    /// Nothing in the documents names a printer or tells how it is.
    #[error("its documents name no printer and tell no state")]
    NoPrinter,
}

impl Document {
    /// Those that a reading is made of, in the order in which they are asked for.
    pub const READ: [Self; 4] = [
        Self::ProductConfigDyn,
        Self::ProductStatusDyn,
        Self::ProductUsageDyn,
        Self::ConsumableConfigDyn,
    ];

    /// Where it is, on every printer: the list in the discovery tree is compared with it, and what
    /// stands elsewhere is not followed.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::DiscoveryTree => "/DevMgmt/DiscoveryTree.xml",
            Self::ProductConfigDyn => "/DevMgmt/ProductConfigDyn.xml",
            Self::ProductStatusDyn => "/DevMgmt/ProductStatusDyn.xml",
            Self::ProductUsageDyn => "/DevMgmt/ProductUsageDyn.xml",
            Self::ConsumableConfigDyn => "/DevMgmt/ConsumableConfigDyn.xml",
        }
    }

    /// Its name, which is that of its root.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DiscoveryTree => "DiscoveryTree",
            Self::ProductConfigDyn => "ProductConfigDyn",
            Self::ProductStatusDyn => "ProductStatusDyn",
            Self::ProductUsageDyn => "ProductUsageDyn",
            Self::ConsumableConfigDyn => "ConsumableConfigDyn",
        }
    }
}

impl std::fmt::Display for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a document.
///
/// # Errors
/// [`LedmError`].
pub fn decode(document: Document, octets: &[u8]) -> Result<Element, LedmError> {
    let root = xml::parse(document, octets)?;
    if root.name() != document.name() {
        let found = text::clean(root.name());
        return Err(LedmError::Another { document, found });
    }
    Ok(root)
}

/// Which of the documents of a reading a discovery tree lists.
#[must_use]
pub fn listed(tree: &Element) -> Vec<Document> {
    let is_listed = |document: &Document| {
        let mut trees = tree.all("SupportedTree");
        trees.any(|it| it.text("ResourceURI").as_deref() == Some(document.path()))
    };
    Document::READ.into_iter().filter(is_listed).collect()
}

/// Whether a printer is one of the maker whose language this is.
#[must_use]
pub fn is_spoken_by(identity: &Identity) -> bool {
    let vendor = identity.vendor.as_deref();
    vendor.is_some_and(|vendor| vendor.eq_ignore_ascii_case(MAKER))
}

/// The documents of one printer, as far as it served them.
#[derive(Debug, Clone, Default)]
pub struct Documents(Vec<(Document, Element)>);

impl Documents {
    /// Takes a document, in place of an earlier one of its name.
    pub fn take(&mut self, document: Document, root: Element) {
        self.0.retain(|(known, _)| *known != document);
        self.0.push((document, root));
    }

    fn get(&self, document: Document) -> Option<&Element> {
        let found = self.0.iter().find(|(known, _)| *known == document);
        found.map(|(_, root)| root)
    }
}
