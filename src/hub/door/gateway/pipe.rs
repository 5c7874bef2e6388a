//! One channel of SSH as a stream, which can be cut from outside.
//!
//! The library queues a channel's packets and stops reading the whole connection when one queue is
//! full, so whoever does not read holds up every other channel and, after a while, the keepalives:
//! such a pipe is cut ([`Gauge::is_stuck`]), and its connection lives.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use russh::server::Msg;
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, timeout};

use super::settings::QUEUE_LEN;

/// How long a reader may leave a full queue alone. It ends below the keepalives' patience.
const STUCK_MAX: Duration = Duration::from_secs(10);

/// Packets in a queue that count as a full one: those in it are known nearly.
const NEARLY_FULL: usize = QUEUE_LEN - 4;

/// How long the other side is let close a channel first: the library keeps a little of each one
/// that this side has closed first, for as long as the connection stands.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);

/// How full the queue of a channel is, and whether the channel still stands.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Packets queued and not taken, nearly: one may be taken before it is counted, or not be
    /// queued because the queue is full. It is right again whenever the queue is found empty.
    waiting: AtomicI64,
    taken: AtomicU64,
    is_closed: AtomicBool,
    closed: Notify,
    writer: AtomicWaker,
    seen: Mutex<Option<(u64, Instant)>>,
}

impl Gauge {
    /// A packet was queued.
    pub(super) fn queued(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// The other side has closed the channel.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.closed.notify_one();
        self.writer.wake();
    }

    fn take(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    fn found_empty(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Whether the queue is full and nothing has been taken for [`STUCK_MAX`]. To be asked often.
    fn is_stuck(&self, now: Instant) -> bool {
        let mut seen = lock(&self.seen);
        let is_full = usize::try_from(self.waiting.load(Ordering::Relaxed))
            .is_ok_and(|waiting| waiting >= NEARLY_FULL);
        if !is_full {
            *seen = None;
            return false;
        }
        let taken = self.taken.load(Ordering::Relaxed);
        match *seen {
            Some((before, since)) if before == taken => now >= since + STUCK_MAX,
            Some(_) | None => {
                *seen = Some((taken, now));
                false
            }
        }
    }
}

/// The gauges of a connection's channels.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauges(Arc<Mutex<HashMap<ChannelId, Arc<Gauge>>>>);

impl Gauges {
    /// That of a channel, made if it is not there.
    pub(super) fn of(&self, channel: ChannelId) -> Arc<Gauge> {
        Arc::clone(lock(&self.0).entry(channel).or_default())
    }

    /// That of a channel, if it is there.
    pub(super) fn find(&self, channel: ChannelId) -> Option<Arc<Gauge>> {
        lock(&self.0).get(&channel).cloned()
    }

    fn forget(&self, channel: ChannelId) {
        lock(&self.0).remove(&channel);
    }
}

/// Both halves of a channel.
struct Halves {
    read: ChannelReadHalf,
    /// What was taken from the queue and not yet read, and how much of it was.
    rest: (Option<ChannelMsg>, usize),
    is_over: bool,
    write: Box<dyn AsyncWrite + Send + Unpin>,
    /// Taken when it is dropped.
    close: Option<ChannelWriteHalf<Msg>>,
    id: ChannelId,
    gauges: Gauges,
    gauge: Arc<Gauge>,
}

/// What a pipe and whoever may cut it share.
pub(super) struct Shared {
    /// None once it is cut.
    halves: Mutex<Option<Halves>>,
    gauge: Arc<Gauge>,
    reader: AtomicWaker,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("gauge", &self.gauge)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Cuts the pipe: whoever reads or writes it is told at once.
    pub(super) fn cut(&self) {
        drop(lock(&self.halves).take());
        self.reader.wake();
        self.gauge.writer.wake();
    }

    /// Cuts the pipe if nobody reads what waits in it.
    pub(super) fn cut_if_stuck(&self, now: Instant) -> bool {
        let is_stuck = self.gauge.is_stuck(now);
        if is_stuck {
            self.cut();
        }
        is_stuck
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Pipe {
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Pipe {
    /// Makes a stream of a channel that was confirmed. `place` is given back with it.
    pub(super) fn new(channel: Channel<Msg>, gauges: Gauges, place: OwnedSemaphorePermit) -> Self {
        let id = channel.id();
        let gauge = gauges.of(id);
        let (read, close) = channel.split();
        let halves = Halves {
            read,
            rest: (None, 0),
            is_over: false,
            write: Box::new(close.make_writer()),
            close: Some(close),
            id,
            gauges,
            gauge: Arc::clone(&gauge),
        };
        let shared = Shared {
            halves: Mutex::new(Some(halves)),
            gauge,
            reader: AtomicWaker::new(),
        };
        Self {
            shared: Arc::new(shared),
            _place: place,
        }
    }

    /// For whoever may cut it.
    pub(super) fn shared(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }
}

impl Halves {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let (Some(ChannelMsg::Data { data }), read) = &mut self.rest {
                let rest = data.get(*read..).unwrap_or_default();
                if !rest.is_empty() {
                    let taken = rest.len().min(buffer.remaining());
                    buffer.put_slice(rest.get(..taken).unwrap_or_default());
                    *read += taken;
                    return Poll::Ready(Ok(()));
                }
            }
            self.rest = (None, 0);
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            let Poll::Ready(message) = pin!(self.read.wait()).poll(context) else {
                self.gauge.found_empty();
                return Poll::Pending;
            };
            self.gauge.take();
            match message {
                None | Some(ChannelMsg::Eof | ChannelMsg::Close) => self.is_over = true,
                Some(data @ ChannelMsg::Data { .. }) => self.rest = (Some(data), 0),
                // What else is said of a forwarded connection is heard elsewhere.
                Some(_) => {}
            }
        }
    }
}

impl Drop for Halves {
    fn drop(&mut self) {
        let gauge = Arc::clone(&self.gauge);
        self.gauges.forget(self.id);
        if gauge.is_closed.load(Ordering::Acquire) {
            return;
        }
        if let (Some(close), Ok(runtime)) = (self.close.take(), Runtime::try_current()) {
            runtime.spawn(async move {
                if close.eof().await.is_ok() {
                    let _ = timeout(CLOSE_PATIENCE, gauge.closed.notified()).await;
                    let _ = close.close().await;
                }
            });
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.reader.register(context.waker());
        match lock(&self.shared.halves).as_mut() {
            Some(halves) => halves.poll_read(context, buffer),
            None => Poll::Ready(Err(cut())),
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.gauge.writer.register(context.waker());
        if self.shared.gauge.is_closed.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match lock(&self.shared.halves).as_mut() {
            Some(_) if bytes.is_empty() => Poll::Ready(Ok(0)),
            Some(halves) => Pin::new(&mut halves.write).poll_write(context, bytes),
            None => Poll::Ready(Err(cut())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match lock(&self.shared.halves).as_mut() {
            Some(halves) => Pin::new(&mut halves.write).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the tunnel was closed")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
