//! The tunnel through an HTTP proxy: CONNECT (RFC 9110 9.3.6), with Basic (RFC 7617) or Digest
//! (RFC 7616) where the proxy asks for it.
//!
//! What a proxy says is anybody's text: its head is bounded in length and time, and only its
//! status, its challenges and a few words of its reason are looked at.

use std::time::Duration;

use http_auth::digest::Algorithm;
use http_auth::{BasicClient, ChallengeRef, DigestClient, PasswordParams, parse_challenges};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Destination;
use crate::route::Proxy;

/// Longest head of an answer, in bytes: proxies send a few hundred.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header fields of an answer.
const FIELDS_MAX: usize = 64;
/// Most questions for one tunnel: without an answer, with one, and with one to a new nonce.
const TRIES_MAX: usize = 3;
/// Longest reason of a proxy that is kept, in characters.
const REASON_CHARS_MAX: usize = 100;
/// Most schemes of authentication that are named.
const SCHEMES_MAX: usize = 8;

/// Why a proxy made no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It wants to know who we are, and nothing is configured (407).
    #[error("it wants a user and a password (407, {schemes})")]
    WantsUser {
        /// The schemes that it offers.
        schemes: String,
    },
    /// It does not take the user and the password (407 again; tinyproxy: 401).
    #[error("it does not take the user '{user}' and the password ({schemes})")]
    WrongUser {
        /// Whom we said we are.
        user: String,
        /// The schemes that it offers.
        schemes: String,
    },
    /// It authenticates in ways that we do not speak.
    #[error("it authenticates by {schemes}; only Basic and Digest can be used")]
    UnknownScheme {
        /// The schemes that it offers.
        schemes: String,
    },
    /// It does not let us through.
    #[error("it answers {status} {reason}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// Its words.
        reason: String,
    },
    /// It does not speak HTTP, or too much of it.
    #[error("what answers there is no HTTP proxy: {0}")]
    NoProxy(String),
    /// The connection to it broke.
    #[error("the connection to it broke: {0}")]
    Broken(#[from] std::io::Error),
    /// It said nothing in time.
    #[error("it did not answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
}

/// What answers a proxy's challenge.
#[derive(Debug)]
pub(crate) enum Client {
    Basic(BasicClient),
    Digest(Box<DigestClient>),
}

impl Client {
    fn scheme(&self) -> &'static str {
        match self {
            Self::Basic(_) => "Basic",
            Self::Digest(_) => "Digest",
        }
    }

    /// The value of `Proxy-Authorization`; each use counts the nonce up.
    fn answer(&mut self, proxy: &Proxy, uri: &str) -> Result<String, ProxyError> {
        match self {
            Self::Basic(basic) => Ok(basic.respond(proxy.user(), proxy.password())),
            Self::Digest(digest) => {
                let asked = PasswordParams {
                    username: proxy.user(),
                    password: proxy.password(),
                    uri,
                    method: "CONNECT",
                    body: None,
                };
                digest.respond(&asked).map_err(ProxyError::NoProxy)
            }
        }
    }
}

/// What a proxy answered.
struct Answer {
    status: u16,
    reason: String,
    challenges: Vec<String>,
}

/// A connection that is being asked for a tunnel. What comes behind the answer's head belongs to
/// the tunnel and stays in the buffer.
pub(crate) type Tunnel = BufReader<TcpStream>;

/// Asks a proxy for a tunnel. `dial` connects to it, each time anew: many close after a 407.
pub(crate) async fn tunnel<F, E>(
    proxy: &Proxy,
    to: &Destination,
    limit: Duration,
    dial: impl Fn() -> F,
) -> Result<Result<Tunnel, ProxyError>, E>
where
    F: Future<Output = Result<TcpStream, E>>,
{
    let uri = to.to_string();
    // A nonce of an earlier tunnel may still do; nobody refused the password yet then.
    let mut client = proxy.with_answered(Option::take);
    let mut has_answered_this_dial = false;
    for _ in 0..TRIES_MAX {
        let authorization = match client.as_mut().map(|it| it.answer(proxy, &uri)) {
            None => None,
            Some(Ok(authorization)) => Some(authorization),
            Some(Err(error)) => return Ok(Err(error)),
        };
        let mut stream = BufReader::new(dial().await?);
        let asked = ask(&mut stream, &uri, authorization.as_deref());
        let answer = match timeout(limit, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_) => return Ok(Err(ProxyError::Silent(limit))),
        };
        match answer.status {
            200..=299 => {
                proxy.with_answered(|kept| *kept = client);
                return Ok(Ok(stream));
            }
            407 => match next_client(proxy, &answer, has_answered_this_dial) {
                Ok(next) => {
                    client = Some(next);
                    has_answered_this_dial = true;
                }
                Err(error) => return Ok(Err(error)),
            },
            401 if has_answered_this_dial => {
                return Ok(Err(ProxyError::WrongUser {
                    user: proxy.user().to_owned(),
                    schemes: client.map_or("", |it| it.scheme()).to_owned(),
                }));
            }
            status => {
                let reason = answer.reason;
                return Ok(Err(ProxyError::Refused { status, reason }));
            }
        }
    }
    Ok(Err(ProxyError::WrongUser {
        user: proxy.user().to_owned(),
        schemes: "its challenge is new each time".to_owned(),
    }))
}

/// One question and the head of its answer.
async fn ask(
    stream: &mut Tunnel,
    uri: &str,
    authorization: Option<&str>,
) -> Result<Answer, ProxyError> {
    let mut question = format!(
        "CONNECT {uri} HTTP/1.1\r\nHost: {uri}\r\nUser-Agent: platen/{}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(authorization) = authorization {
        question.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
    }
    question.push_str("\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut head = Vec::new();
    // Line by line, so that nothing of the tunnel is taken.
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        let room = HEAD_BYTES_MAX - head.len();
        let mut line = stream.take(u64::try_from(room).unwrap_or_default());
        if line.read_until(b'\n', &mut head).await? == 0 {
            let what = if room == 0 {
                "too long an answer"
            } else {
                "it hung up"
            };
            return Err(ProxyError::NoProxy(what.to_owned()));
        }
        if !head.starts_with(b"HTTP/1.") {
            return Err(ProxyError::NoProxy("its answer is no HTTP/1".to_owned()));
        }
    }
    read_head(&head)
}

fn read_head(head: &[u8]) -> Result<Answer, ProxyError> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    response
        .parse(head)
        .map_err(|error| ProxyError::NoProxy(error.to_string()))?;
    let reason = response.reason.unwrap_or_default();
    let reason = reason.chars().filter(|letter| !letter.is_control());
    let challenges = response
        .headers
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|field| String::from_utf8(field.value.to_vec()).ok());
    Ok(Answer {
        status: response.code.unwrap_or_default(),
        reason: reason.take(REASON_CHARS_MAX).collect(),
        challenges: challenges.collect(),
    })
}

/// How to answer a 407.
fn next_client(proxy: &Proxy, answer: &Answer, has_answered: bool) -> Result<Client, ProxyError> {
    let challenges: Vec<ChallengeRef<'_>> = answer
        .challenges
        .iter()
        .filter_map(|text| parse_challenges(text).ok())
        .flatten()
        .collect();
    let schemes = || {
        let mut names: Vec<String> = challenges
            .iter()
            .take(SCHEMES_MAX)
            .map(|challenge| challenge.scheme.chars().take(20).collect())
            .collect();
        names.dedup();
        if names.is_empty() {
            "no scheme that can be read".to_owned()
        } else {
            names.join(", ")
        }
    };
    let Some(client) = best(&challenges) else {
        return Err(ProxyError::UnknownScheme { schemes: schemes() });
    };
    if !proxy.has_user() {
        return Err(ProxyError::WantsUser { schemes: schemes() });
    }
    // A stale nonce says nothing about the password (RFC 7616 3.3).
    let is_stale = matches!(&client, Client::Digest(digest) if digest.stale());
    if has_answered && !is_stale {
        let user = proxy.user().to_owned();
        return Err(ProxyError::WrongUser {
            user,
            schemes: schemes(),
        });
    }
    Ok(client)
}

/// The strongest challenge that we can answer: Digest over Basic, which gives the password away to
/// whoever listens; SHA-256 over MD5.
fn best(challenges: &[ChallengeRef<'_>]) -> Option<Client> {
    let of = |scheme: &'static str| {
        challenges
            .iter()
            .filter(move |challenge| challenge.scheme.eq_ignore_ascii_case(scheme))
    };
    let digest = of("digest")
        .filter_map(|challenge| DigestClient::try_from(challenge).ok())
        .max_by_key(|digest| match digest.algorithm() {
            Algorithm::Md5 => 0,
            _ => 1,
        });
    let basic = || of("basic").find_map(|challenge| BasicClient::try_from(challenge).ok());
    digest
        .map(|digest| Client::Digest(Box::new(digest)))
        .or_else(|| basic().map(Client::Basic))
}

#[cfg(test)]
mod tests;
