//! What is accepted, and how the rest is refused.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn parse(text: &str) -> Result<AgentConfig, ConfigError> {
    AgentConfig::parse("agent.toml", text, [])
}

fn refusal(text: &str) -> String {
    parse(text).map(|_| ()).expect_err("refused").to_string()
}

fn with(variables: &[(&str, &str)], text: &str) -> Result<AgentConfig, ConfigError> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    AgentConfig::parse("agent.toml", text, variables.iter().map(own))
}

#[test]
fn the_sample_is_accepted_as_it_is() {
    let config = parse(SAMPLE).expect("the sample is valid");
    assert_eq!(config.ranges.len(), 1);
    assert_eq!(config.settings, Settings::default());
}

#[test]
fn the_sample_names_every_key_with_its_default() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "hush\n").expect("written");
    let path = file.path().display().to_string();
    let roots = tempfile::NamedTempFile::new().expect("a file");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::default();
    let root = params.self_signed(&key).expect("a certificate").pem();
    fs::write(roots.path(), root).expect("written");
    let roots = roots.path().display().to_string();
    let uncommented: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => key,
            Some(_) | None => line,
        })
        .map(|line| line.replace("/run/secrets/snmp_community", &path) + "\n")
        .map(|line| line.replace("/run/secrets/snmp_auth", &path))
        .map(|line| line.replace("/run/secrets/snmp_priv", &path))
        .map(|line| line.replace("/run/secrets/proxy_password", &path))
        .map(|line| line.replace("/etc/platen/intercept-ca.pem", &roots))
        .collect();
    let config = parse(&uncommented).expect("the sample without its # is valid");
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.snmp, SnmpSettings::default());
    assert_eq!(config.snmp_port, 161);
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.state_dir, Path::new(DEFAULT_STATE_DIR));
    let shown: toml::Table = toml::from_str(&config.show()).expect("show prints TOML");
    let written: toml::Table = toml::from_str(&uncommented).expect("TOML");
    for section in [
        "lock", "hub", "schedule", "snmp", "mqtt", "masks", "outbox", "log",
    ] {
        assert_eq!(
            shown[section], written[section],
            "[{section}] of the sample"
        );
    }
}

#[test]
fn nothing_at_all_is_a_valid_configuration() {
    let config = parse("").expect("defaults alone are valid");
    assert!(config.ranges.is_empty() && config.hub_url.is_none());
    assert!(!config.name.is_empty());
}

#[test]
fn an_unknown_key_is_refused_with_place_and_nearest() {
    let text = "[[ranges]]\nlabel = \"a\"\nadresses = [\"10.0.0.1\"]\n";
    let expected = "agent.toml:3:1: there is no key 'adresses'; did you mean 'addresses'?";
    assert_eq!(refusal(text), expected);
    let text = "[shedule]\nread_secs = 5\n";
    assert_eq!(
        refusal(text),
        "agent.toml:1:2: there is no key 'shedule'; did you mean 'schedule'?"
    );
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_place() {
    let text = "[schedule]\nread_secs = 0\n";
    assert_eq!(
        refusal(text),
        "agent.toml:2:13: 0 cannot stand here; write a number from 1 to 604800"
    );
    let text = "[[ranges]]\naddresses = [\"10.0.0.1\", \"10.0.0.0/99\"]\n";
    assert!(
        refusal(text).starts_with("agent.toml:2:26: "),
        "{}",
        refusal(text)
    );
    let text = "[hub]\nurl = \"http://hub.example.org\"\n";
    assert!(
        refusal(text).starts_with("agent.toml:2:7: "),
        "{}",
        refusal(text)
    );
    let text = "[credentials.site]\nversion = \"4\"\ncommunity = \"x\"\n";
    assert!(
        refusal(text).starts_with("agent.toml:2:11: "),
        "{}",
        refusal(text)
    );
}

#[test]
fn a_value_of_another_type_is_refused_without_the_parsers_words() {
    for (text, says) in [
        (
            "[snmp]\nport = \"161\"\n",
            "agent.toml:2:8: string \"161\" cannot stand here; write a whole number without quotes",
        ),
        (
            "[ranges]\naddresses = []\n",
            "agent.toml:1:1: a section cannot stand here; write it with two brackets, as [[ranges]]",
        ),
        (
            "[log]\nlevel = \"loud\"\n",
            "agent.toml:2:9: 'loud' cannot stand here; write one of error, warn, info, debug, trace",
        ),
        (
            "[[ranges]]\nlabel = \"a\"\n",
            "agent.toml:1:1: the key 'addresses' is missing in this section; \
             `platen config default` shows how it is written",
        ),
    ] {
        assert_eq!(refusal(text), says);
    }
}

#[test]
fn a_credential_that_is_not_there_is_refused() {
    let text = "[[ranges]]\naddresses = [\"10.0.0.1\"]\ncredentials = [\"publik\"]\n";
    assert_eq!(
        refusal(text),
        "agent.toml:3:16: there is no credential 'publik'; did you mean 'public'?"
    );
}

#[test]
fn two_ranges_need_two_labels() {
    let range = "[[ranges]]\nlabel = \"a\"\naddresses = [\"10.0.0.1\"]\n";
    assert!(refusal(&range.repeat(2)).contains("the label 'a' is used twice"));
}

#[test]
fn the_environment_counts_over_the_file() {
    let variables = [
        ("PLATEN_SCHEDULE__READ_SECS", "7"),
        ("PLATEN_NAME", "123"),
        ("PLATEN_RANGES__0__ADDRESSES", "[\"10.0.0.0/30\"]"),
        ("PLATEN_HUB_STORE__URL", "the hub's own"),
        ("PLATEN_CONFIG", "no key"),
    ];
    let config = with(&variables, "[schedule]\nread_secs = 5\n").expect("valid");
    assert_eq!(config.settings.read_every, Duration::from_secs(7));
    assert_eq!(config.name, "123");
    assert_eq!(config.ranges[0].addresses.len(), 1);
}

#[test]
fn a_wrong_variable_is_named() {
    let refused = with(&[("PLATEN_SCHEDULE__READ_SEC", "7")], "").expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "PLATEN_SCHEDULE__READ_SEC: there is no key 'read_sec'; did you mean 'read_secs'?"
    );
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "hush\n").expect("written");
    let text = format!(
        "[[ranges]]\naddresses = [\"10.0.0.1\"]\ncredentials = [\"site\"]\n\
         [credentials.site]\ncommunity_file = \"{}\"\n",
        file.path().display()
    );
    let config = parse(&text).expect("mode 0600 is private");
    assert_eq!(
        config.ranges[0].credentials[0]
            .1
            .community()
            .expect("a community")
            .expose(),
        b"hush"
    );
    assert!(!config.show().contains("hush"), "shown: {}", config.show());
    assert!(!format!("{config:?}").contains("hush"));
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(file.path(), open).expect("chmod");
    assert!(refusal(&text).contains("can be read by others (mode 0644); chmod 600"));
}

#[test]
fn a_user_of_version_3_is_read_and_its_secrets_are_not_shown() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "hush-hush\n").expect("written");
    let written = |keys: &str| {
        let text = format!("[credentials.fleet]\nversion = \"3\"\n{keys}");
        text.replace("FILE", &file.path().display().to_string())
    };
    let user = "user = \"mps\"\n";
    let auth = "auth = \"sha256\"\nauth_password_file = \"FILE\"\n";
    let privacy = "priv = \"aes256c\"\npriv_password_file = \"FILE\"\ncontext = \"Jetdirect\"\n";
    let config = parse(&written(&[user, auth, privacy].concat())).expect("a user");
    let shown = config.show();
    for line in [
        "version = \"3\"",
        "user = \"mps\"",
        "auth = \"sha256\"",
        "auth_password = \"***\"",
        "priv = \"aes256c\"",
        "priv_password = \"***\"",
        "context = \"Jetdirect\"",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains("hush") && !format!("{config:?}").contains("hush"));
    for (keys, why) in [
        (auth, "has version 3 and no user; write user"),
        (
            "user = \"mps\"\nauth = \"sha256\"\n",
            "has auth and no password for it; write auth_password_file",
        ),
        (
            "user = \"mps\"\npriv_password_file = \"FILE\"\n",
            "has priv_password_file and no priv; write priv",
        ),
        (&[user, privacy].concat(), "has priv and no auth"),
        (
            "user = \"mps\"\ncommunity = \"public\"\n",
            "has version 3 and a community",
        ),
        (
            "user = \"mps\"\nauth = \"sha3\"\n",
            "'sha3' is no algorithm of SNMPv3; write one of md5, sha, sha224",
        ),
        ("user = \"\"\n", "a user name has 1 to 32 bytes"),
    ] {
        let said = refusal(&written(keys));
        assert!(said.contains(why), "{keys}: {said}");
    }
    let said = refusal("[credentials.a]\ncommunity = \"x\"\nuser = \"mps\"\n");
    assert!(said.contains("which only version 3 has"), "{said}");
}

/// A file and what lies beside it, in a folder of their own.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

fn load(
    folder: &tempfile::TempDir,
    variables: &[(&str, &str)],
    flags: &[&str],
) -> Result<AgentConfig, ConfigError> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
    let path = folder.path().join("agent.toml");
    AgentConfig::load(Some(&path), variables.iter().map(own), &flags)
}

const LAYERED: [(&str, &str); 4] = [
    (
        "agent.toml",
        "name = \"file\"\n[schedule]\nread_secs = 1\nstatus_secs = 1\n\
         discover_secs = 1\n[snmp]\nretries = 1\n[[ranges]]\naddresses = [\"10.0.0.1\"]\n",
    ),
    (
        "agent.d/10-site.toml",
        "[schedule]\nstatus_secs = 2\ndiscover_secs = 2\n[snmp]\nretries = 2\n",
    ),
    (
        "agent.d/20-more.toml",
        "[snmp]\nretries = 3\n[[ranges]]\nlabel = \"more\"\naddresses = [\"10.0.0.2\"]\n",
    ),
    ("agent.d/notes.txt", "no configuration"),
];

#[test]
fn a_later_layer_counts_over_an_earlier_one() {
    let folder = folder(&LAYERED);
    let variables = [
        ("PLATEN_SCHEDULE__DISCOVER_SECS", "4"),
        ("PLATEN_NAME", "variable"),
    ];
    let config = load(&folder, &variables, &["name=flag"]).expect("valid");
    let secs = |period: Duration| period.as_secs();
    let settings = config.settings;
    assert_eq!(secs(settings.read_every), 1, "of the file");
    assert_eq!(secs(settings.status_every), 2, "of the folder");
    assert_eq!(secs(settings.discover_every), 4, "of the environment");
    assert_eq!(config.snmp.retries, 3, "of the later file in the folder");
    assert_eq!(config.name, "flag");
    let labels: Vec<_> = config.ranges.iter().map(|range| &range.label).collect();
    assert_eq!(labels, ["more"], "a list is replaced whole");
}

#[test]
fn every_value_is_told_with_its_origin() {
    let folder = folder(&LAYERED);
    let variables = [("PLATEN_SCHEDULE__DISCOVER_SECS", "4")];
    let config = load(&folder, &variables, &["name=flag"]).expect("valid");
    let by_hub = BTreeMap::from([(
        "schedule.status_secs".to_owned(),
        "hub command c1".to_owned(),
    )]);
    let shown = config.show_origins(&by_hub);
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (key, origin) in [
        ("name = \"flag\"", "--set name".to_owned()),
        (
            "schedule.read_secs = 1",
            format!("{}:3", path("agent.toml")),
        ),
        ("schedule.status_secs = 2", "hub command c1".to_owned()),
        (
            "schedule.discover_secs = 4",
            "PLATEN_SCHEDULE__DISCOVER_SECS".to_owned(),
        ),
        (
            "snmp.retries = 3",
            format!("{}:2", path("agent.d/20-more.toml")),
        ),
        ("snmp.timeout_ms = 2000", "default".to_owned()),
        (
            "ranges.0.label = \"more\"",
            format!("{}:4", path("agent.d/20-more.toml")),
        ),
        (
            "ranges.0.credentials = [\"public\"]",
            format!("{}:3", path("agent.d/20-more.toml")),
        ),
        ("masks.addresses = false", "default".to_owned()),
    ] {
        let line = shown.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in {shown}"));
        assert!(line.ends_with(&format!("  # {origin}")), "{line}: {origin}");
    }
}

#[test]
fn a_mistake_is_told_where_it_was_made() {
    let mistaken = |name, text| {
        let mut files = LAYERED.to_vec();
        files.push((name, text));
        let folder = folder(&files);
        let said = load(&folder, &[], &[]).map(|_| ()).expect_err("refused");
        said.to_string()
            .replace(&folder.path().display().to_string(), "")
    };
    assert_eq!(
        mistaken("agent.d/30.toml", "[snmp]\nretrys = 1\n"),
        "/agent.d/30.toml:2:1: there is no key 'retrys'; did you mean 'retries'?"
    );
    assert_eq!(
        mistaken("agent.d/30.toml", "[snmp]\nretries = 99\n"),
        "/agent.d/30.toml:2:11: 99 cannot stand here; write a number from 0 to 10"
    );
    let beyond = with(&[("PLATEN_SNMP__RETRIES", "99")], "[snmp]\nretries = 1\n");
    assert_eq!(
        beyond.map(|_| ()).expect_err("refused").to_string(),
        "PLATEN_SNMP__RETRIES: 99 cannot stand here; write a number from 0 to 10"
    );
    let folder = folder(&LAYERED);
    for (flag, says) in [
        (
            "snmp.retries=99",
            "--set snmp.retries: 99 cannot stand here",
        ),
        ("snmp.retry=9", "--set snmp.retry: there is no key 'retry'"),
        ("snmp", "--set snmp: is no KEY=VALUE"),
    ] {
        let said = load(&folder, &[], &[flag])
            .map(|_| ())
            .expect_err("refused");
        assert!(said.to_string().starts_with(says), "{said}");
    }
}

#[test]
fn a_lock_names_what_there_is_to_lock() {
    let locks = |text: &str| parse(text).expect("valid").word;
    assert!(locks("").locks("ranges") && locks("").locks("masks"));
    assert!(!locks("").locks("schedule.read_secs"));
    assert!(locks("lock = [\"schedule\"]").locks("schedule.read_secs"));
    assert!(!locks("lock = [\"schedule.read_secs\"]").locks("schedule.status_secs"));
    assert!(!locks("lock = []").locks("ranges"));
    assert_eq!(
        refusal("lock = [\"ranges\", \"range\"]\n"),
        "agent.toml:1:19: there is nothing to lock by the name 'range'; did you mean 'ranges'?"
    );
}

#[test]
fn a_ceiling_is_of_addresses() {
    let word = parse("[site]\nceiling = [\"10.0.0.0/8\"]\n")
        .expect("valid")
        .word;
    assert_eq!(word.ceiling.expect("a ceiling").len(), 1);
    assert!(
        refusal("[site]\nceiling = [\"printer.example.org\"]\n")
            .starts_with("agent.toml:2:12: 'printer.example.org' is a host name")
    );
}

#[test]
fn the_way_to_the_hub_is_the_files_or_the_environments() {
    let hub = dial::Destination::new("hub.example.org", 443).expect("a host");
    let via = |text: &str, variables: &[(&str, &str)]| {
        let config = with(variables, text).expect("valid");
        config.route.route.proxy_to(&hub).map(ToString::to_string)
    };
    let environment = [
        ("HTTPS_PROXY", "http://anna:word@env.test:1"),
        ("NO_PROXY", "10.0.0.0/8"),
    ];
    assert_eq!(via("", &[]), None);
    assert_eq!(
        via("", &environment).as_deref(),
        Some("http://anna@env.test:1")
    );
    assert_eq!(via("[hub]\nproxy = \"none\"\n", &environment), None);
    let file = "[hub]\nproxy = \"http://file.test:2\"\n";
    assert_eq!(
        via(file, &environment).as_deref(),
        Some("http://file.test:2")
    );
    let around = format!("{file}no_proxy = [\".example.org\"]\n");
    assert_eq!(via(&around, &[]), None);
}

#[test]
fn a_proxy_that_cannot_be_is_refused_and_its_password_never_shown() {
    for (text, says) in [
        (
            "[hub]\nproxy = \"socks5://p:1\"\n",
            "agent.toml:2:9: a proxy of the kind 'socks5' cannot be used",
        ),
        (
            "[hub]\nproxy = \"http://anna:hush@p:1\"\n",
            "agent.toml:2:9: a password stands in the address of the proxy",
        ),
        (
            "[hub]\nproxy_password_file = \"/nowhere\"\n",
            "agent.toml:2:23: there is a password for a proxy, and no proxy",
        ),
        (
            "[hub]\nintercept_ca_file = \"/nowhere\"\n",
            "agent.toml:2:21: /nowhere cannot be read",
        ),
    ] {
        let said = refusal(text);
        assert!(said.starts_with(says) && !said.contains("hush"), "{said}");
    }
    let refused = with(&[("https_proxy", "ftp://p:1")], "").expect_err("refused");
    assert!(
        refused
            .to_string()
            .starts_with("HTTPS_PROXY: a proxy of the kind 'ftp'")
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "hush\n").expect("written");
    let path = file.path().display();
    let text = format!("[hub]\nproxy = \"http://anna@p:1\"\nproxy_password_file = \"{path}\"\n");
    let config = parse(&text).expect("valid");
    assert!(!config.show().contains("hush") && config.show().contains("anna"));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn the_spools_key_may_be_a_file_of_its_own() {
    let parse = |text: &str| AgentConfig::parse("agent.toml", text, []).expect("valid");
    assert_eq!(parse("").spool_key_file, None);
    let config = parse("[state]\nkey_file = \"/run/secrets/spool_key\"\n");
    let file = Path::new("/run/secrets/spool_key");
    assert_eq!(config.spool_key_file.as_deref(), Some(file));
    assert!(
        config
            .show()
            .contains("key_file = \"/run/secrets/spool_key\"")
    );
}
