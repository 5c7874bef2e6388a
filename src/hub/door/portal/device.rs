//! The printer page: its supplies, its meters with their evidence, and what has happened to it.
//!
//! Used by the router. The page is built by a pure function from what the store gives.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{Span, Timestamp};
use printer::direction::Direction;
use printer::identity::{DeviceId, Identity, shown_address};
use printer::meter::{Meter, MeterName};
use printer::reading::{Evidence, Reading};
use printer::summary::status_line;
use printer::supply::Supply;
use printer::tray::Tray;

use super::agent::{WHY_MISSING, object};
use super::bar::Bar;
use super::chart::Chart;
use super::gate::Viewer;
use super::history::{Event, events};
use super::mark::{Kind, Mark, Now};
use super::maybe::{self, MaybeOne};
use super::text::{ago, count, instant, moment};
use super::visit::{PORTS, WebForm};
use super::words::{self, level_note, meter_name, supply_name, unit};
use super::{PageError, PortalState, page};
use crate::meter::day_of;
use crate::permission::{Action, permit};
use crate::store::agents::AgentRow;
use crate::store::merges::{Families, Merge};
use crate::store::printers::{PastReading, PrinterDetail, PrinterRow, Which};

/// Days of the chart.
const CHART_DAYS: i64 = 90;

/// Readings asked of the store, of which the page shows the newest and every change among them.
const HISTORY_READINGS: u32 = 300;

/// Lines of the list of readings.
const READINGS_MAX: usize = 30;

/// A supply with its bar.
struct SupplyRow {
    name: String,
    description: String,
    bar: Bar,
    note: String,
    is_low: bool,
    evidence: Evidence,
}

/// A meter, its value and where it comes from.
struct MeterRow {
    name: String,
    value: String,
    unit: &'static str,
    is_beta: bool,
    evidence: Evidence,
}

/// A tray with its bar.
struct TrayRow {
    name: String,
    media: String,
    bar: Bar,
    note: String,
}

/// An alert with its mark.
struct AlertRow {
    mark: Mark,
    words: String,
    description: String,
    who: String,
}

/// How the doctor is asked about this printer.
struct Consult {
    action: String,
    address: String,
}

/// A kept reading in one line.
struct ReadingRow {
    at: String,
    total: String,
    status: String,
    agent: String,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    at: String,
    name: String,
    mark: Mark,
    facts: Vec<(&'static str, String)>,
    read: String,
    read_at: String,
    agent: String,
    elsewhere: Vec<String>,
    parts: Vec<String>,
    maybe_one: Vec<MaybeOne>,
    supplies: Vec<SupplyRow>,
    total: Option<MeterRow>,
    meters: Vec<MeterRow>,
    differences: Vec<String>,
    trays: Vec<TrayRow>,
    alerts: Vec<AlertRow>,
    conditions: Vec<String>,
    console: Vec<String>,
    stale: Option<String>,
    doctor: Option<Consult>,
    web: Option<WebForm>,
    web_action: String,
    chart: Option<Chart>,
    no_chart: String,
    events: Vec<Event>,
    readings: Vec<ReadingRow>,
    identity: Vec<(&'static str, String)>,
    sources: Vec<(String, Evidence)>,
    json: String,
}

/// Shows one printer.
///
/// # Errors
/// [`PageError::NotFound`] for a device nobody has read.
pub async fn show(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(device): Path<String>,
) -> Result<Response, PageError> {
    let device = DeviceId::parse(&device).ok_or(PageError::NotFound)?;
    with_form(&viewer, &state, &device, WebForm::default()).await
}

/// Shows one printer with a form that could not be taken.
pub(super) async fn with_form(
    viewer: &Viewer,
    state: &PortalState,
    device: &DeviceId,
    form: WebForm,
) -> Result<Response, PageError> {
    let detail = state.store.whole_printer(&state.tenant, device).await?;
    let detail = detail.ok_or(PageError::NotFound)?;
    let now = Timestamp::now();
    let today = day_of(now);
    let first = today.saturating_sub(Span::new().days(CHART_DAYS - 1));
    let days = state
        .store
        .daily_pages(&state.tenant, Which::One(device), first, today)
        .await?;
    let history = state
        .store
        .history(&state.tenant, device, HISTORY_READINGS)
        .await?;
    let agents = state.store.agents(&state.tenant).await?;
    let seen = Now {
        at: now,
        poll_every: state.poll_every,
        agents: &agents,
    };
    let mut printer = build(&detail, &history, seen);
    let merges = state.store.merges(&state.tenant).await?;
    printer.parts = parts(&merges, &detail.row.root);
    let fleet = state.store.fleet(&state.tenant).await?;
    printer.maybe_one = maybe::all(&fleet, &detail.row.root, (&merges, &agents));
    printer.chart = Chart::of(&days);
    printer.doctor = consult(viewer, state, &detail.row, &agents);
    let has_complaint = !form.complaint.is_empty();
    printer.web = viewer.may_web().is_ok().then_some(form);
    let shown = page(&printer)?;
    Ok(if has_complaint {
        (StatusCode::UNPROCESSABLE_ENTITY, shown).into_response()
    } else {
        shown
    })
}

fn build(detail: &PrinterDetail, history: &[PastReading], now: Now<'_>) -> DevicePage {
    let row = &detail.row;
    let reading = &row.reading;
    let is_total = |meter: &&Meter| meter.name == MeterName::TOTAL;
    DevicePage {
        at: instant(now.at),
        name: words::printer_name(reading),
        mark: Mark::of_printer(row, now),
        facts: facts(reading),
        read: ago(row.last_seen, now.at),
        read_at: instant(row.last_seen),
        agent: row.agent_name.clone(),
        elsewhere: detail
            .elsewhere
            .iter()
            .map(|row| row.agent_name.clone())
            .filter(|name| *name != row.agent_name)
            .collect(),
        parts: Vec::new(),
        maybe_one: Vec::new(),
        supplies: reading
            .supplies
            .iter()
            .map(|supply| SupplyRow::of(supply, history))
            .collect(),
        total: reading.meters.iter().find(is_total).map(MeterRow::of),
        meters: reading
            .meters
            .iter()
            .filter(|m| !is_total(m))
            .map(MeterRow::of)
            .collect(),
        trays: reading.trays.iter().map(TrayRow::of).collect(),
        differences: reading.facts.iter().map(|it| it.text.clone()).collect(),
        alerts: reading.alerts.iter().map(AlertRow::of).collect(),
        conditions: reading
            .status
            .conditions
            .iter()
            .map(|name| words::condition(name))
            .collect(),
        console: reading.status.console.clone(),
        stale: stale(row, now),
        doctor: None,
        web: None,
        web_action: format!("/printers/{}/sessions", row.device.as_str()),
        chart: None,
        no_chart: no_chart(reading),
        events: events(history),
        readings: history
            .iter()
            .take(READINGS_MAX)
            .map(ReadingRow::of)
            .collect(),
        identity: identity(&reading.identity),
        sources: reading.sources.clone().into_iter().collect(),
        json: serde_json::to_string_pretty(reading).unwrap_or_default(),
    }
}

/// The form for the doctor, where the session may ask the agent that read it last.
fn consult(
    viewer: &Viewer,
    state: &PortalState,
    row: &PrinterRow,
    agents: &[AgentRow],
) -> Option<Consult> {
    let agent = agents.iter().find(|agent| agent.id == row.agent)?;
    permit(&viewer.subject(), Action::Doctor, object(state, agent)).ok()?;
    Some(Consult {
        action: format!("/agents/{}/commands", agent.id),
        address: row.reading.address?.to_string(),
    })
}

/// The devices that a person merged into this printer, in words.
fn parts(merges: &[Merge], root: &DeviceId) -> Vec<String> {
    let families = Families::of(merges);
    let parts = merges
        .iter()
        .filter(|it| families.root(&it.device) == *root && !it.is_apart());
    parts
        .map(|it| {
            let (at, by) = (instant(it.at), &it.by);
            format!(
                "{} is part of it since {at}, by {by}: {}",
                it.device, it.reason
            )
        })
        .collect()
}

/// Says that the page is old, where the printer or its agent is not heard.
fn stale(row: &PrinterRow, now: Now<'_>) -> Option<String> {
    if Mark::of_printer(row, now).kind != Kind::Silent {
        return None;
    }
    let who = if row.silent_since.is_some() {
        "The printer does not answer"
    } else {
        "Its agent is not heard"
    };
    let read = instant(row.last_seen);
    Some(format!("{who}. What stands here was read on {read}."))
}

/// Why no pages are drawn.
fn no_chart(reading: &Reading) -> String {
    match words::total(reading).map(words::total_unit) {
        None => "The printer tells no page counter.".to_owned(),
        Some("pages") => format!("No reading in {CHART_DAYS} days."),
        Some(unit) => format!("Its counter counts {unit}, not pages."),
    }
}

/// What names the printer for a person on the phone.
fn facts(reading: &Reading) -> Vec<(&'static str, String)> {
    let identity = &reading.identity;
    let address = reading.address.map(shown_address);
    let facts = [
        ("Serial", identity.serial.clone()),
        ("Address", address),
        ("Location", identity.location.clone()),
        ("Asset", identity.asset.clone()),
    ];
    told(facts)
}

/// Everything else it tells about itself.
fn identity(identity: &Identity) -> Vec<(&'static str, String)> {
    let firmware = (!identity.firmware.is_empty()).then(|| identity.firmware.join(", "));
    told([
        ("Host name", identity.host_name.clone()),
        ("MAC address", identity.mac.clone()),
        ("Firmware", firmware),
        ("SNMP engine", identity.engine_id.clone()),
        ("UUID", identity.uuid.clone()),
        ("Profile", identity.profile.clone()),
    ])
}

/// The facts that were told, in order.
fn told<const N: usize>(facts: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    facts
        .into_iter()
        .filter_map(|(name, fact)| Some((name, fact?)))
        .collect()
}

impl SupplyRow {
    /// `history` is newest first.
    fn of(supply: &Supply, history: &[PastReading]) -> Self {
        let mut supply = supply.clone();
        if supply.direction == Some(Direction::NotProven) {
            let oldest_first = history.iter().rev().map(|past| &past.reading);
            let proven = Direction::of_history(oldest_first, &supply.index);
            supply.direction = Some(proven);
        }
        let supply = &supply;
        let name = supply_name(supply);
        let description = if supply.description == name {
            ""
        } else {
            &supply.description
        };
        Self {
            description: description.to_owned(),
            bar: Bar::of_supply(supply),
            note: supply_note(supply),
            is_low: words::needs_someone(supply),
            evidence: supply.evidence.clone(),
            name,
        }
    }
}

/// What stands beside the level: of a receptacle, what its number counts.
fn supply_note(supply: &Supply) -> String {
    let direction = match supply.direction {
        None => "",
        Some(Direction::Free) => "free",
        Some(Direction::Filled) => "filled",
        Some(Direction::NotProven) => "free or filled, not proven",
    };
    let note = level_note(supply.level, supply.remaining, supply.capacity, supply.unit);
    let words = [note.as_str(), direction];
    let told = words.into_iter().filter(|words| !words.is_empty());
    told.collect::<Vec<_>>().join(", ")
}

impl MeterRow {
    fn of(meter: &Meter) -> Self {
        Self {
            name: meter_name(meter),
            value: count(meter.value),
            unit: unit(meter.unit),
            is_beta: meter.beta,
            evidence: meter.evidence.clone(),
        }
    }
}

impl TrayRow {
    fn of(tray: &Tray) -> Self {
        Self {
            name: tray.name.clone(),
            media: tray.media.clone().unwrap_or_default(),
            bar: Bar::of_tray(tray),
            note: level_note(tray.level, tray.remaining, tray.capacity, tray.unit),
        }
    }
}

impl AlertRow {
    fn of(alert: &printer::alert::Alert) -> Self {
        let words = words::alert(alert);
        let who = match alert.training.as_str() {
            "untrained" => "anyone can help",
            "trained" => "someone trained can help",
            "fieldService" => "needs field service",
            "management" => "needs the manager",
            _ => "",
        };
        let description = if alert.description == words {
            ""
        } else {
            &alert.description
        };
        let description = description.to_owned();
        Self {
            mark: Mark::of_alert(alert),
            description,
            who: who.to_owned(),
            words,
        }
    }
}

impl ReadingRow {
    fn of(past: &PastReading) -> Self {
        Self {
            at: moment(past.reading.at),
            total: words::total(&past.reading)
                .map(|total| count(total.value))
                .unwrap_or_default(),
            status: status_line(&past.reading),
            agent: past.agent_name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use printer::reading::SCHEMA;
    use printer::status::{Severity, State as Doing, Status};
    use printer::supply::{Level, SupplyClass};

    use super::super::tests::hostile_strings::hostile_strings;
    use super::super::tests::sample_reading;
    use super::*;

    /// What acts in HTML, in an attribute, in a terminal, and on the direction of a line.
    const HOSTILE: &str = "<script>alert(1)</script>\"' onload='x\u{1b}[2J\u{202e}\u{2066}\u{0}";

    #[test]
    fn a_hostile_device_is_only_read() {
        let html = page_of(hostile());
        for acting in [
            "<script", "onload='", "\u{1b}", "\u{202e}", "\u{2066}", "\u{0}", "style=",
        ] {
            assert!(!html.contains(acting), "{acting:?}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn five_hundred_hostile_texts_change_nothing_of_a_page() {
        let page = |text: &str| {
            let mut reading = hostile();
            reading.identity.model = Some(text.to_owned());
            reading.identity.location = Some(text.to_owned());
            reading.supplies[0].description = text.to_owned();
            reading.alerts[0].description = text.to_owned();
            reading.status.console = vec![text.to_owned()];
            reading.meters[0].label = Some(text.to_owned());
            page_of(reading)
        };
        let tags = |html: &str| html.matches('<').count();
        let usual = tags(&page("Toner"));
        for text in hostile_strings() {
            let html = page(&text);
            assert_eq!(tags(&html), usual, "{text:?}");
            let steers = |c: char| {
                (c.is_control() && !matches!(c, '\n' | '\t'))
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!html.chars().any(steers), "{text:?}");
        }
    }

    #[test]
    fn a_counter_of_feet_draws_no_pages() {
        let mut reading = sample_reading(Timestamp::UNIX_EPOCH, 100);
        assert_eq!(no_chart(&reading), "No reading in 90 days.");
        reading.meters[0].unit = printer::meter::Unit::Feet;
        assert_eq!(no_chart(&reading), "Its counter counts feet, not pages.");
        reading.meters.clear();
        assert_eq!(no_chart(&reading), "The printer tells no page counter.");
    }

    #[test]
    fn a_level_without_a_number_gets_no_width() {
        for (level, word) in [(Level::Some, "some"), (Level::Unknown, "unknown")] {
            let mut reading = hostile();
            reading.supplies[0].level = level;
            let html = page_of(reading);
            assert!(!html.contains("role=\"meter\""), "{word}");
            assert!(html.contains(&format!(": {word}\"")), "{word}");
        }
    }

    #[test]
    fn a_supply_says_its_level_to_whoever_does_not_see_it() {
        let mut reading = hostile();
        reading.supplies[0].level = Level::Percent { percent: 8.04 };
        let html = page_of(reading);
        assert!(html.contains("role=\"meter\""));
        assert!(html.contains("aria-valuenow=\"8.0\""));
    }

    #[test]
    fn a_meter_stands_with_its_evidence() {
        let mut reading = hostile();
        reading.meters[0].value = 432_951;
        reading.meters[0].evidence.raw = "Counter32: 432951".to_owned();
        let html = page_of(reading);
        assert!(html.contains("432\u{202f}951"));
        assert!(html.contains("Counter32: 432951"));
    }

    fn page_of(reading: Reading) -> String {
        let at = reading.at;
        let row = PrinterRow {
            device: DeviceId::parse(&"a".repeat(32)).unwrap(),
            root: DeviceId::parse(&"a".repeat(32)).unwrap(),
            agent: "a".to_owned(),
            agent_name: HOSTILE.to_owned(),
            reading,
            first_seen: at,
            last_seen: at,
            silent_since: None,
        };
        let past = PastReading {
            agent_name: HOSTILE.to_owned(),
            is_status: false,
            reading: row.reading.clone(),
        };
        let detail = PrinterDetail {
            elsewhere: vec![row.clone()],
            row,
        };
        let now = Now {
            at,
            poll_every: std::time::Duration::from_secs(60),
            agents: &[],
        };
        build(&detail, &[past], now).render().unwrap()
    }

    fn hostile() -> Reading {
        let text = || HOSTILE.to_owned();
        let evidence = Evidence {
            door: text(),
            object: text(),
            raw: text(),
            rule: text(),
        };
        Reading {
            sources: printer::sources::Sources::new(),
            schema: SCHEMA,
            is_printer: true,
            address: None,
            up_secs: None,
            facts: vec![printer::facts::Fact {
                whole: MeterName::TOTAL,
                parts: Vec::new(),
                difference: 1,
                text: text(),
            }],
            at: Timestamp::UNIX_EPOCH,
            identity: Identity {
                model: Some(text()),
                serial: Some(text()),
                firmware: vec![text()],
                host_name: Some(text()),
                location: Some(text()),
                ..Identity::default()
            },
            status: Status {
                state: Doing::Idle,
                severity: Severity::Warning,
                conditions: vec![text()],
                console: vec![text()],
            },
            meters: vec![Meter {
                name: MeterName::OTHER,
                label: Some(text()),
                value: 1,
                unit: printer::meter::Unit::Impressions,
                beta: false,
                rolls_over_at: None,
                evidence: evidence.clone(),
            }],
            supplies: vec![Supply {
                index: text(),
                description: text(),
                class: SupplyClass::Consumed,
                kind: text(),
                color: Some(text()),
                level: Level::Some,
                direction: None,
                capacity: None,
                remaining: None,
                unit: printer::meter::Unit::Unknown,
                part: Some(text()),
                serial: Some(text()),
                evidence: evidence.clone(),
            }],
            trays: vec![Tray {
                index: text(),
                name: text(),
                media: Some(text()),
                level: Level::Unlimited,
                capacity: None,
                remaining: None,
                unit: printer::meter::Unit::Sheets,
                evidence,
            }],
            alerts: vec![printer::alert::Alert {
                index: text(),
                severity: text(),
                group: 1,
                group_index: None,
                code: 1,
                name: text(),
                description: text(),
                training: text(),
            }],
        }
    }
}
