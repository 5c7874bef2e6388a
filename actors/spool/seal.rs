//! Sealing: what stands on disk tells nothing without the key, and opens only where it was put.
//!
//! ChaCha20-Poly1305 (RFC 8439) by `ring`. Layout: nonce (12, at random) · ciphertext · tag (16).
//! The place is authenticated along: an entry that was moved under another key, or into another
//! spool, does not open. Random nonces of 96 bits may be drawn 2^32 times with one key: a site that
//! writes a million reports a day gets there in ten years, and every new spool folder has a new key.

use std::io;

use printer::identity::DeviceId;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;

use super::Sequence;
use super::key::SpoolKey;

/// Where an entry stands. `made` is the number of its spool.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'p> {
    /// A report.
    Report { made: u64, sequence: Sequence },
    /// What is remembered of a device.
    Device { made: u64, device: &'p DeviceId },
    /// What shows that the key is the right one.
    Lid { made: u64 },
}

/// Seals and opens entries with one key.
#[derive(Debug)]
pub(super) struct Sealer(LessSafeKey);

impl Sealer {
    pub(super) fn new(key: &SpoolKey) -> io::Result<Self> {
        // Only a key of another length is refused.
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.octets()).map_err(refused)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals an entry.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub(super) fn seal(&self, place: Place<'_>, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut sealed = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(unique, Aad::from(place.octets()), &mut sealed)
            .map_err(refused)?;
        sealed.splice(..0, nonce);
        Ok(sealed)
    }

    /// Opens an entry; `None` when it is damaged, stands elsewhere, or was sealed with another key.
    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut plain = rest.to_vec();
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(place.octets()), &mut plain);
        let length = opened.ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl Place<'_> {
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Report { made, sequence } => [
                &b"report"[..],
                &made.to_be_bytes(),
                &sequence.0.to_be_bytes(),
            ]
            .concat(),
            Self::Device { made, device } => [
                &b"device"[..],
                &made.to_be_bytes(),
                device.as_str().as_bytes(),
            ]
            .concat(),
            Self::Lid { made } => [&b"lid"[..], &made.to_be_bytes()].concat(),
        }
    }
}

fn refused(_: Unspecified) -> io::Error {
    io::Error::other("the cipher refused an entry of the spool")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        let folder = tempfile::tempdir().unwrap();
        Sealer::new(&SpoolKey::of_folder(folder.path()).unwrap()).unwrap()
    }

    fn report(made: u64, sequence: u64) -> Place<'static> {
        let sequence = Sequence(sequence);
        Place::Report { made, sequence }
    }

    #[test]
    fn an_entry_opens_only_where_it_was_put() {
        let sealer = sealer();
        let sealed = sealer.seal(report(7, 3), b"body").unwrap();
        assert_eq!(sealer.open(report(7, 3), &sealed).unwrap(), b"body");
        let device = DeviceId::parse(&"0".repeat(32)).unwrap();
        let device = Place::Device {
            made: 7,
            device: &device,
        };
        for elsewhere in [report(7, 4), report(8, 3), device, Place::Lid { made: 7 }] {
            assert_eq!(sealer.open(elsewhere, &sealed), None, "{elsewhere:?}");
        }
        assert_eq!(
            self::sealer().open(report(7, 3), &sealed),
            None,
            "another key"
        );
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let sealer = sealer();
        let sealed = sealer.seal(report(1, 3), b"a thinned one").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sealer.open(report(1, 3), &damaged), None, "bit {bit}");
        }
        assert_eq!(
            sealer.open(report(1, 3), &sealed[..20]),
            None,
            "a short one"
        );
    }

    #[test]
    fn the_same_entry_never_looks_the_same() {
        let sealer = sealer();
        let once = sealer.seal(report(1, 3), b"body").unwrap();
        assert_ne!(once, sealer.seal(report(1, 3), b"body").unwrap());
        assert!(!once.windows(4).any(|octets| octets == b"body"));
    }
}
