//! Messages to the hub as JSON, for the outbox: field by field what is in the message itself, so
//! that nothing can be sent that is not shown. Octets that are secret or mean nothing to a reader
//! are told by their number.

use prost::Message;
use proto::v1;
use serde_json::{Value, json};

use crate::wire;

/// A poll: how the agent is, and the reports by their JSON of docs/reading.md.
pub(super) fn poll(request: &v1::PollRequest) -> Value {
    // Every field by its name: a new one stops the build here.
    let v1::PollRequest {
        epoch,
        status: of_agent,
        reports,
    } = request;
    let reports: Vec<Value> = reports.iter().map(report).collect();
    json!({
        "epoch": epoch,
        "status": of_agent.as_ref().map(status),
        "reports": reports,
    })
}

fn report(sent: &v1::Report) -> Value {
    let shown = wire::from_proto(sent.clone())
        .map_err(|error| error.to_string())
        .and_then(|(_, report)| serde_json::to_value(report).map_err(|error| error.to_string()));
    match shown {
        Ok(Value::Object(mut fields)) => {
            fields.insert("sequence".to_owned(), sent.sequence.into());
            Value::Object(fields)
        }
        Ok(other) => other,
        // It cannot be; if it is, the reader must see that something went out.
        Err(error) => json!({ "sequence": sent.sequence, "not_shown": error }),
    }
}

fn status(sent: &v1::AgentStatus) -> Value {
    let v1::AgentStatus {
        version,
        started_at_ms,
        spool_reports,
        spool_oldest_ms,
        devices,
        devices_silent,
        restarts,
        boot,
        instance,
        commands_connected,
        alarms,
        configuration,
        refusing,
        doubtful,
    } = sent;
    let doubtful: Vec<Value> = doubtful.iter().map(doubt).collect();
    let refusing: Vec<Value> = refusing
        .iter()
        .map(|it| json!({ "address": it.address, "why": it.why, "device": it.device_id }))
        .collect();
    json!({
        "version": version,
        "started_at_ms": started_at_ms,
        "spool_reports": spool_reports,
        "spool_oldest_ms": spool_oldest_ms,
        "devices": devices,
        "devices_silent": devices_silent,
        "restarts": restarts,
        "boot": boot,
        "instance": instance,
        "commands_connected": commands_connected,
        "alarms": alarms,
        "configuration": configuration,
        "refusing": refusing,
        "doubtful": doubtful,
    })
}

fn doubt(sent: &v1::Doubtful) -> Value {
    let v1::Doubtful {
        device_id,
        address,
        may_be,
        more,
        why,
        since_ms,
    } = sent;
    json!({
        "device": device_id, "address": address, "may_be": may_be, "more": more, "why": why,
        "since_ms": since_ms,
    })
}

/// A request for the next certificate.
pub(super) fn renewal(request: &v1::RenewRequest) -> Value {
    let v1::RenewRequest {
        signing_request,
        agent_version,
    } = request;
    json!({ "signing_request": signing_request, "agent_version": agent_version })
}

/// What came of a command, out of its octets: they are what is sent.
pub(super) fn outcome(octets: &[u8]) -> Value {
    let Ok(sent) = v1::Outcome::decode(octets) else {
        return json!({ "not_shown": format!("{} octets", octets.len()) });
    };
    let result = match serde_json::from_slice::<Value>(&sent.result) {
        Ok(json) => json,
        Err(_) => String::from_utf8_lossy(&sent.result).into_owned().into(),
    };
    json!({
        "command_id": sent.command_id,
        "at_ms": sent.at_ms,
        "state": sent.state().as_str_name().to_lowercase(),
        "why": sent.why,
        "result": result,
    })
}

/// What is answered at once to something that is no command.
pub(super) fn answer(topic: &str, octets: &[u8]) -> Value {
    json!({
        "topic": topic,
        "answer": serde_json::from_slice::<Value>(octets).unwrap_or_default(),
    })
}

/// That the agent is there.
pub(super) fn presence(instance: &str) -> Value {
    json!({ "instance": instance, "is_online": true })
}
