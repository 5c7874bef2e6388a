//! What is accepted, and how the rest is refused.

use super::{HubConfig, SAMPLE};

#[test]
fn the_sample_holds_every_key_with_its_default() {
    let sample = parse(SAMPLE).unwrap();
    assert_eq!(sample, parse("").unwrap());
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_one() {
    let error = parse("[uplink]\n\nlisen = \"0.0.0.0:1\"\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "hub.toml:3:1: there is no key 'lisen'; did you mean 'listen'?"
    );
}

#[test]
fn a_value_of_another_type_is_refused_without_the_parsers_words() {
    for (text, says) in [
        (
            "[uplink]\npoll_secs = \"1m\"\n",
            "hub.toml:2:13: string \"1m\" cannot stand here; \
             write a whole number without quotes",
        ),
        (
            "[log]\nformat = \"xml\"\n",
            "hub.toml:2:10: 'xml' cannot stand here; write 'text' or 'json'",
        ),
        (
            "[log]\nlevel = \"verbose\"\n",
            "log.level: 'verbose' is no level; write one of error, warn, info, debug, trace, off",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), says);
    }
    parse("[log]\nlevel = \"info,hub::door=debug\"\n").unwrap();
}

#[test]
fn the_environment_stands_over_the_file() {
    let environment = [
        ("PLATEN_HUB_UPLINK__POLL_SECS".to_owned(), "7".to_owned()),
        (
            "PLATEN_HUB_UPLINK__NAMES".to_owned(),
            "[\"Hub.example.org\"]".to_owned(),
        ),
        (
            "PLATEN_HUB_STORE__URL".to_owned(),
            "sqlite:other.db".to_owned(),
        ),
    ];
    let text = "[uplink]\npoll_secs = 9\n";
    let config = HubConfig::parse("hub.toml", text, environment.into_iter()).unwrap();
    assert_eq!(config.poll_every.as_secs(), 7);
    assert_eq!(config.names, ["hub.example.org"]);
    assert_eq!(config.store_url, "sqlite:other.db");
}

#[test]
fn an_unknown_variable_is_refused_by_its_name() {
    let environment = [("PLATEN_HUB_UPLINK__POL_SECS".to_owned(), "7".to_owned())];
    let error = HubConfig::parse("", "", environment.into_iter())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("PLATEN_HUB_UPLINK__POL_SECS: "),
        "{error}"
    );
    assert!(error.contains("'poll_secs'"), "{error}");
}

#[test]
fn a_portal_that_others_can_reach_is_refused() {
    let error = parse("[portal]\nlisten = \"0.0.0.0:8080\"\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("loopback"), "{error}");
}

#[test]
fn an_agent_is_told_the_first_name_and_the_public_port() {
    let config = parse("[uplink]\nnames = [\"fd00::1\"]\npublic_port = 443\n").unwrap();
    assert_eq!(
        config.public_url("0.0.0.0:8443".parse().unwrap()),
        "https://[fd00::1]:443"
    );
}

fn parse(text: &str) -> Result<HubConfig, super::ConfigError> {
    HubConfig::parse("hub.toml", text, std::iter::empty())
}
