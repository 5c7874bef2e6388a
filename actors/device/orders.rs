//! What others want of a device: to live elsewhere, to be read now, to say who it is, to end.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{ActorContext, ActorFutureExt, Handler, ResponseActFuture, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{ASKERS_MAX, CONFIRM_DEADLINE, Device, ask};
use crate::messages::{Confirm, Confirmation, Drain, Read, ReadNow, Relocate, Work};
use crate::reach::credential::proven_first;

impl Handler<Relocate> for Device {
    type Result = ();

    fn handle(&mut self, order: Relocate, ctx: &mut Self::Context) -> Self::Result {
        let is_new = order.target.is_some() && order.target != self.seed.target;
        self.seed.target = order.target;
        self.seed.doors = order.doors;
        if !order.credentials.is_empty() {
            self.seed.credentials = match &self.last {
                Some(last) => proven_first(&order.credentials, last.credential()),
                None => order.credentials,
            };
        }
        // Whoever has just been seen answers now; a reading under way ends by itself.
        if is_new && !self.is_draining {
            self.doors.forget();
            // The hub learns the new address from a full reading.
            self.next_full = Instant::now();
            if self.work.is_none() {
                self.wake_after(Duration::ZERO, ctx);
            }
        }
    }
}

impl Handler<Read> for Device {
    type Result = ResponseActFuture<Self, ReadNow>;

    /// A reading under way ends first: it may be of what moves only.
    fn handle(&mut self, _: Read, ctx: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        if !self.is_draining && self.asked.len() < ASKERS_MAX {
            self.asked.push(answer);
            self.next_full = Instant::now();
            if self.work.is_none() {
                self.wake_after(Duration::ZERO, ctx);
            }
        }
        Box::pin(wrap_future(
            answered.map(|came_of_it| came_of_it.unwrap_or(ReadNow::Missed)),
        ))
    }
}

impl Handler<Confirm> for Device {
    type Result = ResponseActFuture<Self, Confirmation>;

    fn handle(&mut self, _: Confirm, _: &mut Self::Context) -> Self::Result {
        if self.work.is_some() {
            return Box::pin(wrap_future(std::future::ready(Confirmation::Busy)));
        }
        let Some(target) = self.seed.target else {
            return Box::pin(wrap_future(std::future::ready(Confirmation::Gone)));
        };
        self.work = Some(Work::begin("confirmation", CONFIRM_DEADLINE));
        let confirm = ask::confirm(self.seed.clone(), target, self.tools.clone());
        Box::pin(confirm.into_actor(self).map(|confirmation, device, ctx| {
            device.finish(ctx);
            confirmation
        }))
    }
}

impl Handler<Drain> for Device {
    type Result = ();

    /// A reading in hand is finished: what was answered is kept.
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        self.is_draining = true;
        if self.work.is_none() {
            ctx.stop();
        }
    }
}

#[cfg(feature = "provoke")]
impl Handler<crate::messages::Provoke> for Device {
    type Result = ();

    fn handle(&mut self, fault: crate::messages::Provoke, ctx: &mut Self::Context) {
        self.work = crate::provoke::fail(fault, self.work, |it, work| it.work = work, ctx);
    }
}
