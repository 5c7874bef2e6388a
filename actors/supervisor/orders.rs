//! What the hub orders: who carries it out, and what is answered.
//!
//! An order for an actor goes to that actor; one for an address needs the proof that the address
//! is in scope, and then runs on the runtime; one for the program goes to the [`Site`]. Nothing
//! here holds the Supervisor up: every answer is a future of its own.

use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Context, Handler, ResponseFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use printer::identity::DeviceId;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::{Address, Supervisor};
use crate::device::Device;
use crate::messages::{ChildId, Execute, Read, ReadNow, Sweep};
use crate::order::{DOCTOR_PATIENCE, Ended, Order, Progress, bounded, json as as_json};
use crate::parts::Subnet;
use crate::reach::credential::Credential;
use crate::reach::icmp;
use crate::reach::inspect::{echoes_as_json, look};
use crate::reach::record::{FOR_THE_HUB, blanked, everything};
use crate::reach::scope::{Door, InScope};
use crate::reach::session::Session;
use crate::reach::snmp::Snmp;
use crate::scanner::Scanner;
use crate::site::{Consulted, Unwilling};

/// Longest one device may take over a reading out of turn: a reading under way, and its own.
const READ_PATIENCE: Duration = Duration::from_secs(240);

/// Printers that the doctor looks into at once: each takes as much memory as a reading, and questions
/// that the others wait for.
pub(super) const CONSULTED_MAX: usize = 2;

pub(super) type Answer = ResponseFuture<Ended>;

impl Supervisor {
    /// Gives an order to whoever carries it out.
    fn execute(&mut self, order: Order, progress: Progress, ctx: &mut Context<Self>) -> Answer {
        if self.is_draining {
            return refuse("the agent is ending");
        }
        match order {
            Order::Read(device) => self.order_reading(device, progress),
            Order::Discover(label) => self.order_sweep(label.as_deref(), progress),
            Order::Ping { address, count } => self.order_ping(self.meant(address), count),
            Order::Check(address) => self.order_check(self.meant(address)),
            Order::Doctor { address, wanted } => self.order_doctor(address, wanted, progress),
            Order::Walk(address) => self.order_walk(address, progress),
            Order::Zebra { device, command } => self.order_zebra(&device, command, progress),
            Order::Queue { device, queue } => self.order_queue(&device, queue, progress),
            Order::Release(device) => self.order_release(&device, ctx),
            Order::Configure(_) | Order::RotateIdentity | Order::SendDiagnostics => {
                self.order_site(order)
            }
            Order::OpenTunnel(ticket) => self.order_tunnel(*ticket, progress, ctx),
            Order::CloseTunnel(session) => self.order_end(session, ctx),
        }
    }

    fn order_reading(&self, device: Option<DeviceId>, progress: Progress) -> Answer {
        let device_of = |(id, address): (&ChildId, Address)| match (id, address) {
            (ChildId::Device(id), Address::Device(address)) => Some((id.clone(), address)),
            _ => None,
        };
        let living = self.children.living();
        let all = living.filter_map(|(id, _, address)| device_of((id, address.clone())));
        let devices: Vec<(DeviceId, Addr<Device>)> = match &device {
            // The hub knows a device by its pseudonym where the site masks.
            Some(wanted) => all
                .filter(|(id, _)| self.parts.word.masks.device(id) == *wanted)
                .collect(),
            None => all.collect(),
        };
        match device {
            Some(id) if devices.is_empty() => {
                refuse(format!("there is no device {id} here that could be read"))
            }
            _ => Box::pin(read_all(devices, progress)),
        }
    }

    fn order_sweep(&self, label: Option<&str>, progress: Progress) -> Answer {
        let scanner_of = |id: &ChildId, address: &Address| match (id, address) {
            (ChildId::Scanner(name), Address::Scanner(scanner))
                if label.is_none_or(|label| label == name) =>
            {
                Some((name.clone(), scanner.clone()))
            }
            _ => None,
        };
        let living = self.children.living();
        let scanners: Vec<(String, Addr<Scanner>)> = living
            .filter_map(|(id, _, address)| scanner_of(id, address))
            .collect();
        if scanners.is_empty() {
            let labels: Vec<&str> = self
                .parts
                .subnets
                .iter()
                .map(|it| it.label.as_str())
                .collect();
            return refuse(format!(
                "there is no such subnet here; there are: {}",
                labels.join(", ")
            ));
        }
        Box::pin(sweep_all(scanners, progress))
    }

    fn order_ping(&self, address: IpAddr, count: u8) -> Answer {
        let target = match self.admit_ping(address) {
            Ok(target) => target,
            Err(why) => return refuse(why),
        };
        self.on_runtime(async move {
            match icmp::ping(&target, count).await {
                Ok(echoes) => as_json(&echoes_as_json(&echoes)),
                Err(error) => Err(Unwilling::Failed(error.to_string())),
            }
        })
    }

    fn order_check(&self, address: IpAddr) -> Answer {
        let (target, subnet) = match self.admit_or_say(address) {
            Ok(admitted) => admitted,
            Err(why) => return refuse(why),
        };
        let echo = self.admit_ping(address).ok();
        let credentials = self.tried_at(address, &subnet);
        let (snmp, profiles) = (self.parts.snmp.clone(), self.parts.profiles.clone());
        self.on_runtime(async move {
            as_json(&look(&snmp, (echo, target), &credentials, &profiles).await)
        })
    }

    /// What can be tried at an address: who was read as a user there is asked as a user only, until it
    /// is let go.
    fn tried_at(&self, address: IpAddr, subnet: &Subnet) -> Vec<Credential> {
        let device = self.registry.living_at(address);
        let known = device.and_then(|device| self.registry.get(&device));
        let known = known.filter(|known| known.let_go_since.is_none());
        subnet.tried(known.and_then(|known| known.credential.as_ref()))
    }

    /// The address that the hub means by a pseudonym of a known device's; any other as it is.
    fn meant(&self, address: IpAddr) -> IpAddr {
        let masks = &self.parts.word.masks;
        let known = self.registry.iter().filter_map(|(_, known)| known.address);
        known
            .into_iter()
            .find(|known| masks.address(*known) == address)
            .unwrap_or(address)
    }

    fn order_walk(&self, address: IpAddr, progress: Progress) -> Answer {
        if self.parts.word.masks.any() {
            return refuse("the site masks what it sends, and a recording cannot be masked");
        }
        let (target, subnet) = match self.admit_or_say(address) {
            Ok(admitted) => admitted,
            Err(why) => return refuse(why),
        };
        let Ok(permit) = self.walking.clone().try_acquire_owned() else {
            return refuse("another walk is under way; one at a time");
        };
        let snmp = self.parts.snmp.clone();
        let credentials = self.tried_at(address, &subnet);
        self.on_runtime(walk(snmp, target, credentials, (permit, progress)))
    }

    /// The doctor looks at an address; one that is out of scope it does not ask.
    fn order_doctor(&self, address: IpAddr, wanted: Option<String>, progress: Progress) -> Answer {
        let Some(site) = self.parts.site.clone() else {
            return refuse("this agent has nobody who could do that");
        };
        let Ok(permit) = self.consulting.clone().try_acquire_owned() else {
            return refuse(format!(
                "the doctor looks into {CONSULTED_MAX} printers already; try again in a minute"
            ));
        };
        let asked = Consulted {
            address: self.meant(address),
            wanted,
            snmp: self.parts.snmp.clone(),
            profiles: Arc::clone(&self.parts.profiles),
            progress,
        };
        self.on_runtime(async move {
            let _one_of_few = permit;
            match tokio::time::timeout(DOCTOR_PATIENCE, site.doctor(asked)).await {
                Ok(told) => told.and_then(bounded),
                Err(_) => Err(Unwilling::Failed(format!(
                    "the doctor was not done in {} s",
                    DOCTOR_PATIENCE.as_secs()
                ))),
            }
        })
    }

    fn order_site(&self, order: Order) -> Answer {
        let Some(site) = self.parts.site.clone() else {
            return refuse("this agent has nobody who could do that");
        };
        self.on_runtime(async move {
            match order {
                Order::Configure(wanted) => site.configure(wanted).await.map(|()| Vec::new()),
                Order::RotateIdentity => site.rotate_identity().await.map(|()| Vec::new()),
                Order::SendDiagnostics => site.diagnostics().await.and_then(bounded),
                Order::Read(_)
                | Order::Discover(_)
                | Order::Ping { .. }
                | Order::Check(_)
                | Order::Doctor { .. }
                | Order::Walk(_)
                | Order::Zebra { .. }
                | Order::Queue { .. }
                | Order::Release(_)
                | Order::OpenTunnel(_)
                | Order::CloseTunnel(_) => Err(Unwilling::Refused("not for the site".to_owned())),
            }
        })
    }

    /// The proof that an address may be asked over SNMP, or why not.
    fn admit_or_say(&self, address: IpAddr) -> Result<(InScope, Arc<Subnet>), String> {
        self.admit(address)
            .ok_or_else(|| self.why_outside(address, |subnet| subnet.door))
    }

    /// The proof that an address may be pinged, or why not.
    fn admit_ping(&self, address: IpAddr) -> Result<InScope, String> {
        let mut subnets = self.parts.subnets.iter();
        subnets
            .find_map(|subnet| subnet.scope.admit(address, Door::Icmp).ok())
            .ok_or_else(|| self.why_outside(address, |_| Door::Icmp))
    }

    /// Why no subnet admits an address: the most telling of the reasons.
    fn why_outside(&self, address: IpAddr, door: impl Fn(&Subnet) -> Door) -> String {
        let reasons = self.parts.subnets.iter();
        let mut reasons =
            reasons.filter_map(|subnet| subnet.scope.admit(address, door(subnet)).err());
        let plain = format!("{address} is in none of the configured ranges");
        reasons
            .find(|reason| reason.to_string() != plain)
            .map_or(plain.clone(), |reason| reason.to_string())
    }

    /// Runs something beside the actors' thread; it goes on if nobody waits for it any more.
    pub(super) fn on_runtime(&self, work: impl Future<Output = Ended> + Send + 'static) -> Answer {
        let task = self.parts.runtime.spawn(work);
        let died = || {
            Err(Unwilling::Failed(
                "it died over it; the log says how".to_owned(),
            ))
        };
        Box::pin(task.map(move |ended| ended.unwrap_or_else(|_| died())))
    }
}

impl Handler<Execute> for Supervisor {
    type Result = Answer;

    fn handle(&mut self, order: Execute, ctx: &mut Context<Self>) -> Self::Result {
        self.execute(order.order, order.progress, ctx)
    }
}

pub(super) fn refuse(why: impl Into<String>) -> Answer {
    Box::pin(ready(Err(Unwilling::Refused(why.into()))))
}

/// Reads devices side by side; each keeps to its own one question at a time.
async fn read_all(devices: Vec<(DeviceId, Addr<Device>)>, progress: Progress) -> Ended {
    let wanted = devices.len();
    let mut answers: FuturesUnordered<_> = devices
        .into_iter()
        .map(|(_, device)| device.send(Read).timeout(READ_PATIENCE))
        .collect();
    let (mut asked, mut read, mut not_kept) = (0, 0, 0);
    while let Some(answer) = answers.next().await {
        asked += 1;
        match answer {
            Ok(ReadNow::Kept) => read += 1,
            Ok(ReadNow::NotKept) => not_kept += 1,
            Ok(ReadNow::Missed) | Err(_) => {}
        }
        progress.tell(format_args!("{read} of {wanted} read, {asked} asked"));
    }
    match (wanted, read, not_kept) {
        (1, 0, 0) => Err(Unwilling::Failed("the device did not answer".to_owned())),
        (1, 0, _) => Err(Unwilling::Failed(
            "the reading could not be kept: see the disk".to_owned(),
        )),
        _ => as_json(&json!({
            "devices": wanted,
            "read": read,
            "silent": wanted - read - not_kept,
            "not_kept": not_kept,
        })),
    }
}

/// Sweeps subnets side by side; the pace of packets is one for all of them.
async fn sweep_all(scanners: Vec<(String, Addr<Scanner>)>, progress: Progress) -> Ended {
    let wanted = scanners.len();
    let mut sweeps: FuturesUnordered<_> = scanners
        .into_iter()
        .map(|(label, scanner)| scanner.send(Sweep).map(move |seen| (label, seen)))
        .collect();
    let mut swept = Vec::with_capacity(wanted);
    while let Some((label, seen)) = sweeps.next().await {
        swept.push(match seen {
            Ok(Ok(seen)) => json!({"subnet": label, "seen": seen}),
            Ok(Err(why)) => json!({"subnet": label, "why": why}),
            Err(_) => json!({"subnet": label, "why": "its scanner died over it"}),
        });
        progress.tell(format_args!("{} of {wanted} subnets swept", swept.len()));
    }
    swept.sort_by_key(|it| it["subnet"].to_string());
    as_json(&json!({ "subnets": swept }))
}

/// Walks a device with the first credential that it answers to.
async fn walk(
    snmp: Snmp,
    target: InScope,
    credentials: Vec<Credential>,
    (_one_at_a_time, progress): (OwnedSemaphorePermit, Progress),
) -> Ended {
    let mut silence = None;
    for credential in credentials {
        let mut session = Session::new(snmp.clone(), target, credential, FOR_THE_HUB);
        progress.tell("walking");
        let (varbinds, stopped) = everything(&mut session).await;
        if varbinds.is_empty() {
            silence = stopped;
            continue;
        }
        if let Some(stopped) = stopped {
            return Err(Unwilling::Failed(format!(
                "the walk is not whole: {stopped}; record it at the site: platen read --record"
            )));
        }
        let recording = blanked(varbinds, false);
        progress.tell(format_args!("{} objects", recording.len()));
        return bounded(recording.to_text());
    }
    let why = silence.map_or("it has no credential".to_owned(), |silence| {
        silence.to_string()
    });
    Err(Unwilling::Failed(why))
}
