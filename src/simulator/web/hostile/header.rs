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
    let (portal, host) = (told("portal"), told("domain"));
    let own = head.header("host").unwrap_or("printer");
    let named = own.split(':').next().unwrap_or(own);
    let parent = match host.as_str() {
        "" => named.split_once('.').map_or(named, |(_, parent)| parent),
        host => host,
    };
    let page = |headers: &[(&str, &str)]| {
        let body = "<!DOCTYPE html>\n<title>shown</title><output id=\"verdict\">shown</output>\n";
        sent("200 OK", "text/html; charset=utf-8", headers, body)
    };
    let markup = |text: &str| sent("200 OK", "text/html; charset=utf-8", &[], text);
    match name {
        "cookie-toss-parent" | "cookie-host-prefix" | "many-cookies" | "huge-set-cookie" => {
            let cookies = cookies(name, parent);
            let headers: Vec<(&str, &str)> = cookies
                .iter()
                .map(|cookie| ("Set-Cookie", cookie.as_str()))
                .collect();
            page(&headers)
        }
        "hsts" => page(&[(
            "Strict-Transport-Security",
            "max-age=31536000; includeSubDomains; preload",
        )]),
        "clear-site-data" => page(&[("Clear-Site-Data", "\"*\"")]),
        "csp-override" => page(&[
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
        ]),
        "cors-open" => page(&[
            ("Access-Control-Allow-Origin", portal.as_str()),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Headers", "*"),
            ("Timing-Allow-Origin", "*"),
        ]),
        "alt-svc" => page(&[("Alt-Svc", "h2=\":9443\"; ma=31536000; persist=1")]),
        "report-to" => page(&[
            (
                "Report-To",
                "{\"group\":\"a\",\"max_age\":9999999,\"endpoints\":[{\"url\":\"/hostile/caught\"}]}",
            ),
            ("Reporting-Endpoints", "a=\"/hostile/caught\""),
            (
                "NEL",
                "{\"report_to\":\"a\",\"max_age\":9999999,\"include_subdomains\":true}",
            ),
        ]),
        "link-preload" => page(&[(
            "Link",
            &format!("<{portal}/>; rel=preload; as=fetch; crossorigin"),
        )]),
        "refresh-header" => page(&[("Refresh", &format!("0; url={portal}/"))]),
        "cache-poison" => page(&[
            ("Cache-Control", "public, max-age=31536000, immutable"),
            ("Age", "0"),
            ("Vary", ""),
        ]),
        "etag-tracking" => page(&[
            ("ETag", "\"marked-42\""),
            ("Cache-Control", "private, no-cache"),
        ]),
        "source-map" => page(&[("SourceMap", &format!("{portal}/"))]),
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
        "content-sniff" => sent(
            "200 OK",
            "image/png",
            &[],
            "<script>document.title='read: sniffed'</script>",
        ),
        "unsafe-encoding" => sent(
            "200 OK",
            "text/html; charset=utf-7",
            &[],
            "+ADw-script+AD4-document.title='read: utf-7'+ADw-/script+AD4-",
        ),
        "meta-refresh" => markup(&format!(
            "<!DOCTYPE html>\n<title>shown</title>\
             <meta http-equiv=\"refresh\" content=\"0; url={}/\">\n",
            html::encoded(&portal)
        )),
        "portal-lookalike" => markup(
            "<!DOCTYPE html>\n<title>Platen - Sign in</title><h1>Platen</h1>\
             <form method=\"post\" action=\"/hostile/caught?lookalike\"><input name=\"user\">\
             <input name=\"password\" type=\"password\"><button>Sign in</button></form>\n",
        ),
        _ => markup(
            "<!DOCTYPE html>\n<title>&lt;script&gt;document.title='read: title'&lt;/script&gt;\
             &lt;!--#exec cmd=\"id\"--&gt;{{7*7}}${7*7}</title><output id=\"verdict\">shown</output>\n",
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
        _ => NAMES
            .iter()
            .chain(&["tossed"])
            .flat_map(|name| {
                let toss =
                    |domain: &str| format!("{name}=tossed; Domain={domain}; Path=/; Max-Age=86400");
                [toss(parent), toss(&format!(".{parent}"))]
            })
            .collect(),
    }
}
