//! The dialect of Azure IoT Hub, against a broker that plays it. The service itself was not reached.

use std::time::{Duration, Instant};

use actors::mqtt::{
    CommandLine, Destination, Incoming, MqttDialect, MqttLink, MqttTransport, ReplyTo, Speaker,
    TOKEN_LIFE_MAX, Version,
};
use actors::reach::credential::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dial::{Dialer, Trust};
use prost::Message;
use proto::v1;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use stories::PATIENCE;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

use super::iothub::{IotHub, Over, Proof};
use super::site::{command, connected, line_is, tried};
use super::token::is_token;

const KEY: &[u8] = b"a device's key of thirty-two octets";

/// Opens a line for `lyon-1` over TLS, with a token that lasts so long.
fn open(hub: &IotHub, token_life: Duration) -> (CommandLine, Receiver<Incoming>) {
    open_for(hub, ("lyon-1", Over::Tls), (Some(token_life), None))
}

/// Opens a line for a device, with a token that lasts so long, or with certificate and key.
fn open_for(
    hub: &IotHub,
    (device, over): (&str, Over),
    (token_life, identity): (Option<Duration>, Option<(String, String)>),
) -> (CommandLine, Receiver<Incoming>) {
    let link = MqttLink {
        dialect: MqttDialect::Azure {
            device_id: Some(device.to_owned()),
            key: token_life.map(|_| Secret::new(STANDARD.encode(KEY).into_bytes())),
            token_life: token_life.unwrap_or(TOKEN_LIFE_MAX),
        },
        transport: match over {
            Over::Tls => MqttTransport::Tls,
            Over::WebSocket => MqttTransport::Wss,
        },
        broker: Destination::new("127.0.0.1", hub.port).expect("an address"),
        authority_pem: None,
        version: Version::V311,
        keep_alive: Duration::from_secs(10),
        folder: std::env::temp_dir(),
    };
    let trust = Trust {
        roots_pem: hub.authority.clone(),
        identity,
    };
    let dialers = move || Dialer::new(&trust).map_err(|error| error.to_string());
    let speaker = Speaker {
        agent_id: "f".repeat(32),
        instance: "0".repeat(32),
        dialers: std::sync::Arc::new(dialers),
        outbox: actors::outbox::Outbox::default(),
    };
    CommandLine::open(&link, speaker).expect("a line")
}

/// An authority of devices, and the certificate and key of the one with this name.
fn device_of(authority: &str, name: &str) -> (String, (String, String)) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params
        .distinguished_name
        .push(DnType::CommonName, authority);
    let pem = params.self_signed(&key).expect("signed").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    (pem, (certificate.pem(), key.serialize_pem()))
}

fn done(id: &str) -> Vec<u8> {
    v1::Outcome {
        command_id: id.to_owned(),
        state: v1::outcome::State::Done.into(),
        result: b"{}".to_vec(),
        ..v1::Outcome::default()
    }
    .encode_to_vec()
}

/// The next event that is on a topic with these words in it.
async fn event(hub: &mut IotHub, words: &str) -> (String, Vec<u8>) {
    loop {
        let event = timeout(PATIENCE, hub.events.recv()).await;
        let event = event.expect("an event in time").expect("a broker");
        if event.0.contains(words) {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_as_messages_methods_and_properties() {
    let proof = Proof::Key(KEY.to_vec());
    for over in [Over::Tls, Over::WebSocket] {
        let hub = IotHub::start_for("lyon-1", proof.clone(), over).await;
        let opened = open_for(&hub, ("lyon-1", over), (Some(TOKEN_LIFE_MAX), None));
        every_way_works(hub, "lyon-1", opened).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_device_is_a_proof_without_a_password() {
    let id = "f".repeat(32);
    let (authority, identity) = device_of("the agents' authority", &id);
    for over in [Over::Tls, Over::WebSocket] {
        let hub = IotHub::start_for(&id, Proof::Certificate(authority.clone()), over).await;
        let opened = open_for(&hub, (&id, over), (None, Some(identity.clone())));
        every_way_works(hub, &id, opened).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_another_device_or_authority_is_refused_in_words() {
    let (authority, another) = device_of("the agents' authority", "another");
    let (_, stranger) = device_of("somebody's authority", "lyon-1");
    for (identity, word) in [
        (Some(another), "not authorized"),
        (Some(stranger), "unknownca"),
        (None, "certificaterequired"),
    ] {
        let proof = Proof::Certificate(authority.clone());
        let hub = IotHub::start_for("lyon-1", proof, Over::Tls).await;
        let (line, _incoming) = open_for(&hub, ("lyon-1", Over::Tls), (None, identity));
        let state = line_is(&line, "refused", |state| state.trouble.is_some()).await;
        let why = state.trouble.expect("words").to_lowercase();
        assert!(why.contains(word), "{word}: {why}");
        assert_eq!(hub.sins(), Vec::<String>::new());
    }
}

/// Messages, methods and properties bring commands, and each is answered where it came from.
async fn every_way_works(
    mut hub: IotHub,
    device: &str,
    (line, mut incoming): (CommandLine, Receiver<Incoming>),
) {
    connected(&line).await;
    let (_, presence) = event(&mut hub, "kind=presence").await;
    assert!(
        v1::Presence::decode(&*presence)
            .expect("a presence")
            .is_online
    );

    let bound = format!("devices/{device}/messages/devicebound/%24.mid=7");
    hub.send(&bound, b"one");
    let one = command(&mut incoming).await;
    assert_eq!((&*one.payload, &one.reply), (&b"one"[..], &ReplyTo::Topic));
    line.answer(&one.reply, &done("1")).await.expect("answered");
    let (topic, outcome) = event(&mut hub, "kind=outcome").await;
    assert!(topic.ends_with("&$.ct=application%2Fx-protobuf"), "{topic}");
    assert_eq!(outcome, done("1"));

    let call = json!({ "command": STANDARD.encode("two") }).to_string();
    hub.send("$iothub/methods/POST/command/?$rid=5a", call.as_bytes());
    let two = command(&mut incoming).await;
    assert_eq!(two.payload, b"two");
    line.answer(&two.reply, &done("2")).await.expect("answered");
    let (topic, answer) = event(&mut hub, "methods/res").await;
    assert_eq!(topic, "$iothub/methods/res/200/?$rid=5a");
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(
        (&answer["id"], &answer["state"]),
        (&json!("2"), &json!("done"))
    );

    hub.send("$iothub/methods/POST/reboot/?$rid=5b", b"{}");
    let (topic, _) = event(&mut hub, "methods/res").await;
    assert_eq!(topic, "$iothub/methods/res/404/?$rid=5b");

    let wanted = json!({ "command": STANDARD.encode("three"), "$version": 4 });
    hub.desire(&wanted);
    let three = command(&mut incoming).await;
    assert_eq!(
        (&*three.payload, &three.reply),
        (&b"three"[..], &ReplyTo::Twin(4))
    );
    line.answer(&three.reply, &done("3"))
        .await
        .expect("answered");
    let reported = tried("a report", || hub.reported().pop()).await;
    assert_eq!(reported["command"]["version"], json!(4));
    assert_eq!(reported["command"]["state"], json!("done"));

    line.close().await;
    assert_eq!(hub.sins(), Vec::<String>::new());
    assert_eq!(hub.filters().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_desired_while_the_agent_was_away_is_heard() {
    let hub = IotHub::start(KEY).await;
    let wanted = json!({ "command": STANDARD.encode("earlier"), "$version": 9 });
    hub.desire_silently(&wanted);
    let (_line, mut incoming) = open(&hub, TOKEN_LIFE_MAX);
    let heard = command(&mut incoming).await;
    assert_eq!(
        (&*heard.payload, &heard.reply),
        (&b"earlier"[..], &ReplyTo::Twin(9))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_ends_and_no_command_is_lost() {
    let mut hub = IotHub::start(KEY).await;
    let life = Duration::from_secs(4);
    let (line, mut incoming) = open(&hub, life);
    connected(&line).await;
    let begun = Instant::now();
    let mut sent = 0u32;
    let mut heard = Vec::new();
    // Three renewals, at three quarters of a life each.
    while begun.elapsed() < life * 3 {
        hub.send("devices/lyon-1/messages/devicebound/", &sent.to_be_bytes());
        sent += 1;
        sleep(Duration::from_millis(50)).await;
        while let Ok(came) = incoming.try_recv() {
            heard.push(came);
        }
    }
    while heard.len() < sent as usize {
        heard.push(command(&mut incoming).await);
    }
    for came in &heard {
        line.answer(&came.reply, &came.payload)
            .await
            .expect("answered");
    }
    let mut ids: Vec<u32> = heard
        .iter()
        .map(|came| u32::from_be_bytes(came.payload[..].try_into().expect("an id")))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids, (0..sent).collect::<Vec<_>>());
    let passwords = hub.passwords();
    assert!(passwords.len() >= 3, "{passwords:?}");
    assert!(
        passwords.windows(2).all(|pair| pair[0] != pair[1]),
        "{passwords:?}"
    );
    // The broker let each in when it came, so none had ended; the last still lasts.
    assert!(is_token(KEY, "lyon-1", passwords.last().expect("some")));
    assert_eq!(hub.sins(), Vec::<String>::new());
    event(&mut hub, "kind=outcome").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_in_words() {
    let hub = IotHub::start(b"another key").await;
    let (line, _incoming) = open(&hub, TOKEN_LIFE_MAX);
    let state = line_is(&line, "refused", |state| state.trouble.is_some()).await;
    let why = state.trouble.expect("words");
    assert!(why.to_lowercase().contains("not authorized"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_holder_of_the_identity_is_noticed() {
    let hub = IotHub::start(KEY).await;
    let (first, _incoming) = open(&hub, TOKEN_LIFE_MAX);
    connected(&first).await;
    assert_eq!(first.state().borrow().alarm, None);
    let (second, _incoming) = open(&hub, TOKEN_LIFE_MAX);
    let state = line_is(&first, "alarmed", |state| state.alarm.is_some()).await;
    let alarm = state.alarm.expect("words");
    assert!(
        alarm.contains("another program uses this agent's identity"),
        "{alarm}"
    );
    second.close().await;
}
