//! What a session promises, without a gateway and without a disk.

use super::*;

#[derive(Debug)]
struct Memory(Mutex<Vec<Deed>>, bool);

impl Witness for Memory {
    fn note(&self, _: &Terms, deed: Deed) -> Later<Result<(), NotNoted>> {
        if !self.1 {
            return Box::pin(async { Err(NotNoted("the disk is full".to_owned())) });
        }
        locked(&self.0).push(deed);
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug)]
struct Pipe;

impl Way for Pipe {
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
        let (near, _) = tokio::io::duplex(64);
        Box::pin(async { Ok(Box::new(near) as Box<dyn Stream>) })
    }
}

fn now() -> Timestamp {
    "2026-11-25T07:00:00Z".parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        id: SessionId::new().unwrap(),
        tenant: Tenant::DEFAULT,
        agent: "a".repeat(32),
        device: DeviceId::parse(&"d".repeat(32)).unwrap(),
        address: None,
        port: 80,
        holder: "a.martin".to_owned(),
        reason: "jam".to_owned(),
        from: None,
        opened: now(),
        until: now() + Duration::from_mins(15),
        idle_max: Duration::from_mins(5),
        is_read_only: false,
        is_fallback: false,
    }
}

fn session(sessions: &Sessions, is_writable: bool) -> Session {
    let witness = Arc::new(Memory(Mutex::default(), is_writable));
    sessions.begin(terms(), witness).unwrap()
}

#[test]
fn a_key_lets_one_browser_in_once_and_not_for_ever() {
    let session = session(&Sessions::default(), true);
    let key = session.key(now()).unwrap();
    let cookie = session.enter(&key, now()).unwrap().unwrap();
    assert!(session.admits(&cookie));
    assert!(!session.admits(&key), "a key is no cookie");
    assert_eq!(session.enter(&key, now()).unwrap(), None, "used");
    let late = session.key(now()).unwrap();
    assert_eq!(session.enter(&late, now() + KEY_LIFE).unwrap(), None);
    session.end(End::new(Cause::Person, "closed"));
    assert!(!session.admits(&cookie), "over");
}

#[test]
fn a_session_of_another_does_not_take_its_keys() {
    let sessions = Sessions::default();
    let (one, other) = (session(&sessions, true), session(&sessions, true));
    let key = one.key(now()).unwrap();
    assert_eq!(other.enter(&key, now()).unwrap(), None);
    let cookie = one.enter(&key, now()).unwrap().unwrap();
    assert!(!other.admits(&cookie));
}

#[test]
fn the_first_end_is_the_one_that_counts() {
    let sessions = Sessions::default();
    let session = session(&sessions, true);
    let id = session.terms().id.clone();
    assert!(sessions.find(&id).is_some());
    session.end(End::new(Cause::Site, "ended at the site"));
    session.end(End::new(Cause::Deadline, "its time is up"));
    assert_eq!(session.has_ended().unwrap().cause, Cause::Site);
    assert!(sessions.find(&id).is_none());
    assert_eq!(sessions.all().len(), 1, "until it is forgotten");
    sessions.forget(&id);
    assert!(sessions.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_waits_for_the_agent_and_not_beyond_the_end() {
    let session = session(&Sessions::default(), true);
    assert_eq!(session.connect().await.err(), Some(NoWay::NotYet));
    let (waiting, giving) = tokio::join!(session.connect(), async {
        session.has_way(Some(Arc::new(Pipe)));
    });
    assert!(waiting.is_ok());
    let () = giving;
    session.end(End::new(Cause::Idle, "nothing moved"));
    session.has_way(Some(Arc::new(Pipe)));
    assert!(!session.is_open(), "an ended session takes no way");
    assert!(matches!(session.connect().await, Err(NoWay::Ended(_))));
}

#[tokio::test]
async fn a_deed_that_cannot_be_written_down_ends_the_session() {
    let session = session(&Sessions::default(), false);
    let deed = Deed::RawBegan { number: 1 };
    let refused = session.note(deed).await.unwrap_err().to_string();
    assert!(refused.contains("disk is full"), "{refused}");
    assert_eq!(session.has_ended().unwrap().cause, Cause::NoAudit);
}

#[test]
fn there_is_a_most_of_sessions() {
    let sessions = Sessions::default();
    for _ in 0..SESSIONS_MAX {
        session(&sessions, true);
    }
    let witness = Arc::new(Memory(Mutex::default(), true));
    assert_eq!(sessions.begin(terms(), witness).err(), Some(TooMany));
}
