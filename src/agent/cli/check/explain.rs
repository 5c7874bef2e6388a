//! From what dialling says to what a person can do about it.

use dial::{DialError, ProxyError, Step, TlsProblem};

use super::finding::{Cause, Trouble};

/// What to say to the people of the network, in any case.
const SHOW_PORTS: &str = "`platen ports --markdown` prints the table for whoever runs the network";

/// What a failed attempt to reach `host` means. Two causes need more than the error: see
/// `hub::closer`.
pub(super) fn dial(error: &DialError, host: &str) -> Trouble {
    let says = error.to_string();
    let trouble = |cause, why: &str, next: &str| Trouble::new(cause, says.clone(), why, next);
    match error {
        DialError::Unresolved { .. }
        | DialError::Silent {
            step: Step::Lookup, ..
        } => trouble(
            Cause::Dns,
            "the name servers of this machine do not know the name, or do not answer",
            "try `getent hosts NAME`; see /etc/resolv.conf, and the name in the hub's address",
        ),
        DialError::Refused { to } if !to.contains(host) => trouble(
            Cause::ProxyDown,
            "nothing listens at the proxy's address",
            "check [hub] proxy or HTTPS_PROXY, and whether the proxy runs",
        ),
        DialError::Refused { .. } => trouble(
            Cause::HubDown,
            "the machine is there and nothing listens on that port; or a firewall answers for it",
            "see that platen-hub runs and listens on that port, then ask who runs the firewall",
        ),
        DialError::NoRoute { .. } => trouble(
            Cause::NoRoute,
            "this machine's routing table leads nowhere for that address",
            "check the network cable, the address and the gateway of this machine (`ip route`)",
        ),
        DialError::Rejected { .. } => trouble(
            Cause::Rejected,
            "a firewall or router answers that it does not let this through",
            SHOW_PORTS,
        ),
        DialError::Silent {
            step: Step::Connect,
            ..
        } => trouble(
            Cause::Dropped,
            "packets vanish on the way: a firewall that drops them, or the machine is off",
            SHOW_PORTS,
        ),
        DialError::Silent {
            step: Step::Proxy, ..
        } => trouble(
            Cause::ProxyDown,
            "the proxy takes the connection and then says nothing",
            "see that the address is that of an HTTP proxy, and its log",
        ),
        DialError::Silent { .. } => trouble(
            Cause::Dropped,
            "the connection stands, and what answers it says nothing: a firewall that looks into \
             TLS, or a hub that hangs",
            SHOW_PORTS,
        ),
        DialError::Connect { .. } => trouble(Cause::Other, "", SHOW_PORTS),
        DialError::Proxy { error, .. } => proxy(error, &says),
        DialError::Tls { problem, .. } => tls(problem, host, &says),
    }
}

fn proxy(error: &ProxyError, says: &str) -> Trouble {
    match error {
        ProxyError::WantsUser { .. } | ProxyError::WrongUser { .. } => Trouble::new(
            Cause::ProxyAuthentication,
            says,
            "the proxy lets only known users through",
            "write proxy = \"http://USER@HOST:PORT\" and proxy_password_file into [hub]",
        ),
        ProxyError::UnknownScheme { .. } => Trouble::new(
            Cause::ProxyAuthentication,
            says,
            "Kerberos and NTLM belong to people at a desk, not to a service",
            "ask for a user by Basic or Digest, or for an exception for the hub's address",
        ),
        ProxyError::Refused { status: 500.., .. } => Trouble::new(
            Cause::ProxyRefuses,
            says,
            "the proxy works, and does not reach the hub itself",
            "see that the hub runs, and that the proxy knows its name and may reach its port",
        ),
        ProxyError::Refused { .. } => Trouble::new(
            Cause::ProxyRefuses,
            says,
            "the proxy's rules do not allow this destination",
            "ask for CONNECT to the hub's host and port to be allowed",
        ),
        ProxyError::NoProxy(_) | ProxyError::Broken(_) | ProxyError::Silent(_) => Trouble::new(
            Cause::ProxyDown,
            says,
            "what listens at the proxy's address does not behave like an HTTP proxy",
            "check [hub] proxy or HTTPS_PROXY, and the proxy's log",
        ),
    }
}

fn tls(problem: &TlsProblem, host: &str, says: &str) -> Trouble {
    let trouble = |cause, why: &str, next: &str| Trouble::new(cause, says, why, next);
    match problem {
        TlsProblem::UnknownIssuer { seen: Some(seen) } if !seen.names_host(host) => trouble(
            Cause::WrongServer,
            "another server answers: a captive portal's sign-in page, or a wrong address in DNS",
            "open any web page on this network and sign in; then compare the hub's address",
        ),
        TlsProblem::UnknownIssuer { .. } => trouble(
            Cause::Intercepted,
            "a proxy or firewall opens TLS on the way and shows a certificate of its own; or the \
             hub was set up anew",
            "ask for the hub's address to be left alone; docs/howto/proxy.md says what else helps",
        ),
        TlsProblem::Expired { is_trusted, .. } | TlsProblem::NotYetValid { is_trusted, .. } => {
            let why = if *is_trusted {
                "it is the hub's, and the time is not within its bounds"
            } else {
                "it is not the hub's either: somebody else answers"
            };
            let next = "compare this machine's clock (`date -u`), then restart the hub, which \
                        renews its certificate";
            let cause = match problem {
                _ if !is_trusted => Cause::WrongServer,
                TlsProblem::Expired { .. } => Cause::CertificateExpired,
                _ => Cause::Clock,
            };
            trouble(cause, why, next)
        }
        TlsProblem::WrongName { .. } => trouble(
            Cause::WrongServer,
            "the hub answers, and does not call itself by this name",
            "add the name to [uplink] names of the hub, or use the name that it has",
        ),
        TlsProblem::OldVersion(_) | TlsProblem::NoTls | TlsProblem::OtherProtocol => trouble(
            Cause::NoTls,
            "it is not the hub that answers, or a firewall that speaks for it",
            "compare host and port with the line that `platen-hub agent invite` prints",
        ),
        TlsProblem::Refused(_) => trouble(
            Cause::Refused,
            "the hub does not take this agent's certificate: revoked, ended, or of another hub",
            "look at `platen-hub agent ls`; if need be enroll again with a new code",
        ),
        TlsProblem::HungUp(_) => trouble(
            Cause::Rejected,
            "the connection ends as soon as TLS begins: a firewall that looks into it",
            SHOW_PORTS,
        ),
        TlsProblem::Other(_) => trouble(Cause::Other, "", SHOW_PORTS),
    }
}
