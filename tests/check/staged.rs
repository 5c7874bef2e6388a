//! What stands in the way of an agent: wrong servers, proxies, portals, and a network to be cut.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use stories::{PATIENCE, Running, World, free_port, until};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::network::{Network, Who};

/// Years in which a good certificate counts.
pub const YEARS_NOW: (i32, i32) = (2020, 2090);
/// Years in which an old one counted.
pub const YEARS_PAST: (i32, i32) = (2001, 2002);

/// A certificate authority: the hub's own, or somebody else's.
pub struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// Somebody else's.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(Issuer::new(params, KeyPair::generate().expect("a key")))
    }

    /// The hub's own, out of its state folder.
    pub fn of_hub(file: &Path) -> Self {
        let pem = std::fs::read_to_string(file).expect("the hub's authority");
        let key = KeyPair::from_pem(&pem).expect("its key");
        let at = pem.find("-----BEGIN CERTIFICATE").expect("a certificate");
        Self(Issuer::from_ca_cert_pem(&pem[at..], key).expect("its certificate"))
    }

    /// A certificate for a host, and its key.
    pub fn certify(&self, host: &str, years: (i32, i32)) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server of gRPC without any method, on a free port of loopback.
pub async fn server((certificate, key): &(String, String)) -> u16 {
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = Server::builder()
        .tls_config(tls)
        .expect("TLS")
        .add_routes(Routes::default());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    port
}

/// A sign-in page without TLS that answers whatever comes.
pub fn portal(location: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// A proxy that runs.
pub struct RealProxy {
    /// Where it listens, on loopback.
    pub port: u16,
    _running: Running,
}

/// tinyproxy, which wants a user.
pub fn proxy_with_user(world: &World) -> RealProxy {
    let port = free_port();
    let config = world.path("tinyproxy.conf");
    let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth anna word\n");
    std::fs::write(&config, text).expect("a configuration");
    let args = [OsStr::new("-d"), OsStr::new("-c"), config.as_os_str()];
    let running = Running::start(Path::new("tinyproxy"), &args, &world.path("tinyproxy.log"));
    let end = std::time::Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(std::time::Instant::now() < end, "tinyproxy does not listen");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    RealProxy {
        port,
        _running: running,
    }
}

/// Something that greets like an SSH server on port 22 of a namespace.
pub async fn ssh_banner(network: &Network, who: Who, address: &str, log: &Path) -> Running {
    let script = format!(
        "import socket\ns = socket.create_server(('{address}', 22))\n\
         while True:\n    c, _ = s.accept()\n    c.sendall(b'SSH-2.0-story\\r\\n')\n    c.close()\n"
    );
    let args = [OsStr::new("-c"), OsStr::new(&script)];
    let running = network.starts(who, Path::new("python3"), &args, log);
    until("the SSH server listens", PATIENCE, || async {
        network
            .says(who, &["ss", "-Hlnt"])
            .contains(":22")
            .then_some(())
    })
    .await;
    running
}
