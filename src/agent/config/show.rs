//! The configuration as it is in effect, as TOML. Secrets are not in it.

use snmp::Version;
use toml::{Table, Value};

use super::{AgentConfig, Level, LogFormat, RangeConfig};

/// Writes the configuration down; communities as `***`.
pub(super) fn show(config: &AgentConfig) -> String {
    let mut all = Table::new();
    all.insert("name".to_owned(), config.name.clone().into());
    all.insert(
        "state_dir".to_owned(),
        config.state_dir.display().to_string().into(),
    );
    let mut hub = Table::new();
    if let Some(url) = &config.hub_url {
        hub.insert("url".to_owned(), url.clone().into());
    }
    hub.insert("poll_secs".to_owned(), secs(config.settings.poll_every));
    all.insert("hub".to_owned(), hub.into());
    all.insert(
        "ranges".to_owned(),
        config.ranges.iter().map(range).collect::<Vec<_>>().into(),
    );
    all.insert("credentials".to_owned(), credentials(config).into());
    let schedule = [
        ("read_secs", secs(config.settings.read_every)),
        ("status_secs", secs(config.settings.status_every)),
        ("discover_secs", secs(config.settings.discover_every)),
    ];
    all.insert("schedule".to_owned(), section(schedule));
    let timeout = i64::try_from(config.snmp.timeout.as_millis()).unwrap_or(i64::MAX);
    let in_flight = i64::try_from(config.snmp.in_flight_max).unwrap_or(i64::MAX);
    let snmp = [
        ("port", i64::from(config.snmp_port).into()),
        ("timeout_ms", timeout.into()),
        ("retries", i64::from(config.snmp.retries).into()),
        ("in_flight", in_flight.into()),
        (
            "packets_per_second",
            i64::from(config.snmp.packets_per_second_max).into(),
        ),
    ];
    all.insert("snmp".to_owned(), section(snmp));
    all.insert("mqtt".to_owned(), config.mqtt.show().into());
    let log = [
        ("level", level(config).into()),
        ("format", format(config).into()),
    ];
    all.insert("log".to_owned(), section(log));
    // Only tables, texts and numbers: there is nothing that TOML could not say.
    toml::to_string(&all).unwrap_or_default()
}

fn range(range: &RangeConfig) -> Value {
    let texts = |items: Vec<String>| Value::from(items);
    let mut table = Table::new();
    table.insert("label".to_owned(), range.label.clone().into());
    let addresses = range.addresses.iter().map(ToString::to_string).collect();
    table.insert("addresses".to_owned(), texts(addresses));
    let exclude = range.exclude.iter().map(ToString::to_string).collect();
    table.insert("exclude".to_owned(), texts(exclude));
    let names = range
        .credentials
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    table.insert("credentials".to_owned(), texts(names));
    table.into()
}

fn credentials(config: &AgentConfig) -> Table {
    let named = config.ranges.iter().flat_map(|range| &range.credentials);
    named
        .map(|(name, credential)| {
            let version = match credential.version {
                Version::V1 => "1",
                Version::V2c => "2c",
            };
            let shown = [("version", version.into()), ("community", "***".into())];
            (name.clone(), section(shown))
        })
        .collect()
}

fn section<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    Value::Table(entries.collect())
}

fn secs(period: std::time::Duration) -> Value {
    i64::try_from(period.as_secs()).unwrap_or(i64::MAX).into()
}

fn level(config: &AgentConfig) -> &'static str {
    match config.log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

fn format(config: &AgentConfig) -> &'static str {
    match config.log.format {
        LogFormat::Auto => "auto",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}
