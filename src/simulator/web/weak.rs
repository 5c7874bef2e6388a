//! TLS ends that are too old or too weak for any peer of today, octet by octet.
//!
//! They never get as far as a key, so they need none: whoever takes their word is broken.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A fatal alert in a record of TLS 1.0: protocol_version (RFC 2246 §7.2.2).
pub(crate) const PROTOCOL_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];
/// Largest record with a hello (RFC 8446 §5.1), with its head.
const HELLO_BYTES_MAX: usize = 16_389;
/// A certificate with an RSA key of 512 bits, signed by itself with SHA-1; its key is thrown away.
pub(crate) const SHORT_KEY: &[u8] = include_bytes!("rsa512.der");
/// A record of TLS 1.2 that carries handshake messages (RFC 5246 §6.2.1), without its length.
const HANDSHAKE: [u8; 3] = [22, 3, 3];
/// The base point of secp256r1 (SEC 2 §2.4.2), uncompressed: a share that is on the curve.
const SHARE: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
    0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
    0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51,
    0xf5,
];

/// Reads a hello and answers as an end that speaks TLS 1.0 at most.
pub(crate) async fn refuse_version(stream: TcpStream) {
    answer(stream, &PROTOCOL_VERSION).await;
}

/// Reads a hello and answers in TLS 1.2 with a key of 512 bits.
pub(crate) async fn offer_short_key(stream: TcpStream) {
    answer(stream, &flight()).await;
}

async fn answer(mut stream: TcpStream, octets: &[u8]) {
    let mut hello = vec![0; HELLO_BYTES_MAX];
    let Ok(1..) = stream.read(&mut hello).await else {
        return;
    };
    // The peer may have gone already: then it needs no answer.
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    // What it says is read to the end, so that the answer is not lost in a reset.
    while let Ok(1..) = stream.read(&mut hello).await {}
}

/// The first flight of a server of TLS 1.2 (RFC 5246 §7.3, RFC 8422 §5.4). The signature is made
/// up: the key is refused before anybody looks at it.
fn flight() -> Vec<u8> {
    // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, no session, no compression, no extensions.
    let hello = [&[3, 3][..], &[0x5a; 32], &[0, 0xc0, 0x2f, 0]].concat();
    let certificate = [
        &length_24(SHORT_KEY.len() + 3)[..],
        &length_24(SHORT_KEY.len()),
        SHORT_KEY,
    ];
    // named_curve secp256r1, rsa_pkcs1_sha256, 64 octets.
    let exchange = [&[3, 0, 23, 65][..], &SHARE, &[4, 1, 0, 64], &[0xa5; 64]].concat();
    [
        message(2, &hello),
        message(11, &certificate.concat()),
        message(12, &exchange),
        message(14, &[]),
    ]
    .concat()
}

/// A handshake message in a record of its own.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, low] = length_24(body.len() + 4);
    [
        &HANDSHAKE[..],
        &[high, low, kind],
        &length_24(body.len()),
        body,
    ]
    .concat()
}

fn length_24(length: usize) -> [u8; 3] {
    let [.., a, b, c] = (length as u64).to_be_bytes();
    [a, b, c]
}
