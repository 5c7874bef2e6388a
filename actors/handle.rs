//! Starting the life, and the outside's hold on it.

use std::io;
use std::thread;
use std::time::Duration;

use actix::{Addr, System};
use printer::identity::DeviceId;
use tokio::sync::{oneshot, watch};
use tracing::error;

use crate::behind::Behind;
use crate::lifeline;
use crate::messages::{
    Cause, Decide, EndSessions, Release, Shutdown, TellSessions, TellStatus, Verdict,
};
use crate::parts::Parts;
use crate::status::StatusSnapshot;
use crate::supervisor::{MAILBOX_MAX, Supervisor};
use crate::tunnel::SessionStatus;
use crate::tunnel::ticket::SessionId;
use crate::watchdog::{self, Heart};

/// How long the actors' thread may give no sign of life before the process is ended.
const WATCHDOG_PATIENCE: Duration = Duration::from_secs(30);
/// Exit code of a process whose actors hang: failed, start it again.
const EXIT_HUNG: i32 = 1;
/// How long the Supervisor may take to tell the status: it reads the spool's numbers.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// What a drain may take longer than its limit.
const DRAIN_SLACK: Duration = Duration::from_secs(1);

/// Why the life did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system refused a thread.
    #[error("no thread for the actors: {0}")]
    NoThread(#[from] io::Error),
    /// The thread ended before the Supervisor lived.
    #[error("the actors' thread ended at once")]
    NoSupervisor,
}

/// The life has ended, so nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the supervisor does not answer")]
pub struct Gone;

/// How the life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By [`Handle::drain`].
    Drained,
    /// The Supervisor died. The process must end, and be started again from outside.
    Died(Cause),
}

/// The outside's hold on the life. It lives on when this is dropped, until the process ends.
#[derive(Debug)]
pub struct Handle {
    supervisor: Addr<Supervisor>,
    ended: watch::Receiver<Option<Cause>>,
}

/// Starts the Supervisor on a thread of its own, and a watchdog over it.
///
/// # Errors
/// [`StartError`]: nothing lives then.
pub async fn start(parts: Parts) -> Result<Handle, StartError> {
    let heart = Heart::default();
    let behind = Behind::open()?;
    let (told, ended) = watch::channel(None);
    let (born, birth) = oneshot::channel();
    let watchdog = watchdog::watch(heart.clone(), WATCHDOG_PATIENCE, || {
        error!("the actors' thread or the runtime hangs; the process ends, to be started again");
        std::process::exit(EXIT_HUNG);
    })?;
    thread::Builder::new()
        .name("actors".to_owned())
        .spawn(move || {
            System::new().block_on(async move {
                let (dead, death) = oneshot::channel();
                let supervisor = Supervisor::new(parts, heart, behind);
                // The cause goes nowhere only if the thread is already ending.
                let tell = |cause| async move { drop(dead.send(cause)) };
                let (address, lifeline) = lifeline::start(supervisor, MAILBOX_MAX, tell);
                if born.send(address).is_ok() {
                    told.send_replace(death.await.ok());
                }
                drop(lifeline);
            });
            // A life that has ended needs no watch: its stillness is no hang.
            drop(watchdog);
        })?;
    let supervisor = birth.await.map_err(|_| StartError::NoSupervisor)?;
    Ok(Handle { supervisor, ended })
}

impl Handle {
    /// How everyone is, by their last words.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended or does not answer.
    pub async fn status(&self) -> Result<Box<StatusSnapshot>, Gone> {
        self.supervisor
            .send(TellStatus)
            .timeout(STATUS_TIMEOUT)
            .await
            .map_err(|_| Gone)
    }

    /// Every session with a printer's web page: that waits, lives, or has ended lately.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended or does not answer.
    pub async fn sessions(&self) -> Result<Vec<SessionStatus>, Gone> {
        let told = self.supervisor.send(TellSessions).timeout(STATUS_TIMEOUT);
        told.await.map_err(|_| Gone)
    }

    /// Tells what a person at the site has decided about a session that waits. The inner error
    /// says why that does not count.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended or does not answer.
    pub async fn decide(
        &self,
        session: SessionId,
        by: String,
        verdict: Verdict,
    ) -> Result<Result<(), String>, Gone> {
        let decide = Decide {
            session,
            by,
            verdict,
        };
        let told = self.supervisor.send(decide).timeout(STATUS_TIMEOUT);
        told.await.map_err(|_| Gone)
    }

    /// Ends a session, or all: how many that were.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended or does not answer.
    pub async fn end_sessions(&self, session: Option<SessionId>) -> Result<u32, Gone> {
        let told = self.supervisor.send(EndSessions(session));
        told.timeout(STATUS_TIMEOUT).await.map_err(|_| Gone)
    }

    /// Has a device read again that was set aside. The inner error says why not.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended or does not answer.
    pub async fn release(&self, device: DeviceId) -> Result<Result<(), String>, Gone> {
        let told = self.supervisor.send(Release(device));
        told.timeout(STATUS_TIMEOUT).await.map_err(|_| Gone)
    }

    /// Has an order carried out as if the hub had given it.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended.
    #[cfg(feature = "provoke")]
    pub async fn execute(
        &self,
        order: crate::order::Order,
        progress: crate::order::Progress,
    ) -> Result<crate::order::Ended, Gone> {
        let execute = crate::messages::Execute { order, progress };
        self.supervisor.send(execute).await.map_err(|_| Gone)
    }

    /// Waits for the life to end by itself, which it should not.
    pub async fn ended(&self) -> Cause {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(cause) => cause.clone().unwrap_or(Cause::Stopped),
            Err(_) => Cause::Stopped,
        }
    }

    /// Lets everyone finish what is in hand, for at most `limit`; then everything ends.
    pub async fn drain(&self, limit: Duration) -> Ended {
        // One that is gone already has ended, which is all that is wanted.
        let _ = self
            .supervisor
            .send(Shutdown { limit })
            .timeout(limit)
            .await;
        match tokio::time::timeout(limit + DRAIN_SLACK, self.ended()).await {
            Ok(Cause::Stopped) | Err(_) => Ended::Drained,
            Ok(cause @ (Cause::Panicked(_) | Cause::Hung(_))) => Ended::Died(cause),
        }
    }

    /// Makes a child fail; true if such a child lives.
    ///
    /// # Errors
    /// [`Gone`] when the Supervisor has ended.
    #[cfg(feature = "provoke")]
    pub async fn provoke(
        &self,
        child: crate::messages::ChildId,
        fault: crate::messages::Fault,
    ) -> Result<bool, Gone> {
        let order = crate::messages::ProvokeChild { child, fault };
        self.supervisor
            .send(order)
            .timeout(STATUS_TIMEOUT)
            .await
            .map_err(|_| Gone)
    }
}
