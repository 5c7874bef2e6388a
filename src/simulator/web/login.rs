//! A form to log in, a cookie, and settings whose change arrives at the printer.

use hyper::body::Incoming;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};
use hyper::{HeaderMap, Method, Request, StatusCode};

use crate::web::http::{self, Answer, field};
use crate::web::{Visit, html, panel};

/// Who may change settings: as on many a device, everybody who has read its manual.
const USER: &str = "admin";
/// The password that goes with it.
const PASSWORD: &str = "printer";
/// The cookie's name.
const SESSION: &str = "SESSIONID";
/// What the navigation has besides the panel.
const MORE: [(&str, &str); 2] = [("/login", "Log in"), ("/settings", "Settings")];
/// The settings that the form changes.
const SETTINGS: [&str; 2] = ["location", "contact"];

/// Answers for the forms, and for the panel under them.
pub(crate) async fn answer(request: Request<Incoming>, visit: &Visit) -> Answer {
    let is_post = *request.method() == Method::POST;
    match (request.uri().path(), is_post) {
        ("/login", false) => ask(visit, "").await,
        ("/login", true) => log_in(request, visit).await,
        ("/logout", _) => log_out(&request, visit),
        ("/settings", _) if session(request.headers(), visit).is_none() => {
            http::redirect(StatusCode::SEE_OTHER, "/login")
        }
        ("/settings", false) => settings(visit).await,
        ("/settings", true) => change(request, visit).await,
        _ => panel::answer_with(&request, visit, &MORE).await,
    }
}

async fn ask(visit: &Visit, problem: &str) -> Answer {
    let of = visit.portrait().await;
    let main = format!(
        "<p id=\"problem\">{problem}</p><form method=\"post\" action=\"/login\">\
         <label>User <input name=\"user\"></label> \
         <label>Password <input name=\"password\" type=\"password\"></label> \
         <button id=\"enter\">Log in</button></form>"
    );
    http::page(html::page("Log in", &of, &MORE, &main))
}

async fn log_in(request: Request<Incoming>, visit: &Visit) -> Answer {
    let fields = http::form(request).await;
    let is_known =
        field(&fields, "user") == Some(USER) && field(&fields, "password") == Some(PASSWORD);
    if !is_known {
        let mut answer = ask(visit, "Wrong user or password").await;
        *answer.status_mut() = StatusCode::FORBIDDEN;
        return answer;
    }
    let session = visit.station().log_in();
    let mut answer = http::redirect(StatusCode::FOUND, &format!("{}/settings", visit.origin()));
    let secure = if visit.is_secure { "; Secure" } else { "" };
    set_cookie(
        &mut answer,
        &format!("{SESSION}={session}; Path=/; HttpOnly{secure}"),
    );
    answer
}

fn log_out(request: &Request<Incoming>, visit: &Visit) -> Answer {
    if let Some(session) = session(request.headers(), visit) {
        visit.station().log_out(&session);
    }
    let mut answer = http::redirect(StatusCode::SEE_OTHER, "/");
    set_cookie(&mut answer, &format!("{SESSION}=; Path=/; Max-Age=0"));
    answer
}

async fn settings(visit: &Visit) -> Answer {
    let of = visit.portrait().await;
    let known = visit.station().arrived().settings;
    let inputs: String = SETTINGS
        .iter()
        .map(|name| {
            let value = known.get(*name).map(|value| html::encoded(value));
            format!(
                "<label>{name} <input id=\"{name}\" name=\"{name}\" value=\"{}\"></label> ",
                value.unwrap_or_default()
            )
        })
        .collect();
    let main = format!(
        "<form method=\"post\" action=\"/settings\">{inputs}<button id=\"save\">Save</button>\
         </form><p><a id=\"leave\" href=\"/logout\">Log out</a></p>"
    );
    http::page(html::page("Settings", &of, &MORE, &main))
}

async fn change(request: Request<Incoming>, visit: &Visit) -> Answer {
    let fields = http::form(request).await;
    for name in SETTINGS {
        if let Some(value) = field(&fields, name) {
            visit.station().set(name, value);
        }
    }
    http::redirect(StatusCode::SEE_OTHER, "/settings")
}

/// The session that the browser's cookie names, if the printer knows it.
fn session(headers: &HeaderMap, visit: &Visit) -> Option<String> {
    let cookies = headers.get_all(COOKIE);
    let pairs = cookies
        .iter()
        .filter_map(|cookie| cookie.to_str().ok())
        .flat_map(|cookie| cookie.split("; "));
    pairs
        .filter_map(|pair| pair.strip_prefix(SESSION)?.strip_prefix('='))
        .find(|session| visit.station().knows(session))
        .map(str::to_owned)
}

fn set_cookie(answer: &mut Answer, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
}
