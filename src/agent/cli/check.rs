//! `platen check`: does each row of `platen ports` work, and if not, why, and what to do?

mod explain;
pub(super) mod finding;
mod hub;
mod machine;
mod range;

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::finding::{Area, Cause, Finding, State, Trouble};
use super::running::ConfigArgs;
use super::table::{self, Color};
use super::{CliError, Exit, asking};
use crate::channels::channels;
use crate::config::AgentConfig;
use crate::identity::Identity;

/// Version of the JSON shape.
const SCHEMA: u32 = 1;
/// How long a step may take unless somebody says otherwise: a slow line's handshake takes one.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `platen check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing failed, 3 something failed. What is marked with ! does not
count: the agent works without it.")]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Seconds that each step may take: name, connection, proxy, TLS
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = asking::timeout)]
    timeout: Duration,
    /// Whether to color
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

/// Looks at everything, and says what is the matter.
///
/// # Errors
/// [`CliError`] when the configuration is not valid.
pub async fn run(args: CheckArgs) -> Result<Exit, CliError> {
    let config = args.config.in_effect()?.config;
    let findings = look(&config, args.timeout).await;
    let problems = problems(&findings);
    if args.json {
        let text = table::json(&as_json(&findings));
        println!(
            "{}",
            text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?
        );
    } else {
        print!("{}", finding::text(&findings, args.color.is_on()));
        match problems {
            0 => println!("No problem."),
            1 => println!("1 problem."),
            many => println!("{many} problems."),
        }
    }
    Ok(if problems == 0 {
        Exit::OK
    } else {
        Exit::NOTHING
    })
}

/// Looks at everything, one after the other; each step takes `limit` at most.
pub(super) async fn look(config: &AgentConfig, limit: Duration) -> Vec<Finding> {
    let identity = Identity::load(&config.state_dir);
    let mut findings = Vec::new();
    let clock = hub(config, identity, limit, &mut findings).await;
    findings.push(machine::clock(clock));
    findings.push(machine::agent(config).await);
    findings.push(machine::disk(config));
    findings.push(machine::icmp());
    if config.ranges.is_empty() {
        let why = "there are no [[ranges]] in the configuration";
        findings.push(Finding::skipped(Area::Range, "", why));
    } else {
        eprintln!("asking the printers…");
        findings.extend(range::ranges(config, limit).await);
    }
    findings
}

/// What was found, for programs.
pub(super) fn as_json(findings: &[Finding]) -> Value {
    json!({
        "schema": SCHEMA,
        "at": Timestamp::now(),
        "problems": problems(findings),
        "checks": findings,
    })
}

fn problems(findings: &[Finding]) -> usize {
    let failed = |finding: &&Finding| finding.state == State::Failed;
    findings.iter().filter(failed).count()
}

/// Asks the hub's channels; our time and the hub's, where it told.
async fn hub(
    config: &AgentConfig,
    identity: Result<Option<Identity>, crate::identity::IdentityError>,
    limit: Duration,
    findings: &mut Vec<Finding>,
) -> Option<(Timestamp, Timestamp)> {
    let not_enrolled = |what: String| {
        Trouble::new(
            Cause::NotEnrolled,
            what,
            "without it the hub cannot be told from somebody else",
            "platen enroll URL CODE, with a code of platen-hub agent invite",
        )
    };
    let identity = match identity {
        Ok(Some(identity)) => identity,
        Ok(None) if config.hub_url.is_none() => {
            let why = "no hub: this agent stands alone, and reports wait on disk";
            findings.push(Finding::skipped(Area::Hub, "", why));
            return None;
        }
        Ok(None) => {
            let what = format!("there is no identity in {}", config.state_dir.display());
            findings.push(Finding::failed(Area::Hub, "identity", not_enrolled(what)));
            return None;
        }
        Err(error) => {
            let trouble = not_enrolled(error.to_string());
            findings.push(Finding::failed(Area::Hub, "identity", trouble));
            return None;
        }
    };
    let url = config.hub_url.clone().unwrap_or(identity.hub_url.clone());
    let channels = channels(config, Some(&url));
    let heard = hub::ask(config, &identity, &channels, limit).await;
    findings.extend(heard.findings);
    if !config.route.route.beside().is_empty() {
        let file = config.route.intercept_ca_file.as_ref();
        let shown = file.map(|it| it.display().to_string()).unwrap_or_default();
        let what = "its roots are believed beside the hub's own (intercept_ca_file)";
        findings.push(Finding::fine(Area::Hub, shown, what));
    }
    heard.clock
}
