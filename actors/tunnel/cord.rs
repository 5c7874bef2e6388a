//! A stream that can be cut from outside: what speaks over it then ends, whatever it waits for.
//!
//! russh's session lives in a task of its own that nobody can abort. Cut the cord, and its next
//! read or write fails.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The stream.
#[derive(Debug)]
pub(super) struct Cord<S> {
    stream: S,
    knife: oneshot::Receiver<()>,
}

/// Cuts the cord when it is dropped.
#[derive(Debug)]
pub(super) struct Knife {
    _held: oneshot::Sender<()>,
}

/// Ties a stream to a knife.
pub(super) fn tie<S>(stream: S) -> (Cord<S>, Knife) {
    let (held, knife) = oneshot::channel();
    (Cord { stream, knife }, Knife { _held: held })
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
        Pin::new(&mut self.stream).poll_write(cx, buf)
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_cut_ends_whoever_waits() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut cord, knife) = tie(near);
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
}
