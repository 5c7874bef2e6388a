//! Packing: a reading takes a tenth of its length on disk.
//!
//! Raw DEFLATE (RFC 1951) that begins with a dictionary in its window: what every reading says
//! alike is then never written. Layout: form (1) · octets. A dictionary that stands on disks is
//! never changed; a new one gets a form of its own.

use std::sync::LazyLock;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::REPORT_BYTES_MAX;

/// A reading of one of our recordings, with the words of the others behind it.
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

/// Forms of a body, as they stand on disk.
const PLAIN: u8 = 0;
const DEFLATED_1: u8 = 1;

/// Shorter bodies are left as they are.
const PACKED_BYTES_MIN: usize = 128;

/// What packed octets may be longer than the plain ones, at most, in a sixteenth of them and this.
const SLACK_BYTES: usize = 256;

/// The dictionary as a DEFLATE stream that ends on an octet: opens every packed body.
static OPENING: LazyLock<Vec<u8>> = LazyLock::new(|| opened().1);

/// Packs a body.
pub(super) fn pack(body: &[u8]) -> Vec<u8> {
    if body.len() >= PACKED_BYTES_MIN
        && let Some(packed) = deflate(body)
        && packed.len() <= body.len()
    {
        return packed;
    }
    [&[PLAIN], body].concat()
}

/// Takes a body as [`pack`] gave it; `None` for anything else.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    match packed.split_first()? {
        (&PLAIN, body) => Some(body.to_vec()),
        (&DEFLATED_1, octets) => inflate(octets),
        _ => None,
    }
}

fn deflate(body: &[u8]) -> Option<Vec<u8>> {
    let (mut stream, _) = opened();
    let mut packed = Vec::with_capacity(body.len() + body.len() / 16 + SLACK_BYTES);
    packed.push(DEFLATED_1);
    let status = stream.compress_vec(body, &mut packed, FlushCompress::Finish);
    matches!(status, Ok(Status::StreamEnd)).then_some(packed)
}

/// A stream that has the dictionary behind it, and what it wrote of that.
fn opened() -> (Compress, Vec<u8>) {
    let mut stream = Compress::new(Compression::default(), false);
    let mut written = Vec::with_capacity(DICTIONARY.len() + SLACK_BYTES);
    // In memory, with room enough: only a stream used beyond its end fails.
    let _ = stream.compress_vec(DICTIONARY, &mut written, FlushCompress::Sync);
    (stream, written)
}

fn inflate(octets: &[u8]) -> Option<Vec<u8>> {
    let mut stream = Decompress::new(false);
    let mut dictionary = Vec::with_capacity(DICTIONARY.len() + SLACK_BYTES);
    let opening = stream.decompress_vec(&OPENING, &mut dictionary, FlushDecompress::Sync);
    if opening.is_err() || dictionary != DICTIONARY {
        return None;
    }
    let mut body = Vec::with_capacity(octets.len() * 16 + SLACK_BYTES);
    let mut rest = octets;
    loop {
        let before = (stream.total_in(), body.len());
        let status = stream.decompress_vec(rest, &mut body, FlushDecompress::Finish);
        let taken = usize::try_from(stream.total_in() - before.0).ok()?;
        rest = rest.get(taken..)?;
        match status {
            Ok(Status::StreamEnd) => return Some(body),
            Ok(Status::Ok | Status::BufError) if body.len() < REPORT_BYTES_MAX => {
                if body.len() < body.capacity() && (taken, body.len()) == (0, before.1) {
                    return None;
                }
                body.reserve(body.len() + SLACK_BYTES);
            }
            Ok(Status::Ok | Status::BufError) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_as_it_went() {
        let noise: Vec<u8> = (0..200_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        for body in [
            &b""[..],
            b"short",
            DICTIONARY,
            &[7; REPORT_BYTES_MAX],
            &noise,
        ] {
            assert_eq!(unpack(&pack(body)).as_deref(), Some(body), "{}", body.len());
        }
    }

    #[test]
    fn a_reading_takes_a_tenth() {
        let text = String::from_utf8(DICTIONARY.to_vec()).unwrap();
        let other = text
            .replace("Kyocera", "Another")
            .replace("214380", "990017");
        let packed = pack(other.as_bytes());
        assert!(packed.len() * 10 < other.len(), "{}", packed.len());
    }

    #[test]
    fn what_was_not_packed_here_is_refused() {
        let packed = pack(&[7; 5_000]);
        for wrong in [&[][..], &[2, 7], &packed[..packed.len() - 1], &[DEFLATED_1]] {
            assert_eq!(unpack(wrong), None, "{wrong:?}");
        }
    }
}
