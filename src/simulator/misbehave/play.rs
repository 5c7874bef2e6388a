//! What a misbehaving device sends in place of its honest answer.
//!
//! Pure: the question, the honest answer and the time come in; what is to be sent, from where and
//! when, goes out. The socket does that.

use std::time::Duration;

use snmp::{ErrorStatus, Message, Oid, PduKind, Value, VarBind, Version};

use super::list::Trick;
use super::{values, wire};

/// Answers that a device sends of one.
const DUPLICATES: u32 = 1_000;
/// ICMP errors before an answer.
const ICMP_ERRORS: u32 = 100;
/// Sequences in one another.
const NESTED: usize = 10_000;
/// Objects of seven octets in the fullest datagram there is: 65,507 octets.
const VARBINDS: usize = 9_000;
/// Octets of the long text.
const LONG_TEXT: usize = 60 * 1_024;
/// Octets that an amplified GetBulk is filled up to.
const AMPLIFIED: usize = 60_000;
/// Repetitions that fill it, whatever was asked for.
const AMPLIFIED_ROWS: usize = 2_000;
/// Stands before the number of a step in objects that a device makes up.
const MADE_UP: u32 = 7_777;
/// Octets behind a message.
const TRAILING: [u8; 32] = [0xa5; 32];
/// How often the slowest device answers.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a device takes to start anew.
const STARTING: Duration = Duration::from_secs(10);
/// Questions that the second slowest takes in a second.
const QUESTIONS_A_SECOND: u32 = 5;

/// What a device remembers of its misdeeds.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Questions so far.
    pub(super) asked: u32,
    /// The first message to a user.
    pub(super) first: Option<Vec<u8>>,
    last_id: Option<i64>,
    window: Option<Duration>,
    in_window: u32,
}

/// A question, and what an honest device would say.
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a Message,
    pub(crate) honest: Option<Vec<u8>>,
    /// Since the start of the fleet.
    pub(crate) elapsed: Duration,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Asked,
    OtherAddress,
    OtherPort,
    /// As the first fragment of a packet whose rest never comes.
    Fragment,
}

/// Something to send to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) octets: Vec<u8>,
    pub(crate) from: Source,
    pub(crate) copies: u32,
    /// How many ICMP errors come before it.
    pub(crate) icmp_errors: u32,
    pub(crate) after: Duration,
}

impl Outgoing {
    fn plain(octets: Vec<u8>) -> Self {
        Self {
            octets,
            from: Source::Asked,
            copies: 1,
            icmp_errors: 0,
            after: Duration::ZERO,
        }
    }
}

/// Plays a trick on whoever asked.
pub(crate) fn play(trick: Trick, record: &mut Record, asked: Asked<'_>) -> Option<Outgoing> {
    record.asked = record.asked.wrapping_add(1);
    if !record.is_awake(trick, asked.elapsed) {
        return None;
    }
    let question = asked.question;
    let old_id = record.last_id.replace(question.pdu.request_id);
    if let Some(octets) = by_hand(trick, question) {
        return Some(Outgoing::plain(octets));
    }
    let honest = asked.honest?;
    let plain = Outgoing::plain(honest);
    Some(match trick {
        Trick::Trailing => Outgoing::plain([plain.octets, TRAILING.to_vec()].concat()),
        Trick::OtherAddress => Outgoing {
            from: Source::OtherAddress,
            ..plain
        },
        Trick::OtherPort => Outgoing {
            from: Source::OtherPort,
            ..plain
        },
        Trick::Duplicates => Outgoing {
            copies: DUPLICATES,
            ..plain
        },
        Trick::LateSecs(secs) => Outgoing {
            after: Duration::from_secs(secs),
            ..plain
        },
        Trick::Fragments => Outgoing {
            from: Source::Fragment,
            ..plain
        },
        Trick::IcmpStorm => Outgoing {
            icmp_errors: ICMP_ERRORS,
            ..plain
        },
        Trick::OneAMinute | Trick::FiveASecond => plain,
        _ => {
            let mut answer = snmp::decode(&plain.octets).ok()?;
            if trick == Trick::Counter64InV1 && question.version == Version::V2c {
                return None;
            }
            bend(trick, question, &mut answer, old_id);
            values::bend(trick, record, asked.elapsed, &mut answer.pdu.varbinds);
            Outgoing::plain(answer.encode().ok()?)
        }
    })
}

impl Record {
    /// Whether the device hears anything at this time.
    fn is_awake(&mut self, trick: Trick, elapsed: Duration) -> bool {
        let (period, most) = match trick {
            Trick::OneAMinute => (MINUTE, 1),
            Trick::FiveASecond => (Duration::from_secs(1), QUESTIONS_A_SECOND),
            Trick::Reboots => return minute_of(elapsed) >= STARTING,
            _ => return true,
        };
        if self.window.is_none_or(|since| elapsed >= since + period) {
            (self.window, self.in_window) = (Some(elapsed), 0);
        }
        self.in_window = self.in_window.saturating_add(1);
        self.in_window <= most
    }
}

/// How far the minute is. The first one has no start in it: a fleet answers at once.
pub(super) fn minute_of(elapsed: Duration) -> Duration {
    let shifted = (elapsed + STARTING).as_millis() % MINUTE.as_millis();
    Duration::from_millis(u64::try_from(shifted).unwrap_or(0))
}

/// Messages that no honest encoder writes.
fn by_hand(trick: Trick, question: &Message) -> Option<Vec<u8>> {
    let is_walk = matches!(
        question.pdu.kind,
        PduKind::GetNext | PduKind::GetBulk { .. }
    );
    match trick {
        Trick::LengthHuge => Some(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02, 0x01, 0x01]),
        Trick::LengthIndefinite => {
            let mut octets = vec![0x30, 0x80];
            octets.extend(wire::answer(question, &[]).get(6..).unwrap_or(&[]));
            octets.extend([0, 0]);
            Some(octets)
        }
        Trick::Nested => Some(wire::nested(NESTED)),
        Trick::OidArcs(129..) | Trick::ArcOver32Bits | Trick::ArcPadded if is_walk => {
            let bent = |varbind: &VarBind| wire::varbind(&bent_oid(trick, &varbind.oid));
            let varbinds: Vec<Vec<u8>> = question.pdu.varbinds.iter().map(bent).collect();
            Some(wire::answer(question, &varbinds.concat()))
        }
        Trick::VarbindsMany if is_walk => {
            let smallest = [0x30, 0x05, 0x06, 0x01, 0x2b, 0x05, 0x00];
            Some(wire::answer(question, &smallest.repeat(VARBINDS)))
        }
        _ => None,
    }
}

fn bent_oid(trick: Trick, asked: &Oid) -> Vec<u8> {
    let mut arcs: Vec<u64> = asked.arcs().iter().map(|arc| u64::from(*arc)).collect();
    match trick {
        Trick::OidArcs(most) => arcs.resize(most.max(arcs.len() + 1), 1),
        Trick::ArcOver32Bits => arcs.push(1 << 33),
        _ => arcs.push(1),
    }
    wire::oid(&arcs, usize::from(trick == Trick::ArcPadded))
}

/// Turns an honest answer into another.
fn bend(trick: Trick, question: &Message, answer: &mut Message, old_id: Option<i64>) {
    let pdu = &mut answer.pdu;
    match trick {
        Trick::IdWrong => pdu.request_id ^= 0x55,
        Trick::IdOld => pdu.request_id = old_id.unwrap_or(0),
        Trick::CommunityWrong => answer.community = b"private".to_vec(),
        Trick::VersionWrong => {
            answer.version = match answer.version {
                Version::V1 => Version::V2c,
                Version::V2c => Version::V1,
            };
        }
        Trick::TooBig => refuse(answer, ErrorStatus::TooBig, question),
        Trick::GenErr => refuse(answer, ErrorStatus::GenErr, question),
        Trick::VarbindsFewer if pdu.varbinds.len() > 1 => {
            pdu.varbinds.pop();
        }
        Trick::VarbindsMore => pdu.varbinds.extend(pdu.varbinds.clone()),
        _ if matches!(question.pdu.kind, PduKind::Get) => {}
        Trick::BulkAmplified => amplify(&mut pdu.varbinds),
        Trick::VarbindsOther => {
            for (varbind, last) in pdu.varbinds.iter_mut().zip(1..) {
                varbind.oid = Oid::new(&[1, 3, 6, 1, 2, 1, 1, last]);
            }
        }
        Trick::ValueHuge => {
            let long = pdu.varbinds.iter_mut();
            for varbind in long
                .filter(|varbind| values::is_supply_name(&varbind.oid))
                .take(1)
            {
                varbind.value = Value::OctetString(vec![b'a'; LONG_TEXT]);
            }
        }
        Trick::OidRepeats
        | Trick::OidDecreases
        | Trick::OidCycle(_)
        | Trick::OidEndless
        | Trick::OidArcs(_) => pdu.varbinds = made_up(trick, question),
        _ => {}
    }
}

fn refuse(answer: &mut Message, status: ErrorStatus, question: &Message) {
    answer.pdu.error_status = status;
    answer.pdu.error_index = 0;
    answer.pdu.varbinds = question.pdu.varbinds.clone();
}

/// The rows again and again, each object behind the one before it, until the datagram is full.
fn amplify(varbinds: &mut Vec<VarBind>) {
    let Some(last) = varbinds.last().cloned() else {
        return;
    };
    let each = 24 + size_of_val(last.oid.arcs());
    let most = (AMPLIFIED / each).min(AMPLIFIED_ROWS);
    for number in (1_u32..).take(most.saturating_sub(varbinds.len())) {
        varbinds.push(VarBind::new(last.oid.with(&[number]), Value::Integer(1)));
    }
}

/// As many rows as were asked for, of objects that the device makes up.
fn made_up(trick: Trick, question: &Message) -> Vec<VarBind> {
    let rows = match question.pdu.kind {
        PduKind::GetBulk {
            max_repetitions, ..
        } => max_repetitions.min(40),
        _ => 1,
    };
    let mut at: Vec<Oid> = question
        .pdu
        .varbinds
        .iter()
        .map(|it| it.oid.clone())
        .collect();
    let mut varbinds = Vec::new();
    for _ in 0..rows {
        for oid in &mut at {
            *oid = after(trick, oid);
            varbinds.push(VarBind::new(oid.clone(), Value::Integer(1)));
        }
    }
    varbinds
}

/// The object that such a device says is the next.
fn after(trick: Trick, at: &Oid) -> Oid {
    match (trick, at.arcs()) {
        (Trick::OidDecreases, [before @ .., last]) => {
            Oid::new(before).with(&[last.saturating_sub(1)])
        }
        (Trick::OidCycle(length), [before @ .., MADE_UP, step]) => {
            Oid::new(before).with(&[MADE_UP, step % length + 1])
        }
        (Trick::OidEndless, [before @ .., MADE_UP, step]) => {
            Oid::new(before).with(&[MADE_UP, step.saturating_add(1)])
        }
        (Trick::OidCycle(_) | Trick::OidEndless, _) => at.with(&[MADE_UP, 1]),
        (Trick::OidArcs(most), arcs) if arcs.len() < most => at.with(&vec![1; most - arcs.len()]),
        // Behind the one row there is another table.
        (Trick::OidArcs(_), _) => Oid::new(&[1, 3, 7]),
        _ => at.clone(),
    }
}
