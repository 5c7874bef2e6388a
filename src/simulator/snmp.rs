//! The SNMP door of a device: a question in, an answer out. No socket.
//!
//! Follows RFC 1157 for version 1 and RFC 3416 for version 2c. Nothing can be set: a SetRequest is
//! refused, and so is every other PDU that is not a question.

use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind, Version};

use crate::device::Device;

/// Most objects of one question that are answered; more are `tooBig`.
const VARBINDS_MAX: usize = 256;
/// Room for what stands around the varbinds: three sequence heads, version, request-id, error
/// status and index. The community comes on top.
const ENVELOPE_BYTES: usize = 40;
/// notWritable (RFC 3416 §4.2.5): the object exists, and is read only.
const NOT_WRITABLE: ErrorStatus = ErrorStatus::Other(17);
/// noAccess (RFC 3416 §4.2.5): the object is none of ours.
const NO_ACCESS: ErrorStatus = ErrorStatus::Other(6);

/// Answers a question that has this device's community. `None` for what is no question.
pub(crate) fn answer(
    device: &Device,
    question: &Message,
    now_ms: u64,
    size_max: usize,
) -> Option<Message> {
    let door = Door {
        device,
        version: question.version,
        now_ms,
    };
    let room = size_max.saturating_sub(ENVELOPE_BYTES + question.community.len());
    let asked = &question.pdu.varbinds;
    let answered = if asked.len() > VARBINDS_MAX {
        Err((ErrorStatus::TooBig, 0))
    } else {
        match question.pdu.kind {
            PduKind::Get => door.each(asked, |varbind| door.get(varbind)),
            PduKind::GetNext => door.each(asked, |varbind| door.next(&varbind.oid)),
            PduKind::GetBulk { .. } if question.version == Version::V1 => return None,
            PduKind::GetBulk {
                non_repeaters,
                max_repetitions,
            } => Ok(door.bulk(asked, non_repeaters, max_repetitions, room)),
            PduKind::Set => Err(door.refuse_set(asked)),
            PduKind::Response => return None,
        }
    };
    let answered = answered.and_then(|varbinds| {
        let size: usize = varbinds.iter().map(size_of_varbind).sum();
        if size > room {
            Err((ErrorStatus::TooBig, 0))
        } else {
            Ok(varbinds)
        }
    });
    Some(respond(question, answered))
}

fn respond(question: &Message, answered: Result<Vec<VarBind>, (ErrorStatus, u32)>) -> Message {
    let (error_status, error_index, varbinds) = match answered {
        Ok(varbinds) => (ErrorStatus::NoError, 0, varbinds),
        // Version 2c sends nothing back with tooBig (RFC 3416 §4.2.1); else the question's own.
        Err((ErrorStatus::TooBig, _)) if question.version == Version::V2c => {
            (ErrorStatus::TooBig, 0, Vec::new())
        }
        Err((status, index)) => (status, index, question.pdu.varbinds.clone()),
    };
    Message {
        version: question.version,
        community: question.community.clone(),
        pdu: Pdu {
            kind: PduKind::Response,
            request_id: question.pdu.request_id,
            error_status,
            error_index,
            varbinds,
        },
    }
}

struct Door<'a> {
    device: &'a Device,
    version: Version,
    now_ms: u64,
}

impl Door<'_> {
    /// Answers every object, or names the first that cannot be answered.
    fn each(
        &self,
        asked: &[VarBind],
        answer: impl Fn(&VarBind) -> VarBind,
    ) -> Result<Vec<VarBind>, (ErrorStatus, u32)> {
        let answered: Vec<VarBind> = asked.iter().map(answer).collect();
        // Version 1 has no exceptions: what is absent fails the whole question (RFC 1157 §4.1.2).
        let missing = answered
            .iter()
            .position(|varbind| is_exception(&varbind.value));
        match missing.filter(|_| self.version == Version::V1) {
            Some(at) => Err((ErrorStatus::NoSuchName, u32::try_from(at + 1).unwrap_or(0))),
            None => Ok(answered),
        }
    }

    fn get(&self, asked: &VarBind) -> VarBind {
        let value = self
            .device
            .get(&asked.oid, self.now_ms)
            .filter(|value| self.speaks(value));
        let value = value.unwrap_or_else(|| {
            let parent = match asked.oid.arcs() {
                [parent @ .., _] => Oid::new(parent),
                [] => Oid::default(),
            };
            let next = self.device.next(&parent, self.now_ms, |_| true);
            match next.filter(|next| next.oid.is_under(&parent)) {
                Some(_) => Value::NoSuchInstance,
                None => Value::NoSuchObject,
            }
        });
        VarBind::new(asked.oid.clone(), value)
    }

    fn next(&self, oid: &Oid) -> VarBind {
        let wanted: fn(&Value) -> bool = match self.version {
            // A walk in version 1 steps over what it cannot say (RFC 3584 §4.2.2.1).
            Version::V1 => |value| !matches!(value, Value::Counter64(_)),
            Version::V2c => |_| true,
        };
        let next = self.device.next(oid, self.now_ms, wanted);
        next.unwrap_or_else(|| VarBind::new(oid.clone(), Value::EndOfMibView))
    }

    /// GetBulk (RFC 3416 §4.2.3): as many repetitions as asked for, or as fit into the message.
    fn bulk(&self, asked: &[VarBind], once: u32, repetitions: u32, room: usize) -> Vec<VarBind> {
        let once = usize::try_from(once).unwrap_or(usize::MAX).min(asked.len());
        let (once, repeated) = asked.split_at(once);
        let mut answered = Vec::new();
        let mut size = 0;
        let mut put = |answered: &mut Vec<VarBind>, varbind: VarBind| {
            size += size_of_varbind(&varbind);
            let fits = size <= room;
            if fits {
                answered.push(varbind);
            }
            fits
        };
        for varbind in once {
            if !put(&mut answered, self.next(&varbind.oid)) {
                return answered;
            }
        }
        let mut row: Vec<Oid> = repeated.iter().map(|varbind| varbind.oid.clone()).collect();
        for _ in 0..repetitions {
            let mut is_over = true;
            for at in &mut row {
                let next = self.next(at);
                is_over &= next.value == Value::EndOfMibView;
                *at = next.oid.clone();
                if !put(&mut answered, next) {
                    return answered;
                }
            }
            // The rest of a walk that is over would say the same again.
            if is_over {
                break;
            }
        }
        answered
    }

    /// Nothing is writable: readOnly is never sent in version 1 (RFC 1157 §4.1.5), noSuchName is.
    fn refuse_set(&self, asked: &[VarBind]) -> (ErrorStatus, u32) {
        let is_known = asked
            .first()
            .is_some_and(|varbind| self.device.get(&varbind.oid, self.now_ms).is_some());
        let status = match (self.version, is_known) {
            (Version::V1, _) => ErrorStatus::NoSuchName,
            (Version::V2c, true) => NOT_WRITABLE,
            (Version::V2c, false) => NO_ACCESS,
        };
        (status, 1)
    }

    fn speaks(&self, value: &Value) -> bool {
        self.version != Version::V1 || !matches!(value, Value::Counter64(_))
    }
}

fn is_exception(value: &Value) -> bool {
    matches!(
        value,
        Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView
    )
}

/// How many octets a varbind takes on the wire, never too few (BER, X.690).
fn size_of_varbind(varbind: &VarBind) -> usize {
    let oid = |oid: &Oid| {
        oid.arcs()
            .iter()
            .map(|arc| size_of_arc(*arc))
            .sum::<usize>()
    };
    let value = match &varbind.value {
        Value::Integer(number) => {
            let used = 65 - u64::from(number.unsigned_abs().leading_zeros());
            (used as usize).div_ceil(8)
        }
        Value::OctetString(octets)
        | Value::IpAddress(octets)
        | Value::Opaque(octets)
        | Value::Unknown { octets, .. } => octets.len(),
        Value::ObjectId(id) => oid(id),
        Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
            (33 - number.leading_zeros() as usize).div_ceil(8)
        }
        Value::Counter64(number) => (65 - number.leading_zeros() as usize).div_ceil(8),
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => 0,
    };
    let inner = with_head(oid(&varbind.oid)) + with_head(value);
    with_head(inner)
}

fn with_head(contents: usize) -> usize {
    contents + if contents < 128 { 2 } else { 4 }
}

fn size_of_arc(arc: u32) -> usize {
    (32 - arc.leading_zeros() as usize).div_ceil(7).max(1)
}
