//! Many sessions at once, in the programs as they are installed: how much memory they take.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stories::{PATIENCE, World, until};
use tokio::time::{Instant, sleep, sleep_until};

use crate::figures::{load, memory, wanted};
use crate::person::{self, PAGE, Person};
use crate::rig::{configure_agent, printers};

/// The agent hears sixty commands in a minute; a session is one.
const OPENS_EVERY: Duration = Duration::from_millis(1_050);

/// How long the crowd reads.
const READING: Duration = Duration::from_secs(10);

/// How fast each of the crowd reads, as curl takes it: slower than the tunnel, so that everything
/// that can wait does wait.
const RATE: &str = "100k";

/// The printers of the site.
const PRINTERS: usize = 50;
const NET: &str = "127.75.3";

fn tell(what: &str, world: &mut World) {
    let (agent, agent_most) = memory(world.agent().expect("it runs").pid());
    let (hub, hub_most) = memory(world.hub().expect("it runs").pid());
    println!(
        "{what}: hub {hub:.1} MiB, at most {hub_most:.1}; agent {agent:.1} MiB, at most \
         {agent_most:.1}; load {}",
        load()
    );
}

/// Reads a long log of the session's printer, slowly.
fn reads(person: &Person, session: &str) -> Child {
    let log = format!("{}/log?mib=200", person.origin(session));
    Command::new("curl")
        .args(["-sS", "--limit-rate", RATE, "-o", "/dev/null", "-b"])
        .arg(person.jar())
        .args(["--resolve", &person.resolved(session), &log])
        .stdin(Stdio::null())
        .spawn()
        .expect("curl")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/bench/tunnel"]
async fn many_sessions_at_once_are_small() {
    let mut world = World::new();
    world.hub_runs().await;
    let (_printers, snmp) = printers(&world, NET, PRINTERS).await;
    let tunnel = format!("port = {}\n", world.uplink_port());
    configure_agent(&world, (NET, PRINTERS), snmp, (&tunnel, ""));
    world.agent_is_enrolled();
    world.agent_is_started();
    until("every printer is stored", PATIENCE, || async {
        (world.printers().len() == PRINTERS).then_some(())
    })
    .await;
    let devices: Vec<String> = (1..=PRINTERS)
        .map(|n| person::device(&world, &format!("{NET}.{n}")))
        .collect();
    let person = Person::enters(&world, "a.martin");
    tell("no session", &mut world);
    let count = wanted("PLATEN_BENCH_CROWD", 200) as usize;
    let mut sessions = Vec::new();
    let began = Instant::now();
    for n in 0..count {
        sleep_until(began + OPENS_EVERY * n as u32).await;
        sessions.push(
            person
                .opens(&devices[n % PRINTERS], PAGE)
                .expect("a session"),
        );
    }
    for session in &sessions {
        let answer = person.goes_in(session);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    tell(&format!("{count} sessions, each used once"), &mut world);
    let mut crowd: Vec<Child> = sessions.iter().map(|id| reads(&person, id)).collect();
    sleep(READING).await;
    tell(&format!("{count} sessions, each read slowly"), &mut world);
    for reader in &mut crowd {
        let ended = reader.try_wait().unwrap();
        assert!(ended.is_none(), "a reader ended early: {ended:?}");
        let _ = reader.kill();
        let _ = reader.wait();
    }
    sleep(READING / 2).await;
    tell("after that", &mut world);
}
