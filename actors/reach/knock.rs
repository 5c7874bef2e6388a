//! One knock at a device's SNMP port, to tell apart what is silence to a question.
//!
//! A question with a wrong community, a device asleep and a firewall look the same from here. What
//! still tells something: an ICMP error about the port, and the engine of SNMPv3, which names itself
//! to anybody (RFC 3414 §4). Used by `platen doctor`; a knock carries no credential.

use std::io;
use std::time::Duration;

use snmp::usm::{Frame, discovery};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::scope::InScope;
use super::socket::{DATAGRAM_BYTES_MAX, connected};

/// How often it is knocked where nothing comes: one datagram may be lost.
const TRIES: u32 = 2;

/// What came of a knock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knocked {
    /// An engine of SNMPv3 says that it is there.
    Engine,
    /// Something came that is no answer of SNMPv3.
    Spoke,
    /// ICMP: nobody listens at the port.
    Closed,
    /// ICMP: somebody on the way does not let it through, or knows no way.
    Prohibited,
    /// Nothing came.
    Silent,
    /// The system could not send it, in its words.
    Unsendable(String),
}

/// Knocks, and waits this long for each try. Must be called on a tokio runtime.
pub async fn knock(target: &InScope, wait: Duration) -> Knocked {
    let peer = target.addr();
    let socket = match connected(peer) {
        Ok(socket) => socket,
        Err(error) => return Knocked::Unsendable(error.to_string()),
    };
    for number in 1..=TRIES {
        let Ok(request) = discovery(number) else {
            return Knocked::Silent;
        };
        if let Err(error) = socket.send(&request).await {
            return failed(&error).unwrap_or_else(|| Knocked::Unsendable(error.to_string()));
        }
        if let Some(came) = hear(&socket, Instant::now() + wait).await {
            return came;
        }
    }
    Knocked::Silent
}

/// Waits for what comes until then.
async fn hear(socket: &UdpSocket, until: Instant) -> Option<Knocked> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        match timeout_at(until, socket.recv(&mut buffer)).await {
            Ok(Ok(size)) if Frame::decode(&buffer[..size]).is_ok() => return Some(Knocked::Engine),
            Ok(Ok(_)) => return Some(Knocked::Spoke),
            Ok(Err(error)) => {
                if let Some(told) = failed(&error) {
                    return Some(told);
                }
            }
            Err(_elapsed) => return None,
        }
    }
}

/// What an ICMP error means, as the system tells it on a connected socket.
fn failed(error: &io::Error) -> Option<Knocked> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Knocked::Closed),
        io::ErrorKind::HostUnreachable => Some(Knocked::Prohibited),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use snmp::usm::{Report, plain_report};

    use super::*;
    use crate::reach::scope::{Door, Scope};

    const WAIT: Duration = Duration::from_millis(200);

    fn target(port: u16) -> InScope {
        let range = "127.0.0.1".parse().unwrap();
        let door = Door::Snmp { port };
        let scope = Scope::new(&[range], &[], &[door]).unwrap();
        scope.admit("127.0.0.1".parse().unwrap(), door).unwrap()
    }

    #[tokio::test]
    async fn a_closed_port_is_told_from_a_silent_one() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        assert_eq!(knock(&target(port), WAIT).await, Knocked::Silent);
        drop(silent);
        assert_eq!(knock(&target(port), WAIT).await, Knocked::Closed);
    }

    #[tokio::test]
    async fn an_engine_is_told_from_anything_else_that_speaks() {
        for (answer, expected) in [
            (
                plain_report(b"\x80engine", &Report::UnknownEngine, 1).unwrap(),
                Knocked::Engine,
            ),
            (b"HTTP/1.0 400".to_vec(), Knocked::Spoke),
        ] {
            let device = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let target = target(device.local_addr().unwrap().port());
            let knocked = tokio::spawn(async move { knock(&target, WAIT * 10).await });
            let mut asked = [0; 512];
            let (size, from) = device.recv_from(&mut asked).await.unwrap();
            let answer = match expected {
                // The report is a message's inside: a frame of the engine's goes around it.
                Knocked::Engine => framed(&asked[..size], &answer),
                _ => answer,
            };
            device.send_to(&answer, from).await.unwrap();
            assert_eq!(knocked.await.unwrap(), expected);
        }
    }

    fn framed(asked: &[u8], scoped: &[u8]) -> Vec<u8> {
        let asked = Frame::decode(asked).unwrap();
        let draft = snmp::usm::Draft {
            message_id: asked.message_id,
            is_reportable: false,
            engine_id: b"\x80engine",
            boots: 1,
            time: 1,
            user: b"",
            scoped,
        };
        draft.encode(&snmp::usm::Keys::none(), 0)
    }
}
