//! What `platen check` asks of the hub: each channel as the agent itself dials it.
//!
//! Nothing is sent that the hub keeps: gRPC is asked for a method that does not exist, MQTT is
//! connected and not logged in, SSH is heard and not answered.

use std::error::Error;
use std::time::{Duration, Instant};

use actors::mqtt::MqttDialect;
use dial::{Connector, Destination, DialError, Dialer, Seen, Stream, TlsProblem, Trust};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Endpoint;

use super::explain;
use super::finding::{Area, Cause, Finding, Trouble};
use crate::channels::{Channel, Speech};
use crate::config::AgentConfig;
use crate::identity::Identity;

/// A method that no hub has: a gRPC server answers that it is not there.
const NO_METHOD: &str = "/platen.v1.Uplink/Check";
/// What a WebSocket server must be able to do with it (RFC 6455 1.3); its value does not matter.
const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// Most that is read of an answer's head, or of a banner, in bytes.
const HEAD_BYTES_MAX: usize = 4096;
/// Longest line of a foreign answer that is shown, in characters.
const LINE_CHARS_MAX: usize = 160;
/// How long a server has to refuse our certificate, which in TLS 1.3 it does after the handshake.
const REFUSAL_WAIT: Duration = Duration::from_millis(500);

/// What the hub's channels said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// One for each channel.
    pub(super) findings: Vec<Finding>,
    /// Our time and the hub's, at the same instant.
    pub(super) clock: Option<(Timestamp, Timestamp)>,
}

/// Who asks.
#[derive(Debug)]
struct Asker {
    dialer: Dialer,
    /// Shows no certificate: for questions about time and portals.
    anonymous: Dialer,
    /// Believes the broker's roots, where it has others than the hub.
    broker: Dialer,
    /// Whether the broker is one of ours, whose path of a WebSocket is known.
    is_plain: bool,
    certificate: Option<Seen>,
    limit: Duration,
}

/// Asks every channel.
pub(super) async fn ask(
    config: &AgentConfig,
    identity: &Identity,
    channels: &[Channel],
    limit: Duration,
) -> Heard {
    let asker = match Asker::new(config, identity, limit) {
        Ok(asker) => asker,
        Err(error) => {
            let trouble = Trouble::new(
                Cause::NotEnrolled,
                format!("this agent's identity cannot be used: {error}"),
                "the file was changed, or belongs to another release",
                "enroll again with a new code: platen enroll --again URL CODE",
            );
            let findings = vec![Finding::failed(Area::Hub, "identity", trouble)];
            return Heard {
                findings,
                clock: None,
            };
        }
    };
    let mut heard = Heard::default();
    for channel in channels {
        let began = Instant::now();
        let (finding, clock) = asker.channel(channel).await;
        heard.findings.push(finding.taking(began.elapsed()));
        heard.clock = heard.clock.or(clock);
    }
    heard
}

impl Asker {
    fn new(
        config: &AgentConfig,
        identity: &Identity,
        limit: Duration,
    ) -> Result<Self, dial::TrustError> {
        let route = config.route.route.clone();
        let anonymous = Trust {
            roots_pem: identity.authority.clone(),
            identity: None,
        };
        let trust = Trust {
            identity: Some((identity.certificate.clone(), identity.key.clone())),
            ..anonymous.clone()
        };
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
        let broker = Trust {
            roots_pem: roots_of_broker(config).unwrap_or(identity.authority.clone()),
            ..trust.clone()
        };
        Ok(Self {
            dialer: Dialer::through(&trust, route.clone())?.within(limit),
            anonymous: Dialer::through(&anonymous, route.clone())?.within(limit),
            broker: Dialer::through(&broker, route)?.within(limit),
            is_plain: matches!(config.mqtt.dialect, MqttDialect::Plain),
            certificate: certificate.ok().and_then(|it| Seen::of(&it)),
            limit,
        })
    }

    async fn channel(&self, channel: &Channel) -> (Finding, Option<(Timestamp, Timestamp)>) {
        let to = &channel.to;
        match channel.speech {
            Speech::Grpc => self.grpc(to).await,
            Speech::Wss => (self.mqtt(to, "mqtt/wss", true).await, None),
            Speech::Mqtts => (self.mqtt(to, "mqtt", false).await, None),
            Speech::Ssh => (self.ssh(to).await, None),
        }
    }

    async fn grpc(&self, to: &Destination) -> (Finding, Option<(Timestamp, Timestamp)>) {
        let subject = format!("{to} grpc");
        if let Some(trouble) = self.own_certificate() {
            return (Finding::failed(Area::Hub, subject, trouble), None);
        }
        match question(&self.dialer, to, self.limit).await {
            Ok(answer) => {
                let clock = told(&answer);
                let is_grpc = answer.headers().contains_key("grpc-status");
                if !is_grpc {
                    let trouble = Trouble::new(
                        Cause::WrongServer,
                        format!("it answers {} and speaks no gRPC", answer.status()),
                        "something stands between that speaks HTTP for the hub",
                        "see which program listens on the hub's port",
                    );
                    return (Finding::failed(Area::Hub, subject, trouble), clock);
                }
                let until = self.certificate.as_ref().map(|it| it.ends.to_string());
                let what = format!("TLS ok, our certificate to {}", until.unwrap_or_default());
                (Finding::fine(Area::Hub, subject, what), clock)
            }
            Err(failed) => {
                let (trouble, clock) = self.closer(failed, to).await;
                (Finding::failed(Area::Hub, subject, trouble), clock)
            }
        }
    }

    /// Our own certificate, where it is out of its time by our own clock.
    fn own_certificate(&self) -> Option<Trouble> {
        let seen = self.certificate.as_ref()?;
        let now = Timestamp::now();
        if now < seen.begins {
            return Some(Trouble::new(
                Cause::Clock,
                format!(
                    "this agent's certificate begins on {}, and it is {now}",
                    seen.begins
                ),
                "the hub made it, so this machine's clock is behind",
                "set the clock, and let it be kept: timedatectl set-ntp true",
            ));
        }
        None
    }

    /// What a failure means, looked at once more where the error alone does not tell.
    async fn closer(
        &self,
        failed: Failed,
        to: &Destination,
    ) -> (Trouble, Option<(Timestamp, Timestamp)>) {
        let error = match failed {
            Failed::Dial(error) => error,
            Failed::Spoke(words) => return (self.refusal(words), None),
        };
        let trouble = explain::dial(&error, to.host());
        let DialError::Tls { problem, .. } = &error else {
            return (trouble, None);
        };
        match problem {
            TlsProblem::Expired {
                ended: at,
                is_trusted: true,
            } => {
                self.time(trouble, to, *at - SignedDuration::from_secs(1))
                    .await
            }
            TlsProblem::NotYetValid {
                begins: at,
                is_trusted: true,
            } => {
                self.time(trouble, to, *at + SignedDuration::from_secs(1))
                    .await
            }
            TlsProblem::NoTls => (self.portal(to).await.unwrap_or(trouble), None),
            TlsProblem::Refused(error) => (self.refusal(error.to_string()), None),
            _ => (trouble, None),
        }
    }

    /// The hub's certificate is right but for the time: is it the certificate or our clock? The
    /// hub is asked for its time, as if it were `then`.
    async fn time(
        &self,
        trouble: Trouble,
        to: &Destination,
        then: Timestamp,
    ) -> (Trouble, Option<(Timestamp, Timestamp)>) {
        let dialer = self.anonymous.clone().as_if_at(then);
        let answer = question(&dialer, to, self.limit).await;
        let Some((ours, theirs)) = answer.ok().and_then(|it| told(&it)) else {
            return (trouble, None);
        };
        let off = ours.duration_since(theirs);
        let is_clock = off.unsigned_abs() > super::machine::CLOCK_OFF_MAX;
        let trouble = if is_clock {
            Trouble {
                cause: Cause::Clock,
                why: format!(
                    "the clocks differ: {ours} here, {theirs} at the hub ({:+} s)",
                    off.as_secs()
                ),
                next: "set it, and let it be kept: timedatectl set-ntp true".to_owned(),
                ..trouble
            }
        } else {
            Trouble {
                cause: Cause::CertificateExpired,
                why: "both clocks agree: it is the hub's certificate".to_owned(),
                next: "restart the hub, which renews its certificate, and see its log".to_owned(),
                ..trouble
            }
        };
        (trouble, Some((ours, theirs)))
    }

    /// Whether what speaks no TLS is a sign-in page: asked in plain HTTP at the very same port.
    async fn portal(&self, to: &Destination) -> Option<Trouble> {
        let mut stream = self.anonymous.tcp(to).await.ok()?;
        let asked = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            to.host()
        );
        let head = exchange(&mut stream, &asked, self.limit).await?;
        let status = status(&head)?;
        let location = head
            .lines()
            .find_map(|line| {
                line.split_once(':')
                    .filter(|it| it.0.eq_ignore_ascii_case("location"))
            })
            .map(|(_, value)| value.trim().to_owned());
        // 511: Network Authentication Required (RFC 6585).
        let is_portal = status == 511 || (300..400).contains(&status) || status == 200;
        is_portal.then(|| {
            let onward = location
                .map(|it| format!(" and sends to {it}"))
                .unwrap_or_default();
            Trouble::new(
                Cause::CaptivePortal,
                format!("a web page answers in the hub's place ({status}){onward}"),
                "a captive portal: this network wants somebody to sign in first",
                "sign in with a browser on this network, or have this machine excepted",
            )
        })
    }

    /// The hub does not take our certificate.
    fn refusal(&self, words: String) -> Trouble {
        let now = Timestamp::now();
        let ended = self.certificate.as_ref().filter(|seen| seen.ends < now);
        match ended {
            Some(seen) => Trouble::new(
                Cause::CertificateExpired,
                format!("this agent's certificate ended on {}: {words}", seen.ends),
                "it is renewed while the agent runs and reaches the hub; it was off for too long",
                "enroll again with a new code: platen enroll --again URL CODE",
            ),
            None => Trouble::new(
                Cause::Refused,
                format!("the hub does not take this agent's certificate: {words}"),
                "it was revoked, or belongs to another hub",
                "look at `platen-hub agent ls`; if need be enroll again with a new code",
            ),
        }
    }

    async fn mqtt(&self, to: &Destination, speech: &str, is_wss: bool) -> Finding {
        let subject = format!("{to} {speech}");
        let down = |what: String| {
            let trouble = Trouble::new(
                Cause::BrokerDown,
                what,
                "commands do not arrive; readings do not need it",
                "see the log of platen-hub, or of the broker where it is another program",
            );
            Finding::failed(Area::Hub, subject.clone(), trouble)
        };
        let alpn: &[&[u8]] = if is_wss { &[b"http/1.1"] } else { &[] };
        let mut stream = match self.broker.tls(to, alpn).await {
            Ok(stream) => stream,
            Err(DialError::Refused { to: refused }) if refused == to.to_string() => {
                return down("nothing listens there".to_owned());
            }
            Err(DialError::Tls {
                problem: TlsProblem::OtherProtocol,
                ..
            }) => return down("the hub answers, and not to WebSocket".to_owned()),
            Err(error) => {
                let (trouble, _) = self.closer(Failed::Dial(error), to).await;
                return Finding::failed(Area::Hub, subject, trouble);
            }
        };
        if !is_wss || !self.is_plain {
            // Who is not refused within this was let in.
            return match timeout(REFUSAL_WAIT, stream.read_u8()).await {
                Err(_) | Ok(Ok(_)) => Finding::fine(Area::Hub, subject, "TLS ok"),
                Ok(Err(error)) => down(format!("it hangs up: {error}")),
            };
        }
        let asked = format!(
            "GET /mqtt HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        let head = exchange(&mut stream, &asked, self.limit).await;
        match head.as_deref().map(|head| (status(head), head)) {
            Some((Some(101), _)) => Finding::fine(Area::Hub, subject, "TLS and WebSocket ok"),
            Some((Some(status), _)) => down(format!("the hub answers {status} instead of MQTT")),
            Some((None, _)) | None => down("the hub does not answer there".to_owned()),
        }
    }

    async fn ssh(&self, to: &Destination) -> Finding {
        let subject = format!("{to} ssh");
        let blocked = |what: String, why: &str| {
            let trouble = Trouble::new(
                Cause::SshBlocked,
                what,
                why,
                format!(
                    "device web access will not work; ask for TCP {} out",
                    to.port()
                ),
            );
            Finding::warning(Area::Hub, subject.clone(), trouble)
        };
        let mut stream = match self.anonymous.tcp(to).await {
            Ok(stream) => stream,
            Err(error) => {
                let trouble = explain::dial(&error, to.host());
                return blocked(trouble.what, &trouble.why);
            }
        };
        let banner = exchange(&mut stream, "", self.limit)
            .await
            .unwrap_or_default();
        if banner.starts_with("SSH-2.0") {
            return Finding::fine(Area::Hub, subject, line(&banner));
        }
        let what = format!("what answers is no SSH server: '{}'", line(&banner));
        blocked(
            what,
            "a firewall answers for it, or another program has that port",
        )
    }
}

/// The roots of a broker that has others than the hub.
fn roots_of_broker(config: &AgentConfig) -> Option<String> {
    std::fs::read_to_string(config.mqtt.ca_file.as_ref()?).ok()
}

/// Why a question has no answer.
#[derive(Debug)]
enum Failed {
    /// Nobody was reached.
    Dial(DialError),
    /// Somebody was, and ended the conversation.
    Spoke(String),
}

/// Asks over HTTP/2 for what no hub has.
async fn question(
    dialer: &Dialer,
    to: &Destination,
    limit: Duration,
) -> Result<Response<Body>, Failed> {
    let spoke = |error: &(dyn Error + 'static)| Failed::Spoke(innermost(error));
    // Dialled once before: tonic gives back an error that can be looked at, not had.
    dialer.tls(to, &[b"h2"]).await.map_err(Failed::Dial)?;
    let origin = format!("https://{to}").parse();
    let endpoint = Endpoint::from_shared(format!("http://{to}")).map_err(|error| spoke(&error))?;
    let mut channel = endpoint
        .origin(origin.map_err(|error| spoke(&error))?)
        .connect_with_connector(Connector::new(dialer.clone(), to.clone()))
        .await
        .map_err(|error| spoke(&error))?;
    let request = Request::post(NO_METHOD)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .map_err(|error| spoke(&error))?;
    let answer = timeout(limit, async {
        std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
        channel.call(request).await
    });
    match answer.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(spoke(&error)),
        Err(_) => Err(Failed::Spoke(format!(
            "no answer in {} s",
            limit.as_secs_f32()
        ))),
    }
}

/// Our time and the one that an answer tells (RFC 9110 6.6.1).
fn told(answer: &Response<Body>) -> Option<(Timestamp, Timestamp)> {
    let date = answer.headers().get("date")?.to_str().ok()?;
    let theirs = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some((Timestamp::now(), theirs))
}

fn innermost(mut error: &(dyn Error + 'static)) -> String {
    while let Some(reason) = error.source() {
        error = reason;
    }
    error.to_string()
}

/// Says something, and hears the head of what comes back.
async fn exchange<S: Stream>(stream: &mut S, asked: &str, limit: Duration) -> Option<String> {
    let mut head = Vec::new();
    let heard = async {
        stream.write_all(asked.as_bytes()).await.ok()?;
        let mut some = [0; 512];
        while head.len() < HEAD_BYTES_MAX && !head.ends_with(b"\n") {
            let length = stream.read(&mut some).await.ok()?;
            if length == 0 {
                break;
            }
            head.extend_from_slice(some.get(..length)?);
        }
        Some(())
    };
    timeout(limit, heard).await.ok()??;
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// The status of an HTTP/1 answer.
fn status(head: &str) -> Option<u16> {
    let (version, rest) = head.split_once(' ')?;
    let digits = version.starts_with("HTTP/1.").then(|| rest.get(..3))?;
    digits?.parse().ok()
}

/// The first line of what somebody said.
fn line(said: &str) -> String {
    said.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(LINE_CHARS_MAX)
        .collect()
}
