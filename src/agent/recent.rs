//! The last warnings and errors of this process, kept in memory for `platen diag`.
//!
//! A layer of the log: what it keeps is what the log said, so no secret is in it.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Most lines that are kept: an outage is a handful.
const LINES_MAX: usize = 200;
/// Longest line that is kept, in characters.
const LINE_CHARS_MAX: usize = 500;

/// The log of a process is one, and so is this.
static LINES: LazyLock<Mutex<VecDeque<String>>> = LazyLock::new(Mutex::default);

/// The layer that keeps them.
#[derive(Debug, Default)]
pub struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        // Levels are ordered from error up.
        if level > Level::WARN {
            return;
        }
        let mut words = Words(format!("{} {level}", Timestamp::now()));
        event.record(&mut words);
        let line: String = words.0.chars().take(LINE_CHARS_MAX).collect();
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The lines, oldest first.
#[must_use]
pub fn lines() -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().cloned().collect()
}

/// An event as one line: its message, then its fields.
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A String takes whatever is written to it.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn the_last_warnings_are_kept_and_no_more() {
        let subscriber = tracing_subscriber::registry().with(Recent);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..LINES_MAX + 5 {
                tracing::warn!(number, "the hub is away");
            }
            tracing::info!("polled");
            tracing::error!(long = "x".repeat(2 * LINE_CHARS_MAX), "too much");
        });
        let lines = lines();
        assert_eq!(lines.len(), LINES_MAX);
        assert!(
            lines[0].contains(" WARN the hub is away number=6"),
            "{}",
            lines[0]
        );
        let last = &lines[LINES_MAX - 1];
        assert!(last.contains("ERROR") && last.chars().count() == LINE_CHARS_MAX);
        assert!(!lines.iter().any(|line| line.contains("polled")));
    }
}
