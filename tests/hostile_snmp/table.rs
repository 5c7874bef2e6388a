//! What is said of each behavior.

/// What comes of reading a printer that behaves so.
#[derive(Debug, Clone, Copy)]
pub enum Says {
    /// The reading of an honest printer of its kind: same page count, supplies and trays.
    Right,
    /// A reading with nothing wrong in it, and this page count.
    Pages(Option<u64>),
    /// A reading that is complete in itself, of what the device made up.
    MadeUp,
    /// Part of a reading, and why the rest is missing.
    Part(&'static str),
    /// No reading, and why.
    Nothing(&'static str),
    /// That it is no printer, and why.
    NoPrinter(&'static str),
}

use Says::{MadeUp, NoPrinter, Nothing, Pages, Part, Right};

const NOT_INCREASING: &str = "its objects do not increase";
const ENDLESS: &str = "used up the budget of one reading: 512 KiB of answers";
const ARCS: &str = "used up the budget of one reading: 30s; what it sent was of no use: an object \
                    identifier is beyond 128 arcs of 32 bits";
const VARBINDS: &str = "used up the budget of one reading: 30s; what it sent was of no use: more \
                        than 2048 varbinds";
const CLOCK: &str = "its clock jumps: it refuses its own time";
const ENGINE: &str = "its engine id is another one at each answer";
const MAC: &str = "the answer's MAC is not one of the user's key";
const SILENT: &str = "did not answer 3 tries over SNMP";

/// Every behavior of the simulator, and what is said of it.
pub const TABLE: &[(&str, Says)] = &[
    ("oid-repeat", Part(NOT_INCREASING)),
    ("oid-decrease", Part(NOT_INCREASING)),
    ("oid-cycle-2", Part(NOT_INCREASING)),
    ("oid-cycle-17", Part(NOT_INCREASING)),
    ("oid-cycle-1000", Part(ENDLESS)),
    ("oid-endless", Part(ENDLESS)),
    ("oid-128-arcs", MadeUp),
    ("oid-129-arcs", Part(ARCS)),
    ("arc-over-32-bits", Part(ARCS)),
    ("arc-padded", Part("used up the budget of one reading")),
    ("length-huge", Nothing("the message is cut off")),
    ("length-indefinite", Nothing("not an SNMP message")),
    ("nested", Nothing("not an SNMP message")),
    ("trailing", Right),
    ("value-60k", Part("a value is longer than 8192 bytes")),
    ("varbinds-many", Part(VARBINDS)),
    ("varbinds-fewer", Right),
    ("varbinds-more", Right),
    ("varbinds-other", Part(NOT_INCREASING)),
    ("id-wrong", Nothing("the request-id of another question")),
    // An answer to the first try of a question comes to the second.
    ("id-old", Right),
    ("community-wrong", Right),
    ("version-wrong", Nothing("another version of SNMP")),
    ("other-address", Nothing(SILENT)),
    ("other-port", Nothing(SILENT)),
    ("duplicates", Right),
    ("late-29s", Nothing(SILENT)),
    ("late-61s", Nothing(SILENT)),
    ("too-big", NoPrinter("it answers nothing that Platen asks")),
    ("gen-err", NoPrinter("it answers nothing that Platen asks")),
    ("no-instance", Pages(None)),
    ("type-changes", MadeUp),
    ("counter-wraps", MadeUp),
    ("counter-resets", MadeUp),
    ("counter-minus-1", Pages(None)),
    ("counter-unknown", Pages(None)),
    ("counter64-v1", Pages(Some(12_345))),
    ("gauge-negative", Right),
    ("ticks-back", Right),
    ("text-utf8", Right),
    ("text-latin1", Right),
    ("text-shift-jis", Right),
    ("text-utf16", Right),
    ("text-nul", Right),
    ("text-ansi", Right),
    ("text-bidi", Right),
    ("text-ff", Right),
    ("text-html", Right),
    ("text-sql", Right),
    ("text-csv", Right),
    ("text-log4j", Right),
    ("serial-zeros", Right),
    ("serial-empty", Right),
    ("serial-spaces", Right),
    ("serial-same", Right),
    ("serial-changes", Nothing("another device took the address")),
    ("supply-max-2", Right),
    ("supply-max-3", Right),
    ("supply-over-max", Right),
    ("supplies-256", MadeUp),
    ("switch-object-id", Right),
    (
        "router-interfaces",
        Part("it used up the 150 questions of one table"),
    ),
    ("bulk-amplified", Right),
    ("fragments", Nothing(SILENT)),
    ("icmp-storm", Right),
    ("one-a-minute", Nothing(SILENT)),
    ("five-a-second", Right),
    ("reboots", Right),
    ("boots-latched", Nothing("it has used up its boot counter")),
    ("boots-fall", Nothing(CLOCK)),
    ("time-ten-years", Right),
    ("engine-changes", Nothing(ENGINE)),
    ("engine-same", Right),
    ("mac-0", Nothing(MAC)),
    ("mac-1", Nothing(MAC)),
    ("mac-11", Nothing(MAC)),
    ("replay", Nothing("the answer belongs to another message")),
    ("report-loop", Nothing(CLOCK)),
    ("report-loop-engine", Nothing(ENGINE)),
    ("salt-reused", Right),
    ("padding-odd", Right),
    (
        "padding-short",
        Nothing("it tells its engine but does not answer the user"),
    ),
    (
        "downgrade-report",
        Nothing("the user is not set up for authPriv there"),
    ),
    (
        "downgrade-answer",
        Nothing("the answer is secured as noAuthNoPriv only"),
    ),
];
