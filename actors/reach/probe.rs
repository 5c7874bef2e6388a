//! The requests of a sweep: encoded once a round, patched for each address.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use printer::question;
use snmp::usm::discovery;
use snmp::{EncodeError, Oid, PduKind, Version};

use super::credential::Credential;

/// Two request-ids of four octets each that differ in every octet: where two encodings differ, the
/// request-id stands.
const MARKS: [i64; 2] = [0x55aa_55aa, 0x2a55_2a55];

/// Below this a request-id would be encoded in fewer than four octets (X.690 §8.3.2).
const FOUR_OCTETS_MIN: i64 = 0x0080_0000;

/// The rounds of a sweep: who has not answered by the end of one is asked in the next. Where all are
/// asked more than once, last rounds ask only where something lives, or lived, or lives nearby.
#[derive(Debug)]
pub(super) struct Rounds {
    rounds: Vec<Round>,
    /// Rounds begun: only these can have answers.
    begun: usize,
    of_an_attempt: usize,
    key: RandomState,
}

/// What a round asks, but for where devices are known to live, who are asked with a Get in any round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Which of the credentials.
    pub(super) credential: usize,
    /// None where engines of version 3 are asked who they are.
    pub(super) version: Option<Version>,
    /// Whether for what comes next in order, or for the objects themselves.
    pub(super) is_next: bool,
}

#[derive(Debug)]
struct Round {
    asked: Asked,
    is_near: bool,
    template: Template,
    /// For where devices are known to live.
    of_known: Template,
}

/// A request ready to send.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    bytes: Vec<u8>,
}

impl Probe {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Rounds {
    /// Plans the rounds: every credential in its own version first, then in version 1, and so on.
    /// An engine of version 3 says who it is whatever the user, so the first user stands for all.
    /// In version 2c everybody is asked with a GetNext, whose answer says of printers' objects, too, that
    /// there are none; in version 1 and in the last rounds with a Get, for who answers nothing else. The
    /// objects are those for everybody, and those for where devices are known to live.
    pub(super) fn new(
        (oids, of_known): (&[Oid], &[Oid]),
        credentials: &[Credential],
        tries: u32,
    ) -> Result<Self, EncodeError> {
        let mut rounds = Vec::new();
        let nexts = nexts(oids);
        let first_user = credentials.iter().position(Credential::is_user);
        let tries = tries.max(1);
        // Whoever asks twice wants nothing to be missed: once more where it is worth it.
        let near = u32::from(tries > 1);
        for attempt in 0..tries + near {
            let is_near = attempt == tries;
            for (index, credential) in credentials.iter().enumerate() {
                if credential.is_user() && first_user != Some(index) {
                    continue;
                }
                let spoken = if is_near || attempt % 2 == 0 {
                    credential.clone()
                } else {
                    credential.in_version(Version::V1)
                };
                let version = (!spoken.is_user()).then(|| spoken.pdus());
                let is_next = !is_near && version == Some(Version::V2c);
                let template = match is_next {
                    true => Template::new(&spoken, PduKind::GetNext, &nexts)?,
                    false => Template::new(&spoken, PduKind::Get, oids)?,
                };
                rounds.push(Round {
                    asked: Asked {
                        credential: index,
                        version,
                        is_next,
                    },
                    is_near,
                    template,
                    of_known: Template::new(&spoken, PduKind::Get, of_known)?,
                });
            }
        }
        let attempts = usize::try_from(tries + near).unwrap_or(usize::MAX);
        Ok(Self {
            of_an_attempt: rounds.len() / attempts,
            rounds,
            begun: 0,
            key: RandomState::new(),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.rounds.len()
    }

    /// Says that a round begins: from here on it can have answers.
    pub(super) fn begin(&mut self, round: usize) {
        self.begun = self.begun.max(round + 1);
    }

    /// How many rounds try each credential once.
    pub(super) fn of_an_attempt(&self) -> usize {
        self.of_an_attempt
    }

    /// Whether a round asks only where something lives, or lived, or lives nearby.
    pub(super) fn is_near(&self, round: usize) -> bool {
        self.rounds[round].is_near
    }

    /// Whether a round asks for engines of version 3, and shows no community.
    pub(super) fn is_of_users(&self, round: usize) -> bool {
        self.rounds[round].asked.version.is_none()
    }

    /// How many rounds ask everybody.
    pub(super) fn wide(&self) -> usize {
        self.rounds.iter().filter(|round| !round.is_near).count()
    }

    /// Appends the request of one round to one address.
    pub(super) fn write(&self, round: usize, to: SocketAddr, out: &mut Vec<u8>) {
        let id = self.request_id(round, to);
        self.rounds[round].template.write(id, out);
    }

    /// Appends the request of one round to an address where a device is known to live.
    pub(super) fn write_to_known(&self, round: usize, to: SocketAddr, out: &mut Vec<u8>) {
        let id = self.request_id(round, to);
        self.rounds[round].of_known.write(id, out);
    }

    /// What the answer with this request-id was asked. No version is that of a discovery, whose msgID
    /// it is.
    pub(super) fn asked_with(&self, from: SocketAddr, request_id: i64) -> Option<Asked> {
        (0..self.begun)
            .find(|round| self.request_id(*round, from) == request_id)
            .map(|round| self.rounds[round].asked)
    }

    /// A request-id that nobody who was not asked can know: a keyed hash of address and round.
    fn request_id(&self, round: usize, peer: SocketAddr) -> i64 {
        four_octets(self.key.hash_one((round, peer)))
    }
}

/// What to ask with a GetNext so that these objects come, where a device has them; the last is the root of
/// what only printers have, one of which says enough.
pub(super) fn nexts(oids: &[Oid]) -> Vec<Oid> {
    let doubt = question::doubt();
    let others = oids.iter().filter(|oid| !oid.is_under(&doubt));
    let before = |oid: &Oid| match oid.arcs() {
        [column @ .., _] => Oid::new(column),
        [] => oid.clone(),
    };
    others.map(before).chain([doubt.clone()]).collect()
}

/// A request-id of four octets out of a hash.
pub(super) fn four_octets(hash: u64) -> i64 {
    let id = i64::try_from(hash & 0x7fff_ffff).unwrap_or(FOUR_OCTETS_MIN);
    if id < FOUR_OCTETS_MIN {
        id + 0x4000_0000
    } else {
        id
    }
}

/// A request whose request-id is filled in for each address; of a discovery it is the msgID.
#[derive(Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    id_at: usize,
}

impl Template {
    /// Of a user, whatever the question, it is the discovery of an engine.
    pub(super) fn new(
        credential: &Credential,
        kind: PduKind,
        oids: &[Oid],
    ) -> Result<Self, EncodeError> {
        let [bytes, other] = MARKS.map(|mark| match credential {
            Credential::Community { version, community } => {
                let asked_as = (*version, community.expose());
                snmp::question(asked_as, kind, mark, oids)
            }
            Credential::User(_) => discovery(u32::try_from(mark).unwrap_or_default()),
        });
        let (bytes, other) = (bytes?, other?);
        let id_at = bytes
            .iter()
            .zip(&other)
            .position(|(a, b)| a != b)
            .unwrap_or(0);
        Ok(Self { bytes, id_at })
    }

    pub(super) fn probe(&self, request_id: i64) -> Probe {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        self.write(request_id, &mut bytes);
        Probe { bytes }
    }

    fn write(&self, request_id: i64, out: &mut Vec<u8>) {
        let octets = u32::try_from(request_id)
            .unwrap_or(u32::MAX >> 1)
            .to_be_bytes();
        let id_at = out.len() + self.id_at;
        out.extend_from_slice(&self.bytes);
        out[id_at..id_at + octets.len()].copy_from_slice(&octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patched_template_is_the_encoded_question() {
        let oids = [
            "1.3.6.1.2.1.1.1.0".parse().unwrap(),
            "1.3.6.1.2.1.1.2.0".parse().unwrap(),
        ];
        // A community that holds the first mark must not be taken for the request-id.
        for community in [b"public".to_vec(), vec![0x55, 0xaa, 0x55, 0xaa]] {
            let credential = Credential::v2c(community);
            let template = Template::new(&credential, PduKind::Get, &oids).unwrap();
            for hash in [0, 1, 0x7f_ffff, 0x80_0000, 0x7fff_ffff, u64::MAX] {
                let id = four_octets(hash);
                let community = credential.community().unwrap();
                let asked_as = (Version::V2c, community.expose());
                let encoded = snmp::question(asked_as, PduKind::Get, id, &oids).unwrap();
                assert_eq!(template.probe(id).bytes(), encoded);
            }
        }
    }

    #[test]
    fn one_discovery_stands_for_all_users() {
        let user = |name| {
            let user = snmp::usm::User::new(name, "", snmp::usm::Security::None);
            Credential::User(std::sync::Arc::new(user.unwrap()))
        };
        let credentials = [user("a"), Credential::v2c("public"), user("b")];
        let mut rounds = Rounds::new((&[], &[]), &credentials, 1).unwrap();
        assert_eq!(rounds.count(), 2);
        rounds.begin(1);
        let peer: SocketAddr = "10.0.0.1:161".parse().unwrap();
        let id = rounds.request_id(0, peer);
        let of_engine = Asked {
            credential: 0,
            version: None,
            is_next: false,
        };
        assert_eq!(rounds.asked_with(peer, id), Some(of_engine));
        let asked = discovery(u32::try_from(id).unwrap()).unwrap();
        let mut written = b"before".to_vec();
        rounds.write(0, peer, &mut written);
        assert_eq!(written[6..], asked);
    }

    #[test]
    fn only_who_was_asked_knows_the_request_id() {
        let credentials = [Credential::v2c("a"), Credential::v2c("b")];
        let mut rounds = Rounds::new((&[], &[]), &credentials, 2).unwrap();
        assert_eq!((rounds.count(), rounds.wide()), (6, 4));
        let peer: SocketAddr = "10.0.0.1:161".parse().unwrap();
        let other: SocketAddr = "10.0.0.2:161".parse().unwrap();
        let id = rounds.request_id(3, peer);
        assert_eq!(
            rounds.asked_with(peer, id),
            None,
            "that round has not begun"
        );
        rounds.begin(3);
        let in_v1 = Asked {
            credential: 1,
            version: Some(Version::V1),
            is_next: false,
        };
        assert_eq!(rounds.asked_with(peer, id), Some(in_v1));
        assert_eq!(rounds.asked_with(other, id), None);
    }
}
