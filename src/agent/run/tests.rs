//! The service from configuration to drain, without a hub.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::control::{self, ControlError};

/// Longest that an agent may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn config(state_dir: &Path) -> AgentConfig {
    let text = format!(
        "name = \"lyon-1\"\nstate_dir = \"{}\"\n",
        state_dir.display()
    );
    AgentConfig::parse("agent.toml", &text, []).expect("valid")
}

/// An agent that runs until the sender is used.
fn started(config: AgentConfig) -> (oneshot::Sender<()>, JoinHandle<Exit>) {
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or_default() };
    (stop, tokio::spawn(run(config, shutdown)))
}

async fn answering(state_dir: &Path) -> control::Status {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match control::status(state_dir).await {
            Ok(status) => return status,
            Err(error) => assert!(Instant::now() < deadline, "does not come up: {error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_runs_answers_and_drains() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stop, agent) = started(config(folder.path()));
    let status = answering(folder.path()).await;
    assert_eq!(status.about.name, "lyon-1");
    assert_eq!(
        (status.snapshot.printers.known, status.snapshot.hub),
        (0, None)
    );
    let socket = folder.path().join("control.sock");
    let mode = std::fs::metadata(&socket)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    stop.send(()).expect("it runs");
    assert_eq!(agent.await.expect("it ends"), Exit::OK);
    assert!(!socket.exists());
    let asked = control::status(folder.path()).await;
    assert!(
        matches!(asked, Err(ControlError::NotRunning { .. })),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_on_one_state_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stop, agent) = started(config(folder.path()));
    answering(folder.path()).await;
    let second = try_run(config(folder.path()), std::future::pending()).await;
    let refused = second.expect_err("refused");
    assert!(
        refused.what.starts_with("another agent runs on"),
        "{refused}"
    );
    stop.send(()).expect("it runs");
    assert_eq!(agent.await.expect("it ends"), Exit::OK);
}

#[tokio::test]
async fn a_hub_without_an_enrollment_is_a_bad_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    config.hub_url = Some("https://hub.example.org".to_owned());
    let refused = try_run(config, std::future::pending())
        .await
        .expect_err("refused");
    assert_eq!(refused.exit, Exit::BAD_CONFIG);
    assert!(
        refused
            .next
            .starts_with("platen enroll https://hub.example.org")
    );
}

#[tokio::test]
async fn a_state_folder_that_is_no_folder_is_a_bad_configuration() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let refused = try_run(config(file.path()), std::future::pending()).await;
    assert_eq!(refused.expect_err("refused").exit, Exit::BAD_CONFIG);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_configures_comes_into_effect_in_the_same_process() {
    use actors::site::{Site, Unwilling, Wanted, WantedRange};

    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "lock = []\nstate_dir = \"{}\"\n[[ranges]]\nlabel = \"site's\"\n\
         addresses = [\"127.99.0.0/24\"]\n",
        folder.path().display()
    );
    let config = AgentConfig::parse("agent.toml", &text, []).expect("valid");
    let program = Program::new(config, None);
    let key = SpoolKey::of_folder(folder.path()).expect("a key");
    let spool = Spool::open(folder.path().join(SPOOL_FILE), key, SpoolLimits::default());
    let spool = spool.await.expect("a spool");
    let about = About {
        name: "lyon-1".to_owned(),
        version: "0".to_owned(),
        enrolled_as: None,
    };
    let (stop, stopped) = oneshot::channel();
    let living = {
        let (program, spool) = (program.clone(), spool.clone());
        tokio::spawn(async move {
            let shutdown = async { stopped.await.unwrap_or_default() };
            let means = Means {
                keeper: None,
                journal: None,
                spool,
                outbox: Outbox::default(),
            };
            lives::run(&program, &means, about, shutdown).await
        })
    };
    let labels = |status: &control::Status| -> Vec<String> {
        let subnets = status.snapshot.subnets.iter();
        subnets.map(|subnet| subnet.label.clone()).collect()
    };
    assert_eq!(labels(&answering(folder.path()).await), ["site's"]);
    let wanted = |addresses: &str| Wanted {
        id: "c1".to_owned(),
        ranges: vec![WantedRange {
            label: "hub's".to_owned(),
            addresses: vec![addresses.to_owned()],
            ..WantedRange::default()
        }],
        ..Wanted::default()
    };
    let refused = program.configure(wanted("127.98.0.1")).await;
    assert!(matches!(refused, Err(Unwilling::Refused(_))), "{refused:?}");
    assert!(!folder.path().join("hub.json").exists(), "nothing is kept");
    program
        .configure(wanted("127.99.0.7"))
        .await
        .expect("taken");
    let deadline = Instant::now() + PATIENCE;
    while labels(&answering(folder.path()).await) != ["hub's"] {
        assert!(Instant::now() < deadline, "it does not come into effect");
    }
    let bundle = program.diagnostics().await.expect("a bundle");
    let bundle: serde_json::Value = serde_json::from_slice(&bundle).expect("JSON");
    assert_eq!(bundle["hub_configuration"]["id"], "c1");
    stop.send(()).expect("it runs");
    assert_eq!(living.await.expect("it ends").expect("drained"), Exit::OK);
    spool.close().await;
}

#[cfg(feature = "provoke")]
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_can_be_provoked_over_the_socket() {
    use crate::control::{Answer, Question};

    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    let text = "[[ranges]]\nlabel = \"nobody\"\naddresses = [\"127.99.0.1\"]\n";
    config.ranges = AgentConfig::parse("ranges", text, [])
        .expect("valid")
        .ranges;
    let (stop, agent) = started(config);
    answering(folder.path()).await;
    let text = r#"{"provoke": {"child": "scanner:nobody", "fault": "panic"}}"#;
    let provoke: Question = serde_json::from_str(text).expect("a question");
    let deadline = Instant::now() + PATIENCE;
    // The scanner is started a moment after the Supervisor answers.
    while !matches!(
        control::ask(folder.path(), &provoke).await,
        Ok(Answer::Done {})
    ) {
        assert!(Instant::now() < deadline, "the scanner does not live");
    }
    loop {
        let restarts = answering(folder.path()).await.snapshot.restarts;
        if restarts.total == 1 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "it was not restarted: {restarts:?}"
        );
    }
    stop.send(()).expect("it runs");
    assert_eq!(agent.await.expect("it ends"), Exit::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_asked_for_over_the_socket_and_only_an_approver_decides() {
    use actors::messages::Verdict;

    use crate::control::{Answer, Question};

    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "state_dir = \"{}\"\n[web_access]\napprovers = [\"a.morel\"]\n",
        folder.path().display()
    );
    let config = AgentConfig::parse("agent.toml", &text, []).expect("valid");
    let (stop, agent) = started(config);
    let status = answering(folder.path()).await;
    assert_eq!(status.snapshot.sessions.open, 0);
    let ask = async |question| control::ask(folder.path(), &question).await;
    let all = ask(Question::Sessions {}).await;
    assert!(matches!(all, Ok(Answer::Sessions(all)) if all.is_empty()));
    let none = ask(Question::EndSessions { session: None }).await;
    assert!(matches!(none, Ok(Answer::Ended(0))), "{none:?}");
    let id = "a1".repeat(16);
    for (session, by, says) in [
        (id.as_str(), "a.morel", "no session"),
        (id.as_str(), "m.dupont", "may not decide"),
        ("../etc", "a.morel", "is no session"),
    ] {
        let decided = ask(Question::Decide {
            session: session.to_owned(),
            by: by.to_owned(),
            verdict: Verdict::Approve,
        });
        match decided.await {
            Err(ControlError::Refused(why)) => assert!(why.contains(says), "{why}"),
            other => panic!("{session} by {by}: {other:?}"),
        }
    }
    stop.send(()).expect("it runs");
    assert_eq!(agent.await.expect("it ends"), Exit::OK);
}

#[tokio::test]
async fn a_spool_key_that_is_not_there_or_is_shared_ends_the_start_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    let config = || {
        let mut config = config(&folder.path().join("state"));
        config.spool_key_file = Some(key.clone());
        config
    };
    let refused = async || {
        let error = try_run(config(), std::future::ready(())).await;
        error.expect_err("no key, no spool")
    };
    let absent = refused().await;
    assert_eq!(absent.exit, Exit::BAD_CONFIG);
    assert!(absent.next.contains("openssl rand -hex 32"), "{absent:?}");
    std::fs::write(&key, "0a".repeat(32)).expect("written");
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, mode).expect("changed");
    };
    mode(0o644);
    assert!(refused().await.what.contains("can be read by others"));
    mode(0o600);
    let run = try_run(config(), std::future::ready(())).await;
    assert!(run.is_ok(), "{run:?}");
    let made = folder.path().join("state/spool.key");
    assert!(!made.exists(), "the configured key is the only one");
}
