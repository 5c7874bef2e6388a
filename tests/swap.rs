//! Two printers swap addresses while they are read: no reading is attributed to the wrong one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use stories::{PATIENCE, World, until};

/// Two printers of different makers, whose counters are far apart.
const FLEET: &str = "seed = 11\nspeed = 600.0\n\
    [[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"127.32.0.1\"\n\
    [[printers]]\nrecording = \"xerox-versalink-c505\"\naddresses = \"127.32.0.2\"\n";

/// How often they swap. Readings take some milliseconds and come every second, so that swaps
/// meet them before, after and underway.
const SWAPS: u64 = 40;

/// A printer that knows a user alone, and one that speaks version 2c alone.
const PLACES: &str = "seed = 11\nfrozen = true\n\
    [[users]]\nname = \"mps\"\nauth = \"sha256\"\nauth_password = \"auth-password\"\n\
    [[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"127.32.1.1\"\n\
    versions = [\"3\"]\n\
    [[printers]]\nrecording = \"xerox-versalink-c505\"\naddresses = \"127.32.1.2\"\n\
    versions = [\"2c\"]\n";

/// Longest until a silent printer is let go, three sweeps of rounds that each wait 3 s, and found anew.
const LET_GO: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn printers_that_swap_addresses_keep_their_own_readings() {
    let rack = stories::rack(FLEET);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.32.0.1-2"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("both printers are stored", PATIENCE, || async {
        (world.printers().len() == 2).then_some(())
    })
    .await;
    let before = world.readings().await.len();

    let (a, b): (IpAddr, IpAddr) = ([127, 32, 0, 1].into(), [127, 32, 0, 2].into());
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    for swap in 0..SWAPS {
        rack.swap(a, b).await.expect("both are in the rack");
        // Uneven gaps of 50 to 600 ms, so that no swap keeps step with the readings.
        for _ in 0..50 + swap * 137 % 550 {
            ticks.tick().await;
        }
    }
    let swapped = world.readings().await.len();
    until("both are read in peace again", PATIENCE, || async {
        (world.readings().await.len() > swapped + 4).then_some(())
    })
    .await;

    let readings = world.readings().await;
    assert!(
        readings.len() > before + 4,
        "they were read while they swapped"
    );
    let mut serials: BTreeMap<String, String> = BTreeMap::new();
    let mut totals: BTreeMap<String, i64> = BTreeMap::new();
    for reading in &readings {
        let body: Value = serde_json::from_str(&reading.body).expect("a reading");
        let serial = body["identity"]["serial"]
            .as_str()
            .expect("a serial")
            .to_owned();
        let known = serials
            .entry(reading.device.clone())
            .or_insert_with(|| serial.clone());
        assert_eq!(
            *known, serial,
            "a reading of {serial} was attributed to {known}"
        );
        let total = reading.total.expect("a total");
        let last = totals
            .insert(reading.device.clone(), total)
            .unwrap_or(total);
        assert!(
            total >= last,
            "{serial} went from {last} to {total}: another's counter"
        );
        assert!(
            total - last < 100_000,
            "{serial} went from {last} to {total}: another's counter"
        );
    }
    assert_eq!(serials.len(), 2, "two printers, two devices: {serials:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_place_of_a_user_is_found_once_that_is_let_go() {
    let rack = stories::rack(PLACES);
    let mut world = World::new();
    world.hub_runs().await;
    std::fs::write(world.path("password"), "auth-password\n").expect("a password");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(world.path("password"), private).expect("a mode");
    let more = format!(
        "[[ranges]]\naddresses = [\"127.32.1.1\"]\ncredentials = [\"mps\", \"public\"]\n\
         [credentials.mps]\nversion = \"3\"\nuser = \"mps\"\nauth = \"sha256\"\n\
         auth_password_file = {:?}\n",
        world.path("password")
    );
    world.agent_is_configured(&["127.32.1.99"], rack.port, &more);
    world.agent_is_enrolled();
    world.agent_is_started();
    until("the user's printer is stored", PATIENCE, || async {
        (world.printers().len() == 1).then_some(())
    })
    .await;
    let (inside, outside): (IpAddr, IpAddr) = ([127, 32, 1, 1].into(), [127, 32, 1, 2].into());
    rack.swap(inside, outside)
        .await
        .expect("both are in the rack");
    until("its successor is stored", LET_GO, || async {
        (world.printers().len() == 2).then_some(())
    })
    .await;
    assert_eq!(world.agent_ends().await, Some(0));
}
