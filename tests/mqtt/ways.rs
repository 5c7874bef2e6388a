//! Every way from the hub to an agent and back: TLS and WebSocket, MQTT 3.1.1 and 5, over both
//! brokers.

use std::time::{Duration, Instant};

use hub::door::carrier::{Arrival, Carrier};
use prost::Message;
use proto::topics::Use;
use proto::v1;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::brokers::{Mosquitto, OwnHub, outcome};
use super::site::{Agent, Way, command, connected};

/// Commands one after the other, and the longest they may take: each would wait 40 ms for an
/// acknowledgement where a socket gathers small packets (RFC 896), twice on its way.
const IN_A_ROW: u32 = 50;
const IN_A_ROW_MAX: Duration = Duration::from_secs(3);

/// A command there and its outcome back, by each way.
async fn go(agent: &Agent, ways: Vec<Way>, session: &mut (Carrier, Receiver<Arrival>)) {
    let (carrier, arrivals) = session;
    for way in ways {
        let (line, mut incoming) = agent.line(&way);
        connected(&line).await;
        presence(arrivals, &agent.id, true, &way).await;
        let begun = Instant::now();
        for n in 0..IN_A_ROW {
            let sent = n.to_be_bytes().to_vec();
            carrier.send(&agent.id, sent.clone()).await.expect("sent");
            let came = command(&mut incoming).await;
            assert_eq!(came.payload, sent, "{way:?}");
            line.answer(&came.reply, &sent).await.expect("answered");
            let arrived = outcome(arrivals).await;
            assert_eq!((&arrived.agent_id, &arrived.payload), (&agent.id, &sent));
        }
        let took = begun.elapsed();
        assert!(
            took < IN_A_ROW_MAX,
            "{IN_A_ROW} commands took {took:?} by {way:?}"
        );
        line.close().await;
        presence(arrivals, &agent.id, false, &way).await;
    }
}

async fn presence(arrivals: &mut Receiver<Arrival>, agent: &str, is_online: bool, way: &Way) {
    let arrival = timeout(stories::PATIENCE, arrivals.recv()).await;
    let arrival = arrival.expect("a presence in time").expect("a session");
    assert_eq!((arrival.said, &*arrival.agent_id), (Use::Presence, agent));
    let presence = v1::Presence::decode(&*arrival.payload).expect("a presence");
    assert_eq!(presence.is_online, is_online, "{way:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_every_way_over_the_hubs_own_broker() {
    let mut hub = OwnHub::start().await;
    let agent = Agent::enroll(&hub.world, "lyon");
    let ways = hub.ways(&agent.authority);
    go(&agent, ways, hub.session()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_every_way_over_mosquitto() {
    let mut broker = Mosquitto::start().await;
    let agent = Agent::enroll(&broker.world, "lyon");
    let mut session = broker.session().await;
    go(&agent, broker.ways(), &mut session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_cut_within_a_minute() {
    let hub = OwnHub::start().await;
    let agent = Agent::enroll(&hub.world, "lyon");
    let way = hub.ways(&agent.authority).remove(0);
    let (line, _incoming) = agent.line(&way);
    connected(&line).await;
    let begun = Instant::now();
    let said = hub.world.hub_says(&["agent", "revoke", "lyon"]);
    assert!(said.status.success());
    let mut state = line.state();
    let cut = state.wait_for(|state| !state.is_connected);
    let cut = timeout(Duration::from_secs(60), cut).await;
    drop(cut.expect("in a minute").expect("a line"));
    assert!(begun.elapsed() < Duration::from_secs(60));
    // And it does not come back.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!line.state().borrow().is_connected);
}

/// An uplink that panicked is made anew, and opens another line with the same identity.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_whose_owner_is_gone_makes_room() {
    let hub = OwnHub::start().await;
    let agent = Agent::enroll(&hub.world, "lyon");
    let way = hub.ways(&agent.authority).remove(3);
    for _ in 0..3 {
        let (line, incoming) = agent.line(&way);
        connected(&line).await;
        let mut state = line.state();
        state.mark_unchanged();
        let changed = timeout(Duration::from_secs(2), state.changed()).await;
        assert!(changed.is_err(), "{:?}", line.state().borrow());
        drop((line, incoming));
    }
}
