//! What `platen check` asks of a range: is there a route, does anybody answer over SNMP?

use std::collections::HashSet;
use std::time::Duration;

use actors::parts::Subnet;
use actors::reach::range::AddressRange;
use actors::reach::scope::Scope;
use actors::reach::snmp::Snmp;
use actors::reach::survey::{self, ReadError};
use actors::reach::sweep::{Answered, Sweep, SweepOptions};
use printer::question;

use super::finding::{Area, Cause, Finding, Trouble};
use crate::cli::CliError;
use crate::config::{AgentConfig, RangeConfig};
use crate::run::subnet;

/// Most addresses of a range that are asked: all of a /24. Of a wider one, some spread over it.
const SAMPLE_MAX: u64 = 256;

/// Asks a sample of every range.
pub(super) async fn ranges(config: &AgentConfig, limit: Duration) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(config.ranges.len());
    let snmp = match Snmp::open(config.snmp) {
        Ok(snmp) => snmp,
        Err(error) => {
            let what = format!("no UDP socket could be opened: {error}");
            let trouble = Trouble::new(Cause::NotPermitted, what, "", "see `ulimit -n`");
            return vec![Finding::failed(Area::Range, "", trouble)];
        }
    };
    for range in &config.ranges {
        findings.push(ask(range, config, &snmp, limit).await);
    }
    findings
}

async fn ask(range: &RangeConfig, config: &AgentConfig, snmp: &Snmp, limit: Duration) -> Finding {
    let subject = subject(range);
    let subnet = match subnet(range, config.snmp_port).await {
        Ok(subnet) => subnet,
        Err(CliError {
            what, why, next, ..
        }) => {
            let trouble = Trouble::new(Cause::Dns, what, why, next);
            return Finding::failed(Area::Range, subject, trouble);
        }
    };
    let Some((scope, is_whole)) = sample(&subnet) else {
        let why = "everything in it is excluded, or is no address of one device";
        return Finding::skipped(Area::Range, subject, why);
    };
    let options = SweepOptions {
        probe: question::probe(),
        probe_of_known: question::probe(),
        tries: 1,
        timeout: limit.min(config.snmp.timeout),
        first: Vec::new(),
        as_users: HashSet::new(),
    };
    let mut sweep = match snmp.sweep(&scope, subnet.door, &subnet.credentials, options) {
        Ok(sweep) => sweep,
        Err(error) => {
            let trouble = Trouble::new(Cause::Other, error.to_string(), "", "see `ulimit -n`");
            return Finding::failed(Area::Range, subject, trouble);
        }
    };
    let counted = count(&mut sweep, snmp, &subnet).await;
    let progress = sweep.progress();
    let asked = scope.count();
    let of = if is_whole { "" } else { " of a sample" };
    let refused = match counted.refusing {
        0 => String::new(),
        some => format!(", {some} answer but no credential fits"),
    };
    let Counted {
        printers, others, ..
    } = counted;
    let what = format!("{printers} printers, {others} others{refused} of {asked} addresses{of}");
    match (printers, progress.unsendable) {
        (1.., _) => Finding::fine(Area::Range, subject, what),
        (0, 1..) if progress.unsendable >= progress.packets_sent => {
            let trouble = Trouble::new(
                Cause::NoRoute,
                "0 answers: no route",
                "this machine's routing table leads nowhere for these addresses",
                "check the range, and the routes of this machine (`ip route get ADDRESS`)",
            );
            Finding::failed(Area::Range, subject, trouble)
        }
        (0, _) if counted.refusing > 0 => Finding::warning(Area::Range, subject, refusing(what)),
        (0, _) => {
            let trouble = Trouble::new(
                Cause::NobodyAnswers,
                what,
                "no printer is on there, SNMP is off, the community is another, or a firewall \
                 drops UDP to the printers' SNMP port",
                "try one printer: platen read ADDRESS",
            );
            Finding::warning(Area::Range, subject, trouble)
        }
    }
}

/// What answered in a range.
#[derive(Default)]
struct Counted {
    printers: u32,
    others: u32,
    /// They answer, but no credential fits.
    refusing: u32,
}

/// Counts what answers a sweep.
async fn count(sweep: &mut Sweep, snmp: &Snmp, subnet: &Subnet) -> Counted {
    let mut counted = Counted::default();
    while let Some(answered) = sweep.next().await {
        match is_printer(snmp, subnet, &answered).await {
            Ok(true) => counted.printers += 1,
            Err(ReadError::NoCredentialFits { .. }) => counted.refusing += 1,
            // Who told its engine and then fell silent is there all the same.
            Ok(false) | Err(_) => counted.others += 1,
        }
    }
    counted
}

fn refusing(what: String) -> Trouble {
    Trouble::new(
        Cause::NobodyAnswers,
        what,
        "users, algorithms or passwords are others than those set on the printers",
        "ask one printer why: platen read ADDRESS --v3-user NAME",
    )
}

/// Whether what answered may be a printer; an engine of version 3 is asked.
async fn is_printer(snmp: &Snmp, subnet: &Subnet, answered: &Answered) -> Result<bool, ReadError> {
    if !answered.is_engine() {
        return Ok(answered.may_be_a_printer);
    }
    let (_, walk) = survey::fit(snmp, &answered.target, &subnet.credentials).await?;
    Ok(survey::is_candidate(&walk))
}

/// The range by its addresses, and its label.
fn subject(range: &RangeConfig) -> String {
    let addresses: Vec<String> = range.addresses.iter().map(ToString::to_string).collect();
    format!("{} ({})", addresses.join(" "), range.label)
}

/// Whom to ask of a subnet, and whether that is everybody; none where nobody is in it.
fn sample(subnet: &Subnet) -> Option<(Scope, bool)> {
    let count = subnet.scope.count();
    if count == 0 {
        return None;
    }
    if count <= SAMPLE_MAX {
        return Some((subnet.scope.clone(), true));
    }
    let step = usize::try_from(count.div_ceil(SAMPLE_MAX)).unwrap_or(usize::MAX);
    let some: Vec<AddressRange> = subnet
        .scope
        .addresses()
        .step_by(step)
        .filter_map(|address| address.to_string().parse().ok())
        .collect();
    Some((Scope::new(&some, &[], &[subnet.door]).ok()?, false))
}
