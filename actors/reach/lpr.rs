//! LPR: the state of a print queue, and a Zebra's command as a job.
//!
//! Takes a [`Printer`] for the one and a [`Zebra`] for the other; see [`super::identified`]. The
//! port we come from is the system's choice: printers ignore that RFC 1179 wants 721 to 731.

use std::time::Duration;

use printer::lpr::{self, ANSWER_BYTES_MAX, Detail, Queue, QueueState, TAKEN};
use printer::zebra::Command;

use super::identified::{Printer, Zebra};
use super::raw::{Line, RawError};
use super::zebra::Told;

/// The port of LPR (RFC 1179 §3.1).
pub const PORT: u16 = 515;

/// How long an answer may take, to its last octet.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Asks how a queue is.
///
/// # Errors
/// [`RawError`]; `Mute` where nothing comes and the connection stands.
pub async fn queue(
    printer: &Printer,
    queue: &Queue,
    detail: Detail,
) -> Result<QueueState, RawError> {
    let peer = printer.addr();
    let mut line = Line::new(printer.connect().await?, peer);
    line.say(&lpr::question(detail, queue)).await?;
    let answer = line.hear_out(ANSWER_WAIT, ANSWER_BYTES_MAX).await?;
    if answer.is_empty() && !line.is_ended() {
        let language = "LPR";
        return Err(RawError::Mute { peer, language });
    }
    Ok(lpr::read(&answer))
}

/// Tells a Zebra something by a job of its own.
///
/// # Errors
/// [`RawError`]; `NotTaken` where the printer refuses the job.
pub async fn tell(zebra: &Zebra, queue: &Queue, command: &Command) -> Result<Told, RawError> {
    let peer = zebra.addr();
    let mut line = Line::new(zebra.connect().await?, peer);
    for (step, octets) in (1..).zip(lpr::job(queue, command)) {
        line.say(&octets).await?;
        let answer = line.hear_out(ANSWER_WAIT, 1).await?;
        if answer != [TAKEN] {
            let answer = answer.first();
            let answer = answer.map_or("missing".to_owned(), |octet| octet.to_string());
            return Err(RawError::NotTaken { peer, step, answer });
        }
    }
    let octets = line.finish().await;
    Ok(Told {
        octets,
        is_confirmed: false,
    })
}
