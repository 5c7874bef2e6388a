//! Which gateway the agents dial: the hub's own, or an sshd that somebody else runs. A ticket is
//! made of what it says.

use russh::keys::PublicKey;

use super::host_key::HostKey;
use super::sshd::{Sshd, SshdParts};
use super::{Gateway, GatewayParts};
use crate::RunError;
use crate::config::HubConfig;
use crate::session::{Session, Sessions};
use crate::state;
use crate::store::{Store, StoreError, Tenant};

/// The gateway there is. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Which {
    /// The hub's own.
    Own(Gateway),
    /// Another.
    Sshd(Sshd),
}

/// Where and how an agent meets the hub for one session: the gateway's part of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The only host key to believe, as SSH writes it.
    pub host_key: Vec<u8>,
    /// As whom the agent logs in.
    pub user: String,
    /// What it asks to have forwarded.
    pub bind: (String, u16),
}

/// Why there is no meeting.
#[derive(Debug, thiserror::Error)]
pub enum NoMeeting {
    /// Every port of the sshd is in use.
    #[error("every port of gateway.sshd_ports is in use; end a session first, or widen the range")]
    Full,
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The gateway that is configured.
///
/// # Errors
/// [`RunError`] when there is no host key, or the store is away.
pub async fn which(
    config: &HubConfig,
    store: &Store,
    sessions: &Sessions,
) -> Result<Which, RunError> {
    let tenant = Tenant::DEFAULT;
    let Some(sshd) = &config.gateway.sshd else {
        return Ok(Which::Own(Gateway::new(GatewayParts {
            store: store.clone(),
            tenant,
            sessions: sessions.clone(),
            key: HostKey::open(&config.state_dir)?,
            older_clients: config.gateway.older_clients,
        })));
    };
    let unreadable = || RunError::File {
        key: "gateway.sshd_host_key_file",
        path: sshd.host_key_file.clone(),
    };
    let line = state::read(&sshd.host_key_file).ok().flatten();
    let line = line.and_then(|line| String::from_utf8(line).ok());
    let key = line.and_then(|line| PublicKey::from_openssh(line.trim()).ok());
    let host_key = key.and_then(|key| key.to_bytes().ok());
    // Whatever a hub before this one let in is in nobody's session any more.
    store.forwards_clear(&tenant).await?;
    Ok(Which::Sshd(Sshd::new(SshdParts {
        store: store.clone(),
        tenant,
        host_key: host_key.ok_or_else(unreadable)?,
        config: sshd.clone(),
    })))
}

impl Which {
    /// The hub's own gateway, if it is that.
    #[must_use]
    pub fn own(&self) -> Option<Gateway> {
        match self {
            Self::Own(gateway) => Some(gateway.clone()),
            Self::Sshd(_) => None,
        }
    }

    /// Prepares for the agent to come with a session's device: what its ticket says of the way.
    /// From then on the session gets its way when the agent is there.
    ///
    /// # Errors
    /// [`NoMeeting`], for a person.
    pub async fn meet(&self, session: &Session) -> Result<Meeting, NoMeeting> {
        let terms = session.terms();
        match self {
            Self::Own(gateway) => Ok(Meeting {
                host_key: gateway.host_key().to_vec(),
                user: terms.agent.clone(),
                bind: (terms.id.to_string(), terms.port),
            }),
            Self::Sshd(sshd) => sshd.meet(session).await,
        }
    }
}
