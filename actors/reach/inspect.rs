//! What an address in scope looks like from here: does it echo, which credential opens it, what is
//! it. One look, for the order to check a target.

use printer::profile::Profiles;
use printer::question;
use printer::reading::Verdict;
use serde_json::{Value, json};

use super::credential::Credential;
use super::icmp;
use super::scope::InScope;
use super::snmp::Snmp;
use super::survey::read_device;

/// Echoes that are asked for: one may be lost.
const ECHOES: u8 = 3;

/// Looks at an address through the doors that are open; `credentials` in the site's order.
pub async fn look(
    snmp: &Snmp,
    (icmp_target, snmp_target): (Option<InScope>, InScope),
    credentials: &[Credential],
    profiles: &Profiles,
) -> Value {
    let echo = match icmp_target {
        Some(target) => echo(&target).await,
        None => json!({"door": "closed by the site"}),
    };
    let mut opens = None;
    let mut tried = Vec::with_capacity(credentials.len());
    for (index, credential) in credentials.iter().enumerate() {
        let asked = snmp.get(&snmp_target, credential, &question::probe()).await;
        tried.push(json!({
            "credential": index + 1,
            "version": credential.version(),
            "answers": asked.is_ok(),
            "why": asked.as_ref().err().map(ToString::to_string),
        }));
        if asked.is_ok() && opens.is_none() {
            opens = Some(credential);
        }
    }
    let what = match opens {
        Some(credential) => what(snmp, &snmp_target, credential, profiles).await,
        None => json!({"is_printer": null}),
    };
    json!({
        "address": snmp_target.addr().ip(),
        "in_scope": true,
        "icmp": echo,
        "snmp": {"port": snmp_target.addr().port(), "tried": tried},
        "device": what,
    })
}

/// An echo as JSON.
async fn echo(target: &InScope) -> Value {
    match icmp::ping(target, ECHOES).await {
        Ok(echoes) => echoes_as_json(&echoes),
        Err(error) => json!({"why": error.to_string()}),
    }
}

/// What came back, times in milliseconds.
#[must_use]
pub fn echoes_as_json(echoes: &icmp::Echoes) -> Value {
    let millis = |took: &std::time::Duration| (took.as_secs_f64() * 100_000.0).round() / 100.0;
    let took: Vec<Option<f64>> = echoes
        .took
        .iter()
        .map(|it| it.as_ref().map(millis))
        .collect();
    json!({"sent": echoes.sent, "received": echoes.received(), "took_ms": took})
}

/// Maker and model, no more: a serial number or a place is for a reading to tell.
async fn what(
    snmp: &Snmp,
    target: &InScope,
    credential: &Credential,
    profiles: &Profiles,
) -> Value {
    let credentials = std::slice::from_ref(credential);
    match read_device(snmp, target, credentials, profiles).await {
        Ok(survey) => match survey.verdict {
            Verdict::Printer(reading) => json!({
                "is_printer": true,
                "vendor": reading.identity.vendor,
                "model": reading.identity.model,
                "profile": reading.identity.profile,
                "questions": survey.pdus,
            }),
            Verdict::NotAPrinter { reason } => json!({"is_printer": false, "why": reason}),
        },
        Err(error) => json!({"is_printer": null, "why": error.to_string()}),
    }
}
