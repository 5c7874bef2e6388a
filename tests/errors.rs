//! The mistakes that newcomers make, and what they are told: what happened, why, and what to do
//! next, with the exit code that docs/reference/cli.md promises.

#![cfg(test)]

#[path = "errors/reference.rs"]
mod reference;

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use stories::{World, free_port, program};

/// A mistake and what is said about it: the words typed, the exit code, the telling parts.
type Mistake<'a> = (&'a [&'a str], i32, &'a [&'a str]);

/// Runs a program. Loopback only: nothing here may leave the machine.
fn run(name: &str, words: &[&str]) -> Output {
    Command::new(program(name))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

/// Checks that a complaint has its exit code, its telling parts, a next step, and no data before it.
fn complains(what: &str, output: &Output, exit: i32, says: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{what}: {told}");
    assert!(told.starts_with("error: "), "{what}: {told}");
    for part in says {
        assert!(told.contains(part), "{what}: no '{part}' in: {told}");
    }
    let has_next = told.contains("\n  next: ") || told.contains("try '--help'");
    assert!(has_next, "{what}: no next step in: {told}");
    assert!(output.stdout.is_empty(), "{what}: data on stdout");
}

fn all_complain(name: &str, mistakes: &[Mistake]) {
    for (words, exit, says) in mistakes {
        complains(&words.join(" "), &run(name, words), *exit, says);
    }
}

/// Writes a configuration, has it validated, and expects a complaint.
fn is_refused(name: &str, text: &str, says: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path of text");
    let output = run(name, &["config", "validate", "--config", file]);
    complains(&format!("{name}: {text}"), &output, 78, says);
}

/// A code that is written like one, for a hub with this fingerprint.
fn code(fingerprint: char) -> String {
    let repeated = |sign: char, count| std::iter::repeat_n(sign, count).collect::<String>();
    format!("{}.{}", repeated('a', 26), repeated(fingerprint, 64))
}

/// `platen enroll` at a port of loopback, into a folder of the World.
fn enrolls(world: &World, port: u16, code: &str, state: &str) -> Output {
    let url = format!("https://127.0.0.1:{port}");
    let state = world.path(state);
    let state = state.to_str().expect("a path of text");
    run(
        "platen",
        &["enroll", &url, code, "--state-dir", state, "--timeout", "5"],
    )
}

#[test]
fn a_wrong_range() {
    all_complain(
        "platen",
        &[
            (
                &["discover", "10.0.0.0/33"],
                2,
                &["'/33'", "from 0 to 32", "write"],
            ),
            (
                &["discover", "10.0.0.300"],
                2,
                &["'300'", "0 to 255", "write an address"],
            ),
            (
                &["discover", "10.0.0.20-10"],
                2,
                &["ends before", "write 10.0.0.10-10.0.0.20"],
            ),
            (&["discover", "10.0.0.*"], 2, &["star", "write 10.0.0.0/24"]),
            (
                &["discover", "10.0.0.1:161"],
                2,
                &["port", "write an address"],
            ),
            (&["discover", ""], 2, &["empty", "write an address"]),
            (
                &["discover", "224.0.0.1"],
                2,
                &["no address to ask", "multicast"],
            ),
            (
                &["discover", "127.0.0.0/8"],
                2,
                &["16777214", "9 h", "--yes", "--rate"],
            ),
            (
                &["discover", "127.0.0.1", "--exclude", "x/99"],
                2,
                &["'x'", "write"],
            ),
            (
                &["read", "127.0.0.1-3"],
                2,
                &["not one address", "platen discover 127.0.0.1-3"],
            ),
        ],
    );
}

#[test]
fn wrong_words() {
    all_complain(
        "platen",
        &[
            (&["scan"], 2, &["'scan'"]),
            (&["confg"], 2, &["'config'"]),
            (&["read"], 2, &["<ADDRESS>"]),
            (&["discover"], 2, &["<RANGE>"]),
            (
                &["discover", "127.0.0.1", "--json", "--csv"],
                2,
                &["--json", "--csv"],
            ),
            (
                &["discover", "127.0.0.1", "--rate", "0"],
                2,
                &["from 1 to 1000000"],
            ),
            (
                &["discover", "127.0.0.1", "--port", "70000"],
                2,
                &["from 1 to 65535"],
            ),
            (
                &["discover", "127.0.0.1", "--timeout", "soon"],
                2,
                &["number of seconds"],
            ),
        ],
    );
    all_complain(
        "platen-hub",
        &[
            (&["serv"], 2, &["'serve'"]),
            (&["agent", "invite", "a b"], 2, &["letters, digits"]),
            (&["open", "W1", "--port", "80"], 2, &["--reason"]),
            (
                &["open", "W1", "--port", "0", "--reason", "jam"],
                2,
                &["'0'", "--port"],
            ),
            (
                &[
                    "open",
                    "W1",
                    "--port",
                    "80",
                    "--reason",
                    "x",
                    "--minutes",
                    "61",
                ],
                2,
                &["61", "1..=60"],
            ),
            (
                &[
                    "open",
                    "W1",
                    "--port",
                    "80",
                    "--reason",
                    "x",
                    "--hub",
                    "https://h",
                ],
                2,
                &["--ca", "--link"],
            ),
            (
                &[
                    "open",
                    "W1",
                    "--port",
                    "80",
                    "--reason",
                    "x",
                    "--listen",
                    "0.0.0.0:0",
                ],
                78,
                &["other machines", "in your name", "127.0.0.1:0"],
            ),
            (
                &[
                    "open",
                    "W1",
                    "--port",
                    "80",
                    "--reason",
                    "x",
                    "--hub",
                    "https://h",
                    "--ca",
                    "/nowhere.pem",
                    "--link",
                    "/nowhere",
                ],
                1,
                &["--ca: /nowhere.pem", "can read"],
            ),
            (&["audit", "adopt"], 2, &["--reason"]),
            (&["audit", "export", "--since", "today"], 2, &["'today'"]),
        ],
    );
    all_complain(
        "platen-sim",
        &[(&["run", "--fleet", "/nowhere.toml"], 1, &["/nowhere.toml"])],
    );
}

#[test]
fn an_unknown_key_or_a_value_that_cannot_be() {
    for (text, says) in [
        (
            "[snmp]\n\ntimeut_ms = 5\n",
            ["wrong.toml:3:1", "'timeut_ms'", "did you mean 'timeout_ms'"],
        ),
        (
            "[snmp]\nport = \"161\"\n",
            ["wrong.toml:2:8", "161", "without quotes"],
        ),
        (
            "[snmp]\nport = 70000\n",
            ["wrong.toml:2:8", "70000", "from 1 to 65535"],
        ),
        ("[ranges]\n", ["wrong.toml:1:1", "section", "[[ranges]]"]),
        (
            "[[ranges]]\naddresses = [\"10.0.0.0/33\"]\n",
            ["wrong.toml:2:14", "'/33'", "write"],
        ),
    ] {
        is_refused("platen", text, &says);
    }
    for (text, says) in [
        (
            "[uplink]\n\nlisen = 1\n",
            ["wrong.toml:3:1", "'lisen'", "did you mean 'listen'"],
        ),
        (
            "[uplink]\npoll_secs = \"1m\"\n",
            ["wrong.toml:2:13", "1m", "without quotes"],
        ),
        (
            "[uplink]\npoll_secs = 0\n",
            ["uplink.poll_secs", "0", "from 1 to 3600"],
        ),
        (
            "[portal]\nlisten = \"0.0.0.0:80\"\n",
            ["portal.listen", "no TLS", "127.0.0.1"],
        ),
        (
            "[log]\nlevel = \"verbose\"\n",
            ["log.level", "'verbose'", "info"],
        ),
    ] {
        is_refused("platen-hub", text, &says);
    }
    for name in ["platen", "platen-hub"] {
        let missing = run(name, &["config", "validate", "--config", "/nowhere.toml"]);
        complains(name, &missing, 78, &["/nowhere.toml", "config default"]);
    }
}

#[tokio::test]
async fn a_hub_that_is_not_reached() {
    let world = World::new();
    let away = enrolls(&world, free_port(), &code('a'), "agent");
    complains(
        "nobody",
        &away,
        69,
        &["cannot be reached", "nothing listens", "still good"],
    );

    // The kernel accepts for it; nobody ever reads what is said.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("https://{}", silent.local_addr().expect("bound"));
    let state = world.path("agent");
    let state = state.to_str().expect("a path of text");
    let words = [
        "enroll",
        &url,
        &code('a'),
        "--state-dir",
        state,
        "--timeout",
        "0.3",
    ];
    let told = run("platen", &words);
    complains(
        "silence",
        &told,
        69,
        &["cannot be reached", "did not answer within 0.3 s"],
    );

    let words = [
        "enroll",
        "http://127.0.0.1",
        &code('a'),
        "--state-dir",
        state,
    ];
    complains(
        "http",
        &run("platen", &words),
        78,
        &["not an https", "https://HOST:PORT"],
    );
}

#[tokio::test]
async fn a_code_that_does_not_let_in() {
    let mut world = World::new();
    world.hub_runs().await;
    let line = world.invitation("lyon-1");
    let (url, good) = line
        .strip_prefix("platen enroll ")
        .and_then(|rest| rest.split_once(' '))
        .expect("a line to run");
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
    let port = port.expect("a port");

    let portal = enrolls(&world, world.portal_port(), good, "agent");
    complains(
        "the portal's port",
        &portal,
        69,
        &["does not speak TLS", "portal"],
    );
    let cut = enrolls(&world, port, "i5zxugnopm", "agent");
    complains(
        "no code",
        &cut,
        77,
        &["no enrollment code", "copy the whole line"],
    );
    let other = enrolls(&world, port, &code('a'), "agent");
    complains(
        "another hub's",
        &other,
        77,
        &["not the hub that made", "nothing was sent"],
    );

    let first = enrolls(&world, port, good, "agent");
    assert!(first.status.success(), "{first:?}");
    let again = enrolls(&world, port, good, "agent");
    complains(
        "enrolled",
        &again,
        77,
        &["enrolled already, as lyon-1", "--again"],
    );
    let used = enrolls(&world, port, good, "second");
    let says = ["refuses the code", "was used", "platen-hub agent invite"];
    complains("used", &used, 77, &says);

    // A damaged identity is never taken for none, and can be replaced.
    std::fs::write(world.path("agent/identity.json"), "{").expect("damage");
    let damaged = enrolls(&world, port, good, "agent");
    complains("damaged", &damaged, 78, &["is damaged", "--again"]);
    let line = world.invitation("lyon-1");
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    let state = world.path("agent");
    let more = ["--again", "--state-dir", state.to_str().expect("text")];
    let replaced = run("platen", &[&words, more.as_slice()].concat());
    assert!(replaced.status.success(), "{replaced:?}");

    let nobody = world.hub_says(&["printer", "show", "nobody"]);
    complains(
        "unknown printer",
        &nobody,
        3,
        &["'nobody'", "platen-hub printer ls"],
    );
    let nobody = world.hub_says(&["agent", "revoke", "nobody"]);
    complains(
        "unknown agent",
        &nobody,
        3,
        &["'nobody'", "platen-hub agent ls"],
    );
    let none = world.hub_says(&["sessions", "end", "7"]);
    complains("no id", &none, 3, &["'7'", "32 hex digits", "sessions ls"]);
    let none = world.hub_says(&["sessions", "show", &"0".repeat(32)]);
    complains("no session", &none, 3, &["no session", "sessions ls"]);
    let none = world.hub_says(&["open", "W1", "--port", "9100", "--reason", "a job"]);
    complains("no printer", &none, 3, &["'W1'", "printer ls"]);
    let whole = world.hub_says(&["audit", "verify"]);
    assert!(whole.status.success(), "{whole:?}");
    std::fs::write(world.path("hub/audit.head"), "x").expect("damage");
    let damaged = world.hub_says(&["audit", "verify"]);
    complains(
        "damaged head",
        &damaged,
        1,
        &["audit.head", "restore", "audit.key"],
    );
    let second = world.hub_says(&["serve"]);
    complains(
        "two hubs",
        &second,
        1,
        &["another hub is running", "state_dir"],
    );
}

#[test]
fn a_state_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    let config = folder.path().join("any.toml");
    let state = file.join("state");
    std::fs::write(&config, format!("state_dir = {state:?}\n")).expect("a configuration");
    let config = config.to_str().expect("a path of text");
    let why = "a part of this path is a file";
    for (name, verb) in [("platen", "run"), ("platen-hub", "serve")] {
        let told = run(name, &[verb, "--config", config]);
        complains(name, &told, 78, &["file/state", why, "set state_dir"]);
    }
    let state = state.to_str().expect("a path of text");
    let words = [
        "enroll",
        "https://127.0.0.1:1",
        &code('a'),
        "--state-dir",
        state,
    ];
    let told = run("platen", &words);
    complains(
        "enroll",
        &told,
        78,
        &["file/state", why, "still good", "--state-dir"],
    );
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let taken = taken.local_addr().expect("bound");
    let folder = tempfile::tempdir().expect("a folder");
    for (uplink, portal, key) in [
        (taken.to_string(), "127.0.0.1:0".to_owned(), "uplink.listen"),
        ("127.0.0.1:0".to_owned(), taken.to_string(), "portal.listen"),
    ] {
        let config = folder.path().join("hub.toml");
        let text = format!(
            "state_dir = {:?}\n[uplink]\nlisten = {uplink:?}\n[portal]\nlisten = {portal:?}\n",
            folder.path().join("state")
        );
        std::fs::write(&config, text).expect("a configuration");
        let told = run(
            "platen-hub",
            &["serve", "--config", config.to_str().expect("text")],
        );
        let says = [
            taken.to_string(),
            "another program listens".to_owned(),
            key.to_owned(),
        ];
        complains(key, &told, 1, &says.each_ref().map(String::as_str));
    }
}

#[test]
fn a_recording_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).expect("a file");
        path.to_str().expect("a path of text").to_owned()
    };
    let malformed = write("malformed", b"1.3.6.1.2.1.1.1.0|4|hello\nnonsense\n");
    let binary = write("binary", &[0xff, 0x00, 0x80, b'|', 0x1b]);
    let empty = write("empty", b"");
    let folder_itself = folder.path().to_str().expect("a path of text");
    let cure = "platen read ADDRESS --record FILE";
    for (path, says) in [
        (
            "/nowhere.snmprec",
            ["/nowhere.snmprec", "No such file", cure],
        ),
        (
            folder_itself,
            ["cannot read the recording", "directory", cure],
        ),
        (malformed.as_str(), ["line 2", "OID|TAG|VALUE", cure]),
        (binary.as_str(), ["line 1", "OID|TAG|VALUE", cure]),
        (
            empty.as_str(),
            ["cannot read the recording", "nothing in it", cure],
        ),
    ] {
        let told = run("platen", &["read", "--from-recording", path]);
        complains(path, &told, 1, &says);
    }
    let switch = stories::recordings().join("switch-sw-2416.snmprec");
    let told = run(
        "platen",
        &["read", "--from-recording", switch.to_str().expect("text")],
    );
    assert_eq!(told.status.code(), Some(3));
    assert!(told.stdout.starts_with(b"not a printer: "), "{told:?}");
}

#[test]
fn nobody_is_there() {
    let port = free_port().to_string();
    let asked = [
        "127.99.0.1",
        "--port",
        &port,
        "--timeout",
        "0.1",
        "--retries",
        "0",
    ];
    let told = run("platen", &[["read"].as_slice(), &asked].concat());
    complains(
        "silent",
        &told,
        1,
        &["cannot read 127.99.0.1", "did not answer", "--community"],
    );
    let told = run("platen", &[["discover"].as_slice(), &asked].concat());
    assert_eq!(told.status.code(), Some(3));
    let words = String::from_utf8_lossy(&told.stderr);
    assert!(
        words.contains("0 printers, 1 silent") && words.contains("--community"),
        "{words}"
    );

    let world = World::new();
    world.agent_is_configured(&["127.99.0.1"], 161, "");
    for verb in ["status", "health"] {
        let told = world.agent_says(verb, &[]);
        complains(
            verb,
            &told,
            1,
            &["no agent runs on", "nobody listens", "platen run"],
        );
    }
}
