//! A message of version 3 as bytes (RFC 3412 §6, RFC 3414 §2.4), both ways.
//!
//! What stands around a PDU is read by our lenient decoder alone, since a MAC needs to know where
//! in the datagram it stands, and since snmp-parser refuses names that are no UTF-8. The PDU
//! inside goes the way of every other: snmp-parser first.

use crate::ber;
use crate::decode::{DecodeError, decode};
use crate::encode::{EncodeError, encode_pdu, put, put_integer};
use crate::lenient::{self, Reader};
use crate::{ErrorStatus, Pdu, PduKind, Value, VarBind, Version};

use super::algorithm::Level;
use super::cipher::{self, Moment, SALT_BYTES};
use super::key::Keys;
use super::report::Report;

/// Longest id of an engine (RFC 3411 §5, SnmpEngineID).
pub const ENGINE_ID_BYTES_MAX: usize = 32;

/// Highest msgID (RFC 3412 §6).
pub const MESSAGE_ID_MAX: u32 = i32::MAX.unsigned_abs();

/// Largest message that we take: what a UDP datagram holds over IPv4.
const SIZE_BYTES_MAX: i64 = 65_507;

/// The number of version 3 on the wire.
const VERSION: i64 = 3;

/// The number of the User-based Security Model (RFC 3411 §5, SnmpSecurityModel).
const SECURITY_MODEL: i64 = 3;

/// msgFlags: the message has a MAC.
const AUTH_FLAG: u8 = 0x01;
/// msgFlags: the message is encrypted.
const PRIV_FLAG: u8 = 0x02;
/// msgFlags: who cannot take the message shall say why.
const REPORTABLE_FLAG: u8 = 0x04;

/// The request-id of a discovery. What it brings is a Report, told by its msgID.
const DISCOVERY_REQUEST_ID: i64 = 1;

/// A message that came, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'d> {
    /// The octets of the message alone.
    whole: &'d [u8],
    /// Where in them the MAC stands.
    mac_at: usize,
    /// What pairs an answer with its question here.
    pub message_id: u32,
    /// How well it says that it is secured.
    pub level: Level,
    /// Whose clock and keys it goes by.
    pub engine_id: &'d [u8],
    /// How often that engine has started.
    pub boots: u32,
    /// Seconds since it did.
    pub time: u32,
    /// The user.
    pub user: &'d [u8],
    /// The MAC.
    pub mac: &'d [u8],
    /// The salt of the encryption.
    pub salt: &'d [u8],
    /// The contents.
    pub data: Data<'d>,
}

/// The contents of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'d> {
    /// Context and PDU.
    Plain(&'d [u8]),
    /// Context and PDU, encrypted.
    Hidden(&'d [u8]),
}

/// What the contents of a message say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scoped {
    /// An answer, or what else a PDU can be.
    Pdu {
        /// The part of the device that it is about; empty for the usual one.
        context: Vec<u8>,
        /// What it says.
        pdu: Pdu,
    },
    /// Why the message was not taken.
    Report(Report),
}

impl<'d> Frame<'d> {
    /// Reads a message. Octets behind it are ignored.
    ///
    /// # Errors
    /// [`DecodeError`] when it is none of version 3, or not of this security model.
    pub fn decode(bytes: &'d [u8]) -> Result<Self, DecodeError> {
        let mut datagram = Reader(bytes);
        let mut message = Reader(datagram.tagged(ber::SEQUENCE)?);
        let whole = &bytes[..bytes.len() - datagram.0.len()];
        match message.integer()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let mut header = Reader(message.tagged(ber::SEQUENCE)?);
        let message_id = number(&mut header)?;
        let _size_max = header.integer()?;
        let flags = header.tagged(ber::OCTET_STRING)?;
        if header.integer()? != SECURITY_MODEL {
            return Err(DecodeError::NotAMessage);
        }
        let level = level(flags)?;
        let mut security =
            Reader(Reader(message.tagged(ber::OCTET_STRING)?).tagged(ber::SEQUENCE)?);
        let engine_id = security.tagged(ber::OCTET_STRING)?;
        let (boots, time) = (number(&mut security)?, number(&mut security)?);
        let user = security.tagged(ber::OCTET_STRING)?;
        let mac = security.tagged(ber::OCTET_STRING)?;
        let salt = security.tagged(ber::OCTET_STRING)?;
        let data = match (message.element()?, level) {
            ((ber::OCTET_STRING, hidden), Level::AuthPriv) => Data::Hidden(hidden),
            ((ber::SEQUENCE, plain), Level::NoAuthNoPriv | Level::AuthNoPriv) => Data::Plain(plain),
            (_, _) => return Err(DecodeError::NotAMessage),
        };
        Ok(Self {
            mac_at: mac.as_ptr().addr() - whole.as_ptr().addr(),
            whole,
            message_id,
            level,
            engine_id,
            boots,
            time,
            user,
            mac,
            salt,
            data,
        })
    }

    /// Whether the message was written by who has these keys.
    #[must_use]
    pub fn is_authentic(&self, keys: &Keys) -> bool {
        let (before, rest) = self.whole.split_at(self.mac_at);
        let (mac, behind) = rest.split_at(self.mac.len());
        // The MAC was made over the message with zeros in its place (RFC 3414 §6.3.1).
        keys.is_mac(&[before, &vec![0; mac.len()], behind], mac)
    }

    /// What the contents say; decrypted with these keys where need be.
    ///
    /// # Errors
    /// [`DecodeError`] when they cannot be decrypted, or are no PDU.
    pub fn contents(&self, keys: &Keys) -> Result<Scoped, DecodeError> {
        match self.data {
            Data::Plain(plain) => scoped(plain),
            Data::Hidden(hidden) => {
                let key = keys.privacy().ok_or(DecodeError::NotAMessage)?;
                let salt: [u8; SALT_BYTES] =
                    self.salt.try_into().map_err(|_| DecodeError::NotAMessage)?;
                let (boots, time) = (self.boots, self.time);
                let moment = Moment { boots, time, salt };
                let plain =
                    cipher::decrypt(key, &moment, hidden).ok_or(DecodeError::NotAMessage)?;
                scoped(Reader(&plain).tagged(ber::SEQUENCE)?)
            }
        }
    }
}

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Draft<'d> {
    /// What pairs an answer with its question here.
    pub message_id: u32,
    /// Whether who cannot take it shall say why: a question is, an answer or a Report is not.
    pub is_reportable: bool,
    /// Whose clock and keys it goes by.
    pub engine_id: &'d [u8],
    /// How often that engine has started.
    pub boots: u32,
    /// Seconds since it did.
    pub time: u32,
    /// The user.
    pub user: &'d [u8],
    /// Context and PDU: see [`plain_scoped`].
    pub scoped: &'d [u8],
}

impl Draft<'_> {
    /// Writes the message, secured as these keys can; `salt` makes its encryption differ from that
    /// of every other message.
    #[must_use]
    pub fn encode(&self, keys: &Keys, salt: u64) -> Vec<u8> {
        let mut flags = if self.is_reportable {
            REPORTABLE_FLAG
        } else {
            0
        };
        let mac = vec![0; keys.mac_bytes()];
        if keys.level() != Level::NoAuthNoPriv {
            flags |= AUTH_FLAG;
        }
        let mut data = self.scoped.to_vec();
        let mut salt_shown = Vec::new();
        if let Some((privacy, key)) = keys.privacy() {
            let moment = Moment::new(privacy, (self.boots, self.time), salt);
            // Localized keys have the length that their algorithm needs.
            if let Some(hidden) = cipher::encrypt((privacy, key), &moment, &data) {
                flags |= PRIV_FLAG;
                data.clear();
                put(&mut data, ber::OCTET_STRING, &hidden);
                salt_shown.extend(moment.salt);
            }
        }
        let mut header = Vec::new();
        put_integer(&mut header, ber::INTEGER, self.message_id.into());
        put_integer(&mut header, ber::INTEGER, SIZE_BYTES_MAX);
        put(&mut header, ber::OCTET_STRING, &[flags]);
        put_integer(&mut header, ber::INTEGER, SECURITY_MODEL);
        let mut security = Vec::new();
        put(&mut security, ber::OCTET_STRING, self.engine_id);
        put_integer(&mut security, ber::INTEGER, self.boots.into());
        put_integer(&mut security, ber::INTEGER, self.time.into());
        put(&mut security, ber::OCTET_STRING, self.user);
        put(&mut security, ber::OCTET_STRING, &mac);
        put(&mut security, ber::OCTET_STRING, &salt_shown);
        // The MAC stands before the salt and the contents, which end the message.
        let from_end = data.len() + salt_shown.len() + 2 + mac.len();
        let mut body = Vec::new();
        put_integer(&mut body, ber::INTEGER, VERSION);
        put(&mut body, ber::SEQUENCE, &header);
        let mut sequence = Vec::new();
        put(&mut sequence, ber::SEQUENCE, &security);
        put(&mut body, ber::OCTET_STRING, &sequence);
        body.extend_from_slice(&data);
        let mut message = Vec::new();
        put(&mut message, ber::SEQUENCE, &body);
        let mac = keys.mac(&[&message]);
        let at = message.len().saturating_sub(from_end);
        message[at..at + mac.len()].copy_from_slice(&mac);
        message
    }
}

/// Writes what a message holds: the context, and the question.
///
/// # Errors
/// [`EncodeError`] for a SetRequest and for an impossible object identifier.
pub fn plain_scoped(engine_id: &[u8], context: &[u8], pdu: &Pdu) -> Result<Vec<u8>, EncodeError> {
    // Version 3 has the PDUs of version 2.
    let pdu = encode_pdu(pdu, Version::V2c)?;
    Ok(in_context(engine_id, context, &pdu))
}

fn in_context(engine_id: &[u8], context: &[u8], pdu: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    put(&mut contents, ber::OCTET_STRING, engine_id);
    put(&mut contents, ber::OCTET_STRING, context);
    contents.extend_from_slice(pdu);
    let mut scoped = Vec::new();
    put(&mut scoped, ber::SEQUENCE, &contents);
    scoped
}

/// Writes what a Report holds: the object that counts its reason. Its request-id is 0, since the
/// question may not have been read (RFC 3412 §7.1, step 3).
///
/// # Errors
/// None that a Report could meet; it has the type of every encoder.
pub fn plain_report(engine_id: &[u8], report: &Report, count: u32) -> Result<Vec<u8>, EncodeError> {
    let counted = report.oid();
    let counted = counted.map(|oid| VarBind::new(oid, Value::Counter32(count)));
    let pdu = Pdu {
        kind: PduKind::Response,
        request_id: 0,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds: counted.into_iter().collect(),
    };
    // A Report differs from a Response by its tag alone.
    let mut octets = encode_pdu(&pdu, Version::V2c)?;
    if let Some(tag) = octets.first_mut() {
        *tag = ber::REPORT;
    }
    Ok(in_context(engine_id, &[], &octets))
}

/// Writes the message that asks an engine who it is (RFC 3414 §4). Every engine answers it, with a
/// Report, whatever users it knows.
///
/// # Errors
/// None that these octets could meet; it has the type of every encoder.
pub fn discovery(message_id: u32) -> Result<Vec<u8>, EncodeError> {
    let pdu = Pdu {
        kind: PduKind::Get,
        request_id: DISCOVERY_REQUEST_ID,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds: Vec::new(),
    };
    let draft = Draft {
        message_id,
        is_reportable: true,
        engine_id: &[],
        boots: 0,
        time: 0,
        user: &[],
        scoped: &plain_scoped(&[], &[], &pdu)?,
    };
    Ok(draft.encode(&Keys::none(), 0))
}

/// A number of the frame: 0 to 2³¹−1 by the RFCs.
fn number(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let number = reader.integer()?;
    let number = u32::try_from(number).map_err(|_| DecodeError::NotAMessage)?;
    if number > MESSAGE_ID_MAX {
        return Err(DecodeError::NotAMessage);
    }
    Ok(number)
}

/// How well a message is secured, by its flags; encrypted and not authentic it cannot be
/// (RFC 3412 §7.2).
fn level(flags: &[u8]) -> Result<Level, DecodeError> {
    let flags = flags.first().ok_or(DecodeError::NotAMessage)?;
    match (flags & AUTH_FLAG != 0, flags & PRIV_FLAG != 0) {
        (false, false) => Ok(Level::NoAuthNoPriv),
        (true, false) => Ok(Level::AuthNoPriv),
        (true, true) => Ok(Level::AuthPriv),
        (false, true) => Err(DecodeError::NotAMessage),
    }
}

/// Reads context and PDU. Whose context it is, is not looked at: the ids pair answer and question.
fn scoped(contents: &[u8]) -> Result<Scoped, DecodeError> {
    let mut reader = Reader(contents);
    let _engine_id = reader.tagged(ber::OCTET_STRING)?;
    let context = reader.tagged(ber::OCTET_STRING)?;
    let rest = reader.0;
    let (tag, pdu) = reader.element()?;
    if tag == ber::REPORT {
        return report(pdu).map(Scoped::Report);
    }
    let pdu = &rest[..rest.len() - reader.0.len()];
    let mut body = Vec::with_capacity(pdu.len() + 8);
    put_integer(&mut body, ber::INTEGER, 1);
    put(&mut body, ber::OCTET_STRING, &[]);
    body.extend_from_slice(pdu);
    let mut in_v2c = Vec::with_capacity(body.len() + 8);
    put(&mut in_v2c, ber::SEQUENCE, &body);
    Ok(Scoped::Pdu {
        context: context.to_vec(),
        pdu: decode(&in_v2c)?.pdu,
    })
}

/// A Report says by its first object what is wrong (RFC 3412 §7.1, step 3).
fn report(contents: &[u8]) -> Result<Report, DecodeError> {
    let mut reader = Reader(contents);
    for _request_id_status_index in 0..3 {
        reader.element()?;
    }
    let varbinds = lenient::varbinds(reader.tagged(ber::SEQUENCE)?)?;
    let first = varbinds.into_iter().next();
    Ok(first.map_or(Report::Unnamed, |varbind| Report::from_oid(&varbind.oid)))
}
