//! A person's session with one port of one printer: device web access, from the site's side.
//!
//! One actor a session, started by the Supervisor for a ticket and never restarted: the hub asks
//! anew. The actor holds the session's life; its work ([`work`]) runs on the thread of all tunnels,
//! so that no transfer delays a reading. Only this room speaks SSH, and only as the one who dials.

mod carry;
mod cord;
pub(crate) mod desk;
mod ears;
pub mod ending;
mod gateway;
pub mod hours;
mod intake;
pub mod policy;
mod tally;
pub mod ticket;
mod ways;
mod work;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture,
};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

pub use desk::{SessionStatus, SessionsStatus, Stage};
pub(crate) use tally::Tally;
pub(crate) use ways::{Ways, Workshop};
pub(crate) use work::{HubSide, Job, Target};

use crate::messages::{Beat, Drain, EndTunnel, Pulse, TunnelEnded, Vitals, Work};
use crate::supervisor::Supervisor;
use ending::{Cause, End};
use ticket::SessionId;

/// What opening may take longer than it may: the goodbye.
const OPEN_SLACK: std::time::Duration = std::time::Duration::from_secs(10);

/// One session.
pub(crate) struct Tunnel {
    session: SessionId,
    job: Option<Job>,
    order: watch::Sender<Option<End>>,
    opening: Option<Work>,
    tally: std::sync::Arc<Tally>,
    boss: Addr<Supervisor>,
}

impl Tunnel {
    /// A session that begins when its actor is started.
    pub(crate) fn new(job: Job, boss: Addr<Supervisor>) -> Self {
        Self {
            session: job.ticket.session.clone(),
            tally: job.tally.clone(),
            job: Some(job),
            order: watch::Sender::new(None),
            opening: None,
            boss,
        }
    }

    /// Wants the end; whoever wants it first says why.
    fn end(&self, end: End) {
        self.order.send_if_modified(|wanted| {
            let is_first = wanted.is_none();
            if is_first {
                *wanted = Some(end);
            }
            is_first
        });
    }

    /// Tells the Supervisor, and stops.
    fn ended(&mut self, end: End, ctx: &mut Context<Self>) {
        let session = self.session.clone();
        let told = self.boss.send(TunnelEnded { session, end });
        ctx.spawn(wrap_future::<_, Self>(told).map(|_, _, ctx| ctx.stop()));
    }
}

impl Actor for Tunnel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(job) = self.job.take() else {
            ctx.stop();
            return;
        };
        self.opening = Some(Work {
            name: "opening a tunnel",
            since: Instant::now(),
            deadline: work::OPEN_MAX + OPEN_SLACK,
        });
        let (done, end) = oneshot::channel();
        let (thread, order) = (job.ways.thread(), self.order.subscribe());
        thread.spawn(async move {
            // Nobody hears it where the actor has died; the order's end has ended the work then.
            let _ = done.send(work::run(job, order).await);
        });
        let end = async { end.await.unwrap_or_else(|_| died()) };
        ctx.spawn(
            end.into_actor(self)
                .map(|end, tunnel, ctx| tunnel.ended(end, ctx)),
        );
    }
}

fn died() -> End {
    End::new(Cause::Died, "it died; the agent's log says how")
}

impl Handler<EndTunnel> for Tunnel {
    type Result = ();

    fn handle(&mut self, EndTunnel(end): EndTunnel, _: &mut Self::Context) -> Self::Result {
        self.end(end);
    }
}

impl Handler<Beat> for Tunnel {
    type Result = Pulse;

    fn handle(&mut self, _: Beat, _: &mut Self::Context) -> Self::Result {
        Pulse {
            work: self.opening.filter(|_| !self.tally.is_open()),
            vitals: Vitals::Tunnel,
        }
    }
}

impl Handler<Drain> for Tunnel {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.end(End::new(Cause::AgentEnds, "the agent ends, or begins anew"));
    }
}

#[cfg(feature = "provoke")]
impl Handler<crate::messages::Provoke> for Tunnel {
    type Result = ();

    fn handle(&mut self, fault: crate::messages::Provoke, ctx: &mut Self::Context) {
        self.opening = crate::provoke::fail(fault, self.opening, |it, work| it.opening = work, ctx);
    }
}
