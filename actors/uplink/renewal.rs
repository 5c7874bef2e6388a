//! Renewal: a new certificate at half the life of the one before.
//!
//! When is by the wall clock, because a certificate is; but a site's clock may be wrong, so a
//! certificate that was just given is not asked for again before half of its life has passed on the
//! clock that only counts. What fails is tried again with the uplink's own backoff, and becomes an
//! alarm when less than a quarter of its life is left.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{info, warn};

use super::grpc::{Link, PollError, dialer};
use crate::backoff::{Backoff, chance};
use crate::keeper::{KeyChoice, Papers};
use crate::parts::HubLink;
use crate::reach::credential::Secret;

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// The hub was not reached, or did not renew.
    #[error("the certificate was not renewed: {0}")]
    Hub(String),
    /// The identity cannot be read or written here.
    #[error("the certificate was not renewed: {0}")]
    Here(String),
}

/// Has the key of the link certified anew, or a new one; afterwards it is on disk and in use.
///
/// # Errors
/// [`RenewError`], for a person to read; everything is as before.
pub async fn renew(hub: &HubLink, key: KeyChoice, deadline: Duration) -> Result<(), RenewError> {
    attempt(hub, key, deadline)
        .await
        .map_err(|error| match error {
            PollError::Keeping(words) => RenewError::Here(words),
            other => RenewError::Hub(other.to_string()),
        })
}

/// As [`renew`], for the uplink, which looks at the hub's own words.
async fn attempt(hub: &HubLink, key: KeyChoice, deadline: Duration) -> Result<(), PollError> {
    // One at a time: of two, the hub would take the later one for the only one.
    let _turn = hub.renewing.lock().await;
    let keeper = hub.keeper.clone();
    let request = off_thread(move || keeper.request(key)).await?;
    let mut link = Link::open(hub, deadline).await?;
    let certificate_pem = link.renew(request.pem).await?;
    let key_pem = request.key_pem.clone();
    check(hub, &certificate_pem, key_pem)?;
    let keeper = hub.keeper.clone();
    off_thread(move || keeper.replace(certificate_pem, request.key_pem)).await?;
    hub.renewed.send_replace(());
    info!(hub = %hub.url, until = %hub.keeper.current().until, "the certificate was renewed");
    Ok(())
}

/// Whether a certificate is for our key and of the hub's own authority, before it takes the place of
/// one that works: a hub that sends another must not end our identity with it.
fn check(hub: &HubLink, certificate_pem: &str, key_pem: Secret) -> Result<(), PollError> {
    let foreign = |why: String| {
        PollError::Keeping(format!(
            "the hub sent a certificate that is not ours: {why}"
        ))
    };
    let now = Timestamp::now();
    let papers = Papers {
        certificate_pem: certificate_pem.to_owned(),
        key_pem,
        from: now,
        until: now,
    };
    dialer(hub, &papers).map_err(|error| foreign(error.to_string()))?;
    let read = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
    let certificate = read(certificate_pem).map_err(|error| foreign(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let authority = read(&hub.authority_pem).map_err(|error| foreign(error.to_string()))?;
    roots
        .add(authority)
        .map_err(|error| foreign(error.to_string()))?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .map_err(|error| foreign(error.to_string()))?;
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match verifier.verify_client_cert(&certificate, &[], UnixTime::now()) {
        // Whether it is in its time is told by a clock that may be wrong here; the alarm says so.
        Ok(_)
        | Err(rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        )) => Ok(()),
        Err(error) => Err(foreign(error.to_string())),
    }
}

/// Disk work, off the runtime's threads.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, PollError> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(PollError::Keeping),
        Err(error) => Err(PollError::Keeping(error.to_string())),
    }
}

/// How renewal stands, from one exchange to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Renewal {
    /// The last one of this process, and half of the life that it gave.
    renewed: Option<(Instant, Duration)>,
    failures: u32,
    not_before: Option<Instant>,
    /// Whether the hub says that the certificate has ended, whatever our clock says.
    has_ended: bool,
    trouble: Option<String>,
}

/// What is to be done about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Nothing yet.
    No,
    /// A new one should be asked for; this one still serves.
    Soon,
    /// Nothing can be done before it is renewed.
    Now,
}

impl Renewal {
    fn due(&self, papers: &Papers, now: Timestamp, instant: Instant) -> Due {
        if self.has_ended {
            return Due::Now;
        }
        // Given by a hub a moment ago: if it looks old, our clock is wrong.
        if let Some((at, half)) = self.renewed
            && instant.saturating_duration_since(at) < half
        {
            return Due::No;
        }
        let is_early = self
            .not_before
            .is_some_and(|not_before| instant < not_before);
        if now >= papers.until {
            Due::Now
        } else if now >= share(papers, 2) && !is_early {
            Due::Soon
        } else {
            Due::No
        }
    }

    /// Renews if it is time. An error ends the exchange: without a new certificate there is none.
    pub(super) async fn tend(
        &mut self,
        hub: &HubLink,
        deadline: Duration,
        backoff: Backoff,
    ) -> Result<(), PollError> {
        let papers = hub.keeper.current();
        let due = self.due(&papers, Timestamp::now(), Instant::now());
        if due == Due::No {
            return Ok(());
        }
        match attempt(hub, KeyChoice::Same, deadline).await {
            Ok(()) => {
                *self = Self {
                    renewed: Some((Instant::now(), half(&hub.keeper.current()))),
                    ..Self::default()
                };
                Ok(())
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(Instant::now() + backoff.delay(self.failures, chance()));
                if self.trouble.is_none() {
                    warn!(hub = %hub.url, %error, "the certificate was not renewed; tried again");
                }
                self.trouble = Some(error.to_string());
                if due == Due::Now { Err(error) } else { Ok(()) }
            }
        }
    }

    /// The hub says that the certificate has ended.
    pub(super) fn note_ended(&mut self) {
        self.has_ended = true;
    }

    /// What a person should know, if anything.
    pub(super) fn alarm(&self, papers: &Papers, now: Timestamp) -> Option<String> {
        if self.renewed.is_some() && !(papers.from..papers.until).contains(&now) {
            return Some(format!(
                "the clock of this machine is wrong: it says {now}, and the hub gave a certificate \
                 from {} to {}",
                papers.from, papers.until
            ));
        }
        let trouble = self.trouble.as_ref()?;
        (now >= share(papers, 4)).then(|| {
            format!(
                "the agent's certificate ends at {} and cannot be renewed: {trouble}",
                papers.until
            )
        })
    }
}

/// Half of a certificate's life.
fn half(papers: &Papers) -> Duration {
    let life = papers.until.duration_since(papers.from) / 2;
    Duration::try_from(life).unwrap_or_default()
}

/// When only one `part`th of a certificate's life is left.
fn share(papers: &Papers, part: i32) -> Timestamp {
    let left: SignedDuration = papers.until.duration_since(papers.from) / part;
    papers.until.checked_sub(left).unwrap_or(papers.until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(24 * 3600);

    fn papers() -> Papers {
        let from: Timestamp = "2026-11-23T08:00:00Z".parse().expect("a time");
        Papers {
            certificate_pem: String::new(),
            key_pem: Secret::new(String::new()),
            from,
            until: from + LIFE,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_is_renewed_at_half_of_its_life_and_must_be_at_its_end() {
        let (papers, fresh) = (papers(), Renewal::default());
        let at = |part: u32| papers.from + LIFE * part / 4;
        let due = |at| fresh.due(&papers, at, Instant::now());
        assert_eq!(due(at(1)), Due::No);
        assert_eq!(due(at(2)), Due::Soon);
        assert_eq!(due(at(4)), Due::Now);
        let ended = Renewal {
            has_ended: true,
            ..Renewal::default()
        };
        assert_eq!(
            ended.due(&papers, at(1), Instant::now()),
            Due::Now,
            "the hub says so"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_waits_unless_nothing_else_can_be_done() {
        let papers = papers();
        let failed = Renewal {
            failures: 3,
            not_before: Some(Instant::now() + Duration::from_secs(8)),
            trouble: Some("no".to_owned()),
            ..Renewal::default()
        };
        let at = |part: u32| papers.from + LIFE * part / 4;
        assert_eq!(failed.due(&papers, at(2), Instant::now()), Due::No);
        assert_eq!(failed.due(&papers, at(4), Instant::now()), Due::Now);
        assert_eq!(
            failed.alarm(&papers, at(2)),
            None,
            "half of its life is left"
        );
        let alarm = failed.alarm(&papers, at(3)).expect("a quarter is left");
        assert!(alarm.contains("cannot be renewed: no"), "{alarm}");
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(failed.due(&papers, at(2), Instant::now()), Due::Soon);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_ahead_renews_once_in_half_a_life_and_is_told() {
        let papers = papers();
        let years_ahead = papers.until + LIFE * 1000;
        let renewed = Renewal {
            renewed: Some((Instant::now(), LIFE / 2)),
            ..Renewal::default()
        };
        assert_eq!(renewed.due(&papers, years_ahead, Instant::now()), Due::No);
        let alarm = renewed.alarm(&papers, years_ahead).expect("told");
        assert!(alarm.contains("clock of this machine is wrong"), "{alarm}");
        tokio::time::advance(LIFE / 2).await;
        assert_eq!(renewed.due(&papers, years_ahead, Instant::now()), Due::Now);
    }
}
