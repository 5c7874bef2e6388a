//! `platen enroll`: a one-time code becomes a key and a certificate on disk.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::asking;
use super::running::ConfigArgs;
use super::table::printable;
use super::{CliError, Exit};
use crate::config::{AgentConfig, DEFAULT_STATE_DIR};
use crate::enroll::{Applicant, Asked, EnrollError, Enrollment, OneTimeCode};
use crate::identity::refusals::{REFUSALS_MAX, Tally};
use crate::identity::{Identity, IdentityError};

/// Arguments of `platen enroll`, as `platen-hub agent invite` prints them.
#[derive(Debug, Args)]
#[command(after_help = "Example: platen enroll https://hub.example.org CODE")]
pub struct EnrollArgs {
    /// Where the hub is: https://HOST:PORT
    url: String,
    /// The one-time code, as `platen-hub agent invite` printed it
    code: String,
    /// Where the key and the certificate are kept
    #[arg(long, value_name = "DIR", env = "PLATEN_STATE_DIR", default_value = DEFAULT_STATE_DIR)]
    state_dir: PathBuf,
    /// What the agent calls itself; the machine's name without it
    #[arg(long)]
    name: Option<String>,
    /// Replace the enrollment that is there
    #[arg(long)]
    again: bool,
    /// Seconds to wait for the hub
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = asking::timeout)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Enrolls this agent.
///
/// # Errors
/// [`CliError`]: what happened, why, and what to do next.
pub async fn run(args: EnrollArgs) -> Result<Exit, CliError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let code: OneTimeCode = args.code.parse().map_err(|error| explain(&error, &args))?;
    let own_name = match &args.name {
        Some(name) => name.clone(),
        None => AgentConfig::parse("defaults", "", [])
            .map(|config| config.name)
            .unwrap_or_default(),
    };
    // Only for the way to the hub: a proxy, if the site has one.
    let way = args.config.load()?.route;
    let order = Enrollment {
        url: &args.url,
        code: &code,
        state_dir: &args.state_dir,
        name: &own_name,
        again: args.again,
        timeout: args.timeout,
        route: &way.route,
    };
    let enrolled = let_in(order).await;
    let identity = enrolled.map_err(|error| explain(&error, &args))?;
    println!(
        "Enrolled as {} at {}. Start the agent: platen run",
        printable(&identity.agent_name),
        identity.hub_url
    );
    Ok(Exit::OK)
}

/// Asks until somebody has decided, and tells a person what is waited for.
async fn let_in(order: Enrollment<'_>) -> Result<Identity, EnrollError> {
    let applicant = Applicant::new(order)?;
    let mut waits = None;
    loop {
        let again = match (applicant.ask().await, waits) {
            (Ok(Asked::Enrolled(identity)), _) => {
                tell_fingerprint(&applicant);
                return Ok(*identity);
            }
            (Ok(Asked::Waits(again)), _) => again,
            // Whoever is waited for has not decided because the hub was away for a moment.
            (Err(EnrollError::Unreachable { .. } | EnrollError::Busy { .. }), Some(again)) => again,
            (Err(error), _) => return Err(error),
        };
        if waits.is_none() {
            tell_fingerprint(&applicant);
            eprintln!(
                "waiting for approval: at the hub, platen-hub agent pending shows the same \
                 fingerprint; then platen-hub agent approve NAME"
            );
        }
        waits = Some(again);
        tokio::time::sleep(again).await;
    }
}

/// What the hub shows of our key too.
fn tell_fingerprint(applicant: &Applicant<'_>) {
    let fingerprint = applicant.fingerprint();
    eprintln!("fingerprint of this agent's key: {fingerprint}");
}

/// What a person needs to know of a disabled agent, whoever says it.
pub(crate) fn explain_disabled(tally: &Tally) -> CliError {
    let Tally {
        refusals,
        hub_url,
        why,
        ..
    } = tally;
    CliError::new(
        Exit::REFUSED,
        format!(
            "this agent has disabled itself after {refusals} refusals of the hub {}",
            printable(hub_url)
        ),
    )
    .because(format!("the hub said: {}", printable(why)))
    .try_next("get a new code (platen-hub agent invite NAME), then: platen enroll --again URL CODE")
}

/// What a person needs to know, and do.
fn explain(error: &EnrollError, args: &EnrollArgs) -> CliError {
    let complaint = |exit| CliError::new(exit, printable(&error.to_string()));
    let of_hub = |exit, what: &str, url: &str, reason: &str| {
        CliError::new(exit, format!("the hub {url} {what}")).because(printable(reason))
    };
    match error {
        EnrollError::NoCode => complaint(Exit::REFUSED)
            .because("a code has 26 letters and digits, a dot, and 64 hex digits")
            .try_next("copy the whole line that platen-hub agent invite prints"),
        EnrollError::NoAddress(_) => complaint(Exit::BAD_CONFIG)
            .because("the hub is called over TLS, by its host and port alone")
            .try_next("write https://HOST:PORT, as platen-hub agent invite prints it"),
        EnrollError::Already { .. } => complaint(Exit::REFUSED)
            .because("a second enrollment would be a second agent to the hub")
            .try_next("start it with platen run, or enroll anew with --again"),
        EnrollError::State(IdentityError::Damaged { .. }) => complaint(Exit::BAD_CONFIG)
            .because("the key in it cannot be used any more")
            .try_next("enroll anew with --again and a new code"),
        EnrollError::State(IdentityError::NoCertificate { .. }) => {
            complaint(Exit::BAD_CONFIG).try_next("enroll anew with --again and a new code")
        }
        EnrollError::State(IdentityError::Unusable { .. }) => complaint(Exit::BAD_CONFIG)
            .because("the key and the certificate must be kept there; the code is still good")
            .try_next(format!(
                "make {} a folder of this user's own, or choose one with --state-dir",
                args.state_dir.display()
            )),
        EnrollError::Unreachable { url, reason } => {
            of_hub(Exit::HUB_AWAY, "cannot be reached", url, reason).try_next(
                "see that the hub runs, that this is its address and port, and that the network \
                 lets it through; the code is still good",
            )
        }
        EnrollError::Impostor { .. } => complaint(Exit::REFUSED)
            .because(
                "its certificate is not signed by the CA that the code names, for this name; \
                 nothing was sent to it",
            )
            .try_next(
                "check the address, or make a code on that hub; if a proxy opens TLS on the way, \
                 it must let this through",
            ),
        EnrollError::Refused { tally, reason, .. } if tally.is_disabled() => {
            let tally = Tally {
                why: reason.clone(),
                ..Tally::clone(tally)
            };
            explain_disabled(&tally)
        }
        EnrollError::Refused { url, reason, tally } => {
            let counted = format!(
                "{reason} (refusal {} of {REFUSALS_MAX}: then this agent disables itself)",
                tally.refusals
            );
            of_hub(Exit::REFUSED, "refuses the code", url, &counted)
                .try_next("make a new code on the hub: platen-hub agent invite NAME")
        }
        EnrollError::Busy { url, reason } => of_hub(Exit::HUB_AWAY, "asks to wait", url, reason)
            .try_next("try the same line again later; the code is still good"),
        EnrollError::Disabled(tally) => explain_disabled(tally),
        EnrollError::Strange { url, reason } => {
            of_hub(Exit::FAILED, "answered what cannot be used", url, reason)
                .try_next("see that hub and agent are of releases that fit together")
        }
        EnrollError::NoKey(_) => complaint(Exit::FAILED).try_next("try again"),
    }
}
