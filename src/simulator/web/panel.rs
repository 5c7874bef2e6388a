//! The plain panel: status, supplies and counters of a living printer, on pages that link.

use hyper::{Method, Request, StatusCode};

use crate::web::http::{self, Answer};
use crate::web::portrait::Portrait;
use crate::web::{Visit, html};

/// Answers for the panel, which every sound printer has.
pub(crate) async fn answer<B>(request: &Request<B>, visit: &Visit) -> Answer {
    answer_with(request, visit, &[]).await
}

/// The same, with further places in its navigation.
pub(crate) async fn answer_with<B>(
    request: &Request<B>,
    visit: &Visit,
    more: &[(&str, &str)],
) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return http::words(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only");
    }
    let path = request.uri().path();
    match path {
        "/style.css" => return http::typed("text/css", html::STYLE),
        "/logo.svg" | "/favicon.ico" => return http::typed("image/svg+xml", html::LOGO),
        _ => {}
    }
    let of = visit.portrait().await;
    let (title, main) = match path {
        "/" | "/index.html" | "/status" => ("Status", status(&of)),
        "/supplies" => ("Supplies", supplies(&of)),
        "/counters" => (
            "Counters",
            html::table(&[("Total pages", of.pages.clone())]),
        ),
        "/about" => ("About", about(&of, visit)),
        _ => return http::words(StatusCode::NOT_FOUND, "Not found"),
    };
    http::page(html::page(title, &of, more, &main))
}

fn status(of: &Portrait) -> String {
    let alerts: String = of
        .alerts
        .iter()
        .map(|alert| format!("<li>{}</li>", html::encoded(alert)))
        .collect();
    let rows = [("Name", of.name.clone()), ("Console", of.status.clone())];
    format!("{}<ul id=\"alerts\">{alerts}</ul>", html::table(&rows))
}

fn supplies(of: &Portrait) -> String {
    let rows: Vec<(&str, String)> = of
        .supplies
        .iter()
        .map(|(name, level, capacity)| {
            let level = match (*level, *capacity) {
                (level @ 0.., capacity @ 1..) => format!("{}%", level * 100 / capacity),
                (-3, _) => "some left".to_owned(),
                _ => "unknown".to_owned(),
            };
            (name.as_str(), level)
        })
        .collect();
    html::table(&rows)
}

fn about(of: &Portrait, visit: &Visit) -> String {
    let settings = visit.station().arrived().settings;
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    html::table(&[
        ("Model", of.model.clone()),
        ("Serial number", of.serial.clone()),
        ("Address", visit.own.ip().to_string()),
        ("Location", setting("location")),
        ("Contact", setting("contact")),
    ])
}
