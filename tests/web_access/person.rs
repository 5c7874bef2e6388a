//! A person at the hub, for these stories: a portal session over plain HTTP, as a browser has it,
//! and a house with printers that have pages.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use stories::{PATIENCE, World, until};

/// The port of every printer's page here; one that a site opens by default.
pub(crate) const PAGE: u16 = 8000;

/// What an answer is waited for at most.
const PATIENCE_SECS: &str = "30";

/// The agent's word: whoever asks may come, by the gateway beside the hub's own port.
pub(crate) fn open_site(world: &World) -> String {
    format!(
        "[web_access]\nallow = \"always\"\nmax_minutes = 60\n[tunnel]\nport = {}\n",
        world.uplink_port()
    )
}

/// Starts hub and agent over these ranges and waits for so many printers.
pub(crate) async fn house(rack: &simulator::Running, range: &str, printers: usize) -> World {
    let mut world = World::new();
    world.hub_runs().await;
    let site = open_site(&world);
    settles(&mut world, rack, range, (printers, &site)).await;
    world
}

/// Enrolls and starts the agent, with this word of its site, and waits for so many printers.
pub(crate) async fn settles(
    world: &mut World,
    rack: &simulator::Running,
    range: &str,
    (printers, site): (usize, &str),
) {
    world.agent_is_configured(&[range], rack.port, site);
    world.agent_is_enrolled();
    world.agent_is_started();
    until("every printer is stored", PATIENCE, || async {
        (world.printers().len() == printers).then_some(())
    })
    .await;
}

/// What the portal calls the printer at an address.
pub(crate) fn device(world: &World, address: &str) -> String {
    let printers = world.printers();
    let found = printers.iter().find(|known| known["address"] == address);
    let id = found.unwrap_or_else(|| panic!("{address} is not among {printers:?}"));
    id["device"].as_str().expect("an id").to_owned()
}

/// An answer of the portal or of a printer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status; 0 where there was none.
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Somebody with a link into the portal, who uses curl in place of a browser.
#[derive(Debug)]
pub(crate) struct Person {
    jar: tempfile::TempDir,
    port: u16,
}

impl Person {
    /// Comes in by a link of their own.
    pub(crate) fn enters(world: &World, name: &str) -> Self {
        let said = world.hub_says(&["setup-link", "--for", name, "--may", "read,web"]);
        let link = String::from_utf8(said.stdout).expect("a link");
        let person = Self {
            jar: tempfile::tempdir().expect("a folder"),
            port: world.portal_port(),
        };
        let entered = person.asks(link.trim(), &["-L"]);
        assert_eq!(entered.status, 200, "{entered:?}");
        person
    }

    /// Asks for something as this person's browser would.
    pub(crate) fn asks(&self, address: &str, more: &[&str]) -> Answer {
        let jar = self.jar.path().join("jar");
        let said = Command::new("curl")
            .args(["-sS", "--max-time", PATIENCE_SECS, "-w", "\n%{http_code}"])
            .arg("-b")
            .arg(&jar)
            .arg("-c")
            .arg(&jar)
            .args(more)
            .arg(address)
            .output()
            .expect("curl");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        Answer {
            status: status.parse().unwrap_or(0),
            body: body.to_owned() + &String::from_utf8_lossy(&said.stderr),
        }
    }

    /// Sends a form of the portal, as this person's browser would from one of its pages.
    pub(crate) fn sends(&self, form: &str, more: &[&str]) -> Answer {
        let origin = format!("Origin: {}", self.portal(""));
        let ours = ["-H", &origin, "-H", "Sec-Fetch-Site: same-origin"];
        self.asks(form, &[&ours, more].concat())
    }

    /// Where a page of the portal is.
    pub(crate) fn portal(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Opens a session with a printer's port.
    pub(crate) fn opens(&self, device: &str, port: u16) -> Result<String, String> {
        let port = format!("port={port}&reason=a+story&minutes=15");
        let form = self.portal(&format!("/printers/{device}/sessions"));
        let answer = self.sends(&form, &["-H", "Accept: application/json", "--data", &port]);
        let said: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        match (answer.status, said["id"].as_str()) {
            (201, Some(id)) => Ok(id.to_owned()),
            _ => Err(format!("{answer:?}")),
        }
    }

    /// Where the session's pages are.
    pub(crate) fn origin(&self, session: &str) -> String {
        format!("http://s-{session}.dwa.localhost:{}", self.port)
    }

    /// Goes into a session: its cookie is in the jar afterwards.
    pub(crate) fn goes_in(&self, session: &str) -> Answer {
        let visit = self.portal(&format!("/sessions/{session}/visit"));
        self.asks(&visit, &["-L", "--resolve", &self.resolved(session)])
    }

    /// Asks for a printer's page.
    pub(crate) fn looks(&self, session: &str, path: &str, more: &[&str]) -> Answer {
        let resolved = self.resolved(session);
        let mut all = vec!["--resolve", resolved.as_str()];
        all.extend(more);
        self.asks(&format!("{}{path}", self.origin(session)), &all)
    }

    fn resolved(&self, session: &str) -> String {
        format!("s-{session}.dwa.localhost:{}:127.0.0.1", self.port)
    }

    /// What the hub says of a session.
    pub(crate) fn hears(world: &World, session: &str) -> Value {
        let said = world.hub_says(&["sessions", "show", session, "--json"]);
        serde_json::from_slice(&said.stdout).unwrap_or(Value::Null)
    }
}

/// Waits until a session has ended; how it did.
pub(crate) async fn ended(world: &World, session: &str, patience: Duration) -> Value {
    until("the session has ended", patience, || async {
        let told = Person::hears(world, session);
        (told["state"] == "ended").then_some(told)
    })
    .await
}

/// An address of the rack.
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
