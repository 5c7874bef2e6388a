//! A log that is long: streamed in chunks, or with its length said first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};

use crate::web::http::{self, Answer, field};
use crate::web::{Visit, panel};

/// How long the log is unless it is asked for otherwise, in MiB.
const MIB: u64 = 200;
/// The longest that can be asked for, in MiB.
const MIB_MAX: u64 = 4_096;
/// One piece: a few hundred lines at once, as a device reads them from its disk.
const PIECE_BYTES: usize = 64 * 1024;
/// What the navigation has besides the panel.
const MORE: [(&str, &str); 2] = [("/log", "Log"), ("/log?length=1", "Log with its length")];

/// Answers for the log (`?mib=`, and `?length=1` for one whose length is said), and for the panel.
pub(crate) async fn answer<B>(request: &Request<B>, visit: &Visit) -> Answer {
    if request.uri().path() != "/log" {
        return panel::answer_with(request, visit, &MORE).await;
    }
    let query = http::fields(request.uri().query().unwrap_or(""));
    let mib = field(&query, "mib").and_then(|mib| mib.parse().ok());
    let log = Log {
        left: mib.unwrap_or(MIB).min(MIB_MAX) * 1024 * 1024,
        piece: piece(),
        is_measured: field(&query, "length") == Some("1"),
    };
    let mut answer = Response::new(log.boxed_unsync());
    let kind = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// A piece of log, which begins and ends with a line.
pub(crate) fn piece() -> Bytes {
    const LINE: &[u8] = b"2019-03-04 08:15:00 INFO  engine: page fed from tray 2, fuser 187 C\n";
    let mut piece = LINE.repeat(PIECE_BYTES / LINE.len());
    piece.resize(PIECE_BYTES - 1, b'.');
    piece.push(b'\n');
    Bytes::from(piece)
}

struct Log {
    left: u64,
    piece: Bytes,
    is_measured: bool,
}

impl hyper::body::Body for Log {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = self.left.min(PIECE_BYTES as u64);
        self.left -= length;
        // At most a piece, which fits into memory.
        let piece = self.piece.slice(..length as usize);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_measured {
            SizeHint::with_exact(self.left)
        } else {
            SizeHint::default()
        }
    }
}
