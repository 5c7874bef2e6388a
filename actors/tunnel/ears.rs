//! What a gateway says to us, as russh hears it: one kind of request is heard, all others are
//! refused. Runs in russh's own task, which must not wait for long: it also answers the gateway's
//! questions whether we are there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure, ChannelWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::{debug, warn};

use super::gateway::{Farewell, LinkError};
use super::intake::{self, Intake, Outlet};
use super::tally::Tally;
use super::ticket::{HostKey, SessionId, Ticket};
use super::ways::Room;

/// Most connections of a session at once: a browser opens six to one place.
pub(super) const CONNECTIONS_MAX: usize = 32;

/// How long a device may take nothing while everything is full, before its connection is given up.
/// Until then the whole session waits, the gateway's keepalive with it.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Refusals of a session that the log has a line for; `platen sessions` counts them all.
const REFUSALS_LOGGED_MAX: u64 = 10;

/// RFC 4254, section 5.1: the reason of a connection that could not be made.
const CONNECT_FAILED: u32 = 2;

/// A connection that the gateway asks for, and that nobody has answered yet. It travels boxed: a
/// queue has room for 32 from its beginning, in every session.
pub(super) struct Call {
    pub(super) outlet: Outlet,
    pub(super) writer: ChannelWriteHalf<Msg>,
    reply: ChannelOpenHandle,
    place: OwnedSemaphorePermit,
}

impl Call {
    /// Takes it: what the gateway sends from now on goes to the device.
    pub(super) async fn accept(self) -> (Outlet, ChannelWriteHalf<Msg>, OwnedSemaphorePermit) {
        self.reply.accept().await;
        (self.outlet, self.writer, self.place)
    }

    /// Refuses it with words for whoever is at the other end.
    pub(super) async fn refuse(self, reason: String) {
        let code = CONNECT_FAILED;
        let refusal = ChannelOpenFailure::Other { code, reason };
        self.reply.reject(refusal).await;
    }
}

/// The handler of one link.
pub(super) struct Ears {
    session: SessionId,
    host_key: HostKey,
    bind: (String, u16),
    calls: mpsc::Sender<Box<Call>>,
    places: Arc<Semaphore>,
    intakes: HashMap<ChannelId, Intake>,
    farewell: Farewell,
    tally: Arc<Tally>,
    room: Room,
}

impl Ears {
    /// A handler, and where its calls come out.
    pub(super) fn new(
        ticket: &Ticket,
        farewell: Farewell,
        (tally, room): (Arc<Tally>, Room),
    ) -> (Self, mpsc::Receiver<Box<Call>>) {
        let (calls, called) = mpsc::channel(CONNECTIONS_MAX);
        let ears = Self {
            session: ticket.session.clone(),
            host_key: ticket.host_key.clone(),
            bind: ticket.bind.clone(),
            calls,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            intakes: HashMap::new(),
            farewell,
            tally,
            room,
        };
        (ears, called)
    }

    /// Hears a connection to the forwarded name; what is refused comes back, with the reason.
    fn hear(
        &mut self,
        channel: Channel<Msg>,
        (host, port): (&str, u32),
        reply: ChannelOpenHandle,
    ) -> Option<(ChannelOpenHandle, ChannelOpenFailure)> {
        if host != self.bind.0 || port != u32::from(self.bind.1) {
            return Some((reply, ChannelOpenFailure::AdministrativelyProhibited));
        }
        // Those whose other end has gone.
        self.intakes.retain(|_, intake| !intake.is_idle());
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return Some((reply, ChannelOpenFailure::ResourceShortage));
        };
        let id = channel.id();
        let (_, writer) = channel.split();
        let (intake, outlet) = intake::pair(self.room.clone());
        let call = Call {
            outlet,
            writer,
            reply,
            place,
        };
        match self.calls.try_send(Box::new(call)) {
            Ok(()) => {
                self.intakes.insert(id, intake);
                None
            }
            Err(refused) => Some((
                refused.into_inner().reply,
                ChannelOpenFailure::ResourceShortage,
            )),
        }
    }

    /// Counts a refusal; a gateway that asks without end does not fill the log.
    fn note_refusal(&self, kind: &str) {
        self.tally.refused();
        let (_, refused, _) = self.tally.connections();
        if refused <= REFUSALS_LOGGED_MAX {
            warn!(session = %self.session, kind, refused, "the gateway asked for what the ticket does not give");
        }
    }

    async fn refuse(&self, kind: &str, reply: ChannelOpenHandle) {
        self.note_refusal(kind);
        reply
            .reject(ChannelOpenFailure::AdministrativelyProhibited)
            .await;
    }
}

impl Handler for Ears {
    type Error = LinkError;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let is_it = |key: &PublicKey| self.host_key.is(key);
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => is_it(key),
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &russh::Names,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if names.strict_kex() {
            Ok(())
        } else {
            Err(LinkError::NotStrict)
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let asked = (connected_address, connected_port);
        if let Some((reply, why)) = self.hear(channel, asked, reply) {
            self.note_refusal("forwarded-tcpip");
            reply.reject(why).await;
        }
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        ssh: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(intake) = self.intakes.get(&id) else {
            return Ok(());
        };
        self.tally.sent(data.len());
        if intake.take(data, STALL_MAX).await.is_err() {
            debug!(session = %self.session, "the device takes nothing; its connection is given up");
            self.intakes.remove(&id);
            ssh.close(id)?;
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        if let Some(intake) = self.intakes.get(&id) {
            intake.end();
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.intakes.remove(&id);
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("forwarded-streamlocal", reply).await;
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("auth-agent", reply).await;
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("session", reply).await;
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("direct-tcpip", reply).await;
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("direct-streamlocal", reply).await;
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("x11", reply).await;
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.farewell.note(&info.message);
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.farewell.note(&error.to_string());
                Err(error)
            }
        }
    }
}
