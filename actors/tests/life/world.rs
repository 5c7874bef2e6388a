//! One agent over one rack, and the verbs of the tests.

use std::sync::Arc;
use std::time::Duration;

use actors::Backoff;
use actors::Handle;
use actors::parts::{HubLink, Parts, Settings, Subnet, Word};
use actors::reach::credential::Credential;
use actors::reach::scope::{Door, Scope};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::report::Report;
use actors::spool::{Content, Spool, SpoolKey, SpoolLimits};
use actors::status::StatusSnapshot;
use actors::tunnel::policy::WebAccess;
use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::profile::Profiles;
use tempfile::TempDir;

use crate::rack::Rack;

/// Longest that a claim may take to become true, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An agent's life.
pub struct World {
    pub handle: Handle,
    spool: Spool,
    folder: TempDir,
}

impl World {
    /// A new agent, which sweeps the rack at once.
    pub async fn new(rack: &Rack, hub: Option<HubLink>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, rack, (hub, None), &[]).await
    }

    /// As [`World::new`] without a hub, with doors beside SNMP that its range opens.
    pub async fn with_doors(rack: &Rack, doors: &[Door]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, rack, (None, None), doors).await
    }

    /// As [`World::new`], with a policy for sessions and the ranges that they may reach.
    pub async fn with(rack: &Rack, hub: HubLink, (policy, web): (WebAccess, Scope)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, rack, (Some(hub), Some((policy, web))), &[]).await
    }

    /// The same agent's next life, on the same disk.
    pub async fn restarted(self, rack: &Rack) -> Self {
        self.handle.drain(Duration::from_secs(8)).await;
        self.spool.close().await;
        Self::over(self.folder, rack, (None, None), &[]).await
    }

    async fn over(
        folder: TempDir,
        rack: &Rack,
        (hub, sessions): (Option<HubLink>, Option<(WebAccess, Scope)>),
        others: &[Door],
    ) -> Self {
        let path = folder.path().join("spool.redb");
        let key = SpoolKey::of_folder(folder.path()).expect("a key");
        let spool = Spool::open(path, key, SpoolLimits::default())
            .await
            .expect("a spool");
        let snmp = Snmp::open(SnmpSettings {
            timeout: Duration::from_millis(500),
            retries: 1,
            in_flight_max: 16,
            packets_per_second_max: 5_000,
        });
        let door = Door::Snmp { port: rack.port() };
        let range = [rack.range().parse().expect("a range")];
        let none = || Scope::of_web(&range, &[], &[]).expect("a scope");
        let (web_access, web) = sessions.unwrap_or_else(|| (WebAccess::default(), none()));
        let subnet = Subnet {
            label: "rack".to_owned(),
            scope: Scope::new(&range, &[], &[&[door], others].concat()).expect("a scope"),
            door,
            web,
            credentials: vec![Credential::v2c("public")],
            names: vec!["public".to_owned()],
        };
        let parts = Parts {
            settings: settings(),
            subnets: vec![Arc::new(subnet)],
            snmp: snmp.expect("sockets"),
            spool: spool.clone(),
            profiles: Arc::new(Profiles::embedded().expect("profiles")),
            hub,
            word: Word::default(),
            commands: None,
            site: None,
            web_access,
            quarantine: Some(folder.path().join(actors::quarantine::FOLDER)),
            certificates: Some(folder.path().join(actors::certificates::FOLDER)),
            started_at: Timestamp::now(),
            runtime: tokio::runtime::Handle::current(),
        };
        let handle = actors::start(parts).await.expect("a life");
        Self {
            handle,
            spool,
            folder,
        }
    }

    /// Waits for a claim about the status to become true.
    pub async fn until(
        &self,
        claim: &str,
        is_true: impl Fn(&StatusSnapshot) -> bool,
    ) -> Box<StatusSnapshot> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let status = self.handle.status().await.expect("alive");
            if is_true(&status) {
                return status;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not true: {claim}: {status:#?}"
            );
        }
    }

    /// Waits for a claim about all reports that wait to become true.
    pub async fn until_reports(
        &self,
        claim: &str,
        is_true: impl Fn(&[Report]) -> bool,
    ) -> Vec<Report> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let reports = self.reports().await;
            if is_true(&reports) {
                return reports;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not true: {claim}: {reports:#?}"
            );
        }
    }

    /// Waits for any claim to become true.
    pub async fn until_true(&self, claim: &str, is_true: impl Fn() -> bool) {
        self.until(claim, |_| is_true()).await;
    }

    /// Every report that waits for the hub.
    pub async fn reports(&self) -> Vec<Report> {
        let spooled = self
            .spool
            .peek(10_000, usize::MAX)
            .await
            .expect("the spool");
        let report = |content: Content| match content {
            Content::Report(body) => Report::from_body(&body).expect("a report"),
            Content::Thinned { .. } | Content::Damaged => panic!("nothing was lost"),
        };
        spooled.into_iter().map(|it| report(it.content)).collect()
    }

    /// The id under which the printer with this serial number was reported.
    pub async fn device_of(&self, serial: String) -> DeviceId {
        let reports = self.reports().await;
        let mut named = reports.into_iter().filter_map(|report| match report {
            Report::Full { device, reading } => {
                (reading.identity.serial.as_ref() == Some(&serial)).then_some(device)
            }
            Report::Status { .. } | Report::Silent { .. } | Report::Thinned { .. } => None,
        });
        named.next().expect("it was reported")
    }
}

/// Everything fast, but with room for a busy machine where patience is what is tested.
fn settings() -> Settings {
    Settings {
        read_every: Duration::from_secs(3600),
        status_every: Duration::from_millis(400),
        discover_every: Duration::from_millis(800),
        poll_every: Duration::from_millis(300),
        first_read_within: Duration::from_millis(50),
        backoff: Backoff {
            first: Duration::from_millis(20),
            max: Duration::from_millis(200),
        },
        beat_every: Duration::from_millis(160),
        beat_deadline: Duration::from_secs(3),
        packets_per_second: 5_000,
        ..Settings::default()
    }
}
