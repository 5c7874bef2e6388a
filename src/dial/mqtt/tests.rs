//! The client against a real Mosquitto, without TLS: what paho is known to do wrong, and what a
//! broker that comes and goes does to a session.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::mosquitto::Mosquitto;
use super::{
    Attempt, Attempts, Carriage, Client, Event, Letter, Opens, Options, PublishError, Version,
};
use crate::Stream;

mod mosquitto;

/// Longest any single thing here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Tcp(SocketAddr);

impl Opens for Tcp {
    fn open(&self) -> BoxFuture<'static, std::io::Result<Box<dyn Stream>>> {
        let address = self.0;
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = Box::new(stream);
            Ok(stream)
        })
    }
}

/// Takes a while to get there.
struct Slow(SocketAddr);

impl Opens for Slow {
    fn open(&self) -> BoxFuture<'static, std::io::Result<Box<dyn Stream>>> {
        let opened = Tcp(self.0).open();
        Box::pin(async move {
            sleep(Duration::from_millis(300)).await;
            opened.await
        })
    }
}

fn attempts(address: SocketAddr, will: Option<Letter>) -> Attempts {
    let carriage = Carriage::Plain(Arc::new(Tcp(address)));
    Arc::new(move || {
        Ok(Attempt {
            carriage: carriage.clone(),
            login: None,
            will: will.clone(),
            renew_at: None,
        })
    })
}

async fn next(events: &mut Receiver<Event>) -> Event {
    let event = timeout(PATIENCE, events.recv()).await;
    event.expect("an event in time").expect("a session")
}

/// The next message, whatever else happens before it.
async fn message(events: &mut Receiver<Event>) -> Letter {
    loop {
        if let Event::Message(letter) = next(events).await {
            return letter;
        }
    }
}

async fn connected(events: &mut Receiver<Event>) {
    while next(events).await != Event::Connected {}
}

fn letter(topic: &str, payload: &str) -> Letter {
    Letter {
        topic: topic.to_owned(),
        payload: payload.as_bytes().to_vec(),
    }
}

/// paho hangs the whole process when a client is dropped right after one of its tokens completes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_come_and_go_by_hundreds() {
    let broker = Mosquitto::start("").await;
    let cycles = async {
        let mut cycles = JoinSet::new();
        for turn in 0..300 {
            let options = broker.options(&format!("client-{turn}"));
            cycles.spawn(async move {
                let (client, mut events) = Client::start(options).unwrap();
                match turn % 3 {
                    0 => drop(client),
                    1 => {
                        connected(&mut events).await;
                        drop((client, events));
                    }
                    _ => {
                        connected(&mut events).await;
                        client.publish("t", vec![1]).await.unwrap();
                        client.close().await;
                    }
                }
            });
            while cycles.len() >= 8 {
                cycles.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(ended) = cycles.join_next().await {
            ended.unwrap();
        }
    };
    timeout(Duration::from_secs(120), cycles)
        .await
        .expect("no client hangs");
    // Every grave is closed by then, and the library still works.
    sleep(Duration::from_secs(1)).await;
    let (client, mut events) = broker.listener("last", "last").await;
    client.publish("last", b"word".to_vec()).await.unwrap();
    assert_eq!(message(&mut events).await, letter("last", "word"));
}

/// paho does not subscribe again, and this broker has forgotten everything.
/// The same where nothing is closed in order: whatever a client was just waiting for, its task is
/// dropped. Without the graveyard this hangs within the first dozens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_are_cut_short_hang_nobody() {
    let broker = Mosquitto::start("").await;
    let options: Vec<_> = (0..300)
        .map(|turn| broker.options(&format!("client-{turn}")))
        .collect();
    let cut = tokio::task::spawn_blocking(move || {
        for (turn, options) in (0u64..).zip(options) {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let started = Client::start(options).unwrap();
                sleep(Duration::from_micros(turn * 40)).await;
                drop(started);
            });
            runtime.shutdown_background();
        }
    });
    timeout(Duration::from_secs(60), cut)
        .await
        .expect("no client hangs")
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    let (client, mut events) = broker.listener("last", "last").await;
    client.publish("last", b"word".to_vec()).await.unwrap();
    assert_eq!(message(&mut events).await, letter("last", "word"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_forgot_is_subscribed_to_again() {
    for version in [Version::V311, Version::V5] {
        let mut broker = Mosquitto::start("").await;
        let options = Options {
            version,
            filters: vec!["a/+".to_owned(), "b".to_owned()],
            ..broker.options("listener")
        };
        let (client, mut events) = Client::start(options).unwrap();
        assert_eq!(next(&mut events).await, Event::Connected);
        for turn in 0..3 {
            broker.kill();
            let lost = next(&mut events).await;
            assert!(
                matches!(&lost, Event::Lost { stood: Some(_), .. }),
                "{lost:?}"
            );
            assert!(!client.standing().borrow().is_connected);
            broker.again().await;
            connected(&mut events).await;
            let payload = turn.to_string();
            client
                .publish("a/x", payload.clone().into_bytes())
                .await
                .unwrap();
            assert_eq!(message(&mut events).await, letter("a/x", &payload));
            client
                .publish("b", payload.clone().into_bytes())
                .await
                .unwrap();
            assert_eq!(message(&mut events).await, letter("b", &payload));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_while_we_were_away_comes_later() {
    for version in [Version::V311, Version::V5] {
        let broker = Mosquitto::start("").await;
        let speaker = broker.listener("speaker", "unused").await;
        let options = Options {
            version,
            filters: vec!["t".to_owned()],
            ..broker.options("listener")
        };
        let (client, mut events) = Client::start(options.clone()).unwrap();
        connected(&mut events).await;
        client.close().await;
        drop((client, events));
        for n in 0..20 {
            speaker.0.publish("t", vec![n]).await.unwrap();
        }
        let (_client, mut events) = Client::start(options).unwrap();
        for n in 0..20 {
            assert_eq!(message(&mut events).await.payload, [n]);
        }
    }
}

/// paho drops what its own queue has no room for, without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_sleeps_loses_nothing() {
    const MESSAGES: u32 = 12_000;
    let broker = Mosquitto::start("").await;
    let (_listener, mut events) = broker.listener("listener", "t").await;
    let (speaker, _events) = broker.listener("speaker", "unused").await;
    let mut said = JoinSet::new();
    for n in 0..MESSAGES {
        let speaker = speaker.clone();
        said.spawn(async move { speaker.publish("t", n.to_be_bytes().to_vec()).await });
        while said.len() > 64 {
            said.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    while let Some(one) = said.join_next().await {
        one.unwrap().unwrap();
    }
    let mut heard: Vec<u32> = Vec::new();
    for _ in 0..MESSAGES {
        let payload = message(&mut events).await.payload;
        heard.push(u32::from_be_bytes(payload.try_into().unwrap()));
    }
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), MESSAGES as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_is_said_of_who_breaks_off_and_not_of_who_says_goodbye() {
    let broker = Mosquitto::start("").await;
    let (_listener, mut events) = broker.listener("listener", "will").await;
    let options = |client_id: &str| Options {
        attempts: attempts(broker.address, Some(letter("will", client_id))),
        ..broker.options(client_id)
    };
    let (polite, mut its_events) = Client::start(options("polite")).unwrap();
    connected(&mut its_events).await;
    polite.close().await;
    // A way to the broker that breaks.
    let relay = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let rude = Options {
        attempts: attempts(relay.local_addr().unwrap(), Some(letter("will", "rude"))),
        ..broker.options("rude")
    };
    let address = broker.address;
    let carried = tokio::spawn(async move {
        let (mut here, _) = relay.accept().await.unwrap();
        let mut there = TcpStream::connect(address).await.unwrap();
        tokio::io::copy_bidirectional(&mut here, &mut there)
            .await
            .unwrap();
    });
    let (_rude, mut its_events) = Client::start(rude).unwrap();
    connected(&mut its_events).await;
    carried.abort();
    assert_eq!(message(&mut events).await, letter("will", "rude"));
}

/// Not every broker says so (Mosquitto 2.0.11 only hangs up), so this one is played.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_gives_our_place_to_another_is_understood() {
    let broker = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        attempts: attempts(broker.local_addr().unwrap(), None),
        version: Version::V5,
        client_id: "c".to_owned(),
        filters: vec![],
        keep_alive: Duration::from_secs(10),
        session_life: Duration::from_secs(600),
        retry: super::RETRY,
        folder: folder.path().to_owned(),
    };
    let (_client, mut events) = Client::start(options).unwrap();
    let (mut stream, _) = broker.accept().await.unwrap();
    // CONNACK (MQTT 5, 3.2); then DISCONNECT with reason 0x8E, session taken over (3.14.2.1).
    stream.write_all(&[0x20, 3, 0, 0, 0]).await.unwrap();
    connected(&mut events).await;
    stream.write_all(&[0xe0, 2, 0x8e, 0]).await.unwrap();
    drop(stream);
    let Event::Lost {
        why, is_taken_over, ..
    } = next(&mut events).await
    else {
        panic!("the broker has ended it");
    };
    assert!(is_taken_over, "{why}");
}

/// paho completes a token twice, in freed memory, where its first word could not be written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_up_at_once_is_borne() {
    let broker = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        attempts: attempts(broker.local_addr().unwrap(), None),
        version: Version::V5,
        client_id: "c".to_owned(),
        filters: vec![],
        keep_alive: Duration::from_secs(10),
        session_life: Duration::from_secs(600),
        retry: (Duration::from_micros(1), Duration::from_micros(1)),
        folder: folder.path().to_owned(),
    };
    let (_client, mut events) = Client::start(options).unwrap();
    let rude = tokio::spawn(async move {
        loop {
            drop(broker.accept().await.unwrap());
        }
    });
    for _ in 0..12 {
        let lost = next(&mut events).await;
        assert!(matches!(&lost, Event::Lost { stood: None, .. }), "{lost:?}");
    }
    rude.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_is_said_in_words() {
    let mut broker = Mosquitto::start("").await;
    broker.kill();
    let (client, mut events) = Client::start(broker.options("c")).unwrap();
    let Event::Lost { why, stood, .. } = next(&mut events).await else {
        panic!("there is no broker");
    };
    assert!(
        why.contains("Connection refused") && stood.is_none(),
        "{why}"
    );
    let standing = client.standing().borrow().clone();
    assert_eq!(standing.trouble, Some(why));
    let publishing = tokio::spawn({
        let client = client.clone();
        async move { client.publish("t", vec![]).await }
    });
    broker.again().await;
    publishing.await.unwrap().unwrap();
    client.close().await;
    assert_eq!(client.publish("t", vec![]).await, Err(PublishError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_refuses_is_understood() {
    for (version, says) in [
        (Version::V311, "not authorized"),
        (Version::V5, "not authorized"),
    ] {
        let broker = Mosquitto::start("allow_anonymous false\n").await;
        let options = Options {
            version,
            ..broker.options("c")
        };
        let (_client, mut events) = Client::start(options).unwrap();
        let Event::Lost { why, .. } = next(&mut events).await else {
            panic!("nobody is let in");
        };
        assert!(why.to_lowercase().contains(says), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_connection_keeps_the_session() {
    let broker = Mosquitto::start("").await;
    let (speaker, _events) = broker.listener("speaker", "unused").await;
    let (listener, mut events) = broker.listener("listener", "t").await;
    let mut heard = 0;
    for n in 0..10u8 {
        listener.renew().await;
        speaker.publish("t", vec![n]).await.unwrap();
        while heard <= n {
            match next(&mut events).await {
                // Its acknowledgement was on the way: QoS 1 may repeat it.
                Event::Message(letter) if heard > 0 && letter.payload == [heard - 1] => {}
                Event::Message(letter) => {
                    assert_eq!(letter.payload, [heard]);
                    heard += 1;
                }
                Event::Connected => {}
                Event::Lost { why, .. } => panic!("{why}"),
            }
        }
    }
}

/// What it is made with was taken before the order, and may be old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_being_made_is_renewed_too() {
    let broker = Mosquitto::start("").await;
    let asked = Arc::new(AtomicU32::new(0));
    let (to, counted) = (broker.address, Arc::clone(&asked));
    let options = Options {
        attempts: Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Attempt {
                carriage: Carriage::Plain(Arc::new(Slow(to))),
                ..attempts(to, None)()?
            })
        }),
        ..broker.options("slow")
    };
    let (client, mut events) = Client::start(options).unwrap();
    while asked.load(Ordering::Relaxed) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    client.renew().await;
    assert_eq!(next(&mut events).await, Event::Connected);
    assert_eq!(next(&mut events).await, Event::Connected);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// The socket is for this process alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_can_reach_the_socket() {
    use std::os::unix::fs::PermissionsExt;
    let broker = Mosquitto::start("").await;
    let (client, _events) = broker.listener("c", "t").await;
    let folders = || {
        let entries = std::fs::read_dir(broker.folder.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let [folder] = &folders()[..] else {
        panic!("{:?}", folders());
    };
    let mode = std::fs::metadata(folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    client.close().await;
    drop(client);
    let gone = async {
        while !folders().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone)
        .await
        .expect("it goes with its client");
}
