//! What the gateway speaks: algorithms, windows, patience. Pure.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::Algorithm;
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};

use super::host_key::HostKey;

/// Octets that may be on their way on one channel. At 50 ms of round trip that is 10 MB/s; more
/// would no longer fit the processor's caches, which costs a fast link a fifth of its speed.
const WINDOW: u32 = 512 * 1024;

/// The same where many connections stand: 2.5 MB/s at 50 ms. What nobody takes waits in memory, at
/// both ends of the link.
const WINDOW_IN_A_CROWD: u32 = 128 * 1024;

/// Connections that are no crowd.
const CROWD: usize = 32;

/// Largest packet of a channel, in bytes: the library takes no larger ones, and half the packets are
/// a sixth less work.
const PACKET_MAX: u32 = 65_535;

/// Packets of one channel that wait for whoever reads it; beyond them the connection is not read.
pub(super) const QUEUE_LEN: usize = 8;

/// Tries to prove who one is, the first of which is always in vain (RFC 4252, section 5.2).
const TRIES_MAX: usize = 6;

/// How long a refusal takes: guessing is slow, and an unknown name is as slow as a wrong key.
const REFUSAL: Duration = Duration::from_millis(500);

/// How often a silent peer is asked whether it lives, and how many answers it may owe.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVES_MAX: usize = 3;

/// Key exchanges, each with what says that no packet before it can be cut off unseen (strict key
/// exchange). What is recorded today cannot be read by a quantum computer of tomorrow.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// The same, and those that OpenSSH before 9.9 knows.
const OLDER_KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Signatures: the gateway's own key, and those of whoever comes.
const KEYS: &[Algorithm] = &[Algorithm::Ed25519];

/// Ciphers that authenticate what they encrypt.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
];

/// For no cipher above, but the list may not be empty (RFC 4253, section 7.1).
const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM];

/// The settings of connections: of the first ones, and of those that come into a crowd.
#[derive(Debug)]
pub(super) struct Settings {
    first: Arc<Config>,
    in_a_crowd: Arc<Config>,
}

impl Settings {
    pub(super) fn new(key: &HostKey, older_clients: bool) -> Self {
        Self {
            first: Arc::new(config(key, older_clients, WINDOW)),
            in_a_crowd: Arc::new(config(key, older_clients, WINDOW_IN_A_CROWD)),
        }
    }

    /// Those of one more connection, where so many stand, itself among them.
    pub(super) fn beside(&self, standing: usize) -> Arc<Config> {
        let config = if standing > CROWD {
            &self.in_a_crowd
        } else {
            &self.first
        };
        Arc::clone(config)
    }
}

fn config(key: &HostKey, older_clients: bool, window_size: u32) -> Config {
    let kex = if older_clients { OLDER_KEX } else { KEX };
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Platen")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REFUSAL,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key.private()],
        window_size,
        maximum_packet_size: PACKET_MAX,
        channel_buffer_size: QUEUE_LEN,
        preferred: Preferred {
            kex: Cow::Borrowed(kex),
            key: Cow::Borrowed(KEYS),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        max_auth_attempts: TRIES_MAX,
        // A tunnel that is silent is ended by its session, not by its connection.
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE_EVERY),
        keepalive_max: KEEPALIVES_MAX,
        nodelay: true,
        ..Config::default()
    }
}
