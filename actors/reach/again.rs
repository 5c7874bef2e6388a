//! A whole reading of a printer that was read before, by what is known of it.
//!
//! Three questions on most, where a first reading takes six or more. The device is read as if it were
//! new once a day, where it says that its make-up changed or that it was started anew, and where it
//! does not bear such questions.

use jiff::{SignedDuration, Timestamp};
use printer::again::Again;
use printer::identity::Fingerprint;
use printer::profile::Profiles;
use printer::{mib, question};
use snmp::traverse::Bearing;
use snmp::{ErrorStatus, Oid, VarBind};

use super::credential::{Credential, proven_first};
use super::scope::InScope;
use super::session::Session;
use super::snmp::{AskError, Snmp};
use super::survey::{self, Last, ReadError, Survey};

/// How long a device is read by what is known of it, before it is read as if it were new: what it
/// did not have then is not asked for meanwhile.
const EXPLORED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What came of asking by what is known.
enum Asked {
    /// The reading.
    Read(Box<Survey>),
    /// The device is another one than it was, by its own word.
    Changed,
    /// It does not answer such questions.
    Unfit,
}

/// Reads everything a device tells that was read before. Who answers is asked in the first question
/// and in the last.
///
/// # Errors
/// [`ReadError`]; `AnotherDevice` when the address has changed hands.
pub async fn read_again(
    snmp: &Snmp,
    target: &InScope,
    last: Last<'_>,
    credentials: &[Credential],
    profiles: &Profiles,
) -> Result<Survey, ReadError> {
    let mut bears_again = last.bears_again;
    if let Some(again) = plan(last, profiles) {
        match ask(snmp, target, again, (last, profiles)).await? {
            Asked::Read(survey) => return Ok(*survey),
            Asked::Changed => {}
            Asked::Unfit => bears_again = false,
        }
    }
    let is_old = is_old(last);
    let credentials = proven_first(credentials, last.credential);
    // Once a day it may show that it has learned to bear more.
    let bearing = if is_old {
        Bearing::default()
    } else {
        last.bearing
    };
    let survey = survey::read_bearing((snmp, target), &credentials, profiles, bearing).await?;
    Ok(Survey {
        bears_again: bears_again || is_old,
        ..survey
    })
}

fn is_old(last: Last<'_>) -> bool {
    Timestamp::now().duration_since(last.explored_at) > EXPLORED_FOR
}

/// What to ask, if so much is known that it can be asked so.
fn plan<'s>(last: Last<'s>, profiles: &Profiles) -> Option<Again<'s>> {
    let is_known = last.bears_again && last.trouble.is_none() && !last.fingerprint.is_empty();
    if !is_known || is_old(last) {
        return None;
    }
    Again::new(last.walk, profiles)
}

async fn ask(
    snmp: &Snmp,
    target: &InScope,
    mut again: Again<'_>,
    (last, profiles): (Last<'_>, &Profiles),
) -> Result<Asked, ReadError> {
    let peer = target.addr();
    let mut session = snmp.session(target, last.credential).bearing(last.bearing);
    let mut known: Option<Fingerprint> = None;
    while let Some(question) = again.question() {
        let answer = match session.ask_again(question).await {
            Ok(answer) => answer,
            // Another credential may be answered, or fewer objects.
            Err(AskError::Refused { .. }) => return Ok(Asked::Unfit),
            Err(error) if error.is_silence() => return Ok(Asked::Unfit),
            Err(error) => return Err(error.into()),
        };
        if answer.error_status != ErrorStatus::NoError || again.absorb(answer.varbinds).is_err() {
            return Ok(Asked::Unfit);
        }
        if known.is_none() {
            let first = Fingerprint::of_answer(&again.first());
            if last.fingerprint.contradicts(&first) {
                return Err(ReadError::AnotherDevice { peer });
            }
            // Another board with the same serial number: whose it is, only a whole reading tells.
            if last.fingerprint.differs(&first) {
                return Ok(Asked::Changed);
            }
            known = Some(first);
        }
    }
    let first = known.filter(|_| again.is_latest_as_first());
    let mut closing = first.unwrap_or_else(|| Fingerprint::of_answer(&again.latest()));
    let (mut walk, stale, missing) = again.finish();
    let identity = question::identity();
    let is_changed = survey::moved(last.walk, &walk, mib::PRT_CONFIG_CHANGES)
        || walk.number(mib::SYS_UP_TIME, &[mib::SCALAR])
            < last.walk.number(mib::SYS_UP_TIME, &[mib::SCALAR])
        || missing.iter().any(|oid| identity.contains(oid));
    if is_changed {
        return Ok(Asked::Changed);
    }
    let mut stopped = None;
    if !stale.is_empty() || !missing.is_empty() {
        let (rows, ended) = rest(&mut session, &stale, &missing).await;
        walk.overlay(rows);
        stopped = survey::only_budget(ended)?;
        closing = survey::closing(&mut session, (snmp, target), stopped.is_some()).await?;
    }
    if last.fingerprint.differs(&closing) {
        return Err(ReadError::SwappedUnderway { peer });
    }
    let known = last.fingerprint.clone();
    let survey = survey::conclude(session, target, walk, known, profiles);
    let survey = Survey {
        explored_at: last.explored_at,
        ..survey
    };
    Ok(Asked::Read(Box::new(survey.stopped_by(stopped))))
}

/// Asks for what did not answer as expected.
async fn rest(
    session: &mut Session,
    stale: &[Vec<Oid>],
    missing: &[Oid],
) -> (Vec<VarBind>, Option<AskError>) {
    let (mut got, mut stopped) = session.gain(missing).await;
    for columns in stale {
        if stopped.is_some() {
            break;
        }
        let (rows, ended) = session.table(columns).await;
        got.extend(rows);
        stopped = ended;
    }
    (got, stopped)
}
