//! What `platen diag` writes: one JSON for those who help, without a secret, after the masks.

use std::fs;
use std::path::Path;

use actors::mask::Masks;
use actors::status::StatusSnapshot;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::ports::{self, words::Lang};
use crate::recent;
use crate::remote::InEffect;

/// Version of the JSON shape.
const SCHEMA: u32 = 1;
/// Longest bundle, in bytes, as the hub takes it (command.proto).
pub const BUNDLE_BYTES_MAX: usize = 256 * 1024;
/// Longest line of the system's own words about itself, in characters.
const SYSTEM_CHARS_MAX: usize = 300;
/// What is left out first where a bundle is too long, and what next.
const LEFT_OUT: [&str; 4] = ["recent", "ports", "origins", "status"];

/// The bundle. `status` is of the agent that runs, if one does.
#[must_use]
pub fn bundle(effect: &InEffect, status: Option<&StatusSnapshot>, masks: &Masks) -> Vec<u8> {
    let config = &effect.config;
    let identity = Identity::load(&config.state_dir);
    let (identity, trouble) = match identity {
        Ok(identity) => (identity, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let hub_url = config.hub_url.clone();
    let hub_url = hub_url.or_else(|| identity.as_ref().map(|it| it.hub_url.clone()));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let mut all = json!({
        "schema": SCHEMA,
        "made": Timestamp::now(),
        "program": { "name": "platen", "release": env!("CARGO_PKG_VERSION") },
        "system": system(),
        "enrolled": identity.as_ref().map(|it| json!({
            "as": it.agent_name, "agent": it.agent_id, "hub": it.hub_url,
        })),
        "enrollment_trouble": trouble,
        "configuration": lines(&config.show()),
        "origins": lines(&config.show_origins(&effect.by_hub)),
        "hub_configuration": { "id": effect.id, "refused": effect.refusals },
        "state": state(&config.state_dir),
        "ports": ports::rows(config, hub_url.as_deref(), Lang::En.words()),
        "status": status,
        "recent": recent::lines(),
    });
    masks.json(&mut all);
    let mut octets = written(&all);
    for key in LEFT_OUT {
        if octets.len() <= BUNDLE_BYTES_MAX {
            break;
        }
        all[key] = format!("left out: longer than {BUNDLE_BYTES_MAX} bytes").into();
        octets = written(&all);
    }
    if octets.len() > BUNDLE_BYTES_MAX {
        let short = json!({ "schema": SCHEMA, "trouble": "the configuration alone is too long" });
        return written(&short);
    }
    octets
}

fn written(all: &Value) -> Vec<u8> {
    // Only texts and numbers with texts as keys: there is nothing that JSON could not say.
    serde_json::to_vec_pretty(all).unwrap_or_default()
}

/// What this machine says of itself.
fn system() -> Value {
    let first = |path: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        line.chars().take(SYSTEM_CHARS_MAX).collect::<String>()
    };
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let is_there = |path: &str| Path::new(path).exists();
    json!({
        "architecture": std::env::consts::ARCH,
        "kernel": first("/proc/sys/kernel/osrelease"),
        "distribution": pretty.map(|name| name.trim_matches('"')),
        "container": is_there("/.dockerenv") || is_there("/run/.containerenv"),
        "systemd": is_there("/run/systemd/system"),
        "ping_groups": first("/proc/sys/net/ipv4/ping_group_range"),
        "load": first("/proc/loadavg"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

/// The files of the state folder by name and size: never what is in them.
fn state(state_dir: &Path) -> Value {
    let Ok(entries) = fs::read_dir(state_dir) else {
        return Value::Null;
    };
    let files = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name, entry.metadata().ok()?.len().into()))
    });
    Value::Object(files.collect())
}
