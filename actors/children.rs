//! Who lives: the addresses, deaths and restarts of the Supervisor's children.
//!
//! Only the Supervisor has one of these, and only here are addresses kept: an address goes stale
//! when its actor is replaced, so nobody else may hold one. Pure bookkeeping: it starts nothing
//! and waits for nothing; the type of an address is the caller's.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::lifeline::Lifeline;
use crate::messages::{Cause, ChildId, Exited, HangReason, Kind, Pulse, Vitals};
use crate::status::{ChildRestarts, RESTARTS_LISTED_MAX, RestartsStatus};

/// One name under which actors live, one after the other.
#[derive(Debug)]
struct Child<A> {
    /// Counts the actors that lived under this name.
    incarnation: u64,
    life: Option<Life<A>>,
    restarts: u32,
    /// Deaths in a row without a steady life between them.
    failures: u32,
    last_death: Option<(Cause, Timestamp)>,
    vitals: Option<Vitals>,
}

/// The actor that lives now.
#[derive(Debug)]
struct Life<A> {
    address: A,
    lifeline: Option<Lifeline>,
    born: Instant,
}

/// All children.
#[derive(Debug)]
pub(crate) struct Children<A> {
    all: BTreeMap<ChildId, Child<A>>,
    backoff: Backoff,
    total: u32,
    by_kind: BTreeMap<Kind, u32>,
}

impl<A: Clone> Children<A> {
    /// Nobody yet; the dead return by `backoff`.
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self {
            all: BTreeMap::new(),
            backoff,
            total: 0,
            by_kind: BTreeMap::new(),
        }
    }

    /// Whether an actor may be started under this name: none lives there.
    pub(crate) fn is_vacant(&self, id: &ChildId) -> bool {
        self.all.get(id).is_none_or(|child| child.life.is_none())
    }

    /// Whether the name is in use, living or in a backoff.
    pub(crate) fn is_wanted(&self, id: &ChildId) -> bool {
        self.all.contains_key(id)
    }

    /// Reserves the name and numbers the actor to come.
    pub(crate) fn announce(&mut self, id: &ChildId) -> u64 {
        let child = self.all.entry(id.clone()).or_insert(Child {
            incarnation: 0,
            life: None,
            restarts: 0,
            failures: 0,
            last_death: None,
            vitals: None,
        });
        child.incarnation += 1;
        child.incarnation
    }

    /// Notes that the expected actor lives.
    pub(crate) fn born(&mut self, id: &ChildId, address: A, lifeline: Lifeline, now: Instant) {
        if let Some(child) = self.all.get_mut(id) {
            child.life = Some(Life {
                address,
                lifeline: Some(lifeline),
                born: now,
            });
        }
    }

    /// The address of the living actor.
    pub(crate) fn address(&self, id: &ChildId) -> Option<A> {
        self.all
            .get(id)?
            .life
            .as_ref()
            .map(|life| life.address.clone())
    }

    /// Everyone who lives, with incarnation and address.
    pub(crate) fn living(&self) -> impl Iterator<Item = (&ChildId, u64, &A)> {
        self.all.iter().filter_map(|(id, child)| {
            child
                .life
                .as_ref()
                .map(|life| (id, child.incarnation, &life.address))
        })
    }

    /// Whether nobody lives.
    pub(crate) fn is_deserted(&self) -> bool {
        self.all.values().all(|child| child.life.is_none())
    }

    /// Gives a name up for good; its actor, if one lives, ends with its lifeline.
    pub(crate) fn retire(&mut self, id: &ChildId) {
        self.all.remove(id);
    }

    /// Takes note of a pulse; says how the child hangs, if it does.
    pub(crate) fn pulse(
        &mut self,
        id: &ChildId,
        incarnation: u64,
        pulse: Pulse,
        now: Instant,
    ) -> Option<HangReason> {
        let child = self
            .all
            .get_mut(id)
            .filter(|child| child.incarnation == incarnation)?;
        child.vitals = Some(pulse.vitals);
        let work = pulse.work.filter(|work| work.is_overdue(now))?;
        Some(HangReason::Overdue(work.name.to_owned()))
    }

    /// Drops a hung actor from outside; its death is told by its lifeline.
    pub(crate) fn cut(&mut self, id: &ChildId, incarnation: u64, reason: HangReason) {
        let life = self
            .all
            .get_mut(id)
            .filter(|child| child.incarnation == incarnation)
            .and_then(|child| child.life.as_mut());
        if let Some(lifeline) = life.and_then(|life| life.lifeline.take()) {
            lifeline.cut(reason);
        }
    }

    /// Takes note of a death; says after what delay a new actor takes the place.
    ///
    /// `None` if nobody is missed: the name was given up, or the dead was replaced already.
    pub(crate) fn died(
        &mut self,
        exited: &Exited,
        now: Instant,
        at: Timestamp,
        chance: f64,
    ) -> Option<Duration> {
        let child = self.all.get_mut(&exited.child)?;
        if child.incarnation != exited.incarnation {
            return None;
        }
        let life = child.life.take()?;
        // A life longer than the longest backoff was steady: its end is a new accident.
        if now.saturating_duration_since(life.born) > self.backoff.max {
            child.failures = 0;
        }
        child.failures = child.failures.saturating_add(1);
        child.restarts = child.restarts.saturating_add(1);
        child.last_death = Some((exited.cause.clone(), at));
        self.total = self.total.saturating_add(1);
        *self.by_kind.entry(exited.child.kind()).or_insert(0) += 1;
        Some(self.backoff.delay(child.failures, chance))
    }

    /// What a child last said of itself.
    pub(crate) fn vitals(&self, id: &ChildId) -> Option<&Vitals> {
        self.all.get(id)?.vitals.as_ref()
    }

    /// What every child last said of itself.
    pub(crate) fn all_vitals(&self) -> impl Iterator<Item = &Vitals> {
        self.all.values().filter_map(|child| child.vitals.as_ref())
    }

    /// Restarts of all children since the start.
    pub(crate) fn restarts(&self) -> u32 {
        self.total
    }

    /// The restarts for the status page, those restarted most first.
    pub(crate) fn restarts_status(&self) -> RestartsStatus {
        let mut children: Vec<ChildRestarts> = self
            .all
            .iter()
            .filter_map(|(id, child)| {
                let (cause, died_at) = child.last_death.clone()?;
                Some(ChildRestarts {
                    child: id.clone(),
                    restarts: child.restarts,
                    cause,
                    died_at,
                    is_alive: child.life.is_some(),
                })
            })
            .collect();
        children.sort_by_key(|child| std::cmp::Reverse(child.restarts));
        children.truncate(RESTARTS_LISTED_MAX);
        RestartsStatus {
            total: self.total,
            by_kind: self.by_kind.clone(),
            children,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::messages::{UplinkVitals, Work};

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_secs(1),
        max: Duration::from_secs(600),
    };

    fn birth(children: &mut Children<u8>, now: Instant) -> u64 {
        let incarnation = children.announce(&ChildId::Uplink);
        let (lifeline, _) = crate::lifeline::Lifeline::for_tests();
        children.born(&ChildId::Uplink, 1, lifeline, now);
        incarnation
    }

    fn death(incarnation: u64) -> Exited {
        let cause = Cause::Panicked("ouch".to_owned());
        Exited {
            child: ChildId::Uplink,
            incarnation,
            cause,
        }
    }

    fn at() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn a_child_that_keeps_dying_returns_ever_more_slowly() {
        let (mut children, now) = (Children::new(BACKOFF), Instant::now());
        let delays: Vec<u64> = (0..4)
            .filter_map(|_| {
                let incarnation = birth(&mut children, now);
                children.died(&death(incarnation), now, at(), 1.0)
            })
            .map(|delay| delay.as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4, 8]);
        assert_eq!(children.restarts(), 4);
        let status = children.restarts_status();
        assert_eq!(status.by_kind[&Kind::Uplink], 4);
        assert_eq!(status.children[0].cause, Cause::Panicked("ouch".to_owned()));
        assert!(!status.children[0].is_alive);
    }

    #[test]
    fn a_steady_life_is_forgiven_its_past() {
        let (mut children, now) = (Children::new(BACKOFF), Instant::now());
        for _ in 0..5 {
            let incarnation = birth(&mut children, now);
            children.died(&death(incarnation), now, at(), 1.0);
        }
        let incarnation = birth(&mut children, now);
        let later = now + Duration::from_secs(601);
        let delay = children.died(&death(incarnation), later, at(), 1.0);
        assert_eq!(delay, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_death_is_told_once_and_only_of_the_living() {
        let (mut children, now) = (Children::new(BACKOFF), Instant::now());
        let first = birth(&mut children, now);
        assert!(children.died(&death(first), now, at(), 1.0).is_some());
        assert_eq!(
            children.died(&death(first), now, at(), 1.0),
            None,
            "told twice"
        );
        birth(&mut children, now);
        assert_eq!(
            children.died(&death(first), now, at(), 1.0),
            None,
            "of the one before"
        );
        children.retire(&ChildId::Uplink);
        assert_eq!(
            children.died(&death(2), now, at(), 1.0),
            None,
            "nobody misses it"
        );
    }

    #[test]
    fn work_past_its_deadline_is_a_hang() {
        let (mut children, now) = (Children::new(BACKOFF), Instant::now());
        let incarnation = birth(&mut children, now);
        let deadline = Duration::from_secs(30);
        let pulse = Pulse {
            work: Some(Work {
                name: "poll",
                since: now,
                deadline,
            }),
            vitals: Vitals::Uplink(UplinkVitals::default()),
        };
        let mut look = |now| children.pulse(&ChildId::Uplink, incarnation, pulse.clone(), now);
        assert_eq!(look(now + deadline), None);
        let late = now + deadline + Duration::from_millis(1);
        assert_eq!(look(late), Some(HangReason::Overdue("poll".to_owned())));
    }

    #[test]
    fn a_cut_reaches_the_lifeline_of_the_named_incarnation_only() {
        let (mut children, now) = (Children::new(BACKOFF), Instant::now());
        let incarnation = children.announce(&ChildId::Uplink);
        let (lifeline, mut cut): (_, oneshot::Receiver<_>) = Lifeline::for_tests();
        children.born(&ChildId::Uplink, 1, lifeline, now);
        children.cut(&ChildId::Uplink, incarnation + 1, HangReason::NoAnswer);
        assert!(cut.try_recv().is_err());
        children.cut(&ChildId::Uplink, incarnation, HangReason::NoAnswer);
        assert_eq!(cut.try_recv(), Ok(HangReason::NoAnswer));
    }
}
