//! What the life is made of: everything that `start` is given, already checked and opened.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use printer::profile::Profiles;
use snmp::Version;
use tokio::runtime;
use tokio::sync::{Mutex, watch};

use crate::backoff::Backoff;
use crate::behind::Behind;
use crate::keeper::Keeper;
use crate::mask::Masks;
use crate::outbox::Outbox;
use crate::reach::credential::{Credential, proven_first};
use crate::reach::scope::{Door, InScope, Scope};
use crate::reach::snmp::Snmp;
use crate::reach::survey;
use crate::registry::Named;
use crate::site::Site;
use crate::spool::Spool;
use crate::tunnel::policy::WebAccess;
use crate::uplink::command::CommandParts;
use crate::uplink::mqtt::MqttLink;

/// Everything the actors need.
#[derive(Debug)]
pub struct Parts {
    /// Periods, deadlines and bounds.
    pub settings: Settings,
    /// The subnets to sweep, each with a label of its own.
    pub subnets: Vec<Arc<Subnet>>,
    /// The way to the devices.
    pub snmp: Snmp,
    /// Where reports wait.
    pub spool: Spool,
    /// Vendor knowledge.
    pub profiles: Arc<Profiles>,
    /// The hub, unless the agent stands alone.
    pub hub: Option<HubLink>,
    /// What the site lets out, and what it has to say.
    pub word: Word,
    /// Whom to believe in commands, and what was done already; none takes no commands.
    pub commands: Option<CommandParts>,
    /// What the program does that the life cannot.
    pub site: Option<Arc<dyn Site>>,
    /// Whether, when and how a hub may reach printers' web pages.
    pub web_access: WebAccess,
    /// Where devices that are set aside are written down; none keeps them for this life only.
    pub quarantine: Option<PathBuf>,
    /// Where the certificates of printers are kept; none believes the first of this life only.
    pub certificates: Option<PathBuf>,
    /// When the agent was started.
    pub started_at: Timestamp,
    /// Where sweeps and polls run: handlers share one thread, which nothing may hold up.
    pub runtime: runtime::Handle,
}

/// What the site lets out, and what it has to say about itself.
#[derive(Debug, Clone, Default)]
pub struct Word {
    /// Applied to everything that leaves.
    pub masks: Masks,
    /// The id of the hub's configuration that is in effect; empty for none.
    pub configuration: String,
    /// What is wrong at the site, in words, most important first.
    pub alarms: Vec<String>,
}

/// One configured subnet.
#[derive(Debug)]
pub struct Subnet {
    /// Names it in the log and on the status page.
    pub label: String,
    /// Its addresses and doors.
    pub scope: Scope,
    /// The SNMP door of its devices.
    pub door: Door,
    /// The same addresses for sessions with web pages, and the ports that are open to those.
    pub web: Scope,
    /// Tried in this order.
    pub credentials: Vec<Credential>,
    /// What the configuration calls them, in the same order.
    pub names: Vec<String>,
}

/// The doors beside SNMP of one printer that readings are made through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OtherDoors {
    /// IPP.
    pub ipp: Option<InScope>,
    /// LEDM.
    pub ledm: Option<InScope>,
    /// SGD and `~HS`.
    pub zebra: Option<InScope>,
    /// PJL.
    pub pjl: Option<InScope>,
}

impl Subnet {
    /// The doors beside SNMP that are open at an address.
    #[must_use]
    pub fn other_doors(&self, address: IpAddr) -> OtherDoors {
        let mut others = OtherDoors::default();
        for door in self.scope.doors() {
            let target = self.scope.admit(address, door).ok();
            match door {
                Door::Ipp { .. } => others.ipp = target,
                Door::Ledm { .. } => others.ledm = target,
                Door::Zebra { .. } => others.zebra = target,
                Door::Pjl { .. } => others.pjl = target,
                Door::Snmp { .. } | Door::Icmp | Door::Web { .. } | Door::Lpr { .. } => {}
            }
        }
        others
    }

    /// A credential as it can be written down: by its name, and whether version 1 is spoken.
    #[must_use]
    pub fn named(&self, credential: &Credential) -> Option<Named> {
        let of = |in_v1: bool| {
            let spoken = |known: &Credential| match in_v1 {
                true => known.in_version(Version::V1),
                false => known.clone(),
            };
            let mut all = self.credentials.iter().zip(&self.names);
            let (_, name) = all.find(|(known, _)| spoken(known) == *credential)?;
            let name = name.clone();
            Some(Named { name, in_v1 })
        };
        of(false).or_else(|| of(true))
    }

    /// Whether who answered to that is asked as a user only: it was a user, and is configured still.
    #[must_use]
    pub fn is_user(&self, proven: Option<&Named>) -> bool {
        let named = proven.and_then(|proven| self.names.iter().position(|it| *it == proven.name));
        let credential = named.and_then(|place| self.credentials.get(place));
        credential.is_some_and(Credential::is_user)
    }

    /// What can be tried here, in order: what is configured, then the same in version 1; what was
    /// answered to before goes first, if it is configured still.
    #[must_use]
    pub fn tried(&self, proven: Option<&Named>) -> Vec<Credential> {
        let all = survey::with_v1(&self.credentials);
        let known = proven.and_then(|proven| {
            let place = self.names.iter().position(|name| *name == proven.name)?;
            let known = self.credentials.get(place)?;
            Some(match proven.in_v1 {
                true => known.in_version(Version::V1),
                false => known.clone(),
            })
        });
        match known {
            Some(known) => proven_first(&all, &known),
            None => all,
        }
    }
}

/// Where the hub is, and who we are to it.
#[derive(Clone)]
pub struct HubLink {
    /// `https://host:port`.
    pub url: String,
    /// The hub's own CA, PEM: the only root that is believed.
    pub authority_pem: String,
    /// Keeps our certificate and key, which change while we live.
    pub keeper: Arc<dyn Keeper>,
    /// Held by whoever renews the certificate.
    pub renewing: Arc<Mutex<()>>,
    /// Changes with each certificate that was taken into use.
    pub renewed: watch::Sender<()>,
    /// How to get there.
    pub route: dial::Route,
    /// Where commands come from; `None`: no commands.
    pub mqtt: Option<MqttLink>,
    /// Where everything that is sent is noted.
    pub outbox: Outbox,
}

impl HubLink {
    /// A link to the hub at `url`, directly, and without commands.
    #[must_use]
    pub fn new(url: String, authority_pem: String, keeper: Arc<dyn Keeper>) -> Self {
        Self {
            url,
            authority_pem,
            keeper,
            renewing: Arc::default(),
            renewed: watch::Sender::default(),
            route: dial::Route::direct(),
            mqtt: None,
            outbox: Outbox::default(),
        }
    }
}

impl fmt::Debug for HubLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubLink")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Periods, deadlines and bounds, with the defaults of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Between two full readings of a device.
    pub read_every: Duration,
    /// Between two status readings of a device.
    pub status_every: Duration,
    /// Between two sweeps of a subnet.
    pub discover_every: Duration,
    /// Between two polls of the hub, until the hub says otherwise.
    pub poll_every: Duration,
    /// A newly found device is read within this; which part of it, its id decides.
    pub first_read_within: Duration,
    /// How the dead return, and how a poll that failed is tried again.
    pub backoff: Backoff,
    /// Between two beats of one child.
    pub beat_every: Duration,
    /// How long a child may take to answer a beat.
    pub beat_deadline: Duration,
    /// How long a device may be at one reading, its record on disk included.
    pub read_deadline: Duration,
    /// How long one exchange with the hub may take.
    pub poll_deadline: Duration,
    /// Packets that a sweep sends in a second: says how long a sweep may take.
    pub packets_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            read_every: Duration::from_secs(3600),
            status_every: Duration::from_secs(300),
            discover_every: Duration::from_secs(6 * 3600),
            poll_every: Duration::from_secs(300),
            first_read_within: Duration::from_secs(10),
            backoff: Backoff::default(),
            beat_every: Duration::from_secs(5),
            beat_deadline: Duration::from_secs(10),
            // The budget of one reading is 30 s; the rest is for a slow disk.
            read_deadline: Duration::from_secs(90),
            poll_deadline: Duration::from_secs(60),
            packets_per_second: 50,
        }
    }
}

/// The share of [`Parts`] that a child is given at birth: one for all, since there may be ten thousand
/// children.
#[derive(Debug, Clone)]
pub(crate) struct Tools(Arc<Toolbox>);

/// What is in it.
#[derive(Debug, Clone)]
pub(crate) struct Toolbox {
    pub(crate) settings: Settings,
    pub(crate) snmp: Snmp,
    pub(crate) spool: Spool,
    pub(crate) profiles: Arc<Profiles>,
    pub(crate) word: Word,
    pub(crate) certificates: Option<PathBuf>,
    pub(crate) started_at: Timestamp,
    /// Where devices are read.
    pub(crate) runtime: runtime::Handle,
    /// Where those are read that take long.
    pub(crate) behind: Arc<Behind>,
}

impl Parts {
    /// Made once.
    pub(crate) fn tools(&self, behind: Behind) -> Tools {
        Tools(Arc::new(Toolbox {
            settings: self.settings,
            snmp: self.snmp.clone(),
            spool: self.spool.clone(),
            profiles: self.profiles.clone(),
            word: self.word.clone(),
            certificates: self.certificates.clone(),
            started_at: self.started_at,
            runtime: self.runtime.clone(),
            behind: Arc::new(behind),
        }))
    }
}

impl Tools {
    /// The same for a child that takes long: it asks behind all others, and what it is told is read
    /// where nobody waits for that.
    pub(crate) fn at_the_back(&self) -> Self {
        let snmp = self.snmp.at_the_back();
        let runtime = self.behind.handle().clone();
        Self(Arc::new(Toolbox {
            snmp,
            runtime,
            ..(*self.0).clone()
        }))
    }
}

impl Deref for Tools {
    type Target = Toolbox;

    fn deref(&self) -> &Toolbox {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use snmp::usm::{Security, User};

    use super::*;

    fn user(name: &str) -> Credential {
        let user = User::new(name, "", Security::None).expect("a user");
        Credential::User(Arc::new(user))
    }

    fn subnet(credentials: Vec<(&str, Credential)>) -> Subnet {
        let range = ["127.0.0.1".parse().expect("a range")];
        let door = Door::Snmp { port: 161 };
        Subnet {
            label: "office".to_owned(),
            scope: Scope::new(&range, &[], &[door]).expect("a scope"),
            door,
            web: Scope::of_web(&range, &[], &[]).expect("a scope"),
            names: credentials
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            credentials: credentials.into_iter().map(|(_, it)| it).collect(),
        }
    }

    #[test]
    fn what_was_answered_to_is_written_down_by_name_and_tried_first() {
        let (public, a, b) = (Credential::v2c("public"), user("a"), user("b"));
        let in_v1 = public.in_version(Version::V1);
        let office = subnet(vec![
            ("open", public.clone()),
            ("x", a.clone()),
            ("y", b.clone()),
        ]);
        let all = [public.clone(), a.clone(), b.clone(), in_v1.clone()];
        assert_eq!(office.tried(None), all);
        let named = office.named(&b).expect("it is configured");
        assert_eq!(named.name, "y");
        assert!(office.is_user(Some(&named)) && !office.is_user(None));
        // A user is never made a community.
        assert_eq!(office.tried(Some(&named)), [b.clone(), a.clone()]);
        let old = office.named(&in_v1).expect("it is configured");
        assert!(old.name == "open" && old.in_v1 && !office.is_user(Some(&old)));
        let written = serde_json::to_string(&old).expect("JSON");
        assert!(!written.contains("public"), "{written}");
        assert_eq!(office.tried(Some(&old))[0], in_v1);
        // What is configured no more is forgotten.
        let without = subnet(vec![("open", public.clone())]);
        assert_eq!(without.tried(Some(&named)), [public, in_v1]);
        assert_eq!(without.named(&b), None);
        assert!(!without.is_user(Some(&named)));
    }
}
