//! From a walk to an identity: vendor, model, serial, firmware, Ethernet address.

use snmp::Value;

use crate::mib;
use crate::walk::Walk;

/// The first plausible Ethernet address among the interfaces.
pub(crate) fn first_mac(walk: &Walk) -> Option<String> {
    walk.under(mib::IF_PHYS_ADDRESS)
        .find_map(|(_, value)| match value {
            Value::OctetString(octets) => mac_text(octets),
            _ => None,
        })
}

/// snmpEngineID in hex, where it is one (RFC 3411: 5 to 32 octets).
pub(crate) fn engine_id(walk: &Walk) -> Option<String> {
    let octets = walk.octets(mib::SNMP_ENGINE_ID, &[mib::SCALAR])?;
    let is_one = (5..=32).contains(&octets.len()) && octets.iter().any(|octet| *octet != 0);
    is_one.then(|| octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// Writes an Ethernet address, where it is one: six octets, not all alike, not multicast.
fn mac_text(octets: &[u8]) -> Option<String> {
    let [first, rest @ ..] = <[u8; 6]>::try_from(octets).ok()?;
    if first & 1 == 1 || rest.iter().all(|octet| *octet == first) {
        return None;
    }
    Some(
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<Vec<_>>()
            .join(":"),
    )
}
