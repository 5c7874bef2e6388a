//! Whose turn it is: so many questions wait for answers at once, and so many devices are being read.
//!
//! Who takes long stands at the back: devices that stay silent, are cut short, or answer without end. Of
//! every bound they have a share, and of the pace (see [`super::pace`]), so that however many they are,
//! nobody else waits behind them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The back has one in so many turns: those who stand there hold one for 30 s, others for
/// milliseconds.
const BACK_ONE_IN: usize = 4;

/// Where one stands who wants to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// With everybody.
    Front,
    /// Behind them.
    Back,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _one: OwnedSemaphorePermit,
    _of_the_back: Option<OwnedSemaphorePermit>,
}

/// So many turns at once.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    back: Arc<Semaphore>,
}

impl Turns {
    /// So many at most, and at least one.
    pub(super) fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(most)),
            back: Arc::new(Semaphore::new((most / BACK_ONE_IN).max(1))),
        }
    }

    /// Waits for a turn; they come in the order in which they are asked for. None when the runtime
    /// ends.
    pub(super) async fn take(&self, lane: Lane) -> Option<Turn> {
        let of_the_back = match lane {
            Lane::Front => None,
            Lane::Back => Some(self.back.clone().acquire_owned().await.ok()?),
        };
        Some(Turn {
            _one: self.all.clone().acquire_owned().await.ok()?,
            _of_the_back: of_the_back,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn comes(turns: &Turns, lane: Lane) -> Option<Turn> {
        let turn = timeout(Duration::from_millis(10), turns.take(lane)).await;
        turn.ok().flatten()
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_at_the_back_leaves_most_turns_to_others() {
        let turns = Turns::new(8);
        let back = [
            comes(&turns, Lane::Back).await,
            comes(&turns, Lane::Back).await,
        ];
        assert!(back.iter().all(Option::is_some));
        assert!(comes(&turns, Lane::Back).await.is_none(), "a quarter");
        let mut front = Vec::new();
        while let Some(turn) = comes(&turns, Lane::Front).await {
            front.push(turn);
        }
        assert_eq!(front.len(), 6, "all are no more than there are");
        drop(back);
        assert!(comes(&turns, Lane::Back).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_turn_is_for_both() {
        let turns = Turns::new(0);
        let turn = comes(&turns, Lane::Back).await;
        assert!(turn.is_some() && comes(&turns, Lane::Front).await.is_none());
        drop(turn);
        assert!(comes(&turns, Lane::Front).await.is_some());
    }
}
