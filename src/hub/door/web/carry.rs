//! What flows through: bodies both ways, and the octets of a WebSocket. Nothing is kept of it but
//! how much it was, and nothing of it outlives the session.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::pool::Lease;
use super::rewrite::Rewriter;
use crate::session::{End, Session};

/// Octets of a WebSocket that are in the hub at once, each way.
const PIPE_LEN: usize = 16 * 1024;

/// How much went through one request, also counted for its session.
#[derive(Debug)]
pub(super) struct Meter {
    session: Session,
    status: AtomicU16,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Meter {
    pub(super) fn new(session: Session) -> Arc<Self> {
        Arc::new(Self {
            session,
            status: AtomicU16::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        })
    }

    /// The device has answered so.
    pub(super) fn has_answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// What the device answered; 0 if it has not.
    pub(super) fn status(&self) -> u16 {
        self.status.load(Ordering::Relaxed)
    }

    /// Octets to the device.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Octets from the device.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    fn has_sent(&self, octets: usize) {
        let octets = octets as u64;
        self.sent.fetch_add(octets, Ordering::Relaxed);
        let tally = self.session.tally();
        tally.sent.fetch_add(octets, Ordering::Relaxed);
    }

    fn has_received(&self, octets: usize) {
        let octets = octets as u64;
        self.received.fetch_add(octets, Ordering::Relaxed);
        let tally = self.session.tally();
        tally.received.fetch_add(octets, Ordering::Relaxed);
    }
}

/// Tells a waiting note that all of an answer went through, or that no more of it will.
pub(super) type Done = oneshot::Sender<()>;

/// The session's end, as a body waits for it.
type Ended = Pin<Box<dyn Future<Output = End> + Send>>;

fn ended(session: &Session) -> Ended {
    let session = session.clone();
    Box::pin(async move { session.ended().await })
}

fn over() -> io::Error {
    io::Error::other("the session has ended")
}

/// A request's body on its way to the device: its octets, no trailers.
pub(super) struct Upload {
    body: Body,
    meter: Arc<Meter>,
    ended: Ended,
}

impl Upload {
    pub(super) fn new(body: Body, meter: Arc<Meter>) -> Self {
        let ended = ended(&meter.session);
        Self { body, meter, ended }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(over())));
        }
        match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                // Trailers end a body.
                let data = frame.into_data().ok();
                self.meter.has_sent(data.as_ref().map_or(0, Bytes::len));
                Poll::Ready(data.map(|data| Ok(Frame::data(data))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(io::Error::other(error)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body on its way to the browser.
pub(super) struct Download {
    body: Incoming,
    rewriter: Option<Rewriter>,
    meter: Arc<Meter>,
    ended: Ended,
    is_finished: bool,
    /// Goes back once the body is whole; a connection with half of one is no use to the next.
    lease: Option<Lease>,
    _done: Done,
    _place: OwnedSemaphorePermit,
}

impl Download {
    pub(super) fn new(
        body: Incoming,
        rewriter: Option<Rewriter>,
        meter: Arc<Meter>,
        (lease, done, place): (Lease, Done, OwnedSemaphorePermit),
    ) -> Self {
        let ended = ended(&meter.session);
        Self {
            body,
            rewriter,
            meter,
            ended,
            is_finished: false,
            lease: Some(lease),
            _done: done,
            _place: place,
        }
    }

    /// What is left when the printer has said all.
    fn last(&mut self) -> Option<Bytes> {
        self.is_finished = true;
        let rest = self.rewriter.take()?.finish();
        Some(Bytes::from(rest)).filter(|rest| !rest.is_empty())
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(over())));
        }
        loop {
            let data = match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame.into_data().ok(),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                None => None,
            };
            let Some(data) = data else {
                return Poll::Ready(self.last().map(|last| Ok(Frame::data(last))));
            };
            self.meter.has_received(data.len());
            let data = match &mut self.rewriter {
                Some(rewriter) => Bytes::from(rewriter.push(&data)),
                None => data,
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rewriter.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.rewriter {
            Some(_) => SizeHint::default(),
            None => self.body.size_hint(),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && (self.is_finished || self.body.is_end_stream())
        {
            lease.give_back();
        }
    }
}

/// Carries a WebSocket until one end has enough, or the session ends.
pub(super) async fn pipe(
    browser: OnUpgrade,
    device: OnUpgrade,
    meter: Arc<Meter>,
    (_done, _place): (Done, OwnedSemaphorePermit),
) {
    let session = meter.session.clone();
    let piping = async {
        let (browser, device) = tokio::try_join!(browser, device).map_err(io::Error::other)?;
        let (from_browser, to_browser) = tokio::io::split(TokioIo::new(browser));
        let (from_device, to_device) = tokio::io::split(TokioIo::new(device));
        tokio::select! {
            up = pour(from_browser, to_device, |octets| meter.has_sent(octets)) => up,
            down = pour(from_device, to_browser, |octets| meter.has_received(octets)) => down,
        }
    };
    tokio::select! {
        biased;
        _ = session.ended() => {}
        // Whichever way it ends, both sides are let go of.
        _ = piping => {}
    }
}

async fn pour(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: impl Fn(usize),
) -> io::Result<()> {
    let mut buffer = vec![0; PIPE_LEN];
    loop {
        let len = from.read(&mut buffer).await?;
        let read = buffer.get(..len).unwrap_or_default();
        if read.is_empty() {
            return to.shutdown().await;
        }
        count(len);
        to.write_all(read).await?;
        to.flush().await?;
    }
}
