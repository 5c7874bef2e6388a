//! A twin configures a real agent by commands that the agent's own hub signed, and by nothing else.

use std::os::unix::fs::PermissionsExt;

use agent::identity::Identity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::command_key::CommandKey;
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use proto::topics::SIGNATURE_CONTEXT;
use proto::v1;
use serde_json::{Value, json};
use stories::{World, free_port};

use super::iothub::IotHub;
use super::site::tried;

const KEY: &[u8] = b"a device's key of thirty-two octets";

/// A hub, its agent, and the IoT hub that the agent takes commands from.
struct Place {
    world: World,
    iothub: IotHub,
    key: CommandKey,
    agent_id: String,
    version: i64,
}

impl Place {
    async fn new() -> Self {
        let mut world = World::new();
        world.hub_runs().await;
        let iothub = IotHub::start(KEY).await;
        let (key_file, ca_file) = (world.path("device.key"), world.path("azure.pem"));
        std::fs::write(&key_file, STANDARD.encode(KEY)).expect("a key");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key_file, private).expect("private");
        std::fs::write(&ca_file, &iothub.authority).expect("a root");
        let more = format!(
            "[mqtt]\ndialect = \"azure\"\nhost = \"127.0.0.1\"\nport = {}\n\
             transport = \"tls\"\nca_file = {ca_file:?}\n[mqtt.azure]\n\
             device_id = \"lyon-1\"\nkey_file = {key_file:?}\n",
            iothub.port
        );
        // Nobody is there: this story is about the configuration.
        world.agent_is_configured(&["127.255.255.1"], free_port(), &more);
        world.agent_is_enrolled();
        world.agent_is_started();
        let identity = Identity::load(&world.path("agent")).expect("readable");
        Self {
            key: CommandKey::open(&world.path("hub")).expect("the hub's key"),
            agent_id: identity.expect("enrolled").agent_id,
            world,
            iothub,
            version: 1,
        }
    }

    /// A command of this id, signed with `key`, in base64.
    fn signed(&self, id: u8, key: &CommandKey, configure: v1::Configure) -> String {
        let now = Timestamp::now();
        let command = v1::Command {
            id: format!("{id:032x}"),
            agent_id: self.agent_id.clone(),
            issuer: "a person".to_owned(),
            reason: "a story".to_owned(),
            issued_ms: now.as_millisecond(),
            expires_ms: (now + SignedDuration::from_mins(10)).as_millisecond(),
            order: Some(v1::command::Order::Configure(configure)),
        };
        let command = command.encode_to_vec();
        let signature = key.sign(&[SIGNATURE_CONTEXT, &command].concat()).to_vec();
        STANDARD.encode(v1::SignedCommand { command, signature }.encode_to_vec())
    }

    /// Desires something, and waits for what is reported last of it in `property`.
    async fn desires(&mut self, mut properties: Value, property: &str) -> Value {
        self.version += 1;
        properties["$version"] = self.version.into();
        self.iothub.desire(&properties);
        let reported = || {
            let mut all = self.iothub.reported().into_iter().rev();
            all.find_map(|it| {
                let said = it.get(property)?.clone();
                let is_last = said["version"] == self.version && said["state"] != "progress";
                is_last.then_some(said)
            })
        };
        tried("a report", reported).await
    }

    /// What a verb of the hub prints.
    fn hub_prints(&self, words: &[&str]) -> String {
        let said = self.world.hub_says(words);
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{words:?}: {told}");
        String::from_utf8(said.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }

    /// The line of `platen config show --origin` about a key.
    fn configured(&self, key: &str) -> String {
        let file = self.world.path("agent.toml");
        let file = file.to_str().expect("text");
        let said = self
            .world
            .platen(&["config", "show", "--origin", "--config", file]);
        let text = String::from_utf8(said.stdout).expect("text");
        let line = text.lines().find(|line| line.contains(key));
        line.unwrap_or_default().to_owned()
    }
}

fn reads_every(secs: u32) -> v1::Configure {
    v1::Configure {
        read_secs: Some(secs),
        ..v1::Configure::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_configures_by_signed_commands_alone() {
    let mut place = Place::new().await;
    let before = place.configured("schedule.read_secs");
    assert!(
        before.contains("= 2") && !before.contains("hub"),
        "{before}"
    );

    let plain = json!({ "read_secs": 1800, "schedule": { "read_secs": 1800 } });
    let refused = place.desires(plain, "refused").await;
    assert_eq!(refused["properties"], json!(["read_secs", "schedule"]));
    std::fs::create_dir(place.world.path("forger")).expect("a folder");
    let forger = CommandKey::open(&place.world.path("forger")).expect("another key");
    let forged = place.signed(1, &forger, reads_every(1800));
    let forged = place.desires(json!({ "command": forged }), "command").await;
    assert_eq!(forged["state"], "refused");
    let why = forged["why"].as_str().expect("why");
    assert!(why.contains("its signature is not the hub's"), "{why}");
    let ranges = v1::Configure {
        ranges: vec![v1::RemoteRange {
            label: "wide".to_owned(),
            addresses: vec!["127.0.0.0/8".to_owned()],
            ..v1::RemoteRange::default()
        }],
        ..v1::Configure::default()
    };
    let locked = place.signed(2, &place.key, ranges);
    let locked = place.desires(json!({ "command": locked }), "command").await;
    assert_eq!(locked["state"], "refused", "{locked}");
    let why = locked["why"].as_str().expect("why");
    assert!(why.contains("lock"), "the site's own word: {why}");
    assert_eq!(place.configured("schedule.read_secs"), before);

    let signed = place.signed(3, &place.key, reads_every(1800));
    let done = place.desires(json!({ "command": signed }), "command").await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["id"], format!("{:032x}", 3));
    let after = place.configured("schedule.read_secs");
    assert!(after.contains("= 1800") && after.contains("hub"), "{after}");

    // As a person does it: made and signed by the hub, carried by hand.
    let made = ["cmd", "configure", "story", "--read-every", "20m"];
    let made = [&made[..], &["--reason", "a story", "--no-wait"]].concat();
    let id = place.hub_prints(&made);
    let signed = place.hub_prints(&["cmd", "show", &id, "--signed"]);
    let done = place.desires(json!({ "command": signed }), "command").await;
    assert_eq!((&done["state"], &done["id"]), (&json!("done"), &json!(id)));
    let after = place.configured("schedule.read_secs");
    assert!(after.contains("= 1200"), "{after}");

    // The life begins anew with it and sees the twin again: what is answered stays so.
    let lives = || {
        place
            .world
            .log_of("agent")
            .matches("the command line stands")
            .count()
    };
    tried("the life begins anew", || (lives() >= 2).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let told = place.iothub.reported();
    let told = told
        .iter()
        .filter(|it| it["command"]["id"] == done["id"] && it["command"]["state"] == "done");
    assert_eq!(told.count(), 1);
    assert_eq!(place.iothub.sins(), Vec::<String>::new());
    assert_eq!(place.world.agent_ends().await, Some(0));
}
