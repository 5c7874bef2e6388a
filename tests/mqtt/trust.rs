//! Who is not believed, and in which words it is said.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use actors::mqtt::{MqttTransport, Version};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use stories::{Running, World, free_port, until};
use tokio::net::TcpStream;

use super::brokers::{Mosquitto, OwnHub};
use super::site::{Agent, Way, line_is};

/// A certificate authority that nobody knows.
fn stranger() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "nobody");
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("signed").pem()
}

/// The hub's own authority, out of its folder.
fn authority(world: &World) -> Issuer<'static, KeyPair> {
    let both = std::fs::read_to_string(world.path("hub/authority.pem")).expect("a hub ran");
    let at = both.find("-----BEGIN CERTIFICATE").expect("a certificate");
    let (key, certificate) = both.split_at(at);
    let key = KeyPair::from_pem(key).expect("its key");
    Issuer::from_ca_cert_pem(certificate, key).expect("its certificate")
}

/// A certificate by the hub's own authority that has ended: as `agent`'s, or for 127.0.0.1.
fn ended(world: &World, name: &str, names: &[String]) -> (String, String) {
    let issuer = authority(world);
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 2);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    (certificate.pem(), key.serialize_pem())
}

/// What is said of a broker whose TLS is too old.
const OLD_TLS: &str = "it speaks no TLS that is still safe";

/// What is said of a certificate that is somebody else's.
const FOREIGN: &str = "its certificate is for another name";

/// Opens a line that must not stand, and returns why it does not.
async fn refused(agent: &Agent, way: &Way) -> String {
    let (line, _incoming) = agent.line(way);
    let state = line_is(&line, "refused", |state| state.trouble.is_some()).await;
    assert!(!state.is_connected, "{way:?}");
    line.close().await;
    state.trouble.expect("words")
}

async fn judge(agent: &Agent, world: &World, ways: Vec<Way>) {
    for way in &ways {
        let unknown = Way {
            roots_pem: stranger(),
            ..way.clone()
        };
        let why = refused(agent, &unknown).await;
        assert!(why.contains("of an unknown issuer"), "{way:?}: {why}");
        let (certificate, key) = ended(world, &agent.id, &[]);
        let late = Agent {
            certificate,
            key,
            ..agent.clone()
        };
        let why = refused(&late, way).await;
        assert!(why.to_lowercase().contains("certificate"), "{way:?}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_authority_and_an_ended_certificate_are_refused_by_the_hubs_own_broker() {
    let hub = OwnHub::start().await;
    let agent = Agent::enroll(&hub.world, "lyon");
    judge(&agent, &hub.world, hub.ways(&agent.authority)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_authority_and_an_ended_certificate_are_refused_by_mosquitto() {
    let broker = Mosquitto::start().await;
    let agent = Agent::enroll(&broker.world, "lyon");
    // Its WebSockets hang up on a wrong certificate without a word.
    let mut ways = broker.ways();
    ways.retain(|way| way.transport == MqttTransport::Tls);
    judge(&agent, &broker.world, ways).await;
}

/// A broker's TLS as OpenSSL plays it.
async fn s_server(world: &World, more: &[&str]) -> (Running, u16) {
    let port = free_port();
    let accept = format!("127.0.0.1:{port}");
    let (certificate, key) = (world.path("played.crt"), world.path("played.key"));
    let mut args: Vec<&OsStr> = ["s_server", "-quiet", "-accept", &accept, "-cert"]
        .map(OsStr::new)
        .to_vec();
    args.extend([certificate.as_os_str(), OsStr::new("-key"), key.as_os_str()]);
    args.extend(more.iter().map(OsStr::new));
    let log = world.path("openssl.log");
    let running = Running::start(Path::new("openssl"), &args, &log);
    until("openssl listens", Duration::from_secs(10), || async move {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    (running, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_to_be_believed_is_refused_in_words() {
    let hub = OwnHub::start().await;
    let agent = Agent::enroll(&hub.world, "lyon");
    let cases: [(&[&str], Option<&str>, &str); 3] = [
        (
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            Some("127.0.0.1"),
            OLD_TLS,
        ),
        (
            &[],
            Some("127.0.0.1"),
            "its certificate ended on 2020-01-02",
        ),
        (&[], None, FOREIGN),
    ];
    for (more, name, says) in cases {
        let names: Vec<String> = name.into_iter().map(ToOwned::to_owned).collect();
        let (certificate, key) = if says == FOREIGN {
            current(&hub.world, "elsewhere.example.org")
        } else {
            ended(&hub.world, "broker", &names)
        };
        std::fs::write(hub.world.path("played.crt"), certificate).expect("a file");
        std::fs::write(hub.world.path("played.key"), key).expect("a file");
        let (_running, port) = s_server(&hub.world, more).await;
        for transport in [MqttTransport::Tls, MqttTransport::Wss] {
            let way = Way {
                transport,
                port,
                version: Version::V5,
                roots_pem: agent.authority.clone(),
            };
            let why = refused(&agent, &way).await;
            assert!(why.contains(says), "{way:?}: {why}");
        }
    }
}

/// A certificate by the hub's own authority, for another name.
fn current(world: &World, name: &str) -> (String, String) {
    let issuer = authority(world);
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    (certificate.pem(), key.serialize_pem())
}
