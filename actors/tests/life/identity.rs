//! The identity of the agent under test, how the hub under test judges it, and the claims about both.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actors::keeper::{Counted, Keeper, KeyChoice, Papers, SigningRequest};
use actors::reach::credential::Secret;
use jiff::Timestamp;
use proto::v1;
use rcgen::{CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair};
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};

/// How long a certificate of the agent lasts.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Keeps an identity in memory.
#[derive(Debug)]
pub struct Wallet {
    papers: Mutex<Papers>,
    /// Refusals counted, and forgotten by a success.
    pub refusals: AtomicU32,
    /// Certificates that were taken into use.
    pub replaced: AtomicU32,
}

impl Wallet {
    pub fn new(certificate_pem: String, key: String) -> Self {
        let papers = Papers {
            certificate_pem,
            key_pem: Secret::new(key),
            from: Timestamp::now(),
            until: Timestamp::now() + LIFE,
        };
        Self {
            papers: Mutex::new(papers),
            refusals: AtomicU32::default(),
            replaced: AtomicU32::default(),
        }
    }

    /// Makes the certificate look as old as this.
    pub fn ages(&self, age: Duration) {
        let mut papers = self.papers.lock().expect("whole");
        papers.from = Timestamp::now() - age;
        papers.until = papers.from + LIFE;
    }
}

impl Keeper for Wallet {
    fn current(&self) -> Papers {
        self.papers.lock().expect("whole").clone()
    }

    fn boot(&self) -> u64 {
        7
    }

    fn instance(&self) -> &str {
        "0123456789abcdef0123456789abcdef"
    }

    fn request(&self, key: KeyChoice) -> Result<SigningRequest, String> {
        let old = self.current().key_pem;
        let key = match key {
            KeyChoice::Same => KeyPair::from_pem(std::str::from_utf8(old.expose()).expect("PEM")),
            KeyChoice::New => KeyPair::generate(),
        };
        let key = key.expect("a key");
        let request = CertificateParams::default().serialize_request(&key);
        Ok(SigningRequest {
            pem: request.and_then(|it| it.pem()).expect("a request"),
            key_pem: Secret::new(key.serialize_pem()),
        })
    }

    fn replace(&self, certificate_pem: String, key_pem: Secret) -> Result<(), String> {
        let key = String::from_utf8(key_pem.expose().to_vec()).expect("PEM");
        let new = Self::new(certificate_pem, key).current();
        *self.papers.lock().expect("whole") = new;
        self.replaced.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn refused(&self, _why: &str) -> Counted {
        Counted::So(self.refusals.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn accepted(&self) {
        self.refusals.store(0, Ordering::Relaxed);
    }
}

/// What a hub under test thinks of the agent.
pub struct Moods {
    issuer: Issuer<'static, KeyPair>,
    /// Answers every poll with this, and whether it marks that as its own refusal.
    pub answer: Mutex<Option<(tonic::Code, bool)>>,
    /// Whether it renews.
    pub renews: Mutex<bool>,
    /// What it was last told.
    pub heard: Mutex<Option<v1::AgentStatus>>,
}

impl Moods {
    pub fn new(issuer: Issuer<'static, KeyPair>) -> Self {
        Self {
            issuer,
            answer: Mutex::default(),
            renews: Mutex::new(true),
            heard: Mutex::default(),
        }
    }

    pub fn renew(&self, signing_request: &str) -> Result<Response<v1::RenewReply>, Status> {
        if !*self.renews.lock().expect("whole") {
            return Err(Status::unavailable("the store is away"));
        }
        let request = CertificateSigningRequestParams::from_pem(signing_request);
        let signed = request.and_then(|request| request.signed_by(&self.issuer));
        let certificate = signed.expect("a certificate").pem();
        Ok(Response::new(v1::RenewReply { certificate }))
    }

    pub fn hear(&self, status: Option<&v1::AgentStatus>) -> Result<(), Status> {
        *self.heard.lock().expect("whole") = status.cloned();
        let Some((code, is_for_good)) = *self.answer.lock().expect("whole") else {
            return Ok(());
        };
        let mut refusal = Status::new(code, "refused");
        if is_for_good {
            let mark = MetadataValue::from_static("1");
            refusal.metadata_mut().insert(proto::REFUSAL, mark);
        }
        Err(refusal)
    }
}

mod claims {
    use tonic::Code;

    use super::*;
    use crate::hub::Hub;
    use crate::rack::Rack;
    use crate::world::World;

    fn count(counter: &AtomicU32) -> u32 {
        counter.load(Ordering::Relaxed)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_is_renewed_once_at_half_of_its_life() {
        let rack = Rack::of(1).await;
        let (mut hub, link) = Hub::away();
        hub.wallet.ages(LIFE / 2);
        let old = hub.wallet.current().certificate_pem;
        hub.open().await;
        let world = World::new(&rack, Some(link)).await;
        world
            .until("all is handed over", |status| {
                status.printers.read == 1 && status.queue.waiting == 0
            })
            .await;
        assert_eq!(count(&hub.wallet.replaced), 1);
        assert_ne!(hub.wallet.current().certificate_pem, old);
        let heard = hub.moods.heard.lock().expect("whole").clone();
        let heard = heard.expect("it was polled");
        assert_eq!((heard.boot, heard.instance.len()), (7, 32));
        assert!(heard.alarms.is_empty(), "{heard:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_renewal_that_fails_is_an_alarm_when_a_quarter_of_the_life_is_left() {
        let rack = Rack::of(1).await;
        let (mut hub, link) = Hub::away();
        hub.wallet.ages(LIFE * 4 / 5);
        *hub.moods.renews.lock().expect("whole") = false;
        hub.open().await;
        let world = World::new(&rack, Some(link)).await;
        let has_alarm = || {
            let heard = hub.moods.heard.lock().expect("whole");
            heard.as_ref().is_some_and(|heard| {
                heard
                    .alarms
                    .iter()
                    .any(|it| it.contains("cannot be renewed"))
            })
        };
        world.until_true("the hub is told", has_alarm).await;
        *hub.moods.renews.lock().expect("whole") = true;
        world.until_true("the alarm is over", || !has_alarm()).await;
        assert_eq!(count(&hub.wallet.replaced), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_that_ended_is_renewed_before_any_poll() {
        let rack = Rack::of(1).await;
        let (mut hub, link) = Hub::away();
        hub.wallet.ages(LIFE * 2);
        *hub.moods.renews.lock().expect("whole") = false;
        hub.open().await;
        let world = World::new(&rack, Some(link)).await;
        world
            .until("the renewal has failed", |status| {
                let uplink = &status.hub.as_ref().expect("configured").uplink;
                uplink.trouble.is_some()
            })
            .await;
        assert!(hub.moods.heard.lock().expect("whole").is_none(), "a poll");
        *hub.moods.renews.lock().expect("whole") = true;
        world
            .until("all is handed over", |status| {
                status.printers.read == 1 && status.queue.waiting == 0
            })
            .await;
        assert_eq!(count(&hub.wallet.replaced), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_hubs_own_refusals_are_counted_and_a_success_forgets_them() {
        let rack = Rack::of(1).await;
        let (mut hub, link) = Hub::away();
        let world = World::new(&rack, Some(link)).await;
        let has_trouble = |words: &'static str| {
            move |status: &actors::status::StatusSnapshot| {
                let uplink = &status.hub.as_ref().expect("configured").uplink;
                uplink.trouble.as_ref().is_some_and(|it| it.contains(words))
            }
        };
        world
            .until("nobody is there", has_trouble("cannot be reached"))
            .await;
        hub.open().await;
        // A quarantine, a hub that is full, a proxy, a store that is away.
        for (code, words) in [
            (Code::PermissionDenied, "PermissionDenied"),
            (Code::ResourceExhausted, "ResourceExhausted"),
            (Code::Unauthenticated, "Unauthenticated"),
            (Code::Unavailable, "Unavailable"),
        ] {
            *hub.moods.answer.lock().expect("whole") = Some((code, false));
            world.until("it is refused", has_trouble(words)).await;
        }
        assert_eq!(count(&hub.wallet.refusals), 0);
        *hub.moods.answer.lock().expect("whole") = Some((Code::Unauthenticated, true));
        world
            .until_true("refusals count", || count(&hub.wallet.refusals) >= 3)
            .await;
        *hub.moods.answer.lock().expect("whole") = None;
        world
            .until_true("they are forgotten", || count(&hub.wallet.refusals) == 0)
            .await;
    }
}
