//! The door itself: its TLS, its ports, its closing.

use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::RunError;
use crate::cli::complaint::Complaint;
use crate::door::tests::{PATIENCE, Site, config};
use crate::state::StateError;
use crate::store::hash_hex;

#[tokio::test]
async fn the_chain_carries_the_authority_that_a_code_pins() {
    let site = Site::start().await;
    let stream = TcpStream::connect(site.bound.uplink).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();

    let tls = TlsConnector::from(site.stranger())
        .connect(name, stream)
        .await
        .unwrap();

    let chain = tls.get_ref().1.peer_certificates().unwrap();
    assert_eq!(chain.len(), 2);
    assert_eq!(hash_hex(&chain[1]), site.authority.fingerprint());
}

#[tokio::test]
async fn tls_1_1_is_not_spoken() {
    let site = Site::start().await;
    let mut stream = TcpStream::connect(site.bound.uplink).await.unwrap();
    // ClientHello (RFC 4346, 7.4.1.2): version 3.2, 32 random bytes, no session,
    // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression, and one extension that a server
    // looks for before it looks at the version: signature_algorithms.
    let mut hello = vec![22, 3, 1, 0, 55, 1, 0, 0, 51, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);

    stream.write_all(&hello).await.unwrap();

    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    // A fatal alert, protocol_version (70), and nothing else (RFC 8446, 6.2).
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]));
}

#[tokio::test]
async fn the_hub_closes_while_a_client_is_connected() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    site.poll(&agent, super::poll(1, vec![])).await.unwrap();
    let idle = site.channel(None).await.unwrap();

    site.stop().await.unwrap();

    drop(idle);
}

#[tokio::test]
async fn two_hubs_on_one_folder_are_refused() {
    let site = Site::start().await;

    let refused = crate::bind(&config(&site.folder)).await.unwrap_err();

    assert!(
        matches!(refused, RunError::State(StateError::InUse(_))),
        "{refused}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_by_its_key() {
    let site = Site::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.portal_listen = site.bound.portal;

    let refused = crate::bind(&config).await.unwrap_err();

    let complaint = Complaint::from(refused).to_string();
    assert!(
        complaint.contains("another program listens there"),
        "{complaint}"
    );
    assert!(complaint.contains("change portal.listen"), "{complaint}");
}

#[tokio::test]
async fn a_restarted_hub_is_the_same_hub_to_its_agents() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    site.poll(&agent, super::poll(1, vec![super::report(1)]))
        .await
        .unwrap();
    let folder = site.folder.path().to_owned();
    let Site {
        folder: kept,
        stop,
        ended,
        bound,
        ..
    } = site;
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();

    let mut again = config(&kept);
    again.uplink_listen = bound.uplink;
    let hub = crate::bind(&again).await.unwrap();

    assert_eq!(hub.bound().uplink, bound.uplink);
    let fleet = hub
        .store()
        .fleet(&crate::store::Tenant::DEFAULT)
        .await
        .unwrap();
    assert_eq!((fleet.len(), folder.as_path()), (1, kept.path()));
}
