//! The task that keeps a session: dials, connects, subscribes, hands over, and begins anew.
//!
//! The reconnection is ours and not paho's, because each attempt may need another certificate,
//! password or proxy, and because the reason of a failure is known here and not there.

use std::net::Shutdown;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use library::{AsyncReceiver, ConnectOptions, ConnectOptionsBuilder, Properties, PropertyCode};
use paho_mqtt as library;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::debug;

use super::paho::{CONNECT_TIMEOUT, Paho};
use super::pipe::{self, Progress, Socket};
use super::{Attempt, Event, Letter, Options, Standing, Version};
use crate::Stream;

/// Longest that the answer to a subscription may take.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long paho may take to notice that its stream has ended.
const LOSS_TIMEOUT: Duration = Duration::from_secs(2);

/// A session that stood this long counts as a success: the next failure is the first again.
const STOOD_MIN: Duration = Duration::from_secs(10);

/// What the holder of the client orders.
#[derive(Debug)]
pub(super) enum Order {
    /// Another connection.
    Renew,
    /// The end.
    Close,
}

/// What is known where nothing was said.
const HUNG_UP: &str = "the broker hung up";

/// How a session ended.
enum Ended {
    /// On order, or because nobody listens any more.
    Closed,
    /// For another connection at once.
    Renewed,
    /// By itself.
    Lost {
        why: String,
        stood: Duration,
        is_taken_over: bool,
    },
    /// It never stood.
    Failed(String),
}

pub(super) struct Driver {
    options: Options,
    socket: Arc<Socket>,
    paho: Arc<Paho>,
    arrivals: AsyncReceiver<library::Event>,
    say: mpsc::Sender<Event>,
    stand: watch::Sender<Standing>,
    orders: mpsc::Receiver<Order>,
    progress: Arc<Progress>,
    /// A renewal was ordered while something else was done.
    is_renewal_due: bool,
}

impl Driver {
    pub(super) fn new(
        (options, socket): (Options, Arc<Socket>),
        (paho, arrivals): (Arc<Paho>, AsyncReceiver<library::Event>),
        (say, stand, orders): (
            mpsc::Sender<Event>,
            watch::Sender<Standing>,
            mpsc::Receiver<Order>,
        ),
    ) -> Self {
        Self {
            options,
            socket,
            paho,
            arrivals,
            say,
            stand,
            orders,
            progress: Progress::new(),
            is_renewal_due: false,
        }
    }

    /// Keeps the session until it is closed.
    pub(super) async fn run(mut self) {
        let mut failures: u32 = 0;
        loop {
            let ended = self.session().await;
            let (why, stood, is_taken_over) = match ended {
                Ended::Closed => return,
                Ended::Renewed => {
                    failures = 0;
                    continue;
                }
                Ended::Lost {
                    why,
                    stood,
                    is_taken_over,
                } => (why, Some(stood), is_taken_over),
                Ended::Failed(why) => (why, None, false),
            };
            failures = match stood {
                Some(stood) if stood >= STOOD_MIN => 1,
                _ => failures.saturating_add(1),
            };
            self.stand.send_replace(Standing {
                is_connected: false,
                trouble: Some(why.clone()),
            });
            let lost = Event::Lost {
                why,
                stood,
                is_taken_over,
            };
            if !self.say(lost).await || !self.wait(failures).await {
                return;
            }
        }
    }

    /// One connection, from the dialling to its end.
    async fn session(&mut self) -> Ended {
        self.is_renewal_due = false;
        let attempt = match (self.options.attempts)() {
            Ok(attempt) => attempt,
            Err(why) => return Ended::Failed(why),
        };
        let reached = tokio::select! {
            reached = pipe::reach(&attempt.carriage) => reached,
            () = closing(&mut self.orders, &mut self.is_renewal_due) => return Ended::Closed,
        };
        let broker = match reached {
            Ok(broker) => broker,
            Err(why) => return Ended::Failed(why),
        };
        let Some(connecting) = self.paho.connect(self.connect_options(&attempt)) else {
            return Ended::Closed;
        };
        let piped = match self.socket.accept().await {
            Ok((stream, line)) => self.pipe(broker, stream, line),
            Err(_) => None,
        };
        let connected = timeout(CONNECT_TIMEOUT + LOSS_TIMEOUT, connecting).await;
        if let Ok(answer) = &connected {
            self.paho.note_answered(answer.is_err());
        }
        let refused = match connected {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(words(&error)),
            Err(_) => Some("the broker did not answer".to_owned()),
        };
        let Some(mut piped) = piped else {
            return Ended::Failed(refused.unwrap_or_else(|| "paho did not connect".to_owned()));
        };
        if let Some(refused) = refused {
            let why = piped.words().await;
            self.part(piped).await;
            return Ended::Failed(why.unwrap_or(refused));
        }
        let ended = match self.subscribe().await {
            Ok(()) => self.stand(&attempt, &mut piped).await,
            Err(why) => Ended::Failed(piped.words().await.unwrap_or(why)),
        };
        self.part(piped).await;
        ended
    }

    /// Joins the broker and paho. `line` is the same end as `stream`.
    fn pipe(
        &self,
        broker: Box<dyn Stream>,
        stream: UnixStream,
        line: StdUnixStream,
    ) -> Option<Piped> {
        let (ours, its) = (line.try_clone().ok()?, line.try_clone().ok()?);
        self.paho.keep(line);
        let progress = Arc::clone(&self.progress);
        let task = tokio::spawn(async move {
            let ended = pipe::carry(broker, stream, progress).await;
            hang_up(&its);
            ended
        });
        Some(Piped {
            task: Some(task),
            line: ours,
        })
    }

    /// Subscribes to every filter: a broker that restarted has forgotten them. What it kept for us
    /// comes before its answer and may be more than [`pipe`] lets ahead, so it is taken meanwhile.
    async fn subscribe(&mut self) -> Result<(), String> {
        if self.options.filters.is_empty() {
            return Ok(());
        }
        let Some(subscribing) = self.paho.subscribe(&self.options.filters) else {
            return Err("the connection was closed".to_owned());
        };
        let mut subscribing = pin!(subscribing);
        let late = Instant::now() + SUBSCRIBE_TIMEOUT;
        let answer = loop {
            tokio::select! {
                answer = subscribing.as_mut() => break answer.map_err(|error| words(&error))?,
                arrived = self.arrivals.recv() => match arrived {
                    Ok(library::Event::Message(message)) => {
                        if !self.hand_over(&message).await {
                            return Err("the connection was closed".to_owned());
                        }
                    }
                    Ok(library::Event::Disconnected { reason_code, .. }) => {
                        return Err(format!("the broker ended it: {reason_code}"));
                    }
                    // Of an earlier connection, or said by the answer too.
                    Ok(_) => {}
                    Err(_) => return Err("the connection was closed".to_owned()),
                },
                () = at(Some(late)) => {
                    return Err("the broker did not answer a subscription".to_owned());
                }
            }
        };
        let granted = answer.subscribe_many_response().unwrap_or_default();
        let refused = granted.iter().zip(&self.options.filters);
        match refused.into_iter().find(|(granted, _)| **granted > 2) {
            None => Ok(()),
            Some((_, filter)) => Err(format!("the broker refused a subscription to {filter}")),
        }
    }

    /// The time in which the session stands.
    async fn stand(&mut self, attempt: &Attempt, piped: &mut Piped) -> Ended {
        let since = Instant::now();
        self.stand.send_replace(Standing {
            is_connected: true,
            trouble: None,
        });
        if !self.say(Event::Connected).await {
            return Ended::Closed;
        }
        loop {
            if std::mem::take(&mut self.is_renewal_due) {
                return Ended::Renewed;
            }
            tokio::select! {
                arrived = self.arrivals.recv() => match arrived {
                    Ok(library::Event::Message(message)) => {
                        if !self.hand_over(&message).await {
                            return Ended::Closed;
                        }
                    }
                    Ok(library::Event::Connected) => {}
                    Ok(library::Event::ConnectionLost) if self.paho.is_connected() => {
                        debug!("an earlier connection ended");
                    }
                    Ok(library::Event::Disconnected { reason_code, .. }) => {
                        return ended_by_broker(reason_code, since);
                    }
                    Ok(library::Event::ConnectionLost | library::Event::Shutdown) | Err(_) => {
                        let why = piped.words().await;
                        return lost(why.unwrap_or_else(|| HUNG_UP.to_owned()), since);
                    }
                },
                why = piped.ended() => {
                    let why = why.unwrap_or_else(|| HUNG_UP.to_owned());
                    return self.hear_out(why, since).await;
                }
                order = self.orders.recv() => match order {
                    Some(Order::Renew) => return Ended::Renewed,
                    Some(Order::Close) | None => return Ended::Closed,
                },
                () = at(attempt.renew_at) => return Ended::Renewed,
            }
        }
    }

    /// The octets have ended: what paho makes of the last of them may say why.
    async fn hear_out(&mut self, why: String, since: Instant) -> Ended {
        while let Ok(Ok(arrived)) = timeout(LOSS_TIMEOUT, self.arrivals.recv()).await {
            match arrived {
                library::Event::Message(message) => {
                    if !self.hand_over(&message).await {
                        return Ended::Closed;
                    }
                }
                library::Event::Disconnected { reason_code, .. } => {
                    return ended_by_broker(reason_code, since);
                }
                library::Event::Connected => {}
                library::Event::ConnectionLost | library::Event::Shutdown => break,
            }
        }
        lost(why, since)
    }

    /// Ends a connection, and takes what paho still has of it: that was acknowledged, and would
    /// not come again.
    async fn part(&mut self, mut piped: Piped) {
        self.stand
            .send_if_modified(|standing| std::mem::take(&mut standing.is_connected));
        if self.paho.is_connected() {
            self.paho.disconnect().await;
            // Its goodbye is on the way to the broker, who would say our will without it.
            piped.words().await;
        }
        piped.end();
        let ends = Instant::now() + LOSS_TIMEOUT;
        while self.paho.is_connected() && Instant::now() < ends {
            sleep(Duration::from_millis(10)).await;
        }
        while let Ok(arrived) = self.arrivals.try_recv() {
            if let library::Event::Message(message) = arrived
                && !self.hand_over(&message).await
            {
                return;
            }
        }
    }

    /// Hands a message to the consumer, however long it takes; whether there is one.
    async fn hand_over(&mut self, message: &library::Message) -> bool {
        let letter = Letter {
            topic: message.topic().to_owned(),
            payload: message.payload().to_vec(),
        };
        let is_taken = self.say(Event::Message(letter)).await;
        self.progress.note_taken();
        is_taken
    }

    /// Says an event, however long it takes; whether anybody listens.
    async fn say(&mut self, event: Event) -> bool {
        let mut saying = pin!(self.say.send(event));
        loop {
            tokio::select! {
                said = saying.as_mut() => return said.is_ok(),
                order = self.orders.recv() => match order {
                    Some(Order::Renew) => self.is_renewal_due = true,
                    Some(Order::Close) | None => return false,
                },
            }
        }
    }

    /// Waits before the next attempt; whether there is one.
    async fn wait(&mut self, failures: u32) -> bool {
        let (first, max) = self.options.retry;
        let doublings = failures.saturating_sub(1).min(31);
        let full = first.saturating_mul(1 << doublings).min(max);
        let chance = getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX));
        tokio::select! {
            () = sleep(full.mul_f64(0.5 + 0.5 * chance)) => true,
            order = self.orders.recv() => matches!(order, Some(Order::Renew)),
        }
    }

    fn connect_options(&self, attempt: &Attempt) -> ConnectOptions {
        let mut builder = match self.options.version {
            Version::V311 => {
                let mut builder =
                    ConnectOptionsBuilder::with_mqtt_version(library::MQTT_VERSION_3_1_1);
                builder.clean_session(false);
                builder
            }
            Version::V5 => {
                let mut builder = ConnectOptionsBuilder::new_v5();
                let secs = u32::try_from(self.options.session_life.as_secs()).unwrap_or(u32::MAX);
                let mut properties = Properties::new();
                // Refused only for a code of another type.
                let _ = properties.push_u32(PropertyCode::SessionExpiryInterval, secs);
                builder.clean_start(false).properties(properties);
                builder
            }
        };
        builder
            .keep_alive_interval(self.options.keep_alive)
            .connect_timeout(CONNECT_TIMEOUT)
            .max_inflight(i32::try_from(super::IN_FLIGHT_MAX).unwrap_or(i32::MAX));
        if let Some(login) = &attempt.login {
            builder.user_name(&*login.user);
            if !login.password.is_empty() {
                builder.password(&*login.password);
            }
        }
        if let Some(will) = &attempt.will {
            let will = library::Message::new(&*will.topic, &*will.payload, library::QOS_1);
            builder.will_message(will);
        }
        builder.finalize()
    }
}

/// The broker said why (MQTT 5, section 3.14).
fn ended_by_broker(reason: library::ReasonCode, since: Instant) -> Ended {
    Ended::Lost {
        why: format!("the broker ended it: {reason}"),
        stood: since.elapsed(),
        is_taken_over: reason == library::ReasonCode::SessionTakenOver,
    }
}

fn lost(why: String, since: Instant) -> Ended {
    Ended::Lost {
        why,
        stood: since.elapsed(),
        is_taken_over: false,
    }
}

/// Ends the connection that paho has made to us.
fn hang_up(line: &StdUnixStream) {
    // Ended already: as well.
    let _ = line.shutdown(Shutdown::Both);
}

/// The task that carries the octets, and our end of paho's connection. The task ends with this,
/// the connection only by [`Piped::end`]: where the whole program goes, paho may be at its first
/// word.
struct Piped {
    task: Option<JoinHandle<Result<(), String>>>,
    line: StdUnixStream,
}

impl Piped {
    /// Ends when nothing is carried any more: why, in words, where it was not in order. Tells it
    /// once.
    async fn ended(&mut self) -> Option<String> {
        let ended = match &mut self.task {
            Some(task) => task.await,
            None => return None,
        };
        self.task = None;
        match ended {
            Ok(ended) => ended.err(),
            Err(_) => None,
        }
    }

    /// As [`Self::ended`], for a while.
    async fn words(&mut self) -> Option<String> {
        timeout(LOSS_TIMEOUT, self.ended()).await.ok().flatten()
    }

    fn end(self) {
        hang_up(&self.line);
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Ends when the client is closed or its holders are gone. What is renewed meanwhile was asked for
/// before that, and is made again.
async fn closing(orders: &mut mpsc::Receiver<Order>, is_renewal_due: &mut bool) {
    while let Some(Order::Renew) = orders.recv().await {
        *is_renewal_due = true;
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// paho's errors for a person; those of a refused connection say what the broker meant.
fn words(error: &library::Error) -> String {
    match error {
        library::Error::ConnectReturn(code) => format!("the broker refused us: {code}"),
        library::Error::ReasonCode(code, _) => format!("the broker refused us: {code}"),
        library::Error::Failure | library::Error::SocketError(_) => {
            "the broker hung up while we connected".to_owned()
        }
        error => error.to_string(),
    }
}
