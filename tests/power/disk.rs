//! A file system in memory that forgets, when its power is cut, what was not synced; mounted by FUSE.
//!
//! One flat folder. What is written stands in a file until it is synced (fsync, fdatasync); a name
//! that was made, moved or removed stands until the folder is synced. A cut takes all of that back,
//! or lets a part of it survive, as a disk does that writes in an order of its own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

/// Nothing is remembered by the kernel: a cut changes what it would.
const FORGET_AT_ONCE: Duration = Duration::ZERO;

/// What a disk writes in one piece.
const BLOCK_BYTES: usize = 512;

/// A repeatable sequence of numbers (splitmix64): the seed is the whole state.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 to before `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// So many octets that no packing makes shorter.
    pub fn octets(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// What of the unsynced survives a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// Nothing.
    Nothing,
    /// Each block of 512 octets, and the new length, by chance.
    SomeBlocks,
}

/// A file: as programs see it, and as it is after a cut.
#[derive(Debug, Clone, Default)]
struct Kept {
    now: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Kept>,
    names: BTreeMap<OsString, u64>,
    synced_names: BTreeMap<OsString, u64>,
    last_inode: u64,
    /// Counts the cuts: what was opened before one is dead after it.
    life: u64,
    /// Changes until the power goes; none while it stays.
    left: Option<u64>,
    is_off: bool,
    is_full: bool,
}

impl State {
    /// Whether a change still happens.
    fn change(&mut self) -> Result<(), Errno> {
        match self.left.as_mut() {
            Some(0) => self.is_off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if self.is_off {
            return Err(Errno::EIO);
        }
        if self.is_full {
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    fn file(&mut self, handle: Option<FileHandle>, inode: INodeNo) -> Result<&mut Kept, Errno> {
        if self.is_off || handle.is_some_and(|handle| handle.0 != self.life) {
            return Err(Errno::EIO);
        }
        self.files.get_mut(&inode.0).ok_or(Errno::ENOENT)
    }

    fn attributes(&self, inode: u64) -> Option<FileAttr> {
        let (kind, size, perm) = if inode == INodeNo::ROOT.0 {
            (FileType::Directory, 0, 0o700)
        } else {
            let length = self.files.get(&inode)?.now.len();
            (FileType::RegularFile, length as u64, 0o600)
        };
        Some(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(BLOCK_BYTES as u64),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        })
    }

    /// Takes back what was not synced, and gives every file a new inode.
    fn lose(&mut self, survives: Survives, dice: &mut Dice) {
        let mut files = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (name, inode) in std::mem::take(&mut self.synced_names) {
            let Some(kept) = self.files.get(&inode) else {
                continue;
            };
            let left = match survives {
                Survives::Nothing => kept.synced.clone(),
                Survives::SomeBlocks => some_blocks(kept, dice),
            };
            self.last_inode += 1;
            let file = Kept {
                now: left.clone(),
                synced: left,
            };
            files.insert(self.last_inode, file);
            names.insert(name, self.last_inode);
        }
        (self.files, self.names, self.synced_names) = (files, names.clone(), names);
        (self.is_off, self.left) = (false, None);
        self.life += 1;
    }
}

fn some_blocks(kept: &Kept, dice: &mut Dice) -> Vec<u8> {
    let mut left = kept.synced.clone();
    if dice.below(2) == 0 {
        left.resize(kept.now.len(), 0);
    }
    for (old, new) in left
        .chunks_mut(BLOCK_BYTES)
        .zip(kept.now.chunks(BLOCK_BYTES))
    {
        if old.len() == new.len() && dice.below(2) == 0 {
            old.copy_from_slice(new);
        }
    }
    left
}

/// A disk that is mounted until it is dropped.
#[derive(Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    _session: BackgroundSession,
}

impl Disk {
    /// Mounts an empty disk on a folder.
    ///
    /// # Errors
    /// This machine has no FUSE, or does not let us use it.
    pub fn mount(folder: &Path) -> std::io::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            last_inode: INodeNo::ROOT.0,
            ..State::default()
        }));
        let session = fuser::spawn_mount(Files(state.clone()), folder, &Config::default())?;
        Ok(Self {
            state,
            _session: session,
        })
    }

    /// After so many more changes the power goes.
    pub fn cut_after(&self, changes: u64) {
        self.state().left = Some(changes);
    }

    /// Whether the power went.
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// The power comes back, with what survived.
    pub fn return_power(&self, survives: Survives, dice: &mut Dice) {
        self.state().lose(survives, dice);
    }

    /// Full or not, from here on.
    pub fn fill(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked with it")
    }
}

/// What the kernel asks.
#[derive(Debug)]
struct Files(Arc<Mutex<State>>);

impl Files {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panicked with it")
    }

    /// Makes a change, and answers whether it could be made.
    fn change(&self, reply: ReplyEmpty, make: impl FnOnce(&mut State) -> Result<(), Errno>) {
        let mut state = self.state();
        match state.change().and_then(|()| make(&mut state)) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.state();
        let inode = state.names.get(name);
        match inode.and_then(|inode| state.attributes(*inode)) {
            Some(attributes) => reply.entry(&FORGET_AT_ONCE, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.state().attributes(inode.0) {
            Some(attributes) => reply.attr(&FORGET_AT_ONCE, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = self.state();
        if let Some(size) = size {
            let resized = state.change().and_then(|()| {
                let file = state.file(handle, inode)?;
                file.now.resize(size as usize, 0);
                Ok(())
            });
            if let Err(error) = resized {
                reply.error(error);
                return;
            }
        }
        match state.attributes(inode.0) {
            Some(attributes) => reply.attr(&FORGET_AT_ONCE, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.change(reply, |state| {
            state.names.remove(name).map(drop).ok_or(Errno::ENOENT)
        });
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        self.change(reply, |state| {
            let inode = state.names.remove(name).ok_or(Errno::ENOENT)?;
            state.names.insert(new_name.to_owned(), inode);
            Ok(())
        });
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let state = self.state();
        if state.is_off {
            reply.error(Errno::EIO);
        } else {
            reply.opened(FileHandle(state.life), FopenFlags::FOPEN_DIRECT_IO);
        }
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut state = self.state();
        if let Err(error) = state.change() {
            reply.error(error);
            return;
        }
        state.last_inode += 1;
        let inode = state.last_inode;
        state.files.insert(inode, Kept::default());
        state.names.insert(name.to_owned(), inode);
        match state.attributes(inode) {
            Some(attributes) => reply.created(
                &FORGET_AT_ONCE,
                &attributes,
                Generation(0),
                FileHandle(state.life),
                FopenFlags::FOPEN_DIRECT_IO,
            ),
            None => reply.error(Errno::EIO),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.state().file(Some(handle), inode) {
            Ok(file) => {
                let start = (offset as usize).min(file.now.len());
                let end = (start + size as usize).min(file.now.len());
                reply.data(&file.now[start..end]);
            }
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.state();
        let written = state.change().and_then(|()| {
            let file = state.file(Some(handle), inode)?;
            let start = offset as usize;
            let end = start + data.len();
            if file.now.len() < end {
                file.now.resize(end, 0);
            }
            file.now[start..end].copy_from_slice(data);
            Ok(())
        });
        match written {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        self.change(reply, |state| {
            let file = state.file(Some(handle), inode)?;
            file.synced.clone_from(&file.now);
            Ok(())
        });
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.change(reply, |state| {
            state.synced_names.clone_from(&state.names);
            Ok(())
        });
    }
}
