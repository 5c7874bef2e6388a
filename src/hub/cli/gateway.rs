//! `gateway`: what an sshd asks when it serves as gateway in the hub's place.

use clap::Subcommand;
use jiff::Timestamp;
use russh::keys::PublicKey;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{open, plain, say};
use crate::config::HubConfig;
use crate::door::gateway::guest;
use crate::store::Tenant;

/// What can be asked of the gateway.
#[derive(Debug, Subcommand)]
pub(super) enum GatewayVerb {
    /// Say what a key may do at the sshd, for its AuthorizedKeysCommand (%u %t %k)
    AuthorizedKeys {
        /// The user that wants to log in
        user: String,
        /// The key's type, as ecdsa-sha2-nistp256
        #[arg(value_name = "TYPE")]
        kind: String,
        /// The key, base64
        key: String,
    },
}

/// Runs the verb.
pub(super) async fn run(verb: GatewayVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    let GatewayVerb::AuthorizedKeys { user, kind, key } = verb;
    let Some(sshd) = &config.gateway.sshd else {
        return Err(
            Complaint::new(Exit::BAD_CONFIG, "no sshd is configured as gateway")
                .because("gateway.sshd is empty: the hub's own gateway is used")
                .try_next("docs/howto/gateway.md"),
        );
    };
    if user != sshd.user {
        let what = format!("'{}' is not the user of agents", plain(&user));
        return Err(Complaint::new(Exit::REFUSED, what)
            .because(format!("that is gateway.sshd_user, '{}'", sshd.user))
            .try_next("set AuthorizedKeysCommand in a Match User block"));
    }
    let parsed = PublicKey::from_openssh(&format!("{kind} {key}")).ok();
    let Some(hash) = parsed.as_ref().and_then(guest::key_hash) else {
        // No agent has a key of another kind: nothing is said of it.
        return Ok(Exit::OK);
    };
    let (store, _) = open(config).await?;
    let now = Timestamp::now();
    let ports = store.forwards_of_key(&Tenant::DEFAULT, &hash, now).await?;
    if !ports.is_empty() {
        say(line(&ports, &kind, &key))?;
    }
    Ok(Exit::OK)
}

/// A line of authorized_keys (sshd(8)): listening on these ports of the loopback address, and
/// nothing else.
fn line(ports: &[u16], kind: &str, key: &str) -> String {
    let listen: String = ports
        .iter()
        .map(|port| format!("permitlisten=\"localhost:{port}\","))
        .collect();
    format!("restrict,port-forwarding,{listen}command=\"/bin/false\" {kind} {key}")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_key_may_listen_on_the_ports_of_its_sessions_alone() {
        assert_eq!(
            line(&[22_100, 22_107], "ecdsa-sha2-nistp256", "AAAA"),
            "restrict,port-forwarding,permitlisten=\"localhost:22100\",\
             permitlisten=\"localhost:22107\",command=\"/bin/false\" \
             ecdsa-sha2-nistp256 AAAA"
        );
    }
}
