//! Opens the doors as they are configured: binds every address, then serves them all.
//!
//! Used by the hub's `bind` and `serve`. A door without an address of its own stands behind the
//! port of the uplink.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::warn;

use crate::RunError;
use crate::ca::{Authority, ServerIdentity};
use crate::config::HubConfig;
use crate::door::broker::Broker;
use crate::door::front::{Doors, Front, Names};
use crate::door::gateway::Gateway;
use crate::door::mqtt::{MqttDoor, MqttParts};
use crate::door::tls::{self, Faces, Settings};
use crate::door::web::WebDoor;
use crate::state::{self, Bound};
use crate::store::{Store, Tenant};

/// Port of SSH (IANA).
const SSH_PORT: u16 = 22;

/// The sockets of every door, bound and not yet served.
#[derive(Debug)]
pub struct Listeners {
    uplink: TcpListener,
    portal: TcpListener,
    portal_https: Option<TcpListener>,
    mqtt: Option<TcpListener>,
    mqtt_websocket: Option<TcpListener>,
    gateway: Option<TcpListener>,
    is_ssh_beside: bool,
}

impl Listeners {
    /// Binds every address. Port 0 is any free port.
    ///
    /// # Errors
    /// [`RunError::Bind`] names the key whose address cannot be listened on.
    pub async fn bind(config: &HubConfig) -> Result<(Self, Bound), RunError> {
        let doors = &config.doors;
        let (uplink, uplink_at) = listen("uplink.listen", config.uplink_listen).await?;
        let (portal, portal_at) = listen("portal.listen", config.portal_listen).await?;
        let https = maybe("portal.https_listen", doors.portal_https_listen).await?;
        let is_own = doors.broker.is_none();
        let mqtt = maybe("mqtt.listen", doors.mqtt_listen.filter(|_| is_own)).await?;
        let at = doors.mqtt_websocket_listen.filter(|_| is_own);
        let websocket = maybe("mqtt.websocket_listen", at).await?;
        let ssh = ssh(config).await?;
        let bound = Bound {
            uplink: uplink_at,
            portal: portal_at,
            portal_https: https.as_ref().map(|(_, at)| *at),
            mqtt: mqtt.as_ref().map(|(_, at)| *at),
            mqtt_websocket: websocket.as_ref().map(|(_, at)| *at),
            gateway: ssh.as_ref().map(|(_, at)| *at),
        };
        let listeners = Self {
            uplink,
            portal,
            portal_https: https.map(|(listener, _)| listener),
            mqtt: mqtt.map(|(listener, _)| listener),
            mqtt_websocket: websocket.map(|(listener, _)| listener),
            gateway: ssh.map(|(listener, _)| listener),
            is_ssh_beside: config.gateway.beside_https,
        };
        Ok((listeners, bound))
    }
}

/// Port 22 is often taken by the machine's own sshd, which is no reason not to start: SSH is taken
/// beside TLS too.
async fn ssh(config: &HubConfig) -> Result<Option<(TcpListener, SocketAddr)>, RunError> {
    let is_own = config.gateway.sshd.is_none();
    let at = config.gateway.listen.filter(|_| is_own);
    match maybe("gateway.listen", at).await {
        Err(error) if at.is_some_and(|at| at.port() == SSH_PORT) => {
            warn!(%error, "SSH has no port of its own; write another one, or \"off\"");
            Ok(None)
        }
        bound => bound,
    }
}

async fn maybe(
    key: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<(TcpListener, SocketAddr)>, RunError> {
    match address {
        None => Ok(None),
        Some(address) => listen(key, address).await.map(Some),
    }
}

async fn listen(
    key: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Bind {
        key,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The names of every door.
#[must_use]
pub fn names(config: &HubConfig) -> Names {
    let or_uplinks = |names: &[String]| match names {
        [] => config.names.clone(),
        names => names.to_vec(),
    };
    Names {
        uplink: config.names.clone(),
        mqtt: or_uplinks(&config.doors.mqtt_names),
        portal: or_uplinks(&config.doors.portal_names).into(),
    }
}

/// The TLS of every door.
///
/// # Errors
/// [`RunError`] when a certificate cannot be read, made or used.
pub fn settings(
    config: &HubConfig,
    authority: &Authority,
    now: Timestamp,
) -> Result<Settings, RunError> {
    let mut all = config.names.clone();
    for name in config.doors.names() {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all.push(format!("*.{}", config.web.domain));
    let own = authority.server_identity(&config.state_dir, &all, now)?;
    let portal = match &config.doors.portal_certificate {
        None => None,
        Some((certificate, key)) => {
            let keys = ("portal.certificate_file", "portal.key_file");
            let identity = browsers_identity((certificate, key), keys)?;
            Some((identity, config.doors.portal_names.clone()))
        }
    };
    let web = match &config.web.certificate {
        None => None,
        Some((certificate, key)) => {
            let keys = ("web_access.certificate_file", "web_access.key_file");
            let identity = browsers_identity((certificate, key), keys)?;
            Some((identity, config.web.domain.clone()))
        }
    };
    Ok(tls::settings(authority, Faces { own, portal, web })?)
}

/// Reads a certificate and its key; `keys` name the files in the configuration.
fn browsers_identity(
    (certificate, key): (&Path, &Path),
    keys: (&'static str, &'static str),
) -> Result<ServerIdentity, RunError> {
    let unreadable = |key: &'static str, path: &Path| RunError::File {
        key,
        path: path.to_owned(),
    };
    let pem = |name, path: &Path| match state::read(path) {
        Ok(Some(pem)) => Ok(pem),
        Ok(None) | Err(_) => Err(unreadable(name, path)),
    };
    let chain = pem(keys.0, certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let private = PrivateKeyDer::from_pem_slice(&pem(keys.1, key)?).ok();
    Ok(ServerIdentity {
        chain: chain.ok_or_else(|| unreadable(keys.0, certificate))?,
        key: private.ok_or_else(|| unreadable(keys.1, key))?,
    })
}

/// What stands behind the doors.
#[derive(Debug)]
pub struct Rooms {
    /// Enrollment and polls.
    pub uplink: Router,
    /// Pages.
    pub portal: Router,
    /// Printers' pages.
    pub web: WebDoor,
    /// The hub's own broker; none where another is used.
    pub broker: Option<Arc<Broker>>,
    /// SSH; none where an sshd is used.
    pub gateway: Option<Gateway>,
    /// Knows the agents.
    pub store: Store,
    /// Whose they are.
    pub tenant: Tenant,
}

/// Serves every door until `stopped` turns true, then lets what is under way end.
///
/// # Errors
/// [`RunError::Portal`] when the listener without TLS fails for good.
pub async fn serve(
    listeners: Listeners,
    settings: Settings,
    names: Names,
    rooms: Rooms,
    stopped: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let told = || told(stopped.clone());
    let mqtt = rooms.broker.map(|broker| {
        MqttDoor::new(MqttParts {
            store: rooms.store,
            tenant: rooms.tenant,
            broker,
            stopped: stopped.clone(),
        })
    });
    let mut first = Doors {
        uplink: Some(rooms.uplink),
        mqtt: mqtt.clone(),
        portal: Some(rooms.portal.clone()),
        web: Some(rooms.web.clone()),
        gateway: rooms.gateway.clone().filter(|_| listeners.is_ssh_beside),
    };
    let only = |doors, listener| {
        let front = Front::new(doors, names.clone());
        front.serve(listener, Arc::clone(&settings.open), told())
    };
    let websocket = listeners.mqtt_websocket.map(|listener| {
        let mqtt = first.mqtt.take();
        let doors = Doors {
            mqtt,
            ..Doors::default()
        };
        only(doors, listener)
    });
    let https = listeners.portal_https.map(|listener| {
        let (portal, web) = (first.portal.take(), first.web.take());
        let doors = Doors {
            portal,
            web,
            ..Doors::default()
        };
        only(doors, listener)
    });
    let mqtts = listeners
        .mqtt
        .zip(mqtt)
        .map(|(listener, door)| door.serve(listener, Arc::clone(&settings.agents), told()));
    let ssh = rooms
        .gateway
        .map(|gateway| gateway.serve(listeners.gateway, told()));
    let uplink = only(first, listeners.uplink);
    let local = rooms.web.local().beside(rooms.portal);
    let portal = axum::serve(listeners.portal, local).with_graceful_shutdown(told());
    let (served, ..) = tokio::join!(
        async { portal.await.map_err(RunError::Portal) },
        uplink,
        perhaps(websocket),
        perhaps(https),
        perhaps(mqtts),
        perhaps(ssh),
    );
    served
}

async fn perhaps(door: Option<impl Future<Output = ()>>) {
    if let Some(door) = door {
        door.await;
    }
}

/// Ends when the hub is told to stop.
async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the teller is gone, which is telling too.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}
