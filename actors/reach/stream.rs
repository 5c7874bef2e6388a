//! A connection to one port of one device: for a person's session with its web page, and for IPP.
//!
//! Takes an [`InScope`] like everything here. Beyond the scope it refuses what no range can make a
//! printer of: this machine's own addresses, and those of the hub, the gateway and the proxy, which
//! a site's wide range may hold.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::scope::InScope;

/// How long a device may take to accept a connection: what is slower is switched off.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A port that is never sent to: the system is only asked which way it would go.
const ANY_PORT: u16 = 9;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NoStream {
    /// An address of this machine.
    #[error("{0} is an address of the agent's own machine")]
    OwnMachine(IpAddr),
    /// The hub, its gateway or a proxy.
    #[error("{0} is the address of the hub, its gateway or the proxy")]
    Hub(IpAddr),
    /// The device did not accept in time.
    #[error("{0} did not accept a connection in {secs} s", secs = CONNECT_TIMEOUT.as_secs())]
    Silent(SocketAddr),
    /// It refused, or the network did.
    #[error("{0} does not accept a connection: {1}")]
    Refused(SocketAddr, io::Error),
}

/// A connection to a device. Its two directions are used side by side, so nothing takes `&mut`.
#[derive(Debug)]
pub struct DeviceStream(TcpStream);

/// Refuses the addresses that no range can make a printer's. Opens no connection.
///
/// # Errors
/// [`NoStream::OwnMachine`], [`NoStream::Hub`].
pub async fn may_be_a_printer(target: &InScope, hub: &[IpAddr]) -> Result<(), NoStream> {
    let address = target.addr().ip();
    if hub.iter().any(|known| known.to_canonical() == address) {
        return Err(NoStream::Hub(address));
    }
    // Loopback came here because a range names it: printers of a simulator.
    if !address.is_loopback() && is_own(address).await {
        return Err(NoStream::OwnMachine(address));
    }
    Ok(())
}

/// Connects. Nothing is sent.
///
/// # Errors
/// [`NoStream`].
pub async fn connect(target: &InScope, hub: &[IpAddr]) -> Result<DeviceStream, NoStream> {
    may_be_a_printer(target, hub).await?;
    let addr = target.addr();
    let refused = |error| NoStream::Refused(addr, error);
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(addr)).await;
    let stream = stream.map_err(|_| NoStream::Silent(addr))?;
    let stream = stream.map_err(refused)?;
    // A request is small and waits for its answer (RFC 896).
    stream.set_nodelay(true).map_err(refused)?;
    Ok(DeviceStream(stream))
}

/// Whether the system would reach an address without leaving this machine: it then speaks from
/// that very address. No packet is sent for it.
async fn is_own(address: IpAddr) -> bool {
    let from: IpAddr = match address {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let Ok(socket) = UdpSocket::bind((from, 0)).await else {
        return false;
    };
    let way = socket.connect((address, ANY_PORT)).await;
    let own = socket.local_addr().map(|own| own.ip());
    way.is_ok() && own.is_ok_and(|own| own == address)
}

impl DeviceStream {
    /// The connection itself, for a door with a language of its own.
    pub(super) fn into_tcp(self) -> TcpStream {
        self.0
    }

    /// Waits until something has come. No buffer is held meanwhile.
    ///
    /// # Errors
    /// What the system says.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Takes what has come into the buffer's free room: how many octets that were, 0 at the end, or
    /// `None` if nothing has come.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_now(&self, buffer: &mut BytesMut) -> io::Result<Option<usize>> {
        match self.0.try_read_buf(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    /// Writes what goes without waiting: how many octets that were.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_now(&self, octets: &[u8]) -> io::Result<usize> {
        match self.0.try_write(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// What the system says.
    pub async fn write(&self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let written = self.write_now(octets)?;
            if written == 0 {
                self.0.writable().await?;
            }
            octets = octets.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub fn end(&self) {
        // A device that has gone meanwhile has heard of the end in its own way.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Write);
    }
}
