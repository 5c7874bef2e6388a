//! The agent's end of one session: an open forwarding, and the connections that go through it.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use russh::server::Handle;
use russh::{ChannelOpenFailure, Error};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::pipe::{Gauges, Pipe, Shared};
use crate::session::{Later, NoWay, SessionId, Stream, Way};

/// Connections of one session at once: a browser opens six, and pages have frames.
const PIPES_MAX: usize = 32;

/// Longest the agent may take over a connection: it connects to the device, and asks it who it is.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// Who is said to connect (RFC 4254, section 7.2): the site learns nothing of the person here.
const ORIGINATOR: &str = "gateway";

/// The forwarding of one session. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    handle: Handle,
    session: SessionId,
    port: u16,
    gauges: Gauges,
    places: Arc<Semaphore>,
    pipes: Arc<Mutex<Vec<Weak<Shared>>>>,
}

impl Forward {
    /// A forwarding that an agent asked for by the session's name and port.
    pub(super) fn new(handle: Handle, session: SessionId, port: u16, gauges: Gauges) -> Self {
        Self {
            handle,
            session,
            port,
            gauges,
            places: Arc::new(Semaphore::new(PIPES_MAX)),
            pipes: Arc::default(),
        }
    }

    /// Cuts every connection and takes no more.
    pub(super) fn close(&self) {
        self.places.close();
        for pipe in self.living() {
            pipe.cut();
        }
    }

    /// Cuts the connections that nobody reads.
    pub(super) fn cut_stuck(&self, now: Instant) {
        for pipe in self.living() {
            if pipe.cut_if_stuck(now) {
                debug!(session = %self.session, "a connection that nobody read was cut");
            }
        }
    }

    fn living(&self) -> Vec<Arc<Shared>> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.retain(|pipe| pipe.strong_count() > 0);
        pipes.iter().filter_map(Weak::upgrade).collect()
    }

    fn keep(&self, pipe: &Pipe) {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.retain(|pipe| pipe.strong_count() > 0);
        pipes.push(pipe.shared());
        drop(pipes);
        // Whoever closed in between has not seen it.
        if self.places.is_closed() {
            self.close();
        }
    }
}

impl Way for Forward {
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (handle, gauges) = (self.handle.clone(), self.gauges.clone());
        let (name, port) = (self.session.to_string(), u32::from(self.port));
        let (tell, told) = oneshot::channel();
        // Of its own: a channel that is confirmed after its asker has left is closed, not lost.
        let opening = async move {
            let place = place.map_err(|_| {
                NoWay::Refused(format!(
                    "{PIPES_MAX} connections of this session are open already; close one first"
                ))
            })?;
            let opened = handle.channel_open_forwarded_tcpip(name, port, ORIGINATOR, 0);
            match opened.await {
                Ok(channel) => Ok(Pipe::new(channel, gauges, place)),
                Err(error) => Err(in_words(&error)),
            }
        };
        tokio::spawn(async move {
            // Whoever is not there any more drops the pipe, which closes the channel.
            let _ = tell.send(opening.await);
        });
        let forward = self.clone();
        Box::pin(async move {
            let Ok(opened) = timeout(OPEN_TIMEOUT, told).await else {
                let secs = OPEN_TIMEOUT.as_secs();
                let words = format!("the device was not reached from the site within {secs} s");
                return Err(NoWay::Refused(words));
            };
            let gone = || NoWay::Refused("the agent's tunnel is gone".to_owned());
            let pipe = opened.map_err(|_| gone())??;
            forward.keep(&pipe);
            let stream: Box<dyn Stream> = Box::new(pipe);
            Ok(stream)
        })
    }
}

fn in_words(error: &Error) -> NoWay {
    let words = match error {
        Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
            "the device did not take the connection from the site"
        }
        Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
            "the site refuses this connection"
        }
        Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage) => {
            "the agent has too many connections open; close one first"
        }
        _ => "the agent's tunnel is gone",
    };
    NoWay::Refused(words.to_owned())
}
