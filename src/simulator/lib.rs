//! The simulator: a rack of printers on loopback addresses, in one process, behind one UDP socket.
//!
//! Used by `platen-sim`, by the demonstration, and by tests and benchmarks that need many printers
//! or a printer's whole life. It plays recordings (`.snmprec`) and lets the printers in them live:
//! pages, supplies, paper, alerts, sleep and reboots, all from a seed and a simulated time.
//! It knows SNMP and nothing else of Platen, so that it cannot agree with the agent by accident.

mod addresses;
pub mod cli;
mod device;
mod dice;
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

#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub use crate::addresses::AddressError;
pub use crate::fleet::{Fleet, FleetError};
pub use crate::life::{LifeSettings, Sleep};
pub use crate::rack::{Counts, Listed, NoPrinter, RackError, list};

use crate::rack::Rack;
use crate::socket::Sockets;

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
}

/// What can be asked of a fleet that runs. A fleet whose loop has ended does nothing more.
enum Order {
    Swap(IpAddr, IpAddr, oneshot::Sender<Result<(), NoPrinter>>),
    Silence(IpAddr, bool, oneshot::Sender<Result<(), NoPrinter>>),
    Lose(u32, oneshot::Sender<()>),
    Jump(Duration, oneshot::Sender<()>),
    Count(oneshot::Sender<Counts>),
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let sockets = {
        let _entered = runtime.enter();
        Sockets::open(port, with_v6).map_err(failed)?
    };
    let port = sockets.port();
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let (end, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("rack".to_owned())
        .spawn(move || {
            let result = runtime.block_on(serve(rack, sockets, inbox, shutdown));
            // Nobody may wait for the end: then there is nobody to tell.
            let _ = end.send(result);
        })
        .map_err(failed)?;
    Ok(Running {
        port,
        orders,
        ended,
    })
}

async fn serve(
    mut rack: Rack,
    mut sockets: Sockets,
    mut inbox: mpsc::Receiver<Order>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let start = Instant::now();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            order = inbox.recv() => match order {
                Some(order) => obey(&mut rack, order),
                None => break,
            },
            served = sockets.serve(&mut rack, start) => served?,
        }
    }
    Ok(())
}

/// Follows an order. Whoever gave it may have gone since; then the answer is for nobody.
fn obey(rack: &mut Rack, order: Order) {
    match order {
        Order::Swap(a, b, done) => {
            let _ = done.send(rack.swap(a, b));
        }
        Order::Silence(address, silent, done) => {
            let known = if rack.has(address) {
                Ok(())
            } else {
                Err(NoPrinter(address))
            };
            rack.mischief.silence(address, silent);
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
    }
}

impl Running {
    /// Exchanges the printers of two addresses, as when DHCP gives out other leases.
    ///
    /// # Errors
    /// [`NoPrinter`] when none stands at one of them; then nothing has changed.
    pub async fn swap(&self, a: IpAddr, b: IpAddr) -> Result<(), NoPrinter> {
        self.ask(|done| Order::Swap(a, b, done))
            .await
            .unwrap_or(Err(NoPrinter(a)))
    }

    /// Lets an address fall silent, as when its cable is pulled.
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
