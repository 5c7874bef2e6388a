//! The simulator: a rack of printers on loopback addresses, in one process, behind one UDP socket.
//!
//! Used by `platen-sim`, by the demonstration, and by tests and benchmarks that need many printers
//! or a printer's whole life. It plays recordings (`.snmprec`) and lets the printers in them live:
//! pages, supplies, paper, alerts, sleep and reboots, all from a seed and a simulated time. Where
//! the fleet file says so, a printer has its own web pages too, plain or hostile (`web`).
//! It knows SNMP and nothing else of Platen, so that it cannot agree with the agent by accident.

mod addresses;
pub mod cli;
mod device;
mod dice;
mod engine;
mod fleet;
mod identity;
mod life;
mod machine;
mod mib;
mod misbehave;
mod rack;
mod snmp;
mod socket;
mod trouble;
pub mod web;

#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

pub use crate::addresses::AddressError;
pub use crate::fleet::{Fleet, FleetError};
pub use crate::life::{LifeSettings, Sleep};
pub use crate::misbehave::list::{BEHAVIORS, Behavior, WITH_V3};
pub use crate::rack::{Counts, Fate, Listed, NoPrinter, RackError, list};

use crate::rack::Rack;
use crate::socket::Sockets;
use crate::web::{Arrived, Look, Pages, Web};

/// Orders that wait for the fleet; each caller waits for its answer, so few suffice.
const ORDERS_MAX: usize = 16;

/// Why a fleet does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its recordings cannot be read.
    #[error(transparent)]
    Rack(#[from] RackError),
    /// Its port cannot be opened.
    #[error("cannot answer on UDP port {port}: {error}")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        error: io::Error,
    },
    /// A printer's page cannot be opened.
    #[error("cannot open the page at {door}: {error}; choose another port, or be root below 1024")]
    Page {
        /// Its address and port.
        door: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// What can be asked of a fleet that runs. A fleet whose loop has ended does nothing more.
enum Order {
    Swap(IpAddr, IpAddr, oneshot::Sender<Result<(), NoPrinter>>),
    Befall(IpAddr, Fate, oneshot::Sender<Result<(), NoPrinter>>),
    Silence(IpAddr, bool, oneshot::Sender<Result<(), NoPrinter>>),
    Lose(u32, oneshot::Sender<()>),
    Jump(Duration, oneshot::Sender<()>),
    Count(oneshot::Sender<Counts>),
    Arrived(IpAddr, oneshot::Sender<Result<Arrived, NoPrinter>>),
}

/// A fleet that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// The UDP port that answers, on every address of the fleet.
    pub port: u16,
    orders: mpsc::Sender<Order>,
    ended: oneshot::Receiver<io::Result<()>>,
}

/// Sets a fleet up and answers for it on a thread of its own, until `shutdown` or the drop of what
/// is returned. It answers as soon as this returns.
///
/// # Errors
/// [`RunError`] when a recording cannot be read or the port cannot be opened.
pub fn run(
    fleet: Fleet,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Running, RunError> {
    let port = fleet.port;
    let with_v6 = fleet.addresses().any(|address| address.is_ipv6());
    let failed = move |error| RunError::Port { port, error };
    let rack = Rack::set_up(&fleet)?;
    let answering = runtime().map_err(failed)?;
    let sockets = {
        let _entered = answering.enter();
        Sockets::open(port, with_v6).map_err(failed)?
    };
    let port = sockets.port();
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let (end, ended) = oneshot::channel();
    let showing = runtime().map_err(failed)?;
    let (site, pages) = open_pages(rack, &showing)?;
    thread("web", showing, pages.serve()).map_err(failed)?;
    let served = async move {
        let result = serve(site, sockets, inbox, shutdown).await;
        // Nobody may wait for the end: then there is nobody to tell.
        let _ = end.send(result);
    };
    thread("rack", answering, served).map_err(failed)?;
    Ok(Running {
        port,
        orders,
        ended,
    })
}

/// A fleet with everything that it answers by.
struct Site {
    rack: Rack,
    web: Web,
    looks: mpsc::Receiver<Look>,
    start: Instant,
}

/// Opens the printers' pages, on a runtime of their own.
fn open_pages(rack: Rack, runtime: &Runtime) -> Result<(Site, Pages), RunError> {
    let opened = {
        let _entered = runtime.enter();
        web::open(rack.tenants())
    };
    let (pages, web, looks) = opened.map_err(|(door, error)| RunError::Page { door, error })?;
    let site = Site {
        rack,
        web,
        looks,
        start: Instant::now(),
    };
    Ok((site, pages))
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Works on a thread of its own.
fn thread(
    name: &str,
    runtime: Runtime,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(work))?;
    Ok(())
}

async fn serve(
    mut site: Site,
    mut sockets: Sockets,
    mut inbox: mpsc::Receiver<Order>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            order = inbox.recv() => match order {
                Some(order) => obey(&mut site, order).await,
                None => break,
            },
            Some((number, deed, drawn)) = site.looks.recv() => {
                let portrait = site.rack.portrait(number, deed, site.start.elapsed());
                // The visitor may have gone since.
                let _ = drawn.send(portrait);
            }
            served = sockets.serve(&mut site.rack, site.start) => served?,
        }
    }
    Ok(())
}

/// Follows an order. Whoever gave it may have gone since; then the answer is for nobody.
async fn obey(site: &mut Site, order: Order) {
    let rack = &mut site.rack;
    match order {
        Order::Swap(a, b, done) => {
            let _ = done.send(swap(site, a, b).await);
        }
        Order::Befall(address, fate, done) => {
            let _ = done.send(rack.befall(address, fate, site.start.elapsed()));
        }
        Order::Silence(address, silent, done) => {
            let known = if rack.has(address) {
                Ok(())
            } else {
                Err(NoPrinter(address))
            };
            rack.mischief.silence(address, silent);
            site.web.silence(address, silent).await;
            let _ = done.send(known);
        }
        Order::Lose(percent, done) => {
            rack.mischief.lose(percent);
            let _ = done.send(());
        }
        Order::Jump(by, done) => {
            rack.jump(by);
            let _ = done.send(());
        }
        Order::Count(done) => {
            let _ = done.send(rack.counts);
        }
        Order::Arrived(address, done) => {
            let number = rack.number(address).ok_or(NoPrinter(address));
            let _ = done.send(number.map(|number| site.web.arrived(number)));
        }
    }
}

/// Exchanges two devices. No question is answered meanwhile, so nobody can ask one device who it is
/// and hold a connection to the other.
async fn swap(site: &mut Site, a: IpAddr, b: IpAddr) -> Result<(), NoPrinter> {
    for address in [a, b] {
        if !site.rack.has(address) {
            return Err(NoPrinter(address));
        }
    }
    site.web.leave([a, b]).await;
    let swapped = site.rack.swap(a, b);
    site.web.swap([a, b]).await;
    swapped
}

impl Running {
    /// Exchanges the printers of two addresses, as when DHCP gives out other leases. Connections to
    /// their pages and ports are reset, and are gone when this returns.
    ///
    /// # Errors
    /// [`NoPrinter`] when none stands at one of them; then nothing has changed.
    pub async fn swap(&self, a: IpAddr, b: IpAddr) -> Result<(), NoPrinter> {
        self.ask(|done| Order::Swap(a, b, done))
            .await
            .unwrap_or(Err(NoPrinter(a)))
    }

    /// Lets something happen to the printer at an address.
    ///
    /// # Errors
    /// [`NoPrinter`] when none stands there, or at the other address that it is about.
    pub async fn befall(&self, at: IpAddr, fate: Fate) -> Result<(), NoPrinter> {
        let answer = self.ask(|done| Order::Befall(at, fate, done)).await;
        answer.unwrap_or(Err(NoPrinter(at)))
    }

    /// Lets an address fall silent, as when its cable is pulled: questions get no answer, and open
    /// connections stand still.
    ///
    /// # Errors
    /// [`NoPrinter`] when no printer stands there.
    pub async fn silence(&self, address: IpAddr) -> Result<(), NoPrinter> {
        let answer = self.ask(|done| Order::Silence(address, true, done)).await;
        answer.unwrap_or(Err(NoPrinter(address)))
    }

    /// Lets a silenced address speak again.
    ///
    /// # Errors
    /// [`NoPrinter`] when no printer stands there.
    pub async fn unsilence(&self, address: IpAddr) -> Result<(), NoPrinter> {
        let answer = self.ask(|done| Order::Silence(address, false, done)).await;
        answer.unwrap_or(Err(NoPrinter(address)))
    }

    /// Loses this many questions of a hundred from here on, chosen by the seed.
    pub async fn lose(&self, percent: u32) {
        self.ask(|done| Order::Lose(percent, done))
            .await
            .unwrap_or_default();
    }

    /// Lets the fleet live on by this time at once, in each group by so much times its speed: an
    /// hour of life costs a test no hour.
    pub async fn jump(&self, by: Duration) {
        self.ask(|done| Order::Jump(by, done))
            .await
            .unwrap_or_default();
    }

    /// What was heard and answered since the start; nothing once the fleet has ended.
    pub async fn counts(&self) -> Counts {
        self.ask(Order::Count).await.unwrap_or_default()
    }

    /// What has come to the pages and ports of the printer that stands at an address.
    ///
    /// # Errors
    /// [`NoPrinter`] when none stands there.
    pub async fn arrived(&self, address: IpAddr) -> Result<Arrived, NoPrinter> {
        let answer = self.ask(|done| Order::Arrived(address, done)).await;
        answer.unwrap_or(Err(NoPrinter(address)))
    }

    /// Waits until the fleet has ended by its shutdown.
    ///
    /// # Errors
    /// What broke its socket, if something did.
    pub async fn ended(self) -> io::Result<()> {
        let Self { orders, ended, .. } = self;
        let result = ended.await.unwrap_or(Ok(()));
        drop(orders);
        result
    }

    /// `None` when the fleet has ended.
    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.ok()?;
        answer.await.ok()
    }
}
