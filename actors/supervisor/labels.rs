//! What the hub orders of a label printer and of a print queue: where it is, whether its range opens
//! the door, who answers there, and only then an octet.
//!
//! The range decides, not the hub: a door that it does not open is refused. What was sent is told in
//! words and counted in octets; the octets themselves are nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use printer::identity::{DeviceId, Fingerprint};
use printer::lpr::{Detail, Queue};
use printer::profile::Profiles;
use printer::zebra::Command;
use serde_json::json;
use tokio::time::Instant;

use super::Supervisor;
use super::orders::{Answer, refuse};
use crate::order::{Ended, Progress, json as as_json};
use crate::parts::Subnet;
use crate::reach::credential::Credential;
use crate::reach::identified::{self, Asking, NoWay, NotIdentified};
use crate::reach::raw::RawError;
use crate::reach::scope::{Door, InScope};
use crate::reach::snmp::Snmp;
use crate::reach::{lpr, zebra};
use crate::site::Unwilling;

/// Least time between two commands to one label printer: each may print a label, and a person reads
/// the outcome of one before the next.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// When each label printer was last told something.
#[derive(Debug, Default)]
pub(super) struct Labels(BTreeMap<DeviceId, Instant>);

impl Labels {
    /// Notes that a printer is told something, unless it was a moment ago.
    fn admit(&mut self, device: &DeviceId, now: Instant) -> Result<(), String> {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < TELL_EVERY;
        self.0.retain(|_, at| is_recent(at));
        let Some(at) = self.0.get(device) else {
            self.0.insert(device.clone(), now);
            return Ok(());
        };
        let passed = now.saturating_duration_since(*at);
        Err(format!(
            "a label printer is told one thing in {} s; try again in {} s",
            TELL_EVERY.as_secs(),
            TELL_EVERY.saturating_sub(passed).as_secs() + 1
        ))
    }
}

/// Where a device is, and how it is asked who it is.
struct Place {
    snmp: Snmp,
    target: InScope,
    subnet: Arc<Subnet>,
    credentials: Vec<Credential>,
    fingerprint: Fingerprint,
    profiles: Arc<Profiles>,
}

impl Place {
    fn asking(&self) -> Asking<'_> {
        Asking {
            snmp: &self.snmp,
            target: &self.target,
            credentials: &self.credentials,
            profiles: &self.profiles,
            wanted: Some(&self.fingerprint),
        }
    }

    /// The proof that the device's range opens a door of this kind, or why not.
    fn admit(&self, is_wanted: fn(&Door) -> bool, key: &str) -> Result<InScope, String> {
        let address = self.target.addr().ip();
        let door = self.subnet.scope.doors().find(is_wanted);
        let door = door.ok_or_else(|| {
            format!(
                "the range '{}' does not open {key}: see doors in the site's configuration",
                self.subnet.label
            )
        })?;
        let admitted = self.subnet.scope.admit(address, door);
        admitted.map_err(|error| error.to_string())
    }
}

/// How a command gets to a label printer.
#[derive(Debug, Clone, Copy)]
enum Carrier {
    Raw(InScope),
    Lpr(InScope),
}

impl Supervisor {
    /// A label printer is to be told something.
    pub(super) fn order_zebra(
        &mut self,
        device: &DeviceId,
        command: Command,
        progress: Progress,
    ) -> Answer {
        let carried = self.place(device).and_then(|place| {
            let raw = place.admit(|door| matches!(door, Door::Zebra { .. }), "zebra");
            let by_lpr = || place.admit(|door| matches!(door, Door::Lpr { .. }), "lpr");
            let carrier = match raw {
                Ok(door) => Carrier::Raw(door),
                Err(why) => Carrier::Lpr(by_lpr().map_err(|_| why)?),
            };
            Ok((place, carrier))
        });
        let (place, carrier) = match carried {
            Ok(carried) => carried,
            Err(why) => return refuse(why),
        };
        if let Err(why) = self.labels.admit(device, Instant::now()) {
            return refuse(why);
        }
        self.on_runtime(tell(place, carrier, command, progress))
    }

    /// The state of a print queue is asked for.
    pub(super) fn order_queue(
        &self,
        device: &DeviceId,
        queue: Queue,
        progress: Progress,
    ) -> Answer {
        let admitted = self.place(device).and_then(|place| {
            let door = place.admit(|door| matches!(door, Door::Lpr { .. }), "lpr")?;
            Ok((place, door))
        });
        match admitted {
            Ok((place, door)) => self.on_runtime(ask(place, door, queue, progress)),
            Err(why) => refuse(why),
        }
    }

    /// Where a device is, as far as it is known.
    fn place(&self, wanted: &DeviceId) -> Result<Place, String> {
        let masks = &self.parts.word.masks;
        // The hub knows a device by its pseudonym where the site masks.
        let mut known = self.registry.iter();
        let known = known.find(|(id, _)| masks.device(id) == *wanted);
        let (_, known) = known.ok_or_else(|| format!("there is no device {wanted} here"))?;
        let address = known.address.ok_or_else(|| {
            "nobody knows where the device is: find it again with discover".to_owned()
        })?;
        let (target, subnet) = self
            .admit(address)
            .ok_or_else(|| format!("{address} is in none of the configured ranges"))?;
        Ok(Place {
            snmp: self.parts.snmp.clone(),
            target,
            credentials: subnet.tried(known.credential.as_ref()),
            subnet,
            fingerprint: known.fingerprint.clone(),
            profiles: self.parts.profiles.clone(),
        })
    }
}

async fn tell(place: Place, carrier: Carrier, command: Command, progress: Progress) -> Ended {
    let (Carrier::Raw(door) | Carrier::Lpr(door)) = carrier;
    progress.tell("asking over SNMP who it is");
    let proof = identified::zebra(place.asking(), door).await;
    let proof = proof.map_err(unsent)?;
    progress.tell(format_args!("telling it {command}"));
    let (told, over) = match carrier {
        Carrier::Raw(_) => (zebra::tell(&proof, &command).await, "zebra"),
        Carrier::Lpr(_) => {
            let told = lpr::tell(&proof, &Queue::usual(), &command).await;
            (told, "lpr")
        }
    };
    let told = told.map_err(failed)?;
    as_json(&json!({
        "told": command.to_string(),
        "over": over,
        "port": door.addr().port(),
        "octets": told.octets,
        "confirmed": told.is_confirmed,
    }))
}

async fn ask(place: Place, door: InScope, queue: Queue, progress: Progress) -> Ended {
    progress.tell("asking over SNMP who it is");
    let proof = identified::printer(place.asking(), door).await;
    let proof = proof.map_err(unsent)?;
    progress.tell("asking for the state of its queue");
    let state = lpr::queue(&proof, &queue, Detail::Long).await;
    let state = state.map_err(failed)?;
    as_json(&json!({
        "queue": queue.to_string(),
        "says": state.says,
        "jobs": state.jobs,
    }))
}

/// Who is not known to be what the door is for hears nothing, and that is a refusal.
fn unsent(why: NotIdentified) -> Unwilling {
    Unwilling::Refused(format!("nothing was sent: {why}"))
}

fn failed(error: RawError) -> Unwilling {
    match error {
        RawError::NoWay(NoWay::NotIdentified(why)) => unsent(why),
        error => Unwilling::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_label_printer_is_told_one_thing_a_minute() {
        let id = |digit: &str| DeviceId::parse(&digit.repeat(32)).expect("an id");
        let mut labels = Labels::default();
        let begun = Instant::now();
        assert_eq!(labels.admit(&id("a"), begun), Ok(()));
        assert_eq!(labels.admit(&id("b"), begun), Ok(()), "another one");
        let soon = begun + Duration::from_secs(20);
        let why = labels.admit(&id("a"), soon).expect_err("too soon");
        assert!(why.contains("in 60 s; try again in 41 s"), "{why}");
        assert_eq!(labels.admit(&id("a"), begun + TELL_EVERY), Ok(()));
        assert_eq!(labels.0.len(), 1, "what is over is forgotten");
    }
}
