//! A second thread that sends: where a sweep may go as fast as the machine can, the kernel's path of a packet
//! takes one processor whole, and two send nearly twice as much.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::batch::Batch;

/// Batches that wait for the thread: whoever gave one waits for it before the next.
const WAITING_MAX: usize = 1;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Second {
    give: SyncSender<Batch>,
    take: Receiver<(Batch, usize)>,
}

impl Second {
    /// Starts it on copies of the sockets, that of IPv4 first; none where the system gives none.
    pub(super) fn start(sockets: [Option<BorrowedFd<'_>>; 2]) -> Option<Self> {
        let mut copies: [Option<OwnedFd>; 2] = [None, None];
        for (copy, socket) in copies.iter_mut().zip(sockets) {
            *copy = socket.and_then(|socket| socket.try_clone_to_owned().ok());
        }
        let (give, given) = sync_channel::<Batch>(WAITING_MAX);
        let (done, take) = sync_channel(WAITING_MAX);
        let work = move || {
            for batch in given {
                let fds = copies
                    .each_ref()
                    .map(|it| it.as_ref().map(AsRawFd::as_raw_fd));
                let gone = batch.send_at_once(fds);
                if done.send((batch, gone)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("sweep 2".to_owned());
        thread.spawn(work).ok().map(|_| Self { give, take })
    }

    /// Gives it a batch; back comes one that it does not take.
    pub(super) fn give(&self, batch: Batch) -> Result<(), Batch> {
        self.give.send(batch).map_err(|refused| refused.0)
    }

    /// Waits until it has sent what the system takes at once of the batch, and tells how many that
    /// were; none where the thread is gone.
    pub(super) fn take(&self) -> Option<(Batch, usize)> {
        self.take.recv().ok()
    }
}
