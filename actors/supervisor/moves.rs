//! Who lives where: what the Supervisor does with sightings, moves and contradictions.
//!
//! What a sighting means is the registry's to say; here the question is asked of the device, the
//! devices are told to move, and what changed is put on disk.

use std::net::IpAddr;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, MessageResult, WrapFuture};
use jiff::Timestamp;
use printer::identity::DeviceId;
use tracing::{debug, error, info, warn};

use super::{ANSWER_MAX, Address, Supervisor, tell};
use crate::messages::{
    ChildId, Confirm, Confirmation, Contradicted, Found, IsAlone, Missed, Proved, Relocate,
    SharesSerial, Sighted, Swept, Unmasked, WhoLives,
};
use crate::parts::OtherDoors;
use crate::registry::{Registry, Settled, Sighting};

/// When a device that was being read is asked again whether it is where it was.
const CONFIRM_AGAIN: Duration = Duration::from_secs(5);
/// Whole sweeps that must miss a silent device before its actor is let go.
const SWEEPS_MISSED_MAX: u32 = 3;

impl Supervisor {
    /// Weighs who was seen where, and moves the devices accordingly.
    fn sighted(&mut self, seen: &Sighted, ctx: &mut Context<Self>) {
        let (address, traits) = (seen.target.addr().ip(), (*seen.traits).clone());
        let sighting = self.registry.sight(traits, address, Timestamp::now());
        self.act_on(sighting, address, ctx);
    }

    /// Moves the devices as a sighting says.
    fn act_on(&mut self, sighting: Sighting, address: IpAddr, ctx: &mut Context<Self>) {
        match sighting {
            // Its actor may have been let go while it was silent.
            Sighting::Same(id) => self.revive(&ChildId::Device(id), ctx),
            Sighting::New(settled) => {
                let known = self.registry.get(&settled.device);
                let doubt = known.and_then(|known| known.doubt.as_ref());
                match doubt.map(|doubt| (&doubt.of, &doubt.words)) {
                    Some((of, words)) => warn!(
                        device = %settled.device, %address, may_be = %of, %words,
                        "found a device that may be a known one; it is kept apart"
                    ),
                    None => info!(device = %settled.device, %address, "found a new device"),
                }
                self.settle(settled, ctx);
            }
            Sighting::Moved(settled) => self.settle(settled, ctx),
            Sighting::Claim(id) => self.ask_to_confirm(id, ctx),
            Sighting::Asked | Sighting::NoPrinter => {}
            Sighting::Fickle => debug!(%address, "yet another device here today; left out"),
            Sighting::Full => warn!(%address, "more devices than one agent can know; left out"),
        }
        self.keep(ctx);
    }

    /// Lets a device live at its address, and its predecessor there know.
    fn settle(&mut self, settled: Settled, ctx: &mut Context<Self>) {
        if let Some(Address::Device(evicted)) = settled
            .evicted
            .and_then(|id| self.children.address(&ChildId::Device(id)))
        {
            tell(
                evicted,
                Relocate {
                    target: None,
                    doors: OtherDoors::default(),
                    credentials: Vec::new(),
                },
                ctx,
            );
        }
        let id = ChildId::Device(settled.device.clone());
        let Some(Address::Device(device)) = self.children.address(&id) else {
            self.revive(&id, ctx);
            return;
        };
        let Some((target, subnet)) = self.admit(settled.address) else {
            return;
        };
        info!(device = %settled.device, address = %settled.address, "a device has moved");
        let known = self.registry.get(&settled.device);
        let proven = known.and_then(|known| known.credential.as_ref());
        let credentials = subnet.tried(proven);
        tell(
            device,
            Relocate {
                target: Some(target),
                doors: subnet.other_doors(settled.address),
                credentials,
            },
            ctx,
        );
    }

    /// Asks a device that somebody was seen instead of, or elsewhere, whether it is still there.
    fn ask_to_confirm(&mut self, id: DeviceId, ctx: &mut Context<Self>) {
        let child = ChildId::Device(id.clone());
        let address = match self.children.address(&child) {
            Some(Address::Device(address)) => address,
            Some(Address::Scanner(_) | Address::Uplink(_) | Address::Tunnel(_)) | None => {
                if self.children.is_wanted(&child) {
                    self.ask_again(id, ctx);
                } else {
                    self.resolve(&id, Confirmation::Gone, ctx);
                }
                return;
            }
        };
        let answer = address.send(Confirm).timeout(ANSWER_MAX).into_actor(self);
        ctx.spawn(answer.map(move |answer, supervisor, ctx| match answer {
            Ok(Confirmation::Busy) | Err(_) => supervisor.ask_again(id, ctx),
            Ok(confirmation) => supervisor.resolve(&id, confirmation, ctx),
        }));
    }

    fn ask_again(&mut self, id: DeviceId, ctx: &mut Context<Self>) {
        ctx.run_later(CONFIRM_AGAIN, move |supervisor, ctx| {
            if supervisor.registry.is_claimed(&id) {
                supervisor.ask_to_confirm(id, ctx);
            }
        });
    }

    /// Settles a claim by what was found at the device's own address.
    fn resolve(&mut self, id: &DeviceId, found: Confirmation, ctx: &mut Context<Self>) {
        let now = Timestamp::now();
        let settled = match &found {
            Confirmation::Here => self.registry.confirmed(id, now),
            Confirmation::Gone | Confirmation::Other(_) => self.registry.gone(id, now),
            Confirmation::Busy => None,
        };
        if let Some(settled) = settled {
            self.settle(settled, ctx);
        }
        match found {
            Confirmation::Other(seen) => self.sighted(&seen, ctx),
            Confirmation::Here | Confirmation::Gone | Confirmation::Busy => self.keep(ctx),
        }
    }

    /// Puts what changed in the registry on disk.
    fn keep(&mut self, ctx: &mut Context<Self>) {
        for device in self.registry.take_sharing() {
            if let Some(Address::Device(device)) = self.children.address(&ChildId::Device(device)) {
                tell(device, SharesSerial, ctx);
            }
        }
        let changed = self.registry.take_changed();
        if changed.is_empty() {
            return;
        }
        let mut records = Vec::with_capacity(changed.len());
        for (id, known) in &changed {
            match serde_json::to_vec(known) {
                Ok(body) => records.push((id.clone(), body)),
                Err(error) => error!(device = %id, %error, "a device cannot be written down"),
            }
        }
        let spool = self.parts.spool.clone();
        let remember = async move { spool.remember(records).await }.into_actor(self);
        ctx.spawn(remember.map(move |kept, supervisor, _| {
            if let Err(error) = kept {
                warn!(%error, "the known devices could not be kept; tried again with the next");
                supervisor
                    .registry
                    .mark_changed(changed.into_iter().map(|(id, _)| id));
            }
        }));
    }
}

impl Handler<Found> for Supervisor {
    type Result = ();

    fn handle(&mut self, Found(seen): Found, ctx: &mut Self::Context) -> Self::Result {
        self.sighted(&seen, ctx);
    }
}

impl Handler<WhoLives> for Supervisor {
    type Result = MessageResult<WhoLives>;

    fn handle(&mut self, asked: WhoLives, _: &mut Self::Context) -> Self::Result {
        let mut subnets = self.parts.subnets.iter();
        let Some(subnet) = subnets.find(|subnet| subnet.label == asked.label) else {
            return MessageResult(Vec::new());
        };
        let lives = self.registry.iter().filter_map(|(_, known)| {
            // Where one was let go, somebody else may live by now.
            let is_there = known.let_go_since.is_none();
            let as_user = is_there && subnet.is_user(known.credential.as_ref());
            Some((known.address?, as_user))
        });
        let is_inside = |lives: &(IpAddr, bool)| subnet.scope.admit(lives.0, subnet.door).is_ok();
        MessageResult(lives.filter(is_inside).collect())
    }
}

impl Handler<Swept> for Supervisor {
    type Result = ();

    fn handle(&mut self, swept: Swept, _: &mut Self::Context) -> Self::Result {
        let subnets = &self.parts.subnets;
        let Some(subnet) = subnets.iter().find(|subnet| subnet.label == swept.label) else {
            return;
        };
        let is_inside = |address| subnet.scope.admit(address, subnet.door).is_ok();
        for device in self.registry.swept(is_inside, SWEEPS_MISSED_MAX) {
            if let Some(since) = self.silent_since(&device) {
                self.registry.let_go(&device, since);
                info!(%device, "silent, and missed by every sweep; let go until it is seen again");
                self.children.retire(&ChildId::Device(device));
            }
        }
    }
}

impl Handler<Contradicted> for Supervisor {
    type Result = ();

    fn handle(&mut self, fact: Contradicted, ctx: &mut Self::Context) -> Self::Result {
        let (now, address) = (Timestamp::now(), fact.seen.target.addr().ip());
        if let Some(settled) = self.registry.gone(&fact.device, now) {
            self.settle(settled, ctx);
        }
        let traits = *fact.seen.traits;
        let sighting = self
            .registry
            .sight_instead(&fact.device, traits, address, now);
        self.act_on(sighting, address, ctx);
    }
}

impl Handler<IsAlone> for Supervisor {
    type Result = bool;

    fn handle(&mut self, asked: IsAlone, _: &mut Self::Context) -> Self::Result {
        self.registry.is_alone(&asked.device, &asked.traits)
    }
}

impl Handler<Missed> for Supervisor {
    type Result = ();

    fn handle(&mut self, fact: Missed, ctx: &mut Self::Context) -> Self::Result {
        self.resolve(&fact.device, Confirmation::Gone, ctx);
    }
}

impl Handler<Proved> for Supervisor {
    type Result = ();

    fn handle(&mut self, fact: Proved, ctx: &mut Self::Context) -> Self::Result {
        let doubt = |registry: &Registry| {
            let known = registry.get(&fact.device);
            known.and_then(|known| known.doubt.clone())
        };
        let before = doubt(&self.registry);
        self.registry.prove_reading(&fact.device, &fact.traits);
        if let Some(doubt) = doubt(&self.registry).filter(|doubt| Some(doubt) != before.as_ref()) {
            let (device, may_be) = (&fact.device, &doubt.of);
            warn!(%device, %may_be, words = %doubt.words, "it may be a known device; it is kept apart");
        }
        let known = self.registry.get(&fact.device);
        let subnet = known.and_then(|known| self.admit(known.address?));
        if let Some((_, subnet)) = subnet {
            let named = subnet.named(&fact.credential);
            self.registry.answers_to(&fact.device, named);
        }
        self.quarantine.forgive(&fact.device);
        self.resolve(&fact.device, Confirmation::Here, ctx);
    }
}

impl Handler<Unmasked> for Supervisor {
    type Result = ();

    fn handle(&mut self, fact: Unmasked, ctx: &mut Self::Context) -> Self::Result {
        info!(device = %fact.device, reason = %fact.reason, "no printer; left alone for a day");
        self.registry.unmask(&fact.device, Timestamp::now());
        self.quarantine.forgive(&fact.device);
        self.children.retire(&ChildId::Device(fact.device.clone()));
        let spool = self.parts.spool.clone();
        let forget = async move { spool.forget(fact.device).await }.into_actor(self);
        ctx.spawn(forget.map(|forgotten, _, _| {
            if let Err(error) = forgotten {
                warn!(%error, "what is no printer is still written down; the next start asks it");
            }
        }));
    }
}
