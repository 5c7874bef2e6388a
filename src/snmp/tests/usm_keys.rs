//! Keys of version 3 against the vectors of the RFCs and drafts.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use snmp::usm::{Auth, Extension, Key, Privacy, Security, User, UserError};

/// The engine of RFC 3414 A.3 and of draft-reeder-snmpv3-usm-3desede-00 B.1.
const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
/// The password of both.
const PASSWORD: &[u8] = b"maplesyrup";

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The key of an encryption, with the password for both.
fn privacy_key(auth: Auth, privacy: Privacy) -> String {
    let user = User::new(
        "u",
        "",
        Security::AuthPriv((auth, PASSWORD), (privacy, PASSWORD)),
    );
    let keys = user.expect("a user").localize(&ENGINE);
    hex(keys.privacy().expect("encrypts").1.expose())
}

#[test]
fn passwords_become_the_keys_of_rfc_3414() {
    let table = [
        // A.3.1
        (
            Auth::Md5,
            "9faf3283884e92834ebc9847d8edd963",
            "526f5eed9fcce26f8964c2930787d82b",
        ),
        // A.3.2
        (
            Auth::Sha1,
            "9fb5cc0381497b3793528939ff788d5d79145211",
            "6695febc9288e36282235fc7151f128497b38f3f",
        ),
    ];
    for (auth, of_password, of_engine) in table {
        let key = Key::from_password(auth, PASSWORD);
        assert_eq!(hex(key.expose()), of_password, "{auth:?}");
        let localized = key.localized(auth, &ENGINE);
        assert_eq!(hex(localized.expose()), of_engine, "{auth:?}");
    }
}

#[test]
fn keys_are_extended_after_reeder_as_his_draft_has_it() {
    // draft-reeder-snmpv3-usm-3desede-00 B.1 and B.2, cut to 32 octets.
    let privacy = Privacy::Aes256(Extension::Reeder);
    assert_eq!(
        privacy_key(Auth::Md5, privacy),
        "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12"
    );
    assert_eq!(
        privacy_key(Auth::Sha1, privacy),
        "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9c"
    );
}

#[test]
fn the_extensions_differ_only_where_the_hash_is_too_short() {
    let keys = |auth| {
        let [ours, theirs] = [Extension::Blumenthal, Extension::Reeder]
            .map(|extension| privacy_key(auth, Privacy::Aes256(extension)));
        assert_eq!(ours.len(), 64, "{auth:?}");
        ours == theirs
    };
    for auth in [Auth::Md5, Auth::Sha1, Auth::Sha224] {
        assert!(!keys(auth), "{auth:?}");
    }
    for auth in [Auth::Sha256, Auth::Sha384, Auth::Sha512] {
        assert!(keys(auth), "{auth:?}");
    }
}

#[test]
fn a_key_never_shows_itself() {
    let security = Security::AuthPriv((Auth::Sha256, b"hush-hush"), (Privacy::Aes128, b"quiet"));
    let user = User::new("mps", "Jetdirect", security).expect("a user");
    assert_eq!(
        format!("{user:?}"),
        "User { name: \"mps\", context: \"Jetdirect\", auth: Some((Sha256, ***)), \
         privacy: Some((Aes128, ***)) }"
    );
    assert_eq!(
        format!("{:?}", user.localize(&ENGINE)),
        "Keys { auth: Some((Sha256, ***)), privacy: Some((Aes128, ***)) }"
    );
}

#[test]
fn a_user_that_cannot_be_is_refused() {
    let long = "x".repeat(33);
    for (name, context, security, error) in [
        ("", "", Security::None, UserError::Name),
        (&long, "", Security::None, UserError::Name),
        ("u", &long, Security::None, UserError::Context),
        (
            "u",
            "",
            Security::Auth(Auth::Md5, b""),
            UserError::NoPassword,
        ),
        (
            "u",
            "",
            Security::AuthPriv((Auth::Md5, b"x"), (Privacy::Des, b"")),
            UserError::NoPassword,
        ),
    ] {
        assert_eq!(User::new(name, context, security), Err(error));
    }
}

#[test]
fn every_algorithm_has_a_word_of_its_own() {
    for auth in Auth::ALL {
        assert_eq!(Auth::from_word(auth.word()), Some(auth));
    }
    for privacy in Privacy::ALL {
        assert_eq!(Privacy::from_word(privacy.word()), Some(privacy));
    }
    assert_eq!(Auth::from_word("sha1"), Some(Auth::Sha1));
    assert_eq!(Privacy::from_word("aes"), Some(Privacy::Aes128));
    assert_eq!(Auth::from_word("none"), None);
    assert_eq!(Privacy::from_word("3des"), None);
}
