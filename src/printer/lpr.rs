//! LPR (RFC 1179): the state of a print queue, and a job that is one of a Zebra's commands.
//!
//! Two questions are asked, short (03) and long (04). Their answer is text without a standard form,
//! and below its state it lists jobs with their owners and file names: those are counted, and no name
//! of a person or a document is kept. A job (02) can only be made of a [`Command`] to a Zebra.

use std::fmt;

use crate::text;
use crate::zebra::Command;

/// Longest answer that is read, in octets: a queue of a hundred jobs has some 8 KiB.
pub const ANSWER_BYTES_MAX: usize = 32 * 1_024;

/// The octet by which each step of a job is taken (RFC 1179 §6); any other refuses it.
pub const TAKEN: u8 = 0;

/// Longest name of a queue, in octets: what print servers take is shorter.
const QUEUE_BYTES_MAX: usize = 64;

/// Most lines of state that are kept: printer, state, and what it waits for.
const LINES_MAX: usize = 4;

/// Most lines of an answer that are looked at: a job has some 30 octets, so more do not fit into one.
const LINES_READ_MAX: usize = 1_100;

/// The files of a job: number and host after the letters (RFC 1179 §7).
const CONTROL_NAME: &str = "cfA001platen";
const DATA_NAME: &str = "dfA001platen";

/// The control file: the host, whose job it is, and that the data are for the printer as they are
/// (RFC 1179 §7.2, §7.8, §7.19).
const CONTROL: &str = "Hplaten\nPplaten\nldfA001platen\nUdfA001platen\n";

/// The name of a queue: letters, digits and a few signs, so that it is one word on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue(String);

/// A text that can be no queue's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a queue's name is 1 to {QUEUE_BYTES_MAX} letters, digits, and . _ - / @")]
pub struct NoQueue;

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// 03 (RFC 1179 §5.3).
    Short,
    /// 04 (RFC 1179 §5.4).
    Long,
}

/// How a queue is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueState {
    /// What the printer says of the queue, the lines above its jobs.
    pub says: Vec<String>,
    /// How many jobs it lists; none where it does not list them in a form that is known.
    pub jobs: Option<usize>,
}

impl Queue {
    /// The name that nearly every printer takes.
    #[must_use]
    pub fn usual() -> Self {
        Self("lp".to_owned())
    }

    /// Takes a name as it is written.
    ///
    /// # Errors
    /// [`NoQueue`].
    pub fn parse(text: &str) -> Result<Self, NoQueue> {
        let is_sound = |octet: u8| octet.is_ascii_alphanumeric() || b"._-/@".contains(&octet);
        let is_one = (1..=QUEUE_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_sound);
        is_one.then(|| Self(text.to_owned())).ok_or(NoQueue)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The question for the state of a queue, as it is sent.
#[must_use]
pub fn question(detail: Detail, queue: &Queue) -> Vec<u8> {
    let code = match detail {
        Detail::Short => 3,
        Detail::Long => 4,
    };
    [&[code], queue.0.as_bytes(), b" \n"].concat()
}

/// The steps of a job that tells a Zebra something: each is sent when the one before was taken.
#[must_use]
pub fn job(queue: &Queue, command: &Command) -> Vec<Vec<u8>> {
    let data = command.octets();
    let with_end = |octets: &[u8]| [octets, &[0]].concat();
    vec![
        [&[2], queue.0.as_bytes(), b"\n"].concat(),
        format!("\x02{} {CONTROL_NAME}\n", CONTROL.len()).into_bytes(),
        with_end(CONTROL.as_bytes()),
        format!("\x03{} {DATA_NAME}\n", data.len()).into_bytes(),
        with_end(&data),
    ]
}

/// What an answer says of the queue, whatever its form.
#[must_use]
pub fn read(octets: &[u8]) -> QueueState {
    let octets = octets.get(..ANSWER_BYTES_MAX).unwrap_or(octets);
    let mut state = QueueState::default();
    let mut is_list = false;
    let lines = octets.split(|octet| *octet == b'\n');
    for line in lines.take(LINES_READ_MAX) {
        let line = text::decode(line, text::Charset::Unsaid);
        let is_job = is_job(&line);
        if is_job {
            state.jobs = Some(state.jobs.unwrap_or_default() + 1);
        }
        let lower = line.to_ascii_lowercase();
        if state.jobs.is_none() && says_empty(&lower) {
            state.jobs = Some(0);
        }
        // From the first job or the heading of the list on, names of people may come.
        is_list = is_list || is_job || state.says.len() >= LINES_MAX || is_heading(&lower);
        if !is_list && !line.is_empty() {
            state.says.push(line);
        } else if line.is_empty() && !state.says.is_empty() && state.jobs.is_none() {
            // What stands below a gap is a list in a form that is not known.
            is_list = true;
        }
    }
    state
}

/// `Rank Owner Job Files Total Size`, in whatever words: it names an owner or a job.
fn is_heading(lower: &str) -> bool {
    ["owner", "user", "rank"]
        .iter()
        .any(|word| lower.split_whitespace().any(|it| it == *word))
}

/// `active root 12 …`, `1st jack 13 …` (short), or `root: 1st [job 012host]` (long).
fn is_job(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let rank = |suffix| {
        let number = first.strip_suffix(suffix);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let is_ranked = first == "active" || ["st", "nd", "rd", "th"].into_iter().any(rank);
    (is_ranked && line.split_whitespace().count() > 2) || line.contains("[job ")
}

fn says_empty(lower: &str) -> bool {
    ["no entries", "queue is empty", "no jobs"]
        .iter()
        .any(|words| lower.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> Queue {
        Queue::parse(name).expect("a queue")
    }

    #[test]
    fn questions_and_jobs_are_as_the_rfc_has_them() {
        assert_eq!(question(Detail::Short, &queue("lp")), b"\x03lp \n");
        assert_eq!(question(Detail::Long, &queue("raw")), b"\x04raw \n");
        let steps = job(&queue("lp"), &Command::Feed);
        assert_eq!(steps[0], b"\x02lp\n");
        assert_eq!(
            steps[1],
            format!("\x02{} cfA001platen\n", CONTROL.len()).as_bytes()
        );
        assert_eq!(steps[3], b"\x035 dfA001platen\n");
        assert_eq!(steps[4], b"~PH\r\n\0");
        assert_eq!(steps.len(), 5);
    }

    #[test]
    fn a_name_that_would_end_the_word_is_no_queue() {
        for name in [
            "",
            "a b",
            "lp\n",
            "lp\x0b",
            "l\u{e4}",
            "x\x02",
            &"x".repeat(65),
        ] {
            assert_eq!(Queue::parse(name), Err(NoQueue), "{name:?}");
        }
        assert_eq!(queue("BINARY_P1").to_string(), "BINARY_P1");
    }

    #[test]
    fn states_are_kept_and_persons_are_not() {
        let table: &[(&[u8], &[&str], Option<usize>)] = &[
            (b"no entries\n", &["no entries"], Some(0)),
            (
                b"Printer: lp\r\nStatus: Ready (ready)\r\n\r\nno entries\r\n",
                &["Printer: lp", "Status: Ready (ready)"],
                Some(0),
            ),
            (
                b"lp is ready and printing\nRank   Owner  Job  Files  Total Size\n\
                  active anna   12   salaries.xls  1024 bytes\n1st    jack   13   x  99 bytes\n",
                &["lp is ready and printing"],
                Some(2),
            ),
            (
                b"lp is ready and printing\n\nanna: active   [job 012host]\n\
                  \tsalaries.xls    1024 bytes\n",
                &["lp is ready and printing"],
                Some(1),
            ),
            (
                b"Warteschlange bereit\n\nanna gehaelter.xls\n",
                &["Warteschlange bereit"],
                None,
            ),
            (b"", &[], None),
            (b"\x1b[31mready\xff\x00more\n", &["[31mready\u{ff}"], None),
        ];
        for (octets, says, jobs) in table {
            let state = read(octets);
            assert_eq!(state.says, *says, "{}", String::from_utf8_lossy(octets));
            assert_eq!(state.jobs, *jobs, "{}", String::from_utf8_lossy(octets));
        }
        let long = b"line\n".repeat(100_000);
        assert_eq!(read(&long).says.len(), LINES_MAX);
        // As many jobs as have room are counted, and what has more lines is no list of jobs.
        let job = "active anna   12   salaries.xls  1024 bytes\n";
        let jobs = ANSWER_BYTES_MAX / job.len();
        let all = job.repeat(jobs);
        assert_eq!(read(all.as_bytes()).jobs, Some(jobs));
        let short = "active a\n".repeat(LINES_READ_MAX + 100);
        assert!(read(short.as_bytes()).jobs.unwrap_or_default() <= LINES_READ_MAX);
    }
}
