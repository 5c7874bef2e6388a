//! Whether this process may send ICMP echo without a privilege.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

/// Opens an ICMP socket as ping does (`net.ipv4.ping_group_range`), and closes it again; nothing
/// is sent.
///
/// # Errors
/// What the system says when it does not allow this.
pub fn probe() -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)).map(drop)
}
