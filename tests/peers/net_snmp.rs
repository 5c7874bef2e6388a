//! What net-snmp's tools print, and what a value must look like there.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::process::Command;

use snmp::Value;

/// Reads with the community `public`: each object with its type and value, as printed.
pub(crate) fn read(tool: &Path, arguments: &[&str]) -> BTreeMap<String, String> {
    read_as(tool, "public", arguments)
}

/// Reads with a community.
pub(crate) fn read_as(
    tool: &Path,
    community: &str,
    arguments: &[&str],
) -> BTreeMap<String, String> {
    // No MIB files: what is printed depends on the answer only. Strings in hex, OIDs in numbers.
    let output = Command::new(tool)
        .env("MIBS", "")
        .env("MIBDIRS", "")
        .env("SNMPCONFPATH", std::env::temp_dir())
        .env("SNMP_PERSISTENT_DIR", std::env::temp_dir())
        .args(["-On", "-Ox", "-c", community])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut read: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.split_once(" = ").filter(|_| line.starts_with('.')) {
            Some((oid, value)) => read.push((oid.to_owned(), value.to_owned())),
            // A long value goes on in the next line; a walk in version 1 ends with a remark.
            None if line == "End of MIB" => {}
            None => {
                if let Some((_, value)) = read.last_mut() {
                    value.push_str(line);
                }
            }
        }
    }
    read.retain(|(_, value)| !value.starts_with("No more variables"));
    let normal = read
        .into_iter()
        .map(|(oid, value)| (oid, normalized(&value)));
    normal.collect()
}

/// How the tools print these objects.
pub(crate) fn as_printed<'a, O: Display>(
    objects: impl Iterator<Item = (O, &'a Value)>,
) -> BTreeMap<String, String> {
    objects
        .map(|(oid, value)| (format!(".{oid}"), printed(value)))
        .collect()
}

fn printed(value: &Value) -> String {
    match value {
        Value::Integer(number) => format!("INTEGER: {number}"),
        Value::OctetString(octets) if octets.is_empty() => "\"\"".to_owned(),
        Value::OctetString(octets) => {
            let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02X}")).collect();
            format!("Hex-STRING: {}", hex.join(" "))
        }
        Value::ObjectId(oid) => format!("OID: .{oid}"),
        Value::Counter32(number) => format!("Counter32: {number}"),
        Value::Gauge32(number) => format!("Gauge32: {number}"),
        Value::TimeTicks(number) => format!("Timeticks: {number}"),
        Value::Counter64(number) => format!("Counter64: {number}"),
        other => panic!("no recording of ours has {other:?}"),
    }
}

/// Timeticks without their second form, hex without the blank at the end of a line.
fn normalized(value: &str) -> String {
    if let Some(ticks) = value.strip_prefix("Timeticks: (") {
        let number = ticks.split(')').next().unwrap_or_default();
        return format!("Timeticks: {number}");
    }
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
