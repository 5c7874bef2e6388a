//! Pages that know their own address: absolute links, frames, redirects, a base, a refresh.
//!
//! Through a tunnel none of them may lead a browser to an address that it cannot reach, or to
//! another device that it can.

use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};

use crate::web::http::{self, Answer};
use crate::web::{Visit, html, panel};

/// What the navigation has besides the panel.
const MORE: [(&str, &str); 2] = [("/links", "Links"), ("/frames", "Frames")];

/// Answers for the pages, and for the panel under them.
pub(crate) async fn answer<B>(request: &Request<B>, visit: &Visit) -> Answer {
    let own = visit.origin();
    let bare = own.split_once(':').map_or("", |(_, bare)| bare).to_owned();
    match request.uri().path() {
        "/links" => links(visit, &own).await,
        "/frames" => http::page(format!(
            "<!DOCTYPE html>\n<html><head><title>Frames</title></head>\n<frameset cols=\"30%,70%\">\
             <frame name=\"menu\" src=\"{own}/menu\"><frame name=\"main\" src=\"{own}/counters\">\
             </frameset></html>\n"
        )),
        "/menu" => http::page(format!(
            "<!DOCTYPE html>\n<title>Menu</title><a target=\"main\" href=\"{own}/supplies\">\
             Supplies</a> <a target=\"_top\" href=\"{own}/links\">Out of the frames</a>\n"
        )),
        "/base" => http::page(format!(
            "<!DOCTYPE html>\n<html><head><title>Base</title><base href=\"{own}/base/\"></head>\
             <body><a id=\"below\" href=\"below\">Below the base</a>\
             <form action=\"below\"><input name=\"q\"><button>Go</button></form></body></html>\n"
        )),
        "/base/below" => arrival(visit, "Below the base").await,
        "/new" => arrival(visit, "The new place").await,
        "/old" => http::redirect(StatusCode::FOUND, &format!("{own}/new")),
        "/moved" => http::redirect(StatusCode::MOVED_PERMANENTLY, &format!("{own}/new?moved=1")),
        "/kept" => http::redirect(StatusCode::TEMPORARY_REDIRECT, "new"),
        "/bare" => http::redirect(StatusCode::FOUND, &format!("{bare}/new")),
        "/secure" => {
            let secure = format!("https://{}/new", visit.own.ip());
            http::redirect(StatusCode::FOUND, &secure)
        }
        "/refresh" => http::page(format!(
            "<!DOCTYPE html>\n<title>Refresh</title>\
             <meta http-equiv=\"refresh\" content=\"0; url={own}/new\">\n"
        )),
        "/refresh-header" => {
            let mut answer = http::page("<!DOCTYPE html>\n<title>Refresh</title>\n".to_owned());
            if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={own}/new")) {
                answer.headers_mut().insert("refresh", refresh);
            }
            answer
        }
        "/script" => http::page(format!(
            "<!DOCTYPE html>\n<title>Script</title><script>location.href = \"{own}/new\";</script>\n"
        )),
        _ => panel::answer_with(request, visit, &MORE).await,
    }
}

async fn links(visit: &Visit, own: &str) -> Answer {
    let of = visit.portrait().await;
    let places = [
        "new",
        "old",
        "moved",
        "kept",
        "bare",
        "secure",
        "refresh",
        "refresh-header",
        "script",
        "frames",
        "base",
    ];
    let items: String = places
        .iter()
        .map(|place| format!("<li><a id=\"{place}\" href=\"{own}/{place}\">{place}</a></li>"))
        .collect();
    let main = format!("<img src=\"{own}/logo.svg\" alt=\"\" width=\"64\"><ul>{items}</ul>");
    http::page(html::page("Links", &of, &MORE, &main))
}

async fn arrival(visit: &Visit, title: &str) -> Answer {
    let of = visit.portrait().await;
    http::page(html::page(
        title,
        &of,
        &MORE,
        "<p id=\"arrived\">arrived</p>",
    ))
}
