//! Sessions over a real store and a real audit, with a gateway and an agent that are played.

use jiff::ToSpan;
use printer::reading::Reading;
use prost::Message;
use proto::v1;
use tempfile::TempDir;

use super::care::Known;
use super::*;
use crate::audit::writer::Chain;
use crate::permission::{Right, Rights};
use crate::session::{Later, NoWay, Stream, Way};
use crate::store::agents::AgentStatus;
use crate::store::commands::{CommandState, LastWord};
use crate::store::invitations::{Answer, Enrollment};
use crate::store::report::{Batch, Body, Report};
use crate::store::web_sessions::{SessionRow, SessionState};

/// A gateway that has a place for everybody, or for nobody.
#[derive(Debug, Default)]
pub(crate) struct Quay {
    is_full: bool,
}

impl Meets for Quay {
    fn meet<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Meeting, NoMeeting>> {
        let terms = session.terms();
        let meeting = Meeting {
            host_key: b"host key".to_vec(),
            user: terms.agent.clone(),
            bind: (terms.id.as_str().to_owned(), terms.port),
        };
        let met = if self.is_full {
            Err(NoMeeting::Full)
        } else {
            Ok(meeting)
        };
        Box::pin(async { met })
    }
}

/// The agent's end: a device that says back what it is told, and ends after its peer does.
#[derive(Debug)]
pub(crate) struct Echo;

impl Way for Echo {
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(far);
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut writer).await;
        });
        Box::pin(async { Ok(Box::new(near) as Box<dyn Stream>) })
    }
}

/// A hub with one agent that has read one printer.
pub(crate) struct House {
    pub(crate) reception: Reception,
    pub(crate) store: Store,
    pub(crate) agent: String,
    pub(crate) device: DeviceId,
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Quay::default()).await
    }

    async fn with(gateway: Quay) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:hub.db", folder.path()).await.unwrap();
        let device = DeviceId::parse(&"d".repeat(32)).unwrap();
        let agent = settle(&store, &device).await;
        let reception = Reception::new(ReceptionParts {
            store: store.clone(),
            tenant: Tenant::DEFAULT,
            key: Arc::new(CommandKey::open(folder.path()).unwrap()),
            sessions: Sessions::default(),
            audit: Audit::open(store.clone(), folder.path()).unwrap(),
            gateway: Arc::new(gateway),
        });
        Self {
            reception,
            store,
            agent,
            device,
            folder,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            device: &self.device,
            agent: None,
            port: 443,
            reason: "paper jam",
            minutes: 15,
            is_read_only: false,
            is_fallback: false,
            from: Some("10.1.2.3".parse().unwrap()),
        }
    }

    pub(crate) async fn open(&self) -> Session {
        let now = Timestamp::now();
        let opened = self.reception.open(&holder(), self.wanted(), now).await;
        opened.unwrap()
    }

    pub(crate) async fn row(&self, id: &SessionId) -> SessionRow {
        let row = self.store.web_session(&Tenant::DEFAULT, id).await.unwrap();
        row.unwrap()
    }

    /// What the agent says of a session's order.
    pub(crate) async fn answers(&self, id: &SessionId, state: CommandState, words: &str) {
        let command = self.row(id).await.command;
        let word = LastWord {
            state,
            why: if state == CommandState::Done {
                ""
            } else {
                words
            },
            result: if state == CommandState::Done {
                words.as_bytes()
            } else {
                b""
            },
        };
        let who = (self.agent.as_str(), command.as_str());
        let heard = self
            .store
            .command_answer(&Tenant::DEFAULT, who, &word, Timestamp::now());
        heard.await.unwrap();
    }

    /// The kinds of the audit's lines, in order.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let lines = self.store.audit_after(0, 1_000).await.unwrap();
        lines.into_iter().map(|line| line.kind).collect()
    }

    async fn commands(&self) -> Vec<v1::Command> {
        let now = Timestamp::now();
        let due = self
            .store
            .commands_due(&Tenant::DEFAULT, now, now)
            .await
            .unwrap();
        let read = |body: &[u8]| {
            let signed = v1::SignedCommand::decode(body).unwrap();
            v1::Command::decode(signed.command.as_slice()).unwrap()
        };
        due.iter().map(|due| read(&due.body)).collect()
    }

    /// Waits until a session is not known any more: its end is written down then.
    async fn forgotten(&self) {
        let gone = async {
            while !self.reception.sessions().all().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), gone)
            .await
            .expect("the session is forgotten");
    }
}

pub(crate) fn holder() -> Subject {
    Subject::Holder {
        name: "anna".to_owned(),
        rights: Rights::of([Right::Web]),
    }
}

/// Enrolls an agent and has it report a printer.
pub(crate) async fn settle(store: &Store, device: &DeviceId) -> String {
    let (tenant, now) = (Tenant::DEFAULT, Timestamp::now());
    store.invite(&tenant, "lyon", "secret", now).await.unwrap();
    let answer = store.invitation(&tenant, "secret", now).await.unwrap();
    let Answer::Open(invitation) = answer else {
        panic!("{answer:?}")
    };
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: "00",
        key_hash: "00",
        sealing_key: None,
        until: now + 24.hours(),
        version: "0.1.0",
    };
    assert!(store.enroll(&tenant, &enrollment, now).await.unwrap());
    let agent = store.agent_of(&tenant, "00", now).await.unwrap().unwrap();
    let report = Report {
        sequence: 1,
        body: Body::Reading {
            device: device.clone(),
            is_status: false,
            reading: Box::new(reading(now)),
        },
    };
    let batch = Batch {
        epoch: 1,
        status: &AgentStatus::default(),
        reports: &[report],
    };
    store.accept(&agent, &batch, now).await.unwrap();
    agent.as_str().to_owned()
}

fn reading(at: Timestamp) -> Reading {
    let json = serde_json::json!({
        "schema": 1, "is_printer": true, "address": "10.20.4.17", "at": at,
        "identity": {"vendor": "Kyocera", "model": "TASKalfa 6052ci", "serial": "W2D8303202"},
        "status": {"state": "idle", "severity": "ok", "conditions": [], "console": []},
        "meters": [], "supplies": [], "trays": [], "alerts": []
    });
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn a_session_is_in_the_audit_before_its_agent_is_asked() {
    let house = House::new().await;
    let session = house.open().await;
    let terms = session.terms();
    assert_eq!(house.audit().await, ["opened"]);
    assert_eq!(terms.address, Some("10.20.4.17".parse().unwrap()));
    let commands = house.commands().await;
    let Some(v1::command::Order::OpenTunnel(order)) = &commands[0].order else {
        panic!("{commands:?}")
    };
    let ticket = order.ticket.clone().unwrap();
    assert_eq!(commands[0].issuer, "anna");
    assert_eq!(ticket.session, terms.id.as_str());
    assert_eq!(
        (ticket.device_id, ticket.port),
        (house.device.as_str().to_owned(), 443)
    );
    assert_eq!(
        (ticket.user, ticket.host_key),
        (house.agent.clone(), b"host key".to_vec())
    );
    assert_eq!(ticket.until_ms, terms.until.as_millisecond());
    let row = house.row(&terms.id).await;
    assert_eq!(
        (row.state, row.command),
        (SessionState::Requested, commands[0].id.clone())
    );
}

#[tokio::test]
async fn what_may_not_be_or_cannot_be_written_down_is_not_opened() {
    let house = House::new().await;
    let now = Timestamp::now();
    let open = |subject: Subject, wanted| {
        let reception = house.reception.clone();
        async move {
            reception
                .open(&subject, wanted, now)
                .await
                .err()
                .map(|e| e.to_string())
        }
    };
    let nobody = Subject::Holder {
        name: "bert".to_owned(),
        rights: Rights::of([Right::Read]),
    };
    let wanted = house.wanted();
    assert!(open(nobody, wanted).await.unwrap().contains("'web'"));
    let other = DeviceId::parse(&"e".repeat(32)).unwrap();
    let long = "x".repeat(201);
    let wrong = [
        (
            Wanted {
                reason: " ",
                ..wanted
            },
            "a reason has",
        ),
        (
            Wanted {
                reason: &long,
                ..wanted
            },
            "a reason has",
        ),
        (
            Wanted {
                minutes: 0,
                ..wanted
            },
            "1 to 60 minutes",
        ),
        (
            Wanted {
                minutes: 61,
                ..wanted
            },
            "1 to 60 minutes",
        ),
        (Wanted { port: 0, ..wanted }, "a port"),
        (
            Wanted {
                agent: Some("nice"),
                ..wanted
            },
            "no agent",
        ),
        (
            Wanted {
                device: &other,
                ..wanted
            },
            "no agent",
        ),
    ];
    for (wanted, words) in wrong {
        let refused = open(holder(), wanted).await.unwrap();
        assert!(refused.contains(words), "{refused}");
    }
    assert!(house.audit().await.is_empty(), "nothing was begun");

    house
        .reception
        .audit()
        .write(Entry::ssh_key_added(&Tenant::DEFAULT, "a", "b"))
        .await
        .unwrap();
    std::fs::remove_file(house.folder.path().join("audit.head")).unwrap();
    let refused = open(holder(), wanted).await.unwrap();
    assert!(
        refused.contains("audit.head is not in the state folder"),
        "{refused}"
    );
    assert!(house.commands().await.is_empty() && house.reception.sessions().all().is_empty());
}

#[tokio::test]
async fn without_a_place_at_the_gateway_no_agent_is_asked() {
    let house = House::with(Quay { is_full: true }).await;
    let now = Timestamp::now();
    let refused = house.reception.open(&holder(), house.wanted(), now).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("every port"), "{refused}");
    assert_eq!(house.audit().await, ["opened", "ended"]);
    assert!(house.commands().await.is_empty());
    assert!(house.reception.sessions().all().is_empty());
}

#[tokio::test]
async fn the_agents_no_ends_a_session_in_its_words() {
    for (state, cause) in [
        (CommandState::Refused, "site"),
        (CommandState::Failed, "no-tunnel"),
        (CommandState::Expired, "no-tunnel"),
    ] {
        let house = House::new().await;
        let id = house.open().await.terms().id.clone();
        house
            .answers(&id, state, "nobody here may approve it")
            .await;
        house.forgotten().await;
        let row = house.row(&id).await;
        assert_eq!(
            (row.state, row.cause.as_str(), row.why.as_str()),
            (SessionState::Ended, cause, "nobody here may approve it")
        );
        assert_eq!(house.audit().await, ["opened", "ended"]);
    }
}

#[tokio::test]
async fn an_open_session_says_who_let_it_and_ends_for_a_person() {
    let house = House::new().await;
    let session = house.open().await;
    let id = session.terms().id.clone();
    house
        .answers(&id, CommandState::Done, r#"{"approved_by":"m.dupont"}"#)
        .await;
    session.has_way(Some(Arc::new(Echo)));
    session
        .tally()
        .sent
        .fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    let open = async {
        while house.row(&id).await.approved_by != "m.dupont" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), open).await.unwrap();
    assert_eq!(house.row(&id).await.state, SessionState::Open);
    let other = Subject::Holder {
        name: "bert".to_owned(),
        rights: Rights::of([Right::Read]),
    };
    let now = Timestamp::now();
    assert!(house.reception.end(&other, &id, now).await.is_err());
    assert!(house.reception.end(&holder(), &id, now).await.unwrap());
    house.forgotten().await;
    assert!(!house.reception.end(&holder(), &id, now).await.unwrap());
    let row = house.row(&id).await;
    assert_eq!(
        (row.cause.as_str(), row.why.as_str()),
        ("person", "ended by anna")
    );
    assert_eq!(row.totals.sent, 7);
    assert_eq!(house.audit().await, ["opened", "approved", "ended"]);
    let commands = house.commands().await;
    let closes = |command: &v1::Command| {
        matches!(&command.order, Some(v1::command::Order::CloseTunnel(close))
            if close.session == id.as_str())
    };
    assert!(
        commands
            .iter()
            .any(|command| closes(command) && command.issuer == "anna")
    );
}

#[tokio::test]
async fn time_silence_and_a_lost_tunnel_end_a_session() {
    let house = House::new().await;
    let begin = |until: i64, idle_max| {
        let session = house.reception.sessions();
        let now = Timestamp::now();
        let terms = Terms {
            id: SessionId::new().unwrap(),
            tenant: Tenant::DEFAULT,
            agent: house.agent.clone(),
            device: house.device.clone(),
            address: None,
            port: 80,
            holder: "anna".to_owned(),
            reason: "jam".to_owned(),
            from: None,
            opened: now - 15.minutes(),
            until: now + until.minutes(),
            idle_max,
            is_read_only: false,
            is_fallback: false,
        };
        session
            .begin(terms, Arc::new(house.reception.audit().clone()))
            .unwrap()
    };
    let look = async |session: &Session, known: &mut Known| {
        house
            .reception
            .look(session, known)
            .await
            .unwrap()
            .map(|end| end.cause)
    };
    let over = begin(0, IDLE_MAX);
    let mut known = Known::new(String::new());
    assert_eq!(look(&over, &mut known).await, Some(Cause::Deadline));

    let silent = begin(10, Duration::ZERO);
    silent.has_way(Some(Arc::new(Echo)));
    let mut known = Known::done();
    assert_eq!(look(&silent, &mut known).await, Some(Cause::Idle));

    let lively = begin(10, IDLE_MAX);
    lively.has_way(Some(Arc::new(Echo)));
    let mut known = Known::done();
    assert_eq!(look(&lively, &mut known).await, None);
    lively.has_way(None);
    assert_eq!(look(&lively, &mut known).await, None, "it may come back");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    let now = tokio::time::Instant::now();
    assert_eq!(
        known.missed(&lively, now).map(|end| end.cause),
        Some(Cause::LinkLost)
    );
}

#[tokio::test]
async fn a_hub_that_starts_anew_ends_what_was_open_and_hears_commands() {
    let house = House::new().await;
    let session = house.open().await;
    let row = house.row(&session.terms().id).await;
    let left = Terms {
        id: SessionId::new().unwrap(),
        ..row.terms(&Tenant::DEFAULT)
    };
    house.store.web_session_add(&left).await.unwrap();
    let want = house
        .store
        .web_session_want_end(&Tenant::DEFAULT, &row.id, "operator");
    assert!(want.await.unwrap());
    let working = tokio::spawn(house.reception.clone().work(std::future::pending()));
    house.forgotten().await;
    working.abort();
    assert_eq!(house.row(&left.id).await.cause, "hub-ends");
    let ended = house.row(&row.id).await;
    assert_eq!(
        (ended.cause.as_str(), ended.why.as_str()),
        ("person", "ended by operator")
    );
    assert_eq!(house.audit().await.len(), 3);
}

#[tokio::test]
async fn a_hub_that_ends_writes_every_end_down() {
    let house = House::new().await;
    let sessions = [house.open().await, house.open().await];
    house.reception.close_all().await;
    for session in &sessions {
        assert_eq!(house.row(&session.terms().id).await.cause, "hub-ends");
    }
    assert_eq!(house.audit().await, ["opened", "opened", "ended", "ended"]);
    let chain = Chain::open(house.store.clone(), house.folder.path()).unwrap();
    assert_eq!(chain.verify().await.unwrap().sequence, 4);
}
