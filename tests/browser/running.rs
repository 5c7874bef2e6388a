//! A hub in the test's process, as `platen-hub serve` would run it.
//!
//! Used by the browser test. It has ports of its own and an empty SQLite store.

use std::time::Duration;

use hub::config::{DoorsConfig, GatewayConfig, HubConfig, LogFormat, WebConfig};
use hub::permission::Rights;
use hub::store::{Store, Tenant};
use jiff::Timestamp;
use printer::identity::DeviceId;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::chrome::Browser;

/// A hub in this process, on ports of its own, over an empty store.
pub(crate) struct Running {
    pub(crate) store: Store,
    origin: String,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
    _dir: TempDir,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = HubConfig {
            state_dir: dir.path().to_owned(),
            store_url: "sqlite:hub.db".to_owned(),
            uplink_listen: "127.0.0.1:0".parse().unwrap(),
            names: vec!["localhost".to_owned()],
            public_port: None,
            poll_every: Duration::from_secs(30),
            report_at_once: true,
            approval: false,
            portal_listen: "127.0.0.1:0".parse().unwrap(),
            doors: DoorsConfig::default(),
            web: WebConfig::default(),
            gateway: GatewayConfig::default(),
            log_level: "off".to_owned(),
            log_format: LogFormat::Text,
        };
        let hub = hub::bind(&config).await.unwrap();
        let (store, origin) = (
            hub.store().clone(),
            format!("http://{}", hub.bound().portal),
        );
        let (stop, stopped) = oneshot::channel();
        let serving = hub.serve(async { stopped.await.unwrap_or_default() });
        let ended = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            store,
            origin,
            stop,
            ended,
            _dir: dir,
        }
    }

    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn printer(&self, device: &DeviceId) -> String {
        self.address(&format!("/printers/{device}"))
    }

    /// Opens the portal as the person does who ran `platen-hub setup-link`.
    pub(crate) async fn enter(&self, browser: &Browser) {
        let link = self
            .store
            .portal_link_create(
                &Tenant::DEFAULT,
                ("anna", &Rights::usual()),
                Timestamp::now(),
            )
            .await
            .unwrap();
        let link = self.address(&format!("/enter/{}", link.reveal()));
        browser.open(&link).await;
        assert_eq!(
            browser.words("return location.href").await,
            self.address("/")
        );
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
    }
}
