//! The configuration as it is in effect, as TOML, or a line a value with its origin. Secrets are
//! not in it.

use std::collections::BTreeMap;

use actors::reach::credential::Credential;
use toml::{Table, Value};

use super::{AgentConfig, BUILT_IN_CREDENTIAL, Level, LogFormat, RangeConfig};

/// Widest column of values that an origin stands behind: beyond it, lines are not aligned.
const ORIGIN_COLUMN_MAX: usize = 60;

/// Writes the configuration down; communities as `***`.
pub(super) fn show(config: &AgentConfig) -> String {
    // Only tables, texts and numbers: there is nothing that TOML could not say.
    toml::to_string(&table(config)).unwrap_or_default()
}

/// Every value with where it comes from, aligned.
pub(super) fn origins(config: &AgentConfig, by_hub: &BTreeMap<String, String>) -> String {
    let mut lines = Vec::new();
    flatten(&Value::Table(table(config)), &mut Vec::new(), &mut lines);
    let rows: Vec<(String, String)> = lines
        .into_iter()
        .map(|(path, value)| {
            let key = path.join(".");
            let section = path.first().map(String::as_str).unwrap_or_default();
            let credential = path.iter().take(2).cloned().collect::<Vec<_>>().join(".");
            let origin = [key.as_str(), &credential, section]
                .iter()
                .find_map(|key| by_hub.get(*key))
                .cloned()
                .unwrap_or_else(|| origin(config, &path));
            (format!("{key} = {value}"), origin)
        })
        .collect();
    let width = rows.iter().map(|(text, _)| text.chars().count()).max();
    let width = width.unwrap_or_default().min(ORIGIN_COLUMN_MAX);
    rows.iter()
        .map(|(text, origin)| format!("{text:width$}  # {origin}\n"))
        .collect()
}

/// Where a value comes from that the hub did not change.
fn origin(config: &AgentConfig, path: &[String]) -> String {
    let known = |path: &[String]| config.origins.of(path).map(str::to_owned);
    let by_file = || {
        // A community may come out of a file.
        let (last, way) = path.split_last()?;
        known(&[way, &[format!("{last}_file")]].concat())
    };
    known(path)
        .or_else(by_file)
        .map(|place| match place.rsplit_once(':') {
            // The line is enough to find it.
            Some((line, column)) if column.parse::<usize>().is_ok() => line.to_owned(),
            Some(_) | None => place,
        })
        .unwrap_or_else(|| "default".to_owned())
}

/// The values of a table that are no sections, each as TOML writes it.
fn flatten(value: &Value, path: &mut Vec<String>, lines: &mut Vec<(Vec<String>, String)>) {
    let is_table = |value: &Value| matches!(value, Value::Table(_));
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                path.push(key.clone());
                flatten(value, path, lines);
                path.pop();
            }
        }
        Value::Array(entries) if entries.iter().any(is_table) => {
            for (index, entry) in entries.iter().enumerate() {
                path.push(index.to_string());
                flatten(entry, path, lines);
                path.pop();
            }
        }
        Value::Array(_)
        | Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => lines.push((path.clone(), value.to_string())),
    }
}

fn table(config: &AgentConfig) -> Table {
    let mut all = Table::new();
    all.insert("name".to_owned(), config.name.clone().into());
    all.insert(
        "state_dir".to_owned(),
        config.state_dir.display().to_string().into(),
    );
    if let Some(folder) = &config.profiles_dir {
        let folder = folder.display().to_string();
        all.insert("profiles_dir".to_owned(), folder.into());
    }
    if let Some(file) = &config.spool_key_file {
        let file = file.display().to_string();
        all.insert("state".to_owned(), section([("key_file", file.into())]));
    }
    let mut hub = Table::new();
    if let Some(url) = &config.hub_url {
        hub.insert("url".to_owned(), url.clone().into());
    }
    hub.insert("poll_secs".to_owned(), secs(config.settings.poll_every));
    way(config, &mut hub);
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
    word(config, &mut all);
    all
}

/// What the site keeps to itself.
fn word(config: &AgentConfig, all: &mut Table) {
    let word = &config.word;
    let lock: Vec<String> = word.lock.iter().cloned().collect();
    all.insert("lock".to_owned(), lock.into());
    if let Some(ceiling) = &word.ceiling {
        let ceiling: Vec<String> = ceiling.iter().map(ToString::to_string).collect();
        all.insert("site".to_owned(), section([("ceiling", ceiling.into())]));
    }
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX).into();
    let masks = [
        ("addresses", word.masks.addresses.into()),
        ("host_names", word.masks.host_names.into()),
        ("locations", word.masks.locations.into()),
        ("serial_tails", number(word.masks.serial_tails)),
    ];
    all.insert("masks".to_owned(), section(masks));
    let mib = i64::try_from(word.outbox.bytes_max / (1024 * 1024)).unwrap_or(i64::MAX);
    let outbox = [
        ("days", i64::from(word.outbox.days).into()),
        ("size_mib", mib.into()),
    ];
    all.insert("outbox".to_owned(), section(outbox));
    let web_access = &config.web_access;
    all.insert("web_access".to_owned(), web_access.show().into());
    all.insert("tunnel".to_owned(), web_access.show_tunnel().into());
}

/// How to get to the hub, as written.
fn way(config: &AgentConfig, hub: &mut Table) {
    let way = &config.route;
    if let Some(proxy) = &way.proxy {
        hub.insert("proxy".to_owned(), proxy.clone().into());
    }
    if !way.no_proxy.is_empty() {
        hub.insert("no_proxy".to_owned(), way.no_proxy.clone().into());
    }
    for (key, path) in [
        ("proxy_password_file", &way.proxy_password_file),
        ("intercept_ca_file", &way.intercept_ca_file),
    ] {
        if let Some(path) = path {
            hub.insert(key.to_owned(), path.display().to_string().into());
        }
    }
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
    let ports = super::web_access::show_ports(&range.web_ports);
    table.insert("web_ports".to_owned(), ports);
    table.insert("doors".to_owned(), range.doors.show().into());
    table.into()
}

fn credentials(config: &AgentConfig) -> Table {
    let named = |name: &String| {
        let mut ranges = config.ranges.iter();
        ranges.any(|range| range.credentials.iter().any(|(other, _)| other == name))
    };
    let shown = config
        .credentials
        .iter()
        // The built-in one is shown where it is used.
        .filter(|(name, _)| *name != BUILT_IN_CREDENTIAL || named(name));
    shown
        .map(|(name, credential)| (name.clone(), shown_credential(credential)))
        .collect()
}

/// A credential without its secrets.
fn shown_credential(credential: &Credential) -> Value {
    let mut table = Table::new();
    table.insert("version".to_owned(), credential.version().into());
    let Credential::User(user) = credential else {
        table.insert("community".to_owned(), "***".into());
        return table.into();
    };
    table.insert("user".to_owned(), user.name().into());
    if let Some(auth) = user.auth() {
        table.insert("auth".to_owned(), auth.word().into());
        table.insert("auth_password".to_owned(), "***".into());
    }
    if let Some(privacy) = user.privacy() {
        table.insert("priv".to_owned(), privacy.word().into());
        table.insert("priv_password".to_owned(), "***".into());
    }
    if !user.context().is_empty() {
        table.insert("context".to_owned(), user.context().into());
    }
    table.into()
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
