//! `open`: a port on this machine that leads to one port of one printer, for as long as a session
//! lasts. It goes through the portal like everybody: the same ticket, the same audit.
//!
//! On the hub's own machine it makes itself a session of the portal from the state folder;
//! elsewhere it uses a link of the portal from a file.

mod door;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::door::Door;
use super::agents;
use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{plain, printers, say};
use crate::config::HubConfig;
use crate::door::raw::bridge;
use crate::store::{Store, Tenant};

/// Connections at once: what an agent takes in one session.
const CONNECTIONS_MAX: usize = 32;

/// How often the session is looked at while it is not open, and while it is.
const LOOK_SOON: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks in a row that may fail before the hub counts as gone.
const FAILURES_MAX: u32 = 10;

/// Pause after the system refuses a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What `open` takes.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The printer: its device id; on the hub's machine also serial or address
    device: String,
    /// Which port of it: 9100 for raw printing, 631 for IPP, 80 or 443 for its page
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Why: stands in the site's log and in the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long; the site may allow less
    #[arg(long, value_name = "N", default_value_t = 15,
          value_parser = clap::value_parser!(u16).range(1..=60))]
    minutes: u16,
    /// Where to listen on this machine; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Through which agent, by name or id, where several see the printer
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// On the hub's machine: who opens it, for the audit
    #[arg(long = "for", value_name = "NAME", default_value = "operator",
          value_parser = agents::name)]
    name: String,
    /// On another machine: the portal's address, as <https://hub.example.org>
    #[arg(long, value_name = "URL", requires_all = ["ca", "link"])]
    hub: Option<String>,
    /// The authorities that the hub's certificate may be of, PEM
    #[arg(long, value_name = "FILE", requires = "hub")]
    ca: Option<PathBuf>,
    /// A file with a link of platen-hub setup-link; it holds the session after that
    #[arg(long, value_name = "FILE", requires = "hub")]
    link: Option<PathBuf>,
}

/// Opens a port on this machine until the session ends or somebody presses Ctrl-C.
pub(super) async fn run(args: OpenArgs, config: &HubConfig) -> Result<Exit, Complaint> {
    if !args.listen.ip().is_loopback() {
        let what = format!("{} can be reached from other machines", args.listen);
        return Err(Complaint::new(Exit::BAD_CONFIG, what)
            .because("whoever reaches it would use this session in your name")
            .try_next("--listen 127.0.0.1:0"));
    }
    let (door, device) = match (&args.hub, &args.ca, &args.link) {
        (Some(hub), Some(ca), Some(link)) => {
            (Door::elsewhere(hub, ca, link).await?, args.device.clone())
        }
        _ => here(&args, config).await?,
    };
    let mut stop = Box::pin(interrupted()?);
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Complaint::new(
            Exit::FAILED,
            format!("{} cannot be listened on", args.listen),
        )
        .because(error.to_string())
        .try_next("--listen 127.0.0.1:0 takes any free port")
    })?;
    let id = ask(&door, &device, &args).await?;
    eprintln!("session {id}");
    let opened = tokio::select! {
        opened = until_open(&door, &id) => opened,
        () = &mut stop => Ok(false),
    };
    let ended = match opened {
        Ok(true) => serve(&door, &id, (listener, &mut stop)).await,
        Ok(false) => Ok(Exit::OK),
        Err(complaint) => Err(complaint),
    };
    // It may have ended by itself: then there is nothing to end.
    if let Err(error) = door.post(&format!("/sessions/{id}/end"), "").await {
        eprintln!("the session could not be ended and ends with its time: {error}");
    }
    ended
}

/// The portal of the hub on this machine, and the printer as the portal names it.
async fn here(args: &OpenArgs, config: &HubConfig) -> Result<(Door, String), Complaint> {
    let (store, _): (Store, _) = super::open(config).await?;
    let fleet = store.fleet(&Tenant::DEFAULT).await?;
    let device = printers::find(&fleet, &args.device)?
        .device
        .as_str()
        .to_owned();
    let Some(bound) = crate::state::running(&config.state_dir) else {
        return Err(Complaint::new(Exit::HUB_AWAY, "the hub is not running")
            .because("a session lives in the running hub")
            .try_next("platen-hub serve; or name a hub elsewhere with --hub, --ca and --link"));
    };
    let door = Door::here(&store, bound.portal, &args.name).await?;
    Ok((door, device))
}

/// Asks the portal for a session; says its id.
async fn ask(door: &Door, device: &str, args: &OpenArgs) -> Result<String, Complaint> {
    let mut form = format!(
        "port={}&minutes={}&reason={}",
        args.port,
        args.minutes,
        door::encoded(&args.reason)
    );
    if let Some(agent) = &args.agent {
        form += &format!("&agent={}", door::encoded(agent));
    }
    let path = format!("/printers/{}/sessions", door::encoded(device));
    let (status, said) = door.post(&path, &form).await?;
    let said: Value = serde_json::from_slice(&said).unwrap_or_default();
    match (status, said["id"].as_str(), said["error"].as_str()) {
        (201, Some(id), _) => Ok(plain(id)),
        (_, _, Some(error)) => Err(Complaint::new(Exit::FAILED, "no session is opened")
            .because(plain(error))
            .try_next("platen-hub sessions ls shows what is open; docs/howto/web-access-hub.md")),
        _ => Err(door::refused(status)),
    }
}

/// Waits until the tunnel is open; false if the session ended before, for a reason that was told.
async fn until_open(door: &Door, id: &str) -> Result<bool, Complaint> {
    let mut told = String::new();
    loop {
        let said = state(door, id).await?;
        match said["state"].as_str() {
            Some("open") => return Ok(true),
            Some("ended") => {
                let why = plain(said["why"].as_str().unwrap_or_default());
                return Err(Complaint::new(Exit::REFUSED, "the session has ended")
                    .because(why)
                    .try_next(format!(
                        "platen-hub sessions show {id}, on the hub's machine"
                    )));
            }
            _ => {}
        }
        let words = match said["progress"].as_str() {
            None | Some("") => "waits for the agent".to_owned(),
            Some(words) => plain(words),
        };
        if words != told {
            eprintln!("{words}");
            told = words;
        }
        sleep(LOOK_SOON).await;
    }
}

async fn state(door: &Door, id: &str) -> Result<Value, Complaint> {
    let (status, said) = door.get(&format!("/sessions/{id}/state")).await?;
    match status {
        200 => Ok(serde_json::from_slice(&said).unwrap_or_default()),
        status => Err(door::refused(status)),
    }
}

/// Serves the port until the session ends or somebody stops it.
async fn serve(
    door: &Door,
    id: &str,
    (listener, stop): (TcpListener, impl Future<Output = ()> + Unpin),
) -> Result<Exit, Complaint> {
    let at = listener.local_addr().map_err(|error| {
        Complaint::new(Exit::FAILED, "the local port is gone").because(error.to_string())
    })?;
    say(at)?;
    eprintln!("until the session ends, or Ctrl-C");
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut carried = JoinSet::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(Exit::OK),
            accepted = accept(&listener, &places) => if let Some((stream, place)) = accepted {
                let (door, id) = (door.clone(), id.to_owned());
                carried.spawn(async move {
                    carry(&door, &id, stream).await;
                    drop(place);
                });
            },
            Some(_) = carried.join_next() => {}
            _ = looks.tick() => match state(door, id).await {
                Ok(said) if said["state"] == "ended" => {
                    eprintln!("ended: {}", plain(said["why"].as_str().unwrap_or_default()));
                    return Ok(Exit::OK);
                }
                Ok(_) => failures = 0,
                Err(complaint) if failures >= FAILURES_MAX => return Err(complaint),
                Err(_) => failures += 1,
            },
        }
    }
}

/// The next connection, and its place among those that may be at once.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(_) => {
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn carry(door: &Door, id: &str, stream: TcpStream) {
    // A page is many small packets: without this, each waits for another (RFC 896).
    let _ = stream.set_nodelay(true);
    match door.raw(&format!("/sessions/{id}/raw")).await {
        Err(complaint) => eprintln!(
            "a connection was not opened: {}",
            complaint.because_or_what()
        ),
        Ok(socket) => {
            if let Err(error) = bridge(socket, stream, |_, _| {}).await {
                eprintln!("a connection broke off: {error}");
            }
        }
    }
}

/// Ends with SIGINT or SIGTERM.
fn interrupted() -> Result<impl Future<Output = ()>, Complaint> {
    let hears = |kind| {
        signal(kind).map_err(|error| {
            Complaint::new(Exit::FAILED, "signals cannot be listened for")
                .because(error.to_string())
        })
    };
    let (mut term, mut interrupt) = (
        hears(SignalKind::terminate())?,
        hears(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
#[path = "open/tests.rs"]
mod tests;
