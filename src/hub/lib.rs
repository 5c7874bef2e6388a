//! The hub: keeps what the agents report, and shows it.
//!
//! [`bind`] opens the store and every door, [`Hub::serve`] serves them until it is told to stop;
//! [`run`] does both. The commands of `platen-hub` are in [`cli`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::audit::head::HeadError;
use crate::audit::writer::Audit;
use crate::ca::{Authority, CaError};
use crate::command_key::{CommandKey, CommandKeyError};
use crate::config::HubConfig;
use crate::door::broker::BrokerError;
use crate::door::carrier::{self, Carrier, CarrierError, Which};
use crate::door::command::Desk;
use crate::door::front::Names;
use crate::door::gateway::host_key::HostKeyError;
use crate::door::gateway::which as gateways;
use crate::door::opening::{self, Listeners, Rooms};
use crate::door::portal::{self, PortalState};
use crate::door::reception::{Reception, ReceptionParts};
use crate::door::tls::{Settings, TlsError};
use crate::door::uplink::{Uplink, UplinkParts};
use crate::door::web::WebDoor;
use crate::session::Sessions;
use crate::state::{Bound, Lock, StateError};
use crate::store::{Store, StoreError, Tenant};

pub mod audit;
pub mod ca;
pub mod cli;
pub mod command_key;
pub mod config;
pub mod door;
pub mod likeness;
pub mod meter;
pub mod permission;
pub mod session;
pub mod state;
pub mod store;

/// Longest what is under way may take after the hub was told to stop. Docker kills after ten.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(9);

/// Why a hub does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The authority cannot work.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// There is no key to sign commands with.
    #[error(transparent)]
    CommandKey(#[from] CommandKeyError),
    /// The gateway has no key.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit cannot be written.
    #[error(transparent)]
    Audit(#[from] HeadError),
    /// The uplink has no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A door cannot be opened.
    #[error("{key}: {address} cannot be listened on: {source}")]
    Bind {
        /// The key that names the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A configured file cannot be read, or holds something else.
    #[error("{key}: {path} holds nothing that can be used there")]
    File {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// There is no broker for commands.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// There is no session with the broker.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    /// The portal failed while it was open.
    #[error("the portal failed: {0}")]
    Portal(io::Error),
}

/// A hub with every door bound and none served yet.
#[derive(Debug)]
pub struct Hub {
    store: Store,
    uplink: Uplink,
    settings: Settings,
    names: Names,
    listeners: Listeners,
    broker: Which,
    sessions: Sessions,
    gateway: gateways::Which,
    bound: Bound,
    poll_every: Duration,
    key: Arc<CommandKey>,
    state_dir: PathBuf,
    audit: Audit,
    web_domain: String,
    _lock: Lock,
}

/// Binds, then serves until `shutdown`.
///
/// # Errors
/// [`RunError`], for a person to read.
pub async fn run(config: HubConfig, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    bind(&config).await?.serve(shutdown).await?;
    Ok(())
}

/// Takes the state folder, opens the store and binds every door. Port 0 is any free port.
///
/// # Errors
/// [`RunError`]; nothing is left open.
pub async fn bind(config: &HubConfig) -> Result<Hub, RunError> {
    let now = Timestamp::now();
    state::make(&config.state_dir)?;
    let lock = state::lock(&config.state_dir)?;
    let authority = Authority::open(&config.state_dir, now)?;
    let settings = opening::settings(config, &authority, now)?;
    let key = Arc::new(CommandKey::open(&config.state_dir)?);
    let store = Store::open(&config.store_url, &config.state_dir).await?;
    let audit = Audit::open(store.clone(), &config.state_dir)?;
    let (listeners, bound) = Listeners::bind(config).await?;
    let broker = carrier::which(config).await?;
    let sessions = Sessions::default();
    let gateway = gateways::which(config, &store, &sessions).await?;
    state::tell(&config.state_dir, bound)?;
    let uplink = Uplink::new(UplinkParts {
        store: store.clone(),
        tenant: Tenant::DEFAULT,
        authority,
        command_key: key.public(),
        poll_every: config.poll_every,
        report_at_once: config.report_at_once,
    });
    Ok(Hub {
        store,
        uplink,
        settings,
        names: opening::names(config),
        listeners,
        broker,
        sessions,
        gateway,
        bound,
        poll_every: config.poll_every,
        key,
        state_dir: config.state_dir.clone(),
        audit,
        web_domain: config.web.domain.clone(),
        _lock: lock,
    })
}

impl Hub {
    /// Where the doors are.
    #[must_use]
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// Where commands go out: what [`carrier::Carrier::open`] takes.
    #[must_use]
    pub fn broker(&self) -> &Which {
        &self.broker
    }

    /// Every session with a printer's page that lives.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Where agents come with them.
    #[must_use]
    pub fn gateway(&self) -> &gateways::Which {
        &self.gateway
    }

    /// What the hub keeps.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves every door and sends commands until `shutdown`, then lets what is under way end.
    ///
    /// # Errors
    /// [`RunError`] when a door fails: the others are closed too, and the process should end.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let (carrier, arrivals) = Carrier::open(&self.broker, self.state_dir.clone())?;
        let desk = Desk::new(self.store.clone(), Tenant::DEFAULT, Arc::new(carrier));
        let (stop, stopped) = watch::channel(false);
        let desk = tokio::spawn(desk.work(arrivals, told(stopped)));
        let shutdown = async {
            shutdown.await;
            stop.send_replace(true);
        };
        let served = self.serve_doors(shutdown).await;
        desk.abort();
        served
    }

    /// As [`Self::serve`], and leaves the session with the broker, and so the commands, to the
    /// caller.
    ///
    /// # Errors
    /// As [`Self::serve`].
    pub async fn serve_doors(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let (stop, stopped) = watch::channel(false);
        let reception = Reception::new(ReceptionParts {
            store: self.store.clone(),
            tenant: Tenant::DEFAULT,
            key: Arc::clone(&self.key),
            sessions: self.sessions,
            audit: self.audit,
            gateway: Arc::new(self.gateway.clone()),
        });
        let receiving = tokio::spawn(reception.clone().work(told(stopped.clone())));
        let sessions = reception.sessions().clone();
        let web = WebDoor::new(sessions, Arc::new(self.store.clone()), &self.web_domain);
        let state = PortalState {
            store: self.store.clone(),
            tenant: Tenant::DEFAULT,
            poll_every: self.poll_every,
            key: self.key,
            reception: reception.clone(),
            web_domain: self.web_domain.into(),
        };
        let rooms = Rooms {
            uplink: self.uplink.routes(),
            portal: portal::router(state),
            web,
            broker: self.broker.own(),
            gateway: self.gateway.own(),
            store: self.store.clone(),
            tenant: Tenant::DEFAULT,
        };
        let doors = opening::serve(self.listeners, self.settings, self.names, rooms, stopped);
        tokio::pin!(doors);
        info!(uplink = %self.bound.uplink, portal = %self.bound.portal, "the hub is open");
        let failed = tokio::select! {
            ended = &mut doors => Some(ended),
            () = shutdown => None,
        };
        info!("the hub is closing");
        receiving.abort();
        let drained = timeout(DRAIN_TIMEOUT, async {
            // First the sessions: their ends are written while the store is there.
            reception.close_all().await;
            stop.send_replace(true);
            match failed {
                Some(ended) => ended,
                None => doors.await,
            }
        });
        let ended = drained.await.unwrap_or_else(|_| {
            warn!("connections that did not end were cut");
            Ok(())
        });
        self.store.close().await;
        ended
    }
}

/// Ends when the hub is told to stop.
async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the teller is gone, which is telling too.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}
