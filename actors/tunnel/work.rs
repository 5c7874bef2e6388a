//! A session from its ticket to its end, on the thread of the tunnels.
//!
//! Who is the device? → dial the gateway → serve connections until a reason to end comes. Whatever
//! happens, there is one [`End`], the gateway is told it, and nothing of the session is left.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dial::{Destination, Dialer, Route, Trust};
use jiff::Timestamp;
use printer::identity::{Fingerprint, Identity};
use printer::profile::Profiles;
use printer::reading::Verdict;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tracing::warn;

use super::carry::{Place, Same, carry, same};
use super::ending::{Cause, End};
use super::gateway::{self, Link};
use super::policy::Leave;
use super::tally::Tally;
use super::ticket::Ticket;
use super::ways::Ways;
use crate::keeper::Keeper;
use crate::order::{Ended, Progress, json as as_json};
use crate::reach::credential::Credential;
use crate::reach::scope::InScope;
use crate::reach::stream;
use crate::reach::survey;
use crate::site::Unwilling;

/// How long opening may take: the device is asked, a proxy and a gateway are dialed.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(30);

/// How often deadline and idle limit are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Most addresses of the hub, its gateway and a proxy that are told from printers.
const HUB_ADDRESSES_MAX: usize = 64;

/// Longest that a name server may take over their names.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Who we are to the hub, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct HubSide {
    pub(crate) url: String,
    pub(crate) authority_pem: String,
    pub(crate) route: Route,
    pub(crate) keeper: Arc<dyn Keeper>,
}

/// The device of a session, as the registry knows it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) web: InScope,
    pub(crate) snmp: InScope,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) fingerprint: Fingerprint,
}

/// Everything that a session needs.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) ticket: Ticket,
    pub(crate) leave: Leave,
    pub(crate) approved_by: Option<String>,
    pub(crate) target: Target,
    pub(crate) hub: HubSide,
    pub(crate) profiles: Arc<Profiles>,
    pub(crate) progress: Progress,
    pub(crate) answer: oneshot::Sender<Ended>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) ways: Ways,
}

/// A tunnel that stands, where it leads, and what is told of it.
struct Opened {
    link: Link,
    place: Arc<Place>,
    answer: Ended,
}

/// Carries a session through. `order` holds the end that somebody wants, once somebody does.
pub(super) async fn run(job: Job, mut order: watch::Receiver<Option<End>>) -> End {
    let opened = tokio::select! {
        biased;
        end = ordered(&mut order) => Err(end),
        // Boxed: what a greeting needs would otherwise stay with the session until its end.
        opened = timeout(OPEN_MAX, Box::pin(open(&job))) => opened.unwrap_or_else(|_| {
            Err(End::new(Cause::NoGateway, "the tunnel could not be opened in 30 s"))
        }),
    };
    let Job {
        ticket,
        leave,
        answer,
        tally,
        ..
    } = job;
    match opened {
        Err(end) => {
            let unwilling = match end.cause {
                Cause::Site => Unwilling::Refused(end.why.clone()),
                _ => Unwilling::Failed(end.why.clone()),
            };
            // Whoever asked may have gone; the site's log has it all the same.
            let _ = answer.send(Err(unwilling));
            end
        }
        Ok(opened) => {
            tally.opened();
            let _ = answer.send(opened.answer);
            serve((opened.link, opened.place), &ticket, &leave, &mut order).await
        }
    }
}

/// Returns once somebody wants the end.
async fn ordered(order: &mut watch::Receiver<Option<End>>) -> End {
    match order.wait_for(Option::is_some).await {
        Ok(end) => end.clone(),
        Err(_) => None,
    }
    .unwrap_or_else(|| End::new(Cause::Died, "the session's actor died"))
}

async fn open(job: &Job) -> Result<Opened, End> {
    let no_device = |error: &dyn std::fmt::Display| End::new(Cause::NoDevice, error);
    let hub = hub_addresses(&job.hub, &job.leave.gateway).await;
    let may_be = stream::may_be_a_printer(&job.target.web, &hub).await;
    may_be.map_err(|error| End::new(Cause::Site, error))?;
    job.progress.tell("asking the device who it is");
    let snmp = job.ways.snmp().map_err(|error| no_device(&error))?;
    let (target, profiles) = (&job.target, &job.profiles);
    let introduced = survey::introduce(&snmp, &target.snmp, &target.credentials, profiles).await;
    let introduced = introduced.map_err(|error| no_device(&error))?;
    let address = target.web.addr().ip();
    match same(&target.fingerprint, &introduced.fingerprint) {
        Same::Yes => {}
        Same::No => {
            let why = format!("another device answers at {address}");
            return Err(End::new(Cause::AnotherDevice, why));
        }
        Same::Unknown => {
            let why = format!("what answers at {address} shows nothing that tells who it is");
            return Err(End::new(Cause::NoDevice, why));
        }
    }
    job.progress.tell("dialing the gateway");
    let link = dialed(job).await?;
    let place = Place {
        session: job.ticket.session.clone(),
        web: target.web,
        snmp_door: target.snmp,
        fingerprint: target.fingerprint.clone(),
        credential: introduced.credential,
        hub,
        snmp,
        load: job.ways.load(),
        flow: link.flow.clone(),
        tally: job.tally.clone(),
    };
    Ok(Opened {
        link,
        place: Arc::new(place),
        answer: told(job, &introduced.verdict),
    })
}

async fn dialed(job: &Job) -> Result<Link, End> {
    let failed = |error: &dyn std::fmt::Display| End::new(Cause::NoGateway, error);
    let keeper = job.hub.keeper.clone();
    // The keeper may touch the disk.
    let papers = tokio::task::spawn_blocking(move || keeper.current()).await;
    let papers = papers.map_err(|error| failed(&error))?;
    let trust = Trust {
        roots_pem: job.hub.authority_pem.clone(),
        identity: None,
    };
    let dialer = Dialer::through(&trust, job.hub.route.clone()).map_err(|error| failed(&error))?;
    let dialer = dialer.acknowledging_at_once();
    let counted = (job.tally.clone(), job.ways.room());
    let link = gateway::open((&dialer, &job.leave.gateway), &job.ticket, papers, counted).await;
    link.map_err(|error| failed(&error))
}

/// What the hub is told of a session that is open.
fn told(job: &Job, verdict: &Verdict) -> Ended {
    let identity = match verdict {
        Verdict::Printer(reading) => reading.identity.clone(),
        Verdict::NotAPrinter { .. } => Identity::default(),
    };
    as_json(&json!({
        "session": job.ticket.session.as_str(),
        "port": job.ticket.port,
        "vendor": identity.vendor,
        "model": identity.model,
        "serial": identity.serial,
        "until": job.leave.until,
        "approved_by": job.approved_by,
    }))
}

/// The addresses of the hub, its gateway and the proxy, as far as they are known: no printer is
/// there, whatever a range says.
async fn hub_addresses(hub: &HubSide, gateway: &Destination) -> Vec<IpAddr> {
    let hub_itself = Destination::of_url(&hub.url).ok();
    let proxy = hub.route.proxy().map(|proxy| proxy.destination().clone());
    let places = [hub_itself, Some(gateway.clone()), proxy];
    let mut addresses = Vec::new();
    for place in places.into_iter().flatten() {
        let found = timeout(
            LOOKUP_MAX,
            tokio::net::lookup_host((place.host(), place.port())),
        );
        // Behind a proxy the names of the outside are often unknown, and then no address of theirs
        // is in any range here.
        if let Ok(Ok(found)) = found.await {
            addresses.extend(found.map(|found| found.ip()));
        }
    }
    addresses.truncate(HUB_ADDRESSES_MAX);
    addresses
}

/// Serves connections until the end, and says goodbye.
async fn serve(
    (mut link, place): (Link, Arc<Place>),
    ticket: &Ticket,
    leave: &Leave,
    order: &mut watch::Receiver<Option<End>>,
) -> End {
    let mut carriers = JoinSet::new();
    let mut looks = interval(LOOK_EVERY);
    let end = loop {
        tokio::select! {
            end = ordered(order) => break end,
            _ = looks.tick() => if let Some(end) = is_over(&place.tally, ticket, leave) {
                break end;
            },
            call = link.calls.recv() => match call {
                Some(call) => {
                    carriers.spawn(carry(call, place.clone()));
                }
                None => {
                    let why = format!("the link to the gateway is lost: {}", link.farewell.words());
                    break End::new(Cause::LinkLost, why);
                }
            },
            Some(carried) = carriers.join_next() => match carried {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(error) => warn!(session = %ticket.session, %error, "a connection died"),
            },
        }
    };
    carriers.shutdown().await;
    link.close(ticket, &end).await;
    end
}

/// Whether time or silence ends it.
fn is_over(tally: &Tally, ticket: &Ticket, leave: &Leave) -> Option<End> {
    if Timestamp::now() >= leave.until {
        let why = match leave.cause {
            Cause::Hours => "the site's hours for sessions are over",
            _ => "its time is up",
        };
        return Some(End::new(leave.cause, why));
    }
    if tally.still() > ticket.idle_max {
        let secs = ticket.idle_max.as_secs();
        return Some(End::new(Cause::Idle, format!("nothing moved for {secs} s")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a future takes, in octets.
    fn size<A, B, F: Future>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_open_session_does_not_keep_what_its_greeting_took() {
        // 9,424 octets with it, 4,880 without.
        let session_bytes = size(run);
        assert!(session_bytes <= 6 * 1_024, "{session_bytes} octets");
    }
}
