//! One printer, read as a whole or only for what moves.
//!
//! Who answers is asked first and last. If the answers contradict each other, another device took
//! the address under way: then nothing of the reading is used, since nobody could say whose it is.

use std::net::SocketAddr;

use jiff::Timestamp;
use printer::identity::Fingerprint;
use printer::judge::judge;
use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::walk::Walk;
use printer::{mib, question};
use snmp::traverse::Bearing;
use snmp::usm::{Refusal, Security, User};
use snmp::{Oid, VarBind};

use super::credential::{Credential, users_first};
use super::scope::InScope;
use super::session::{CLOSING, Session};
use super::snmp::{AskError, Snmp};
use super::sweep::Answered;

/// What one device said, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Everything it answered: the next status reading builds on it.
    pub walk: Walk,
    /// What it is, and its reading if it is a printer.
    pub verdict: Verdict,
    /// Whose answers these are, to be compared with those of the next reading only.
    pub fingerprint: Fingerprint,
    /// The credential it answers to.
    pub credential: Credential,
    /// Questions it took.
    pub pdus: u32,
    /// Columns that it would not answer although it lives: what they hold is not known.
    pub unanswered: Vec<Oid>,
    /// Whether everything was asked, or only what moves.
    pub is_whole: bool,
    /// When it was last walked as if it were new.
    pub explored_at: Timestamp,
    /// Whether the next whole reading may ask by what is known ([`super::again`]): not where the device
    /// did not bear it.
    pub bears_again: bool,
    /// How much it bears to be asked at once.
    pub bearing: Bearing,
    /// Why something is missing that the device may have: it used up a budget, or walked in a
    /// circle. In words.
    pub trouble: Option<String>,
}

/// What is known of a device that was read before: what the next reading builds on.
#[derive(Debug, Clone, Copy)]
pub struct Last<'s> {
    pub(super) walk: &'s Walk,
    pub(super) fingerprint: &'s Fingerprint,
    pub(super) credential: &'s Credential,
    pub(super) explored_at: Timestamp,
    pub(super) bears_again: bool,
    pub(super) bearing: Bearing,
    pub(super) trouble: Option<&'s str>,
}

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The device did not answer, or could not be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Two devices answered during one reading. Nothing of it is used.
    #[error("another device took the address {peer} while it was read")]
    SwappedUnderway {
        /// The address.
        peer: SocketAddr,
    },
    /// Not the device of the last reading: find out who it is with a whole one.
    #[error("another device answers at {peer} than at the last reading")]
    AnotherDevice {
        /// The address.
        peer: SocketAddr,
    },
    /// The device answers, but to none of the credentials.
    #[error("{peer} answers, but no credential fits: {why}")]
    NoCredentialFits {
        /// The address.
        peer: SocketAddr,
        /// What it says to each, in words.
        why: String,
        /// The same as values, in the order in which the users were tried; never empty.
        refusals: Vec<Refusal>,
    },
    /// There is no credential to ask with.
    #[error("there is no credential to ask {peer} with")]
    NoCredential {
        /// The address.
        peer: SocketAddr,
    },
}

/// Reads everything a device tells, with the first of the credentials that it answers to. They
/// are tried as they are: see [`with_v1`] for devices that may speak version 1 only. A device that
/// uses up the budget of a reading has its reading end there; what was read is kept.
///
/// # Errors
/// [`ReadError`]; `Ask(Silent)` is an expected outcome.
pub async fn read_device(
    snmp: &Snmp,
    target: &InScope,
    credentials: &[Credential],
    profiles: &Profiles,
) -> Result<Survey, ReadError> {
    read_bearing((snmp, target), credentials, profiles, Bearing::default()).await
}

/// As [`read_device`], of a device that is known to bear so much at once.
pub(super) async fn read_bearing(
    (snmp, target): (&Snmp, &InScope),
    credentials: &[Credential],
    profiles: &Profiles,
    bearing: Bearing,
) -> Result<Survey, ReadError> {
    let peer = target.addr();
    let (session, mut walk) = greet(snmp, target, credentials).await?;
    let mut session = session.bearing(bearing);
    let before = fingerprint(&walk);
    let mut stopped = None;
    if is_candidate(&walk) {
        stopped = read_plan(&mut session, &mut walk, profiles).await?;
        let closing = closing(&mut session, (snmp, target), stopped.is_some()).await?;
        if before.differs(&closing) {
            return Err(ReadError::SwappedUnderway { peer });
        }
    }
    let survey = conclude(session, target, walk, before, profiles);
    Ok(survey.stopped_by(stopped))
}

/// Asks everything; what has to end it early comes back beside an error.
async fn read_plan(
    session: &mut Session,
    walk: &mut Walk,
    profiles: &Profiles,
) -> Result<Option<AskError>, AskError> {
    let mut plan = question::full(walk, profiles);
    let greeting = question::greeting();
    plan.scalars.retain(|oid| !greeting.contains(oid));
    let (scalars, stopped) = session.gain(&plan.scalars).await;
    walk.overlay(scalars);
    if stopped.is_some() {
        return only_budget(stopped);
    }
    for columns in &plan.tables {
        let (rows, stopped) = session.table(columns).await;
        walk.overlay(rows);
        if stopped.is_some() {
            return only_budget(stopped);
        }
    }
    Ok(None)
}

/// A budget that is used up ends a reading and leaves what was read; anything else leaves nothing.
pub(super) fn only_budget(stopped: Option<AskError>) -> Result<Option<AskError>, AskError> {
    match stopped {
        Some(error @ AskError::OverBudget { .. }) => Ok(Some(error)),
        Some(error) => Err(error),
        None => Ok(None),
    }
}

/// Asks at the end who answers, under a budget of its own where the reading has used up its.
pub(super) async fn closing(
    session: &mut Session,
    (snmp, target): (&Snmp, &InScope),
    is_spent: bool,
) -> Result<Fingerprint, AskError> {
    let asked = if is_spent {
        let credential = session.credential().clone();
        let mut last = Session::new(snmp.clone(), *target, credential, CLOSING);
        last.get(&question::identity()).await
    } else {
        session.get(&question::identity()).await
    };
    Ok(fingerprint(&asked?.into_iter().collect()))
}

impl Survey {
    /// What the next reading builds on.
    #[must_use]
    pub fn last(&self) -> Last<'_> {
        Last {
            walk: &self.walk,
            fingerprint: &self.fingerprint,
            credential: &self.credential,
            explored_at: self.explored_at,
            bears_again: self.bears_again,
            bearing: self.bearing,
            trouble: self.trouble.as_deref(),
        }
    }

    /// Notes what ended the reading early, if anything did.
    pub(super) fn stopped_by(mut self, stopped: Option<AskError>) -> Self {
        self.trouble = stopped.map(|error| error.to_string()).or(self.trouble);
        self
    }
}

/// Reads only what moves, building on the last survey of the device: one question on most. Where
/// the device says that its make-up changed, or no longer has what it had, it is read as a whole.
///
/// # Errors
/// [`ReadError`]; `AnotherDevice` when the address has changed hands.
pub async fn read_status(
    snmp: &Snmp,
    target: &InScope,
    last: Last<'_>,
    profiles: &Profiles,
) -> Result<Survey, ReadError> {
    let peer = target.addr();
    let mut session = snmp.session(target, last.credential).bearing(last.bearing);
    let moving = question::status(last.walk, profiles);
    let answers = session.get(&joined(&question::identity(), &moving)).await?;
    let news: Walk = answers.into_iter().collect();
    if last.fingerprint.contradicts(&fingerprint(&news)) {
        return Err(ReadError::AnotherDevice { peer });
    }
    let is_gone = |oid: &Oid| last.walk.get(oid).is_some() && news.get(oid).is_none();
    // Another board with the same serial number: whose it is, only a whole reading tells.
    let is_other = |oid: &Oid| news.get(oid) != last.walk.get(oid);
    let is_changed = last.fingerprint.differs(&fingerprint(&news))
        || question::serial(last.walk, profiles).iter().any(is_other);
    if is_changed || moved(last.walk, &news, mib::PRT_CONFIG_CHANGES) || moving.iter().any(is_gone)
    {
        let credentials = std::slice::from_ref(last.credential);
        return read_bearing((snmp, target), credentials, profiles, last.bearing).await;
    }
    let mut walk = last.walk.clone();
    let alerts_moved = moved(last.walk, &news, mib::PRT_ALERT_CRITICAL_EVENTS)
        || moved(last.walk, &news, mib::PRT_ALERT_ALL_EVENTS);
    walk.overlay(
        news.iter()
            .map(|(oid, value)| VarBind::new(oid, value.clone()))
            .collect(),
    );
    let mut stopped = None;
    if alerts_moved {
        let columns = question::alerts();
        let (rows, ended) = session.gather(&columns).await;
        stopped = only_budget(ended)?;
        for column in columns {
            walk.remove_under(&column);
        }
        walk.overlay(rows);
    }
    if session.pdus() > 1 {
        let closing = closing(&mut session, (snmp, target), stopped.is_some()).await?;
        if last.fingerprint.differs(&closing) {
            return Err(ReadError::SwappedUnderway { peer });
        }
    }
    let fingerprint = last.fingerprint.clone();
    let survey = conclude(session, target, walk, fingerprint, profiles);
    // What was missing from the last whole reading is missing still.
    let trouble = survey.trouble.or_else(|| last.trouble.map(str::to_owned));
    let survey = Survey {
        is_whole: false,
        explored_at: last.explored_at,
        bears_again: last.bears_again,
        trouble,
        ..survey
    };
    Ok(survey.stopped_by(stopped))
}

/// Who answered, and to what.
#[derive(Debug, Clone)]
pub struct Introduced {
    /// Whose answer it is, to be compared with those of [`question::identity`] only.
    pub fingerprint: Fingerprint,
    /// The credential it answers to.
    pub credential: Credential,
    /// What it is by this one answer, and its identity if it is a printer.
    pub verdict: Verdict,
    /// The answer itself.
    pub walk: Walk,
}

/// Asks who is there, with the first of the credentials that it answers to.
///
/// # Errors
/// [`ReadError`]; `Ask(Silent)` is an expected outcome.
pub async fn introduce(
    snmp: &Snmp,
    target: &InScope,
    credentials: &[Credential],
    profiles: &Profiles,
) -> Result<Introduced, ReadError> {
    let (mut session, mut walk) = greet(snmp, target, credentials).await?;
    let seen = fingerprint(&walk);
    walk.overlay(session.get(&[question::model()]).await?);
    let survey = conclude(session, target, walk, seen, profiles);
    Ok(Introduced {
        fingerprint: survey.fingerprint,
        credential: survey.credential,
        verdict: survey.verdict,
        walk: survey.walk,
    })
}

/// Asks who is there, in one question, with the credential that is known to be answered.
///
/// # Errors
/// [`AskError`]; `Silent` is an expected outcome.
pub async fn who(
    snmp: &Snmp,
    target: &InScope,
    credential: &Credential,
) -> Result<Fingerprint, AskError> {
    let answers = snmp.get(target, credential, &question::identity()).await?;
    Ok(Fingerprint::of_answer(&answers.into_iter().collect()))
}

/// Finds the credential that a device answers to whose engine of version 3 was found, users first.
/// Gives what it says to [`question::probe`] and [`question::identity`].
///
/// # Errors
/// [`ReadError`]; `NoCredentialFits` is an expected outcome.
pub async fn fit(
    snmp: &Snmp,
    target: &InScope,
    credentials: &[Credential],
) -> Result<(Credential, Walk), ReadError> {
    let mut credentials = with_v1(&users_first(credentials));
    // Who has answered to a user before is asked as that one first.
    credentials.sort_by_key(|credential| !snmp.is_acquainted(target, credential));
    let (session, walk) = greet(snmp, target, &credentials).await?;
    Ok((session.credential().clone(), walk))
}

/// Whether a device that answers no community has an engine of version 3, which tells itself to
/// anybody.
pub async fn has_engine(snmp: &Snmp, target: &InScope) -> bool {
    // The user of RFC 3414 A.1; whether it is known there does not matter.
    let user = User::new("initial", "", Security::None).map(|it| Credential::User(it.into()));
    let Ok(user) = user else {
        return false;
    };
    let asked = snmp.get(target, &user, &question::probe()).await;
    matches!(asked, Ok(_) | Err(AskError::Refused { .. }))
}

/// Whether what [`fit`] gave may be a printer's.
#[must_use]
pub fn is_candidate(walk: &Walk) -> bool {
    question::is_candidate(&varbinds(walk, &question::probe()))
}

/// The same credentials, and behind them those of version 2c again in version 1.
#[must_use]
pub fn with_v1(credentials: &[Credential]) -> Vec<Credential> {
    let newer = credentials
        .iter()
        .filter(|it| !it.is_user() && it.pdus() == snmp::Version::V2c);
    let older = newer.map(|credential| credential.in_version(snmp::Version::V1));
    credentials.iter().cloned().chain(older).collect()
}

/// Asks who is there, with one credential after the other, each with a budget of its own: that of the
/// reading begins with who answers. Who refuses all of them is not silent.
async fn greet(
    snmp: &Snmp,
    target: &InScope,
    credentials: &[Credential],
) -> Result<(Session, Walk), ReadError> {
    let peer = target.addr();
    let mut silence = ReadError::NoCredential { peer };
    let (mut words, mut refusals) = (Vec::new(), Vec::new());
    let greeting = question::greeting();
    for credential in credentials {
        let mut session = snmp.session(target, credential);
        match session.get(&greeting).await {
            Ok(answers) => return Ok((session, answers.into_iter().collect())),
            Err(error @ AskError::Silent { .. }) => silence = error.into(),
            Err(AskError::Refused {
                user,
                refusal,
                unusable,
                ..
            }) => {
                let user = user.escape_debug();
                words.push(format!("user '{user}': {refusal}{unusable}"));
                refusals.push(refusal);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if refusals.is_empty() {
        return Err(silence);
    }
    let why = words.join("; ");
    Err(ReadError::NoCredentialFits {
        peer,
        why,
        refusals,
    })
}

/// What a device is by its answer to a sweep alone.
#[must_use]
pub fn verdict(answered: &Answered, profiles: &Profiles) -> Verdict {
    let walk: Walk = answered.varbinds.iter().cloned().collect();
    let address = answered.target.addr().ip();
    judge(&walk, profiles, Some(address), now())
}

fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

pub(super) fn conclude(
    session: Session,
    target: &InScope,
    walk: Walk,
    fingerprint: Fingerprint,
    profiles: &Profiles,
) -> Survey {
    let at = now();
    let verdict = judge(&walk, profiles, Some(target.addr().ip()), at);
    Survey {
        walk,
        verdict,
        fingerprint,
        credential: session.credential().clone(),
        pdus: session.pdus(),
        unanswered: session.unanswered().to_vec(),
        is_whole: true,
        explored_at: at,
        bears_again: true,
        bearing: session.learned(),
        trouble: trouble(&session),
    }
}

/// What was wrong with a conversation, in words: the first of it.
fn trouble(session: &Session) -> Option<String> {
    let unanswered = session.unanswered().len();
    let Some(broken) = session.broken().first() else {
        let odd = session.odd().filter(|_| unanswered > 0)?;
        return Some(format!("{unanswered} columns could not be read: {odd}"));
    };
    Some(match session.broken().len() - 1 {
        0 => broken.to_string(),
        more => format!("{broken}, and {more} more like it"),
    })
}

/// Who answered, by the objects of [`question::identity`] alone: a whole walk holds more of them.
#[must_use]
pub fn fingerprint(walk: &Walk) -> Fingerprint {
    Fingerprint::of_answer(&varbinds(walk, &question::identity()).into_iter().collect())
}

fn varbinds(walk: &Walk, oids: &[Oid]) -> Vec<VarBind> {
    let held = oids
        .iter()
        .filter_map(|oid| walk.get(oid).map(|value| (oid, value)));
    held.map(|(oid, value)| VarBind::new(oid.clone(), value.clone()))
        .collect()
}

/// Both lists as one, each object once.
fn joined(first: &[Oid], second: &[Oid]) -> Vec<Oid> {
    let mut all = first.to_vec();
    all.extend(second.iter().filter(|oid| !first.contains(oid)).cloned());
    all
}

/// Whether a counter has another value than before, in any row.
pub(super) fn moved(before: &Walk, now: &Walk, column: &[u32]) -> bool {
    before.under(column).ne(now.under(column))
}
