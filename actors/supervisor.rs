//! The root of the agent's life: starts every child, hears of every death, knows every device.
//!
//! A star: children know nobody but the Supervisor, and only the Supervisor keeps addresses. A
//! dead child is replaced by a new actor after a backoff and the others notice nothing. A child
//! that hangs (no answer to a beat, or a piece of work past its deadline) is dropped from outside
//! and is then as dead as any. The Supervisor itself is not restarted: when it ends, the process
//! ends, and whoever runs the process starts it again; all that matters is in the spool.

mod aside;
mod labels;
mod moves;
mod orders;
mod sessions;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::fut::wrap_future;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, MailboxError,
    Message, MessageResult, WrapFuture,
};
use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::backoff::chance;
use crate::behind::Behind;
use crate::children::Children;
use crate::device::{Device, Seed};
use crate::lifeline;
use crate::messages::{Beat, ChildId, Drain, Exited, HangReason, Pulse, Shutdown, TellStatus};
use crate::parts::{Parts, Subnet, Tools};
use crate::quarantine::{self, Quarantine, SetAside};
use crate::reach::scope::InScope;
use crate::registry::{Known, Registry};
use crate::scanner::Scanner;
use crate::spool::Spool;
use crate::status::{self, StatusSnapshot, Totals};
use crate::tunnel::desk::Desk;
use crate::tunnel::{Tunnel, Workshop};
use crate::uplink::Uplink;
use crate::watchdog::Heart;

/// Messages that may wait for the Supervisor; more senders wait in their own futures.
pub(crate) const MAILBOX_MAX: usize = 256;
/// Messages that may wait for a child: a beat, an order, and room for their repeats.
const CHILD_MAILBOX_MAX: usize = 16;
/// Groups in which the children are asked for their pulse, one group at a time, so that five
/// thousand answers do not fall into one moment.
const BEAT_GROUPS: u32 = 8;
/// How often the watchdog is shown that the thread is alive; it barks after 30 of these.
const HEART_EVERY: Duration = Duration::from_secs(1);
/// Longest that a child may take over an answer that is no beat: a device asks the printer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The root actor.
pub struct Supervisor {
    parts: Arc<Parts>,
    tools: Tools,
    children: Children<Address>,
    registry: Registry,
    totals: watch::Sender<Totals>,
    heart: Heart,
    turn: u32,
    /// One permit: one walk at a time.
    walking: Arc<Semaphore>,
    /// A permit for each printer that is looked into by the doctor.
    consulting: Arc<Semaphore>,
    sessions: Desk,
    labels: labels::Labels,
    quarantine: Quarantine,
    /// The thread of the tunnels, once there was one.
    workshop: Option<Workshop>,
    is_draining: bool,
}

/// The address of a child of any kind.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Scanner(Addr<Scanner>),
    Device(Addr<Device>),
    Uplink(Addr<Uplink>),
    Tunnel(Addr<Tunnel>),
}

impl Supervisor {
    /// A Supervisor without children yet; it makes them when it is started.
    #[must_use]
    pub(crate) fn new(parts: Parts, heart: Heart, behind: Behind) -> Self {
        Self {
            children: Children::new(parts.settings.backoff),
            quarantine: Quarantine::new(parts.quarantine.clone()),
            tools: parts.tools(behind),
            parts: Arc::new(parts),
            registry: Registry::default(),
            totals: watch::Sender::default(),
            heart,
            turn: 0,
            walking: Arc::new(Semaphore::new(1)),
            consulting: Arc::new(Semaphore::new(orders::CONSULTED_MAX)),
            sessions: Desk::default(),
            labels: labels::Labels::default(),
            workshop: None,
            is_draining: false,
        }
    }

    /// Starts what was known before the last end, then the sweeps and the uplink.
    fn begin(
        &mut self,
        (recalled, set_aside): (Vec<(DeviceId, Known)>, Vec<SetAside>),
        ctx: &mut Context<Self>,
    ) {
        self.recall_set_aside(set_aside);
        info!(devices = recalled.len(), "starting");
        let ids: Vec<DeviceId> = recalled.iter().map(|(id, _)| id.clone()).collect();
        for (id, known) in recalled {
            self.registry.recall(id, known);
        }
        for id in ids {
            self.revive(&ChildId::Device(id), ctx);
        }
        for label in self
            .parts
            .subnets
            .iter()
            .map(|subnet| subnet.label.clone())
            .collect::<Vec<_>>()
        {
            self.revive(&ChildId::Scanner(label), ctx);
        }
        if self.parts.hub.is_some() {
            self.revive(&ChildId::Uplink, ctx);
        }
    }

    /// Starts an actor under a name where none lives.
    fn revive(&mut self, id: &ChildId, ctx: &mut Context<Self>) {
        if self.is_draining || !self.children.is_vacant(id) {
            return;
        }
        let boss = ctx.address();
        match id {
            ChildId::Scanner(label) => {
                let subnet = self
                    .parts
                    .subnets
                    .iter()
                    .find(|subnet| subnet.label == *label);
                let Some(subnet) = subnet.cloned() else {
                    return;
                };
                let scanner = Scanner::new(subnet, self.tools.clone(), boss);
                self.bear(id, scanner, Address::Scanner, ctx);
            }
            // One that kills its actors stays set aside until somebody releases it.
            ChildId::Device(device) if self.quarantine.holds(device) => {}
            ChildId::Device(device) => {
                let Some(seed) = self.seed(device) else {
                    return;
                };
                let device = Device::new(seed, self.tools.clone(), boss);
                self.bear(id, device, Address::Device, ctx);
            }
            ChildId::Uplink => {
                let Some(hub) = self.parts.hub.clone() else {
                    return;
                };
                let commands = self.parts.commands.clone().map(|parts| (parts, boss));
                let tools = self.tools.clone();
                let uplink = Uplink::new(hub, tools, self.totals.subscribe(), commands);
                self.bear(id, uplink, Address::Uplink, ctx);
            }
            // A session is never begun again: the hub asks for a new one.
            ChildId::Tunnel(_) => {}
        }
    }

    /// Starts the actor and ties its lifeline.
    fn bear<A>(
        &mut self,
        id: &ChildId,
        actor: A,
        wrap: fn(Addr<A>) -> Address,
        ctx: &mut Context<Self>,
    ) where
        A: Actor<Context = Context<A>>,
    {
        let incarnation = self.children.announce(id);
        let (boss, child) = (ctx.address(), id.clone());
        let tell = move |cause| async move {
            // The Supervisor is gone only when everything is.
            let _ = boss
                .send(Exited {
                    child,
                    incarnation,
                    cause,
                })
                .await;
        };
        let (address, lifeline) = lifeline::start(actor, CHILD_MAILBOX_MAX, tell);
        self.children
            .born(id, wrap(address), lifeline, Instant::now());
    }

    /// What a device's actor starts from; none if the configuration has no place for it.
    fn seed(&self, id: &DeviceId) -> Option<Seed> {
        let known = self.registry.get(id)?;
        let place = known.address.map(|address| self.admit(address));
        let (target, subnet) = match place {
            Some(Some((target, subnet))) => (Some(target), Some(subnet)),
            Some(None) => {
                info!(device = %id, address = ?known.address, "known, but in no configured range");
                return None;
            }
            None => (None, None),
        };
        let doors = known.address.zip(subnet.as_ref());
        let doors = doors.map(|(address, subnet)| subnet.other_doors(address));
        let credentials = subnet
            .map(|subnet| subnet.tried(known.credential.as_ref()))
            .unwrap_or_default();
        Some(Seed {
            id: id.clone(),
            shared_serial: self.registry.shared_serial(id),
            proven_at: known.proven_at,
            traits: self.registry.traits(id).unwrap_or_default(),
            target,
            doors: doors.unwrap_or_default(),
            credentials,
        })
    }

    /// The subnet that holds an address, and the proof that it does.
    fn admit(&self, address: IpAddr) -> Option<(InScope, Arc<Subnet>)> {
        self.parts.subnets.iter().find_map(|subnet| {
            let target = subnet.scope.admit(address, subnet.door).ok()?;
            Some((target, subnet.clone()))
        })
    }

    /// Asks the next group of children for their pulse.
    fn beat(&mut self, ctx: &mut Context<Self>) {
        self.turn = self.turn.wrapping_add(1);
        let deadline = self.parts.settings.beat_deadline;
        let asked: Vec<_> = self
            .children
            .living()
            .filter(|(id, ..)| group_of(id) == self.turn % BEAT_GROUPS)
            .map(|(id, incarnation, address)| (id.clone(), incarnation, address.clone()))
            .collect();
        for (id, incarnation, address) in asked {
            let answer = address.beat(deadline).into_actor(self);
            ctx.spawn(answer.map(move |answer, supervisor, _| {
                supervisor.take_pulse(&id, incarnation, answer);
            }));
        }
        let totals = self.count();
        self.totals.send_if_modified(|last| {
            let is_changed = *last != totals;
            *last = totals;
            is_changed
        });
    }

    fn take_pulse(&mut self, id: &ChildId, incarnation: u64, answer: Result<Pulse, MailboxError>) {
        let hang = match answer {
            Ok(pulse) => self.children.pulse(id, incarnation, pulse, Instant::now()),
            Err(MailboxError::Timeout) => Some(HangReason::NoAnswer),
            // It died meanwhile; its lifeline tells.
            Err(MailboxError::Closed) => None,
        };
        if let Some(reason) = hang {
            warn!(child = %id, ?reason, "an actor hangs; it is dropped");
            self.children.cut(id, incarnation, reason);
        }
    }

    fn count(&self) -> Totals {
        let is_silent = |id: &DeviceId| self.silent_since(id).is_some();
        let silent = self.registry.iter().filter(|(id, _)| is_silent(id)).count();
        Totals {
            known: u32::try_from(self.registry.len()).unwrap_or(u32::MAX),
            silent: u32::try_from(silent).unwrap_or(u32::MAX),
            restarts: self.children.restarts(),
            refusing: status::refusing(&self.registry, &self.children).1,
            doubtful: status::doubtful(&self.registry).1,
        }
    }

    fn silent_since(&self, device: &DeviceId) -> Option<Timestamp> {
        status::silent_since(device, self.registry.get(device)?, &self.children)
    }

    /// Ends when the last child of a drain has ended.
    fn end_if_deserted(&mut self, ctx: &mut Context<Self>) {
        if self.is_draining && self.children.is_deserted() {
            ctx.stop();
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let beat_every = self.parts.settings.beat_every / BEAT_GROUPS;
        ctx.run_interval(beat_every, |supervisor, ctx| supervisor.beat(ctx));
        ctx.run_interval(HEART_EVERY, |supervisor, _| {
            let tools = &supervisor.tools;
            supervisor.heart.beat(&tools.runtime, tools.behind.handle());
        });
        let recall = recall(self.parts.clone()).into_actor(self);
        ctx.spawn(recall.map(|recalled, supervisor, ctx| supervisor.begin(recalled, ctx)));
    }
}

impl Handler<Exited> for Supervisor {
    type Result = ();

    fn handle(&mut self, exited: Exited, ctx: &mut Self::Context) -> Self::Result {
        let Exited { child, cause, .. } = &exited;
        if self.is_draining {
            self.children.retire(child);
            self.end_if_deserted(ctx);
            return;
        }
        if let ChildId::Tunnel(session) = child {
            self.children.retire(child);
            self.tunnel_died(session, cause);
            return;
        }
        let (now, at) = (Instant::now(), Timestamp::now());
        let Some(delay) = self.children.died(&exited, now, at, chance()) else {
            return;
        };
        if let ChildId::Device(device) = child
            && self.set_aside(device, cause, ctx)
        {
            self.children.retire(child);
            return;
        }
        warn!(%child, %cause, ?delay, "an actor died; a new one takes its place");
        ctx.run_later(delay, move |supervisor, ctx| {
            if supervisor.children.is_wanted(&exited.child) {
                supervisor.revive(&exited.child, ctx);
            }
        });
    }
}

impl Handler<TellStatus> for Supervisor {
    type Result = MessageResult<TellStatus>;

    fn handle(&mut self, _: TellStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(Box::new(StatusSnapshot {
            schema: status::SCHEMA,
            at: Timestamp::now(),
            started_at: self.parts.started_at,
            hub: status::hub(self.parts.hub.as_ref(), &self.children),
            printers: status::printers(&self.registry, &self.children),
            subnets: status::subnets(&self.parts.subnets, &self.children),
            queue: status::queue(&self.parts.spool),
            restarts: self.children.restarts_status(),
            sessions: self.sessions.count(),
            set_aside: status::set_aside(&self.quarantine),
        }))
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ();

    fn handle(&mut self, order: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        info!("draining");
        self.is_draining = true;
        let living: Vec<Address> = self
            .children
            .living()
            .map(|(_, _, address)| address.clone())
            .collect();
        for address in living {
            match address {
                Address::Scanner(scanner) => tell(scanner, Drain, ctx),
                Address::Device(device) => tell(device, Drain, ctx),
                Address::Uplink(uplink) => tell(uplink, Drain, ctx),
                Address::Tunnel(tunnel) => tell(tunnel, Drain, ctx),
            }
        }
        ctx.run_later(order.limit, |_, ctx| ctx.stop());
        self.end_if_deserted(ctx);
    }
}

#[cfg(feature = "provoke")]
impl Handler<crate::messages::ProvokeChild> for Supervisor {
    type Result = bool;

    fn handle(
        &mut self,
        order: crate::messages::ProvokeChild,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        let provoke = crate::messages::Provoke(order.fault);
        let Some(address) = self.children.address(&order.child) else {
            return false;
        };
        match address {
            Address::Scanner(scanner) => tell(scanner, provoke, ctx),
            Address::Device(device) => tell(device, provoke, ctx),
            Address::Uplink(uplink) => tell(uplink, provoke, ctx),
            Address::Tunnel(tunnel) => tell(tunnel, provoke, ctx),
        }
        true
    }
}

impl Address {
    /// Asks the child for its pulse.
    async fn beat(self, deadline: Duration) -> Result<Pulse, MailboxError> {
        match self {
            Self::Scanner(scanner) => scanner.send(Beat).timeout(deadline).await,
            Self::Device(device) => device.send(Beat).timeout(deadline).await,
            Self::Uplink(uplink) => uplink.send(Beat).timeout(deadline).await,
            Self::Tunnel(tunnel) => tunnel.send(Beat).timeout(deadline).await,
        }
    }
}

/// Gives an order, waiting for room in the child's mailbox without holding up the Supervisor.
fn tell<A, M>(address: Addr<A>, order: M, ctx: &mut Context<Supervisor>)
where
    A: Actor<Context = Context<A>> + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    let told = address.send(order).timeout(ANSWER_MAX);
    // One that is dead or deaf is the business of its lifeline or of the next beat.
    ctx.spawn(wrap_future(async move { told.await.unwrap_or_default() }));
}

/// Everything that was written down before the last end.
async fn recall(parts: Arc<Parts>) -> (Vec<(DeviceId, Known)>, Vec<SetAside>) {
    let set_aside = match parts.quarantine.clone() {
        Some(folder) => {
            let load = move || quarantine::load(&folder);
            parts.runtime.spawn_blocking(load).await.unwrap_or_default()
        }
        None => Vec::new(),
    };
    (recall_known(parts.spool.clone()).await, set_aside)
}

/// The devices that were written down; without them the next sweep finds everyone again.
async fn recall_known(spool: Spool) -> Vec<(DeviceId, Known)> {
    let records = match spool.recall().await {
        Ok(records) => records,
        Err(error) => {
            error!(%error, "the known devices cannot be read");
            return Vec::new();
        }
    };
    let known =
        records
            .into_iter()
            .filter_map(|(id, body)| match serde_json::from_slice::<Known>(&body) {
                Ok(known) => Some((id, known)),
                Err(error) => {
                    warn!(device = %id, %error, "a known device cannot be read; left out");
                    None
                }
            });
    known.collect()
}

/// The beat group of a child, by its name: the same in every turn.
fn group_of(id: &ChildId) -> u32 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    // The remainder of a division by eight fits any integer.
    u32::try_from(hasher.finish() % u64::from(BEAT_GROUPS)).unwrap_or_default()
}
