//! `platen discover`: finds the printers in some ranges and reads each once.
//!
//! Needs no server, no configuration and no root, and writes nothing. It speaks SNMP over UDP and
//! nothing else.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use actors::reach::credential::Credential;
use actors::reach::scope::{InScope, Scope};
use actors::reach::snmp::Snmp;
use actors::reach::survey::{self, ReadError, Survey};
use actors::reach::sweep::{Answered, Sweep, SweepOptions, SweepProgress};
use clap::Args;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use printer::profile::Profiles;
use printer::question;

use super::asking::{self, AskingArgs};
use super::found::{self, Found};
use super::outcome::{in_words_of_link, losses, summary};
use super::table::Color;
use super::{CliError, Exit};

/// A range of more addresses is swept only when asked for twice: a /20 takes four seconds at the
/// usual pace and disturbs nobody, a /8 takes hours.
const ADDRESSES_UNASKED_MAX: u64 = 4_096;

/// Packets per second unless told otherwise: a /24 takes a second, and no switch notices.
const RATE_DEFAULT: u32 = 1_000;

/// Highest pace that may be asked for: more than a gigabit link carries.
const RATE_MAX: u32 = 1_000_000;

/// Largest file of known addresses: 20,000 lines of the longest addresses.
const KNOWN_BYTES_MAX: u64 = 1_024 * 1_024;

/// Most known addresses that are asked first: as many devices as an agent knows.
const KNOWN_MAX: usize = 20_000;

/// Devices read at once, one question each.
const READINGS_MAX: usize = 64;

/// How often the progress bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen discover 192.168.1.0/24
  platen discover 10.0.0.10-20 10.0.1.0/24 --exclude 10.0.0.15
  platen discover 192.168.1.0/24 --community-file secret.txt --csv > meters.csv";

/// Arguments of `platen discover`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DiscoverArgs {
    /// Where to look: 10.0.0.0/24, 10.0.0.10-20, 10.0.0.1-10.0.1.9, an address, or a host name
    #[arg(required = true, value_name = "RANGE")]
    ranges: Vec<String>,
    /// Leave these addresses alone; may be given several times
    #[arg(long, value_name = "RANGE")]
    exclude: Vec<String>,
    #[command(flatten)]
    asking: AskingArgs,
    /// File with an address or range a line where printers are known to be: they are asked first
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// Packets per second at most [default: 1000]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<u32>,
    /// Sweep more than 4096 addresses at the usual pace
    #[arg(long)]
    yes: bool,
    /// List other devices too, with why each is no printer
    #[arg(long)]
    all: bool,
    /// Print a list of readings as JSON (see docs/reading.md)
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a line per printer as CSV
    #[arg(long)]
    csv: bool,
    /// Color the table: auto, always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    #[arg(hide_possible_values = true)]
    color: Color,
}

/// Finds the printers in the ranges asked for. What was found when the user interrupts is printed.
///
/// # Errors
/// [`CliError`] when the ranges or options cannot be, or no socket can be opened.
pub async fn run(args: DiscoverArgs) -> Result<Exit, CliError> {
    let scope = scope(&args).await?;
    let credential = args.asking.credential()?;
    let snmp = args.asking.open(args.rate.unwrap_or(RATE_DEFAULT))?;
    let started = Instant::now();
    let options = SweepOptions {
        probe: question::probe(),
        probe_of_known: question::probe(),
        tries: args.asking.tries(),
        timeout: args.asking.timeout(),
        first: known(&args, &scope).await?,
        as_users: HashSet::new(),
    };
    let known = u64::try_from(options.first.len()).unwrap_or(0);
    let sweep = snmp
        .sweep(&scope, args.asking.door(), &[credential], options)
        .map_err(|error| {
            CliError::new(Exit::FAILED, "cannot start the sweep").because(error.to_string())
        })?;
    let bar = progress_bar(&args.ranges.join(" "));
    let profiles = args.asking.profiles()?;
    let mut discovery = Discovery {
        snmp,
        profiles: &profiles,
        found: BTreeMap::new(),
        bar,
        known,
        is_link_told: false,
    };
    let progress = discovery.go(sweep).await;
    discovery.bar.finish_and_clear();
    let read = discovery.snmp.counts();
    let found: Vec<(IpAddr, Found)> = discovery.found.into_iter().collect();
    print(&args, &found)?;
    eprintln!("{}", summary(&found, (progress, read), started.elapsed()));
    for word in losses(progress) {
        eprintln!("{word}");
    }
    let is_printer = |(_, found): &(IpAddr, Found)| matches!(found, Found::Printer(_));
    if found.iter().any(is_printer) {
        return Ok(Exit::OK);
    }
    let is_refused = |(_, found): &(IpAddr, Found)| matches!(found, Found::Refused(_));
    let why = if found.is_empty() {
        format!(
            "nothing answered: check that SNMP is enabled on the printers, {}, and that UDP is let \
             through on the way",
            args.asking.credential_hint()
        )
    } else if found.iter().any(is_refused) {
        "compare user, algorithms and passwords with what is set on the printers".to_owned()
    } else {
        "what answered is no printer; list it: platen discover --all".to_owned()
    };
    eprintln!("{why}");
    Ok(Exit::NOTHING)
}

/// A span for people, in its largest unit: `4 s`, `9 min`, `9 h`.
fn in_words(span: Duration) -> String {
    match span.as_secs() {
        secs @ 7_200.. => format!("{} h", secs / 3_600),
        secs @ 120.. => format!("{} min", secs / 60),
        secs => format!("{secs} s"),
    }
}

fn rate(text: &str) -> Result<u32, String> {
    asking::whole_number(text, 1..=RATE_MAX)
}

/// A discovery under way.
struct Discovery<'p> {
    snmp: Snmp,
    profiles: &'p Profiles,
    found: BTreeMap<IpAddr, Found>,
    bar: ProgressBar,
    /// Addresses that are asked first.
    known: u64,
    /// Whether the user knows how addresses on the own link are treated.
    is_link_told: bool,
}

impl<'p> Discovery<'p> {
    /// Sweeps, and reads every candidate while the sweep goes on.
    async fn go(&mut self, mut sweep: Sweep) -> SweepProgress {
        let mut candidates: VecDeque<Answered> = VecDeque::new();
        let mut readings: FuturesUnordered<BoxFuture<'p, (InScope, Result<Survey, ReadError>)>> =
            FuturesUnordered::new();
        let mut is_sweeping = true;
        let mut draw = tokio::time::interval(DRAW_EVERY);
        while is_sweeping || !readings.is_empty() {
            tokio::select! {
                answered = sweep.next(), if is_sweeping => match answered {
                    Some(answered) if answered.may_be_a_printer => candidates.push_back(answered),
                    Some(answered) => self.pass_over(&answered),
                    None => is_sweeping = false,
                },
                Some((target, outcome)) = readings.next(), if !readings.is_empty() => {
                    self.found.insert(target.addr().ip(), Found::from_outcome(outcome));
                }
                _ = draw.tick() => self.draw(sweep.progress(), readings.len() + candidates.len()),
                interrupted = tokio::signal::ctrl_c() => {
                    if interrupted.is_ok() {
                        break;
                    }
                }
            }
            // Readings share the pace: none begins before all are asked where printers are known to be.
            let is_open = !is_sweeping || sweep.progress().done >= self.known;
            while is_open && readings.len() < READINGS_MAX {
                let Some(answered) = candidates.pop_front() else {
                    break;
                };
                readings.push(self.read(answered));
            }
        }
        self.draw(sweep.progress(), 0);
        sweep.progress()
    }

    /// Takes the sweep's word for it that a device is no printer, and why.
    fn pass_over(&mut self, answered: &Answered) {
        let address = answered.target.addr().ip();
        let found = Found::from_verdict(survey::verdict(answered, self.profiles));
        self.found.insert(address, found);
    }

    /// Reads one device that answered. What is no printer is told apart by its first answers.
    fn read(&self, answered: Answered) -> BoxFuture<'p, (InScope, Result<Survey, ReadError>)> {
        let (snmp, profiles) = (self.snmp.clone(), self.profiles);
        let credentials: [Credential; 1] = [answered.credential];
        Box::pin(async move {
            let target = answered.target;
            (
                target,
                survey::read_device(&snmp, &target, &credentials, profiles).await,
            )
        })
    }

    fn draw(&mut self, progress: SweepProgress, unread: usize) {
        if let (Some(own_link), false) = (progress.own_link, self.is_link_told) {
            self.is_link_told = true;
            self.bar
                .suspend(|| eprintln!("{}", in_words_of_link(own_link)));
        }
        let printers = self
            .found
            .values()
            .filter(|found| matches!(found, Found::Printer(_)));
        self.bar.set_length(progress.planned.max(1));
        self.bar.set_position(progress.done);
        self.bar.set_message(match (printers.count(), unread) {
            (printers, 0) => format!("{printers} printers"),
            (printers, unread) => format!("{printers} printers, reading {unread}"),
        });
    }
}

async fn scope(args: &DiscoverArgs) -> Result<Scope, CliError> {
    let ranges = asking::ranges(&args.ranges).await?;
    let excludes = asking::ranges(&args.exclude).await?;
    let scope = Scope::new(&ranges, &excludes, &[args.asking.door()])
        .map_err(|error| CliError::new(Exit::USAGE, error.to_string()))?;
    let addresses = scope.count();
    if addresses == 0 {
        return Err(CliError::new(Exit::USAGE, "there is no address to ask")
            .because(
                "everything is excluded, or is no address of one device (multicast, broadcast)",
            )
            .try_next("write the subnet that the printers are in, as 192.168.1.0/24"));
    }
    if addresses > ADDRESSES_UNASKED_MAX && args.rate.is_none() && !args.yes {
        let rounds = u64::from(args.asking.tries());
        let seconds = addresses.saturating_mul(rounds) / u64::from(RATE_DEFAULT);
        let what = format!("{addresses} addresses are more than {ADDRESSES_UNASKED_MAX}");
        return Err(CliError::new(Exit::USAGE, what)
            .because(format!(
                "at {RATE_DEFAULT} packets a second this takes {}",
                in_words(Duration::from_secs(seconds))
            ))
            .try_next("add --yes, or --rate N for N packets a second"));
    }
    Ok(scope)
}

/// Where printers are known to be, as far as it is in scope: one address or range a line.
async fn known(args: &DiscoverArgs, scope: &Scope) -> Result<Vec<InScope>, CliError> {
    let Some(path) = &args.known else {
        return Ok(Vec::new());
    };
    let unusable = |why: String| {
        let what = format!("{} cannot be used", path.display());
        CliError::new(Exit::USAGE, what)
            .because(why)
            .try_next("write an address or range a line, as 10.0.0.17")
    };
    let size = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if size.len() > KNOWN_BYTES_MAX {
        return Err(unusable(format!(
            "it has more than {KNOWN_BYTES_MAX} octets"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(ToOwned::to_owned).collect();
    let door = args.asking.door();
    let known = Scope::new(&asking::ranges(&lines).await?, &[], &[door])
        .map_err(|error| unusable(error.to_string()))?;
    let addresses = known.addresses().take(KNOWN_MAX);
    Ok(addresses
        .filter_map(|it| scope.admit(it, door).ok())
        .collect())
}

/// A progress bar on stderr, hidden where stderr is no terminal.
fn progress_bar(ranges: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(1), target).with_prefix(ranges.to_owned());
    // A template that cannot be read would be a mistake here; the bar then keeps its own style.
    match ProgressStyle::with_template(
        "Scanning {prefix} {bar:30} {pos}/{len} · {msg} · {eta} left",
    ) {
        Ok(style) => bar.with_style(style.progress_chars("━╸ ")),
        Err(_) => bar,
    }
}

fn print(args: &DiscoverArgs, found: &[(IpAddr, Found)]) -> Result<(), CliError> {
    let text = if args.json {
        found::json(found, args.all)
    } else if args.csv {
        found::csv(found, args.all)
    } else {
        Ok(found::table(found, args.all, args.color.is_on()))
    };
    let text = text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?;
    // Who reads may have gone (`| head`): what was not read is nobody's loss.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
