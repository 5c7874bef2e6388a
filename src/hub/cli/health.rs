//! `health`: asks the running hub whether it is well, as a container's health check does.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{bound, say};
use crate::config::HubConfig;

/// Longest the hub may take to say that it is well.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest answer read, in bytes: a status line, a few headers, a word.
const ANSWER_LEN_MAX: u64 = 8 * 1024;

/// Asks whether the process lives and whether its store answers.
pub(super) async fn health(config: &HubConfig) -> Result<Exit, Complaint> {
    let portal = bound(config)?.portal;
    for path in ["/livez", "/readyz"] {
        let answer = timeout(ANSWER_TIMEOUT, ask(portal, path)).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(away(portal, &error.to_string())),
            Err(_) => return Err(away(portal, &format!("no answer in {ANSWER_TIMEOUT:?}"))),
        };
        if !answer.starts_with("HTTP/1.1 200") {
            let why = answer
                .rsplit("\r\n\r\n")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
            return Err(Complaint::new(Exit::FAILED, "the hub runs and is not well")
                .because(why)
                .try_next("look at its log, and at the disk or server of store.url"));
        }
    }
    say("ok")?;
    Ok(Exit::OK)
}

/// One question over plain HTTP to our own loopback listener.
async fn ask(portal: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(portal).await?;
    let question = format!("GET {path} HTTP/1.1\r\nHost: {portal}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = String::new();
    stream
        .take(ANSWER_LEN_MAX)
        .read_to_string(&mut answer)
        .await?;
    Ok(answer)
}

fn away(portal: SocketAddr, why: &str) -> Complaint {
    Complaint::new(
        Exit::HUB_AWAY,
        format!("the hub does not answer on {portal}"),
    )
    .because(why)
    .try_next("start it: platen-hub serve; its log says why it ended")
}
