//! A headless Chromium, driven through chromedriver.
//!
//! Used by the browser test. Chromedriver chooses its port itself; the browser gets a fresh
//! profile and ends when the driver does.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Where Debian puts them.
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
const CHROMIUM: &str = "/usr/bin/chromium";

/// Longest wait for chromedriver to say its port. It takes a tenth of a second.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a picture is cut, in CSS pixels: a fleet on a phone is a long page.
const PICTURE_HEIGHT_MAX: u64 = 2_400;

/// Nothing but our pages: no first-run page, no updates, no sync, no other protocol.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-lcd-text",
    // The browser ends with its driver, also when a test fails: a pipe closes, a port does not.
    "--remote-debugging-pipe",
];

/// A browser and everything that lives as long as it.
pub(crate) struct Browser {
    client: Client,
    _driver: Child,
    _profile: TempDir,
}

/// Whether there is a browser; a sentence naming what to install, if there should be one.
pub(crate) fn is_wanted() -> bool {
    if std::env::var_os("PLATEN_WITHOUT_BROWSER").is_some_and(|value| value == "1") {
        return false;
    }
    let is_there = Path::new(CHROMEDRIVER).exists() && Path::new(CHROMIUM).exists();
    assert!(
        is_there,
        "no browser to test with: install the Debian packages chromium and chromium-driver, \
         or set PLATEN_WITHOUT_BROWSER=1 to leave this test out",
    );
    true
}

impl Browser {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new(CHROMEDRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = driver.stdout.take().unwrap();
        let port = timeout(START_TIMEOUT, port_of(BufReader::new(output))).await;
        let port = port.expect("chromedriver says its port within 30 s");
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<_> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({
            "goog:chromeOptions": { "binary": CHROMIUM, "args": flags },
            "goog:loggingPrefs": { "performance": "ALL" },
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let browser = Self {
            client,
            _driver: driver,
            _profile: profile,
        };
        // The browser's own first page asks for its own parts; they are no one's business here.
        browser.open("about:blank").await;
        browser.requests().await;
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Runs a line of JavaScript in the page; the page itself has none.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What a line of JavaScript returns, as text.
    pub(crate) async fn words(&self, script: &str) -> String {
        self.run(script).await.as_str().unwrap().to_owned()
    }

    /// What a line of JavaScript returns, as a number.
    pub(crate) async fn number(&self, script: &str) -> u64 {
        self.run(script).await.as_u64().unwrap()
    }

    /// Ends the browser.
    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }

    /// Gives the window a size, and the page a color scheme.
    pub(crate) async fn look(&self, width: u32, scheme: &str) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tell(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// Saves the page as a PNG, from its top to its end or to [`PICTURE_HEIGHT_MAX`].
    pub(crate) async fn picture(&self, file: &Path) {
        let size = "return [innerWidth, document.documentElement.scrollHeight]";
        let size = self.run(size).await;
        let height = size[1].as_u64().unwrap().min(PICTURE_HEIGHT_MAX);
        let metrics = json!({
            "width": size[0], "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.tell("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        std::fs::write(file, self.client.screenshot().await.unwrap()).unwrap();
    }

    /// Every address the browser has asked for since the last call.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let log = self.client.issue_cmd(Raw::Log).await.unwrap();
        let lines = log.as_array().unwrap().iter();
        let messages =
            lines.filter_map(|line| serde_json::from_str(line["message"].as_str()?).ok());
        messages
            .filter(|message: &Value| message["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|message| {
                Some(
                    message["message"]["params"]["request"]["url"]
                        .as_str()?
                        .to_owned(),
                )
            })
            .collect()
    }

    async fn tell(&self, command: &str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        self.client.issue_cmd(Raw::Devtools(body)).await.unwrap()
    }
}

/// The port in chromedriver's greeting; it goes on reading, so that the pipe never fills.
async fn port_of(mut output: BufReader<tokio::process::ChildStdout>) -> u16 {
    let mut line = String::new();
    while output.read_line(&mut line).await.unwrap() > 0 {
        let digits = line
            .trim()
            .trim_end_matches('.')
            .rsplit_once("successfully on port ");
        if let Some(port) = digits.and_then(|(_, port)| port.parse().ok()) {
            tokio::spawn(async move {
                while output
                    .read_line(&mut String::new())
                    .await
                    .is_ok_and(|read| read > 0)
                {}
            });
            return port;
        }
        line.clear();
    }
    panic!("chromedriver ended without saying its port");
}

/// What chromedriver understands beyond WebDriver.
#[derive(Debug)]
enum Raw {
    /// A command of the DevTools protocol.
    Devtools(Value),
    /// What happened on the network.
    Log,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        match self {
            Self::Devtools(_) => base.join(&format!("session/{session}/goog/cdp/execute")),
            Self::Log => base.join(&format!("session/{session}/se/log")),
        }
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = match self {
            Self::Devtools(body) => body.to_string(),
            Self::Log => json!({ "type": "performance" }).to_string(),
        };
        (http::Method::POST, Some(body))
    }
}
