//! Tunnels through proxies that are played line by line.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ProxyError, Tunnel, tunnel};
use crate::Destination;
use crate::route::Proxy;

const LIMIT: Duration = Duration::from_secs(5);
const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const DIGEST: &str = "Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, nonce=\"";

/// A proxy that gives these answers, one a connection, and keeps what it was asked.
struct Played {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Played {
    async fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut question = vec![0; 4096];
                let length = stream.read(&mut question).await.unwrap();
                question.truncate(length);
                heard
                    .lock()
                    .unwrap()
                    .push(String::from_utf8(question).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
                // Whoever was let through keeps the connection.
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0]).await;
                });
            }
        });
        Self { port, asked }
    }

    fn proxy(&self, user: &str) -> Proxy {
        Proxy::parse(&format!("http://{user}127.0.0.1:{}", self.port), None).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn through(proxy: &Proxy) -> Result<Tunnel, ProxyError> {
    let to = Destination::new("hub.test", 443).unwrap();
    let at = ("127.0.0.1", proxy.destination().port());
    tunnel(proxy, &to, LIMIT, || TcpStream::connect(at))
        .await
        .unwrap()
}

fn wants(challenges: &[&str]) -> String {
    let mut head = "HTTP/1.1 407 Proxy Authentication Required\r\n".to_owned();
    for challenge in challenges {
        head += &format!("Proxy-Authenticate: {challenge}\r\n");
    }
    head + "Content-Length: 3\r\n\r\nno!"
}

fn ok() -> String {
    "HTTP/1.1 200 Connection established\r\n\r\n".to_owned()
}

#[tokio::test]
async fn what_comes_behind_the_head_belongs_to_the_tunnel() {
    let played = Played::new(vec![ok() + "SSH-2.0-x\r\n"]).await;
    let mut stream = through(&played.proxy("")).await.unwrap();
    let mut banner = [0; 11];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-x\r\n");
    let asked = &played.asked()[0];
    assert!(
        asked.starts_with("CONNECT hub.test:443 HTTP/1.1\r\nHost: hub.test:443\r\n"),
        "{asked}"
    );
    assert!(!asked.contains("Authorization"), "{asked}");
}

#[tokio::test]
async fn without_a_user_the_schemes_are_named() {
    let played = Played::new(vec![wants(&["Basic realm=\"r\"", "Negotiate"])]).await;
    let refused = through(&played.proxy("")).await.unwrap_err();
    let says = "it wants a user and a password (407, Basic, Negotiate)";
    assert_eq!(refused.to_string(), says);
    let played = Played::new(vec![wants(&["NTLM", "Negotiate"])]).await;
    let refused = through(&played.proxy("anna:word@")).await.unwrap_err();
    assert!(
        matches!(refused, ProxyError::UnknownScheme { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_password_is_shown_only_when_asked_for_and_refused_once() {
    let basic = wants(&["Basic realm=\"r\""]);
    let played = Played::new(vec![basic.clone(), basic.clone(), ok()]).await;
    let refused = through(&played.proxy("anna:word@")).await.unwrap_err();
    assert!(matches!(refused, ProxyError::WrongUser { .. }), "{refused}");
    let asked = played.asked();
    assert_eq!(asked.len(), 2, "no third try: proxies lock users out");
    assert!(!asked[0].contains("Authorization"));
    // RFC 4648 of "anna:word".
    assert!(
        asked[1].contains("\r\nProxy-Authorization: Basic YW5uYTp3b3Jk\r\n"),
        "{}",
        asked[1]
    );
}

#[tokio::test]
async fn digest_counts_its_nonce_up_and_is_right_each_time() {
    let challenge = format!("{DIGEST}{NONCE}\"");
    let both = wants(&["Basic realm=\"r\"", &challenge]);
    let played = Played::new(vec![both, ok(), ok()]).await;
    let proxy = played.proxy("anna:word@");
    through(&proxy).await.unwrap();
    // The second tunnel needs no question first.
    through(&proxy).await.unwrap();
    let asked = played.asked();
    for (count, question) in (1..).zip(&asked[1..]) {
        let nc = format!("{count:08x}");
        assert!(question.contains(&format!("nc={nc}")), "{question}");
        assert_eq!(
            value(question, "response"),
            expected(question, &nc),
            "{question}"
        );
        assert_eq!(value(question, "uri"), "hub.test:443");
    }
    assert_ne!(value(&asked[1], "cnonce"), value(&asked[2], "cnonce"));
}

#[tokio::test]
async fn a_stale_nonce_is_answered_anew_and_says_nothing_of_the_password() {
    let fresh = wants(&[&format!("{DIGEST}a\"")]);
    let stale = wants(&[&format!("{DIGEST}b\", stale=true")]);
    let played = Played::new(vec![fresh, stale, ok()]).await;
    through(&played.proxy("anna:word@")).await.unwrap();
    assert_eq!(value(&played.asked()[2], "nonce"), "b");
    // One that is stale for ever is given up.
    let stale = wants(&[&format!("{DIGEST}b\", stale=true")]);
    let played = Played::new(vec![stale.clone(), stale.clone(), stale.clone(), ok()]).await;
    assert!(through(&played.proxy("anna:word@")).await.is_err());
}

#[tokio::test]
async fn what_is_no_proxy_is_called_so_and_read_no_further() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(100)),
        "HTTP/1.1 wrong\r\n\r\n".to_owned(),
    ] {
        let played = Played::new(vec![answer]).await;
        let refused = through(&played.proxy("")).await.unwrap_err();
        assert!(matches!(refused, ProxyError::NoProxy(_)), "{refused}");
    }
    let played = Played::new(vec!["HTTP/1.1 403 \x1b[31mForbidden\r\n\r\n".to_owned()]).await;
    let refused = through(&played.proxy("")).await.unwrap_err().to_string();
    assert!(!refused.contains('\x1b'), "{refused}");
}

/// The value of a parameter in the question's digest.
fn value(question: &str, name: &str) -> String {
    let (_, rest) = question.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The response by RFC 7616 3.4.1, worked out here.
fn expected(question: &str, nc: &str) -> String {
    let hash = |text: String| -> String {
        Sha256::digest(text.as_bytes())
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    };
    let (user, path) = (
        hash("anna:r:word".into()),
        hash("CONNECT:hub.test:443".into()),
    );
    let cnonce = value(question, "cnonce");
    hash(format!("{user}:{NONCE}:{nc}:{cnonce}:auth:{path}"))
}
