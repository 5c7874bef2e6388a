//! One subnet: sweeps it on schedule, and tells the Supervisor who answered.
//!
//! It asks each address one probe, and each that may be a printer who it is; where a device is known
//! to live, both at once; nothing more. What the devices say of themselves is for `device.rs` to read.
//! It keeps no list: the registry knows who was there before.

use std::collections::HashSet;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, ResponseFuture,
    SpawnHandle, WrapFuture,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use printer::identity::Fingerprint;
use printer::question;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use crate::backoff::{chance, jittered};
use crate::messages::{
    Beat, Drain, Found, Pulse, ScannerVitals, Sighted, Sweep, Swept, Vitals, WhoLives, Work,
};
use crate::parts::{Subnet, Tools};
use crate::reach::credential::Credential;
use crate::reach::scope::InScope;
use crate::reach::survey::{self, ReadError};
use crate::reach::sweep::{Answered, SweepError, SweepOptions, SweepProgress};
use crate::status::{REFUSING_LISTED_MAX, Refusing};
use crate::supervisor::Supervisor;

/// How often a silent address is asked: one lost packet may not hide a printer.
const TRIES: u32 = 2;
/// How long a probe waits for its answer; the sweep hears later ones too while it goes on.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the Supervisor may take to say who lives where; a sweep begins without it as well.
const KNOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The pace that a sweep's deadline allows for at most: new addresses on the machine's own link are
/// asked no faster than the kernel's table of neighbors bears, 179 to 298 a second.
const DEADLINE_RATE_MAX: u32 = 150;
/// Devices that are asked who they are at once, during a sweep.
const IDENTIFIED_AT_ONCE_MAX: usize = 16;
/// What a sweep may take longer than its packets need at the configured pace: twice, and this.
const SWEEP_SLACK: Duration = Duration::from_secs(600);
/// Sweeps out of turn that one sweep may answer: as many as commands can be in hand.
const ASKERS_MAX: usize = 16;

/// The actor of one subnet.
pub struct Scanner {
    subnet: Arc<Subnet>,
    tools: Tools,
    boss: Addr<Supervisor>,
    work: Option<Work>,
    timer: Option<SpawnHandle>,
    /// Who waits for the end of a sweep.
    asked: Vec<oneshot::Sender<Result<u32, String>>>,
    vitals: ScannerVitals,
    is_draining: bool,
}

/// What came of a sweep.
#[derive(Debug, Default)]
struct Seen {
    printers: u32,
    refusing: u32,
    refusing_listed: Vec<Refusing>,
}

/// What a candidate is.
enum Identified {
    /// One that may be a printer.
    Sighted(Sighted),
    /// One that accepts no credential.
    Refusing(Refusing),
    /// One that does not say, as a sleeping printer may, or is no printer.
    Nothing,
}

impl Scanner {
    pub(crate) fn new(subnet: Arc<Subnet>, tools: Tools, boss: Addr<Supervisor>) -> Self {
        let vitals = ScannerVitals::default();
        Self {
            subnet,
            tools,
            boss,
            work: None,
            timer: None,
            asked: Vec::new(),
            vitals,
            is_draining: false,
        }
    }

    /// Begins a sweep.
    fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        self.work = Some(Work::begin("sweep", self.deadline()));
        self.vitals.next_at = None;
        let sweep = sweep(self.subnet.clone(), self.tools.clone(), self.boss.clone());
        ctx.spawn(
            sweep
                .into_actor(self)
                .map(|seen, scanner, ctx| scanner.finish(seen, ctx)),
        );
    }

    /// Ends a sweep, and says when the next one begins.
    fn finish(&mut self, seen: Result<Seen, SweepError>, ctx: &mut Context<Self>) {
        self.work = None;
        if self.is_draining {
            ctx.stop();
            return;
        }
        for asker in self.asked.drain(..) {
            // One who no longer waits has been answered by a timeout.
            let _ = asker.send(match &seen {
                Ok(seen) => Ok(seen.printers),
                Err(error) => Err(error.to_string()),
            });
        }
        let label = &self.subnet.label;
        match seen {
            Ok(seen) => {
                let Seen {
                    printers, refusing, ..
                } = seen;
                info!(subnet = %label, seen = printers, refusing, "swept");
                self.vitals.swept_at = Some(Timestamp::now());
                self.vitals.seen = printers;
                self.vitals.refusing = refusing;
                self.vitals.refusing_listed = seen.refusing_listed;
            }
            Err(error) => warn!(subnet = %label, %error, "the sweep could not begin"),
        }
        let delay = jittered(self.tools.settings.discover_every, chance());
        self.vitals.next_at = Timestamp::now().checked_add(delay).ok();
        self.timer = Some(ctx.run_later(delay, |scanner, ctx| scanner.sweep(ctx)));
    }

    /// How long a sweep of this subnet may take.
    fn deadline(&self) -> Duration {
        let versions = u64::try_from(self.subnet.credentials.len())
            .unwrap_or(1)
            .saturating_mul(2);
        let packets = self
            .subnet
            .scope
            .count()
            .saturating_mul(versions * u64::from(TRIES));
        let rate = self.tools.settings.packets_per_second;
        let seconds = packets / u64::from(rate.clamp(1, DEADLINE_RATE_MAX));
        Duration::from_secs(seconds.saturating_mul(2)).saturating_add(SWEEP_SLACK)
    }
}

impl Actor for Scanner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sweep(ctx);
    }
}

impl Handler<Beat> for Scanner {
    type Result = Pulse;

    fn handle(&mut self, _: Beat, _: &mut Self::Context) -> Self::Result {
        Pulse {
            work: self.work,
            vitals: Vitals::Scanner(self.vitals.clone()),
        }
    }
}

impl Handler<Sweep> for Scanner {
    type Result = ResponseFuture<Result<u32, String>>;

    /// A sweep under way is the one that was asked for.
    fn handle(&mut self, _: Sweep, ctx: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        if !self.is_draining && self.asked.len() < ASKERS_MAX {
            self.asked.push(answer);
            if let Some(timer) = self.timer.take() {
                ctx.cancel_future(timer);
                self.sweep(ctx);
            }
        }
        Box::pin(async move {
            let cut_short = |_| Err("the sweep was cut short".to_owned());
            answered.await.unwrap_or_else(cut_short)
        })
    }
}

impl Handler<Drain> for Scanner {
    type Result = ();

    /// A sweep has nothing that could be lost, so it ends at once.
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        self.is_draining = true;
        ctx.stop();
    }
}

#[cfg(feature = "provoke")]
impl Handler<crate::messages::Provoke> for Scanner {
    type Result = ();

    fn handle(&mut self, fault: crate::messages::Provoke, ctx: &mut Self::Context) {
        self.work = crate::provoke::fail(fault, self.work, |it, work| it.work = work, ctx);
    }
}

/// Sweeps a subnet and tells who was seen; returns how many, and who accepts no credential.
async fn sweep(
    subnet: Arc<Subnet>,
    tools: Tools,
    boss: Addr<Supervisor>,
) -> Result<Seen, SweepError> {
    let known = known(&subnet, &boss).await;
    let as_users = known.iter().filter(|it| it.1).map(|it| it.0);
    let as_users: HashSet<InScope> = as_users.collect();
    let options = SweepOptions {
        probe: question::probe(),
        probe_of_known: question::introduction(),
        tries: TRIES,
        timeout: PROBE_TIMEOUT,
        first: known.into_iter().map(|it| it.0).collect(),
        as_users: as_users.clone(),
    };
    let sweep = {
        // The sweep's own task belongs on the runtime, not on the actors' thread.
        let _on_runtime = tools.runtime.enter();
        tools
            .snmp
            .sweep(&subnet.scope, subnet.door, &subnet.credentials, options)?
    };
    let progress = sweep.watch();
    let answers = stream::unfold(sweep, async |mut sweep| {
        let answered = sweep.next().await?;
        Some((answered, sweep))
    });
    let candidates = answers.filter(|it| ready(it.may_be_a_printer));
    let identified = candidates
        .map(|answered| identify(&tools, &subnet, &as_users, answered))
        .buffer_unordered(IDENTIFIED_AT_ONCE_MAX);
    let mut identified = pin!(identified);
    let mut seen = Seen::default();
    while let Some(one) = identified.next().await {
        match one {
            Identified::Sighted(sighted) => {
                seen.printers += 1;
                // Waits while the Supervisor has no room: that is the back-pressure.
                let _ = boss.send(Found(sighted)).await;
            }
            Identified::Refusing(refusing) => {
                seen.refusing += 1;
                if seen.refusing_listed.len() < REFUSING_LISTED_MAX {
                    seen.refusing_listed.push(refusing);
                }
            }
            Identified::Nothing => {}
        }
    }
    warn_of_loss(&subnet, *progress.borrow());
    let _ = boss
        .send(Swept {
            label: subnet.label.clone(),
        })
        .await;
    Ok(seen)
}

/// Where devices are known to live, and whether as users only; nowhere while the Supervisor does not
/// say.
async fn known(subnet: &Subnet, boss: &Addr<Supervisor>) -> Vec<(InScope, bool)> {
    let label = subnet.label.clone();
    let asked = boss.send(WhoLives { label }).timeout(KNOWN_TIMEOUT);
    let addresses = asked.await.unwrap_or_default().into_iter();
    let admit =
        |(address, as_user)| Some((subnet.scope.admit(address, subnet.door).ok()?, as_user));
    addresses.filter_map(admit).collect()
}

/// Warns of what a sweep may have missed.
fn warn_of_loss(subnet: &Subnet, progress: SweepProgress) {
    let (label, dropped) = (&subnet.label, progress.dropped);
    if dropped > 0 {
        warn!(subnet = %label, dropped, "answers came faster than they could be taken");
    }
    let overflows = progress.neighbor_overflows;
    if overflows > 0 {
        warn!(subnet = %label, overflows, "the kernel's table of neighbors was full");
    }
}

/// Asks a candidate who it is.
async fn identify(
    tools: &Tools,
    subnet: &Subnet,
    as_users: &HashSet<InScope>,
    answered: Answered,
) -> Identified {
    if answered.is_engine() {
        let mut credentials = subnet.credentials.clone();
        let as_user = as_users.contains(&answered.target);
        credentials.retain(|it| it.is_user() || !as_user);
        return identify_engine(tools, (subnet, &credentials), answered.target).await;
    }
    let is_introduced = answered.is_introduced;
    let Answered {
        target,
        credential,
        varbinds,
        ..
    } = answered;
    if is_introduced {
        let keys = survey::fingerprint(&varbinds.into_iter().collect());
        return sighted((target, credential), &keys);
    }
    let asked = survey::who(&tools.snmp, &target, &credential).await;
    // No actor of its own dies of this answer.
    tools.snmp.forget_heard(&target);
    match asked {
        Ok(keys) => sighted((target, credential), &keys),
        Err(error) => {
            debug!(%error, "answered the probe, but not who it is");
            Identified::Nothing
        }
    }
}

fn sighted((target, credential): (InScope, Credential), keys: &Fingerprint) -> Identified {
    Identified::Sighted(Sighted {
        traits: Box::new(keys.into()),
        target,
        credential,
    })
}

/// Asks an engine of version 3 what it is and who.
async fn identify_engine(
    tools: &Tools,
    (subnet, credentials): (&Subnet, &[Credential]),
    target: InScope,
) -> Identified {
    match survey::fit(&tools.snmp, &target, credentials).await {
        Ok((credential, walk)) if survey::is_candidate(&walk) => {
            sighted((target, credential), &survey::fingerprint(&walk))
        }
        Ok(_) => Identified::Nothing,
        Err(ReadError::NoCredentialFits { why, .. }) => {
            let address = target.addr().ip();
            info!(subnet = %subnet.label, %address, %why, "answers, but no credential fits");
            Identified::Refusing(Refusing {
                address,
                device: None,
                why,
            })
        }
        Err(error) => {
            debug!(%error, "told its engine, but not who it is");
            Identified::Nothing
        }
    }
}
