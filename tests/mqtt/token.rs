//! What Azure IoT Hub takes for a SAS token, judged with a program that is not ours.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The documented signature, made by a program that is not ours.
pub fn signature_by_openssl(key: &[u8], text: &str) -> String {
    let hex: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-binary", "-macopt"])
        .arg(format!("hexkey:{hex}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let mut stdin = openssl.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("written");
    drop(stdin);
    let output = openssl.wait_with_output().expect("it ends");
    STANDARD.encode(output.stdout)
}

/// Whether a password is a token of the device that has not ended.
pub fn is_token(key: &[u8], device: &str, password: &str) -> bool {
    let Some(fields) = password.strip_prefix("SharedAccessSignature ") else {
        return false;
    };
    let fields: HashMap<&str, &str> = fields
        .split('&')
        .filter_map(|it| it.split_once('='))
        .collect();
    let (Some(resource), Some(signature), Some(expiry)) =
        (fields.get("sr"), fields.get("sig"), fields.get("se"))
    else {
        return false;
    };
    let signed = signature_by_openssl(key, &format!("{resource}\n{expiry}"));
    let signed = signed
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    *resource == format!("127.0.0.1%2Fdevices%2F{device}")
        && **signature == *signed
        && expiry.parse::<u64>().is_ok_and(|expiry| expiry > now)
}
