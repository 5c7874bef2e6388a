//! One exchange with the hub over gRPC: hands over what waits, hears what is kept.
//!
//! TLS 1.2 or newer by rustls, with the hub's own CA as the only root and our certificate as the
//! proof of who we are. There is no way to switch any of that off.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use proto::v1;
use proto::v1::uplink_client::UplinkClient;
use serde_json::Value;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tracing::error;

use super::told;
use crate::mask::Masks;
use crate::outbox::Kind;
use crate::parts::{HubLink, Word};
use crate::report::Report;
use crate::spool::{Content, Sequence, Spool, SpoolError, SpoolStats, Spooled};
use crate::status::Totals;
use crate::wire;

/// Most reports in one poll (uplink.proto).
const REPORTS_MAX: usize = 500;
/// Most octets of reports in one poll, as the spool counts them: JSON, which is longer than what
/// goes over the wire (uplink.proto: 2 MiB).
const REPORTS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest reply that is read: it has five numbers.
const REPLY_BYTES_MAX: usize = 16 * 1024;
/// How long the connection and its handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent connection is tested, and how long that may take: a firewall that forgot
/// it would otherwise be noticed only by the poll's own timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    /// The configuration names something that is no address of a hub.
    #[error("'{0}' is not an https address")]
    NotHttps(String),
    /// No connection, or none that TLS lets us believe in.
    #[error("the hub {url} cannot be reached: {}", words(.error))]
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
    },
    /// The hub speaks of another spool than ours.
    #[error("the hub {url} answered for epoch {theirs} instead of {ours}")]
    WrongEpoch { url: String, ours: u64, theirs: u64 },
    /// Our own disk.
    #[error("the spool cannot be read: {0}")]
    Spool(#[from] SpoolError),
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
}

impl Link {
    /// Connects. Must be called on the runtime on which the connection shall live.
    pub(super) async fn open(hub: &HubLink, deadline: Duration) -> Result<Self, PollError> {
        if !hub.url.starts_with("https://") {
            return Err(PollError::NotHttps(hub.url.clone()));
        }
        let unreachable = |error| PollError::Unreachable {
            url: hub.url.clone(),
            error,
        };
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&hub.authority_pem))
            .identity(Identity::from_pem(
                &hub.certificate_pem,
                hub.key_pem.expose(),
            ));
        let channel = Endpoint::from_shared(hub.url.clone())
            .map_err(unreachable)?
            .tls_config(tls)
            .map_err(unreachable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(deadline)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect()
            .await
            .map_err(unreachable)?;
        let client = UplinkClient::new(channel)
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(REPLY_BYTES_MAX);
        Ok(Self {
            url: hub.url.clone(),
            client,
        })
    }

    /// Hands over the oldest batch that waits, and lets the spool forget what the hub has kept.
    pub(super) async fn poll(
        &mut self,
        spool: &Spool,
        word: &Word,
        totals: Totals,
        started_at: Timestamp,
    ) -> Result<Polled, PollError> {
        let stats = spool.stats();
        let (request, last) = request(spool, word, totals, started_at).await?;
        word.outbox.note(Kind::Poll, told::poll(&request)).await;
        let reply = self
            .client
            .poll(request)
            .await
            .map_err(|status| PollError::Refused {
                url: self.url.clone(),
                code: status.code(),
                message: status.message().chars().take(200).collect(),
            })?;
        let reply = reply.into_inner();
        if reply.epoch != stats.epoch {
            let url = self.url.clone();
            return Err(PollError::WrongEpoch {
                url,
                ours: stats.epoch,
                theirs: reply.epoch,
            });
        }
        let has_more = settle(spool, &reply, last).await?;
        Ok(Polled {
            acked: reply.acked,
            next: (reply.next_poll_secs > 0)
                .then(|| Duration::from_secs(u64::from(reply.next_poll_secs))),
            at_once: reply.report_at_once,
            has_more,
        })
    }
}

/// The next poll, masked, and the place of its last report.
async fn request(
    spool: &Spool,
    word: &Word,
    totals: Totals,
    started_at: Timestamp,
) -> Result<(v1::PollRequest, Option<Sequence>), SpoolError> {
    let stats = spool.stats();
    let batch = spool.peek(REPORTS_MAX, REPORTS_BYTES_MAX).await?;
    let last = batch.last().map(|spooled| spooled.sequence);
    let reports = batch.into_iter();
    let request = v1::PollRequest {
        epoch: stats.epoch,
        status: Some(agent_status(&stats, word, totals, started_at)),
        reports: reports
            .filter_map(|spooled| translate(spooled, stats.epoch, &word.masks))
            .collect(),
    };
    Ok((request, last))
}

/// Every poll that would hand over what waits in a spool, as the outbox would note it. Nothing is
/// sent; the spool forgets what was shown.
///
/// # Errors
/// [`SpoolError`].
pub async fn would_send(
    spool: &Spool,
    word: &Word,
    totals: Totals,
    started_at: Timestamp,
) -> Result<Vec<Value>, SpoolError> {
    let mut polls = Vec::new();
    loop {
        let (request, last) = request(spool, word, totals, started_at).await?;
        let Some(last) = last else {
            return Ok(polls);
        };
        polls.push(told::poll(&request));
        spool.ack(last).await?;
    }
}

/// Does to the spool what the reply says; whether another poll at once makes sense.
async fn settle(
    spool: &Spool,
    reply: &v1::PollReply,
    last: Option<Sequence>,
) -> Result<bool, PollError> {
    // A place that is not acked yet will be sent anyway.
    if (1..=spool.stats().acked.0).contains(&reply.resend_from) {
        spool.rewind(Sequence(reply.resend_from)).await?;
        return Ok(true);
    }
    if reply.acked > 0 {
        spool.ack(Sequence(reply.acked)).await?;
    }
    // A hub that kept less than it was sent is asked again at the next turn, not in a loop.
    let took_all = last.is_some_and(|last| reply.acked >= last.0);
    Ok(took_all && spool.stats().waiting > 0)
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

fn agent_status(
    stats: &SpoolStats,
    word: &Word,
    totals: Totals,
    started_at: Timestamp,
) -> v1::AgentStatus {
    let alarms = word.alarms.iter();
    v1::AgentStatus {
        configuration: word.configuration.clone(),
        alarms: alarms.map(|alarm| word.masks.words(alarm)).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at_ms: started_at.as_millisecond(),
        spool_reports: stats.waiting,
        spool_oldest_ms: stats.oldest.map_or(0, Timestamp::as_millisecond),
        devices: totals.known,
        devices_silent: totals.silent,
        restarts: totals.restarts,
        ..v1::AgentStatus::default()
    }
}

/// An error with its reasons: tonic's own words are only "transport error".
fn words(error: &dyn Error) -> String {
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
