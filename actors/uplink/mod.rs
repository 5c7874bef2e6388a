//! The hub's side of the agent: polls it, hands over what the spool holds.
//!
//! A poll at every turn, at once when something new is in the spool and the hub asked for that,
//! and one after the other while more waits. What fails is tried again ever more slowly; the
//! spool keeps everything meanwhile. Before a poll the certificate is renewed if it is time. Beside
//! that it hears commands: each is a task of its own on the runtime ([`command`]), which asks the
//! Supervisor; polls and commands never wait for each other.

pub mod command;
mod grpc;
pub mod mqtt;
mod myself;
pub(crate) mod renewal;
mod told;

use std::time::Duration;

use actix::fut::wrap_stream;
use actix::{
    Actor, ActorContext, ActorFutureExt, ActorStreamExt, Addr, AsyncContext, Context, Handler,
    SpawnHandle, WrapFuture,
};
use futures_util::stream;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use tonic::Code;
use tracing::{debug, error, info, warn};

use self::command::{CommandParts, Counter, Desk};
pub use self::grpc::would_send;
use self::grpc::{Link, PollError, Polled};
use self::mqtt::{Incoming, LineState};
use self::myself::Myself;
use self::renewal::Renewal;
use crate::backoff::{chance, jittered};
use crate::keeper::Counted;
use crate::messages::{Beat, Drain, Pulse, UplinkVitals, Vitals, Work};
use crate::parts::{HubLink, Tools};
use crate::status::Totals;
use crate::supervisor::Supervisor;

/// How long news gathers before it is sent at once: one sweep's findings go in one poll.
const NEWS_DEBOUNCE: Duration = Duration::from_millis(200);
/// The hub may ask for polls no rarer than this: an agent must stay within reach.
const POLL_EVERY_MAX: Duration = Duration::from_secs(3600);
/// Exchange, connection and disk together may take the poll's own deadline, a renewal as long again,
/// and this.
const POLL_SLACK: Duration = Duration::from_secs(60);

/// The actor of the hub.
pub struct Uplink {
    hub: HubLink,
    tools: Tools,
    totals: watch::Receiver<Totals>,
    link: Option<Link>,
    renewal: Renewal,
    every: Duration,
    at_once: bool,
    has_news: bool,
    failures: u32,
    /// The timer of the next poll, and when it goes off.
    timer: Option<(SpawnHandle, Instant)>,
    work: Option<Work>,
    vitals: UplinkVitals,
    /// Whom to believe in commands, and who carries them out; none takes no commands.
    commands: Option<(CommandParts, Addr<Supervisor>)>,
    counter: Counter,
    /// How the line of commands stands; none takes no commands.
    line: Option<watch::Receiver<LineState>>,
    is_draining: bool,
}

impl Uplink {
    pub(crate) fn new(
        hub: HubLink,
        tools: Tools,
        totals: watch::Receiver<Totals>,
        commands: Option<(CommandParts, Addr<Supervisor>)>,
    ) -> Self {
        Self {
            hub,
            totals,
            link: None,
            renewal: Renewal::default(),
            every: tools.settings.poll_every,
            tools,
            at_once: false,
            has_news: false,
            failures: 0,
            timer: None,
            work: None,
            vitals: UplinkVitals::default(),
            // Until it is opened it is down, and nothing is wrong.
            line: (commands.as_ref()).map(|_| watch::channel(LineState::default()).1),
            commands,
            counter: Counter::default(),
            is_draining: false,
        }
    }

    /// Begins a poll.
    fn poll(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        if self.work.is_some() {
            return;
        }
        self.has_news = false;
        let deadline = self.tools.settings.poll_deadline;
        let longest = deadline.saturating_mul(2).saturating_add(POLL_SLACK);
        self.work = Some(Work::begin("poll", longest));
        let exchange = exchange(
            self.hub.clone(),
            self.link.clone(),
            self.renewal.clone(),
            self.tools.clone(),
            (self.totals.borrow().clone(), self.line_state()),
        );
        // TLS and compression belong on the runtime, not on the actors' thread.
        let task = OnRuntime(self.tools.runtime.spawn(exchange));
        let exchanged = task.joined().into_actor(self);
        ctx.spawn(exchanged.map(|exchanged, uplink, ctx| uplink.finish(exchanged, ctx)));
    }

    /// Ends a poll, and says when the next one begins.
    fn finish(&mut self, exchanged: Exchanged, ctx: &mut Context<Self>) {
        self.work = None;
        self.renewal = exchanged.renewal;
        let delay = match exchanged.polled {
            Ok((link, polled)) => {
                self.link = Some(link);
                self.note_contact(&polled);
                match polled {
                    Polled { has_more: true, .. } => Duration::ZERO,
                    Polled { .. } if self.has_news && self.at_once => NEWS_DEBOUNCE,
                    Polled { .. } => jittered(self.every, chance()),
                }
            }
            Err(error) => {
                self.link = None;
                self.note_failure(&error);
                self.tools.settings.backoff.delay(self.failures, chance())
            }
        };
        if self.is_draining {
            ctx.stop();
            return;
        }
        self.wake_after(delay, ctx);
    }

    fn note_contact(&mut self, polled: &Polled) {
        if self.vitals.trouble.take().is_some() || self.vitals.contact_at.is_none() {
            info!(hub = %self.hub.url, "the hub answers");
            self.vitals.since = Some(Timestamp::now());
        }
        self.failures = 0;
        self.vitals.contact_at = Some(Timestamp::now());
        self.vitals.acked = self.vitals.acked.max(polled.acked);
        self.at_once = polled.at_once;
        self.every = polled
            .next
            .unwrap_or(self.tools.settings.poll_every)
            .min(POLL_EVERY_MAX);
        debug!(acked = polled.acked, more = polled.has_more, "polled");
    }

    /// Logs a change of state once; an hour without the hub is one line, not a thousand.
    fn note_failure(&mut self, error: &PollError) {
        let words = error.to_string();
        if self.vitals.trouble.is_none() {
            warn!(hub = %self.hub.url, %error, "no exchange with the hub; reports wait in the spool");
            self.vitals.since = Some(Timestamp::now());
        } else {
            debug!(hub = %self.hub.url, %error, "still no exchange with the hub");
        }
        self.failures = self.failures.saturating_add(1);
        self.vitals.trouble = Some(words);
    }

    /// Something new is in the spool.
    fn hear_news(&mut self, ctx: &mut Context<Self>) {
        self.has_news = true;
        if self.at_once && self.failures == 0 && self.work.is_none() {
            self.wake_after(NEWS_DEBOUNCE, ctx);
        }
    }

    /// Opens the desk of commands, and hears what comes from then on.
    fn open_desk(&mut self, ctx: &mut Context<Self>) {
        let Some((parts, boss)) = self.commands.take() else {
            return;
        };
        let masks = self.tools.word.masks.clone();
        let opened = self.tools.runtime.spawn(async move {
            let line = parts.carriage.open();
            let desk = Desk::new(parts, boss, line.outcomes, masks);
            desk.open().await;
            (desk, line.commands, line.state)
        });
        let opened = OnRuntime(opened).joined().into_actor(self);
        ctx.spawn(opened.map(|(desk, commands, state), uplink, ctx| {
            uplink.line = Some(state);
            let commands = stream::unfold(commands, async |mut commands| {
                Some((commands.recv().await?, commands))
            });
            let heard = wrap_stream::<_, Self>(commands);
            let heard = heard.map(move |incoming, uplink, ctx| uplink.hear(&desk, incoming, ctx));
            ctx.spawn(heard.finish());
        }));
    }

    /// How the line of commands stands now.
    fn line_state(&self) -> LineState {
        let line = self.line.as_ref();
        line.map_or_else(LineState::default, |line| line.borrow().clone())
    }

    /// Gives one delivery to the desk, unless too much is in hand.
    fn hear(&mut self, desk: &Desk, incoming: Incoming, ctx: &mut Context<Self>) {
        if self.is_draining || !self.counter.admit(Instant::now()) {
            return;
        }
        let task = OnRuntime(self.tools.runtime.spawn(desk.clone().take(incoming)));
        let taken = task.joined().into_actor(self);
        ctx.spawn(taken.map(|(), uplink, _| uplink.counter.leave()));
    }

    /// Sets the timer, unless it goes off sooner than that already.
    fn wake_after(&mut self, delay: Duration, ctx: &mut Context<Self>) {
        let at = Instant::now() + delay;
        if let Some((timer, set)) = self.timer.take() {
            if set <= at {
                self.timer = Some((timer, set));
                return;
            }
            ctx.cancel_future(timer);
        }
        let timer = ctx.run_later(delay, |uplink, ctx| uplink.poll(ctx));
        self.timer = Some((timer, at));
    }
}

impl Actor for Uplink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let news = stream::unfold(self.tools.spool.watch(), async |mut news| {
            news.changed().await.ok()?;
            Some(((), news))
        });
        let heard = wrap_stream::<_, Self>(news).map(|(), uplink, ctx| uplink.hear_news(ctx));
        ctx.spawn(heard.finish());
        self.open_desk(ctx);
        self.poll(ctx);
    }
}

impl Handler<Beat> for Uplink {
    type Result = Pulse;

    fn handle(&mut self, _: Beat, _: &mut Self::Context) -> Self::Result {
        let vitals = UplinkVitals {
            commands: self.line.as_ref().map(|line| line.borrow().clone()),
            ..self.vitals.clone()
        };
        Pulse {
            work: self.work,
            vitals: Vitals::Uplink(vitals),
        }
    }
}

impl Handler<Drain> for Uplink {
    type Result = ();

    /// A poll in hand is finished; what still waits is safe in the spool.
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        self.is_draining = true;
        if self.work.is_none() {
            ctx.stop();
        }
    }
}

#[cfg(feature = "provoke")]
impl Handler<crate::messages::Provoke> for Uplink {
    type Result = ();

    fn handle(&mut self, fault: crate::messages::Provoke, ctx: &mut Self::Context) {
        self.work = crate::provoke::fail(fault, self.work, |it, work| it.work = work, ctx);
    }
}

/// A task on the runtime that ends when nobody waits for it any more.
struct OnRuntime<T>(JoinHandle<T>);

impl<T> OnRuntime<T> {
    /// The task's result; its panic becomes the panic of whoever waits.
    async fn joined(mut self) -> T {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and so is everything else.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl<T> Drop for OnRuntime<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What an exchange brought.
struct Exchanged {
    renewal: Renewal,
    polled: Result<(Link, Polled), PollError>,
}

/// Renews the certificate if it is time, connects unless connected, and polls once.
async fn exchange(
    hub: HubLink,
    link: Option<Link>,
    mut renewal: Renewal,
    tools: Tools,
    told: (Totals, LineState),
) -> Exchanged {
    let polled = try_exchange(&hub, link, &mut renewal, &tools, told).await;
    let keeper = hub.keeper.clone();
    match &polled {
        Ok(_) => {
            let accepted = spawn_blocking(move || keeper.accepted());
            if accepted.await.is_err() {
                debug!("the refusals so far were not forgotten");
            }
        }
        // The certificate has ended by the hub's clock, which is the one that counts.
        Err(PollError::Refused {
            code: Code::Aborted,
            ..
        }) => renewal.note_ended(),
        Err(PollError::Refused {
            is_for_good: true,
            message,
            ..
        // Where a proxy is let between, it could have said it in the hub's place.
        }) if hub.route.beside().is_empty() => {
            let why = message.clone();
            match spawn_blocking(move || keeper.refused(&why)).await {
                Ok(Counted::So(refusals)) => {
                    warn!(refusals, why = message, "the hub refuses this agent");
                }
                Ok(Counted::Disabled) => {
                    error!(why = message, "the hub refuses this agent: it is disabled");
                }
                Err(error) => error!(%error, "a refusal was not counted"),
            }
        }
        Err(_) => {}
    }
    Exchanged { renewal, polled }
}

async fn try_exchange(
    hub: &HubLink,
    link: Option<Link>,
    renewal: &mut Renewal,
    tools: &Tools,
    (totals, line): (Totals, LineState),
) -> Result<(Link, Polled), PollError> {
    let settings = tools.settings;
    let deadline = settings.poll_deadline;
    renewal.tend(hub, deadline, settings.backoff).await?;
    let mut link = match link.filter(|link| link.is_current(hub)) {
        Some(link) => link,
        None => Link::open(hub, deadline).await?,
    };
    let alarm = renewal.alarm(&hub.keeper.current(), Timestamp::now());
    let myself = Myself {
        word: &tools.word,
        totals,
        started_at: tools.started_at,
        start: (hub.keeper.boot(), hub.keeper.instance()),
        commands_connected: line.is_connected,
        alarms: (alarm.into_iter().chain(line.alarm))
            .chain(tools.word.alarms.iter().cloned())
            .collect(),
    };
    let polled = link.poll(&tools.spool, &myself).await?;
    Ok((link, polled))
}
