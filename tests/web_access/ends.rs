//! Agent, gateway and network die in the middle of a session: it ends with a reason, and a new one
//! opens.

use std::time::Duration;

use stories::{PATIENCE, World, until};

use crate::person::{self, PAGE, Person, device};

fn fleet(net: u8) -> String {
    format!(
        "seed = 74\nfrozen = true\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
         addresses = \"127.74.{net}.1\"\nweb = {{ page = \"log\", port = 8000 }}\n"
    )
}

/// A session that lost an end is over within this.
const OVER: Duration = Duration::from_secs(30);

const SERIAL: &str = "R4H0A00118";

async fn opened(rack: &simulator::Running, net: u8) -> (World, Person, String, String) {
    let world = person::house(rack, &format!("127.74.{net}.1-4"), 1).await;
    let person = Person::enters(&world, "a.martin");
    let device = device(&world, &format!("127.74.{net}.1"));
    let session = person.opens(&device, PAGE).expect("a session");
    assert!(person.goes_in(&session).body.contains(SERIAL));
    (world, person, device, session)
}

/// A new session shows the printer.
async fn a_new_one_opens(person: &Person, device: &str) {
    until("a new session shows the printer", PATIENCE, || async {
        let session = person.opens(device, PAGE).ok()?;
        person.goes_in(&session).body.contains(SERIAL).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_ends_its_sessions_with_a_reason() {
    let rack = stories::rack(&fleet(0));
    let (mut world, person, device, session) = opened(&rack, 0).await;
    world.agent_is_killed();
    let told = person::ended(&world, &session, OVER).await;
    assert_eq!(told["cause"], "link-lost", "{told}");
    assert_ne!(person.looks(&session, "/", &[]).status, 200);
    world.agent_is_started();
    a_new_one_opens(&person, &device).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_ends_its_sessions_with_a_reason() {
    let rack = stories::rack(&fleet(1));
    let (mut world, person, device, session) = opened(&rack, 1).await;
    world.hub_is_killed();
    world.hub_is_started();
    world.hub_is_healthy().await;
    let told = person::ended(&world, &session, OVER).await;
    assert_eq!(told["cause"], "hub-ends", "{told}");
    a_new_one_opens(&person, &device).await;
    // The agent let go of its end too.
    until("one session is open at the site", PATIENCE, || async {
        let said = world.agent_says("sessions", &["--json"]);
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).ok()?;
        let all = said["sessions"].as_array().or(said.as_array())?;
        let open = all.iter().filter(|it| it["stage"] == "open");
        (open.count() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_sees_a_session_and_ends_it() {
    let rack = stories::rack(&fleet(2));
    let (world, person, device, session) = opened(&rack, 2).await;
    let said = world.agent_says("sessions", &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&session[..8]), "{said}");
    assert!(said.contains("a story"), "{said}");
    let config = world.path("agent.toml");
    let config = config.to_str().expect("a path of text");
    let end = world.platen(&["sessions", "end", &session, "--config", config]);
    assert!(end.status.success(), "{end:?}");
    let told = person::ended(&world, &session, OVER).await;
    assert_eq!(told["cause"], "site", "{told}");
    a_new_one_opens(&person, &device).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_cuts_what_flows_within_five_seconds() {
    let rack = stories::rack(&fleet(3));
    let (world, person, _, session) = opened(&rack, 3).await;
    let began = std::time::Instant::now();
    let cut = std::thread::scope(|scope| {
        let flowing =
            scope.spawn(|| person.looks(&session, "/log?mib=100000", &["-o", "/dev/null"]));
        std::thread::sleep(Duration::from_secs(2));
        let end = person.portal(&format!("/sessions/{session}/end"));
        let mine = Person::enters(&world, "a.martin");
        mine.sends(&end, &["-d", ""]);
        let asked = std::time::Instant::now();
        flowing.join().expect("curl");
        asked.elapsed()
    });
    assert!(cut < Duration::from_secs(5), "{cut:?} after the end");
    assert!(began.elapsed() > Duration::from_secs(2), "it flowed");
    let told = person::ended(&world, &session, PATIENCE).await;
    assert_eq!(told["cause"], "person", "{told}");
}
