//! What befalls printers of every maker between two readings: counters come to their end or are set to
//! nothing, supplies are replaced before they are empty. Each is told apart, and none makes a spike.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use printer::change::{Change, between};
use printer::decrease::Decrease;
use printer::meter::MeterName;
use printer::reading::Reading;
use printer::supply::Level;
use simulator::Fleet;
use stories::{PATIENCE, World, until};
use tempfile::TempDir;

/// The printer whose maker says where its engine's counter ends.
const ENDING: &str = "hp-laserjet-m507dn";

/// Where that is.
const END: u64 = 1_000_000;

/// How much life passes between two readings: at 30 pages a minute less than what is believed of a
/// printer in the seconds that pass meanwhile.
///
/// It is handed to the fleet as so much of its own time, which goes [`SPEED`] times as fast.
const STEP: Duration = Duration::from_secs(30 * 60 / SPEED);

/// Simulated seconds a second: a printer that starts is silent for two seconds.
const SPEED: u64 = 30;

/// How many such steps.
const STEPS: usize = 24;

/// Most pages that a printer makes in one step, at a page in 2 s.
const STEP_PAGES: u64 = 900;

/// A fleet with a printer of each recording; the names of those that count pages.
fn fleet() -> (String, Vec<String>) {
    let mut names: Vec<String> = ["", "makers"]
        .iter()
        .flat_map(|part| {
            let files = std::fs::read_dir(stories::recordings().join(part)).expect("recordings");
            files.filter_map(move |file| {
                let name = file
                    .expect("a file")
                    .file_name()
                    .into_string()
                    .expect("a name");
                let name = name.strip_suffix(".snmprec")?.to_owned();
                let is_printer = !name.contains('@') && !name.starts_with("switch");
                is_printer
                    .then(|| format!("{part}{}{name}", if part.is_empty() { "" } else { "/" }))
            })
        })
        .collect();
    names.sort();
    let mut text = String::from(
        "seed = 5\nspeed = 30.0\n[life]\npages_per_hour = 700\njams_per_10000_pages = 0\nreboot_hours = 0\n\
         sleep = \"never\"\nearly_percent = 60\nreset_hours = 8\n",
    );
    for (number, name) in names.iter().enumerate() {
        text += &format!(
            "[[printers]]\nrecording = \"{name}\"\naddresses = \"127.33.0.{}\"\n",
            number + 1
        );
        if name == ENDING {
            text += &format!("life = {{ rolls_over_at = {END}, reset_hours = 0 }}\n");
        }
    }
    (text, names)
}

/// Our recordings in another folder, in which that printer's engine has counted nearly to its end.
fn near_the_end(names: &[String]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("makers")).expect("a folder");
    for name in names {
        let file = format!("{name}.snmprec");
        let text = std::fs::read(stories::recordings().join(&file)).expect("a recording");
        let text = match String::from_utf8(text) {
            Ok(text) if name == ENDING => {
                assert!(text.contains("|88213"), "its engine's count is another");
                text.replace("|88213", &format!("|{}", END - 3 * STEP_PAGES))
                    .into_bytes()
            }
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        std::fs::write(folder.path().join(file), text).expect("a recording");
    }
    folder
}

/// The fleet, which answers for the story's addresses.
fn rack(text: &str, recordings: &Path) -> simulator::Running {
    let mut fleet = Fleet::parse(text, recordings).expect("a fleet");
    (fleet.port, fleet.recordings) = (0, recordings.to_owned());
    simulator::run(fleet, std::future::pending()).expect("it runs")
}

/// The readings of the hub by device, oldest first.
async fn histories(world: &World) -> BTreeMap<String, Vec<Reading>> {
    let mut histories: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
    for stored in world.readings().await {
        let reading = serde_json::from_str(&stored.body).expect("a reading");
        histories.entry(stored.device).or_default().push(reading);
    }
    histories
}

/// What was seen, counted.
#[derive(Debug, Default)]
struct Seen {
    rollovers: usize,
    resets: BTreeMap<String, usize>,
    early: BTreeMap<String, usize>,
}

fn looked_at(older: &Reading, newer: &Reading, seen: &mut Seen) {
    let who = newer.address.expect("an address").to_string();
    let changes = between(older, newer);
    for meter in &newer.meters {
        let key = (&meter.name, &meter.label);
        let mut before = older.meters.iter();
        let Some(before) = before.find(|it| (&it.name, &it.label) == key) else {
            continue;
        };
        // Meters of length count some units a label.
        let most = if meter.name == MeterName::TOTAL {
            STEP_PAGES * 16
        } else {
            u64::MAX
        };
        // It begins anew with every start, which is told.
        if meter.name == MeterName::SINCE_POWER_ON {
            continue;
        }
        if meter.value >= before.value {
            assert!(
                meter.value - before.value <= most,
                "{who}: {before:?}, {meter:?}"
            );
            continue;
        }
        let is_told = changes.iter().any(|change| {
            matches!(change, Change::CounterDecreased { name, label, .. } if (name, label) == key)
        });
        assert!(
            is_told,
            "{who}: {before:?} fell to {meter:?} and nothing says so: {changes:?}"
        );
    }
    for change in &changes {
        match change {
            Change::CounterDecreased {
                cause, from, to, ..
            } => match cause {
                Decrease::Rollover { limit, counted } => {
                    assert_eq!((*limit, *counted), (END, END - from + to), "{who}");
                    seen.rollovers += 1;
                }
                Decrease::Reset => *seen.resets.entry(who.clone()).or_default() += 1,
                other => panic!("{who}: {from} to {to} is {other:?}"),
            },
            Change::SupplyReplaced {
                from: Some(from), ..
            } => {
                if matches!(from, Level::Percent { percent } if *percent > 0.0) {
                    *seen.early.entry(who.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_resets_and_early_cartridges_are_told_apart_and_make_no_spike() {
    let (text, names) = fleet();
    let folder = near_the_end(&names);
    let rack = rack(&text, folder.path());
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.33.0.0/24"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("all printers are stored", PATIENCE, || async {
        (world.printers().len() == names.len()).then_some(())
    })
    .await;
    for _ in 0..STEPS {
        let before = histories(&world).await;
        rack.jump(STEP).await;
        // One that was underway when they lived on, and one after it.
        until("all are read again", PATIENCE, || async {
            let now = histories(&world).await;
            let is_again = |(device, then): (&String, &Vec<Reading>)| {
                now.get(device).is_some_and(|now| now.len() > then.len())
            };
            before.iter().all(is_again).then_some(())
        })
        .await;
    }

    let mut seen = Seen::default();
    let histories = histories(&world).await;
    assert_eq!(histories.len(), names.len(), "nobody became somebody else");
    for readings in histories.values() {
        for pair in readings.windows(2) {
            looked_at(&pair[0], &pair[1], &mut seen);
        }
    }
    println!("{seen:?}");
    assert!(seen.rollovers > 0, "{seen:?}");
    assert!(seen.resets.len() > names.len() / 2, "{seen:?}");
    assert!(seen.early.len() > names.len() / 3, "{seen:?}");
}
