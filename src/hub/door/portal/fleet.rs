//! The fleet page: which printers need someone, and where to find a given one.
//!
//! Used by the router. The page is built by pure functions from what the store gives; the handler
//! only asks. Searching and filtering are links and a form: no script runs in this portal.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::{Span, Timestamp};
use printer::identity::shown_address;
use printer::reading::Reading;
use printer::summary::{LOW_PERCENT, is_low, lowest_supply};
use printer::supply::{Level, Supply};
use serde::Deserialize;

use super::bar::{Bar, Tank, tanks};
use super::chart::Chart;
use super::gate::Viewer;
use super::mark::{Kind, Mark, Now};
use super::text::{age, ago, count, counted, instant};
use super::words::{level, printer_name, supply_name, total, total_unit};
use super::{PageError, PortalState, page};
use crate::meter::day_of;
use crate::store::StoreError;
use crate::store::agents::AgentRow;
use crate::store::approvals::grouped;
use crate::store::printers::{PrinterRow, Which};

/// Printers in one page. A thousand rows are 700 kB of HTML; who has more searches.
const ROWS_MAX: usize = 500;

/// Supplies in the list of those that run out first: one screen beside the chart.
const LOWEST_MAX: usize = 6;

/// Days of the chart.
const CHART_DAYS: i64 = 90;

/// Longest search that is looked at, in characters.
const SEARCH_MAX: usize = 80;

/// What the address of the page asks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Ask {
    /// A tile's filter: `ready`, `low`, `stopped`, `silent`.
    #[serde(default)]
    show: String,
    /// Words to find.
    #[serde(default)]
    q: String,
}

/// A printer with its mark, which decides where it is counted.
struct Entry<'a> {
    row: &'a PrinterRow,
    mark: Mark,
}

/// A number of the first row, and the link that shows whom it counts.
struct Tile {
    kind: Kind,
    number: String,
    label: &'static str,
    show: &'static str,
    is_current: bool,
}

/// A supply of the list of those that run out first.
struct Lowest {
    href: String,
    printer: String,
    name: String,
    place: String,
    bar: Bar,
    is_low: bool,
}

/// A printer of the table.
struct Row {
    href: String,
    name: String,
    place: String,
    mark: Mark,
    serial: String,
    address: String,
    pages: String,
    unit: &'static str,
    tanks: Vec<Tank>,
    tanks_words: String,
    lowest: String,
    lowest_name: String,
    is_low: bool,
    read: String,
    read_at: String,
    agent: String,
}

/// An agent that is not heard, whose printers are shown as they last were.
struct Unheard {
    name: String,
    mark: Mark,
    printers: String,
}

/// An agent of the last table.
struct Agent {
    href: String,
    name: String,
    mark: Mark,
    last_poll: String,
    printers: String,
    waiting: String,
    version: String,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    at: String,
    tiles: Vec<Tile>,
    lowest: Vec<Lowest>,
    chart: Option<Chart>,
    rows: Vec<Row>,
    rows_hidden: usize,
    rows_found: String,
    is_narrowed: bool,
    ask: Ask,
    unheard: Vec<Unheard>,
    enrollments: Vec<String>,
    agents: Vec<Agent>,
    has_polled: bool,
}

/// Shows the fleet.
///
/// # Errors
/// [`PageError`] when the store does not answer.
pub async fn show(
    _viewer: Viewer,
    State(state): State<PortalState>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    let now = Timestamp::now();
    let printers = newest_of_each(state.store.fleet(&state.tenant).await?);
    let agents = state.store.agents(&state.tenant).await?;
    let today = day_of(now);
    let first = today.saturating_sub(Span::new().days(CHART_DAYS - 1));
    let days = state
        .store
        .daily_pages(&state.tenant, Which::All, first, today)
        .await?;
    let seen = Now {
        at: now,
        poll_every: state.poll_every,
        agents: &agents,
    };
    let mut fleet = build(&printers, ask, seen);
    fleet.chart = Chart::of(&days);
    fleet.enrollments = enrollments(&state, now).await?;
    page(&fleet)
}

/// Keeps one row a printer, the newest: two agents may see the same one, and two devices be one.
fn newest_of_each(rows: Vec<PrinterRow>) -> Vec<PrinterRow> {
    let mut newest: BTreeMap<String, PrinterRow> = BTreeMap::new();
    for row in rows {
        let key = row.root.to_string();
        if newest
            .get(&key)
            .is_none_or(|known| known.last_seen < row.last_seen)
        {
            newest.insert(key, row);
        }
    }
    newest.into_values().collect()
}

fn build(printers: &[PrinterRow], ask: Ask, now: Now<'_>) -> FleetPage {
    let words = search_words(&ask.q);
    let entry = |row| Entry {
        row,
        mark: Mark::of_printer(row, now),
    };
    let entries: Vec<_> = printers.iter().map(entry).collect();
    let mut shown: Vec<_> = entries
        .iter()
        .filter(|entry| entry.is_in(&ask.show) && matches(entry.row, &words))
        .collect();
    shown.sort_by_cached_key(|entry| {
        (
            entry.urgency(),
            printer_name(&entry.row.reading).to_lowercase(),
        )
    });
    FleetPage {
        at: instant(now.at),
        tiles: tiles(&entries, &ask.show),
        lowest: lowest_first(&entries),
        chart: None,
        rows_found: format!(
            "{} of {}",
            count(shown.len() as u64),
            count(entries.len() as u64)
        ),
        rows_hidden: shown.len().saturating_sub(ROWS_MAX),
        rows: shown
            .into_iter()
            .take(ROWS_MAX)
            .map(|entry| Row::of(entry, now.at))
            .collect(),
        is_narrowed: !ask.show.is_empty() || !words.is_empty(),
        ask,
        unheard: unheard(now),
        enrollments: Vec::new(),
        has_polled: now.agents.iter().any(|agent| agent.last_poll.is_some()),
        agents: now
            .agents
            .iter()
            .map(|agent| Agent::of(agent, now))
            .collect(),
    }
}

/// Whom a person should let in or turn down, and what is wrong with enrollments.
async fn enrollments(state: &PortalState, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let pending = state.store.pending(&state.tenant, now).await?;
    let alarms = state.store.enrollment_alarms(&state.tenant, now).await?;
    let pending = pending.into_iter().map(|one| {
        format!(
            "{} waits for approval, with a key of fingerprint {}: platen-hub agent approve {}",
            one.agent_name,
            grouped(&one.key_hash),
            one.agent_name
        )
    });
    let alarms = alarms.into_iter().map(|alarm| alarm.to_string());
    Ok(pending.chain(alarms).collect())
}

/// The agents whose printers may have changed since: of those without printers the last table tells.
fn unheard(now: Now<'_>) -> Vec<Unheard> {
    let agents = now.agents.iter().filter(|agent| agent.printers > 0);
    let marked = agents.map(|agent| (agent, Mark::of_agent(agent, now)));
    marked
        .filter(|(_, mark)| matches!(mark.kind, Kind::Silent | Kind::Critical))
        .map(|(agent, mark)| Unheard {
            name: agent.name.clone(),
            mark,
            printers: counted(agent.printers, "printer"),
        })
        .collect()
}

/// The words of a search, in lower case.
fn search_words(q: &str) -> Vec<String> {
    let bounded: String = q.chars().take(SEARCH_MAX).collect();
    bounded
        .to_lowercase()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// Whether a printer has every word somewhere in what it is known by.
fn matches(row: &PrinterRow, words: &[String]) -> bool {
    let identity = &row.reading.identity;
    let address = row.reading.address.map(shown_address);
    let known_by = [
        &identity.vendor,
        &identity.model,
        &identity.serial,
        &identity.mac,
        &identity.host_name,
        &identity.asset,
        &identity.location,
        &address,
        &Some(row.agent_name.clone()),
    ];
    let text: String = known_by
        .into_iter()
        .flatten()
        .map(|part| part.to_lowercase() + "\n")
        .collect();
    words.iter().all(|word| text.contains(word.as_str()))
}

impl Entry<'_> {
    /// Whether a tile's filter lets the printer through. An unknown filter lets all of them.
    fn is_in(&self, show: &str) -> bool {
        match show {
            "ready" => self.mark.kind == Kind::Ok,
            "low" => self.has_low(),
            "stopped" => self.mark.kind == Kind::Critical,
            "silent" => self.mark.kind == Kind::Silent,
            _ => true,
        }
    }

    /// Whether a supply of a printer that answers is low.
    fn has_low(&self) -> bool {
        self.mark.kind != Kind::Silent && self.row.reading.supplies.iter().any(is_low)
    }

    /// Who stands first in the table: what is stopped, what is missing, what will stop,
    /// then a silent agent's printers, of which nothing is known to be wrong.
    fn urgency(&self) -> u8 {
        match self.mark.kind {
            Kind::Critical => 0,
            Kind::Silent if self.row.silent_since.is_some() => 1,
            Kind::Warning => 2,
            _ if self.has_low() => 3,
            Kind::Silent => 4,
            Kind::Unknown => 5,
            Kind::Ok | Kind::All => 6,
        }
    }
}

fn tiles(entries: &[Entry<'_>], show: &str) -> Vec<Tile> {
    let tile = |kind, label, name: &'static str| Tile {
        kind,
        number: count(entries.iter().filter(|entry| entry.is_in(name)).count() as u64),
        label,
        show: name,
        is_current: show == name && !name.is_empty(),
    };
    vec![
        tile(Kind::All, "printers", ""),
        tile(Kind::Ok, "ready", "ready"),
        tile(Kind::Warning, "low on a supply", "low"),
        tile(Kind::Critical, "stopped by an error", "stopped"),
        tile(Kind::Silent, "silent", "silent"),
    ]
}

/// The supplies that run out first, one a printer, so that one empty machine does not fill the list.
fn lowest_first(entries: &[Entry<'_>]) -> Vec<Lowest> {
    let answering = entries
        .iter()
        .filter(|entry| entry.mark.kind != Kind::Silent);
    let mut all: Vec<_> = answering
        .filter_map(|entry| Some((entry.row, lowest_supply(&entry.row.reading.supplies)?)))
        .collect();
    all.sort_by(|(_, a), (_, b)| share_left(a).total_cmp(&share_left(b)));
    all.into_iter()
        .take(LOWEST_MAX)
        .map(|(row, supply)| Lowest {
            href: href(row),
            printer: printer_name(&row.reading),
            name: supply_name(supply),
            place: place(&row.reading),
            bar: Bar::of_supply(supply),
            is_low: is_low(supply),
        })
        .collect()
}

/// What orders supplies by who runs out first. A word stands where its maker means it.
fn share_left(supply: &Supply) -> f64 {
    match supply.level {
        Level::Percent { percent } => percent,
        Level::Quantity | Level::Empty => 0.0,
        Level::Low => LOW_PERCENT,
        Level::Full | Level::Some | Level::Unknown | Level::Unlimited | Level::Implausible => {
            f64::INFINITY
        }
    }
}

/// Where a printer stands, else what it calls itself: what tells apart two of one model.
fn place(reading: &Reading) -> String {
    let identity = &reading.identity;
    let place = identity.location.clone().or(identity.host_name.clone());
    place.unwrap_or_default()
}

/// The address of a printer's page.
fn href(row: &PrinterRow) -> String {
    format!("/printers/{}", row.device)
}

impl Row {
    fn of(entry: &Entry<'_>, now: Timestamp) -> Self {
        let row = entry.row;
        let reading = &row.reading;
        let identity = &reading.identity;
        let lowest = lowest_supply(&reading.supplies);
        Self {
            href: href(row),
            name: printer_name(reading),
            place: place(reading),
            mark: entry.mark.clone(),
            serial: identity.serial.clone().unwrap_or_default(),
            address: reading.address.map(shown_address).unwrap_or_default(),
            pages: total(reading)
                .map(|total| {
                    let beta = if total.beta { " beta" } else { "" };
                    format!("{}{beta}", count(total.value))
                })
                .unwrap_or_default(),
            unit: total(reading).map_or("pages", total_unit),
            tanks: tanks(&reading.supplies),
            tanks_words: tanks_words(row),
            lowest: lowest
                .map(|s| level(s.level, s.remaining, s.unit))
                .unwrap_or_default(),
            lowest_name: lowest
                .map(|s| supply_name(s).to_lowercase())
                .unwrap_or_default(),
            is_low: lowest.is_some_and(is_low),
            read: age(row.last_seen, now),
            read_at: instant(row.last_seen),
            agent: row.agent_name.clone(),
        }
    }
}

/// Every supply of a row in words, for the title of its tanks.
fn tanks_words(row: &PrinterRow) -> String {
    let words: Vec<_> = row
        .reading
        .supplies
        .iter()
        .map(|s| format!("{} {}", supply_name(s), level(s.level, s.remaining, s.unit)))
        .collect();
    words.join(", ")
}

impl Agent {
    fn of(agent: &AgentRow, now: Now<'_>) -> Self {
        let waiting = agent.status.as_ref().map(|status| status.spool_reports);
        Self {
            href: format!("/agents/{}", agent.id),
            name: agent.name.clone(),
            mark: Mark::of_agent(agent, now),
            last_poll: agent
                .last_poll
                .map_or("never".to_owned(), |at| ago(at, now.at)),
            printers: count(agent.printers),
            waiting: waiting.map(count).unwrap_or_default(),
            version: agent.version.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use printer::identity::DeviceId;
    use printer::status::Severity;

    use super::super::tests::{sample_agent, sample_reading};
    use super::*;
    use crate::store::agents::{AgentStatus, Refusing};

    #[test]
    fn each_printer_is_counted_where_it_stands() {
        let page = page_of(Ask::default());
        let numbers: Vec<_> = page.tiles.iter().map(|tile| tile.number.as_str()).collect();
        assert_eq!(
            numbers,
            ["5", "1", "1", "1", "2"],
            "all, ready, low, stopped, silent"
        );
    }

    #[test]
    fn who_needs_someone_stands_first() {
        let words: Vec<_> = page_of(Ask::default())
            .rows
            .into_iter()
            .map(|row| row.mark.words)
            .collect();
        assert_eq!(
            words,
            ["stopped", "silent 2 h", "cyan low", "agent silent", "ready"]
        );
    }

    #[test]
    fn a_tile_shows_whom_it_counts() {
        let ask = Ask {
            show: "stopped".to_owned(),
            q: String::new(),
        };
        let page = page_of(ask);
        assert_eq!(page.rows.len(), 1);
        assert!(page.is_narrowed && page.tiles[3].is_current);
        assert_eq!(page.rows_found, "1 of 5");
    }

    #[test]
    fn a_printer_is_found_by_every_word_it_is_known_by() {
        for (q, found) in [
            ("W2D8303202", 5),
            ("taskalfa 10.20.4", 5),
            ("zebra", 0),
            ("AWAY", 1),
        ] {
            let ask = Ask {
                show: String::new(),
                q: q.to_owned(),
            };
            assert_eq!(page_of(ask).rows.len(), found, "{q}");
        }
    }

    #[test]
    fn what_a_silent_printer_last_said_is_not_in_the_list_of_lowest_supplies() {
        let page = page_of(Ask::default());
        assert_eq!(page.lowest.len(), 3);
        assert_eq!(page.lowest[0].bar.words, "8 %");
    }

    #[test]
    fn a_silent_agent_is_told_before_its_printers() {
        let page = page_of(Ask::default());
        let [unheard] = page.unheard.as_slice() else {
            panic!("one agent is silent")
        };
        let told = (
            unheard.name.as_str(),
            unheard.mark.words.as_str(),
            unheard.printers.as_str(),
        );
        assert_eq!(told, ("away", "silent 1 h", "1 printer"));
    }

    #[test]
    fn an_alarm_of_an_agent_stands_in_its_row() {
        let mut agent = agent("here", 0);
        agent.status = Some(AgentStatus {
            alarms: vec!["the disk is full".to_owned()],
            ..AgentStatus::default()
        });
        let now = Now {
            at: now(),
            poll_every: Duration::from_secs(60),
            agents: &[],
        };
        let mark = Mark::of_agent(&agent, now);
        assert_eq!(mark.kind, Kind::Warning);
        assert_eq!(mark.words, "the disk is full");
    }

    #[test]
    fn a_printer_that_accepts_no_credential_is_not_silent() {
        let mut row = row(1, "here");
        row.silent_since = Some(now() - SignedDuration::from_hours(2));
        let mut agent = agent("here", 0);
        let refusing = Refusing {
            address: "10.20.4.17".to_owned(),
            why: "user 'mps': the user name is not known there".to_owned(),
            device: row.device.to_string(),
        };
        agent.status = Some(AgentStatus {
            refusing: vec![refusing],
            ..AgentStatus::default()
        });
        let mark_by = |agents: &[AgentRow]| {
            let (at, poll_every) = (now(), Duration::from_secs(60));
            let now = Now {
                at,
                poll_every,
                agents,
            };
            Mark::of_printer(&row, now)
        };
        let mark = mark_by(&[agent.clone()]);
        assert_eq!(mark.kind, Kind::Warning);
        assert_eq!(mark.words, "answers, but no credential fits");
        agent.status = None;
        assert_eq!(mark_by(&[agent]).words, "silent 2 h");
    }

    #[test]
    fn two_agents_that_see_one_printer_make_one_row() {
        let (mut old, new) = (row(1, "here"), row(1, "away"));
        old.last_seen -= SignedDuration::from_hours(1);
        let rows = newest_of_each(vec![old, new]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].agent_name, "away");
    }

    /// A fleet of five: ready, low, stopped, silent, and one behind a silent agent.
    fn page_of(ask: Ask) -> FleetPage {
        let mut fleet: Vec<_> = (0..4).map(|at| row(at, "here")).collect();
        fleet.push(row(4, "away"));
        fleet[1].reading.supplies[0].level = Level::Percent { percent: 8.0 };
        fleet[1].reading.status.severity = Severity::Warning;
        fleet[2].reading.status.severity = Severity::Critical;
        fleet[2].reading.status.state = printer::status::State::Stopped;
        fleet[3].silent_since = Some(now() - SignedDuration::from_hours(2));
        let agents = [agent("here", 0), agent("away", 60)];
        let now = Now {
            at: now(),
            poll_every: Duration::from_secs(60),
            agents: &agents,
        };
        build(&fleet, ask, now)
    }

    fn row(at: u8, agent: &str) -> PrinterRow {
        PrinterRow {
            device: DeviceId::parse(&format!("{at:032x}")).unwrap(),
            root: DeviceId::parse(&format!("{at:032x}")).unwrap(),
            agent: agent.to_owned(),
            agent_name: agent.to_owned(),
            reading: sample_reading(now(), 100),
            first_seen: now(),
            last_seen: now(),
            silent_since: None,
        }
    }

    fn agent(id: &str, minutes: i64) -> AgentRow {
        sample_agent(id, now() - SignedDuration::from_mins(minutes))
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000_000).unwrap()
    }
}
