//! `platen read`: reads one printer, or a recording of one.

mod cure;

use std::io::Write;
use std::path::{Path, PathBuf};

use actors::reach::credential::Credential;
use actors::reach::scope::{InScope, Scope};
use actors::reach::snmp::{AskError, Snmp};
use actors::reach::survey::{self, ReadError};
use clap::Args;
use jiff::Timestamp;
use printer::judge::judge;
use printer::reading::Verdict;
use printer::walk::Walk;
use snmp::recording::Recording;

use super::asking::{self, AskingArgs};
use super::found::NoPrinter;
use super::table::{self, Color};
use super::via::ViaArgs;
use super::{CliError, Exit, recording, show};

/// Packets per second: one device is asked one question at a time anyway.
const RATE: u32 = 1_000;

/// Largest recording that is read: the largest of ours has 4 MiB.
const RECORDING_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Where a recording that can be read comes from.
const MAKE_ONE: &str = "name a recording (.snmprec), or make one of a printer: \
                        platen read ADDRESS --record FILE";

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen read 192.168.1.17
  platen read 192.168.1.17 --record kyocera.snmprec    for a bug report
  platen read --from-recording kyocera.snmprec --json
  platen read 192.168.1.17 --via ipp --all             the same printer by another door
  platen read 192.168.1.17 --via ledm                  one of HP's by its documents
  platen read 192.168.1.31 --via zebra                 a label printer's own words";

/// Arguments of `platen read`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReadArgs {
    /// The printer's address or host name
    #[arg(required_unless_present = "from_recording")]
    address: Option<String>,
    /// Read this recording (.snmprec) instead of a printer
    #[arg(long, value_name = "FILE", conflicts_with_all = ["address", "record"])]
    from_recording: Option<PathBuf>,
    /// Print the reading as JSON (see docs/reading.md)
    #[arg(long)]
    json: bool,
    /// Show where each value comes from
    #[arg(long)]
    all: bool,
    /// Also write everything the device says into this new file; names, contact and location are
    /// blanked
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Keep names, contact and location in the recording
    #[arg(long, requires = "record")]
    private: bool,
    #[command(flatten)]
    via: ViaArgs,
    #[command(flatten)]
    asking: AskingArgs,
    /// Color the output: auto, always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    #[arg(hide_possible_values = true)]
    color: Color,
}

/// Reads one printer and prints what it said.
///
/// # Errors
/// [`CliError`] when it does not answer, or the recording cannot be read.
pub async fn run(args: ReadArgs) -> Result<Exit, CliError> {
    let verdict = match (&args.from_recording, &args.address) {
        (Some(path), _) => from_recording(path, &args)?,
        (None, Some(address)) if args.via.is_other()? => {
            args.via.read(address, &args.asking).await?
        }
        (None, Some(address)) => from_device(address, &args).await?,
        (None, None) => return Err(CliError::new(Exit::USAGE, "name a printer or a recording")),
    };
    let text = match (&verdict, args.json) {
        (Verdict::Printer(reading), true) => table::json(reading).map(|text| text + "\n"),
        (Verdict::Printer(reading), false) => {
            Ok(show::reading(reading, args.all, args.color.is_on()))
        }
        (Verdict::NotAPrinter { reason }, true) => {
            table::json(&NoPrinter::new(None, reason)).map(|text| text + "\n")
        }
        (Verdict::NotAPrinter { reason }, false) => {
            Ok(format!("not a printer: {}\n", table::printable(reason)))
        }
    };
    let text = text.map_err(|error| {
        CliError::new(Exit::FAILED, "cannot write JSON").because(error.to_string())
    })?;
    // Who reads may have gone (`| head`): what was not read is nobody's loss.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(match verdict {
        Verdict::Printer(_) => Exit::OK,
        Verdict::NotAPrinter { .. } => {
            if args.from_recording.is_none() && args.record.is_none() {
                eprintln!("if it is a printer after all, --record FILE makes a bug report of it");
            }
            Exit::NOTHING
        }
    })
}

fn from_recording(path: &Path, args: &ReadArgs) -> Result<Verdict, CliError> {
    let shown = path.display();
    let unreadable = |why: String| {
        CliError::new(Exit::FAILED, format!("cannot read the recording {shown}"))
            .because(why)
            .try_next(MAKE_ONE)
    };
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > RECORDING_BYTES_MAX {
        return Err(unreadable(format!(
            "it is larger than {RECORDING_BYTES_MAX} bytes"
        )));
    }
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let recording = Recording::parse(&text).map_err(|error| {
        let what = format!("{shown}, line {}: {}", error.line, error.fault);
        CliError::new(Exit::FAILED, what)
            .because("each line is OID|TAG|VALUE, as 1.3.6.1.2.1.1.5.0|4|printer")
            .try_next(MAKE_ONE)
    })?;
    if recording.is_empty() {
        return Err(unreadable("there is nothing in it".to_owned()));
    }
    let now = Timestamp::now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Ok(judge(
        &Walk::from(&recording),
        &args.asking.profiles()?,
        None,
        at,
    ))
}

async fn from_device(written: &str, args: &ReadArgs) -> Result<Verdict, CliError> {
    let (range, address) = asking::address(written).await?;
    let door = args.asking.door();
    let scope = Scope::new(&[range], &[], &[door])
        .map_err(|error| CliError::new(Exit::USAGE, error.to_string()))?;
    let target = scope
        .admit(address, door)
        .map_err(|error| CliError::new(Exit::USAGE, error.to_string()))?;
    let credentials = survey::with_v1(&[args.asking.credential()?]);
    let snmp = args.asking.open(RATE)?;
    let profiles = args.asking.profiles()?;
    let survey = survey::read_device(&snmp, &target, &credentials, &profiles).await;
    let survey = match survey {
        Ok(survey) => survey,
        Err(ReadError::Ask(AskError::Silent { .. })) if args.asking.has_engine(&target).await => {
            let why = format!("{} answers, but no credential fits", target.addr());
            let next = format!("it speaks SNMPv3: platen read {written} --v3-user NAME");
            let refused = CliError::new(Exit::FAILED, format!("cannot read {written}"));
            return Err(refused.because(why).try_next(next));
        }
        Err(error) => {
            let hint = args.asking.credential_hint();
            return Err(unread(written, &target, error, hint));
        }
    };
    if !survey.unanswered.is_empty() {
        eprintln!(
            "{} columns stayed without an answer",
            survey.unanswered.len()
        );
    }
    if let Some(trouble) = &survey.trouble {
        eprintln!("the reading is not whole: {}", table::printable(trouble));
    }
    if let Some(path) = &args.record {
        record(&snmp, &target, &survey.credential, (path, args.private)).await?;
    }
    Ok(survey.verdict)
}

async fn record(
    snmp: &Snmp,
    target: &InScope,
    credential: &Credential,
    (path, is_private): (&Path, bool),
) -> Result<(), CliError> {
    let recorded = recording::record(snmp, target, credential, (path, is_private)).await?;
    let shown = path.display();
    eprintln!("{} objects recorded in {shown}", recorded.objects);
    if let Some(error) = recorded.stopped {
        eprintln!("the recording is not whole: {error}");
    }
    if !is_private {
        eprintln!("names, contact and location are blanked; look it over before you share it");
    }
    Ok(())
}

/// Says why a device was not read, and what to do about it.
fn unread(written: &str, target: &InScope, error: ReadError, hint: &str) -> CliError {
    let peer = target.addr();
    let what = format!("cannot read {written}");
    let why = error.to_string();
    let next = match error {
        ReadError::Ask(AskError::Silent { .. }) => format!(
            "check that it is on, that SNMP is enabled on it, {hint}, and that UDP port {} is open \
             on the way",
            peer.port()
        ),
        ReadError::Ask(AskError::Unsendable { .. }) => {
            "check the address and the route to it: ip route get ADDRESS".to_owned()
        }
        ReadError::Ask(AskError::Refused { refusal, .. }) => cure::of(&refusal).to_owned(),
        ReadError::Ask(_) | ReadError::SwappedUnderway { .. } | ReadError::AnotherDevice { .. } => {
            format!("try again: platen read {written}")
        }
        // One user was named, so that one was refused.
        ReadError::NoCredentialFits { refusals, .. } => refusals
            .first()
            .map(cure::of)
            .unwrap_or_default()
            .to_owned(),
        ReadError::NoCredential { .. } => "name a community: --community C".to_owned(),
    };
    CliError::new(Exit::FAILED, what)
        .because(why)
        .try_next(next)
}
