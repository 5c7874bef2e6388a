//! A disk for tests: in memory, and bad in the ways that disks are.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// A disk in memory that can fail, lose power, and be spoiled.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    written: Arc<Mutex<Vec<u8>>>,
    synced: Arc<Mutex<Vec<u8>>>,
    pub(super) failing: Arc<Mutex<Option<io::ErrorKind>>>,
    pub(super) is_cut: Arc<AtomicBool>,
}

impl Disk {
    /// What was not synced is gone.
    pub(super) fn cut_power(&self) {
        *self.written.lock().unwrap() = self.synced.lock().unwrap().clone();
        self.is_cut.store(false, Ordering::SeqCst);
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
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
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
