//! The code that carries an invitation to a site: a secret, and which hub to believe.
//!
//! `<26 characters: 128 bits in base32>.<64 hex digits: SHA-256 of the authority's certificate>`.
//! The second half is no secret: with it an agent knows the hub before it says the first half.

use std::fmt;

/// The alphabet of base32 (RFC 4648, section 6) in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of a secret: 128 bits, five a character.
const SECRET_LEN: usize = 26;

/// Characters of a fingerprint: SHA-256 in hex.
const FINGERPRINT_LEN: usize = 64;

/// An invitation as it is carried to a site. Printed by `Debug` as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    secret: String,
    fingerprint: String,
}

impl Code {
    /// Makes a code with a fresh secret for the authority with this fingerprint.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn generate(fingerprint: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let number = u128::from_be_bytes(bytes);
        // 26 characters hold 130 bits: the last one carries the lowest three, then zeros.
        let digit = |index: usize| {
            let shift = 123_usize.checked_sub(index * 5);
            let bits = shift.map_or_else(|| number << 2, |shift| number >> shift) & 31;
            usize::try_from(bits)
                .ok()
                .and_then(|bits| ALPHABET.get(bits))
                .copied()
                .map(char::from)
        };
        let secret = (0..SECRET_LEN).filter_map(digit).collect();
        Ok(Self {
            secret,
            fingerprint: fingerprint.to_owned(),
        })
    }

    /// Takes a code as somebody sent it; `None` if it is not written like one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (secret, fingerprint) = text.trim().split_once('.')?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_secret =
            secret.len() == SECRET_LEN && secret.bytes().all(|byte| ALPHABET.contains(&byte));
        let is_fingerprint =
            fingerprint.len() == FINGERPRINT_LEN && fingerprint.bytes().all(is_hex);
        (is_secret && is_fingerprint).then(|| Self {
            secret: secret.to_owned(),
            fingerprint: fingerprint.to_owned(),
        })
    }

    /// The half that proves the holder.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The half that names the hub.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The whole code, for the one place that hands it out.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.secret, self.fingerprint)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn a_code_is_read_back_as_it_was_printed() {
        let code = Code::generate(&"0a".repeat(32)).unwrap();
        assert_eq!(code.secret().len(), 26);
        assert_eq!(Code::parse(&code.reveal()), Some(code.clone()));
        assert_ne!(Code::generate(&"0a".repeat(32)).unwrap(), code);
    }

    #[test]
    fn what_is_not_written_like_a_code_is_none() {
        let fingerprint = "0a".repeat(32);
        for text in [
            String::new(),
            ".".to_owned(),
            fingerprint.clone(),
            format!("{}.{fingerprint}", "A".repeat(26)),
            format!("{}.{fingerprint}", "a".repeat(25)),
            format!("{}.{}", "a".repeat(26), "g".repeat(64)),
        ] {
            assert_eq!(Code::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_printed_by_accident() {
        let code = Code::generate(&"0a".repeat(32)).unwrap();
        assert!(!format!("{code:?}").contains(code.secret()));
    }
}
