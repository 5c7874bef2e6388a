//! `broker`: what a broker that somebody else runs needs to know of this hub.

use std::path::PathBuf;

use clap::Subcommand;

use crate::ca::Authority;
use crate::cli::complaint::{Complaint, Exit};
use crate::cli::say;
use crate::config::HubConfig;
use crate::door::external::{ACL_FILE, CA_FILE, CONF_FILE, acl, fragment};
use crate::state::write_whole;

/// What `broker` can be told to do.
#[derive(Debug, Subcommand)]
pub(super) enum BrokerVerb {
    /// Write what Mosquitto needs: who reaches which topic, and how agents prove who they are
    Acl {
        /// An existing folder for platen.acl, platen.conf and platen-ca.pem
        folder: PathBuf,
    },
}

/// Runs the verb.
pub(super) fn run(verb: BrokerVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    let BrokerVerb::Acl { folder } = verb;
    let Some(authority) = Authority::find(&config.state_dir)? else {
        let what = format!("no hub has run on {}", config.state_dir.display());
        return Err(Complaint::new(Exit::FAILED, what)
            .because("there is no certificate authority in that folder (state_dir)")
            .try_next("platen-hub serve, with the same configuration; or name it with --config"));
    };
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let files = [
        (ACL_FILE, acl()),
        (CONF_FILE, fragment(&folder)),
        (CA_FILE, authority.certificate_pem().to_owned()),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        write_whole(&path, text.as_bytes())?;
        say(path.display())?;
    }
    eprintln!(
        "let Mosquitto's user read these files, name its own certificate in {CONF_FILE}, and \
         include that file in mosquitto.conf"
    );
    Ok(Exit::OK)
}
