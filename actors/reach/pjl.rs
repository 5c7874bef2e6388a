//! PJL over a raw port: what a printer says of itself to INFO, and nothing else.
//!
//! Takes a [`PjlPrinter`], the proof that it lists PJL; see [`super::identified`].

use std::time::Duration;

use jiff::Timestamp;
use printer::pjl::{self, Info, Said};
use printer::reading::Reading;

use super::identified::PjlPrinter;
use super::raw::{Line, RawError};

/// How long one answer may take: a printer that wakes up takes some seconds.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Questions without an answer after which no more are asked: older printers are silent to the
/// categories that they lack.
const SILENCES_MAX: usize = 2;

/// Reads a printer over PJL.
///
/// # Errors
/// [`RawError`]; `Mute` where it answers nothing.
pub async fn read_device(printer: &PjlPrinter) -> Result<Reading, RawError> {
    let peer = printer.addr();
    let mut line = Line::new(printer.connect().await?, peer);
    let (mut said, mut silences) = (Said::default(), 0);
    for (number, info) in (1..).zip(Info::READING) {
        line.say(&pjl::question(info, number)).await?;
        let heard = line.hear(ANSWER_WAIT, |octets| pjl::answer(octets, info, number));
        match heard.await? {
            Some(answer) => said.take(info, answer),
            None => silences += 1,
        }
        if line.is_ended() {
            return Err(RawError::HungUp(peer));
        }
        if silences >= SILENCES_MAX {
            break;
        }
    }
    let now = Timestamp::now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    line.finish().await;
    if said.is_empty() {
        let language = "PJL";
        return Err(RawError::Mute { peer, language });
    }
    Ok(pjl::judge(&said, Some(peer.ip()), at))
}
