//! One exchange with the hub over gRPC: hands over what waits, hears what is kept.
//!
//! TLS 1.2 or newer by rustls, with the hub's own CA as the only root and our certificate as the
//! proof of who we are. There is no way to switch any of that off.

use std::error::Error;
use std::time::{Duration, Instant};

use dial::{Connector, Destination, DialError, Dialer, Trust, TrustError};
use jiff::Timestamp;
use proto::v1;
use proto::v1::uplink_client::UplinkClient;
use rustls::CertificateError;
use serde_json::Value;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tracing::{error, warn};

use super::myself::{Myself, agent_status};
use super::told;
use crate::keeper::Papers;
use crate::mask::Masks;
use crate::outbox::{Kind, Outbox};
use crate::parts::{HubLink, Word};
use crate::report::Report;
use crate::spool::{Content, PEEK_REPORTS_MAX, Sequence, Spool, SpoolError, Spooled};
use crate::status::Totals;
use crate::wire;

/// Most octets of reports in one poll, as the spool counts them: JSON, which is longer than what
/// goes over the wire (uplink.proto: 2 MiB).
const REPORTS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Where a hub that refuses an old epoch says which is the newest that it knows.
const NEWEST_EPOCH: &str = "platen-newest-epoch";
/// Least time between two beginnings over: a hub that forgets again and again would else be polled
/// as fast as the network goes.
const REWIND_EVERY: Duration = Duration::from_secs(5);
/// Longest reply that is read: it has five numbers.
const REPLY_BYTES_MAX: usize = 16 * 1024;
/// How long the connection may take altogether; each step of it has a limit of its own (`dial`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent connection is tested, and how long that may take: a firewall that forgot
/// it would otherwise be noticed only by the poll's own timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    /// The configuration names something that is no address of a hub.
    #[error("'{0}' is not an https address")]
    NotHttps(String),
    /// What is on disk is no identity.
    #[error("the agent's identity cannot be used: {0}")]
    Identity(#[from] TrustError),
    /// No connection, or none that TLS lets us believe in.
    #[error("the hub {url} cannot be reached: {}{}", words(.error), clock_doubt(.error))]
    Unreachable {
        url: String,
        error: tonic::transport::Error,
    },
    /// The hub, or something in its place, did not answer as agreed.
    #[error("the hub {url} answered {code:?}: {message}")]
    Refused {
        url: String,
        code: Code,
        message: String,
        /// The newest epoch that the hub knows, where it refused ours as older.
        newest_epoch: Option<u64>,
        /// Whether the hub itself, and not something on the way, refuses us for good.
        is_for_good: bool,
    },
    /// The hub speaks of another spool than ours.
    #[error("the hub {url} answered for epoch {theirs} instead of {ours}")]
    WrongEpoch { url: String, ours: u64, theirs: u64 },
    /// Our own disk.
    #[error("the spool cannot be read: {0}")]
    Spool(#[from] SpoolError),
    /// The identity could not be read or kept.
    #[error("{0}")]
    Keeping(String),
}

/// What a poll brought.
#[derive(Debug)]
pub(super) struct Polled {
    /// Every report up to this one is kept.
    pub(super) acked: u64,
    /// When to ask again, before jitter; none if the hub leaves it to us.
    pub(super) next: Option<Duration>,
    /// Whether to poll as soon as something new is in the spool.
    pub(super) at_once: bool,
    /// Whether more waits and the hub takes it.
    pub(super) has_more: bool,
}

/// A connection to the hub.
#[derive(Debug, Clone)]
pub(super) struct Link {
    url: String,
    client: UplinkClient<Channel>,
    /// What the hub last asked for that the spool has no more.
    asked: u64,
    /// When the spool last began to send again what it had handed over.
    rewound_at: Option<Instant>,
    /// What we are to the hub on this connection.
    certificate_pem: String,
    /// Where everything that is sent is noted.
    outbox: Outbox,
}

impl Link {
    /// Connects. Must be called on the runtime on which the connection shall live.
    pub(super) async fn open(hub: &HubLink, deadline: Duration) -> Result<Self, PollError> {
        let not_https = || PollError::NotHttps(hub.url.clone());
        let to = Destination::of_url(&hub.url).map_err(|_| not_https())?;
        let origin = hub.url.parse().map_err(|_| not_https())?;
        let unreachable = |error| PollError::Unreachable {
            url: hub.url.clone(),
            error,
        };
        let papers = hub.keeper.current();
        let dialer = dialer(hub, &papers)?;
        // TLS is the dialer's: to tonic it looks like a connection without.
        let channel = Endpoint::from_shared(format!("http://{to}"))
            .map_err(unreachable)?
            .origin(origin)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(deadline)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect_with_connector(Connector::new(dialer, to))
            .await
            .map_err(unreachable)?;
        let client = UplinkClient::new(channel)
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(REPLY_BYTES_MAX);
        Ok(Self {
            url: hub.url.clone(),
            client,
            asked: 0,
            rewound_at: None,
            outbox: hub.outbox.clone(),
            certificate_pem: papers.certificate_pem,
        })
    }

    /// Whether this connection was made with the certificate that is in use.
    pub(super) fn is_current(&self, hub: &HubLink) -> bool {
        self.certificate_pem == hub.keeper.current().certificate_pem
    }

    /// Asks for a certificate; returns it, PEM.
    pub(super) async fn renew(&mut self, signing_request: String) -> Result<String, PollError> {
        let request = v1::RenewRequest {
            signing_request,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.outbox
            .note(Kind::Renewal, told::renewal(&request))
            .await;
        let renewed = self.client.renew(request).await;
        let renewed = renewed.map_err(|status| refused(&self.url, &status))?;
        Ok(renewed.into_inner().certificate)
    }

    /// Hands over the oldest batch that waits, and lets the spool forget what the hub has kept.
    ///
    /// A batch that the hub refuses because it knows another report by one of the numbers is sent
    /// in halves, until it is that one report alone: then the spool begins a new epoch.
    pub(super) async fn poll(
        &mut self,
        spool: &Spool,
        myself: &Myself<'_>,
    ) -> Result<Polled, PollError> {
        let mut reports_max = PEEK_REPORTS_MAX;
        loop {
            // A spool that cannot be read is told of, with nothing to hand over.
            let peeked = spool.peek(reports_max, REPORTS_BYTES_MAX).await;
            let is_readable = peeked.is_ok();
            let batch = peeked.unwrap_or_else(|error| {
                warn!(%error, "nothing can be handed over");
                Vec::new()
            });
            let (sent, last) = (batch.len(), batch.last().map(|spooled| spooled.sequence));
            let request = request(spool, batch, myself);
            self.outbox.note(Kind::Poll, told::poll(&request)).await;
            let reply = match self.send(request).await {
                Ok(reply) => reply,
                Err(refusal) => {
                    let Some(newest) = refusal.newest_epoch() else {
                        return Err(refusal);
                    };
                    if newest == 0 && sent > 1 {
                        reports_max = sent / 2;
                    } else if spool.begin_epoch(newest).await? {
                        reports_max = PEEK_REPORTS_MAX;
                    } else {
                        return Err(refusal);
                    }
                    continue;
                }
            };
            let has_more = is_readable && self.settle(spool, &reply, last).await?;
            return Ok(Polled {
                acked: reply.acked,
                next: (reply.next_poll_secs > 0)
                    .then(|| Duration::from_secs(u64::from(reply.next_poll_secs))),
                at_once: reply.report_at_once,
                has_more,
            });
        }
    }

    /// One exchange; the reply is one for our spool.
    async fn send(&mut self, request: v1::PollRequest) -> Result<v1::PollReply, PollError> {
        let ours = request.epoch;
        let url = self.url.clone();
        let reply = match self.client.poll(request).await {
            Ok(reply) => reply.into_inner(),
            Err(status) => return Err(refused(&url, &status)),
        };
        if reply.epoch != ours {
            return Err(PollError::WrongEpoch {
                url,
                ours,
                theirs: reply.epoch,
            });
        }
        Ok(reply)
    }

    /// Does to the spool what the reply says; whether another poll at once makes sense.
    async fn settle(
        &mut self,
        spool: &Spool,
        reply: &v1::PollReply,
        last: Option<Sequence>,
    ) -> Result<bool, PollError> {
        let stats = spool.stats();
        let sent = last.unwrap_or(stats.acked).max(stats.acked);
        if reply.acked > stats.last.0 {
            // The hub has kept reports of this epoch that this spool never gave: it was restored
            // from a backup. What was just sent is kept; what else waits has numbers that are taken.
            spool.ack(sent).await?;
            return Ok(spool.begin_epoch(0).await?);
        }
        // A hub that was restored from a backup asks, or shows by a lower number, what it has lost.
        let from = match reply.resend_from {
            0 => reply.acked.saturating_add(1),
            from => from,
        };
        if (1..=stats.acked.0).contains(&from) {
            let is_soon = |at: Instant| at.elapsed() < REWIND_EVERY;
            if self.rewound_at.is_some_and(is_soon) {
                return Ok(false);
            }
            self.rewound_at = Some(Instant::now());
            spool.rewind(Sequence(from)).await?;
            return Ok(true);
        }
        // Never more than was sent: the rest may be other reports than those that the hub knows.
        spool.ack(Sequence(reply.acked).min(sent)).await?;
        let took_all = last.is_some_and(|last| reply.acked >= last.0);
        // What was given up is asked for once, and the same batch is then taken without it. A hub
        // that kept less than it was sent is else asked again at the next turn, not in a loop.
        let is_gap = reply.resend_from > stats.acked.0 && reply.resend_from != self.asked;
        self.asked = reply.resend_from;
        Ok((took_all || is_gap) && spool.stats().waiting > 0)
    }
}

/// A poll with these reports, masked.
fn request(spool: &Spool, batch: Vec<Spooled>, myself: &Myself<'_>) -> v1::PollRequest {
    let stats = spool.stats();
    let of_spool = spool.alarms(Timestamp::now());
    let masks = &myself.word.masks;
    let reports = batch.into_iter();
    v1::PollRequest {
        epoch: stats.epoch,
        status: Some(agent_status(&stats, myself, of_spool)),
        reports: reports
            .filter_map(|spooled| translate(spooled, stats.epoch, masks))
            .collect(),
    }
}

/// Every poll that would hand over what waits in a spool, as the outbox would note it; the first
/// one also where nothing waits. Nothing is sent; the spool forgets what was shown.
///
/// # Errors
/// [`SpoolError`].
pub async fn would_send(
    spool: &Spool,
    word: &Word,
    totals: Totals,
    started_at: Timestamp,
) -> Result<Vec<Value>, SpoolError> {
    let myself = Myself {
        word,
        totals,
        started_at,
        start: (0, ""),
        commands_connected: false,
        alarms: word.alarms.clone(),
    };
    let mut polls = Vec::new();
    loop {
        let batch = spool.peek(PEEK_REPORTS_MAX, REPORTS_BYTES_MAX).await?;
        let last = batch.last().map(|spooled| spooled.sequence);
        if last.is_none() && !polls.is_empty() {
            return Ok(polls);
        }
        let request = request(spool, batch, &myself);
        polls.push(told::poll(&request));
        match last {
            Some(last) => spool.ack(last).await?,
            None => return Ok(polls),
        }
    }
}

/// What dials the hub: its own CA is believed, our certificate shown.
pub(super) fn dialer(hub: &HubLink, papers: &Papers) -> Result<Dialer, TrustError> {
    let key = String::from_utf8_lossy(papers.key_pem.expose()).into_owned();
    let trust = Trust {
        roots_pem: hub.authority_pem.clone(),
        identity: Some((papers.certificate_pem.clone(), key)),
    };
    Dialer::through(&trust, hub.route.clone())
}

impl PollError {
    /// The newest epoch that the hub knows, where it refuses reports of ours because of others
    /// that it has kept; 0 where it knows none newer.
    fn newest_epoch(&self) -> Option<u64> {
        match self {
            Self::Refused {
                code: Code::FailedPrecondition,
                newest_epoch,
                ..
            } => Some(newest_epoch.unwrap_or(0)),
            Self::Refused { .. }
            | Self::NotHttps(_)
            | Self::Identity(_)
            | Self::Unreachable { .. }
            | Self::WrongEpoch { .. }
            | Self::Spool(_)
            | Self::Keeping(_) => None,
        }
    }
}

/// A record in the hub's language, masked; none if it cannot be read, which leaves a gap.
fn translate(spooled: Spooled, epoch: u64, masks: &Masks) -> Option<v1::Report> {
    let Spooled {
        sequence,
        device,
        at,
        content,
    } = spooled;
    let report = match content {
        Content::Report(body) => Report::from_body(&body)
            .map_err(|error| error!(?sequence, %error, "a report cannot be read; left out"))
            .ok()?,
        Content::Thinned {
            reports,
            first,
            last,
        } => Report::Thinned {
            device,
            reports,
            first,
            last,
        },
        // What the disk lost is told as what was given up: one report, of that instant.
        Content::Damaged => Report::Thinned {
            device,
            reports: 1,
            first: at,
            last: at,
        },
    };
    let report = masks.report(epoch, sequence, report);
    Some(wire::to_proto(sequence.0, &report))
}

fn refused(url: &str, status: &Status) -> PollError {
    let newest = status.metadata().get(NEWEST_EPOCH);
    PollError::Refused {
        url: url.to_owned(),
        code: status.code(),
        message: status.message().chars().take(200).collect(),
        newest_epoch: newest.and_then(|newest| newest.to_str().ok()?.parse().ok()),
        is_for_good: status.metadata().contains_key(proto::REFUSAL),
    }
}

/// An error with its reasons: tonic's own words are only "transport error".
fn words(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = DialError::within(error) {
        return error.to_string();
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        let text = reason.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        source = reason.source();
    }
    words
}

/// A word about our own clock, where the hub's certificate looks too old or too new by it.
fn clock_doubt(error: &dyn Error) -> String {
    let mut source = error.source();
    while let Some(reason) = source {
        let inner = reason.downcast_ref::<std::io::Error>();
        let inner = inner.and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) = inner
        {
            let now = Timestamp::now();
            return format!("; is the clock of this machine right? it says {now}");
        }
        source = reason.source();
    }
    String::new()
}
