//! A disk for tests: in memory, and bad in the ways that disks are.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use super::noise;

/// What a disk writes in one piece.
const BLOCK_BYTES: usize = 512;

/// A disk in memory that can fail, lose power, and be spoiled.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    written: Arc<Mutex<Vec<u8>>>,
    synced: Arc<Mutex<Vec<u8>>>,
    pub(super) failing: Arc<Mutex<Option<io::ErrorKind>>>,
    /// Changes until the power goes; none while it stays.
    left: Arc<Mutex<Option<u8>>>,
}

impl Disk {
    /// After so many more changes the power goes.
    pub(super) fn cut_after(&self, changes: u8) {
        *self.left.lock().unwrap() = Some(changes);
    }

    /// The power comes back. What was not synced is gone, or, with a seed, survives in blocks of
    /// 512 octets by chance.
    pub(super) fn return_power(&self, seed: Option<u64>) {
        let mut written = self.written.lock().unwrap();
        let mut left = self.synced.lock().unwrap().clone();
        if let Some(seed) = seed {
            let blocks = written.len().div_ceil(BLOCK_BYTES);
            left.resize(written.len(), 0);
            let old = left.chunks_mut(BLOCK_BYTES);
            let new = written.chunks(BLOCK_BYTES);
            for ((old, new), dice) in old.zip(new).zip(noise(blocks, seed)) {
                if dice % 2 == 0 {
                    old.copy_from_slice(new);
                }
            }
        }
        written.clone_from(&left);
        *self.synced.lock().unwrap() = left;
        *self.left.lock().unwrap() = None;
    }

    /// Changes one octet of each place where these octets stand.
    pub(super) fn spoil(&self, octets: &[u8]) -> usize {
        let mut written = self.written.lock().unwrap();
        let places: Vec<usize> = (0..written.len().saturating_sub(octets.len()))
            .filter(|at| written[*at..].starts_with(octets))
            .collect();
        for at in &places {
            written[*at] ^= 1;
        }
        places.len()
    }

    fn check(&self) -> io::Result<()> {
        match self.left.lock().unwrap().as_mut() {
            Some(0) => return Err(io::ErrorKind::BrokenPipe.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        match *self.failing.lock().unwrap() {
            Some(kind) => Err(kind.into()),
            None => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&written[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.written
            .lock()
            .unwrap()
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        *self.synced.lock().unwrap() = self.written.lock().unwrap().clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        let start = usize::try_from(offset).unwrap();
        self.written.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}
