//! What a peer asks for over SSH, and that it is refused, but for one thing each.
//!
//! An agent may have the one port forwarded that an open session of its own names; a person may
//! connect to the one port of a session that they opened. There is no shell, command, subsystem,
//! terminal, environment, X11, agent, or socket of a file here: what is not written below the
//! library refuses.

use std::sync::Arc;

use jiff::Timestamp;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session as Ssh, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Error};
use tracing::{debug, info, warn};

use super::forward::Forward;
use super::guest::{self, Guest};
use super::line::{Line, Proof};
use super::{Gateway, farewell, person};
use crate::session::{Session, SessionId};
use crate::store::agents::AgentId;

/// One connection's questions.
#[derive(Debug)]
pub(super) struct Visit {
    gateway: Gateway,
    line: Arc<Line>,
}

impl Visit {
    pub(super) fn new(gateway: Gateway, line: Arc<Line>) -> Self {
        Self { gateway, line }
    }

    /// Who this user with this key is; nobody while the store is away.
    async fn judge(&self, user: &str, key: &russh::keys::PublicKey) -> Option<Guest> {
        let judged = guest::judge(self.gateway.store(), self.gateway.tenant(), (user, key));
        match judged.await {
            Ok(guest) => guest,
            Err(error) => {
                warn!(%error, "who comes over SSH cannot be judged");
                None
            }
        }
    }

    fn guest(&self) -> Option<&Guest> {
        self.line.proof().map(|proof| &proof.guest)
    }

    /// The session whose forwarding an agent may ask for by this name and port.
    fn wanted(&self, agent: &AgentId, name: &str, port: u32) -> Option<Session> {
        let session = self.gateway.sessions().find(&SessionId::parse(name)?)?;
        let terms = session.terms();
        let is_theirs = terms.agent == agent.as_str() && terms.tenant == *agent.tenant();
        let is_now = terms.until > Timestamp::now();
        (is_theirs && is_now && u32::from(terms.port) == port).then_some(session)
    }
}

impl Handler for Visit {
    type Error = Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Error> {
        match self.judge(user, offer.public_key).await {
            Some(_) => Ok(Auth::Accept),
            None => Ok(Auth::reject()),
        }
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        let Some(guest) = self.judge(user, key.public_key).await else {
            return Ok(Auth::reject());
        };
        debug!(guest = guest.name(), address = %self.line.address, "SSH");
        self.line.proven(Proof {
            guest,
            user: user.to_owned(),
            key: key.public_key.clone(),
        });
        Ok(Auth::Accept)
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        ssh: &mut Ssh,
    ) -> Result<bool, Error> {
        let Some(Guest::Agent(agent)) = self.guest() else {
            return Ok(false);
        };
        let Some(session) = self.wanted(agent, address, *port) else {
            info!(
                agent = agent.name(),
                "a tunnel was refused: no session of this agent has it"
            );
            return Ok(false);
        };
        let terms = session.terms();
        let gauges = self.line.gauges.clone();
        let forward = Forward::new(ssh.handle(), terms.id.clone(), terms.port, gauges);
        Ok(self.line.begin(session, forward))
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _: &mut Ssh,
    ) -> Result<bool, Error> {
        let Some((id, end)) = farewell::parse(address) else {
            return Ok(false);
        };
        let session = self.line.session(&id);
        let session = session.filter(|session| u32::from(session.terms().port) == port);
        let is_known = session.is_some();
        if let Some(session) = session {
            session.end(end);
        }
        Ok(is_known)
    }

    async fn channel_open_confirmation(
        &mut self,
        channel: ChannelId,
        _: u32,
        _: u32,
        _: &mut Ssh,
    ) -> Result<(), Error> {
        self.line.gauges.of(channel);
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Ssh) -> Result<(), Error> {
        if let Some(gauge) = self.line.gauges.find(channel) {
            gauge.close();
        }
        Ok(())
    }

    async fn window_adjusted(
        &mut self,
        channel: ChannelId,
        _: u32,
        _: &mut Ssh,
    ) -> Result<(), Error> {
        // It stands in the queue too.
        if let Some(gauge) = self.line.gauges.find(channel) {
            gauge.queued();
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, _: &[u8], _: &mut Ssh) -> Result<(), Error> {
        if let Some(gauge) = self.line.gauges.find(channel) {
            gauge.queued();
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Error> {
        let session = match self.guest() {
            Some(Guest::Person(name)) => person::wanted(&self.gateway, name, (host, port)),
            Some(Guest::Agent(_)) | None => None,
        };
        let Some(session) = session.filter(|_| self.line.raws() < person::RAWS_MAX) else {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        let raw = self.line.raw();
        tokio::spawn(person::carry(session, channel, reply, raw));
        Ok(())
    }
}
