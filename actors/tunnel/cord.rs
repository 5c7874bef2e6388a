//! A stream that can be cut from outside, and that tells whether it takes what is written.
//!
//! russh's session lives in a task of its own that nobody can abort. Cut the cord, and its next
//! read or write fails. russh also takes more than it can send, and keeps the memory: who sends
//! waits for the [`Flow`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, oneshot};

/// The stream.
#[derive(Debug)]
pub(super) struct Cord<S> {
    stream: S,
    knife: oneshot::Receiver<()>,
    flow: Flow,
}

/// Cuts the cord when it is dropped.
#[derive(Debug)]
pub(super) struct Knife {
    _held: oneshot::Sender<()>,
}

/// Whether a stream takes what is written to it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow(Arc<(AtomicBool, Notify)>);

impl Flow {
    /// Returns once it does, or has gone.
    pub(super) async fn goes_on(&self) {
        let (is_stuck, moved) = &*self.0;
        loop {
            // Made before the look, so that what happens after it is not missed.
            let moved = moved.notified();
            if !is_stuck.load(Ordering::Acquire) {
                return;
            }
            moved.await;
        }
    }

    fn set(&self, stuck: bool) {
        let (is_stuck, moved) = &*self.0;
        if is_stuck.swap(stuck, Ordering::AcqRel) && !stuck {
            moved.notify_waiters();
        }
    }
}

/// Ties a stream to a knife.
pub(super) fn tie<S>(stream: S) -> (Cord<S>, Knife, Flow) {
    let (held, knife) = oneshot::channel();
    let flow = Flow::default();
    let cord = Cord {
        stream,
        knife,
        flow: flow.clone(),
    };
    (cord, Knife { _held: held }, flow)
}

impl<S> Drop for Cord<S> {
    fn drop(&mut self) {
        self.flow.set(false);
    }
}

impl<S> Cord<S> {
    /// An error once the knife was dropped. A receiver that has told once must not be asked again,
    /// and russh does not after an error.
    fn is_cut(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_cut = self.knife.is_terminated() || Pin::new(&mut self.knife).poll(cx).is_ready();
        if is_cut {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the tunnel was cut",
            ));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cord<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_cut(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cord<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_cut(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.flow.set(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_cut(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_cut(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_cut_ends_whoever_waits() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut cord, knife, _) = tie(near);
        far.write_all(b"x").await.expect("written");
        let mut octet = [0];
        cord.read_exact(&mut octet).await.expect("read");
        let waiting = tokio::spawn(async move {
            let mut octet = [0];
            cord.read(&mut octet).await
        });
        tokio::task::yield_now().await;
        drop(knife);
        let ended = waiting.await.expect("no panic");
        assert_eq!(
            ended.expect_err("cut").kind(),
            io::ErrorKind::ConnectionAborted
        );
    }

    #[tokio::test]
    async fn who_sends_waits_until_the_stream_takes_more_or_has_gone() {
        let (near, mut far) = tokio::io::duplex(4);
        let (mut cord, _knife, flow) = tie(near);
        flow.goes_on().await;
        let writing = tokio::spawn(async move { cord.write_all(b"12345678").await.map(|()| cord) });
        tokio::task::yield_now().await;
        let held = tokio::time::timeout(Duration::from_millis(20), flow.goes_on()).await;
        assert!(held.is_err(), "it is full");
        far.read_exact(&mut [0; 4]).await.expect("read");
        let cord = writing.await.expect("no panic").expect("written");
        flow.goes_on().await;
        flow.set(true);
        let waiting = tokio::spawn(async move { flow.goes_on().await });
        tokio::task::yield_now().await;
        drop(cord);
        waiting.await.expect("it returns");
    }
}
