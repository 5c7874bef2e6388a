//! An agent reaches its own topics and nothing else: tried with its own certificate and key, by
//! programs that are not ours.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hub::door::carrier::{Arrival, Carrier};
use proto::topics;
use stories::World;
use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::brokers::{Mosquitto, OwnHub, outcome};
use super::site::{Agent, Way, command, connected};

/// How long nothing must come before it is believed that nothing does.
const QUIET: Duration = Duration::from_secs(2);

/// Another agent's program: Mosquitto's, with an agent's credentials.
struct Intruder {
    port: u16,
    ca: String,
    certificate: String,
    key: String,
}

impl Intruder {
    fn new(agent: &Agent, world: &World, port: u16, authority: &str) -> Self {
        let (certificate, key) = agent.files(world);
        let ca = world.path("intruders-ca.pem");
        std::fs::write(&ca, authority).expect("a file");
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        Self {
            port,
            ca: text(&ca),
            certificate: text(&certificate),
            key: text(&key),
        }
    }

    fn run(&self, program: &str, id: &str, more: &[&str]) -> Output {
        Command::new(program)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["--cafile", &self.ca, "--cert", &self.certificate])
            .args(["--key", &self.key, "-q", "1", "-i", id])
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("mosquitto-clients are installed")
    }
}

/// Everything that agent A may not do to agent B, over one broker.
async fn try_everything(
    (a, b): (Agent, Agent),
    intruder: Intruder,
    session: &mut (Carrier, Receiver<Arrival>),
    way: &Way,
) {
    let (carrier, arrivals) = session;
    let (line, mut incoming) = b.line(way);
    connected(&line).await;
    while timeout(QUIET, arrivals.recv()).await.is_ok() {}
    let id = a.id.clone();
    // What is its own works: otherwise all of the rest would prove nothing.
    let own = topics::outcome(&a.id);
    let (said, intruder) = spawn_blocking(move || {
        let said = intruder.run("mosquitto_pub", &id, &["-t", &own, "-m", "mine"]);
        (said, intruder)
    })
    .await
    .expect("no panic");
    assert!(said.status.success(), "{said:?}");
    assert_eq!(outcome(arrivals).await.payload, b"mine");

    let hears = [
        topics::command(&b.id),
        topics::outcome(&b.id),
        topics::OUTCOMES.to_owned(),
        "platen/v1/+/command".to_owned(),
        "platen/#".to_owned(),
        "#".to_owned(),
        "$SYS/#".to_owned(),
        format!("$share/all/{}", topics::command(&b.id)),
    ];
    let (id, sent) = (a.id.clone(), carrier.clone());
    let listening = spawn_blocking(move || {
        for filter in hears {
            for version in ["mqttv311", "mqttv5"] {
                let more = ["-t", &filter, "-W", "2", "-V", version, "-v"];
                let heard = intruder.run("mosquitto_sub", &id, &more);
                let words = String::from_utf8_lossy(&heard.stdout).into_owned();
                assert_eq!(words, "", "{filter} was heard");
            }
        }
        intruder
    });
    let mut commands = 0u32;
    let other = b.id.clone();
    while !listening.is_finished() {
        sent.send(&other, b"for b alone".to_vec())
            .await
            .expect("sent");
        let came = command(&mut incoming).await;
        line.answer(&came.reply, b"from b").await.expect("answered");
        assert_eq!(outcome(arrivals).await.payload, b"from b");
        commands += 1;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(commands > 0, "there was something to hear");
    let intruder = listening.await.expect("nothing was heard");

    let says = [
        topics::command(&b.id),
        topics::command(&a.id),
        topics::outcome(&b.id),
        topics::presence(&b.id),
        "platen/v1/x".to_owned(),
        "$SYS/broker".to_owned(),
    ];
    let (id, other) = (a.id.clone(), b.id.clone());
    spawn_blocking(move || {
        for topic in &says {
            for version in ["mqttv311", "mqttv5"] {
                let more = ["-t", topic, "-m", "forged", "-V", version];
                intruder.run("mosquitto_pub", &id, &more);
                // Under the other's name, and as the hub.
                intruder.run("mosquitto_pub", &other, &more);
                intruder.run("mosquitto_pub", "platen-hub", &more);
            }
            // By its will, which the broker says for it when it is gone.
            let will = ["--will-topic", topic, "--will-payload", "forged", "-W", "1"];
            let own = topics::command(&id);
            intruder.run("mosquitto_sub", &id, &[&["-t", &own][..], &will].concat());
        }
        let own = topics::outcome(&id);
        let retained = ["-t", &own, "-m", "forged", "-r"];
        intruder.run("mosquitto_pub", &id, &retained);
    })
    .await
    .expect("no panic");
    let came = timeout(QUIET, incoming.recv()).await;
    assert!(came.is_err(), "b heard {came:?}");
    while let Ok(arrival) = timeout(QUIET, arrivals.recv()).await {
        let arrival = arrival.expect("a session");
        assert!(
            arrival.said == topics::Use::Presence || arrival.agent_id == a.id,
            "{arrival:?}"
        );
        assert_ne!(
            (&arrival.agent_id, &*arrival.payload),
            (&b.id, &b"forged"[..])
        );
    }
    // Nobody took the place of b.
    assert!(line.state().borrow().is_connected);
    carrier.send(&b.id, b"still".to_vec()).await.expect("sent");
    assert_eq!(command(&mut incoming).await.payload, b"still");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_reaches_its_own_topics_alone_at_the_hubs_own_broker() {
    let mut hub = OwnHub::start().await;
    let agents = (
        Agent::enroll(&hub.world, "lyon"),
        Agent::enroll(&hub.world, "nantes"),
    );
    let authority = agents.0.authority.clone();
    let intruder = Intruder::new(&agents.0, &hub.world, hub.tls_port, &authority);
    let way = hub.ways(&authority).remove(1);
    try_everything(agents, intruder, hub.session(), &way).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_reaches_its_own_topics_alone_at_mosquitto() {
    let mut broker = Mosquitto::start().await;
    let agents = (
        Agent::enroll(&broker.world, "lyon"),
        Agent::enroll(&broker.world, "nantes"),
    );
    let intruder = Intruder::new(
        &agents.0,
        &broker.world,
        broker.tls_port(),
        broker.authority(),
    );
    let way = broker.ways().remove(1);
    let mut session = broker.session().await;
    try_everything(agents, intruder, &mut session, &way).await;
}
