//! `platen status` and `platen health`: what a running agent says of itself.

use std::fmt::Write;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;

use actors::messages::{ScannerVitals, UplinkVitals};
use actors::mqtt::LineState;
use actors::status::{
    DoubtfulPrinter, HubStatus, PrintersStatus, QueueStatus, RestartsStatus, SetAsideStatus,
    SubnetStatus,
};
use clap::Args;
use jiff::Timestamp;

use super::enrolling::explain_disabled;
use super::running::ConfigArgs;
use super::table::{grouped, json, printable};
use super::{CliError, Exit};
use crate::control::{self, ControlError, Status};
use crate::identity::refusals::Tally;

/// Most silent printers that are named in the text; the JSON has more.
const SILENT_NAMED_MAX: usize = 5;
/// Most printers with something wrong that are named in the text; the JSON has more.
const TROUBLED_NAMED_MAX: usize = 5;
/// Devices that may be another one named one by one; the rest are counted.
const DOUBTFUL_NAMED_MAX: usize = 10;
/// Most devices that accept no credential that are named in the text; the JSON has more.
const REFUSING_NAMED_MAX: usize = 5;
/// Most restarted actors that are named in the text; the JSON has more.
const RESTARTED_NAMED_MAX: usize = 5;

/// Arguments of `platen status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Shows how the running agent is.
///
/// # Errors
/// [`CliError`] when none runs.
pub async fn run(args: StatusArgs) -> Result<Exit, CliError> {
    let status = ask(&args.config).await?;
    if args.json {
        let text = json(&status).map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?;
        println!("{text}");
    } else {
        print!("{}", text(&status));
    }
    Ok(Exit::OK)
}

/// Arguments of `platen health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Ready, not only alive: the hub has answered, and its last answer was no refusal
    #[arg(long)]
    ready: bool,
}

/// Succeeds if the running agent answers: for health checks of containers. An agent whose hub is
/// away is healthy, since reports wait on disk; it is not ready.
///
/// # Errors
/// [`CliError`] when it is not.
pub async fn health(args: HealthArgs) -> Result<Exit, CliError> {
    let status = ask(&args.config).await?;
    if args.ready
        && let Some(why) = unready(status.snapshot.hub.as_ref())
    {
        return Err(
            CliError::new(Exit::HUB_AWAY, "the agent is alive and not ready")
                .because(printable(&why))
                .try_next("platen check says what is in the way"),
        );
    }
    println!("ok");
    Ok(Exit::OK)
}

/// Why the agent is not connected; none if it is.
fn unready(hub: Option<&HubStatus>) -> Option<String> {
    let Some(hub) = hub else {
        return Some("it stands alone: there is no hub".to_owned());
    };
    let never = || "the hub has not answered yet".to_owned();
    let trouble = hub.uplink.trouble.clone();
    trouble.or_else(|| hub.uplink.contact_at.is_none().then(never))
}

async fn ask(config: &ConfigArgs) -> Result<Status, CliError> {
    let state_dir = config.load()?.state_dir;
    let told = control::status(&state_dir).await;
    told.map_err(|error| unreached(&state_dir, error))
}

/// Why a running agent was not reached, for a person.
pub(super) fn unreached(state_dir: &Path, error: ControlError) -> CliError {
    let complaint = CliError::new(Exit::FAILED, error.to_string());
    let shown = state_dir.display();
    match error {
        ControlError::NotRunning { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
            CliError::new(
                Exit::FAILED,
                format!("the agent on {shown} cannot be asked"),
            )
            .because("only the agent's own user may open that folder")
            .try_next("ask as that user, or as root")
        }
        ControlError::NotRunning { .. } if is_disabled(state_dir) => {
            let tally = Tally::load(state_dir).unwrap_or_default();
            explain_disabled(&tally)
        }
        ControlError::NotRunning { .. } => {
            CliError::new(Exit::FAILED, format!("no agent runs on {shown}"))
                .because("nobody listens in that folder (state_dir of the configuration)")
                .try_next("start it: platen run; or name its configuration: --config FILE")
        }
        ControlError::Silent(_) | ControlError::Refused(_) => {
            complaint.try_next("look at its log, and start it again")
        }
    }
}

fn is_disabled(state_dir: &Path) -> bool {
    Tally::load(state_dir).is_ok_and(|tally| tally.is_disabled())
}

/// The status for people. What devices and hubs said is made harmless for a terminal.
fn text(status: &Status) -> String {
    let snapshot = &status.snapshot;
    let now = snapshot.at;
    let about = &status.about;
    let enrolled = match &about.enrolled_as {
        Some(name) => format!("enrolled as {}", printable(name)),
        None => "stands alone".to_owned(),
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} · {enrolled} · up {} · v{}",
        printable(&about.name),
        ago(snapshot.started_at, now),
        about.version
    );
    let _ = writeln!(text, "Channels  {}", channels(snapshot.hub.as_ref(), now));
    let _ = writeln!(text, "Printers  {}", printers(&snapshot.printers, now));
    for line in troubles(&snapshot.printers) {
        let _ = writeln!(text, "          {line}");
    }
    if let Some(lines) = refusing(&snapshot.printers) {
        let _ = writeln!(text, "Refusing  {lines}");
    }
    for line in doubtful(&snapshot.printers, now) {
        let _ = writeln!(text, "Doubtful  {line}");
    }
    for held in &snapshot.set_aside {
        let _ = writeln!(text, "Set aside {}", set_aside(held, now));
    }
    for subnet in &snapshot.subnets {
        let _ = writeln!(text, "Subnet    {}", subnet_line(subnet, now));
    }
    let _ = writeln!(
        text,
        "Queue     {}",
        queue(&snapshot.queue, &snapshot.printers, now)
    );
    let line = snapshot
        .hub
        .as_ref()
        .and_then(|hub| hub.uplink.commands.as_ref());
    let alarm = line.and_then(|line| line.alarm.as_ref());
    for alarm in alarm.into_iter().chain(&snapshot.queue.alarms) {
        let _ = writeln!(text, "Alarm     {}", printable(alarm));
    }
    let sessions = &snapshot.sessions;
    let _ = write!(text, "Sessions  {} open", sessions.open);
    if sessions.waiting > 0 {
        let _ = write!(text, " · {} waiting for approval", sessions.waiting);
    }
    text.push('\n');
    let _ = writeln!(text, "Restarts  {}", restarts(&snapshot.restarts, now));
    text
}

/// Both ways to the hub in one line; what is wrong with one stands below.
fn channels(hub: Option<&HubStatus>, now: Timestamp) -> String {
    let Some(HubStatus { url, uplink }) = hub else {
        return "none: no hub; reports wait on disk".to_owned();
    };
    let line = uplink.commands.as_ref();
    let mut text = format!(
        "grpc {}   mqtt {}   {}",
        readings_way(uplink, now),
        commands_way(line, now),
        printable(url)
    );
    let trouble = line.and_then(|line| line.trouble.as_ref());
    for (name, trouble) in [("grpc", uplink.trouble.as_ref()), ("mqtt", trouble)] {
        if let Some(trouble) = trouble {
            let _ = write!(text, "\n          {name}: {}", printable(trouble));
        }
    }
    text
}

fn readings_way(uplink: &UplinkVitals, now: Timestamp) -> String {
    let contact = uplink.contact_at.map(|at| format!("{} ago", ago(at, now)));
    match (&uplink.trouble, contact) {
        (None, Some(contact)) => format!("✓ {contact}"),
        (None, None) => "… not answered yet".to_owned(),
        (Some(_), contact) => format!(
            "✗{}, last answer {}",
            lasting(uplink.since, now),
            contact.as_deref().unwrap_or("never")
        ),
    }
}

fn commands_way(line: Option<&LineState>, now: Timestamp) -> String {
    match line {
        None => "– takes no commands".to_owned(),
        Some(line) if line.is_connected => format!("✓{}", lasting(line.since, now)),
        Some(line) if line.trouble.is_some() => format!("✗{}", lasting(line.since, now)),
        Some(_) => "… connecting".to_owned(),
    }
}

/// ` for 3 min`; empty where it is not known.
fn lasting(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(String::new, |since| format!(" for {}", ago(since, now)))
}

fn printers(printers: &PrintersStatus, now: Timestamp) -> String {
    let mut text = format!("{} known · {} read", printers.known, printers.read);
    if let Some((first, last)) = printers.read_first_at.zip(printers.read_last_at) {
        let _ = write!(text, " {}–{}", clock(first), clock(last));
    }
    let _ = write!(text, " · {} silent", printers.silent);
    let named = printers
        .silent_listed
        .iter()
        .take(SILENT_NAMED_MAX)
        .map(|printer| {
            let place = printer
                .address
                .map_or("address unknown".to_owned(), |it| it.to_string());
            format!("{place} {}", ago(printer.since, now))
        });
    let named: Vec<String> = named.collect();
    if !named.is_empty() {
        let more = if printers.silent_listed.len() > named.len() {
            ", …"
        } else {
            ""
        };
        let _ = write!(text, " ({}{more})", named.join(", "));
    }
    text
}

/// Printers that answer as none should, a line each.
fn troubles(printers: &PrintersStatus) -> Vec<String> {
    let all = &printers.troubled_listed;
    let named = all.iter().take(TROUBLED_NAMED_MAX);
    let place =
        |address: Option<IpAddr>| address.map_or("address unknown".to_owned(), |it| it.to_string());
    let mut lines: Vec<String> = named
        .map(|it| format!("{}: {}", place(it.address), printable(&it.trouble)))
        .collect();
    if all.len() > lines.len() {
        lines.push(format!("and {} more", all.len() - lines.len()));
    }
    lines
}

/// Devices that may be another one, a line each.
fn doubtful(printers: &PrintersStatus, now: Timestamp) -> Vec<String> {
    let named = printers.doubtful_listed.iter().take(DOUBTFUL_NAMED_MAX);
    let mut lines: Vec<String> = named
        .map(|it| {
            let place = it
                .address
                .map_or("address unknown".to_owned(), |it| it.to_string());
            format!(
                "{place} {} ago: {} may be {}: {}; kept apart",
                ago(it.since, now),
                it.device,
                any_of(it),
                printable(&it.why)
            )
        })
        .collect();
    let shown = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    if printers.doubtful > shown {
        lines.push(format!("and {} more", printers.doubtful - shown));
    }
    lines
}

/// Which devices one may be.
fn any_of(it: &DoubtfulPrinter) -> String {
    let named = std::iter::once(&it.may_be).chain(&it.or);
    let named: Vec<String> = named.map(ToString::to_string).collect();
    match it.more {
        0 => named.join(" or "),
        more => format!("{} or one of {more} more", named.join(", ")),
    }
}

/// Devices that answer and accept no credential; none where there is none.
fn refusing(printers: &PrintersStatus) -> Option<String> {
    if printers.refusing == 0 {
        return None;
    }
    let listed = &printers.refusing_listed;
    let named = &listed[..listed.len().min(REFUSING_NAMED_MAX)];
    let mut text = match printers.refusing {
        1 => "1 answers, but no credential fits".to_owned(),
        many => format!("{many} answer, but no credential fits"),
    };
    for it in named {
        let _ = write!(text, "\n          {}: {}", it.address, printable(&it.why));
    }
    let shown = u32::try_from(named.len()).unwrap_or(u32::MAX);
    if printers.refusing > shown {
        let _ = write!(text, "\n          and {} more", printers.refusing - shown);
    }
    Some(text)
}

/// One that nobody reads any more, and how it comes back.
fn set_aside(held: &SetAsideStatus, now: Timestamp) -> String {
    let place = held
        .address
        .map_or("address unknown".to_owned(), |it| it.to_string());
    let mut text = format!(
        "{place} {} ago: {} · platen release {}",
        ago(held.since, now),
        printable(&held.cause),
        held.device
    );
    if let Some(file) = &held.file {
        let _ = write!(
            text,
            "\n          its last {} octets: {}",
            held.bytes,
            file.display()
        );
    }
    text
}

fn subnet_line(SubnetStatus { label, scanner }: &SubnetStatus, now: Timestamp) -> String {
    let label = printable(label);
    let ScannerVitals {
        swept_at,
        seen,
        next_at,
        refusing: _,
        refusing_listed: _,
    } = scanner;
    let last = match swept_at {
        Some(at) => format!("swept {} ago, {seen} seen", ago(*at, now)),
        None => "never swept yet".to_owned(),
    };
    match next_at {
        Some(at) => format!("{label} · {last} · next discovery {}", clock(*at)),
        None => format!("{label} · {last} · sweeping now"),
    }
}

fn queue(queue: &QueueStatus, printers: &PrintersStatus, now: Timestamp) -> String {
    let mut text = format!("{} waiting", grouped(queue.waiting));
    if let Some(oldest) = queue.oldest_at {
        let _ = write!(text, ", the oldest {}", ago(oldest, now));
    }
    for (count, word) in [(queue.thinned, "thinned"), (queue.damaged, "damaged")] {
        if count > 0 {
            let _ = write!(text, " · {} {word}", grouped(count));
        }
    }
    if let Some(next) = printers.next_at {
        let _ = write!(text, " · next read {}", clock(next));
    }
    text
}

fn restarts(restarts: &RestartsStatus, now: Timestamp) -> String {
    let mut text = restarts.total.to_string();
    for child in restarts.children.iter().take(RESTARTED_NAMED_MAX) {
        let _ = write!(
            text,
            "\n          {} {}× · {} {} ago{}",
            printable(&child.child.to_string()),
            child.restarts,
            printable(&child.cause.to_string()),
            ago(child.died_at, now),
            if child.is_alive {
                ""
            } else {
                " · waiting to return"
            }
        );
    }
    text
}

/// A span in its largest unit: `3 d`, `5 h`, `8 min`, `2 s`.
fn ago(since: Timestamp, now: Timestamp) -> String {
    let secs = now.duration_since(since).as_secs().max(0);
    match secs {
        86_400.. => format!("{} d", secs / 86_400),
        3_600.. => format!("{} h", secs / 3_600),
        60.. => format!("{} min", secs / 60),
        _ => format!("{secs} s"),
    }
}

/// Time of day, UTC: `08:03Z`.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%MZ").to_string()
}

#[cfg(test)]
mod tests;
