//! What is accepted, and how the rest is refused.

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
    let uncommented: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => key,
            Some(_) | None => line,
        })
        .map(|line| line.replace("/run/secrets/snmp_community", &path) + "\n")
        .collect();
    let config = parse(&uncommented).expect("the sample without its # is valid");
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.snmp, SnmpSettings::default());
    assert_eq!(config.snmp_port, 161);
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.state_dir, Path::new(DEFAULT_STATE_DIR));
    let shown: toml::Table = toml::from_str(&config.show()).expect("show prints TOML");
    let written: toml::Table = toml::from_str(&uncommented).expect("TOML");
    for section in ["hub", "schedule", "snmp", "mqtt", "log"] {
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
    let text = "[credentials.site]\nversion = \"3\"\ncommunity = \"x\"\n";
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
        config.ranges[0].credentials[0].1.community.expose(),
        b"hush"
    );
    assert!(!config.show().contains("hush"), "shown: {}", config.show());
    assert!(!format!("{config:?}").contains("hush"));
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(file.path(), open).expect("chmod");
    assert!(refusal(&text).contains("can be read by others (mode 0644); chmod 600"));
}
