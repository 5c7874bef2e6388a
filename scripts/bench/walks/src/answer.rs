//! What the office printer answers, from the address that was asked. Every printer has a serial
//! number of its own.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind};

use crate::office::office;

/// Most octets of an answer, as net-snmp has it on Ethernet.
const ANSWER_BYTES_MAX: usize = 1_472;
/// The serial number in the template, which every printer has of its own.
const SERIAL: &[u8] = b"JPBCD12345";

/// A printer, and what it was asked already.
pub struct Printer {
    objects: Vec<(Oid, Value)>,
    known: HashMap<Vec<u8>, Vec<u8>>,
}

impl Default for Printer {
    fn default() -> Self {
        Self {
            objects: office(),
            known: HashMap::new(),
        }
    }
}

impl Printer {
    /// The answer to a question. What was answered once to the same question is answered again, with
    /// another request-id and another serial number.
    pub fn answer(&mut self, octets: &[u8], from: Ipv4Addr) -> Option<Vec<u8>> {
        let id = id_at(octets)?;
        let mut key = octets.to_vec();
        // A one in every octet keeps the length.
        key[id.clone()].fill(1);
        if !self.known.contains_key(&key) {
            let question = snmp::decode(&key).ok()?;
            self.known
                .insert(key.clone(), template(question, &self.objects)?);
        }
        let mut answer = self.known.get(&key)?.clone();
        let place = id_at(&answer)?;
        answer[place].copy_from_slice(&octets[id]);
        if let Some(at) = answer.windows(SERIAL.len()).position(|it| it == SERIAL) {
            let own = format!("{:010}", u32::from(from));
            answer[at..at + SERIAL.len()].copy_from_slice(own.as_bytes());
        }
        Some(answer)
    }
}

/// Where the octets of the request-id stand.
fn id_at(octets: &[u8]) -> Option<std::ops::Range<usize>> {
    let skip_head = |at: usize| -> Option<usize> {
        let length = *octets.get(at + 1)?;
        Some(
            at + 2
                + if length < 0x80 {
                    0
                } else {
                    usize::from(length & 0x7f)
                },
        )
    };
    let skip = |at: usize| Some(at + 2 + usize::from(*octets.get(at + 1)?));
    let pdu = skip(skip(skip_head(0)?)?)?;
    let id = skip_head(pdu)?;
    let length = usize::from(*octets.get(id + 1)?);
    (octets.get(id) == Some(&2) && id + 2 + length <= octets.len()).then(|| id + 2..id + 2 + length)
}

/// The answer to a question whose request-id was made all ones. One that would be too long for an
/// Ethernet frame is cut where GetBulk was asked, and refused where not.
fn template(question: Message, printer: &[(Oid, Value)]) -> Option<Vec<u8>> {
    let kind = question.pdu.kind;
    let asked: Vec<Oid> = question
        .pdu
        .varbinds
        .iter()
        .map(|it| it.oid.clone())
        .collect();
    let mut varbinds = answered(kind, &asked, printer)?;
    let said = |error_status, varbinds| {
        let pdu = Pdu {
            kind: PduKind::Response,
            request_id: question.pdu.request_id,
            error_status,
            error_index: 0,
            varbinds,
        };
        let (version, community) = (question.version, question.community.clone());
        let message = Message {
            version,
            community,
            pdu,
        };
        message.encode().ok()
    };
    loop {
        let octets = said(ErrorStatus::NoError, varbinds.clone())?;
        if octets.len() <= ANSWER_BYTES_MAX {
            return Some(octets);
        }
        if !matches!(kind, PduKind::GetBulk { .. }) {
            let (size, count) = (octets.len(), asked.len());
            eprintln!("an answer of {size} octets to {count} objects");
            return said(ErrorStatus::TooBig, Vec::new());
        }
        varbinds.pop();
    }
}

/// What the printer has, of what was asked.
fn answered(kind: PduKind, asked: &[Oid], printer: &[(Oid, Value)]) -> Option<Vec<VarBind>> {
    let after = |oid: &Oid| {
        let at = printer.partition_point(|(held, _)| held <= oid);
        match printer.get(at) {
            Some((oid, value)) => VarBind::new(oid.clone(), value.clone()),
            None => VarBind::new(oid.clone(), Value::EndOfMibView),
        }
    };
    let same = |oid: &Oid| {
        let found = printer.iter().find(|(held, _)| held == oid);
        let value = found.map_or(Value::NoSuchInstance, |(_, value)| value.clone());
        VarBind::new(oid.clone(), value)
    };
    match kind {
        PduKind::Get => Some(asked.iter().map(same).collect()),
        PduKind::GetNext => Some(asked.iter().map(after).collect()),
        PduKind::GetBulk {
            non_repeaters,
            max_repetitions,
        } => {
            let once = usize::try_from(non_repeaters).ok()?.min(asked.len());
            let mut varbinds: Vec<VarBind> = asked[..once].iter().map(after).collect();
            let mut at = asked[once..].to_vec();
            for _ in 0..max_repetitions {
                for oid in &mut at {
                    let next = after(oid);
                    *oid = next.oid.clone();
                    varbinds.push(next);
                }
            }
            Some(varbinds)
        }
        PduKind::Response | PduKind::Set => None,
    }
}
