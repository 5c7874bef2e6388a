//! `platen profiles`: which makers are known, and how well.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use printer::coverage::{self, Coverage};
use printer::profile::Profiles;

use super::table::{self, NOTHING};
use super::{CliError, Exit};
use crate::profiles;

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen profiles
  platen profiles kyocera               each meter, its state and its source
  platen profiles --profiles ./vendors  with the profiles of a folder over ours";

/// Arguments of `platen profiles`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ProfilesArgs {
    /// Only this profile or maker, with every meter
    name: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print what is covered as JSON
    #[arg(long)]
    json: bool,
}

/// Where profiles come from.
#[derive(Debug, Clone, Args)]
pub struct FolderArgs {
    /// Folder whose profiles (*.toml) replace ours of the same name
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
}

impl FolderArgs {
    /// The profiles in effect.
    ///
    /// # Errors
    /// [`CliError`] names the folder, or the file and the line.
    pub fn load(&self) -> Result<Profiles, CliError> {
        profiles::load(self.profiles.as_deref()).map_err(|error| {
            CliError::new(Exit::USAGE, "the vendor profiles cannot be used")
                .because(error.to_string())
                .try_next("platen profiles, without --profiles, shows those of the program")
        })
    }
}

/// Prints what is covered.
///
/// # Errors
/// [`CliError`] when a profile is wrong, or none has that name.
pub fn run(args: &ProfilesArgs) -> Result<Exit, CliError> {
    let mut all = coverage::of(&args.folder.load()?);
    if let Some(name) = &args.name {
        let is_it = |text: &str| text.eq_ignore_ascii_case(name);
        all.retain(|it| is_it(&it.profile) || it.makers.iter().any(|maker| is_it(maker)));
        if all.is_empty() {
            return Err(
                CliError::new(Exit::NOTHING, format!("there is no profile of '{name}'"))
                    .because("its printers are read by the standard objects alone")
                    .try_next("platen profiles lists those that there are"),
            );
        }
    }
    let text = if args.json {
        let json = table::json(&all).map_err(|error| {
            CliError::new(Exit::FAILED, "cannot write JSON").because(error.to_string())
        })?;
        json + "\n"
    } else if args.name.is_some() {
        all.iter().map(one).collect::<Vec<_>>().join("\n")
    } else {
        list(&all)
    };
    // Who reads may have gone (`| head`): what was not read is nobody's loss.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::OK)
}

fn list(all: &[Coverage]) -> String {
    let row = |it: &Coverage| {
        let proven = proven(it);
        let cells = vec![
            it.stamp.clone(),
            it.makers.join(", "),
            proven.to_string(),
            (it.meters.len() - proven).to_string(),
            it.origin.clone(),
        ];
        (cells, printer::status::Severity::Ok)
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table::table(
        &["PROFILE", "MAKERS", "PROVEN", "BETA", "ORIGIN"],
        &rows,
        false,
    )
}

/// One profile with every meter.
fn one(it: &Coverage) -> String {
    let list = |words: &[&str]| {
        if words.is_empty() {
            NOTHING.to_owned()
        } else {
            words.join(", ")
        }
    };
    let mut text = format!(
        "{}  {}\n  origin    {}\n  identity  {}\n  decoders  {}\n",
        it.stamp,
        table::printable(&it.makers.join(", ")),
        it.origin,
        list(&it.identity),
        list(&it.decoders),
    );
    for meter in &it.meters {
        let state = match &meter.proven {
            Some(proof) => format!("proven: {proof}"),
            None => "beta: no recording of a real device proves it".to_owned(),
        };
        let (state, source) = (table::printable(&state), table::printable(&meter.source));
        text += &format!(
            "  {:<14}{state}\n  {:<14}{source}\n",
            meter.name.as_str(),
            ""
        );
    }
    text
}

fn proven(it: &Coverage) -> usize {
    let meters = it.meters.iter();
    meters.filter(|meter| meter.proven.is_some()).count()
}
