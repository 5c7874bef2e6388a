//! Brands: the names makers write, and their enterprise numbers.
//!
//! Used to name a vendor, to take the brand off a model, and to tell a printer's maker from
//! others. What is known of a maker's objects is in `config/vendors/`, not here.

use crate::mib;
use crate::walk::Walk;

/// A maker of printers.
pub(crate) struct Brand {
    /// The vendor as a reading names it.
    pub(crate) name: &'static str,
    /// How the maker begins a description, lower case, the longest first.
    pub(crate) words: &'static [&'static str],
    /// Its enterprise number (IANA), where it is its own.
    enterprise: Option<u32>,
    /// Subtrees behind the enterprise number that only its printers have; empty where the maker
    /// makes other networked things and no subtree is known.
    printer_subtrees: &'static [&'static [u32]],
    /// Words that a description of one of its printers has, lower case; empty where the maker
    /// makes nothing else that answers SNMP.
    pub(crate) printer_words: &'static [&'static str],
}

/// Every subtree of the enterprise.
const EVERYTHING: &[&[u32]] = &[&[]];

/// The makers, those first whose name contains another's.
pub(crate) const BRANDS: &[Brand] = &[
    Brand {
        name: "Fuji Xerox",
        words: &["fuji xerox"],
        enterprise: Some(297),
        printer_subtrees: &[&[1, 11]],
        printer_words: &[],
    },
    Brand {
        name: "Fujifilm",
        words: &["fujifilm"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &["apeos", "docuprint", "revoria"],
    },
    Brand {
        name: "Xerox",
        words: &["xerox"],
        enterprise: Some(253),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "HP",
        words: &["hewlett-packard", "hewlett packard", "hp"],
        enterprise: Some(11),
        printer_subtrees: &[&[2, 3, 9]],
        printer_words: &[
            "ethernet multi-environment",
            "jetdirect",
            "laserjet",
            "officejet",
            "deskjet",
            "designjet",
            "pagewide",
            "photosmart",
            "envy",
        ],
    },
    Brand {
        name: "Gestetner",
        words: &["gestetner"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "NRG",
        words: &["nrg"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &["printer", "mp", "sp"],
    },
    Brand {
        name: "Lanier",
        words: &["lanier"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "Savin",
        words: &["savin"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "Ricoh",
        words: &["ricoh", "aficio"],
        enterprise: Some(367),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Kyocera",
        words: &["kyocera mita", "kyocera"],
        enterprise: Some(1347),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Konica Minolta",
        words: &["konica minolta", "konicaminolta", "minolta"],
        enterprise: Some(18334),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Brother",
        words: &["brother"],
        enterprise: Some(2435),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Canon",
        words: &["canon inc.", "canon"],
        enterprise: Some(1602),
        printer_subtrees: &[&[4], &[1]],
        printer_words: &[
            "/p",
            "lbp",
            "mf",
            "ir-adv",
            "imagerunner",
            "imageprograf",
            "imagepress",
        ],
    },
    Brand {
        name: "Epson",
        words: &["seiko epson", "epson"],
        enterprise: Some(1248),
        printer_subtrees: &[&[1]],
        printer_words: &[
            "built-in",
            "print server",
            "interface card",
            "workforce",
            "stylus",
            "surecolor",
            "al-",
            "epl",
            "lp-",
            "wf-",
            "sc-",
            "et-",
            "tm-",
        ],
    },
    Brand {
        name: "Lexmark",
        words: &["lexmark"],
        enterprise: Some(641),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Samsung",
        words: &["samsung"],
        enterprise: Some(236),
        printer_subtrees: &[&[11, 5]],
        printer_words: &[
            "clx-",
            "clp-",
            "ml-",
            "scx-",
            "sl-",
            "xpress",
            "proxpress",
            "multixpress",
        ],
    },
    Brand {
        name: "Dell",
        words: &["dell"],
        enterprise: Some(674),
        printer_subtrees: &[&[10898]],
        printer_words: &["laser", "mfp", "engine"],
    },
    Brand {
        name: "OKI",
        words: &["oki data", "okidata", "oki"],
        enterprise: Some(2001),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Sharp",
        words: &["sharp"],
        enterprise: Some(2385),
        printer_subtrees: EVERYTHING,
        printer_words: &["mx-", "ar-", "bp-", "dx-", "printer"],
    },
    Brand {
        name: "Toshiba",
        words: &["toshiba tec", "toshiba"],
        enterprise: Some(1129),
        printer_subtrees: EVERYTHING,
        printer_words: &["tec", "e-studio", "printer"],
    },
    Brand {
        name: "Zebra",
        words: &["zebra technologies", "zebra", "zebranet", "ztc"],
        enterprise: Some(10642),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Pantum",
        words: &["pantum"],
        enterprise: Some(40093),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Panasonic",
        words: &["panasonic"],
        enterprise: Some(258),
        printer_subtrees: &[],
        printer_words: &["printer", "dp", "kx-mb", "kx-p"],
    },
    Brand {
        name: "Océ",
        words: &["océ", "oce"],
        enterprise: Some(1552),
        printer_subtrees: EVERYTHING,
        printer_words: &[],
    },
    Brand {
        name: "Riso",
        words: &["riso"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "Develop",
        words: &["develop ineo", "ineo"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "Copystar",
        words: &["copystar"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "Utax",
        words: &["utax"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
    Brand {
        name: "Triumph-Adler",
        words: &["triumph-adler", "ta triumph-adler"],
        enterprise: None,
        printer_subtrees: &[],
        printer_words: &[],
    },
];

/// The enterprise number of print server cards that Zebra and others build in (ESI).
const PRINT_SERVER_ENTERPRISE: u32 = 683;

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
    BRANDS
        .iter()
        .find(|brand| brand.words.iter().any(|word| starts(&lower, word)))
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
    let word = brand.words.iter().find(|word| starts(&lower, word));
    let rest = word.and_then(|word| text.get(word.len()..)).unwrap_or(text);
    let rest = rest.trim_start_matches([' ', '-', ',', ':']);
    if rest.is_empty() { text } else { rest }
}

/// Whether a text begins with a word that ends there.
fn starts(text: &str, word: &str) -> bool {
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
