//! SNMP version 3: net-snmp's daemon and snmpsim with every pair of algorithms, read by
//! `platen read`, and what a person is told where something is wrong.
//!
//! The table in docs/reference/snmpv3.md is what these tests tried.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use simulator::Fleet;
use snmp::usm::{Auth, Privacy};

use crate::folder;
use crate::process::{self, Place, Process, peer, platen};

/// What the peers' users have as passwords.
pub(crate) const AUTH_PASSWORD: &str = "auth-password";
pub(crate) const PRIV_PASSWORD: &str = "priv-password";

/// The table of what was tried.
const TABLE: &str = include_str!("../../docs/reference/snmpv3.md");

/// A user by its algorithms, which also name it.
#[derive(Clone, Copy)]
pub(crate) struct Kind(pub(crate) Option<Auth>, pub(crate) Option<Privacy>);

impl Kind {
    pub(crate) fn all() -> Vec<Self> {
        let pairs = Auth::ALL.into_iter().flat_map(|auth| {
            let none = std::iter::once(None);
            let privacies = none.chain(Privacy::ALL.into_iter().map(Some));
            privacies.map(move |privacy| Self(Some(auth), privacy))
        });
        std::iter::once(Self(None, None)).chain(pairs).collect()
    }

    /// Its algorithms as net-snmp's tools and daemon call them.
    pub(crate) fn in_net_snmp(self) -> (&'static str, &'static str) {
        let auth = self.0.map_or("", |auth| match auth {
            Auth::Md5 => "MD5",
            Auth::Sha1 => "SHA",
            Auth::Sha224 => "SHA-224",
            Auth::Sha256 => "SHA-256",
            Auth::Sha384 => "SHA-384",
            Auth::Sha512 => "SHA-512",
        });
        let privacy = self.1.map_or("", |privacy| match privacy.word() {
            "des" => "DES",
            "aes128" => "AES",
            "aes192" => "AES-192",
            "aes192c" => "AES-192-C",
            "aes256" => "AES-256",
            "aes256c" => "AES-256-C",
            other => panic!("net-snmp's word for {other}?"),
        });
        (auth, privacy)
    }

    pub(crate) fn name(self) -> String {
        let words = [self.0.map(Auth::word), self.1.map(Privacy::word)];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        format!("user-{}", words.join("-"))
    }
}

/// The files that hold the passwords.
struct Secrets {
    folder: tempfile::TempDir,
}

impl Secrets {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("auth", AUTH_PASSWORD),
            ("priv", PRIV_PASSWORD),
            ("wrong", "wrong-password"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("{text}\n")).unwrap();
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(path, private).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// What `platen read` is told of a user.
struct Asking {
    user: String,
    kind: Kind,
    auth_file: &'static str,
    priv_file: &'static str,
    context: &'static str,
}

impl Asking {
    fn right(kind: Kind) -> Self {
        Self {
            user: kind.name(),
            kind,
            auth_file: "auth",
            priv_file: "priv",
            context: "",
        }
    }

    /// The options for it.
    fn options(&self, secrets: &Secrets) -> Vec<String> {
        let mut options = vec!["--v3-user".to_owned(), self.user.clone()];
        if let Some(auth) = self.kind.0 {
            let file = secrets.path(self.auth_file);
            options.extend(["--v3-auth", auth.word(), "--v3-auth-password-file"].map(Into::into));
            options.push(file);
        }
        if let Some(privacy) = self.kind.1 {
            let file = secrets.path(self.priv_file);
            let named = ["--v3-priv", privacy.word(), "--v3-priv-password-file"];
            options.extend(named.map(Into::into));
            options.push(file);
        }
        if !self.context.is_empty() {
            options.extend(["--v3-context", self.context].map(Into::into));
        }
        options
    }
}

fn run(verb: &str, place: &Place, asking: &Asking, secrets: &Secrets, more: &[&str]) -> Output {
    let (address, port) = (place.address.to_string(), place.port.to_string());
    let mut command = platen();
    command.args([verb, &address, "--port", &port, "--timeout", "1"]);
    command.args(asking.options(secrets)).args(more);
    command.output().unwrap()
}

/// net-snmp's daemon with a user of each kind, and a community that would open it all.
fn snmpd(daemon: &Path, folder: &Path, place: &Place) -> Process {
    let mut config = "rocommunity public default\nsysname test-host\n".to_owned();
    for kind in Kind::all() {
        let name = kind.name();
        let (auth, privacy) = kind.in_net_snmp();
        let level = match kind {
            Kind(None, _) => "noauth",
            Kind(Some(_), None) => "auth",
            Kind(Some(_), Some(_)) => "priv",
        };
        let keys = match kind {
            Kind(None, _) => String::new(),
            Kind(Some(_), None) => format!("{auth} {AUTH_PASSWORD}"),
            Kind(Some(_), Some(_)) => format!("{auth} {AUTH_PASSWORD} {privacy} {PRIV_PASSWORD}"),
        };
        // The system group alone, so that a walk is short.
        writeln!(config, "createUser {name} {keys}").unwrap();
        writeln!(config, "rouser {name} {level} 1.3.6.1.2.1.1").unwrap();
    }
    Process::snmpd(daemon, folder, place, &config)
}

/// snmpsim with a user of each kind, and a recording under `public`, as community and as context.
fn snmpsim(responder: &Path, data: &Path, place: &Place) -> Process {
    let text = crate::in_hex("kyocera-taskalfa-4054ci");
    std::fs::write(data.join("public.snmprec"), text).unwrap();
    let mut users = vec!["--v3-engine-id".to_owned(), "auto".to_owned()];
    for kind in Kind::all() {
        users.extend(["--v3-user".to_owned(), kind.name()]);
        if let Some(auth) = kind.0 {
            let word = auth.word().to_uppercase();
            users.extend(["--v3-auth-key", AUTH_PASSWORD, "--v3-auth-proto"].map(Into::into));
            users.push(word);
        }
        if let Some(privacy) = kind.1 {
            let word = match privacy.word() {
                "aes192" => "AES192BLMT".to_owned(),
                "aes192c" => "AES192".to_owned(),
                "aes256" => "AES256BLMT".to_owned(),
                "aes256c" => "AES256".to_owned(),
                other => other.to_uppercase(),
            };
            users.extend(["--v3-priv-key", PRIV_PASSWORD, "--v3-priv-proto"].map(Into::into));
            users.push(word);
        }
    }
    Process::snmpsim(responder, data, place, &users)
}

#[test]
fn every_pair_of_algorithms_reads_net_snmps_daemon() {
    let Some(daemon) = peer("snmpd") else { return };
    let (place, folder, secrets) = (Place::free(), tempfile::tempdir().unwrap(), Secrets::new());
    let _peer = snmpd(&daemon, folder.path(), &place);
    for kind in Kind::all() {
        let name = kind.name();
        let record: PathBuf = folder.path().join(format!("{name}.snmprec"));
        let path = record.display().to_string();
        let asking = Asking::right(kind);
        let more = ["--record", &path, "--private"];
        let read = run("read", &place, &asking, &secrets, &more);
        // It is no printer; what it is was read.
        assert_eq!(read.status.code(), Some(3), "{name}: {read:?}");
        let recorded = std::fs::read_to_string(&record).unwrap();
        let sys_name = "1.3.6.1.2.1.1.5.0|4|test-host\n";
        assert!(recorded.contains(sys_name), "{name}: {recorded}");
    }
    assert_eq!(tried("net-snmp"), Kind::all().len());
}

#[test]
fn every_pair_of_algorithms_reads_snmpsim_and_sees_what_2c_sees() {
    let Some(responder) = process::snmpsim() else {
        return;
    };
    let (place, data, secrets) = (Place::free(), tempfile::tempdir().unwrap(), Secrets::new());
    let _peer = snmpsim(&responder, data.path(), &place);
    let port = place.port.to_string();
    let address = place.address.to_string();
    let in_2c = platen()
        .args(["read", &address, "--port", &port, "--json"])
        .output()
        .unwrap();
    let timeless = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout);
        let mut reading: serde_json::Value = serde_json::from_str(&text).unwrap();
        reading["at"] = "".into();
        reading
    };
    for kind in Kind::all() {
        let asking = Asking {
            context: "public",
            ..Asking::right(kind)
        };
        let read = run("read", &place, &asking, &secrets, &["--json"]);
        assert!(read.status.success(), "{}: {read:?}", kind.name());
        assert_eq!(timeless(&read), timeless(&in_2c), "{}", kind.name());
    }
    assert_eq!(tried("snmpsim"), Kind::all().len());
}

/// Pairs that the table of the documentation says were tried with a peer: a row an algorithm of
/// authentication, a column an algorithm of encryption, a table a peer.
fn tried(peer: &str) -> usize {
    let table = TABLE.split("\n### ").find(|part| part.starts_with(peer));
    let table = table.unwrap_or_else(|| panic!("no table of {peer}"));
    let mut headings = vec!["none"];
    headings.extend(Privacy::ALL.map(Privacy::word));
    let head = format!("| | {} |", headings.join(" | "));
    assert!(table.contains(&head), "{peer}: no head {head}");
    let none = format!("| none | ✓ |{}", " – |".repeat(Privacy::ALL.len()));
    assert!(table.contains(&none), "{peer}: no row {none}");
    for auth in Auth::ALL {
        let row = format!("| {} |{}", auth.word(), " ✓ |".repeat(headings.len()));
        assert!(table.contains(&row), "{peer}: no row {row}");
    }
    table.matches('✓').count()
}

#[test]
fn what_is_wrong_is_said_in_words_and_no_community_is_tried() {
    let (Some(daemon), Some(responder)) = (peer("snmpd"), process::snmpsim()) else {
        return;
    };
    let (folder, data, secrets) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        Secrets::new(),
    );
    let (their, simulated) = (Place::free(), Place::free());
    let _peers = [
        snmpd(&daemon, folder.path(), &their),
        snmpsim(&responder, data.path(), &simulated),
    ];
    let private = Kind(Some(Auth::Sha256), Some(Privacy::Aes128));
    let authentic = Kind(Some(Auth::Sha256), None);
    let right = |kind| Asking {
        context: "public",
        ..Asking::right(kind)
    };
    let nobody = || Asking {
        user: "nobody".to_owned(),
        ..right(private)
    };
    let wrong_auth = || Asking {
        auth_file: "wrong",
        ..right(private)
    };
    let wrong_priv = || Asking {
        priv_file: "wrong",
        ..right(private)
    };
    // Asked at a lower level than the user has, and at a higher one.
    let too_low = || Asking {
        kind: authentic,
        ..right(private)
    };
    let too_high = || Asking {
        user: authentic.name(),
        ..right(private)
    };
    // What it says, and what to do next.
    let unknown = ("the user name is not known there", "compare --v3-user");
    let digest = ("authentication password is wrong", "compare --v3-auth and");
    let cipher = ("the privacy password", "compare --v3-priv and");
    let low = ("may not read at the level authNoPriv", "add --v3-priv");
    let high = ("not set up for authPriv there", "or leave out --v3-priv");
    let mute = ("does not answer the user", "leave --v3-priv out where");
    let cases = [
        (&their, nobody(), unknown),
        (&their, wrong_auth(), digest),
        (&their, wrong_priv(), cipher),
        (&their, too_low(), low),
        (&their, too_high(), high),
        (&simulated, nobody(), unknown),
        (&simulated, wrong_auth(), digest),
        (&simulated, wrong_priv(), cipher),
        // pysnmp drops what it has no key for.
        (&simulated, too_high(), mute),
    ];
    for (place, asking, (words, step)) in cases {
        let asking = Asking {
            // net-snmp's daemon has no contexts.
            context: if place.port == their.port {
                ""
            } else {
                "public"
            },
            ..asking
        };
        let read = run("read", place, &asking, &secrets, &["--retries", "0"]);
        let said = String::from_utf8_lossy(&read.stderr);
        assert_eq!(read.status.code(), Some(1), "{words}: {said}");
        assert!(said.contains("answers, but no credential fits"), "{said}");
        assert!(said.contains(words), "{words}: {said}");
        assert!(next(&said).contains(step), "{words}: {said}");
        let said = said.replace("-password-file", "");
        for password in [AUTH_PASSWORD, PRIV_PASSWORD, "wrong-password"] {
            assert!(!said.contains(password), "{said}");
        }
        let found = run("discover", place, &asking, &secrets, &["--retries", "0"]);
        let (table, summary) = (
            String::from_utf8_lossy(&found.stdout),
            String::from_utf8_lossy(&found.stderr),
        );
        assert!(table.contains("answers, but no credential"), "{table}");
        let counted = "1 answers but no credential fits, 0 silent";
        assert!(summary.contains(counted), "{summary}");
    }
}

/// The step that a complaint ends in.
fn next(said: &str) -> &str {
    said.rsplit_once("  next: ").map_or("", |(_, next)| next)
}

#[test]
fn what_is_wrong_with_an_engine_has_a_step_of_its_own() {
    let kind = Kind(Some(Auth::Sha256), Some(Privacy::Aes128));
    let (secrets, folder) = (Secrets::new(), folder());
    let mut fleet = format!(
        "port = 0\nfrozen = true\nrecordings = {folder:?}\n[[users]]\nname = \"{}\"\n\
         auth = \"sha256\"\nauth_password = \"{AUTH_PASSWORD}\"\n\
         priv = \"aes128\"\npriv_password = \"{PRIV_PASSWORD}\"\n",
        kind.name()
    );
    // How it misbehaves; the context that is asked for; what it says; what to do next.
    let cases = [
        ("boots-latched", "", "boot counter", "delete the SNMPv3"),
        ("report-loop", "", "its clock jumps", "restart the printer"),
        ("engine-changes", "", "its engine id", "no other device has"),
        ("", "Nowhere", "the context is not", "compare --v3-context"),
    ];
    for (number, (how, ..)) in cases.iter().enumerate() {
        let group = "[[printers]]\nrecording = \"hp-laserjet-m507dn\"\nversions = [\"3\"]\n";
        writeln!(fleet, "{group}addresses = \"127.41.2.{}\"", number + 1).unwrap();
        if !how.is_empty() {
            writeln!(fleet, "misbehave = \"{how}\"").unwrap();
        }
    }
    let fleet = Fleet::parse(&fleet, Path::new(".")).unwrap();
    let fleet = simulator::run(fleet, std::future::pending()).unwrap();
    for (number, (how, context, words, step)) in cases.into_iter().enumerate() {
        let place = Place {
            address: format!("127.41.2.{}", number + 1).parse().unwrap(),
            port: fleet.port,
        };
        let asking = Asking {
            context,
            ..Asking::right(kind)
        };
        let read = run("read", &place, &asking, &secrets, &[]);
        let said = String::from_utf8_lossy(&read.stderr);
        assert_eq!(read.status.code(), Some(1), "{how}: {said}");
        assert!(said.contains(words), "{how}: no '{words}' in: {said}");
        assert!(next(&said).contains(step), "{how}: no '{step}' in: {said}");
    }
}

#[test]
fn a_device_without_the_community_is_told_to_speak_version_3() {
    let Some(daemon) = peer("snmpd") else { return };
    let (place, folder) = (Place::free(), tempfile::tempdir().unwrap());
    let _peer = snmpd(&daemon, folder.path(), &place);
    let (address, port) = (place.address.to_string(), place.port.to_string());
    let mut command = platen();
    command.args(["read", &address, "--port", &port, "--community", "other"]);
    let read = command.args(["--timeout", "1", "--retries", "0"]).output();
    let read = read.unwrap();
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(said.contains("answers, but no credential fits"), "{said}");
    assert!(said.contains("it speaks SNMPv3"), "{said}");
}

#[test]
fn a_silent_address_is_not_one_that_refuses() {
    let Some(_) = peer("snmpget") else { return };
    let (place, secrets) = (Place::free(), Secrets::new());
    let asking = Asking::right(Kind(Some(Auth::Sha256), None));
    let read = run("read", &place, &asking, &secrets, &["--retries", "0"]);
    let said = String::from_utf8_lossy(&read.stderr);
    assert_eq!(read.status.code(), Some(1), "{said}");
    assert!(said.contains("did not answer"), "{said}");
    assert!(!said.contains("credential fits"), "{said}");
}
