//! What befalls the printers of a site while they are read: they swap addresses, their boards are
//! changed and exchanged, one is replaced, two have one serial number, one tells it late. What the hub
//! holds is compared with the truth, which the simulator keeps in their names: a name decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use simulator::Fate;
use stories::{PATIENCE, World, until};

/// Eight printers of one model and one age, two of them on the shelf: nothing but their keys tells
/// them apart. They print less than once a minute, as their clocks are those of the agent.
const FLEET: &str = "seed = 26\nspeed = 1.0\n[life]\npages_per_hour = 40\nreboot_hours = 0\n\
    sleep = \"never\"\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
    addresses = [\"127.33.0.1\", \"127.33.0.2\", \"127.33.0.3\", \"127.33.0.4\", \"127.33.0.5\", \
    \"127.33.0.6\", \"127.33.0.7\", \"127.33.0.8\"]\nname = \"body-{n}\"\nserial = \"VNB{n:7}\"\n";

/// Readings of each printer that are waited for after each stroke.
const READINGS_BETWEEN: usize = 2;

/// Longest until a stroke is noticed and everybody is read again.
const NOTICED: Duration = Duration::from_secs(60);

fn at(last: u8) -> IpAddr {
    [127, 33, 0, last].into()
}

/// Which printer each reading is of, by the truth; by device.
async fn bodies(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut bodies: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for reading in world.readings().await {
        let body: Value = serde_json::from_str(&reading.body).expect("a reading");
        let name = body["identity"]["host_name"].as_str().expect("a name");
        let device = bodies.entry(reading.device).or_default();
        device.push(name.to_owned());
    }
    bodies
}

/// Waits until each of these printers was read some times more.
async fn are_read_again(world: &World, names: &[&str]) {
    let count = |bodies: &BTreeMap<String, Vec<String>>, name: &str| {
        let all = bodies.values().flatten();
        all.filter(|it| *it == name).count()
    };
    let before = bodies(world).await;
    until("all are read again", NOTICED, || async {
        let now = bodies(world).await;
        let is_read = |name: &&str| count(&now, name) >= count(&before, name) + READINGS_BETWEEN;
        names.iter().all(is_read).then_some(())
    })
    .await;
}

/// The devices under which a printer was read, by the truth.
fn ids<'a>(bodies: &'a BTreeMap<String, Vec<String>>, name: &str) -> BTreeSet<&'a str> {
    let is_of_it = |(_, names): &(&String, &Vec<String>)| names.iter().any(|it| it == name);
    let devices = bodies.iter().filter(is_of_it);
    devices.map(|(device, _)| device.as_str()).collect()
}

/// Everything that happens; the names of those that are read at the end.
async fn fate(world: &World, rack: &simulator::Running) -> [&'static str; 6] {
    let befall = async |last: u8, fate: Fate| rack.befall(at(last), fate).await.expect("there");
    let swap = async |a: u8, b: u8| rack.swap(at(a), at(b)).await.expect("both are there");
    let first = ["body-0", "body-1", "body-2", "body-3", "body-4", "body-5"];
    are_read_again(world, &first).await;
    swap(1, 2).await;
    are_read_again(world, &first).await;
    befall(1, Fate::NewBoard).await;
    are_read_again(world, &first).await;
    befall(5, Fate::TellSerial).await;
    are_read_again(world, &first).await;
    let whole = bodies(world).await;
    for name in first {
        assert_eq!(
            ids(&whole, name).len(),
            1,
            "{name} was known again each time"
        );
    }
    // A replacement, at the address of the one before.
    swap(2, 7).await;
    let second = ["body-1", "body-6", "body-2", "body-3", "body-4", "body-5"];
    are_read_again(world, &second).await;
    // Another with a serial number that is there already.
    befall(8, Fate::SerialOf(at(1))).await;
    swap(6, 8).await;
    let last = ["body-1", "body-6", "body-2", "body-3", "body-4", "body-7"];
    are_read_again(world, &last).await;
    // Two without serial numbers, of one age, exchange their boards: nobody can tell.
    befall(3, Fate::ExchangeBoards(at(4))).await;
    are_read_again(world, &last).await;
    last
}

fn doubts(world: &World) -> Vec<Value> {
    let said = world.hub_says(&["printer", "doubts", "--json"]);
    assert!(said.status.success(), "{said:?}");
    let list: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    list["doubts"].as_array().expect("a list").clone()
}

/// Whether one of these says that a device may be one of the others.
fn is_said(doubts: &[Value], device: &str, others: &BTreeSet<&str>) -> bool {
    doubts.iter().any(|doubt| {
        let may_be = doubt["may_be"].as_array().into_iter().flatten();
        let names = |it: &Value| it.as_str().is_some_and(|it| others.contains(it));
        doubt["device"] == device && may_be.into_iter().any(names)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_its_printers_a_site_counts_nothing_for_another_one() {
    let rack = stories::rack(FLEET);
    for last in [3, 4, 5] {
        rack.befall(at(last), Fate::HideSerial)
            .await
            .expect("there");
    }
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.33.0.1-6"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("all six are stored", PATIENCE, || async {
        (world.printers().len() == 6).then_some(())
    })
    .await;
    fate(&world, &rack).await;

    let whole = bodies(&world).await;
    let readings: usize = whole.values().map(Vec::len).sum();
    for (device, names) in &whole {
        let names: BTreeSet<&String> = names.iter().collect();
        assert_eq!(names.len(), 1, "{device} has readings of {names:?}");
    }
    println!(
        "{readings} readings of {} devices, none at a wrong one",
        whole.len()
    );
    for name in ["body-0", "body-1", "body-4", "body-5", "body-6", "body-7"] {
        assert_eq!(ids(&whole, name).len(), 1, "{name} has one id");
    }
    for name in ["body-2", "body-3"] {
        let ids = ids(&whole, name);
        assert_eq!(ids.len(), 2, "{name} was kept apart: {ids:?}");
        until("the hub says so", NOTICED, || async {
            let doubts = doubts(&world);
            ids.iter()
                .any(|id| is_said(&doubts, id, &ids))
                .then_some(())
        })
        .await;
    }
    let status = world.status().expect("a status");
    let listed = status["printers"]["doubtful_listed"]
        .as_array()
        .expect("a list");
    assert!(listed.len() >= 2, "{status}");
    let said = world.agent_says("status", &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains("Doubtful") && said.contains("kept apart"),
        "{said}"
    );

    // A person says of one that it is the one before, and of the other that it is not.
    let answers = |name: &str, verb: &str| {
        let ids = ids(&whole, name);
        let doubts = doubts(&world);
        let doubtful = ids
            .iter()
            .find(|id| is_said(&doubts, id, &ids))
            .expect("one");
        let before = ids.iter().find(|id| *id != doubtful).expect("another");
        let args = match verb {
            "merge" => vec!["printer", "merge", before, doubtful, "--reason", "it is"],
            verb => vec!["printer", verb, doubtful, "--reason", "it is not"],
        };
        let done = world.hub_says(&args);
        assert!(done.status.success(), "{done:?}");
        let after = self::doubts(&world);
        assert!(
            !after.iter().any(|it| it["device"] == **doubtful),
            "{after:?}"
        );
    };
    answers("body-2", "merge");
    answers("body-3", "apart");
    assert_eq!(world.agent_ends().await, Some(0));
}
