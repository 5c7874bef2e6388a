//! Identity: enrolled with a person's word, renewed, refused, and never held by two unnoticed.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::keeper::{Keeper, KeyChoice};
use actors::parts::HubLink;
use agent::enroll::{EnrollError, Enrollment, OneTimeCode, enroll};
use agent::identity::Identity;
use agent::identity::keeper::{IdentityKeeper, renew_with_new_key};
use agent::identity::refusals::{REFUSALS_MAX, Tally};
use hub::ca::{Authority, CheckedRequest};
use hub::store::invitations::{self, Answer};
use hub::store::{Store, Tenant};
use jiff::Timestamp;
use serde_json::Value;
use stories::{PATIENCE, Running, World, program, until};

/// A range in which nobody lives: these stories are about the hub.
const NOBODY: &[&str] = &["127.255.255.1"];

/// Longest a revocation may take to be felt.
const REVOKED_WITHIN: Duration = Duration::from_secs(60);

/// Longest an agent may take to try again after it was refused some times.
const TRIES_AGAIN: Duration = Duration::from_secs(90);

fn words(said: &Output) -> String {
    let both = [said.stdout.as_slice(), said.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[track_caller]
fn done(said: &Output) -> String {
    assert!(said.status.success(), "{}", words(said));
    words(said)
}

/// What the hub knows of the only agent.
fn agent_row(world: &World) -> Value {
    let said = world.hub_says(&["agent", "ls", "--json"]);
    let list: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    list["agents"][0].clone()
}

/// Waits until the hub has heard the agent after `since`.
async fn is_heard(world: &World, since: Timestamp) {
    until("the agent is heard", TRIES_AGAIN, || async {
        let at: Timestamp = agent_row(world)["last_poll"].as_str()?.parse().ok()?;
        (at > since).then_some(())
    })
    .await;
}

async fn world_with_agent() -> World {
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(NOBODY, 161, "");
    world.agent_is_enrolled();
    world
}

/// Runs the printed line for the World's agent; what it says can be read when it ends.
fn enrolling(world: &World, line: &str, more: &[&str]) -> Child {
    Command::new(program("platen"))
        .args(line.split_whitespace().skip(1))
        .arg("--state-dir")
        .arg(world.path("agent"))
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("platen runs")
}

/// The fingerprint that an agent shows while it waits for approval.
fn shown(waiting: &mut Child) -> String {
    let said = BufReader::new(waiting.stderr.as_mut().expect("piped"));
    let mut digits = None;
    for line in said.lines() {
        let line = line.expect("text");
        if let Some(shown) = line.strip_prefix("fingerprint of this agent's key: ") {
            digits = Some(shown.to_owned());
        }
        if line.starts_with("waiting for approval") {
            return digits.expect("shown before");
        }
    }
    panic!("it ended without waiting")
}

/// The fingerprint of the key that waits at the hub.
async fn pending(world: &World) -> String {
    until("a key waits", PATIENCE, || async {
        let said = world.hub_says(&["agent", "pending", "--json"]);
        let list: Value = serde_json::from_slice(&said.stdout).ok()?;
        Some(list["pending"][0]["key"].as_str()?.to_owned())
    })
    .await
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for file in std::fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        // A thief's copy has the files; sockets are of the process that made them.
        if !file.file_type().expect("a kind").is_file() {
            continue;
        }
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_state_folder_is_noticed_and_a_person_ends_the_quarantine() {
    let mut world = world_with_agent().await;
    let begun = Timestamp::now();
    world.agent_is_started();
    is_heard(&world, begun).await;
    assert_eq!(world.agent_ends().await, Some(0));
    copied(&world.path("agent"), &world.path("clone"));
    let config = std::fs::read_to_string(world.path("agent.toml")).expect("a configuration");
    let [ours, theirs] = ["agent", "clone"].map(|name| format!("{:?}", world.path(name)));
    let config = config.replace(&ours, &theirs);
    std::fs::write(world.path("clone.toml"), config).expect("a configuration");

    world.agent_is_started();
    let clone = world.path("clone.toml");
    let args = ["run", "--config"].map(OsStr::new);
    let args = [args[0], args[1], clone.as_os_str()];
    let clone = Running::start(&program("platen"), &args, &world.path("clone.log"));

    let reason = until("the hub notices", TRIES_AGAIN, || async {
        Some(agent_row(&world)["quarantine"].as_str()?.to_owned())
    })
    .await;
    assert!(reason.contains("two hold this identity"), "{reason}");
    let shown = done(&world.hub_says(&["agent", "show", "story"]));
    assert!(shown.contains("quarantined: "), "{shown}");
    until("the agent says so", TRIES_AGAIN, || async {
        let trouble = world.status()?["hub"]["trouble"].as_str()?.to_owned();
        trouble.contains("quarantined").then_some(())
    })
    .await;

    clone.kill();
    let released = Timestamp::now();
    done(&world.hub_says(&["agent", "release", "story"]));
    is_heard(&world, released).await;
    assert_eq!(agent_row(&world)["quarantine"], Value::Null);
    assert_eq!(
        world.agent_ends().await,
        Some(0),
        "a quarantine disables nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_disables_itself_and_a_new_code_lets_it_back() {
    let mut world = world_with_agent().await;
    let begun = Timestamp::now();
    world.agent_is_started();
    is_heard(&world, begun).await;

    let revoked = Instant::now();
    done(&world.hub_says(&["agent", "revoke", "story"]));
    until("the agent is refused", REVOKED_WITHIN, || async {
        (agent_row(&world)["refusals"].as_i64()? > 0).then_some(())
    })
    .await;
    println!("refused {:?} after the revocation", revoked.elapsed());
    let code = world.agent().expect("it runs").end().await;
    assert_eq!(code, Some(77));

    for verb in ["status", "health", "run"] {
        let said = world.agent_says(verb, &[]);
        assert_eq!(said.status.code(), Some(77), "{verb}: {}", words(&said));
        for word in [
            "disabled itself after 5 refusals",
            "revoked",
            "platen enroll --again",
        ] {
            assert!(words(&said).contains(word), "{verb}: {}", words(&said));
        }
    }
    let listed = done(&world.hub_says(&["agent", "ls"]));
    assert!(
        listed.contains("disabled itself after 5 refusals"),
        "{listed}"
    );

    let line = world.invitation("story");
    let again = enrolling(&world, &line, &[])
        .wait_with_output()
        .expect("it ends");
    assert_eq!(
        again.status.code(),
        Some(77),
        "not by accident: {}",
        words(&again)
    );
    let again = enrolling(&world, &line, &["--again"]).wait_with_output();
    done(&again.expect("it ends"));
    let begun = Timestamp::now();
    world.agent_is_started();
    is_heard(&world, begun).await;
    assert_eq!(agent_row(&world)["is_disabled"], false);
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_wrong_codes_at_once_count_five_and_a_restart_forgets_none() {
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(NOBODY, 161, "");
    let line = world.invitation("story");
    let (url, good) = line
        .strip_prefix("platen enroll ")
        .and_then(|rest| rest.split_once(' '))
        .expect("a line");
    let (_, fingerprint) = good.split_once('.').expect("a code");
    let wrong: OneTimeCode = format!("{}.{fingerprint}", "a".repeat(26))
        .parse()
        .expect("a code");

    let (url, state_dir) = (url.to_owned(), world.path("agent"));
    let tries: Vec<_> = (0..100)
        .map(|_| {
            let (url, code, state_dir) = (url.clone(), wrong.clone(), state_dir.clone());
            tokio::spawn(async move {
                let order = Enrollment {
                    url: &url,
                    code: &code,
                    state_dir: &state_dir,
                    name: "story",
                    again: false,
                    timeout: PATIENCE,
                    route: &dial::Route::direct(),
                };
                enroll(order).await.expect_err("a wrong code")
            })
        })
        .collect();
    let mut counted = Vec::new();
    for tried in tries {
        match tried.await.expect("it ends") {
            EnrollError::Refused { tally, .. } => counted.push(tally.refusals),
            // Asked no more, or told to wait: the hub counts against the network too.
            EnrollError::Disabled(_) | EnrollError::Busy { .. } => {}
            other => panic!("{other}"),
        }
    }
    counted.sort_unstable();
    assert_eq!(counted[..4], [1, 2, 3, 4]);
    assert!(
        counted[4..].iter().all(|count| *count == REFUSALS_MAX),
        "{counted:?}"
    );
    let kept = Tally::load(&state_dir).expect("readable");
    assert!(
        kept.is_disabled() && kept.refusals == REFUSALS_MAX,
        "{kept:?}"
    );
    let alarms = done(&world.hub_says(&["agent", "ls"]));
    assert!(alarms.contains("127.0.0.1 was refused"), "{alarms}");

    let disabled = enrolling(&world, &line, &[])
        .wait_with_output()
        .expect("it ends");
    assert_eq!(disabled.status.code(), Some(77), "{}", words(&disabled));
    let enrolled = enrolling(&world, &line, &["--again"]).wait_with_output();
    done(&enrolled.expect("it ends"));
    assert_eq!(Tally::load(&state_dir).expect("readable"), Tally::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_compares_the_key_that_the_site_shows_and_lets_it_in() {
    let mut world = World::new();
    world.hub_runs().await;
    let invite = ["agent", "invite", "story", "--approve", "--site", "Lyon"];
    let line = world.hub_says(&invite);
    let line = String::from_utf8(line.stdout)
        .expect("text")
        .trim()
        .to_owned();

    // Whoever ends it while it waits, and runs the line again, comes with the same key.
    let mut ended = enrolling(&world, &line, &[]);
    let digits = shown(&mut ended);
    let at_hub = pending(&world).await;
    assert_eq!(digits.replace(' ', ""), at_hub);
    ended.kill().expect("it runs");
    drop(ended.wait());
    let mut waiting = enrolling(&world, &line, &[]);
    assert_eq!(shown(&mut waiting), digits);
    let listed = done(&world.hub_says(&["agent", "pending"]));
    assert!(
        listed.contains(&digits) && listed.contains("Lyon"),
        "{listed}"
    );

    done(&world.hub_says(&["agent", "approve", &digits]));
    let said = done(&waiting.wait_with_output().expect("it ends"));
    assert!(said.contains("Enrolled as story"), "{said}");
    let row = agent_row(&world);
    assert_eq!(
        (&row["site"], &row["key"]),
        (&"Lyon".into(), &at_hub.into())
    );

    let line = world.hub_says(&["agent", "invite", "story", "--approve"]);
    let line = String::from_utf8(line.stdout)
        .expect("text")
        .trim()
        .to_owned();
    let waiting = enrolling(&world, &line, &["--again"]);
    pending(&world).await;
    done(&world.hub_says(&["agent", "refuse", "story"]));
    let refused = waiting.wait_with_output().expect("it ends");
    assert_eq!(refused.status.code(), Some(77), "{}", words(&refused));
    assert!(
        words(&refused).contains("a person refused"),
        "{}",
        words(&refused)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_off_for_a_month_comes_back_by_itself() {
    let mut world = world_with_agent().await;
    let state_dir = world.path("agent");
    let identity = Identity::load(&state_dir)
        .expect("readable")
        .expect("enrolled");
    let keeper = IdentityKeeper::new(&state_dir, identity.clone()).expect("kept");
    let request = keeper.request(KeyChoice::Same).expect("a request");
    let request = CheckedRequest::parse(&request.pem).expect("a request");
    // As if it had been enrolled a month ago.
    let then = Timestamp::now() - Duration::from_secs(30 * 24 * 3600);
    let hub_dir = world.path("hub");
    let authority = Authority::find(&hub_dir).expect("readable").expect("there");
    let store = Store::open("sqlite:hub.db", &hub_dir)
        .await
        .expect("the store");
    let tenant = Tenant::DEFAULT;
    store
        .invite(&tenant, "story", "secret", then)
        .await
        .expect("invited");
    let answer = store
        .invitation(&tenant, "secret", then)
        .await
        .expect("looked up");
    let Answer::Open(invitation) = answer else {
        panic!("{answer:?}")
    };
    let signed = authority
        .sign_agent(&request, &invitation.agent, then)
        .expect("signed");
    let enrollment = invitations::Enrollment {
        invitation: &invitation,
        fingerprint: &signed.fingerprint,
        key_hash: &request.key_hash(),
        sealing_key: None,
        until: signed.until,
        version: "0.1.0",
    };
    assert!(
        store
            .enroll(&tenant, &enrollment, then)
            .await
            .expect("enrolled")
    );
    store.close().await;
    let old = Identity {
        certificate: signed.pem,
        ..identity
    };
    old.save(&state_dir).expect("saved");

    let begun = Timestamp::now();
    world.agent_is_started();
    is_heard(&world, begun).await;

    let renewed = Identity::load(&state_dir)
        .expect("readable")
        .expect("there");
    assert_ne!(renewed.certificate, old.certificate);
    assert_eq!((&renewed.key, &renewed.agent_id), (&old.key, &old.agent_id));
    let until: Timestamp = agent_row(&world)["certificate_until"]
        .as_str()
        .and_then(|until| until.parse().ok())
        .expect("a time");
    assert!(until > Timestamp::now());
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_restored_from_a_backup_sets_nobody_aside() {
    let mut world = world_with_agent().await;
    let begun = Timestamp::now();
    world.agent_is_started();
    is_heard(&world, begun).await;
    assert_eq!(world.agent_ends().await, Some(0));
    world.hub_is_killed();
    copied(&world.path("hub"), &world.path("backup"));
    world.hub_is_started();
    world.hub_is_healthy().await;

    // What the backup does not know: a start, another key, another start.
    let state_dir = world.path("agent");
    let identity = Identity::load(&state_dir)
        .expect("readable")
        .expect("enrolled");
    let keeper = IdentityKeeper::new(&state_dir, identity.clone()).expect("kept");
    let link = HubLink::new(identity.hub_url, identity.authority, Arc::new(keeper));
    renew_with_new_key(&link, PATIENCE).await.expect("renewed");
    let renewed = Identity::load(&state_dir)
        .expect("readable")
        .expect("enrolled");
    assert_ne!(renewed.key, identity.key);
    let begun = Timestamp::now();
    world.agent_is_started();
    is_heard(&world, begun).await;

    world.hub_is_killed();
    std::fs::remove_dir_all(world.path("hub")).expect("removed");
    copied(&world.path("backup"), &world.path("hub"));
    let restored = Timestamp::now();
    world.hub_is_started();
    world.hub_is_healthy().await;
    is_heard(&world, restored).await;
    let row = agent_row(&world);
    assert_eq!(
        (&row["quarantine"], &row["trouble"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(world.agent_ends().await, Some(0));
}
