//! Attacks by headers and markup, and the page around a script.

use crate::web::broken::Head;
use crate::web::http::field;
use crate::web::{Visit, html};

use super::{in_header, sent};

/// Octets of the cookie that is too large for every jar.
const HUGE_COOKIE_BYTES: usize = 60_000;
/// More cookies than a browser keeps for one host.
const COOKIES: usize = 200;
/// The names that a portal and a session could have given their cookies.
const NAMES: [&str; 4] = [
    "session",
    "platen-session",
    "__Host-platen-session",
    "__Secure-platen",
];

/// The page on which a script of `attacks.js` runs. What reached the printer stands on it.
pub(crate) fn script(name: &str, head: &Head, visit: &Visit) -> Vec<u8> {
    let reached: String = head
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {}\n", html::encoded(name), html::encoded(value)))
        .collect();
    // The address as it came: an attacker's own page needs no encoding, but the portal's words
    // about it do.
    let path = if name == "xss-in-path" {
        head.query.as_str()
    } else {
        ""
    };
    let body = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>pending</title></head>\
         <body><h1>{name}</h1><output id=\"verdict\">pending</output>\
         <pre id=\"reached\" hidden>{reached}</pre>{path}\
         <script src=\"/hostile/attacks.js\" data-name=\"{name}\" data-own=\"{own}\"></script>\
         </body></html>\n",
        own = visit.own,
    );
    sent("200 OK", "text/html; charset=utf-8", &[], &body)
}

/// The page of an attack by headers or markup.
pub(crate) fn answer(name: &str, head: &Head, query: &[(String, String)]) -> Vec<u8> {
    let told = |key: &str| in_header(field(query, key).unwrap_or(""));
    let portal = told("portal");
    let host = head.header("host").unwrap_or("printer");
    let named = host.split(':').next().unwrap_or(host);
    let parent = match told("domain") {
        domain if domain.is_empty() => {
            let parent = named.split_once('.').map_or(named, |(_, parent)| parent);
            in_header(parent)
        }
        domain => domain,
    };
    let cookies = cookies(name, &parent);
    let headers = if cookies.is_empty() {
        let mut headers = policy(name);
        headers.extend(leading(name, &portal));
        headers
    } else {
        let toss = |cookie| ("Set-Cookie", cookie);
        cookies.into_iter().map(toss).collect()
    };
    if headers.is_empty() {
        return other(name, &portal);
    }
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let body = "<!DOCTYPE html>\n<title>shown</title><output id=\"verdict\">shown</output>\n";
    sent("200 OK", "text/html; charset=utf-8", &headers, body)
}

/// What changes how the browser treats the origin, or its parent.
fn policy(name: &str) -> Vec<(&'static str, String)> {
    let fixed: &[(&str, &str)] = match name {
        "hsts" => &[(
            "Strict-Transport-Security",
            "max-age=31536000; includeSubDomains; preload",
        )],
        "clear-site-data" => &[("Clear-Site-Data", "\"*\"")],
        "csp-override" => &[
            (
                "Content-Security-Policy",
                "default-src * 'unsafe-inline' 'unsafe-eval'; frame-ancestors *",
            ),
            ("X-Frame-Options", "ALLOWALL"),
            (
                "Permissions-Policy",
                "camera=*, microphone=*, geolocation=*, usb=*",
            ),
            ("Cross-Origin-Opener-Policy", "unsafe-none"),
            ("Cross-Origin-Resource-Policy", "cross-origin"),
            ("Referrer-Policy", "unsafe-url"),
            ("Origin-Agent-Cluster", "?0"),
        ],
        "alt-svc" => &[("Alt-Svc", "h2=\":9443\"; ma=31536000; persist=1")],
        "report-to" => &[
            (
                "Report-To",
                "{\"group\":\"a\",\"max_age\":9999999,\
                 \"endpoints\":[{\"url\":\"/hostile/caught\"}]}",
            ),
            ("Reporting-Endpoints", "a=\"/hostile/caught\""),
            (
                "NEL",
                "{\"report_to\":\"a\",\"max_age\":9999999,\"include_subdomains\":true}",
            ),
        ],
        "cache-poison" => &[
            ("Cache-Control", "public, max-age=31536000, immutable"),
            ("Age", "0"),
            ("Vary", ""),
        ],
        "etag-tracking" => &[
            ("ETag", "\"marked-42\""),
            ("Cache-Control", "private, no-cache"),
        ],
        _ => &[],
    };
    let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    fixed.iter().map(owned).collect()
}

/// What leads the browser to the portal, or lets the portal in.
fn leading(name: &str, portal: &str) -> Vec<(&'static str, String)> {
    match name {
        "cors-open" => vec![
            ("Access-Control-Allow-Origin", portal.to_owned()),
            ("Access-Control-Allow-Credentials", "true".to_owned()),
            ("Access-Control-Allow-Headers", "*".to_owned()),
            ("Timing-Allow-Origin", "*".to_owned()),
        ],
        "link-preload" => {
            let link = format!("<{portal}/>; rel=preload; as=fetch; crossorigin");
            vec![("Link", link)]
        }
        "refresh-header" => vec![("Refresh", format!("0; url={portal}/"))],
        "source-map" => vec![("SourceMap", format!("{portal}/"))],
        _ => Vec::new(),
    }
}

/// What another status, type or markup does.
fn other(name: &str, portal: &str) -> Vec<u8> {
    let markup = |text: &str| sent("200 OK", "text/html; charset=utf-8", &[], text);
    match name {
        "www-authenticate" => refused("401 Unauthorized", "WWW-Authenticate"),
        "proxy-authenticate" => refused("407 Proxy Authentication Required", "Proxy-Authenticate"),
        "download-exe" => sent(
            "200 OK",
            "application/x-msdownload",
            &[(
                "Content-Disposition",
                "attachment; filename=\"../../driver\u{202e}gpj.exe\"",
            )],
            "MZ",
        ),
        "content-sniff" => {
            let script = "<script>document.title='read: sniffed'</script>";
            sent("200 OK", "image/png", &[], script)
        }
        "unsafe-encoding" => {
            let script = "+ADw-script+AD4-document.title='read: utf-7'+ADw-/script+AD4-";
            sent("200 OK", "text/html; charset=utf-7", &[], script)
        }
        "meta-refresh" => markup(&format!(
            "<!DOCTYPE html>\n<title>shown</title>\
             <meta http-equiv=\"refresh\" content=\"0; url={}/\">\n",
            html::encoded(portal)
        )),
        "portal-lookalike" => markup(
            "<!DOCTYPE html>\n<title>Platen - Sign in</title><h1>Platen</h1>\
             <form method=\"post\" action=\"/hostile/caught?lookalike\"><input name=\"user\">\
             <input name=\"password\" type=\"password\"><button>Sign in</button></form>\n",
        ),
        _ => markup(
            "<!DOCTYPE html>\n<title>&lt;script&gt;document.title='read: title'&lt;/script&gt;\
             &lt;!--#exec cmd=\"id\"--&gt;{{7*7}}${7*7}</title>\
             <output id=\"verdict\">shown</output>\n",
        ),
    }
}

fn refused(status: &str, header: &str) -> Vec<u8> {
    let headers = [(header, "Basic realm=\"Platen\""), (header, "Negotiate")];
    sent(status, "text/plain", &headers, "who are you?")
}

fn cookies(name: &str, parent: &str) -> Vec<String> {
    match name {
        "huge-set-cookie" => vec![format!("huge={}; Path=/", "x".repeat(HUGE_COOKIE_BYTES))],
        "many-cookies" => (0..COOKIES)
            .map(|at| format!("many{at}=x; Path=/"))
            .collect(),
        "cookie-host-prefix" => NAMES
            .iter()
            .map(|name| format!("{name}=tossed; Path=/; Secure; HttpOnly; SameSite=None"))
            .collect(),
        "cookie-toss-parent" => NAMES
            .iter()
            .chain(&["tossed"])
            .flat_map(|name| {
                let toss =
                    |domain: &str| format!("{name}=tossed; Domain={domain}; Path=/; Max-Age=86400");
                [toss(parent), toss(&format!(".{parent}"))]
            })
            .collect(),
        _ => Vec::new(),
    }
}
