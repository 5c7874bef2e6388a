//! A person's own SSH: `ssh -L 9100:s-SESSION:9100 NAME@HUB` into a session that they opened.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use jiff::Timestamp;
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tracing::debug;

use super::Gateway;
use super::line::Raw;
use crate::session::{Deed, Session, SessionId, Stream};

/// Connections of one person's SSH at once: as many as one session lets through.
pub(super) const RAWS_MAX: usize = 32;

/// What stands before a session's name where it is a host.
const PREFIX: &str = "s-";

/// Octets held on the way, each way: a packet of SSH.
const BUFFER: usize = 32 * 1024;

/// The session that a person may connect to by this host and port: an open one of their own.
pub(super) fn wanted(gateway: &Gateway, name: &str, (host, port): (&str, u32)) -> Option<Session> {
    let id = SessionId::parse(host.strip_prefix(PREFIX).unwrap_or(host))?;
    let session = gateway.sessions().find(&id)?;
    let terms = session.terms();
    let is_theirs = terms.holder == name && terms.tenant == *gateway.tenant();
    let is_now = terms.until > Timestamp::now();
    (is_theirs && is_now && u32::from(terms.port) == port).then_some(session)
}

/// Carries one connection, noted before it is made and after it has ended.
pub(super) async fn carry(
    session: Session,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    _raw: Raw,
) {
    let number = session.number();
    if session.note(Deed::RawBegan { number }).await.is_err() {
        reply.reject(ChannelOpenFailure::ResourceShortage).await;
        return;
    }
    let (sent, received) = match session.connect().await {
        Ok(device) => {
            reply.accept().await;
            let mut person = channel.into_stream();
            let mut device = Counted::new(device, session.clone());
            let copied =
                copy_bidirectional_with_sizes(&mut person, &mut device, BUFFER, BUFFER).await;
            debug!(session = %session.terms().id, ?copied, "a person's connection ended");
            device.octets()
        }
        Err(why) => {
            debug!(session = %session.terms().id, %why, "a person's connection was refused");
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            (0, 0)
        }
    };
    let ended = Deed::RawEnded {
        number,
        sent,
        received,
    };
    // A session whose deeds cannot be written has ended by that.
    let _ = session.note(ended).await;
}

/// A connection to a device whose octets are counted, in its session's tally too.
struct Counted {
    device: Box<dyn Stream>,
    session: Session,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counted {
    fn new(device: Box<dyn Stream>, session: Session) -> Self {
        Self {
            device,
            session,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// Octets to the device, and from it.
    fn octets(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.sent), of(&self.received))
    }
}

/// A length as it is counted.
fn octets(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.device).poll_read(context, buffer);
        let came = octets(buffer.filled().len() - before);
        self.received.fetch_add(came, Ordering::Relaxed);
        self.session
            .tally()
            .received
            .fetch_add(came, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.device).poll_write(context, bytes);
        if let Poll::Ready(Ok(len)) = &written {
            self.sent.fetch_add(octets(*len), Ordering::Relaxed);
            self.session
                .tally()
                .sent
                .fetch_add(octets(*len), Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.device).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.device).poll_shutdown(context)
    }
}
