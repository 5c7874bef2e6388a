//! What of a head passes, without a printer.

use super::*;
use crate::door::web::place::Scheme;
use crate::session::SessionId;

fn place() -> Place {
    Place {
        session: SessionId::parse(&"0".repeat(32)).unwrap(),
        scheme: Scheme::Https,
        authority: "s-0.dwa.example.org".to_owned(),
    }
}

fn refresh(value: &str) -> Option<String> {
    let home = Home::new(Some("10.0.4.17".parse().unwrap()), 80);
    let asked = Asked {
        method: &Method::GET,
        path: "/a/b",
        home: &home,
        place: &place(),
        jar: &Jar::default(),
    };
    let mut theirs = HeaderMap::new();
    theirs.insert(REFRESH, HeaderValue::from_str(value).unwrap());
    let answered = asked.answered(StatusCode::OK, &theirs).unwrap();
    let refresh = answered.headers.get(REFRESH)?;
    Some(refresh.to_str().unwrap().to_owned())
}

#[test]
fn a_page_may_load_itself_again_and_nothing_else() {
    let here = "https://s-0.dwa.example.org";
    for (value, passed) in [
        ("30", Some("30".to_owned())),
        ("30;", Some("30".to_owned())),
        ("5; url=/x", Some(format!("5; url={here}/x"))),
        ("5;URL='c'", Some(format!("5; url={here}/a/c"))),
        ("5, /x", Some(format!("5; url={here}/x"))),
        (
            "0; url=\"http://10.0.4.17/y\"",
            Some(format!("0; url={here}/y")),
        ),
        ("0; url=http://evil.example/", None),
        ("0; url=//evil.example/", None),
        ("0; url='javascript:alert(1)'", None),
        ("0; //evil.example/", None),
        ("soon", None),
        ("", None),
    ] {
        assert_eq!(refresh(value), passed, "{value}");
    }
}

#[test]
fn only_a_picture_may_come_compressed() {
    let home = Home::new(None, 80);
    let asked = |dest: &'static str| {
        let request = axum::http::Request::builder()
            .header(ACCEPT_ENCODING, "gzip")
            .header("sec-fetch-dest", dest);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        to_device(&parts, &home, &place())
            .remove(ACCEPT_ENCODING)
            .unwrap()
    };
    assert_eq!(asked("image"), "gzip");
    assert_eq!(asked("document"), "identity");
    assert_eq!(asked("script"), "identity");
}

#[test]
fn a_header_that_connection_names_goes_no_further() {
    let request = axum::http::Request::builder()
        .header(CONNECTION, "close, X-Secret")
        .header("x-secret", "1")
        .header("te", "trailers")
        .header("x-kept", "1");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let headers = to_device(&parts, &Home::new(None, 80), &place());
    assert!(!headers.contains_key("x-secret") && !headers.contains_key("te"));
    assert!(!headers.contains_key(CONNECTION));
    assert_eq!(headers["x-kept"], "1");
    assert_eq!(headers[HOST], "printer.local");
}
