//! What Mosquitto, run by somebody else, needs to know: rules and settings, as text.
//!
//! The same rules as those of the hub's own broker ([`super::broker`]).

use std::path::Path;

use proto::topics;

use crate::door::broker::HUB_CLIENT_ID;

/// The rules.
pub const ACL_FILE: &str = "platen.acl";
/// The settings, which name the two others.
pub const CONF_FILE: &str = "platen.conf";
/// The hub's authority, which agents and hub prove themselves by.
pub const CA_FILE: &str = "platen-ca.pem";

/// Who reaches which topic: the hub its ends, an agent its own, by the name in its certificate.
#[must_use]
pub fn acl() -> String {
    let (outcomes, presences) = (topics::OUTCOMES, topics::PRESENCES);
    let (any, own) = ("+", "%u");
    format!(
        "# Topics of Platen: written by platen-hub broker acl.\n\
         user {HUB_CLIENT_ID}\n\
         topic read {outcomes}\n\
         topic read {presences}\n\
         topic write {}\n\
         \n\
         # An agent, by the name in its certificate.\n\
         pattern read {}\n\
         pattern write {}\n\
         pattern write {}\n",
        topics::command(any),
        topics::command(own),
        topics::outcome(own),
        topics::presence(own),
    )
}

/// The part of mosquitto.conf that is ours.
#[must_use]
pub fn fragment(folder: &Path) -> String {
    let folder = folder.display();
    let limit = topics::PAYLOAD_BYTES_MAX;
    format!(
        "# Commands of Platen: written by platen-hub broker acl. Mosquitto 2.0 or newer.\n\
         # Without it every message waits 40 ms for an acknowledgement.\n\
         set_tcp_nodelay true\n\
         allow_anonymous false\n\
         acl_file {folder}/{ACL_FILE}\n\
         retain_available false\n\
         message_size_limit {limit}\n\
         # Commands wait for agents that are away, over a restart too.\n\
         persistence true\n\
         \n\
         listener 8883\n\
         # Who agents and hub are.\n\
         cafile {folder}/{CA_FILE}\n\
         require_certificate true\n\
         use_identity_as_username true\n\
         # Nobody takes the session of another.\n\
         use_username_as_clientid true\n\
         # Who the broker is: agents believe it by mqtt.ca_file.\n\
         certfile /etc/mosquitto/certs/server.crt\n\
         keyfile /etc/mosquitto/certs/server.key\n"
    )
}
