//! The tags of an SNMP message (X.690; RFC 2578 §7; RFC 3416 §3), for both directions.

/// INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// NULL.
pub(crate) const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER.
pub(crate) const OBJECT_ID: u8 = 0x06;
/// SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// IpAddress, `[APPLICATION 0]`.
pub(crate) const IP_ADDRESS: u8 = 0x40;
/// Counter32, `[APPLICATION 1]`.
pub(crate) const COUNTER32: u8 = 0x41;
/// Gauge32 and Unsigned32, `[APPLICATION 2]`.
pub(crate) const GAUGE32: u8 = 0x42;
/// TimeTicks, `[APPLICATION 3]`.
pub(crate) const TIME_TICKS: u8 = 0x43;
/// Opaque, `[APPLICATION 4]`.
pub(crate) const OPAQUE: u8 = 0x44;
/// Counter64, `[APPLICATION 6]`.
pub(crate) const COUNTER64: u8 = 0x46;
/// noSuchObject, `[0]`.
pub(crate) const NO_SUCH_OBJECT: u8 = 0x80;
/// noSuchInstance, `[1]`.
pub(crate) const NO_SUCH_INSTANCE: u8 = 0x81;
/// endOfMibView, `[2]`.
pub(crate) const END_OF_MIB_VIEW: u8 = 0x82;
/// GetRequest.
pub(crate) const GET: u8 = 0xa0;
/// GetNextRequest.
pub(crate) const GET_NEXT: u8 = 0xa1;
/// Response.
pub(crate) const RESPONSE: u8 = 0xa2;
/// SetRequest.
pub(crate) const SET: u8 = 0xa3;
/// GetBulkRequest.
pub(crate) const GET_BULK: u8 = 0xa5;
/// Report (RFC 3412 §7.1), version 3 only.
pub(crate) const REPORT: u8 = 0xa8;
/// The bits for the number of a tag; all set where the number follows in octets of its own (X.690 §8.1.2.4).
pub(crate) const NUMBER: u8 = 0x1f;
