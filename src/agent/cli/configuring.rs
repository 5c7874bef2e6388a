//! `platen config` and `platen ports`: what is configured, and what follows for the firewall.

use std::io::Write;

use clap::{Args, Subcommand};
use printer::status::Severity;

use super::running::ConfigArgs;
use super::table::{NOTHING, json, table};
use super::{CliError, Exit};
use crate::config::SAMPLE;
use crate::identity::Identity;
use crate::ports::words::{Lang, Words};
use crate::ports::{Row, rows};
use crate::schema::schema;

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print a configuration to begin with: every key, its default and its reason
    Default,
    /// Print the configuration that is in effect, without secrets
    Show(ShowArgs),
    /// Say whether the configuration is valid
    Validate(ConfigArgs),
    /// Print the JSON schema of the configuration, for editors
    Schema,
}

/// Arguments of `platen config show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Tell for each value where it comes from
    #[arg(long)]
    origin: bool,
}

/// Arguments of `platen ports`.
#[derive(Debug, Args)]
pub struct PortsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As a Markdown table, for a ticket to the network's people
    #[arg(long)]
    markdown: bool,
    /// The language of the table
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Lang,
}

/// Answers about the configuration.
///
/// # Errors
/// [`CliError`] when it is not valid.
pub fn config(verb: ConfigVerb) -> Result<Exit, CliError> {
    match verb {
        ConfigVerb::Default => print(SAMPLE),
        ConfigVerb::Show(args) => {
            let effect = args.config.in_effect()?;
            if args.origin {
                return print(&effect.config.show_origins(&effect.by_hub));
            }
            print(&effect.config.show())
        }
        ConfigVerb::Schema => {
            let text = json(&schema());
            print(&text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?)
        }
        ConfigVerb::Validate(args) => {
            let config = args.load()?;
            print(&match config.ranges.len() {
                0 => "valid; without [[ranges]] no printer is looked for\n".to_owned(),
                1 => "valid: 1 range\n".to_owned(),
                ranges => format!("valid: {ranges} ranges\n"),
            })
        }
    }
}

/// Prints the firewall table of this configuration.
///
/// # Errors
/// [`CliError`] when it is not valid.
pub fn ports(args: &PortsArgs) -> Result<Exit, CliError> {
    let config = args.config.in_effect()?.config;
    // Without an identity that can be read, the configuration's own word for the hub counts.
    let enrolled = Identity::load(&config.state_dir).ok().flatten();
    let enrolled = enrolled.map(|identity| identity.hub_url);
    let hub_url = config.hub_url.clone().or(enrolled);
    let words = args.lang.words();
    let rows = rows(&config, hub_url.as_deref(), words);
    if config.ranges.is_empty() {
        eprintln!("there are no [[ranges]] in the configuration: no printer is contacted");
    }
    if args.json {
        let text = json(&serde_json::json!({ "schema": 1, "ports": rows }));
        return print(&text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?);
    }
    if args.markdown {
        return print(&markdown(&rows, words));
    }
    let cells: Vec<_> = rows
        .iter()
        .map(|row| (cells(row, words), Severity::Ok))
        .collect();
    print(&table(&words.headings, &cells, false))
}

fn cells(row: &Row, words: &Words) -> Vec<String> {
    vec![
        row.destination.clone(),
        words.outgoing.to_owned(),
        row.protocol.to_owned(),
        row.port.map_or(NOTHING.to_owned(), |port| port.to_string()),
        row.purpose.clone(),
    ]
}

fn markdown(rows: &[Row], words: &Words) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let headings: Vec<String> = words.headings.iter().map(ToString::to_string).collect();
    let rule: Vec<String> = headings.iter().map(|_| "---".to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let escaped: Vec<String> = cells(row, words)
            .iter()
            .map(|cell| cell.replace('|', "\\|"))
            .collect();
        line(&escaped)
    });
    [line(&headings), line(&rule)]
        .into_iter()
        .chain(rows)
        .collect()
}

/// Prints to stdout; a reader that has seen enough is no failure.
fn print(text: &str) -> Result<Exit, CliError> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(std::io::stdout(), "{text}{end}") {
        Ok(()) => Ok(Exit::OK),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::OK),
        Err(error) => Err(CliError::new(Exit::FAILED, error.to_string())),
    }
}
