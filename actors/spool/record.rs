//! One record of the spool as octets, under a checksum.
//!
//! Layout: checksum (8) · kind (1) · at, Unix ms (8) · length of the device id (1) · device id ·
//! body. Numbers are big-endian. The checksum is the first 8 octets of SHA-256 over the key and
//! everything behind it, so a record that stands under another key is damaged too.

use jiff::Timestamp;
use printer::identity::DeviceId;
use sha2::{Digest, Sha256};

use super::{Content, Importance, NewReport, Sequence, Spooled};

const CHECKSUM_BYTES: usize = 8;

/// Kinds of record, as they stand on disk.
const KEEP: u8 = 0;
const THINNABLE: u8 = 1;
const THINNED: u8 = 2;
const DAMAGED: u8 = 3;

/// Encodes a report that was appended.
pub(super) fn encode_report(sequence: Sequence, report: &NewReport) -> Vec<u8> {
    let kind = match report.importance {
        Importance::Keep => KEEP,
        Importance::Thinnable => THINNABLE,
    };
    encode(
        sequence,
        kind,
        report.at,
        report.device.as_ref(),
        &report.body,
    )
}

/// Encodes what a report became: thinned or damaged ones, which are kept.
pub(super) fn encode_spooled(spooled: &Spooled) -> Vec<u8> {
    let (kind, body) = match &spooled.content {
        Content::Report(body) => (KEEP, body.clone()),
        Content::Thinned {
            reports,
            first,
            last,
        } => {
            let mut body = reports.to_be_bytes().to_vec();
            body.extend(first.as_millisecond().to_be_bytes());
            body.extend(last.as_millisecond().to_be_bytes());
            (THINNED, body)
        }
        Content::Damaged => (DAMAGED, Vec::new()),
    };
    encode(
        spooled.sequence,
        kind,
        spooled.at,
        spooled.device.as_ref(),
        &body,
    )
}

/// Decodes a record; `None` when it is damaged.
pub(super) fn decode(sequence: Sequence, octets: &[u8]) -> Option<Spooled> {
    let (sum, rest) = octets.split_first_chunk::<CHECKSUM_BYTES>()?;
    if *sum != checksum(&sequence.0.to_be_bytes(), rest) {
        return None;
    }
    let (kind, rest) = rest.split_first()?;
    let (at, rest) = take_time(rest)?;
    let (device_length, rest) = rest.split_first()?;
    let (device, body) = rest.split_at_checked(usize::from(*device_length))?;
    let device = match device {
        [] => None,
        digits => Some(DeviceId::parse(std::str::from_utf8(digits).ok()?)?),
    };
    let content = match *kind {
        KEEP | THINNABLE => Content::Report(body.to_vec()),
        THINNED => {
            let (reports, rest) = body.split_first_chunk::<4>()?;
            let (first, rest) = take_time(rest)?;
            let (last, _) = take_time(rest)?;
            Content::Thinned {
                reports: u32::from_be_bytes(*reports),
                first,
                last,
            }
        }
        DAMAGED => Content::Damaged,
        _ => return None,
    };
    Some(Spooled {
        sequence,
        device,
        at,
        content,
    })
}

/// Whether a record is one that may be thinned.
pub(super) fn is_thinnable(octets: &[u8]) -> bool {
    octets.get(CHECKSUM_BYTES) == Some(&THINNABLE)
}

/// Puts what is remembered of a device under a checksum.
pub(super) fn seal(device: &DeviceId, octets: &[u8]) -> Vec<u8> {
    [&checksum(device.as_str().as_bytes(), octets)[..], octets].concat()
}

/// Takes the checksum off again; `None` when it does not fit.
pub(super) fn unseal(device: &DeviceId, octets: &[u8]) -> Option<Vec<u8>> {
    let (sum, rest) = octets.split_first_chunk::<CHECKSUM_BYTES>()?;
    (*sum == checksum(device.as_str().as_bytes(), rest)).then(|| rest.to_vec())
}

fn encode(
    sequence: Sequence,
    kind: u8,
    at: Timestamp,
    device: Option<&DeviceId>,
    body: &[u8],
) -> Vec<u8> {
    let device = device.map_or("", DeviceId::as_str);
    let mut octets = vec![0; CHECKSUM_BYTES];
    octets.push(kind);
    octets.extend(at.as_millisecond().to_be_bytes());
    // A device id has 32 digits; one that had more than 255 would be damaged, not mistaken.
    octets.push(u8::try_from(device.len()).unwrap_or(u8::MAX));
    octets.extend(device.as_bytes());
    octets.extend(body);
    let sum = checksum(&sequence.0.to_be_bytes(), &octets[CHECKSUM_BYTES..]);
    octets[..CHECKSUM_BYTES].copy_from_slice(&sum);
    octets
}

fn take_time(octets: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (millis, rest) = octets.split_first_chunk::<8>()?;
    Some((
        Timestamp::from_millisecond(i64::from_be_bytes(*millis)).ok()?,
        rest,
    ))
}

fn checksum(key: &[u8], octets: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new()
        .chain_update(key)
        .chain_update(octets)
        .finalize();
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_went() {
        let device = DeviceId::parse("0123456789abcdef0123456789abcdef");
        let at = Timestamp::from_millisecond(1_795_000_000_123).unwrap();
        for (device, body) in [(device, b"body".to_vec()), (None, Vec::new())] {
            let importance = Importance::Thinnable;
            let report = NewReport {
                importance,
                device: device.clone(),
                at,
                body: body.clone(),
            };
            let octets = encode_report(Sequence(7), &report);
            let content = Content::Report(body);
            let expected = Spooled {
                sequence: Sequence(7),
                device,
                at,
                content,
            };
            assert_eq!(decode(Sequence(7), &octets), Some(expected));
            assert!(is_thinnable(&octets));
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let sequence = Sequence(3);
        let (first, last) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let content = Content::Thinned {
            reports: 2,
            first,
            last,
        };
        let octets = encode_spooled(&Spooled {
            sequence,
            device: None,
            at: last,
            content,
        });
        assert!(decode(sequence, &octets).is_some());
        assert_eq!(
            decode(Sequence(4), &octets),
            None,
            "it stands under another key"
        );
        for bit in 0..octets.len() * 8 {
            let mut damaged = octets.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(sequence, &damaged), None, "bit {bit}");
        }
    }
}
