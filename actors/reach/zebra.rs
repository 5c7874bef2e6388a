//! Zebras over their raw port: read by SGD and `~HS`, and told one of a closed list of commands.
//!
//! Takes a [`Zebra`], the proof that SNMP called it one; see [`super::identified`].

use std::time::Duration;

use jiff::Timestamp;
use printer::reading::Reading;
use printer::zebra::sgd::{self, Answer, Variable};
use printer::zebra::{Command, Said, host, judge};

use super::identified::Zebra;
use super::raw::{Line, RawError};

/// How long one answer may take. Others give up after 0.8 s; one that wakes up takes longer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// How many octets were sent.
    pub octets: usize,
    /// Whether the printer was asked afterwards and has it so; only a variable can be asked.
    pub is_confirmed: bool,
}

/// Reads a Zebra. One that answers nothing, or not to `~HS`, is a reading that says so: it is how a
/// Zebra says that it stands.
///
/// # Errors
/// [`RawError`].
pub async fn read_device(zebra: &Zebra) -> Result<Reading, RawError> {
    let peer = zebra.addr();
    let mut line = Line::new(zebra.connect().await?, peer);
    let mut said = Said::default();
    for variable in Variable::READING {
        line.say(&sgd::question(variable)).await?;
        match line.hear(ANSWER_WAIT, sgd::answer).await? {
            Some(answer) => said.take(variable, answer),
            // A late answer would be taken for the next one's.
            None => break,
        }
    }
    // SGD and ZPL are never mixed in one send.
    if !line.is_ended() {
        line.say(host::QUESTION).await?;
        if let Some(status) = line.hear(ANSWER_WAIT, host::decode).await? {
            said.take_host(status);
        }
    }
    if line.is_ended() {
        return Err(RawError::HungUp(peer));
    }
    let now = Timestamp::now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    line.finish().await;
    Ok(judge(&said, Some(peer.ip()), at))
}

/// Tells a Zebra something. Of a variable it is asked afterwards whether it kept it.
///
/// # Errors
/// [`RawError`]; `NotKept` where it has another value.
pub async fn tell(zebra: &Zebra, command: &Command) -> Result<Told, RawError> {
    let peer = zebra.addr();
    let mut line = Line::new(zebra.connect().await?, peer);
    line.say(&command.octets()).await?;
    let mut is_confirmed = false;
    if let Command::Set(setting) = command {
        let variable = setting.variable();
        line.say(&sgd::question(variable)).await?;
        let kept = match line.hear(ANSWER_WAIT, sgd::answer).await? {
            Some(Answer::Text(kept)) if setting.is_kept(&kept) => None,
            Some(Answer::Text(kept)) => Some(kept),
            Some(Answer::NotThere) => Some("?".to_owned()),
            None => return Ok(told(line, false).await),
        };
        if let Some(kept) = kept {
            let variable = variable.name();
            return Err(RawError::NotKept {
                peer,
                variable,
                kept,
            });
        }
        is_confirmed = true;
    }
    Ok(told(line, is_confirmed).await)
}

async fn told(line: Line, is_confirmed: bool) -> Told {
    let octets = line.finish().await;
    Told {
        octets,
        is_confirmed,
    }
}
