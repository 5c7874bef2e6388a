//! Pairs answers with the questions that wait for them.
//!
//! One task owns the table; who asks registers here before it sends. An answer counts only when
//! its request-id was drawn for exactly the address and port it comes from, in the version that was
//! spoken; the community is not compared, since some devices answer with another one. What is left
//! over (late, twice, foreign) is counted and dropped.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use snmp::{Pdu, PduKind, Version};
use tokio::sync::{mpsc, oneshot};

use super::socket::{DATAGRAM_BYTES_MAX, Sockets};

/// Datagrams taken in a row before other tasks get their turn: about half a millisecond's worth.
const DATAGRAMS_IN_A_ROW: usize = 64;

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request_id: i64,
    pub(super) from: SocketAddr,
    pub(super) version: Version,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// An answer and what it weighed.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) pdu: Pdu,
    pub(super) size_bytes: usize,
}

/// What came and went, for whoever wants to know.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) packets_sent: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) answers: AtomicU64,
    pub(super) strays: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) send_waits: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

/// The table of questions that wait.
pub(super) struct Pending {
    sockets: Arc<Sockets>,
    registrations: mpsc::Receiver<Waiting>,
    counters: Arc<Counters>,
    waiting: HashMap<(SocketAddr, i64), Waiting>,
    /// Size at which the table is rid of questions that nobody waits for any more.
    tidy_at: usize,
}

impl Pending {
    pub(super) fn new(
        sockets: Arc<Sockets>,
        registrations: mpsc::Receiver<Waiting>,
        counters: Arc<Counters>,
        in_flight_max: usize,
    ) -> Self {
        let tidy_at = in_flight_max.saturating_mul(2);
        Self {
            sockets,
            registrations,
            counters,
            waiting: HashMap::new(),
            tidy_at,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            tokio::select! {
                biased;
                registration = self.registrations.recv() => match registration {
                    Some(waiting) => self.register(waiting),
                    None => return,
                },
                () = self.sockets.readable() => {
                    self.receive(&mut buffer);
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn register(&mut self, waiting: Waiting) {
        if self.waiting.len() >= self.tidy_at {
            self.waiting
                .retain(|_, waiting| !waiting.answer.is_closed());
        }
        self.waiting
            .insert((waiting.from, waiting.request_id), waiting);
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_IN_A_ROW {
            let Some((size, from)) = self.sockets.try_receive(buffer) else {
                return;
            };
            // A question is registered before it is sent, so whatever is answered already stands in
            // the table or in the channel.
            while let Ok(waiting) = self.registrations.try_recv() {
                self.register(waiting);
            }
            self.hear(&buffer[..size], from);
        }
    }

    fn hear(&mut self, bytes: &[u8], from: SocketAddr) {
        let Ok(message) = snmp::decode(bytes) else {
            return Counters::add(&self.counters.malformed, 1);
        };
        let key = (from, message.pdu.request_id);
        let is_expected = |waiting: &Waiting| {
            waiting.version == message.version && message.pdu.kind == PduKind::Response
        };
        if !self.waiting.get(&key).is_some_and(is_expected) {
            return Counters::add(&self.counters.strays, 1);
        }
        let Some(waiting) = self.waiting.remove(&key) else {
            return;
        };
        let answer = Answer {
            pdu: message.pdu,
            size_bytes: bytes.len(),
        };
        let counter = match waiting.answer.send(answer) {
            Ok(()) => &self.counters.answers,
            Err(_late) => &self.counters.strays,
        };
        Counters::add(counter, 1);
    }
}
