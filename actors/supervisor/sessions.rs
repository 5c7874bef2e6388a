//! Sessions with printers' web pages: who may have one, who approves it, how it begins and ends.
//!
//! The policy is asked when a ticket comes and again when it was approved. Every session stands in
//! the log and in the outbox, when it comes, begins and ends.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, MessageResult};
use futures_util::FutureExt;
use jiff::{Timestamp, ZonedDateTime};
use printer::identity::DeviceId;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::orders::{Answer, refuse};
use super::{Address, Supervisor, tell};
use crate::messages::{
    Cause as Death, ChildId, Decide, EndSessions, EndTunnel, TellSessions, TunnelEnded, Verdict,
};
use crate::order::{Ended, Progress};
use crate::outbox::Kind;
use crate::reach::scope::{Door, InScope, OutOfScope};
use crate::site::Unwilling;
use crate::tunnel::desk::{Live, Waiting};
use crate::tunnel::ending::{Cause, End};
use crate::tunnel::policy::{Allow, Leave};
use crate::tunnel::ticket::{SessionId, Ticket};
use crate::tunnel::{HubSide, Job, SessionStatus, Tally, Target, Tunnel, Workshop};

/// Least time that a session waits for approval.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// Where the outcome of an order goes, and how far it is.
type Reply = (Progress, oneshot::Sender<Ended>);

impl Supervisor {
    /// A ticket has come.
    pub(super) fn order_tunnel(
        &mut self,
        ticket: Ticket,
        progress: Progress,
        ctx: &mut Context<Self>,
    ) -> Answer {
        let now = Timestamp::now();
        let admitted = self.sessions.admit(&ticket, now);
        let weighed = admitted.and_then(|()| self.weigh(&ticket));
        let (leave, target) = match weighed {
            Ok(weighed) => weighed,
            Err(why) => {
                warn!(session = %ticket.session, issuer = %ticket.issuer, %why, "a session is refused");
                self.note("refused", &ticket, json!({ "why": why }));
                return refuse(why);
            }
        };
        let (answer, ended) = oneshot::channel();
        match self.parts.web_access.allow {
            Allow::Ask => {
                if let Err(why) = self.wait(ticket, (progress, answer), ctx) {
                    return refuse(why);
                }
            }
            Allow::Always => {
                self.begin_session((ticket, None), (leave, target), (progress, answer), ctx)
            }
            // The policy has said so already.
            Allow::Never => return refuse("the site lets nobody"),
        }
        let died = || {
            Err(Unwilling::Failed(
                "it died over it; the log says how".to_owned(),
            ))
        };
        Box::pin(ended.map(move |ended| ended.unwrap_or_else(|_| died())))
    }

    /// The hub ends a session.
    pub(super) fn order_end(&mut self, session: SessionId, ctx: &mut Context<Self>) -> Answer {
        let end = End::new(Cause::Hub, "the hub ended it");
        if self.end_session(&session, end, ctx) {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        refuse("no such session lives or waits here")
    }

    /// What a ticket may be and where its device is, or why it may not be.
    fn weigh(&self, ticket: &Ticket) -> Result<(Leave, Target), String> {
        let leave = self.parts.web_access.judge(ticket, &ZonedDateTime::now())?;
        let masks = &self.parts.word.masks;
        // The hub knows a device by its pseudonym where the site masks.
        let mut known = self.registry.iter();
        let known = known.find(|(id, _)| masks.device(id) == ticket.device);
        let Some((id, known)) = known else {
            return Err(format!("there is no device {} here", ticket.device));
        };
        let Some(address) = known.address else {
            return Err("nobody knows where the device is: find it again with discover".to_owned());
        };
        let (snmp, subnet) = self
            .admit(address)
            .ok_or_else(|| format!("{address} is in none of the configured ranges"))?;
        Ok((
            leave,
            Target {
                web: self.admit_web(address, ticket.port, id)?,
                snmp,
                credentials: subnet.tried(known.credential.as_ref()),
                fingerprint: known.fingerprint.clone(),
            },
        ))
    }

    /// The proof that a port of an address is open to sessions, or why it is not.
    fn admit_web(&self, address: IpAddr, port: u16, device: &DeviceId) -> Result<InScope, String> {
        let door = Door::Web { port };
        let mut closed = None;
        for subnet in &self.parts.subnets {
            match subnet.web.admit(address, door) {
                Ok(target) => return Ok(target),
                Err(OutOfScope::DoorClosed { .. })
                    if subnet.scope.admit(address, subnet.door).is_ok() =>
                {
                    closed = Some(subnet.label.clone());
                }
                Err(_) => {}
            }
        }
        warn!(%device, %address, port, "a session was asked for that no range lets");
        Err(match closed {
            Some(label) => format!(
                "port {port} is not open to sessions in the range '{label}': [web_access] ports, or \
                 web_ports of the range"
            ),
            None => format!("{address} is not an address that a session may reach"),
        })
    }

    /// Lets a session wait for a person at the site.
    fn wait(
        &mut self,
        ticket: Ticket,
        (progress, answer): Reply,
        ctx: &mut Context<Self>,
    ) -> Result<(), String> {
        let now = Timestamp::now();
        let session = ticket.session.clone();
        let until = ticket.expires.min(ticket.until);
        progress.tell(format_args!(
            "waits for approval at the site: platen sessions approve {session}"
        ));
        info!(%session, issuer = %ticket.issuer, reason = %ticket.reason, "a session waits for approval");
        self.note("asked", &ticket, json!({}));
        self.sessions.wait(Waiting {
            ticket,
            progress,
            answer,
            since: now,
        })?;
        let patience = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        ctx.run_later(patience.max(WAIT_MIN), move |supervisor, _| {
            if let Some(waiting) = supervisor.sessions.called(&session) {
                let why = format!("nobody at the site approved it by {until}");
                supervisor.turn_away(waiting, End::new(Cause::NotApproved, why));
            }
        });
        Ok(())
    }

    /// A session that waited is not to be.
    fn turn_away(&mut self, waiting: Waiting, end: End) {
        info!(session = %waiting.ticket.session, why = %end, "a session is not approved");
        self.note("refused", &waiting.ticket, json!({ "why": end.why }));
        self.sessions
            .end_waiting(&waiting, end.clone(), Timestamp::now());
        // Whoever asked may have given up.
        let _ = waiting.answer.send(Err(Unwilling::Refused(end.why)));
    }

    /// A person at the site has decided.
    fn decide(&mut self, decide: Decide, ctx: &mut Context<Self>) -> Result<(), String> {
        let Decide {
            session,
            by,
            verdict,
        } = decide;
        if !self.parts.web_access.is_approver(&by) {
            return Err(format!(
                "'{by}' may not decide about sessions here; those may whom [web_access] approvers \
                 names"
            ));
        }
        let Some(waiting) = self.sessions.called(&session) else {
            return Err(format!("no session {session} waits for approval"));
        };
        if verdict == Verdict::Refuse {
            self.turn_away(
                waiting,
                End::new(Cause::NotApproved, format!("{by} refused it")),
            );
            return Ok(());
        }
        // The world may have changed while it waited.
        match self.weigh(&waiting.ticket) {
            Ok(weighed) => {
                let reply = (waiting.progress, waiting.answer);
                self.begin_session((waiting.ticket, Some(by)), weighed, reply, ctx);
                Ok(())
            }
            Err(why) => {
                self.turn_away(waiting, End::new(Cause::Site, &why));
                Err(why)
            }
        }
    }

    /// Starts the actor of a session.
    fn begin_session(
        &mut self,
        (ticket, approved_by): (Ticket, Option<String>),
        (leave, target): (Leave, Target),
        (progress, answer): Reply,
        ctx: &mut Context<Self>,
    ) {
        let (Some(hub), Some(ways)) = (self.hub_side(), self.workshop()) else {
            let why = "this agent has no hub, or no thread for a tunnel".to_owned();
            let _ = answer.send(Err(Unwilling::Failed(why)));
            return;
        };
        let tally = Arc::new(Tally::default());
        info!(session = %ticket.session, issuer = %ticket.issuer, reason = %ticket.reason,
            address = %target.web.addr(), ?approved_by, "a session begins");
        self.note(
            "begun",
            &ticket,
            json!({ "approved_by": approved_by, "until": leave.until }),
        );
        self.sessions.begin(Live {
            ticket: ticket.clone(),
            approved_by: approved_by.clone(),
            since: Timestamp::now(),
            until: leave.until,
            tally: tally.clone(),
        });
        let id = ChildId::Tunnel(ticket.session.clone());
        let job = Job {
            ticket,
            leave,
            approved_by,
            target,
            hub,
            profiles: self.parts.profiles.clone(),
            progress,
            answer,
            tally,
            ways,
        };
        let tunnel = Tunnel::new(job, ctx.address());
        self.bear(&id, tunnel, Address::Tunnel, ctx);
    }

    /// Ends a session that waits or lives; false if there is none.
    fn end_session(&mut self, session: &SessionId, end: End, ctx: &mut Context<Self>) -> bool {
        if let Some(waiting) = self.sessions.called(session) {
            self.turn_away(waiting, end);
            return true;
        }
        let id = ChildId::Tunnel(session.clone());
        match self.children.address(&id) {
            Some(Address::Tunnel(tunnel)) => {
                tell(tunnel, EndTunnel(end), ctx);
                self.sessions.lives(session)
            }
            Some(Address::Scanner(_) | Address::Device(_) | Address::Uplink(_)) | None => false,
        }
    }

    /// A tunnel's actor has gone; one that went without a word has died.
    pub(super) fn tunnel_died(&mut self, session: &SessionId, cause: &Death) {
        self.session_ended(session, End::new(Cause::Died, format!("it {cause}")));
    }

    fn session_ended(&mut self, session: &SessionId, end: End) {
        let Some(past) = self.sessions.end(session, end, Timestamp::now()) else {
            return;
        };
        let (why, connections) = (past.end.as_ref().map(|end| &end.why), past.connections);
        info!(%session, ?why, connections, sent = past.sent, received = past.received, "a session has ended");
        self.note_line(json!({
            "event": "ended",
            "session": past.session,
            "device": past.device,
            "port": past.port,
            "end": past.end,
            "connections": past.connections,
            "sent": past.sent,
            "received": past.received,
        }));
    }

    fn hub_side(&self) -> Option<HubSide> {
        let hub = self.parts.hub.as_ref()?;
        Some(HubSide {
            url: hub.url.clone(),
            authority_pem: hub.authority_pem.clone(),
            route: hub.route.clone(),
            keeper: hub.keeper.clone(),
        })
    }

    /// What all tunnels share, made with the first.
    fn workshop(&mut self) -> Option<crate::tunnel::Ways> {
        if !self.workshop.as_ref().is_some_and(Workshop::is_open) {
            let opened = Workshop::open();
            let opened = opened.inspect_err(|error| warn!(%error, "no thread for tunnels"));
            self.workshop = opened.ok();
        }
        self.workshop.as_ref().map(Workshop::ways)
    }

    /// Notes an event of a session in the outbox.
    fn note(&self, event: &str, ticket: &Ticket, more: Value) {
        let mut line = json!({
            "event": event,
            "session": ticket.session.as_str(),
            "device": ticket.device,
            "port": ticket.port,
            "issuer": ticket.issuer,
            "reason": ticket.reason,
        });
        if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        self.note_line(line);
    }

    fn note_line(&self, line: Value) {
        let Some(hub) = &self.parts.hub else {
            return;
        };
        let outbox = hub.outbox.clone();
        // It waits for the disk.
        self.parts
            .runtime
            .spawn(async move { outbox.note(Kind::Session, line).await });
    }
}

impl Handler<TunnelEnded> for Supervisor {
    type Result = ();

    fn handle(&mut self, ended: TunnelEnded, _: &mut Context<Self>) -> Self::Result {
        self.session_ended(&ended.session, ended.end);
    }
}

impl Handler<TellSessions> for Supervisor {
    type Result = MessageResult<TellSessions>;

    fn handle(&mut self, _: TellSessions, _: &mut Context<Self>) -> Self::Result {
        let all: Vec<SessionStatus> = self.sessions.all();
        MessageResult(all)
    }
}

impl Handler<Decide> for Supervisor {
    type Result = Result<(), String>;

    fn handle(&mut self, decide: Decide, ctx: &mut Context<Self>) -> Self::Result {
        self.decide(decide, ctx)
    }
}

impl Handler<EndSessions> for Supervisor {
    type Result = u32;

    fn handle(&mut self, order: EndSessions, ctx: &mut Context<Self>) -> Self::Result {
        let all = || {
            let living = self.sessions.living().cloned();
            living.chain(self.sessions.waiting()).collect()
        };
        let sessions: Vec<SessionId> = order.0.map_or_else(all, |session| vec![session]);
        let end = End::new(Cause::Site, "a person at the site ended it");
        let ended = sessions
            .iter()
            .filter(|session| self.end_session(session, end.clone(), ctx));
        u32::try_from(ended.count()).unwrap_or(u32::MAX)
    }
}
