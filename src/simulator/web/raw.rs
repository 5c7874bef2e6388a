//! Raw ports: one that swallows what comes, as a printer prints it, and one that talks PJL for ever.
//!
//! What comes is a document. It is counted and forgotten.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::web::Visit;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// What a printer says of itself unasked (HP, PJL Technical Reference, USTATUS DEVICE).
const USTATUS: &[u8] =
    b"@PJL USTATUS DEVICE\r\nCODE=10001\r\nDISPLAY=\"Ready\"\r\nONLINE=TRUE\r\n\x0c";
/// How often it is said in one write.
const USTATUS_TIMES: usize = 256;

/// Counts what comes until the peer has nothing more to say.
pub(crate) async fn swallow(mut stream: TcpStream, visit: &Visit) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => visit.station().swallowed(length),
        }
    }
}

/// Talks until the peer has heard enough.
pub(crate) async fn talk(mut stream: TcpStream, visit: &Visit) {
    let block = Bytes::from(USTATUS.repeat(USTATUS_TIMES));
    let (mut reading, mut writing) = stream.split();
    let mut buffer = vec![0; READ_BYTES];
    let listen = async {
        while let Ok(length @ 1..) = reading.read(&mut buffer).await {
            visit.station().swallowed(length);
        }
        // A peer that has closed its half may still listen.
        std::future::pending::<()>().await;
    };
    let talk = async { while writing.write_all(&block).await.is_ok() {} };
    tokio::select! {
        () = listen => {}
        () = talk => {}
    }
}
