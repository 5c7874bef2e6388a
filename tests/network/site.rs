//! A hub and an agent, each in its own namespace, as the real programs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use stories::{PATIENCE, Running, program, until};
use tempfile::TempDir;

use crate::network::{HUB_NAME, Network, Who};

/// A hub that runs, and a configured agent.
#[derive(Debug)]
pub struct Site<'n> {
    network: &'n Network,
    folder: TempDir,
    hub: Option<Running>,
    agent: Option<Running>,
}

impl<'n> Site<'n> {
    /// Starts the hub, and waits until it is healthy.
    pub async fn new(network: &'n Network) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut site = Self {
            network,
            folder,
            hub: None,
            agent: None,
        };
        let config = format!(
            "state_dir = {:?}\n[uplink]\nlisten = \"0.0.0.0:443\"\nnames = [\"{HUB_NAME}\"]\n\
             poll_secs = 1\nreport_at_once = true\n[portal]\nlisten = \"127.0.0.1:8080\"\n",
            site.path("hub")
        );
        std::fs::write(site.path("hub.toml"), config).expect("the hub's configuration");
        site.hub_is_started().await;
        site
    }

    /// Starts the hub, and waits until it is healthy.
    pub async fn hub_is_started(&mut self) {
        let file = self.path("hub.toml");
        let args = ["serve", "--config"].map(OsStr::new);
        let args: Vec<&OsStr> = args.into_iter().chain([file.as_os_str()]).collect();
        let (program, log) = (program("platen-hub"), self.path("hub.log"));
        self.hub = Some(self.network.starts(Who::Hub, &program, &args, &log));
        until("the hub is healthy", PATIENCE, || async {
            self.hub_says(&["health"]).status.success().then_some(())
        })
        .await;
    }

    /// Kills the hub.
    pub fn hub_is_killed(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.kill();
        }
    }

    /// Configures the agent: these addresses, a sweep so often, and `[hub]` with these keys.
    pub fn agent_is_configured(
        &self,
        (addresses, exclude): (&str, &str),
        discover_secs: u32,
        hub: &str,
    ) {
        let config = format!(
            "name = \"story\"\nstate_dir = {:?}\n[[ranges]]\naddresses = [{addresses:?}]\n\
             exclude = [{exclude:?}]\n[hub]\nurl = \"https://{HUB_NAME}\"\n{hub}\n\
             [snmp]\ntimeout_ms = 300\npackets_per_second = 1000\n\
             [schedule]\nread_secs = 2\nstatus_secs = 1\ndiscover_secs = {discover_secs}\n\
             [web_access]\nallow = \"always\"\n",
            self.path("agent")
        );
        std::fs::write(self.path("agent.toml"), config).expect("the agent's configuration");
    }

    /// Enrolls the agent.
    pub fn agent_is_enrolled(&self) {
        let said = self.hub_says(&["agent", "invite", "story"]);
        let line = String::from_utf8(said.stdout).expect("text");
        let mut words = line.split_whitespace().skip(1).collect::<Vec<_>>();
        let (state, file) = (self.path("agent"), self.path("agent.toml"));
        words.extend(["--state-dir", state.to_str().expect("text")]);
        words.extend(["--config", file.to_str().expect("text")]);
        let said = self.platen(&words);
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{words:?}: {told}");
    }

    /// Starts the agent.
    pub fn agent_is_started(&mut self) {
        let file = self.path("agent.toml");
        let args = ["run", "--config"].map(OsStr::new);
        let args: Vec<&OsStr> = args.into_iter().chain([file.as_os_str()]).collect();
        let (program, log) = (program("platen"), self.path("agent.log"));
        self.agent = Some(self.network.starts(Who::Agent, &program, &args, &log));
    }

    /// Asks the agent to end, and waits.
    pub async fn agent_ends(&mut self) {
        let agent = self.agent.take().expect("the agent runs");
        assert_eq!(agent.terminate().await, Some(0), "{}", self.log("agent"));
    }

    /// What a verb of `platen` says of this configuration.
    #[must_use]
    pub fn agent_says(&self, verb: &str, more: &[&str]) -> Output {
        let file = self.path("agent.toml");
        let mut words = vec![verb, "--config", file.to_str().expect("text")];
        words.extend(more);
        self.platen(&words)
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self, verb: &str) -> Option<Value> {
        let said = self.agent_says(verb, &["--json"]);
        serde_json::from_slice(&said.stdout).ok()
    }

    /// What a verb of `platen-hub` says.
    #[must_use]
    pub fn hub_says(&self, words: &[&str]) -> Output {
        let (program, file) = (program("platen-hub"), self.path("hub.toml"));
        let mut all = vec![program.to_str().expect("text")];
        all.extend(words);
        all.extend(["--config", file.to_str().expect("text")]);
        self.network.runs(Who::Hub, &all)
    }

    fn platen(&self, words: &[&str]) -> Output {
        let program = program("platen");
        let mut all = vec![program.to_str().expect("a path of text")];
        all.extend(words);
        self.network.runs(Who::Agent, &all)
    }

    /// Where it is.
    #[must_use]
    pub fn network(&self) -> &'n Network {
        self.network
    }

    /// A file or folder of this site.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a program has said so far.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }
}
