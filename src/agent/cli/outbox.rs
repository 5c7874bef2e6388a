//! `platen outbox`: what left this network.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use actors::outbox::{self, Kind};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::running::ConfigArgs;
use super::{CliError, Exit, sent};

/// Seconds of a day.
const DAY_SECS: u64 = 86_400;
/// Furthest that one can look back, in seconds: further than anything is kept.
const BACK_SECS_MAX: u64 = 10 * 366 * DAY_SECS;

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen outbox                         the last 24 hours
  platen outbox --since yesterday
  platen outbox --since 2h --kind poll --json

Days begin at 00:00 UTC.";

/// Arguments of `platen outbox`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct OutboxArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// From when: today, yesterday, 30m, 2h, 7d, 2026-11-25, or an instant of RFC 3339
    #[arg(long, value_name = "WHEN", default_value = "24h")]
    since: String,
    /// Until when, in the same forms; now without it
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only these: poll, outcome, presence, enrollment, renewal, session, gap or dropped
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// As it is kept: one JSON a line
    #[arg(long)]
    json: bool,
}

/// Prints what was sent.
///
/// # Errors
/// [`CliError`] when a time cannot be, or the log cannot be read.
pub fn run(args: &OutboxArgs) -> Result<Exit, CliError> {
    let now = Timestamp::now();
    let when = |text: &str| {
        instant(text, now).ok_or_else(|| {
            CliError::new(Exit::USAGE, format!("'{text}' is no time"))
                .try_next("write today, yesterday, 30m, 2h, 7d, or a date as 2026-11-25")
        })
    };
    let since = when(&args.since)?;
    let until = args.until.as_deref().map(when).transpose()?.unwrap_or(now);
    let state_dir = args.config.load()?.state_dir;
    let mut out = io::stdout().lock();
    let mut shown = 0_u64;
    let read = outbox::read(&state_dir, (since, until), |entry| {
        if args.kind.is_some_and(|kind| kind != entry.kind) {
            return Ok(());
        }
        shown += 1;
        if args.json {
            writeln!(out, "{}", super::table::json_line(&entry)?)
        } else {
            write!(out, "{}", sent::lines(&entry))
        }
    });
    match read {
        Ok(()) => {}
        // Who reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::OK),
        Err(error) => {
            let what = format!("what was sent from {} cannot be read", state_dir.display());
            return Err(CliError::new(Exit::FAILED, what)
                .because(error.to_string())
                .try_next("run it as the agent's user"));
        }
    }
    if shown == 0 {
        eprintln!("nothing was sent from {since} to {until}");
    }
    Ok(Exit::OK)
}

fn kind(text: &str) -> Result<Kind, String> {
    let kind = serde_json::from_value(Value::String(text.to_owned()));
    kind.map_err(|_| {
        "write poll, outcome, presence, enrollment, renewal, gap or dropped".to_owned()
    })
}

/// The instant that a person means.
fn instant(text: &str, now: Timestamp) -> Option<Timestamp> {
    let day = now.as_second().div_euclid(DAY_SECS.cast_signed());
    let midnight = |day: i64| Timestamp::from_second(day * DAY_SECS.cast_signed()).ok();
    match text {
        "today" => return midnight(day),
        "yesterday" => return midnight(day - 1),
        _ => {}
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return format!("{date}T00:00:00Z").parse().ok();
    }
    let unit = text.chars().next_back()?;
    let secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => DAY_SECS,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let back = number.checked_mul(secs)?;
    if back > BACK_SECS_MAX {
        return None;
    }
    now.checked_sub(Duration::from_secs(back)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-25T13:30:00Z".parse().expect("an instant");
        for (text, means) in [
            ("today", "2026-11-25T00:00:00Z"),
            ("yesterday", "2026-11-24T00:00:00Z"),
            ("90s", "2026-11-25T13:28:30Z"),
            ("30m", "2026-11-25T13:00:00Z"),
            ("2h", "2026-11-25T11:30:00Z"),
            ("7d", "2026-11-18T13:30:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T08:00:00Z", "2026-11-01T08:00:00Z"),
        ] {
            let means: Timestamp = means.parse().expect("an instant");
            assert_eq!(instant(text, now), Some(means), "{text}");
        }
        for text in [
            "",
            "h",
            "-2h",
            "2w",
            "tomorrow",
            "99999999999d",
            "2026-13-01",
        ] {
            assert_eq!(instant(text, now), None, "{text}");
        }
    }
}
