//! A file whose every Nth write fails, in the ways that writes fail.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

/// How a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The disk is broken (EIO).
    Broken,
    /// The disk is full (ENOSPC).
    Full,
    /// Half of the octets are written.
    Short,
    /// The disk is full, and stays so for a hundred writes.
    StaysFull,
}

impl Fault {
    fn error(self) -> io::Error {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        match self {
            Self::Broken => io::Error::from_raw_os_error(EIO),
            Self::Full | Self::StaysFull => io::Error::from_raw_os_error(ENOSPC),
            Self::Short => io::ErrorKind::WriteZero.into(),
        }
    }

    fn lasts(self) -> u64 {
        match self {
            Self::Broken | Self::Full | Self::Short => 1,
            Self::StaysFull => 100,
        }
    }
}

/// Counts writes, and fails one of them. What changes the file counts: writes, new lengths, syncs.
#[derive(Debug, Clone)]
pub(super) struct BadDisk {
    writes: Arc<AtomicU64>,
    fault: Fault,
    at: u64,
}

impl BadDisk {
    /// A disk whose write number `at` fails, counted from 1; 0 is a good disk.
    pub(super) fn new(fault: Fault, at: u64) -> Self {
        let writes = Arc::default();
        Self { writes, fault, at }
    }

    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(StorageError::Io)?;
        let file = BadFile {
            file: FileBackend::new(file)?,
            disk: self.clone(),
        };
        Builder::new().create_with_backend(file)
    }

    fn is_bad(&self) -> bool {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        self.at > 0 && (self.at..self.at + self.fault.lasts()).contains(&number)
    }
}

#[derive(Debug)]
struct BadFile {
    file: FileBackend,
    disk: BadDisk,
}

impl StorageBackend for BadFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.disk.is_bad() {
            return Err(self.disk.fault.error());
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        // No power is cut here, so nothing needs to reach a real disk.
        if self.disk.is_bad() {
            return Err(self.disk.fault.error());
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.disk.is_bad() {
            return self.file.write(offset, data);
        }
        if self.disk.fault == Fault::Short {
            self.file.write(offset, &data[..data.len() / 2])?;
        }
        Err(self.disk.fault.error())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
