//! A printer's LPR port (RFC 1179): the state of a queue, and jobs, which a label printer obeys.
//!
//! The queue `busy` lists two jobs with owners and file names, which are nobody's business.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::life::hand::Stand;
use crate::web::{Visit, label};

/// The octet by which a step of a job is taken.
const TAKEN: &[u8] = &[0];
/// Longest file of a job that is taken.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// Longest command.
const COMMAND_BYTES_MAX: u64 = 512;

/// Serves one connection.
pub(crate) async fn serve(stream: TcpStream, visit: &Visit) {
    let mut stream = BufReader::new(stream);
    let Some(command) = line(&mut stream, visit).await else {
        return;
    };
    let Some((code, rest)) = command.split_first() else {
        return;
    };
    let words = String::from_utf8_lossy(rest).into_owned();
    let queue = words.split_whitespace().next().unwrap_or_default();
    match code {
        2 => take_job(&mut stream, visit).await,
        3 | 4 => {
            let state = state(queue, visit.portrait().await.stands);
            // Who asked may have gone; the connection ends here either way.
            let _ = stream.get_mut().write_all(state.as_bytes()).await;
        }
        _ => visit.station().told("something unknown"),
    }
}

/// One command, up to its line feed.
async fn line(stream: &mut BufReader<TcpStream>, visit: &Visit) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut limited = stream.take(COMMAND_BYTES_MAX);
    let length = limited.read_until(b'\n', &mut octets).await.ok()?;
    visit.station().swallowed(length);
    octets.pop().filter(|last| *last == b'\n')?;
    Some(octets)
}

/// Takes files until the peer has no more; the data file of a label printer is obeyed.
async fn take_job(stream: &mut BufReader<TcpStream>, visit: &Visit) {
    if stream.get_mut().write_all(TAKEN).await.is_err() {
        return;
    }
    while let Some(step) = line(stream, visit).await {
        let text = String::from_utf8_lossy(step.get(1..).unwrap_or_default()).into_owned();
        let count: Option<usize> = text.split(' ').next().and_then(|it| it.parse().ok());
        let Some(count) = count.filter(|count| *count <= FILE_BYTES_MAX) else {
            return;
        };
        let mut file = vec![0; count + 1];
        let taken = stream.get_mut().write_all(TAKEN).await.is_ok();
        if !taken || stream.read_exact(&mut file).await.is_err() {
            return;
        }
        visit.station().swallowed(file.len());
        file.pop();
        if step.first() == Some(&3) {
            job(&mut file, visit).await;
        }
        if stream.get_mut().write_all(TAKEN).await.is_err() {
            return;
        }
    }
}

async fn job(file: &mut Vec<u8>, visit: &Visit) {
    if visit.portrait().await.firmware.is_empty() {
        visit.station().told("a job");
        return;
    }
    for line in label::lines(file) {
        label::obey(&line, visit).await;
    }
}

fn state(queue: &str, stands: Option<Stand>) -> String {
    let how = match stands {
        Some(Stand::MediaOut) => "is stopped: media out",
        Some(Stand::RibbonOut) => "is stopped: ribbon out",
        Some(Stand::HeadOpen) => "is stopped: head open",
        None => "is ready and printing",
    };
    let jobs = if queue == "busy" {
        "Rank   Owner      Job  Files                       Total Size\n\
         active anna       12   salaries.xls                1024 bytes\n\
         1st    jack       13   resignation.doc             99 bytes\n"
    } else {
        "no entries\n"
    };
    format!("{queue} {how}\n{jobs}")
}
