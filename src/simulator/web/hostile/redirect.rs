//! Redirects to where nobody may be led: metadata, loopback, the portal, other devices.

use crate::web::Visit;
use crate::web::http::field;

use super::{in_header, sent};

/// The metadata service of most clouds.
const METADATA: &str = "169.254.169.254/latest/meta-data/";

/// The answer with the status and the place of this attack.
pub(crate) fn answer(name: &str, query: &[(String, String)], visit: &Visit) -> Vec<u8> {
    let told = |key: &str| in_header(field(query, key).unwrap_or(""));
    let own = visit.own.ip();
    let to = match name {
        "redirect-metadata" => format!("http://{METADATA}"),
        "redirect-loopback" => match field(query, "loopback") {
            Some(target) => in_header(target),
            None => "http://127.0.0.1/".to_owned(),
        },
        "redirect-localhost" => "http://localhost/".to_owned(),
        "redirect-ipv6-mapped" => "http://[::ffff:127.0.0.1]/".to_owned(),
        "redirect-decimal" => "http://2130706433/".to_owned(),
        "redirect-userinfo" => format!("http://{own}@{METADATA}"),
        "redirect-portal" | "redirect-307-body" => format!("{}/", told("portal")),
        "redirect-sibling" => format!("{}/", told("sibling")),
        "redirect-port" => format!("http://{own}:22/"),
        "redirect-file" => "file:///etc/passwd".to_owned(),
        "redirect-javascript" => "javascript:document.title='read: redirected'".to_owned(),
        "redirect-gopher" => "gopher://127.0.0.1:6379/_INFO".to_owned(),
        "redirect-bare" => format!("//{METADATA}"),
        "redirect-backslash" => format!("/\\{METADATA}"),
        "redirect-rebind" => told("target"),
        _ => "/hostile/redirect-loop".to_owned(),
    };
    let status = if name == "redirect-307-body" {
        "307 Temporary Redirect"
    } else {
        "302 Found"
    };
    sent(status, "text/html", &[("Location", &to)], "moved")
}
