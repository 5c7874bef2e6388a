//! Setting devices aside that kill their actors, and releasing them.

use std::path::PathBuf;

use actix::fut::wrap_future;
use actix::{AsyncContext, Context, Handler, MessageResult};
use jiff::Timestamp;
use printer::identity::DeviceId;
use serde_json::json;
use tracing::{error, info};

use super::Supervisor;
use super::orders::{Answer, refuse};
use crate::messages::{Cause, ChildId, Release};
use crate::order::json as as_json;
use crate::quarantine::{self, SetAside};

impl Supervisor {
    /// Counts a death against the device; true if that was one too many, and it is set aside.
    pub(super) fn set_aside(
        &mut self,
        device: &DeviceId,
        cause: &Cause,
        ctx: &mut Context<Self>,
    ) -> bool {
        let address = self.registry.get(device).and_then(|known| known.address);
        let target = address.and_then(|address| self.admit(address));
        let last_words = target.map(|(target, _)| self.parts.snmp.last_heard(&target));
        let last_words = last_words.unwrap_or_default();
        let is_guilty = match cause {
            Cause::Panicked(_) => true,
            // Without an answer in hand it was something else that hung, such as the disk.
            Cause::Hung(_) => !last_words.is_empty(),
            Cause::Stopped => false,
        };
        if !is_guilty {
            return false;
        }
        let seen = (address, Timestamp::now());
        let blamed = self
            .quarantine
            .blame(device, cause.to_string(), seen, &last_words);
        let Some(set_aside) = blamed else {
            return false;
        };
        error!(
            %device, ?address, deaths = ?set_aside.deaths,
            "the device killed its actor too often and is set aside; see platen status"
        );
        self.on_disk(ctx, move |folder| quarantine::keep(&folder, &set_aside));
        true
    }

    /// Reads a device again that was set aside.
    pub(super) fn release(
        &mut self,
        device: &DeviceId,
        ctx: &mut Context<Self>,
    ) -> Result<(), String> {
        if !self.quarantine.release(device) {
            return Err(format!("no such device is set aside: {device}"));
        }
        info!(%device, "released");
        let released = device.clone();
        self.on_disk(ctx, move |folder| quarantine::forget(&folder, &released));
        self.revive(&ChildId::Device(device.clone()), ctx);
        Ok(())
    }

    /// Releases on the hub's order: it knows a device by its pseudonym where the site masks.
    pub(super) fn order_release(&mut self, wanted: &DeviceId, ctx: &mut Context<Self>) -> Answer {
        let masks = &self.parts.word.masks;
        let meant = self
            .quarantine
            .iter()
            .map(|it| it.device.clone())
            .find(|device| masks.device(device) == *wanted);
        let device = meant.unwrap_or_else(|| wanted.clone());
        match self.release(&device, ctx) {
            Ok(()) => Box::pin(std::future::ready(as_json(
                &json!({"released": wanted.to_string()}),
            ))),
            Err(_) => refuse(format!("no such device is set aside: {wanted}")),
        }
    }

    /// Takes back what was set aside before the last end.
    pub(super) fn recall_set_aside(&mut self, kept: Vec<SetAside>) {
        if !kept.is_empty() {
            info!(devices = kept.len(), "set aside since before this start");
        }
        self.quarantine.recall(kept);
    }

    /// Changes a file of the quarantine, beside the actors' thread.
    fn on_disk(
        &self,
        ctx: &mut Context<Self>,
        change: impl FnOnce(PathBuf) -> std::io::Result<()> + Send + 'static,
    ) {
        let Some(folder) = self.quarantine.folder() else {
            return;
        };
        let changed = self.parts.runtime.spawn_blocking(move || change(folder));
        ctx.spawn(wrap_future(async move {
            match changed.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => error!(%error, "what is set aside could not be written down"),
                Err(error) => error!(%error, "what is set aside could not be written down"),
            }
        }));
    }
}

impl Handler<Release> for Supervisor {
    type Result = MessageResult<Release>;

    fn handle(&mut self, order: Release, ctx: &mut Self::Context) -> Self::Result {
        MessageResult(self.release(&order.0, ctx))
    }
}
