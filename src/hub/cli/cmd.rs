//! `cmd`: orders something of an agent and follows it to its end; lists what was ordered.
//!
//! The command is signed here and put into the store, where the running hub finds it within a
//! second. What is printed comes from the store again, so that this works beside the hub and says
//! the same as the portal.

mod args;
mod credential;
mod follow;

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::lpr::Queue;

use self::args::{ConfigureArgs, Given, ZebraArgs, device, queue, value};
use self::credential::sealed;
use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{open, plain, say};
use crate::command_key::CommandKey;
use crate::config::HubConfig;
use crate::door::command::issue::{IssueError, issue};
use crate::door::command::order::{Configuration, Credential, Order, Range};
use crate::permission::{Denied, Object, Subject, permit};
use crate::store::agents::AgentRow;
use crate::store::{Store, Tenant};

/// Commands in one list.
const LISTED_MAX: usize = 50;

/// What can be ordered.
#[derive(Debug, Subcommand)]
pub(super) enum CmdVerb {
    /// Read a printer in full now, or all that the agent knows
    Read {
        /// The agent's name or id
        agent: String,
        /// The printer, by device id
        #[arg(value_parser = device)]
        device: Option<DeviceId>,
        #[command(flatten)]
        given: Given,
    },
    /// Sweep a subnet now, or all that the site configured
    Discover {
        /// The agent's name or id
        agent: String,
        /// The subnet's label
        subnet: Option<String>,
        #[command(flatten)]
        given: Given,
    },
    /// Ask an address in the site's ranges for an ICMP echo
    Ping {
        /// The agent's name or id
        agent: String,
        /// Whom to ask
        address: IpAddr,
        /// How often
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10))]
        count: u32,
        #[command(flatten)]
        given: Given,
    },
    /// Say what an agent sees of an address: ICMP, SNMP, what it is
    Check {
        /// The agent's name or id
        agent: String,
        /// Which address
        address: IpAddr,
        #[command(flatten)]
        given: Given,
    },
    /// Say why the printer at an address is missing, or a value of it: what `platen doctor` says there
    Doctor {
        /// The agent's name or id
        agent: String,
        /// Which address
        address: IpAddr,
        /// The value that is missing: total, color, serial, supplies, or as the printer calls a supply
        #[arg(long, value_name = "NAME", value_parser = value)]
        value: Option<String>,
        #[command(flatten)]
        given: Given,
    },
    /// Record a device, without what names persons; the recording goes to stdout
    Walk {
        /// The agent's name or id
        agent: String,
        /// Which address
        address: IpAddr,
        #[command(flatten)]
        given: Given,
    },
    /// Tell a Zebra label printer to do one of a closed list of things
    Zebra {
        /// The agent's name or id
        agent: String,
        #[command(flatten)]
        zebra: ZebraArgs,
        #[command(flatten)]
        given: Given,
    },
    /// Say how a printer's LPR queue is
    Lpr {
        /// The agent's name or id
        agent: String,
        /// The printer, by device id
        #[arg(value_parser = device)]
        device: DeviceId,
        /// The queue
        #[arg(default_value = "lp", value_parser = queue)]
        queue: Queue,
        #[command(flatten)]
        given: Given,
    },
    /// Replace what the hub configures, within the site's own ceiling
    Configure {
        /// The agent's name or id
        agent: String,
        #[command(flatten)]
        configuration: ConfigureArgs,
        #[command(flatten)]
        given: Given,
    },
    /// Close a way to a printer's web page
    TunnelClose {
        /// The agent's name or id
        agent: String,
        /// Which session
        session: String,
        #[command(flatten)]
        given: Given,
    },
    /// Read a device again that was set aside because it killed its reader
    Release {
        /// The agent's name or id
        agent: String,
        /// The device's id
        #[arg(value_parser = device)]
        device: DeviceId,
        #[command(flatten)]
        given: Given,
    },
    /// Have an agent make a new key and certificate
    Rotate {
        /// The agent's name or id
        agent: String,
        #[command(flatten)]
        given: Given,
    },
    /// Have an agent send what `platen diag` writes, redacted
    Diag {
        /// The agent's name or id
        agent: String,
        #[command(flatten)]
        given: Given,
    },
    /// Have an agent install another version
    Update {
        /// The agent's name or id
        agent: String,
        /// Which version [default: the newest]
        version: Option<String>,
        #[command(flatten)]
        given: Given,
    },
    /// List what was ordered of an agent
    Ls {
        /// The agent's name or id
        agent: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one command with its result
    Show {
        /// The command's id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// The signed command itself, in base64: for who brings it by other ways
        #[arg(long, conflicts_with = "json")]
        signed: bool,
    },
}

/// Does what was asked about commands.
pub(super) async fn run(verb: CmdVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    match &verb {
        CmdVerb::Ls { agent, json } => return list(config, agent, *json).await,
        CmdVerb::Show {
            id, signed: true, ..
        } => return show_signed(config, id).await,
        CmdVerb::Show { id, json, .. } => return show(config, id, *json).await,
        _ => {}
    }
    let Some((name, given)) = verb.given() else {
        return Err(Complaint::new(Exit::FAILED, "nothing is ordered by this"));
    };
    let (store, _) = open(config).await?;
    let agent = agent_named(&store, name).await?;
    let order = verb.order(&agent)?;
    give(config, &store, &agent, (&order, given)).await
}

impl CmdVerb {
    /// Of whom it is ordered, and how; none of what orders nothing.
    fn given(&self) -> Option<(&str, &Given)> {
        match self {
            Self::Read { agent, given, .. }
            | Self::Discover { agent, given, .. }
            | Self::Ping { agent, given, .. }
            | Self::Check { agent, given, .. }
            | Self::Doctor { agent, given, .. }
            | Self::Walk { agent, given, .. }
            | Self::Zebra { agent, given, .. }
            | Self::Lpr { agent, given, .. }
            | Self::Configure { agent, given, .. }
            | Self::TunnelClose { agent, given, .. }
            | Self::Release { agent, given, .. }
            | Self::Rotate { agent, given }
            | Self::Diag { agent, given }
            | Self::Update { agent, given, .. } => Some((agent, given)),
            Self::Ls { .. } | Self::Show { .. } => None,
        }
    }

    /// What it orders of this agent.
    fn order(&self, of: &AgentRow) -> Result<Order, Complaint> {
        Ok(match self {
            Self::Read { device, .. } => Order::Read(device.clone()),
            Self::Discover { subnet, .. } => Order::Discover(subnet.clone()),
            Self::Ping { address, count, .. } => Order::Ping {
                address: *address,
                count: *count,
            },
            Self::Check { address, .. } => Order::Check(*address),
            Self::Doctor { address, value, .. } => Order::Doctor {
                address: *address,
                value: value.clone(),
            },
            Self::Walk { address, .. } => Order::Walk(*address),
            Self::Zebra { zebra, .. } => zebra.order()?,
            Self::Lpr { device, queue, .. } => Order::Lpr {
                device: device.clone(),
                queue: queue.clone(),
            },
            Self::Configure { configuration, .. } => Order::Configure(wanted(configuration, of)?),
            Self::TunnelClose { session, .. } => Order::TunnelClose {
                session: session.clone(),
            },
            Self::Release { device, .. } => Order::Release(device.clone()),
            Self::Rotate { .. } => Order::Rotate,
            Self::Diag { .. } | Self::Ls { .. } | Self::Show { .. } => Order::Diag,
            Self::Update { version, .. } => Order::Update {
                version: version.clone().unwrap_or_default(),
            },
        })
    }
}

/// Signs an order, and follows it unless somebody does not want to wait.
async fn give(
    config: &HubConfig,
    store: &Store,
    agent: &AgentRow,
    (order, given): (&Order, &Given),
) -> Result<Exit, Complaint> {
    let object = Object {
        tenant: &Tenant::DEFAULT,
        agent: &agent.id,
        is_enrolled: agent.revoked.is_none() && agent.quarantined.is_none(),
    };
    let permission = permit(&Subject::Operator, order.action(), object)?;
    let key = CommandKey::open(&config.state_dir)
        .map_err(|error| Complaint::new(Exit::FAILED, error.to_string()))?;
    let wanted = (given.reason.as_str(), given.expires);
    let id = issue((store, &key), &permission, order, wanted, Timestamp::now()).await?;
    if given.no_wait {
        say(&id)?;
        return Ok(Exit::OK);
    }
    eprintln!("ordered as {id}; platen-hub cmd show {id} tells of it later");
    let is_running = crate::state::running(&config.state_dir).is_some();
    if !is_running {
        eprintln!("no hub runs here: the command waits for platen-hub serve");
    }
    let ended = follow::to_the_end(store, &id).await?;
    follow::tell(&ended, given.json)
}

async fn agent_named(store: &Store, name_or_id: &str) -> Result<AgentRow, Complaint> {
    let agents = store.agents(&Tenant::DEFAULT).await?;
    let is_named = |agent: &AgentRow| agent.name == name_or_id || agent.id == name_or_id;
    agents.into_iter().find(is_named).ok_or_else(|| {
        let what = format!("there is no agent '{}'", plain(name_or_id));
        Complaint::new(Exit::NOTHING, what)
            .because("none that is enrolled has this name or id")
            .try_next("platen-hub agent ls lists every one")
    })
}

/// A configuration with every community sealed to the agent.
fn wanted(args: &ConfigureArgs, agent: &AgentRow) -> Result<Configuration, Complaint> {
    let mut ranges: BTreeMap<String, Range> = BTreeMap::new();
    let mut lists = |given: &[(String, Vec<String>)], list: fn(&mut Range) -> &mut Vec<String>| {
        for (label, items) in given {
            let range = ranges.entry(label.clone()).or_default();
            range.label.clone_from(label);
            list(range).extend(items.iter().cloned());
        }
    };
    lists(&args.range, |range| &mut range.addresses);
    lists(&args.exclude, |range| &mut range.exclude);
    lists(&args.using, |range| &mut range.credentials);
    let mut credentials = Vec::new();
    let given = [
        ("2c", &args.credential),
        ("1", &args.credential_v1),
        ("3", &args.credential_v3),
    ];
    for (version, given) in given {
        for (name, file) in given {
            credentials.push(Credential {
                name: name.clone(),
                version,
                sealed: sealed(agent, (name, version), file)?,
            });
        }
    }
    Ok(Configuration {
        read_every: args.read_every,
        status_every: args.status_every,
        discover_every: args.discover_every,
        ranges: ranges.into_values().collect(),
        credentials,
    })
}

async fn list(config: &HubConfig, agent: &str, json: bool) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let agent = agent_named(&store, agent).await?;
    let commands = store
        .commands_of(&Tenant::DEFAULT, &agent.id, LISTED_MAX)
        .await?;
    if json {
        let commands: Vec<_> = commands.iter().map(follow::as_json).collect();
        say(serde_json::json!({"schema": 1, "agent": agent.name, "commands": commands}))?;
        return Ok(Exit::OK);
    }
    if commands.is_empty() {
        eprintln!("nothing was ordered of {}", plain(&agent.name));
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["ORDERED", "COMMAND", "BY", "OUTCOME", "WHY", "ID"]);
    for command in &commands {
        let why = if command.why.is_empty() {
            &command.progress
        } else {
            &command.why
        };
        table.add_row([
            command.made.to_string(),
            command.kind.clone(),
            plain(&command.issuer),
            command.state.as_str().to_owned(),
            plain(why),
            command.id.clone(),
        ]);
    }
    say(table.trim_fmt())?;
    Ok(Exit::OK)
}

async fn show(config: &HubConfig, id: &str, json: bool) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let command = store.command(&Tenant::DEFAULT, id).await?;
    let command = command.ok_or_else(|| no_such(id))?;
    if !command.state.is_answered() && !json {
        eprintln!("{} {}", command.state.as_str(), plain(&command.progress));
        return Ok(Exit::OK);
    }
    follow::tell(&command, json)
}

async fn show_signed(config: &HubConfig, id: &str) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let body = store.command_body(&Tenant::DEFAULT, id).await?;
    say(STANDARD.encode(body.ok_or_else(|| no_such(id))?))?;
    Ok(Exit::OK)
}

fn no_such(id: &str) -> Complaint {
    Complaint::new(
        Exit::NOTHING,
        format!("there is no command '{}'", plain(id)),
    )
    .because("ids have 32 digits; answered commands are kept up to a thousand an agent")
    .try_next("platen-hub cmd ls AGENT lists them")
}

impl From<Denied> for Complaint {
    fn from(denied: Denied) -> Self {
        let complaint = Self::new(Exit::REFUSED, denied.to_string());
        match denied {
            Denied::NotEnrolled => complaint.try_next("platen-hub agent ls says which and why"),
            Denied::NoRight { .. } => complaint,
        }
    }
}

impl From<IssueError> for Complaint {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Store(error) => error.into(),
            IssueError::TooMany => Self::new(Exit::FAILED, error.to_string())
                .because("none of them is answered: the agent is away, or its broker is")
                .try_next("platen-hub cmd ls AGENT; wait until they are answered or over"),
            IssueError::NotPermitted
            | IssueError::Reason
            | IssueError::Life
            | IssueError::TooLong(_) => Self::new(Exit::FAILED, error.to_string()),
        }
    }
}
