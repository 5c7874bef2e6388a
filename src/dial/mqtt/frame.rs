//! What a broker sends, looked at before paho sees it.
//!
//! paho reserves as many octets as a packet's header asks for, up to 256 MB, and ends the whole
//! process at a topic with a NUL in it or one that is no UTF-8. So each packet's length and each
//! message's topic are checked here, and a broker that sends worse is hung up on. It also counts
//! messages: that is how the pipe knows what paho has not handed over yet.

/// Largest packet that is let through, in octets: the largest payload of ours and its frame.
pub const PACKET_BYTES_MAX: usize = 288 * 1024;

/// Longest topic that is let through, in octets. Ours have 60, those of Azure with their
/// properties some hundreds.
const TOPIC_BYTES_MAX: usize = 4 * 1024;

/// Most octets in which a length is written (MQTT 5, 1.5.5).
const LENGTH_OCTETS_MAX: u32 = 4;

/// PUBLISH, the upper half of a packet's first octet (MQTT 5, 2.1.2).
const PUBLISH: u8 = 3;

/// Why a broker is hung up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// The length has more than four octets, or is too much.
    #[error("the broker sent a packet of more than {} KiB", PACKET_BYTES_MAX / 1024)]
    TooLong,
    /// The topic is longer than its packet or than any of ours, or no text.
    #[error("the broker sent a message whose topic is no topic")]
    Topic,
}

/// Reads packets' heads out of a stream of octets.
#[derive(Debug, Default)]
pub struct Guard {
    place: Place,
    topic: Vec<u8>,
    /// Messages whose last octet has passed.
    messages: u64,
}

#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Before a packet.
    #[default]
    First,
    /// In its length: what it was so far, and by what the next octet counts.
    Length {
        kind: u8,
        length: usize,
        octets: u32,
    },
    /// In the length of a topic.
    TopicLength { left: usize, high: Option<u8> },
    /// In a topic.
    Topic { left: usize, topic_left: usize },
    /// In what need not be looked at.
    Rest { left: usize, is_message: bool },
}

impl Guard {
    /// Messages that have passed whole.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Looks at the next octets of the stream.
    ///
    /// # Errors
    /// [`BadPacket`]; nothing of these octets may be handed on then.
    pub fn look(&mut self, mut octets: &[u8]) -> Result<(), BadPacket> {
        while let Some((&first, rest)) = octets.split_first() {
            let taken = match self.place {
                Place::Rest { left, is_message } => {
                    let taken = left.min(octets.len());
                    self.rest(left - taken, is_message);
                    taken
                }
                Place::First => {
                    let kind = first >> 4;
                    self.place = Place::Length {
                        kind,
                        length: 0,
                        octets: 0,
                    };
                    1
                }
                Place::Length {
                    kind,
                    length,
                    octets,
                } => {
                    self.length(first, kind, length, octets)?;
                    1
                }
                Place::TopicLength { left, high } => {
                    self.topic_length(first, left, high)?;
                    1
                }
                Place::Topic { left, topic_left } => {
                    let taken = topic_left.min(rest.len() + 1);
                    self.topic.extend(octets.iter().take(taken));
                    self.topic(left - taken, topic_left - taken)?;
                    taken
                }
            };
            octets = octets.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    fn length(&mut self, octet: u8, kind: u8, length: usize, octets: u32) -> Result<(), BadPacket> {
        let length = length + (usize::from(octet & 0x7f) << (7 * octets));
        if length > PACKET_BYTES_MAX {
            return Err(BadPacket::TooLong);
        }
        if octet & 0x80 != 0 {
            let octets = octets + 1;
            if octets == LENGTH_OCTETS_MAX {
                return Err(BadPacket::TooLong);
            }
            self.place = Place::Length {
                kind,
                length,
                octets,
            };
        } else if kind == PUBLISH {
            self.place = Place::TopicLength {
                left: length,
                high: None,
            };
            if length < 2 {
                return Err(BadPacket::Topic);
            }
        } else {
            self.rest(length, false);
        }
        Ok(())
    }

    fn topic_length(&mut self, octet: u8, left: usize, high: Option<u8>) -> Result<(), BadPacket> {
        let left = left - 1;
        let Some(high) = high else {
            self.place = Place::TopicLength {
                left,
                high: Some(octet),
            };
            return Ok(());
        };
        let topic_left = usize::from(u16::from_be_bytes([high, octet]));
        if topic_left > left.min(TOPIC_BYTES_MAX) {
            return Err(BadPacket::Topic);
        }
        self.topic.clear();
        self.topic(left, topic_left)
    }

    fn topic(&mut self, left: usize, topic_left: usize) -> Result<(), BadPacket> {
        if topic_left > 0 {
            self.place = Place::Topic { left, topic_left };
            return Ok(());
        }
        if self.topic.contains(&0) || std::str::from_utf8(&self.topic).is_err() {
            return Err(BadPacket::Topic);
        }
        self.rest(left, true);
        Ok(())
    }

    fn rest(&mut self, left: usize, is_message: bool) {
        self.place = if left == 0 {
            self.messages += u64::from(is_message);
            Place::First
        } else {
            Place::Rest { left, is_message }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{BadPacket, Guard};

    /// CONNACK, PINGRESP and two messages (MQTT 3.1.1, 3.2, 3.13, 3.3).
    const STREAM: &[u8] = &[
        0x20, 2, 0, 0, // CONNACK
        0x32, 8, 0, 1, b'a', 0, 7, b'x', b'y', b'z', // QoS 1 on "a", id 7, "xyz"
        0xd0, 0, // PINGRESP
        0x30, 3, 0, 1, b'b', // QoS 0 on "b", empty
    ];

    #[test]
    fn messages_are_counted_however_the_stream_is_cut() {
        for size in 1..=STREAM.len() {
            let mut guard = Guard::default();
            for piece in STREAM.chunks(size) {
                guard.look(piece).unwrap();
            }
            assert_eq!(guard.messages(), 2, "in pieces of {size}");
        }
    }

    #[test]
    fn what_would_end_the_process_is_not_let_through() {
        let cases: [(&[u8], BadPacket); 7] = [
            (&[0x30, 0xff, 0xff, 0xff, 0x7f], BadPacket::TooLong),
            (&[0x30, 0x80, 0x80, 0x80, 0x80, 1], BadPacket::TooLong),
            (&[0x20, 0xff, 0xff, 0x7f], BadPacket::TooLong),
            (&[0x30, 5, 0, 3, b'a', 0, b'b'], BadPacket::Topic),
            (&[0x30, 4, 0, 2, 0xff, 0xfe], BadPacket::Topic),
            (&[0x30, 4, 0, 3, b'a', b'b'], BadPacket::Topic),
            (&[0x30, 1, 0], BadPacket::Topic),
        ];
        for (stream, why) in cases {
            assert_eq!(Guard::default().look(stream), Err(why), "{stream:?}");
        }
    }
}
