//! A broker that is killed again and again costs no command.
//!
//! The desk and the doer here are the plainest that keep the promise: whoever sends repeats what
//! has no outcome, and whoever does remembers what it did. `PLATEN_BROKER_KILLS=PERIOD,WHOLE` (in
//! seconds) sets how often the broker is killed and for how long: `30,600` is the long form.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::mqtt::{CommandLine, Incoming};
use hub::door::carrier::{Arrival, Carrier};
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

use super::brokers::{Killable, Mosquitto, OwnHub, stands};
use super::site::{Agent, connected};

/// How long the desk waits for an outcome before it sends again.
const RESEND: Duration = Duration::from_secs(3);

/// Longest that the last outcome may take once the broker stays: a line that was cut again and again
/// waits up to a minute before it tries again, and what it missed is then sent again.
const SETTLE: Duration = Duration::from_secs(120);

/// How often, and for how long.
fn kills() -> (Duration, Duration) {
    let long = std::env::var("PLATEN_BROKER_KILLS").ok();
    let long = long.and_then(|text| {
        let (period, whole) = text.split_once(',')?;
        Some((period.parse().ok()?, whole.parse().ok()?))
    });
    let (period, whole) = long.unwrap_or((2, 20));
    (Duration::from_secs(period), Duration::from_secs(whole))
}

/// What the agent did, each once, and how many deliveries there were.
#[derive(Default)]
struct Done {
    commands: HashSet<u32>,
    deliveries: u32,
}

/// Does each command once, and answers each delivery.
async fn work(line: CommandLine, mut incoming: Receiver<Incoming>, done: Arc<Mutex<Done>>) {
    while let Some(command) = incoming.recv().await {
        let id = u32::from_be_bytes(command.payload[..4].try_into().expect("an id"));
        {
            let mut done = done.lock().expect("no panic");
            done.deliveries += 1;
            done.commands.insert(id);
        }
        let line = line.clone();
        tokio::spawn(async move {
            // Not arrived: the command comes again.
            let _ = line.answer(&command.reply, &id.to_be_bytes()).await;
        });
    }
}

/// What the desk knows.
#[derive(Default)]
struct Desk {
    next: u32,
    open: HashMap<u32, Option<Instant>>,
    answered: HashSet<u32>,
}

impl Desk {
    /// Those that were never sent, or sent too long ago.
    fn due(&mut self) -> Vec<u32> {
        let now = Instant::now();
        let is_due = |at: &Option<Instant>| at.is_none_or(|at| now - at > RESEND);
        let due: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, at)| is_due(at))
            .map(|(id, _)| *id)
            .collect();
        for id in &due {
            self.open.insert(*id, Some(now));
        }
        due
    }

    fn issue(&mut self) {
        self.open.insert(self.next, None);
        self.next += 1;
    }

    /// Sends what is due; whoever is away keeps it open.
    fn send(&mut self, carrier: &Carrier, agent: &str) {
        for id in self.due() {
            let (carrier, agent) = (carrier.clone(), agent.to_owned());
            tokio::spawn(async move { carrier.send(&agent, id.to_be_bytes().to_vec()).await });
        }
    }

    fn hear(&mut self, arrivals: &mut Receiver<Arrival>) {
        while let Ok(arrival) = arrivals.try_recv() {
            if arrival.said == proto::topics::Use::Outcome {
                let id = u32::from_be_bytes(arrival.payload[..4].try_into().expect("an id"));
                self.open.remove(&id);
                self.answered.insert(id);
            }
        }
    }
}

fn judge(desk: &Desk, done: &Mutex<Done>, killed: u32) {
    let done = done.lock().expect("no panic");
    assert!(
        killed >= 3 && desk.next > 50,
        "{killed} kills, {} commands",
        desk.next
    );
    let issued: HashSet<u32> = (0..desk.next).collect();
    assert!(
        desk.answered == issued,
        "every command is answered, and no other"
    );
    assert!(
        done.commands == issued,
        "every command is done, and no other"
    );
    println!(
        "{killed} kills, {} commands, {} deliveries",
        desk.next, done.deliveries
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mosquitto_that_is_killed_loses_no_command() {
    let mut broker = Mosquitto::start().await;
    let agent = Agent::enroll(&broker.world, "lyon");
    let (carrier, mut arrivals) = broker.session().await;
    // TLS and MQTT 5. Its WebSockets cut a client now and then that hundreds of commands waited for;
    // the hub's own broker is killed with those.
    let (line, incoming) = agent.line(&broker.ways().remove(1));
    connected(&line).await;
    let done = Arc::new(Mutex::new(Done::default()));
    tokio::spawn(work(line, incoming, Arc::clone(&done)));
    let (period, whole) = kills();
    let (begun, mut killed, mut desk) = (Instant::now(), 0, Desk::default());
    while begun.elapsed() < whole {
        let turn = Instant::now();
        while turn.elapsed() < period {
            desk.issue();
            desk.send(&carrier, &agent.id);
            desk.hear(&mut arrivals);
            sleep(Duration::from_millis(50)).await;
        }
        Killable::kill(&mut broker);
        killed += 1;
        Killable::again(&mut broker).await;
    }
    let settled = async {
        while !desk.open.is_empty() {
            desk.send(&carrier, &agent.id);
            desk.hear(&mut arrivals);
            sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = timeout(SETTLE, settled).await;
    assert!(settled.is_ok(), "still open: {:?}", desk.open.keys());
    judge(&desk, &done, killed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_killed_with_its_broker_loses_no_command() {
    let mut hub = OwnHub::start().await;
    let agent = Agent::enroll(&hub.world, "lyon");
    let (line, incoming) = agent.line(&hub.ways(&agent.authority).remove(3));
    connected(&line).await;
    let done = Arc::new(Mutex::new(Done::default()));
    tokio::spawn(work(line, incoming, Arc::clone(&done)));
    let (period, whole) = kills();
    // The desk is of a store that outlives the hub.
    let (begun, mut killed, mut desk) = (Instant::now(), 0, Desk::default());
    while begun.elapsed() < whole {
        let turn = Instant::now();
        while turn.elapsed() < period {
            let (carrier, arrivals) = hub.session();
            desk.issue();
            desk.send(carrier, &agent.id);
            desk.hear(arrivals);
            sleep(Duration::from_millis(50)).await;
        }
        Killable::kill(&mut hub);
        killed += 1;
        Killable::again(&mut hub).await;
        stands(&hub.session().0).await;
    }
    let settled = async {
        while !desk.open.is_empty() {
            let (carrier, arrivals) = hub.session();
            desk.send(carrier, &agent.id);
            desk.hear(arrivals);
            sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = timeout(SETTLE, settled).await;
    assert!(settled.is_ok(), "still open: {:?}", desk.open.keys());
    judge(&desk, &done, killed);
}
