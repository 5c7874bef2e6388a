//! One record of the spool as octets, before it is sealed.
//!
//! Layout: kind (1) · at, Unix ms (8) · length of the device id (1) · device id · body. Numbers are
//! big-endian; the body of a report is packed.

use jiff::Timestamp;
use printer::identity::DeviceId;

use super::{Content, Importance, NewReport, Sequence, Spooled, pack};

/// Kinds of record, as they stand on disk.
const KEEP: u8 = 0;
const THINNABLE: u8 = 1;
const THINNED: u8 = 2;
const DAMAGED: u8 = 3;

/// A record with its body still packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    kind: u8,
    pub(super) at: Timestamp,
    pub(super) device: Option<DeviceId>,
    body: Vec<u8>,
}

impl Record {
    /// A report that was appended.
    pub(super) fn of_report(report: &NewReport) -> Self {
        let kind = match report.importance {
            Importance::Keep => KEEP,
            Importance::Thinnable => THINNABLE,
        };
        Self {
            kind,
            at: report.at,
            device: report.device.clone(),
            body: pack::pack(&report.body),
        }
    }

    /// So many reports of a device were given up, at the instant `at`.
    pub(super) fn of_thinned(device: Option<DeviceId>, tally: Tally, at: Timestamp) -> Self {
        let mut body = tally.reports.to_be_bytes().to_vec();
        body.extend(tally.first.as_millisecond().to_be_bytes());
        body.extend(tally.last.as_millisecond().to_be_bytes());
        Self {
            kind: THINNED,
            at,
            device,
            body,
        }
    }

    /// A report was here that the disk has damaged.
    pub(super) fn of_damaged() -> Self {
        Self {
            kind: DAMAGED,
            at: Timestamp::UNIX_EPOCH,
            device: None,
            body: Vec::new(),
        }
    }

    /// The same record with its body packed, where it stood in the open before.
    pub(super) fn packed(mut self) -> Self {
        if [KEEP, THINNABLE].contains(&self.kind) {
            self.body = pack::pack(&self.body);
        }
        self
    }

    /// Whether it may be given up for room.
    pub(super) fn is_thinnable(&self) -> bool {
        self.kind == THINNABLE
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let device = self.device.as_ref().map_or("", DeviceId::as_str);
        let mut octets = vec![self.kind];
        octets.extend(self.at.as_millisecond().to_be_bytes());
        // A device id has 32 digits; one that had more than 255 would be damaged, not mistaken.
        octets.push(u8::try_from(device.len()).unwrap_or(u8::MAX));
        octets.extend(device.as_bytes());
        octets.extend(&self.body);
        octets
    }

    /// Decodes a record; `None` for anything that [`Self::encode`] did not write.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let (kind, rest) = octets.split_first()?;
        let (at, rest) = take_time(rest)?;
        let (device_length, rest) = rest.split_first()?;
        let (device, body) = rest.split_at_checked(usize::from(*device_length))?;
        let device = match device {
            [] => None,
            digits => Some(DeviceId::parse(std::str::from_utf8(digits).ok()?)?),
        };
        (*kind <= DAMAGED).then(|| Self {
            kind: *kind,
            at,
            device,
            body: body.to_vec(),
        })
    }

    /// The record as it is handed out; `None` when its body is none.
    pub(super) fn spooled(self, sequence: Sequence) -> Option<Spooled> {
        let content = match self.kind {
            KEEP | THINNABLE => Content::Report(pack::unpack(&self.body)?),
            THINNED => {
                let Tally {
                    reports,
                    first,
                    last,
                } = self.tally()?;
                Content::Thinned {
                    reports,
                    first,
                    last,
                }
            }
            _ => Content::Damaged,
        };
        Some(Spooled {
            sequence,
            device: self.device,
            at: self.at,
            content,
        })
    }

    /// What a record of thinning tells; `None` for any other.
    pub(super) fn tally(&self) -> Option<Tally> {
        if self.kind != THINNED {
            return None;
        }
        let (reports, rest) = self.body.split_first_chunk::<4>()?;
        let (first, rest) = take_time(rest)?;
        let (last, _) = take_time(rest)?;
        Some(Tally {
            reports: u32::from_be_bytes(*reports),
            first,
            last,
        })
    }
}

/// Reports that were given up: how many, and when the first and the last of them were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) reports: u32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Tally {
    pub(super) fn of_one(at: Timestamp) -> Self {
        Self {
            reports: 1,
            first: at,
            last: at,
        }
    }

    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            reports: self.reports.saturating_add(other.reports),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

fn take_time(octets: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (millis, rest) = octets.split_first_chunk::<8>()?;
    Some((
        Timestamp::from_millisecond(i64::from_be_bytes(*millis)).ok()?,
        rest,
    ))
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
            let record = Record::decode(&Record::of_report(&report).encode()).unwrap();
            assert!(record.is_thinnable());
            assert_eq!(record.tally(), None);
            let expected = Spooled {
                sequence: Sequence(7),
                device,
                at,
                content: Content::Report(body),
            };
            assert_eq!(record.spooled(Sequence(7)), Some(expected));
        }
    }

    #[test]
    fn tallies_add_up() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let both = Tally::of_one(at(5)).and(Tally::of_one(at(3)));
        let record = Record::of_thinned(None, both, at(9));
        assert!(!record.is_thinnable());
        let expected = Tally {
            reports: 2,
            first: at(3),
            last: at(5),
        };
        assert_eq!(
            Record::decode(&record.encode()).unwrap().tally(),
            Some(expected)
        );
    }
}
