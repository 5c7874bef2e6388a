//! What a hub that was taken over tries, and what each try must come to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use prost::Message;
use proto::topics::SIGNATURE_CONTEXT;
use proto::v1;
use proto::v1::command::Order;
use ring::signature::Ed25519KeyPair;

use crate::site::{AGENT, OUTSIDE, Site};

/// What a try must come to.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// Not even an answer, but a line in the log.
    Nothing,
    /// A refusal that says this.
    Refused(&'static str),
    /// "It came too late".
    Expired,
}

/// Makes what is delivered to a site.
type Make = Box<dyn Fn(&Site) -> Vec<u8> + Send + Sync>;

/// One try.
pub struct Try {
    /// What is tried.
    pub name: &'static str,
    /// What it must come to.
    pub expected: Expected,
    make: Make,
}

impl Try {
    /// What is delivered.
    pub fn octets(&self, site: &Site) -> Vec<u8> {
        (self.make)(site)
    }
}

/// 32 hex digits that were not used before.
pub fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:032x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn command(order: Option<Order>) -> v1::Command {
    let now = Timestamp::now();
    v1::Command {
        id: fresh_id(),
        agent_id: AGENT.to_owned(),
        issuer: "a taken-over hub".to_owned(),
        reason: "none".to_owned(),
        issued_ms: now.as_millisecond(),
        expires_ms: (now + 10.minutes()).as_millisecond(),
        order,
    }
}

fn sealed(command: &[u8], key: &Ed25519KeyPair, context: &[u8]) -> Vec<u8> {
    let signature = key.sign(&[context, command].concat()).as_ref().to_vec();
    let command = command.to_vec();
    v1::SignedCommand { command, signature }.encode_to_vec()
}

fn signed(site: &Site, command: &v1::Command) -> Vec<u8> {
    sealed(&command.encode_to_vec(), site.key(), SIGNATURE_CONTEXT)
}

/// A good command: read every printer.
pub fn read_all(site: &Site, id: &str) -> Vec<u8> {
    let order = Some(Order::ReadNow(v1::ReadNow::default()));
    signed(
        site,
        &v1::Command {
            id: id.to_owned(),
            ..command(order)
        },
    )
}

/// Another command under an id.
pub fn walk_under(site: &Site, id: &str) -> Vec<u8> {
    let order = Some(walk("127.61.0.1"));
    signed(
        site,
        &v1::Command {
            id: id.to_owned(),
            ..command(order)
        },
    )
}

/// A ping of who may not be pinged.
pub fn ping_outside(site: &Site, id: &str) -> Vec<u8> {
    let order = Some(ping(OUTSIDE, 1));
    signed(
        site,
        &v1::Command {
            id: id.to_owned(),
            ..command(order)
        },
    )
}

fn ping(address: &str, count: u32) -> Order {
    let address = address.to_owned();
    Order::Ping(v1::Ping { address, count })
}

fn check(address: &str) -> Order {
    let address = address.to_owned();
    Order::CheckTarget(v1::CheckTarget { address })
}

fn walk(address: &str) -> Order {
    let address = address.to_owned();
    Order::RecordWalk(v1::RecordWalk { address })
}

fn device() -> String {
    "f".repeat(32)
}

/// Every try.
pub fn all() -> Vec<Try> {
    let mut all = forged();
    all.extend(untimely());
    all.extend(out_of_scope());
    all.extend(out_of_bounds());
    all.extend(without_a_door());
    all.extend(sessions());
    all.extend(locked());
    all
}

fn configure(change: impl Fn(&mut v1::Configure)) -> Order {
    let mut configure = v1::Configure::default();
    change(&mut configure);
    Order::Configure(configure)
}

fn range(label: &str, addresses: &[&str]) -> v1::RemoteRange {
    v1::RemoteRange {
        label: label.to_owned(),
        addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        ..v1::RemoteRange::default()
    }
}

fn credential(name: &str, sealed: Vec<u8>) -> v1::SealedCredential {
    v1::SealedCredential {
        name: name.to_owned(),
        version: "2c".to_owned(),
        sealed,
    }
}

/// A configuration with one range of these addresses.
fn widened(name: &'static str, expected: &'static str, addresses: &'static [&'static str]) -> Try {
    order(name, Expected::Refused(expected), move || {
        configure(|it| it.ranges = vec![range("wide", addresses)])
    })
}

/// What the site locks.
fn locked() -> Vec<Try> {
    let locks = "the site locks";
    vec![
        widened("ranges that are locked", locks, &["127.61.0.1"]),
        widened("every address there is", locks, &["0.0.0.0/0"]),
        order(
            "a schedule that is locked",
            Expected::Refused(locks),
            || configure(|it| it.read_secs = Some(3_600)),
        ),
        order(
            "what is free together with what is locked",
            Expected::Refused(locks),
            || {
                configure(|it| {
                    it.status_secs = Some(600);
                    it.ranges = vec![range("office", &["127.61.0.1"])];
                })
            },
        ),
    ]
}

/// What lies beyond the ceiling of a site that locks nothing, and what cannot be.
pub fn beyond_the_ceiling() -> Vec<Try> {
    use Expected::Refused;
    let beyond = "beyond the site's ceiling";
    let sealed = |octets: Vec<u8>| {
        move || configure(|it| it.credentials = vec![credential("office", octets.clone())])
    };
    vec![
        widened("the subnet above the ceiling", beyond, &["127.61.0.0/24"]),
        widened("a neighbor of the ceiling", beyond, &["127.61.0.16"]),
        widened("everything", "addresses", &["0.0.0.0/0"]),
        widened("the cloud's metadata", beyond, &["169.254.169.254"]),
        widened("ourselves", beyond, &["127.0.0.1"]),
        widened(
            "one within and one without",
            beyond,
            &["127.61.0.1", "10.0.0.1"],
        ),
        widened("an IPv6 world", beyond, &["2001:db8::/126"]),
        widened("a name that leads outside", "host name", &["localhost"]),
        widened("no addresses at all", "no address", &[]),
        widened("a range that is a path", "", &["../../etc/passwd"]),
        order(
            "a schedule of every second of nothing",
            Refused("a number from 1"),
            || configure(|it| it.read_secs = Some(0)),
        ),
        order(
            "a schedule of 136 years",
            Refused("a number from 1"),
            || configure(|it| it.discover_secs = Some(u32::MAX)),
        ),
        order("a label that is used twice", Refused("twice"), || {
            let twice = range("office", &["127.61.0.1"]);
            configure(|it| it.ranges = vec![twice.clone(), twice.clone()])
        }),
        order(
            "a label of control characters",
            Refused("control characters"),
            || configure(|it| it.ranges = vec![range("a\u{1b}[2J\n", &["127.61.0.1"])]),
        ),
        order(
            "a range with a credential that is not there",
            Refused("no credential"),
            || {
                let mut range = range("office", &["127.61.0.1"]);
                range.credentials = vec!["../../etc/shadow".to_owned()];
                configure(|it| it.ranges = vec![range.clone()])
            },
        ),
        order(
            "a credential sealed to nobody",
            Refused("credential"),
            sealed(vec![9; 64]),
        ),
        order(
            "a credential cut short",
            Refused("credential"),
            sealed(vec![9; 8]),
        ),
        order(
            "a credential in the clear",
            Refused("credential"),
            sealed(b"public".to_vec()),
        ),
        order(
            "a credential called by a path",
            Refused("credential"),
            || configure(|it| it.credentials = vec![credential("../key", vec![9; 64])]),
        ),
    ]
}

/// A try whose command is signed as it should be.
fn order(
    name: &'static str,
    expected: Expected,
    order: impl Fn() -> Order + Send + Sync + 'static,
) -> Try {
    let make = move |site: &Site| signed(site, &command(Some(order())));
    Try {
        name,
        expected,
        make: Box::new(make),
    }
}

/// A try whose octets are what they are.
fn raw(
    name: &'static str,
    expected: Expected,
    make: impl Fn(&Site) -> Vec<u8> + Send + Sync + 'static,
) -> Try {
    Try {
        name,
        expected,
        make: Box::new(make),
    }
}

/// A try whose command is changed before it is signed.
fn changed(
    name: &'static str,
    expected: Expected,
    change: impl Fn(&mut v1::Command) + Send + Sync + 'static,
) -> Try {
    raw(name, expected, move |site| {
        let mut command = command(Some(Order::ReadNow(v1::ReadNow::default())));
        change(&mut command);
        signed(site, &command)
    })
}

/// What the pinned key did not sign for this agent, and what is no command at all.
fn forged() -> Vec<Try> {
    use Expected::Nothing;
    let good = || command(Some(Order::ReadNow(v1::ReadNow::default()))).encode_to_vec();
    let other = || Ed25519KeyPair::from_seed_unchecked(&[1; 32]).expect("a key");
    vec![
        raw("no signature", Nothing, move |_| {
            let command = good();
            v1::SignedCommand {
                command,
                signature: Vec::new(),
            }
            .encode_to_vec()
        }),
        raw("the signature of another key", Nothing, move |_| {
            sealed(&good(), &other(), SIGNATURE_CONTEXT)
        }),
        raw("a signature of nothing but zeros", Nothing, move |_| {
            let command = good();
            v1::SignedCommand {
                command,
                signature: vec![0; 64],
            }
            .encode_to_vec()
        }),
        raw(
            "a signature over the command without its context",
            Nothing,
            move |site| sealed(&good(), site.key(), b""),
        ),
        raw(
            "a signature made for something else",
            Nothing,
            move |site| sealed(&good(), site.key(), b"platen ticket v1\n"),
        ),
        raw(
            "a signed command that was changed after",
            Nothing,
            move |site| {
                let octets = sealed(&good(), site.key(), SIGNATURE_CONTEXT);
                let mut frame = v1::SignedCommand::decode(octets.as_slice()).expect("ours");
                frame.command = good();
                frame.encode_to_vec()
            },
        ),
        raw("a command cut short", Nothing, move |site| {
            let octets = sealed(&good(), site.key(), SIGNATURE_CONTEXT);
            octets[..octets.len() / 2].to_vec()
        }),
        raw("nothing", Nothing, |_| Vec::new()),
        raw("octets that are no protobuf", Nothing, |_| vec![0xff; 200]),
        raw("JSON", Nothing, |_| {
            br#"{"order":"shell","run":"id"}"#.to_vec()
        }),
        raw("a field whose length is a lie", Nothing, |_| {
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x41]
        }),
        raw("a command of 300 KiB", Nothing, move |site| {
            let mut command = command(None);
            command.reason = "x".repeat(300 * 1024);
            signed(site, &command)
        }),
        raw("noise that is signed", Nothing, |site| {
            sealed(&[0xfe; 64], site.key(), SIGNATURE_CONTEXT)
        }),
        changed("a command for another agent", Nothing, |it| {
            it.agent_id = device()
        }),
        changed("a command for every agent", Nothing, |it| {
            it.agent_id = String::new()
        }),
        changed("an id that is a path", Nothing, |it| {
            it.id = "../../etc/passwd".to_owned()
        }),
        changed("no id", Nothing, |it| it.id = String::new()),
    ]
}

/// What comes too late, too early, or for too long.
fn untimely() -> Vec<Try> {
    use Expected::{Expired, Refused};
    let now = || Timestamp::now();
    vec![
        changed("a command that is over", Expired, move |it| {
            it.issued_ms = (now() - 1.hours()).as_millisecond();
            it.expires_ms = (now() - 1.seconds()).as_millisecond();
        }),
        changed("a command of 1970", Expired, |it| {
            it.issued_ms = 0;
            it.expires_ms = 1;
        }),
        changed("a command from the future", Refused("future"), move |it| {
            it.issued_ms = (now() + 1.hours()).as_millisecond();
            it.expires_ms = (now() + 2.hours()).as_millisecond();
        }),
        changed("a command for a week", Refused("24 h"), move |it| {
            it.expires_ms = (now() + 168.hours()).as_millisecond();
        }),
        changed("a command for ever", Refused("no times"), |it| {
            it.expires_ms = i64::MAX
        }),
        changed(
            "a command that ends before it begins",
            Refused("ends before"),
            move |it| {
                it.issued_ms = (now() + 1.minutes()).as_millisecond();
                it.expires_ms = (now() + 30.seconds()).as_millisecond();
            },
        ),
    ]
}

/// Whom the site never opened to us.
fn out_of_scope() -> Vec<Try> {
    use Expected::Refused;
    let none = Refused("in none of the configured ranges");
    vec![
        order("ping of an excluded address", Refused("excluded"), || {
            ping(OUTSIDE, 1)
        }),
        order("check of an excluded address", Refused("excluded"), || {
            check(OUTSIDE)
        }),
        order("walk of an excluded address", Refused("excluded"), || {
            walk(OUTSIDE)
        }),
        order("ping of a neighbor", none, || ping("127.61.0.99", 1)),
        order("check of the Internet", none, || check("192.0.2.1")),
        order("walk of the Internet", none, || walk("198.51.100.7")),
        order("ping of ourselves", none, || ping("127.0.0.1", 1)),
        order("ping of ourselves, IPv6", none, || ping("::1", 1)),
        order("check of the cloud's metadata", none, || {
            check("169.254.169.254")
        }),
        order(
            "ping of everyone",
            Refused("not the address of one device"),
            || ping("255.255.255.255", 1),
        ),
        order(
            "ping of a group",
            Refused("not the address of one device"),
            || ping("224.0.0.1", 1),
        ),
        order(
            "walk of an IPv6 group",
            Refused("not the address of one device"),
            || walk("ff02::1"),
        ),
        order(
            "ping of no address",
            Refused("not the address of one device"),
            || ping("0.0.0.0", 1),
        ),
        order(
            "an excluded address in IPv6's clothes",
            Refused("excluded"),
            || walk(&format!("::ffff:{OUTSIDE}")),
        ),
        order("the end of the range", none, || walk("127.61.0.15")),
        order(
            "a name in place of an address",
            Refused("names are not taken"),
            || check("printer.example.org"),
        ),
        order(
            "an address with a port",
            Refused("names are not taken"),
            || walk("127.61.0.1:9100"),
        ),
        order("a whole subnet", Refused("names are not taken"), || {
            ping("127.61.0.0/28", 1)
        }),
        order("a URL", Refused("names are not taken"), || {
            check("file:///etc/passwd")
        }),
        order(
            "an address in octal",
            Refused("names are not taken"),
            || ping("0177.0.0.1", 1),
        ),
        order(
            "a reading of a device that nobody knows",
            Refused("no device"),
            || {
                Order::ReadNow(v1::ReadNow {
                    device_id: device(),
                })
            },
        ),
        order("a reading of a path", Refused("32 hex digits"), || {
            Order::ReadNow(v1::ReadNow {
                device_id: "../spool.redb".to_owned(),
            })
        }),
        order(
            "a sweep of a subnet that is not there",
            Refused("no such subnet"),
            || {
                Order::DiscoverNow(v1::DiscoverNow {
                    subnet: "10.0.0.0/8".to_owned(),
                })
            },
        ),
        order("a sweep of a path", Refused("no such subnet"), || {
            Order::DiscoverNow(v1::DiscoverNow {
                subnet: "../../etc".to_owned(),
            })
        }),
    ]
}

/// More than an agent does.
fn out_of_bounds() -> Vec<Try> {
    use Expected::Refused;
    vec![
        order("a ping that never asks", Refused("1 to 10"), || {
            ping("127.61.0.1", 0)
        }),
        order("a ping without end", Refused("1 to 10"), || {
            ping("127.61.0.1", u32::MAX)
        }),
        order(
            "a label that moves a cursor",
            Refused("control characters"),
            || {
                Order::DiscoverNow(v1::DiscoverNow {
                    subnet: "a\u{1b}[2J".to_owned(),
                })
            },
        ),
        order("a label of 10 KiB", Refused("1 to 64 octets"), || {
            Order::DiscoverNow(v1::DiscoverNow {
                subnet: "a".repeat(10_240),
            })
        }),
        order("the release of nobody", Refused("32 hex digits"), || {
            Order::ReleaseQuarantine(v1::ReleaseQuarantine::default())
        }),
        order(
            "the release of who is not set aside",
            Refused("no such device"),
            || {
                Order::ReleaseQuarantine(v1::ReleaseQuarantine {
                    device_id: device(),
                })
            },
        ),
    ]
}

/// What is in the list and has no door, or a door that this site does not open to that.
fn without_a_door() -> Vec<Try> {
    use Expected::Refused;
    let refused = Expected::Refused("not supported by this agent");
    let zebra = |action: v1::zebra::Action, [variable, value, label]: [&'static str; 3]| {
        move || {
            Order::Zebra(v1::Zebra {
                device_id: device(),
                action: action.into(),
                variable: variable.to_owned(),
                value: value.to_owned(),
                label: label.to_owned(),
            })
        }
    };
    vec![
        raw("no order", refused, |site| signed(site, &command(None))),
        raw("an order of tomorrow", refused, |site| {
            // Field 63, a string: what no agent of today knows.
            let mut octets = command(None).encode_to_vec();
            octets.extend_from_slice(&[0xfa, 0x03, 0x02, b'i', b'd']);
            sealed(&octets, site.key(), SIGNATURE_CONTEXT)
        }),
        order(
            "a label printer's variable",
            Refused("a Zebra's variable that may be set is"),
            zebra(
                v1::zebra::Action::SetVariable,
                ["device.command", "reset", ""],
            ),
        ),
        order(
            "a label printer's octets in a value",
            Refused("print.tone is a number"),
            zebra(
                v1::zebra::Action::SetVariable,
                ["print.tone", "12\"\r\n~JR", ""],
            ),
        ),
        order(
            "a label printer's octets in a name",
            Refused("a stored label is written as"),
            zebra(
                v1::zebra::Action::SendStoredLabel,
                ["", "", "X^FS^XZ^XA^IDE:*.*^XZ"],
            ),
        ),
        order(
            "a label printer's reset",
            Refused("there is no device"),
            zebra(v1::zebra::Action::Reset, ["", "", ""]),
        ),
        order("a print queue", Refused("there is no device"), || {
            Order::LprQueue(v1::LprQueue {
                device_id: device(),
                queue: "lp".to_owned(),
            })
        }),
        order(
            "a job in a queue's name",
            Refused("a queue's name is"),
            || {
                Order::LprQueue(v1::LprQueue {
                    device_id: device(),
                    queue: "lp\n\u{2}lp".to_owned(),
                })
            },
        ),
        order("another program", refused, || {
            Order::UpdateNow(v1::UpdateNow {
                version: "0.0.1".to_owned(),
            })
        }),
    ]
}

/// A ticket that has its form, for a device that nobody knows.
fn ticket() -> v1::Ticket {
    let host_key = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 32], &[7; 32]].concat();
    let until = Timestamp::now() + Duration::from_secs(600);
    v1::Ticket {
        session: "a1".repeat(16),
        device_id: device(),
        port: 80,
        until_ms: until.as_millisecond(),
        idle_secs: 60,
        host_key,
        user: "agent".to_owned(),
        bind_host: "a1".repeat(16),
        bind_port: 80,
        is_read_only: false,
        is_fallback: false,
    }
}

/// Sessions that a site does not let, though it lets some.
fn sessions() -> Vec<Try> {
    type Bend = fn(&mut v1::Ticket);
    let bent: [(&'static str, &'static str, Bend); 10] = [
        ("a session with nobody's printer", "no device", |_| {}),
        ("a session for hours", "max_minutes", |it| {
            it.until_ms += 3_600_000
        }),
        ("a session that is over", "over before", |it| {
            it.until_ms = 1
        }),
        ("a session in plain text", "plain_fallback", |it| {
            it.is_fallback = true
        }),
        ("a session without a name", "32 hex digits", |it| {
            it.session.clear()
        }),
        ("a session with an address", "32 hex digits", |it| {
            it.device_id = "169.254.169.254".to_owned();
        }),
        ("a session that trusts anybody", "host key", |it| {
            it.host_key.clear()
        }),
        ("a session with no port", "1 to 65535", |it| it.port = 0),
        ("a session that never ends", "30 s to 1 h", |it| {
            it.idle_secs = u32::MAX
        }),
        ("a session that acts on a log", "ASCII", |it| {
            it.user = "\u{1b}[2J".to_owned()
        }),
    ];
    let open = bent.into_iter().map(|(name, words, bend)| {
        order(name, Expected::Refused(words), move || {
            let mut ticket = ticket();
            bend(&mut ticket);
            Order::OpenTunnel(v1::OpenTunnel {
                ticket: Some(ticket),
            })
        })
    });
    let close = order(
        "the end of nobody's session",
        Expected::Refused("no such session"),
        || {
            Order::CloseTunnel(v1::CloseTunnel {
                session: "a1".repeat(16),
            })
        },
    );
    open.chain([close]).collect()
}
