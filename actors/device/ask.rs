//! One attempt to read a device: what is asked, and what came of it.

use std::panic::resume_unwind;

use actix::Addr;
use printer::identity::Fingerprint;
use printer::identity::score::{self, Told, Traits};
use printer::question;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, info, warn};

use super::Seed;
use super::doors::{Answers, Plan, Way};
use crate::messages::{Confirmation, IsAlone, Sighted};
use crate::parts::Tools;
use crate::reach::again;
use crate::reach::credential::Credential;
use crate::reach::packed::Packed;
use crate::reach::scope::InScope;
use crate::reach::snmp::AskError;
use crate::reach::survey::{self, ReadError, Survey};
use crate::registry::weigh_own;
use crate::supervisor::{ANSWER_MAX, Supervisor};

/// What is said of a device whose range has communities only, while it has users only.
const NO_USER: &str = "it speaks SNMPv3, and its range has no user";

/// The two kinds of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Full,
    Status,
}

/// What came of an attempt to read.
pub(super) enum Heard {
    /// The device, as far as anybody can tell.
    Itself {
        /// Where one thing alone tells it: who was seen, for the Supervisor to say whether it can be
        /// nobody else.
        alone: Option<Sighted>,
        depth: Depth,
        found: Box<Found>,
        reading: Box<Reading>,
        /// The last reading as SNMP had it; none where there is none.
        before: Option<Box<Reading>>,
        /// What other doors said; none at a reading of what moves.
        answers: Option<Box<Answers>>,
    },
    /// Somebody else.
    Other(Sighted),
    /// Something that is no printer.
    NoPrinter(String),
    /// Somebody who accepts no credential; in words.
    Refused(String),
    /// Nobody, or nothing that could be used; in words, where something was wrong beside silence.
    Nothing(Option<String>),
}

/// What a reading tells beside itself. Whoever answers without end has made of it, away from the thread
/// of all actors, no more than this.
pub(super) struct Found {
    pub(super) traits: Traits,
    pub(super) credential: Credential,
    /// Why something is missing that the device may have, in words.
    pub(super) trouble: Option<String>,
    /// What the next reading builds on.
    pub(super) packed: Option<Packed>,
    /// Whose answers these are.
    fingerprint: Fingerprint,
}

/// Whom to ask, by what.
pub(super) struct Asking {
    pub(super) seed: Seed,
    pub(super) tools: Tools,
    pub(super) plan: Plan,
    pub(super) boss: Addr<Supervisor>,
}

impl Asking {
    /// Asks the device, away from the thread of all actors: what it answers takes time to decode and to
    /// judge, without end in the worst case, and nobody else shall wait for that.
    pub(super) async fn ask(self, target: InScope, last: Option<Packed>, depth: Depth) -> Heard {
        let runtime = self.tools.runtime.clone();
        let asked = aside(runtime, self.ask_here(target, last, depth)).await;
        asked.unwrap_or(Heard::Nothing(None))
    }

    /// Asks the device over SNMP, and after it, where a printer answers in full, its other doors.
    async fn ask_here(self, target: InScope, last: Option<Packed>, depth: Depth) -> Heard {
        let heard = ask(&self.seed, target, &self.tools, (last, depth)).await;
        match self.sure(heard).await {
            Heard::Itself {
                depth: Depth::Full,
                found,
                reading,
                before,
                ..
            } => {
                let (plan, said) = (self.plan, reading.clone());
                let way = Way {
                    snmp: self.tools.snmp.clone(),
                    target,
                    credential: found.credential.clone(),
                    profiles: self.tools.profiles.clone(),
                    wanted: found.fingerprint.clone(),
                };
                // A task of its own: a fault behind another door costs nothing of what SNMP said.
                let asked = self
                    .tools
                    .runtime
                    .spawn(async move { plan.ask(&said, &way).await });
                let answers = asked.await.unwrap_or_default();
                Heard::Itself {
                    alone: None,
                    depth: Depth::Full,
                    found,
                    reading,
                    before,
                    answers: Some(Box::new(answers)),
                }
            }
            heard => heard,
        }
    }

    /// Has the Supervisor say of one that a single thing tells whether it can be nobody else. Without
    /// its word the reading is nobody's.
    async fn sure(&self, heard: Heard) -> Heard {
        let Heard::Itself {
            alone: Some(seen), ..
        } = &heard
        else {
            return heard;
        };
        let (device, traits) = (self.seed.id.clone(), seen.traits.clone());
        let asked = self.boss.send(IsAlone { device, traits });
        match (asked.timeout(ANSWER_MAX).await, heard) {
            (Ok(true), heard) => heard,
            (
                Ok(false),
                Heard::Itself {
                    alone: Some(seen), ..
                },
            ) => {
                let device = &self.seed.id;
                info!(%device, "who answers here may be another known printer as well");
                Heard::Other(seen)
            }
            (_, _) => Heard::Nothing(None),
        }
    }
}

/// Does the work on the runtime. Who drops this ends it, and a panic is of whoever waits, as if it had
/// been done here. None when the runtime ends.
pub(super) async fn aside<T: Send + 'static>(
    runtime: Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, &runtime);
    match tasks.join_next().await?.map_err(JoinError::try_into_panic) {
        Ok(done) => Some(done),
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_cancelled)) => None,
    }
}

/// Asks the device over SNMP, and says who answered what.
async fn ask(
    seed: &Seed,
    target: InScope,
    tools: &Tools,
    (last, depth): (Option<Packed>, Depth),
) -> Heard {
    let walk = last.as_ref().and_then(Packed::walk);
    let last = last.as_ref().zip(walk.as_ref());
    let asked = match (depth, last.map(|(last, walk)| last.last(walk))) {
        (Depth::Status, Some(last)) => {
            survey::read_status(&tools.snmp, &target, last, &tools.profiles).await
        }
        (Depth::Full, Some(last)) => {
            let credentials = &seed.credentials;
            again::read_again(&tools.snmp, &target, last, credentials, &tools.profiles).await
        }
        (Depth::Full | Depth::Status, None) => {
            survey::read_device(&tools.snmp, &target, &seed.credentials, &tools.profiles).await
        }
    };
    match asked {
        Ok(survey) => weigh(seed, target, tools, (last, survey)),
        Err(error) => heard_instead(seed, target, tools, error).await,
    }
}

/// Says whose a reading is, and makes of it what is kept.
fn weigh(
    seed: &Seed,
    target: InScope,
    tools: &Tools,
    (last, survey): (Option<(&Packed, &Walk)>, Survey),
) -> Heard {
    let depth = if survey.is_whole {
        Depth::Full
    } else {
        Depth::Status
    };
    if survey.fingerprint.contradicts(&seed.traits.keys) {
        return Heard::Other(Sighted {
            traits: Box::new(traits(&survey)),
            target,
            credential: survey.credential,
        });
    }
    let seen = Sighted {
        traits: Box::new(traits(&survey)),
        target,
        credential: survey.credential.clone(),
    };
    let itself = is_itself(seed, &seen.traits);
    let reading = match &survey.verdict {
        // The keys agree, or there are none: what it tells beside them may speak against it.
        Verdict::Printer(_)
            if matches!(itself, score::Verdict::Doubtful | score::Verdict::Other) =>
        {
            return Heard::Other(seen);
        }
        Verdict::Printer(reading) => reading,
        Verdict::NotAPrinter { reason } => return Heard::NoPrinter(reason.clone()),
    };
    let before = last.and_then(|(last, walk)| {
        let now = (&survey.walk, &**reading);
        last.reading(walk, now, &tools.profiles)
    });
    Heard::Itself {
        before,
        depth,
        reading: reading.clone(),
        found: Box::new(Found {
            packed: survey.pack(&tools.profiles),
            traits: (*seen.traits).clone(),
            credential: survey.credential,
            trouble: survey.trouble,
            fingerprint: survey.fingerprint,
        }),
        alone: (itself == score::Verdict::Likely).then_some(seen),
        answers: None,
    }
}

/// What a survey is weighed by.
fn traits(survey: &Survey) -> Traits {
    let keys = survey.fingerprint.clone();
    match &survey.verdict {
        Verdict::Printer(reading) => Traits {
            keys: keys.or_serial_of(reading, &survey.walk),
            told: Told::of(reading),
        },
        Verdict::NotAPrinter { .. } => Traits {
            keys,
            told: Told::default(),
        },
    }
}

/// Whether somebody who was read is the device, by all that is known of it.
fn is_itself(seed: &Seed, seen: &Traits) -> score::Verdict {
    let here = seed.target.map(|target| target.addr().ip());
    let is_proven_here = seed.proven_at.is_some() && seed.proven_at == here;
    let how = (seed.shared_serial.as_deref(), is_proven_here);
    let score = weigh_own(&seed.traits, how, seen);
    if matches!(
        score.verdict,
        score::Verdict::Doubtful | score::Verdict::Other
    ) {
        let (device, words) = (&seed.id, score.words());
        info!(%device, %words, "who answers here may be another printer");
    }
    score.verdict
}

/// What a failed reading means. Where two devices were heard, it is asked who is there now.
async fn heard_instead(seed: &Seed, target: InScope, tools: &Tools, error: ReadError) -> Heard {
    let device = &seed.id;
    match error {
        // Silence is an expected outcome.
        ReadError::Ask(AskError::Silent { ref unusable, .. }) => {
            debug!(%device, %error, "no answer");
            let has_user = seed.credentials.iter().any(Credential::is_user);
            if !has_user && survey::has_engine(&tools.snmp, &target).await {
                return Heard::Refused(NO_USER.to_owned());
            }
            let is_odd = unusable.why.is_some();
            Heard::Nothing(is_odd.then(|| error.to_string()))
        }
        ReadError::NoCredentialFits { why, .. } => {
            warn!(%device, %why, "answers, but no credential fits");
            Heard::Refused(why)
        }
        ReadError::Ask(AskError::Refused {
            user,
            refusal,
            unusable,
            ..
        }) => {
            let why = format!("user '{}': {refusal}{unusable}", user.escape_debug());
            warn!(%device, %why, "answers no more to the user that it answered to");
            Heard::Refused(why)
        }
        ReadError::Ask(_) | ReadError::NoCredential { .. } => {
            warn!(%device, %error, "reading failed");
            Heard::Nothing(Some(error.to_string()))
        }
        ReadError::SwappedUnderway { .. } | ReadError::AnotherDevice { .. } => {
            warn!(%device, %error, "reading dropped");
            let words = error.to_string();
            match confirm(seed.clone(), target, tools.clone()).await {
                Confirmation::Other(seen) => Heard::Other(seen),
                Confirmation::Here | Confirmation::Gone | Confirmation::Busy => {
                    Heard::Nothing(Some(words))
                }
            }
        }
    }
}

/// Asks the identity question at the device's address.
pub(super) async fn confirm(seed: Seed, target: InScope, tools: Tools) -> Confirmation {
    for credential in &seed.credentials {
        let Ok(varbinds) = tools
            .snmp
            .get(&target, credential, &question::identity())
            .await
        else {
            continue;
        };
        let answer: Walk = varbinds.into_iter().collect();
        let fingerprint = Fingerprint::of_answer(&answer);
        if !fingerprint.contradicts(&seed.traits.keys) {
            return Confirmation::Here;
        }
        let credential = credential.clone();
        return Confirmation::Other(Sighted {
            traits: Box::new((&fingerprint).into()),
            target,
            credential,
        });
    }
    Confirmation::Gone
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::thread;
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::runtime::Runtime;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn what_is_done_aside_holds_up_no_thread_of_ours() {
        let (here, there) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let ours = thread::current().id();
        let done = aside(there.handle().clone(), async { thread::current().id() });
        let theirs = here.block_on(done).unwrap();
        assert_ne!(theirs, ours);
    }

    #[tokio::test]
    async fn a_panic_aside_is_of_whoever_waits() {
        let work = aside(Handle::current(), async { panic!("its own") });
        let panic: Result<Option<()>, _> = AssertUnwindSafe(work).catch_unwind().await;
        let words = panic.unwrap_err();
        assert_eq!(words.downcast_ref(), Some(&"its own"));
    }

    #[tokio::test]
    async fn who_waits_no_more_ends_the_work() {
        let (held, dropped) = oneshot::channel::<()>();
        let work = aside(Handle::current(), async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        assert!(timeout(Duration::from_millis(10), work).await.is_err());
        let ended = timeout(Duration::from_secs(5), dropped).await;
        assert!(ended.expect("it was ended").is_err());
    }
}
