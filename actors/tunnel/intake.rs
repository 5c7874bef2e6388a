//! What the gateway sends for one connection, on its way to the device.
//!
//! While the device keeps up, octets go straight into its socket. What it does not take at once
//! waits here, in a room that has a bound for this connection and one for all sessions together;
//! where both are full the link is not read any further. That is the back-pressure: russh renews a
//! connection's window by what it has read, not by what was used.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::ways::Room;
use crate::reach::stream::DeviceStream;

/// Most octets of one connection that wait for its device.
const WAITING_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What a piece counts at least, in octets: a flood of single ones costs more than they hold.
const PIECE_BYTES_MIN: usize = 512;

/// The device takes nothing, or has gone.
#[derive(Debug)]
pub(super) struct Stalled;

/// The link's end.
pub(super) struct Intake {
    pieces: mpsc::UnboundedSender<Piece>,
    shared: Arc<Shared>,
    own: Room,
    room: Room,
}

/// The device's end.
pub(super) struct Outlet {
    pieces: mpsc::UnboundedReceiver<Piece>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    device: OnceLock<Arc<DeviceStream>>,
    /// Pieces that wait: while there is one, nothing may overtake it.
    waiting: AtomicUsize,
}

enum Piece {
    Octets(Bytes, [OwnedSemaphorePermit; 2]),
    End,
}

/// Both ends.
pub(super) fn pair(room: Room) -> (Intake, Outlet) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::default());
    let intake = Intake {
        pieces: sender,
        shared: shared.clone(),
        own: Room::of(WAITING_BYTES_MAX),
        room,
    };
    (intake, Outlet { pieces, shared })
}

impl Intake {
    /// Takes octets, waiting for room at most `stall_max`.
    pub(super) async fn take(&self, octets: &[u8], stall_max: Duration) -> Result<(), Stalled> {
        let mut rest = octets;
        if self.shared.waiting.load(Ordering::Acquire) == 0
            && let Some(device) = self.shared.device.get()
        {
            let written = device.write_now(octets).map_err(|_| Stalled)?;
            rest = octets.get(written..).unwrap_or_default();
        }
        if rest.is_empty() {
            return Ok(());
        }
        let size = rest.len().clamp(PIECE_BYTES_MIN, WAITING_BYTES_MAX);
        let places = async { Some([self.own.take(size).await?, self.room.take(size).await?]) };
        let places = timeout(stall_max, places).await.ok().flatten();
        let piece = Piece::Octets(Bytes::copy_from_slice(rest), places.ok_or(Stalled)?);
        self.send(piece)
    }

    /// The gateway will send no more.
    pub(super) fn end(&self) {
        // Where the device has gone, nobody waits for the end.
        let _ = self.send(Piece::End);
    }

    /// Whether the other end has gone.
    pub(super) fn is_idle(&self) -> bool {
        self.pieces.is_closed()
    }

    fn send(&self, piece: Piece) -> Result<(), Stalled> {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        self.pieces.send(piece).map_err(|_| Stalled)
    }
}

/// How the gateway's side of a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has sent all; the device may go on.
    Sent,
    /// It has closed, or the device takes nothing any more.
    Closed,
}

impl Outlet {
    /// The device is there: what comes may go straight to it.
    pub(super) fn leads_to(&self, device: Arc<DeviceStream>) {
        // It is set once, before the connection is accepted.
        let _ = self.shared.device.set(device);
    }

    /// Writes what waits, until the end.
    pub(super) async fn drain(&mut self) -> Ended {
        let Some(device) = self.shared.device.get().cloned() else {
            return Ended::Closed;
        };
        while let Some(piece) = self.pieces.recv().await {
            match piece {
                Piece::Octets(octets, _places) => {
                    if device.write(&octets).await.is_err() {
                        return Ended::Closed;
                    }
                    self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
                }
                Piece::End => {
                    device.end();
                    return Ended::Sent;
                }
            }
        }
        Ended::Closed
    }

    /// Waits for the gateway to close.
    pub(super) async fn closed(&mut self) {
        while self.pieces.recv().await.is_some() {}
    }
}
