//! `platen queue`: how a print queue of a printer is, over LPR.
//!
//! The state and the number of jobs are shown. Whose they are and what they are called is not kept.

use std::io::Write;

use actors::reach::scope::Door;
use actors::reach::{identified, lpr};
use clap::Args;
use printer::lpr::{Detail, Queue, QueueState};
use serde_json::json;

use super::asking::{self, AskingArgs};
use super::via::raw::Caller;
use super::{CliError, Exit, table};

/// Version of the JSON shape.
const SCHEMA: u32 = 1;

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen queue 192.168.1.17
  platen queue 192.168.1.17 --queue raw --json

Nothing is sent to the port before SNMP has said that it is a printer. Whose jobs
wait and what they are called is not shown.";

/// Arguments of `platen queue`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct QueueArgs {
    /// The printer's address or host name
    address: String,
    /// The queue's name
    #[arg(long, value_name = "NAME", default_value = "lp", value_parser = queue)]
    queue: Queue,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// TCP port of the printer's LPR
    #[arg(long, value_name = "P", default_value_t = lpr::PORT, value_parser = asking::port)]
    lpr_port: u16,
    #[command(flatten)]
    asking: AskingArgs,
}

/// Asks for the state of a queue and prints it.
///
/// # Errors
/// [`CliError`] when it is not known to be a printer, or does not answer.
pub async fn run(args: QueueArgs) -> Result<Exit, CliError> {
    let door = Door::Lpr {
        port: args.lpr_port,
    };
    let caller = Caller::new(&args.address, &args.asking, door).await?;
    let trouble = caller.trouble(&args.address, "lpr");
    let proof = identified::printer(caller.asking(), caller.door).await;
    let proof = proof.map_err(|why| trouble.unsent(&why))?;
    let state = lpr::queue(&proof, &args.queue, Detail::Long).await;
    let state = state.map_err(|error| trouble.unread(&error))?;
    let text = if args.json {
        let value = json!({
            "schema": SCHEMA,
            "address": caller.door.addr().ip(),
            "queue": args.queue.to_string(),
            "says": state.says,
            "jobs": state.jobs,
        });
        let text = table::json(&value);
        text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))? + "\n"
    } else {
        shown(&args.queue, &state)
    };
    // Who reads may have gone (`| head`): what was not read is nobody's loss.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::OK)
}

fn shown(queue: &Queue, state: &QueueState) -> String {
    let jobs = match state.jobs {
        Some(0) => "no jobs".to_owned(),
        Some(1) => "1 job".to_owned(),
        Some(jobs) => format!("{jobs} jobs"),
        None => "it does not say how many jobs".to_owned(),
    };
    let mut text = format!("{queue}: {jobs}\n");
    for line in &state.says {
        text += &format!("  {}\n", table::printable(line));
    }
    text
}

fn queue(text: &str) -> Result<Queue, String> {
    Queue::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_shown_in_a_few_lines() {
        let state = |jobs, says: &[&str]| QueueState {
            says: says.iter().map(|it| (*it).to_owned()).collect(),
            jobs,
        };
        let queue = Queue::usual();
        assert_eq!(
            shown(&queue, &state(Some(2), &["lp is ready"])),
            "lp: 2 jobs\n  lp is ready\n"
        );
        let unsaid = shown(&queue, &state(None, &[]));
        assert_eq!(unsaid, "lp: it does not say how many jobs\n");
    }
}
