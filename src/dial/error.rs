//! Why nobody could be reached, told apart by what a person has to do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use jiff::Timestamp;

use crate::connect::ProxyError;
use crate::witness::Seen;

/// What was under way when nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The name servers are asked.
    Lookup,
    /// TCP.
    Connect,
    /// The proxy is asked for a tunnel.
    Proxy,
    /// TLS.
    Handshake,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lookup => "the name servers",
            Self::Connect => "the connection",
            Self::Proxy => "the proxy",
            Self::Handshake => "the TLS handshake",
        })
    }
}

/// Why nobody could be reached, in the order in which things happen.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name servers do not know the name, or none answers.
    #[error("the name {name} is not known: {error}")]
    Unresolved {
        /// The name.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// Something answers that nobody listens there.
    #[error("{to} refuses the connection: nothing listens there")]
    Refused {
        /// Where to.
        to: String,
    },
    /// This machine has no route there.
    #[error("no route to {to}: {error}")]
    NoRoute {
        /// Where to.
        to: String,
        /// What the system said.
        error: io::Error,
    },
    /// A router or firewall, this machine's own included, answers that this is not let through.
    #[error("the way to {to} is closed: {error}")]
    Rejected {
        /// Where to.
        to: String,
        /// What the system said.
        error: io::Error,
    },
    /// The system could not connect for another reason.
    #[error("no connection to {to}: {error}")]
    Connect {
        /// Where to.
        to: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody answered in time.
    #[error("{to} did not answer within {} s ({step})", after.as_secs_f32())]
    Silent {
        /// Who.
        to: String,
        /// What was under way.
        step: Step,
        /// How long it had.
        after: Duration,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} does not connect to {to}: {error}")]
    Proxy {
        /// Which one.
        proxy: String,
        /// Where to.
        to: String,
        /// Why.
        error: ProxyError,
    },
    /// The other side is not whom we believe, or speaks no TLS.
    #[error("no TLS with {to}: {problem}")]
    Tls {
        /// With whom.
        to: String,
        /// What is wrong.
        problem: TlsProblem,
    },
}

/// What is wrong with the other side.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// Its certificate comes from nobody whom we believe.
    #[error("its certificate is of an unknown issuer{}", of(.seen.as_deref()))]
    UnknownIssuer {
        /// What it showed.
        seen: Option<Box<Seen>>,
    },
    /// Its certificate has ended, by this machine's clock.
    #[error("its certificate ended on {ended}")]
    Expired {
        /// When.
        ended: Timestamp,
        /// Whether everything else about it is right.
        is_trusted: bool,
    },
    /// Its certificate has not begun, by this machine's clock.
    #[error("its certificate begins on {begins}")]
    NotYetValid {
        /// When.
        begins: Timestamp,
        /// Whether everything else about it is right.
        is_trusted: bool,
    },
    /// Its certificate is of whom we believe, for another name.
    #[error("its certificate is for another name{}", of(.seen.as_deref()))]
    WrongName {
        /// What it showed.
        seen: Option<Box<Seen>>,
    },
    /// It speaks only TLS older than 1.2, or nothing else that both know.
    #[error("it speaks no TLS that is still safe (1.2 or newer): {0}")]
    OldVersion(io::Error),
    /// What it says is no TLS.
    #[error("what answers there does not speak TLS")]
    NoTls,
    /// It speaks TLS, and not the protocol that was asked for (RFC 7301).
    #[error("it does not speak the protocol that is wanted there")]
    OtherProtocol,
    /// It does not take our certificate, or wants one.
    #[error("it refuses us: {0}")]
    Refused(io::Error),
    /// It hung up.
    #[error("it ended the connection during the handshake: {0}")]
    HungUp(io::Error),
    /// Anything else.
    #[error("{0}")]
    Other(io::Error),
}

/// Who issued what, for people.
fn of(seen: Option<&Seen>) -> String {
    seen.map(|seen| format!(" ({seen})")).unwrap_or_default()
}

impl DialError {
    /// The one of these among an error's reasons, as tonic wraps it.
    #[must_use]
    pub fn within<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|reason| reason.downcast_ref())
    }

    /// What the system said of a connection, told apart.
    pub(crate) fn connect(to: String, error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused { to },
            ErrorKind::NetworkUnreachable => Self::NoRoute { to, error },
            ErrorKind::HostUnreachable | ErrorKind::PermissionDenied => {
                Self::Rejected { to, error }
            }
            ErrorKind::TimedOut => Self::Silent {
                to,
                step: Step::Connect,
                after: crate::CONNECT_TIMEOUT,
            },
            _ => Self::Connect { to, error },
        }
    }
}

impl TlsProblem {
    /// What rustls said, told apart; `seen` is the certificate that was shown, if any.
    pub(crate) fn new(error: io::Error, seen: Option<Seen>) -> Self {
        use rustls::{AlertDescription, CertificateError, Error};
        let seen = seen.map(Box::new);
        let is_trusted = seen.as_ref().is_some_and(|seen| seen.is_trusted_else);
        let inner = error.get_ref().and_then(|it| it.downcast_ref::<Error>());
        match inner {
            None if error.kind() == ErrorKind::UnexpectedEof
                || error.kind() == ErrorKind::ConnectionReset =>
            {
                Self::HungUp(error)
            }
            Some(Error::InvalidCertificate(what)) => match (what, seen) {
                (
                    CertificateError::Expired | CertificateError::ExpiredContext { .. },
                    Some(seen),
                ) => Self::Expired {
                    ended: seen.ends,
                    is_trusted,
                },
                (
                    CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
                    Some(seen),
                ) => Self::NotYetValid {
                    begins: seen.begins,
                    is_trusted,
                },
                (
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                    seen,
                ) => Self::WrongName { seen },
                // Signed by a root that has the name of ours and another key.
                (CertificateError::UnknownIssuer | CertificateError::BadSignature, seen) => {
                    Self::UnknownIssuer { seen }
                }
                _ => Self::Other(error),
            },
            Some(
                Error::PeerIncompatible(_)
                | Error::AlertReceived(
                    AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
                ),
            ) => Self::OldVersion(error),
            Some(Error::InvalidMessage(_)) => Self::NoTls,
            Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
                Self::OtherProtocol
            }
            Some(Error::AlertReceived(_)) => Self::Refused(error),
            Some(_) | None => Self::Other(error),
        }
    }
}
