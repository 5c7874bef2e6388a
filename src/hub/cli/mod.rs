//! The commands of `platen-hub`: one file a noun, and what they share.
//!
//! Data goes to stdout, everything else to stderr. No command needs an answer from a person. The
//! commands read the same store as the running hub; none needs it to run but `health`.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::ca::Authority;
use crate::cli::complaint::{Complaint, Exit};
use crate::config::{ENV_PREFIX, HubConfig, SAMPLE};
use crate::permission::{Right, Rights};
use crate::state::{self, Bound};
use crate::store::Store;

pub mod agents;
pub mod approvals;
pub mod audit;
pub mod broker;
pub mod cmd;
pub mod complaint;
pub mod gateway;
pub mod health;
pub mod open;
pub mod printers;
pub mod serve;
pub mod sessions;
pub mod ssh_key;

/// Read when no file is named, if it is there.
const DEFAULT_FILE: &str = "/etc/platen/hub.toml";

/// Names the configuration file; not itself a key of it.
const FILE_VARIABLE: &str = "PLATEN_HUB_CONFIG";

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen-hub config default > hub.toml    a configuration to begin with
  platen-hub serve --config hub.toml      the hub, until Ctrl-C
  platen-hub setup-link                   opens the portal, on this machine
  platen-hub agent invite lyon-1          the line to run at a site
  platen-hub printer ls --json            every printer, for a program
  platen-hub cmd ping lyon-1 10.0.4.17 --reason 'does it answer?'
  platen-hub open SERIAL --port 9100 --reason 'test page'

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing found or expired,
69 hub away, 77 refused, 78 wrong configuration. More: docs/reference/cli.md";

/// The hub: keeps what the agents report, and shows it
#[derive(Debug, Parser)]
#[command(name = "platen-hub", version, max_term_width = 80, after_help = EXAMPLES)]
pub struct Cli {
    /// The configuration file [default: /etc/platen/hub.toml, if it is there]
    #[arg(long, short, global = true, value_name = "FILE", env = FILE_VARIABLE)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

/// What `platen-hub` can be told to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the hub until it is told to stop (SIGTERM, Ctrl-C)
    Serve,
    /// Print a link that opens the portal once, within 24 hours
    SetupLink {
        /// Whom it is for: stands beside every command they give
        #[arg(long = "for", value_name = "NAME", default_value = "portal",
              value_parser = agents::name)]
        name: String,
        /// What they may order, with commas between: read, probe, record, handle,
        /// web, configure, identity, update [default: all but the last three]
        #[arg(long, value_name = "WORDS", value_delimiter = ',',
              value_parser = Right::parse)]
        may: Option<Vec<Right>>,
    },
    /// Invite, approve, list, release and revoke agents
    #[command(subcommand)]
    Agent(agents::AgentVerb),
    /// List and show printers
    #[command(subcommand)]
    Printer(printers::PrinterVerb),
    /// Order something of an agent, and see what comes of it
    #[command(subcommand)]
    Cmd(cmd::CmdVerb),
    /// Lead a local port to one port of a printer, until Ctrl-C
    Open(open::OpenArgs),
    /// List, show and end sessions with printers' pages
    #[command(subcommand)]
    Sessions(sessions::SessionsVerb),
    /// Verify, list and export what was done in sessions
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Prepare a broker that somebody else runs
    #[command(subcommand)]
    Broker(broker::BrokerVerb),
    /// Let people reach their own sessions with a key of their own (ssh -L)
    #[command(subcommand)]
    SshKey(ssh_key::SshKeyVerb),
    /// Answer an sshd that serves as gateway
    #[command(subcommand)]
    Gateway(gateway::GatewayVerb),
    /// Ask the running hub whether it is well
    Health,
    /// Print or check the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Print every key with its default and reason
    Default,
    /// Check the file and the environment
    Validate,
}

/// Runs the command that was asked for.
///
/// # Errors
/// [`Complaint`], to be shown on stderr; its `exit` is the exit code.
pub async fn run(cli: Cli) -> Result<Exit, Complaint> {
    let file = cli.config.or_else(|| {
        let default = PathBuf::from(DEFAULT_FILE);
        default.is_file().then_some(default)
    });
    if let Verb::Config(ConfigVerb::Default) = cli.verb {
        say(SAMPLE.trim_end())?;
        return Ok(Exit::OK);
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(ENV_PREFIX) && name != FILE_VARIABLE);
    let config = HubConfig::load(file.as_deref(), environment)?;
    match cli.verb {
        Verb::Serve => serve::serve(config).await,
        Verb::SetupLink { name, may } => setup_link(&config, &name, may).await,
        Verb::Agent(verb) => agents::run(verb, &config).await,
        Verb::Printer(verb) => printers::run(verb, &config).await,
        Verb::Cmd(verb) => cmd::run(verb, &config).await,
        Verb::Open(args) => open::run(args, &config).await,
        Verb::Sessions(verb) => sessions::run(verb, &config).await,
        Verb::Audit(verb) => audit::run(verb, &config).await,
        Verb::Broker(verb) => broker::run(verb, &config),
        Verb::SshKey(verb) => ssh_key::run(verb, &config).await,
        Verb::Gateway(verb) => gateway::run(verb, &config).await,
        Verb::Health => health::health(&config).await,
        Verb::Config(ConfigVerb::Default | ConfigVerb::Validate) => Ok(say_valid(file.as_deref())),
    }
}

fn say_valid(file: Option<&Path>) -> Exit {
    match file {
        Some(file) => eprintln!("{} is valid", file.display()),
        None => eprintln!("there is no configuration file; the defaults and environment are valid"),
    }
    Exit::OK
}

async fn setup_link(
    config: &HubConfig,
    name: &str,
    may: Option<Vec<Right>>,
) -> Result<Exit, Complaint> {
    let rights = may.map_or_else(Rights::usual, Rights::of);
    let (store, _) = open(config).await?;
    let bound = bound(config)?;
    let portal = bound.portal;
    let token = store
        .portal_link_create(
            &crate::store::Tenant::DEFAULT,
            (name, &rights),
            jiff::Timestamp::now(),
        )
        .await?;
    say(format!("http://{portal}/enter/{}", token.reveal()))?;
    eprintln!("opens the portal once, within 24 hours, in a browser on this machine");
    if let Some(url) = config.portal_url(bound.portal_https.unwrap_or(bound.uplink)) {
        eprintln!("in a browser elsewhere, write {url} in place of http://{portal}");
    }
    Ok(Exit::OK)
}

/// Opens the store and the authority of a hub that has run here before.
async fn open(config: &HubConfig) -> Result<(Store, Authority), Complaint> {
    let Some(authority) = Authority::find(&config.state_dir)? else {
        let what = format!("no hub has run on {}", config.state_dir.display());
        return Err(Complaint::new(Exit::FAILED, what)
            .because("there is no certificate authority in that folder (state_dir)")
            .try_next("platen-hub serve, with the same configuration; or name it with --config"));
    };
    let store = Store::open(&config.store_url, &config.state_dir).await?;
    Ok((store, authority))
}

/// Where the hub listens: as the running one says, else as it is configured.
fn bound(config: &HubConfig) -> Result<Bound, Complaint> {
    if let Some(bound) = state::running(&config.state_dir) {
        return Ok(bound);
    }
    if config.uplink_listen.port() == 0 || config.portal_listen.port() == 0 {
        return Err(Complaint::new(Exit::HUB_AWAY, "the hub is not running")
            .because("its ports are chosen when it starts (port 0)")
            .try_next("platen-hub serve"));
    }
    Ok(Bound {
        uplink: config.uplink_listen,
        portal: config.portal_listen,
        portal_https: config.doors.portal_https_listen,
        mqtt: config.doors.mqtt_listen,
        mqtt_websocket: config.doors.mqtt_websocket_listen,
        gateway: config.gateway.listen,
    })
}

/// Writes a line of data to stdout. A reader that has seen enough (`| head`) is no failure.
fn say(line: impl Display) -> Result<(), Complaint> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Complaint::new(Exit::FAILED, "stdout cannot be written").because(error.to_string()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A device's words for a terminal: nothing that moves the cursor, reorders or hides text.
fn plain(text: &str) -> String {
    let is_harmless = |c: &char| {
        let is_format = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
        !c.is_control() && !is_format
    };
    text.chars().filter(is_harmless).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, plain};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_devices_words_cannot_steer_a_terminal() {
        assert_eq!(
            plain("\u{1b}[2JHP\u{202e} Laser\u{7}\u{9b}Jet"),
            "[2JHP LaserJet"
        );
    }
}
