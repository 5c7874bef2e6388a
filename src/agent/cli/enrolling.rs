//! `platen enroll`: a one-time code becomes a key and a certificate on disk.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Exit};
use crate::config::{AgentConfig, DEFAULT_STATE_DIR};
use crate::enroll::{EnrollError, Enrollment, OneTimeCode, enroll};

/// Arguments of `platen enroll`, as `platen-hub agent invite` prints them.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// Where the hub is: https://HOST:PORT
    url: String,
    /// The one-time code
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
    let order = Enrollment {
        url: &args.url,
        code: &code,
        state_dir: &args.state_dir,
        name: &own_name,
        again: args.again,
    };
    let identity = enroll(order)
        .await
        .map_err(|error| explain(&error, &args))?;
    println!(
        "Enrolled as {} at {}. Start the agent: platen run",
        super::table::printable(&identity.agent_name),
        identity.hub_url
    );
    Ok(Exit::OK)
}

/// What a person needs to know, and do.
fn explain(error: &EnrollError, args: &EnrollArgs) -> CliError {
    let what = super::table::printable(&error.to_string());
    let complaint = |exit| CliError::new(exit, what.clone());
    match error {
        EnrollError::NoCode => complaint(Exit::REFUSED)
            .because("a code has 26 letters and digits, a dot, and 64 hex digits")
            .try_next("copy the whole line that platen-hub agent invite prints"),
        EnrollError::NoAddress(_) => {
            complaint(Exit::BAD_CONFIG).try_next("write https://HOST:PORT")
        }
        EnrollError::Already { .. } => complaint(Exit::REFUSED)
            .because("a second enrollment would be a second agent to the hub")
            .try_next("start it with platen run, or enroll anew with --again"),
        EnrollError::State(_) => complaint(Exit::BAD_CONFIG)
            .because("the key and the certificate must be kept there")
            .try_next(format!(
                "make {} a folder that this user can write, or choose one with --state-dir",
                args.state_dir.display()
            )),
        EnrollError::Unreachable { .. } => complaint(Exit::HUB_AWAY)
            .try_next("see that the hub runs and that this network lets its port out; the code is still good"),
        EnrollError::Impostor { .. } => complaint(Exit::REFUSED)
            .because("its certificate is not signed by the CA that the code names, for this name; nothing was sent to it")
            .try_next("check the address; if a proxy opens TLS on the way, it must let this through"),
        EnrollError::Refused { .. } => complaint(Exit::REFUSED)
            .try_next("make a new code on the hub: platen-hub agent invite NAME"),
        EnrollError::Strange { .. } => complaint(Exit::FAILED)
            .try_next("see that hub and agent are of releases that fit together"),
        EnrollError::NoKey(_) => complaint(Exit::FAILED),
    }
}
