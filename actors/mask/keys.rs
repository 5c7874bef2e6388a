//! Which keys of a JSON hold what: the closed list by which masked values are known.

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An IP address.
    Address,
    /// An Ethernet address.
    Mac,
    /// An SNMP engine id, which holds an Ethernet or IP address as a rule (RFC 3411), or a UUID, which
    /// may end in one (RFC 4122).
    Engine,
    /// sysName.
    HostName,
    /// The owner's asset number.
    Asset,
    /// sysLocation.
    Location,
    /// A serial number, of a printer or of a supply.
    Serial,
    /// A device id.
    Device,
}

/// The kind of what stands under a key; none for any other value.
pub(super) fn kind_of(key: &str) -> Option<Kind> {
    Some(match key {
        "address" => Kind::Address,
        "mac" => Kind::Mac,
        "engine_id" | "uuid" => Kind::Engine,
        "host_name" => Kind::HostName,
        "asset" => Kind::Asset,
        "location" => Kind::Location,
        "serial" => Kind::Serial,
        "device" | "device_id" => Kind::Device,
        _ => return None,
    })
}

/// Keys whose texts are no words of a device: closed names, numbers of the MIB, instants, levels
/// of firmware (`1.2.3.4` is one and no address).
const PLAIN: &[&str] = &[
    "at",
    "class",
    "conditions",
    "door",
    "fault",
    "firmware",
    "first",
    "index",
    "kind",
    "last",
    "object",
    "profile",
    "rule",
    "severity",
    "since",
    "state",
    "training",
    "type",
    "unit",
    "version",
];

/// Whether the texts under a key leave as they are. `list` is the key of what the object is in:
/// meters and alerts have names of a closed list, trays have names of their owner's.
pub(super) fn is_plain(key: &str, list: &str) -> bool {
    PLAIN.contains(&key) || key == "name" && ["meters", "alerts"].contains(&list)
}
