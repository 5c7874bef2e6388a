//! Two ids of one printer become one at the hub, and two again: nothing is lost, and no other tenant's
//! printer can be reached.

use serde_json::Value;
use sqlx::Executor;
use sqlx::sqlite::SqliteConnectOptions;
use stories::{PATIENCE, World, until};

/// Two printers that a person takes for one.
const FLEET: &str = "seed = 27\nspeed = 1.0\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
    addresses = [\"127.34.0.1\", \"127.34.0.2\"]\nserial = \"VNC{n:7}\"\n";

/// A device that another tenant of the same hub has.
const STRANGER: &str = "000000000000000000000000000000aa";

fn says(world: &World, args: &[&str]) -> String {
    let said = world.hub_says(args);
    assert!(said.status.success(), "{args:?}: {said:?}");
    let both = [said.stdout.as_slice(), said.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn refused(world: &World, args: &[&str]) -> String {
    let said = world.hub_says(args);
    assert!(!said.status.success(), "{args:?}: {said:?}");
    String::from_utf8_lossy(&said.stderr).into_owned()
}

/// The ids that `printer ls` lists.
fn listed(world: &World, more: &[&str]) -> Vec<String> {
    let said = says(world, &[&["printer", "ls", "--json"], more].concat());
    let list: Value = serde_json::from_str(&said).expect("JSON");
    let all = list["printers"].as_array().expect("a list").iter();
    all.map(|it| it["device"].as_str().expect("an id").to_owned())
        .collect()
}

/// Two printers that are read, then nobody: what the hub holds stands still.
async fn two_were_read(world: &mut World) -> (String, String) {
    let rack = stories::rack(FLEET);
    world.hub_runs().await;
    world.agent_is_configured(&["127.34.0.1-2"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("both are read some times", PATIENCE, || async {
        (world.printers().len() == 2 && world.readings().await.len() > 4).then_some(())
    })
    .await;
    assert_eq!(world.agent_ends().await, Some(0));
    let mut all = listed(world, &[]).into_iter();
    (all.next().expect("one"), all.next().expect("another"))
}

/// A printer of another tenant, put into the store behind the hub's back.
async fn another_tenant_has_one(world: &World, like: &str) {
    let file = SqliteConnectOptions::new().filename(world.path("hub/hub.db"));
    let store = sqlx::SqlitePool::connect_with(file)
        .await
        .expect("the store");
    for (table, columns) in [
        ("agents", "tenant = 'other'"),
        (
            "devices",
            "tenant = 'other', device = '000000000000000000000000000000aa'",
        ),
    ] {
        let wanted = if table == "devices" {
            format!("WHERE device = '{like}'")
        } else {
            String::new()
        };
        let copy = format!(
            "CREATE TEMP TABLE copied AS SELECT * FROM {table} {wanted};
             UPDATE copied SET {columns}; INSERT INTO {table} SELECT * FROM copied;
             DROP TABLE copied;"
        );
        let mut line = store.acquire().await.expect("a line");
        line.execute(sqlx::AssertSqlSafe(copy))
            .await
            .expect("copied");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ids_become_one_printer_and_two_again_and_nothing_is_lost() {
    let mut world = World::new();
    let (one, other) = two_were_read(&mut world).await;
    let before = world.dump().await;
    let shown = [&one, &other].map(|id| says(&world, &["printer", "show", id]));

    let reason = ["--reason", "one printer, says the site"];
    says(
        &world,
        &[&["printer", "merge", &one, &other], &reason[..]].concat(),
    );
    assert_eq!(listed(&world, &[]).len(), 1, "a merged printer is one");
    assert_eq!(
        listed(&world, &["--parts"]).len(),
        2,
        "its parts on request"
    );
    assert_eq!(says(&world, &["printer", "ls", "--count"]).trim(), "1");
    for id in [&one, &other] {
        let shown = says(&world, &["printer", "show", id]);
        assert!(shown.contains(&format!("part {one}")), "{shown}");
        // What became of its keys is an event of the one printer, though each part had its own.
        assert!(shown.contains("another serial"), "{shown}");
    }
    let again = [&["printer", "merge", &other, &one], &reason[..]].concat();
    assert!(refused(&world, &again).contains("one printer already"));
    assert_eq!(world.dump().await, before, "readings keep their device");

    says(&world, &[&["printer", "split", &one], &reason[..]].concat());
    assert_eq!(listed(&world, &[]).len(), 2);
    assert_eq!(world.dump().await, before, "nothing is lost");
    let after = [&one, &other].map(|id| says(&world, &["printer", "show", id]));
    assert_eq!(after, shown, "each is as it was");
    let split = [&["printer", "split", &one], &reason[..]].concat();
    assert!(refused(&world, &split).contains("is part of another"));
    says(&world, &["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_printer_is_merged_with_one_of_another_tenant() {
    let mut world = World::new();
    let (one, _) = two_were_read(&mut world).await;
    another_tenant_has_one(&world, &one).await;
    let before = world.dump().await;
    assert!(
        before.iter().any(|line| line.contains(STRANGER)),
        "it is in the store"
    );
    let reason = ["--reason", "a try"];
    for pair in [[one.as_str(), STRANGER], [STRANGER, one.as_str()]] {
        let args = [&["printer", "merge"], &pair[..], &reason[..]].concat();
        assert!(refused(&world, &args).contains("there is no printer"));
    }
    let apart = [&["printer", "apart", STRANGER], &reason[..]].concat();
    assert!(refused(&world, &apart).contains("there is no printer"));
    assert_eq!(listed(&world, &[]).len(), 2);
    assert_eq!(world.dump().await, before);
}
