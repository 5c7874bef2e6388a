//! Calls that wait for the disk at once, and share a write.

use std::ops::RangeInclusive;

use printer::identity::DeviceId;
use tokio::sync::oneshot;

use super::Keeper;
use crate::spool::{CALLS_MAX, NewReport, Sequence, SpoolError};

/// Most calls that are put on disk together: as many as may wait.
pub(super) const WRITES_AT_ONCE: usize = CALLS_MAX;

/// A call handed to the thread.
pub(in crate::spool) enum Job {
    /// Reports to append. Those that wait for the disk at once share one write.
    Append(Append),
    /// Devices to remember, likewise.
    Remember(Remember),
    /// Anything else.
    Other(Box<dyn FnOnce(&mut Keeper) + Send>),
}

/// Devices, and who is told that they are remembered.
pub(in crate::spool) struct Remember {
    pub(in crate::spool) devices: Vec<(DeviceId, Vec<u8>)>,
    pub(in crate::spool) answer: oneshot::Sender<Result<(), SpoolError>>,
}

/// Reports, and who is told where they stand.
pub(in crate::spool) struct Append {
    pub(in crate::spool) reports: Vec<NewReport>,
    pub(in crate::spool) answer: oneshot::Sender<Result<RangeInclusive<Sequence>, SpoolError>>,
}

impl Keeper {
    /// Appends the reports of several calls by one write. Where there is no room for all, each is tried
    /// by itself: some may be thinned for. Where the disk failed, nobody knows what of it is there, and
    /// nothing is tried again.
    pub(super) fn append_all(&mut self, appends: Vec<Append>) {
        let mut reports = Vec::new();
        let mut callers = Vec::with_capacity(appends.len());
        for mut append in appends {
            callers.push((append.reports.len(), append.answer));
            reports.append(&mut append.reports);
        }
        let is_one = callers.len() == 1;
        let (mut place, mut failure) = match self.append(&reports) {
            Ok(range) => (Some(range.start().0), None),
            Err(SpoolError::Full { .. }) if !is_one => (None, None),
            Err(error) => (None, Some(error)),
        };
        let is_failed = failure.is_some();
        let mut rest = reports.as_slice();
        for (count, answer) in callers {
            let (own, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            let appended = match (place, failure.take()) {
                (Some(first), _) => {
                    let next = first + count as u64;
                    place = Some(next);
                    Ok(Sequence(first)..=Sequence(next - 1))
                }
                (None, Some(error)) => Err(error),
                (None, None) if is_failed => Err(SpoolError::Resting {
                    path: self.path.clone(),
                }),
                (None, None) => self.append(own),
            };
            // Who asked may have gone; what was done stays done.
            let _ = answer.send(appended);
        }
    }

    /// Remembers the devices of several calls by one write. Where that does not work, none is.
    pub(super) fn remember_all(&mut self, remembers: Vec<Remember>) {
        let mut devices = Vec::new();
        let mut callers = Vec::with_capacity(remembers.len());
        for mut remember in remembers {
            devices.append(&mut remember.devices);
            callers.push(remember.answer);
        }
        let remembered = self.remember(&devices);
        let is_failed = remembered.is_err();
        let mut first = Some(remembered);
        for answer in callers {
            let resting = || SpoolError::Resting {
                path: self.path.clone(),
            };
            let remembered = first.take().unwrap_or_else(|| match is_failed {
                true => Err(resting()),
                false => Ok(()),
            });
            // Who asked may have gone; what was done stays done.
            let _ = answer.send(remembered);
        }
    }
}
