//! Recordings (`.snmprec`): one object a line, `OID|TAG|VALUE`, as snmpsim has them.
//!
//! Used to read a printer without a printer: `platen read --from-recording`, the simulator, and
//! every test over real devices. The tag is the decimal ASN.1 tag; with an `x` behind it the value
//! is hexadecimal. The value is everything after the second bar, octet for octet.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Bound;

use crate::{Oid, ParseOidError, Value, VarBind, ber};

/// Most objects of one recording: a whole walk of a large device has some 20,000.
pub const OBJECTS_MAX: usize = 200_000;

/// What a device answered, object by object, in the order of SNMP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    objects: BTreeMap<Oid, Value>,
}

/// Why a text is no recording, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct RecordingError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: LineFault,
}

/// What can be wrong with a line of a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// There are no two bars.
    #[error("not OID|TAG|VALUE")]
    Bars,
    /// The object is none.
    #[error(transparent)]
    Oid(#[from] ParseOidError),
    /// The tag is no number up to 255, with or without an `x`.
    #[error("the tag is not a number up to 255, with or without an x")]
    Tag,
    /// The value does not fit its tag.
    #[error("the value does not fit its tag")]
    Value,
    /// More than [`OBJECTS_MAX`].
    #[error("more than {OBJECTS_MAX} objects")]
    TooMany,
}

impl Recording {
    /// Reads the text of a recording. An object that stands there twice has its last value.
    ///
    /// # Errors
    /// [`RecordingError`] names the first line that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, RecordingError> {
        let mut objects = BTreeMap::new();
        for (index, line) in text.split(|octet| *octet == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let wrong = |fault| RecordingError {
                line: index + 1,
                fault,
            };
            let varbind = parse_line(line).map_err(wrong)?;
            objects.insert(varbind.oid, varbind.value);
            if objects.len() > OBJECTS_MAX {
                return Err(wrong(LineFault::TooMany));
            }
        }
        Ok(Self { objects })
    }

    /// The value of an object.
    #[must_use]
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.objects.get(oid)
    }

    /// The first object behind `oid`, as GetNext wants it.
    #[must_use]
    pub fn next_after(&self, oid: &Oid) -> Option<(&Oid, &Value)> {
        self.objects
            .range::<Oid, _>((Bound::Excluded(oid), Bound::Unbounded))
            .next()
    }

    /// Every object, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Oid, &Value)> {
        self.objects.iter()
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Sets the value of an object.
    pub fn insert(&mut self, oid: Oid, value: Value) {
        self.objects.insert(oid, value);
    }

    /// Takes an object away.
    pub fn remove(&mut self, oid: &Oid) -> Option<Value> {
        self.objects.remove(oid)
    }

    /// Writes the recording, LF behind every line. Octets that are not printable ASCII make a
    /// value hexadecimal.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.objects.len() * 48);
        for (oid, value) in &self.objects {
            text.extend_from_slice(format!("{oid}|").as_bytes());
            write_value(&mut text, value);
            text.push(b'\n');
        }
        text
    }
}

impl FromIterator<VarBind> for Recording {
    fn from_iter<I: IntoIterator<Item = VarBind>>(varbinds: I) -> Self {
        let objects = varbinds
            .into_iter()
            .map(|pair| (pair.oid, pair.value))
            .collect();
        Self { objects }
    }
}

fn parse_line(line: &[u8]) -> Result<VarBind, LineFault> {
    let mut parts = line.splitn(3, |octet| *octet == b'|');
    let (Some(oid), Some(tag), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(LineFault::Bars);
    };
    let oid = String::from_utf8_lossy(oid).parse()?;
    let tag = std::str::from_utf8(tag).map_err(|_| LineFault::Tag)?;
    let (tag, is_hex) = tag
        .strip_suffix('x')
        .map_or((tag, false), |tag| (tag, true));
    let tag = tag.parse().map_err(|_| LineFault::Tag)?;
    let value = if is_hex {
        from_octets(tag, unhex(value)?)
    } else {
        from_text(tag, value)?
    };
    Ok(VarBind { oid, value })
}

fn from_octets(tag: u8, octets: Vec<u8>) -> Value {
    match tag {
        ber::OCTET_STRING => Value::OctetString(octets),
        ber::IP_ADDRESS => Value::IpAddress(octets),
        ber::OPAQUE => Value::Opaque(octets),
        tag => Value::Unknown { tag, octets },
    }
}

fn from_text(tag: u8, octets: &[u8]) -> Result<Value, LineFault> {
    let text = || std::str::from_utf8(octets).map_err(|_| LineFault::Value);
    fn number<T: std::str::FromStr>(text: &str) -> Result<T, LineFault> {
        text.trim().parse().map_err(|_| LineFault::Value)
    }
    let value = match tag {
        ber::INTEGER => Value::Integer(number(text()?)?),
        ber::OCTET_STRING => Value::OctetString(octets.to_vec()),
        ber::NULL => Value::Null,
        ber::OBJECT_ID if octets.is_empty() => Value::ObjectId(Box::default()),
        ber::OBJECT_ID => Value::ObjectId(Box::new(text()?.trim().parse()?)),
        ber::IP_ADDRESS => Value::IpAddress(number::<Ipv4Addr>(text()?)?.octets().to_vec()),
        ber::COUNTER32 => Value::Counter32(number(text()?)?),
        ber::GAUGE32 => Value::Gauge32(number(text()?)?),
        ber::TIME_TICKS => Value::TimeTicks(number(text()?)?),
        ber::OPAQUE => Value::Opaque(octets.to_vec()),
        ber::COUNTER64 => Value::Counter64(number(text()?)?),
        ber::NO_SUCH_OBJECT => Value::NoSuchObject,
        ber::NO_SUCH_INSTANCE => Value::NoSuchInstance,
        ber::END_OF_MIB_VIEW => Value::EndOfMibView,
        tag => Value::Unknown {
            tag,
            octets: octets.to_vec(),
        },
    };
    Ok(value)
}

fn write_value(text: &mut Vec<u8>, value: &Value) {
    let line = match value {
        Value::Integer(number) => format!("{}|{number}", ber::INTEGER),
        Value::OctetString(octets) if is_printable(octets) => {
            text.extend_from_slice(format!("{}|", ber::OCTET_STRING).as_bytes());
            text.extend_from_slice(octets);
            return;
        }
        Value::OctetString(octets) => format!("{}x|{}", ber::OCTET_STRING, hex(octets)),
        Value::Null => format!("{}|", ber::NULL),
        Value::ObjectId(oid) => format!("{}|{oid}", ber::OBJECT_ID),
        Value::IpAddress(octets) => match <[u8; 4]>::try_from(octets.as_slice()) {
            Ok(address) => format!("{}|{}", ber::IP_ADDRESS, Ipv4Addr::from(address)),
            Err(_) => format!("{}x|{}", ber::IP_ADDRESS, hex(octets)),
        },
        Value::Counter32(number) => format!("{}|{number}", ber::COUNTER32),
        Value::Gauge32(number) => format!("{}|{number}", ber::GAUGE32),
        Value::TimeTicks(number) => format!("{}|{number}", ber::TIME_TICKS),
        Value::Opaque(octets) => format!("{}x|{}", ber::OPAQUE, hex(octets)),
        Value::Counter64(number) => format!("{}|{number}", ber::COUNTER64),
        Value::NoSuchObject => format!("{}|", ber::NO_SUCH_OBJECT),
        Value::NoSuchInstance => format!("{}|", ber::NO_SUCH_INSTANCE),
        Value::EndOfMibView => format!("{}|", ber::END_OF_MIB_VIEW),
        Value::Unknown { tag, octets } => format!("{tag}x|{}", hex(octets)),
    };
    text.extend_from_slice(line.as_bytes());
}

fn is_printable(octets: &[u8]) -> bool {
    octets.iter().all(|octet| (0x20..0x7f).contains(octet))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(digits: &[u8]) -> Result<Vec<u8>, LineFault> {
    let text = std::str::from_utf8(digits).map_err(|_| LineFault::Value)?;
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(LineFault::Value);
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| LineFault::Value))
        .collect()
}
