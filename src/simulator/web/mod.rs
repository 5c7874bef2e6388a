//! The printers' own web pages and raw ports: plain ones, broken ones, and an attacker's.
//!
//! Used by every fleet whose file has `web` or `raw`. The pages live on a thread of their own, so
//! that a long transfer never delays an answer over SNMP; what a page shows of its printer is asked
//! of the rack. A door belongs to the device: when two devices swap addresses, their connections are
//! reset and nothing that waited at a door gets in, as on a real network.

mod broken;
mod firmware;
mod hostile;
mod html;
mod http;
mod ipp;
mod label;
mod ledm;
mod links;
mod log;
mod login;
mod page;
mod panel;
mod pjl;
mod portrait;
mod queue;
mod raw;
mod station;
mod tls;
mod weak;
mod websocket;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::rack::Deed;

pub use self::hostile::{HOSTILE, Hostile, Plays};
pub use self::station::{Arrived, Asked, Upload};

pub(crate) use self::page::{Door, End, Page, RawWeb, doors};
pub(crate) use self::portrait::Portrait;
pub(crate) use self::station::Station;

/// Connections of a fleet that are served at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections that wait at a door until they are taken.
const BACKLOG: u32 = 256;
/// Portraits that wait to be drawn; each page waits for its own.
const LOOKS_MAX: usize = 64;
/// Turns that wait; whoever orders one waits for it.
const TURNS_MAX: usize = 4;
/// How long a door waits before it takes again, after the system refused it a connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// Longest that a swap waits for the connections of the old leases to be gone.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// A page asks the rack how the device of this number looks, once it has done this.
pub(crate) type Look = (u32, Deed, oneshot::Sender<Option<Portrait>>);

/// A device with its doors, wherever it stands.
pub(crate) struct Tenant {
    /// Its number in the fleet.
    pub(crate) number: u32,
    /// Its doors.
    pub(crate) doors: Vec<Door>,
    /// Which of its certificates it shows.
    pub(crate) tls_generation: u32,
    /// What it keeps.
    pub(crate) station: Arc<Station>,
}

/// What the rack keeps of the pages.
pub(crate) struct Web {
    turns: mpsc::Sender<Turn>,
    stations: HashMap<u32, Arc<Station>>,
}

/// What the rack tells the pages.
enum Turn {
    /// Two devices leave their addresses: every connection is reset, every door is shut.
    Leave([IpAddr; 2], oneshot::Sender<()>),
    /// They have taken each other's address: the doors open again.
    Swap([IpAddr; 2], oneshot::Sender<()>),
    /// An address falls silent, or speaks again.
    Silence(IpAddr, bool, oneshot::Sender<()>),
}

/// What an address is to the device that stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// It is heard.
    Held,
    /// Nothing gets through, and nobody is told.
    Silenced,
    /// It is another's.
    Left,
}

/// The doors of an address.
struct Place {
    tenant: Arc<Tenant>,
    lease: watch::Sender<Lease>,
}

/// Everything that has doors, and the thread's own end of the talk with the rack.
pub(crate) struct Pages {
    places: HashMap<IpAddr, Place>,
    silenced: HashSet<IpAddr>,
    turns: mpsc::Receiver<Turn>,
    looks: mpsc::Sender<Look>,
    room: Arc<Semaphore>,
}

/// One connection: whose it is, where it came in, and when it must end.
#[derive(Clone)]
pub(crate) struct Visit {
    /// The device.
    pub(crate) tenant: Arc<Tenant>,
    /// The address and port that were dialed.
    pub(crate) own: SocketAddr,
    /// Whether it is carried by TLS.
    pub(crate) is_secure: bool,
    /// A second handle on the socket: the one that closes last decides how it ends. It stands
    /// before `lease`, so that a swap finds the socket closed when the last visit is gone.
    spare: Arc<OwnedFd>,
    looks: mpsc::Sender<Look>,
    lease: watch::Receiver<Lease>,
}

/// What the connections of one door have in common.
struct Keeper {
    tenant: Arc<Tenant>,
    own: SocketAddr,
    door: Door,
    looks: mpsc::Sender<Look>,
    lease: watch::Receiver<Lease>,
    room: Arc<Semaphore>,
}

/// Opens the doors of a fleet. Needs the runtime that will serve them.
///
/// # Errors
/// The address and port that cannot be opened, and why.
pub(crate) fn open(
    tenants: Vec<(IpAddr, Tenant)>,
) -> Result<(Pages, Web, mpsc::Receiver<Look>), (SocketAddr, io::Error)> {
    let (turns, inbox) = mpsc::channel(TURNS_MAX);
    let (looks, asked) = mpsc::channel(LOOKS_MAX);
    let mut stations = HashMap::new();
    let mut pages = Pages {
        places: HashMap::new(),
        silenced: HashSet::new(),
        turns: inbox,
        looks,
        room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    for (address, tenant) in tenants {
        stations.insert(tenant.number, Arc::clone(&tenant.station));
        let place = pages.settle(address, Arc::new(tenant))?;
        pages.places.insert(address, place);
    }
    Ok((pages, Web { turns, stations }, asked))
}

impl Web {
    /// What has come to the pages of the device of this number; nothing for one without doors.
    pub(crate) fn arrived(&self, number: u32) -> Arrived {
        let station = self.stations.get(&number);
        station.map(|station| station.arrived()).unwrap_or_default()
    }

    /// Resets every connection of two addresses and shuts their doors.
    pub(crate) async fn leave(&self, addresses: [IpAddr; 2]) {
        self.turn(|done| Turn::Leave(addresses, done)).await;
    }

    /// Opens the doors of two addresses for the devices that stand there now.
    pub(crate) async fn swap(&self, addresses: [IpAddr; 2]) {
        self.turn(|done| Turn::Swap(addresses, done)).await;
    }

    /// Lets an address fall silent, or speak again.
    pub(crate) async fn silence(&self, address: IpAddr, silent: bool) {
        self.turn(|done| Turn::Silence(address, silent, done)).await;
    }

    async fn turn(&self, turn: impl FnOnce(oneshot::Sender<()>) -> Turn) {
        let (done, turned) = oneshot::channel();
        if self.turns.send(turn(done)).await.is_ok() {
            // The thread has ended: then there is no door either.
            let _ = turned.await;
        }
    }
}

impl Pages {
    /// Serves until the rack has ended.
    pub(crate) async fn serve(mut self) {
        while let Some(turn) = self.turns.recv().await {
            // Whoever ordered it may have gone since.
            match turn {
                Turn::Leave(addresses, done) => {
                    self.leave(addresses).await;
                    let _ = done.send(());
                }
                Turn::Swap([a, b], done) => {
                    self.swap(a, b);
                    let _ = done.send(());
                }
                Turn::Silence(address, silent, done) => {
                    self.silence(address, silent);
                    let _ = done.send(());
                }
            }
        }
    }

    async fn leave(&self, addresses: [IpAddr; 2]) {
        let places = || addresses.iter().filter_map(|at| self.places.get(at));
        for place in places() {
            place.lease.send_replace(Lease::Left);
        }
        for place in places() {
            if tokio::time::timeout(LEAVE_MAX, place.lease.closed())
                .await
                .is_err()
            {
                tracing::error!("a connection outlives the lease of its printer");
            }
        }
    }

    fn swap(&mut self, a: IpAddr, b: IpAddr) {
        let (of_a, of_b) = (self.places.remove(&a), self.places.remove(&b));
        for (address, place) in [(a, of_b), (b, of_a)] {
            let Some(place) = place else { continue };
            match self.settle(address, place.tenant) {
                Ok(place) => {
                    self.places.insert(address, place);
                }
                Err((door, error)) => tracing::error!(%door, %error, "a page is gone"),
            }
        }
    }

    /// A silent address keeps its connections, as a pulled cable does; a new one is not taken.
    fn silence(&mut self, address: IpAddr, silent: bool) {
        if silent {
            self.silenced.insert(address);
        } else {
            self.silenced.remove(&address);
        }
        if let Some(place) = self.places.get(&address) {
            place.lease.send_replace(self.lease(address));
        }
    }

    fn lease(&self, address: IpAddr) -> Lease {
        if self.silenced.contains(&address) {
            Lease::Silenced
        } else {
            Lease::Held
        }
    }

    fn settle(
        &self,
        address: IpAddr,
        tenant: Arc<Tenant>,
    ) -> Result<Place, (SocketAddr, io::Error)> {
        let (lease, held) = watch::channel(self.lease(address));
        for door in &tenant.doors {
            let own = SocketAddr::new(address, door.port);
            let listener = listen(own).map_err(|error| (own, error))?;
            let keeper = Keeper {
                tenant: Arc::clone(&tenant),
                own,
                door: *door,
                looks: self.looks.clone(),
                lease: held.clone(),
                room: Arc::clone(&self.room),
            };
            tokio::spawn(keeper.keep(listener));
        }
        Ok(Place { tenant, lease })
    }
}

fn listen(own: SocketAddr) -> io::Result<TcpListener> {
    let socket = match own {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A door that opens again after a swap finds the ends of old connections in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(own)?;
    socket.listen(BACKLOG)
}

impl Keeper {
    /// Keeps a door until its device leaves. Closing the listener resets whoever still waits there.
    async fn keep(self, listener: TcpListener) {
        let mut lease = self.lease.clone();
        loop {
            let now = *lease.borrow_and_update();
            if now == Lease::Left {
                break;
            }
            let taken = tokio::select! {
                changed = lease.changed() => match changed {
                    Ok(()) => continue,
                    // The fleet has ended.
                    Err(_) => break,
                },
                taken = take(&listener, self.door.page), if now == Lease::Held => taken,
            };
            let place = Arc::clone(&self.room).try_acquire_owned();
            let (Ok(stream), Ok(place)) = (taken, place) else {
                tokio::time::sleep(REFUSED_PAUSE).await;
                continue;
            };
            let visit = match stream.as_fd().try_clone_to_owned() {
                Ok(spare) => self.visit(spare),
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be watched");
                    continue;
                }
            };
            self.tenant.station.connected();
            let door = self.door;
            tokio::spawn(async move {
                until_left(&visit, play(stream, door, visit.clone())).await;
                drop(place);
            });
        }
        drop(listener);
    }

    fn visit(&self, spare: OwnedFd) -> Visit {
        Visit {
            tenant: Arc::clone(&self.tenant),
            own: self.own,
            is_secure: self.door.tls.is_some(),
            spare: Arc::new(spare),
            looks: self.looks.clone(),
            lease: self.lease.clone(),
        }
    }
}

async fn take(listener: &TcpListener, page: Page) -> io::Result<TcpStream> {
    if page == Page::Tarpit {
        return std::future::pending().await;
    }
    let (stream, _) = listener.accept().await?;
    // A page is small writes, and a simulator must not be slower than a printer.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Carries a connection until its end, or until the device leaves: then the peer gets a reset.
pub(crate) async fn until_left(visit: &Visit, work: impl Future<Output = ()>) {
    let mut lease = visit.lease.clone();
    let mut work = std::pin::pin!(work);
    loop {
        let now = *lease.borrow_and_update();
        if now == Lease::Left {
            visit.reset();
            break;
        }
        tokio::select! {
            changed = lease.changed() => match changed {
                Ok(()) => {}
                // The fleet has ended.
                Err(_) => break,
            },
            () = &mut work, if now == Lease::Held => break,
        }
    }
}

async fn play(stream: TcpStream, door: Door, visit: Visit) {
    let page = door.page;
    match page {
        Page::Tarpit => {}
        Page::Raw => raw::swallow(stream, &visit).await,
        Page::Pjl => raw::talk(stream, &visit).await,
        Page::Zebra => label::serve(stream, &visit).await,
        Page::PjlInfo => pjl::serve(stream, &visit).await,
        Page::Lpr => queue::serve(stream, &visit).await,
        Page::Broken => broken::play(stream, &visit).await,
        Page::Hostile => hostile::play(stream, &visit).await,
        Page::Tls10 => weak::refuse_version(stream).await,
        Page::TlsWeak => weak::offer_short_key(stream).await,
        Page::Panel
        | Page::Links
        | Page::Login
        | Page::WebSocket
        | Page::Log
        | Page::Firmware
        | Page::Ipp
        | Page::Ledm
        | Page::LedmLarge => match door.tls {
            Some(end) => tls::serve(stream, end, page, visit).await,
            None => http::serve(stream, page, visit).await,
        },
    }
}

impl Visit {
    /// Lets the connection end with a reset, as soon as its last handle is closed.
    pub(crate) fn reset(&self) {
        let at_once = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        if let Err(error) = setsockopt(&self.spare, sockopt::Linger, &at_once) {
            tracing::warn!(%error, "a connection is closed instead of reset");
        }
    }

    /// How the device looks now.
    pub(crate) async fn portrait(&self) -> Portrait {
        self.act(Deed::Nothing).await
    }

    /// Has the device do something, and tells how it looks then.
    pub(crate) async fn act(&self, deed: Deed) -> Portrait {
        let (answer, drawn) = oneshot::channel();
        let look = (self.tenant.number, deed, answer);
        if self.looks.send(look).await.is_err() {
            return Portrait::default();
        }
        drawn.await.ok().flatten().unwrap_or_default()
    }

    /// The device's memory.
    pub(crate) fn station(&self) -> &Station {
        &self.tenant.station
    }

    /// Where this door is, as a page of the device writes it: `http://127.20.0.1:8080`.
    pub(crate) fn origin(&self) -> String {
        let host = self.host();
        match (self.is_secure, self.own.port()) {
            (false, 80) => format!("http://{host}"),
            (false, port) => format!("http://{host}:{port}"),
            (true, 443) => format!("https://{host}"),
            (true, port) => format!("https://{host}:{port}"),
        }
    }

    fn host(&self) -> String {
        match self.own.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }
    }
}
