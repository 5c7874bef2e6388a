//! What passes between browser and printer, and as what.

use super::*;

#[tokio::test]
async fn the_printer_is_asked_as_by_a_browser_beside_it() {
    let (printer, heard) = hears(PAGE);
    let site = Site::new(printer);
    let origin = site.origin();
    let headers = format!(
        "Cookie: theme=dark; platen_8080=portal\r\nOrigin: {origin}\r\n\
         Referer: {origin}/login?a=1\r\nSec-Fetch-Site: same-origin\r\nX-Forwarded-For: 1.2.3.4\r\n\
         Forwarded: for=1.2.3.4\r\nVia: x\r\nX-Real-IP: 1.2.3.4\r\nX-Requested-With: page\r\n\
         Accept-Encoding: gzip, br\r\nAuthorization: Basic eA==\r\nContent-Length: 3\r\n"
    );
    let answer = site.ask("POST /form?x=%20//y", &headers.clone()).await;
    // The body never came, and the printer answered all the same.
    assert_eq!(answer.status, 200);
    let heard = heard.lock().unwrap()[0].to_ascii_lowercase();
    for line in [
        "post /form?x=%20//y http/1.1\r\n",
        "\r\nhost: 10.0.4.17\r\n",
        "\r\norigin: http://10.0.4.17\r\n",
        "\r\nreferer: http://10.0.4.17/login?a=1\r\n",
        "\r\ncookie: theme=dark\r\n",
        "\r\nx-requested-with: page\r\n",
        "\r\naccept-encoding: identity\r\n",
        "\r\nauthorization: basic ea==\r\n",
        "\r\ncontent-length: 3\r\n",
    ] {
        assert!(heard.contains(line), "{line:?} in {heard}");
    }
    for word in [
        "platen",
        "forwarded",
        "1.2.3.4",
        "via",
        "sec-fetch",
        DOMAIN,
        "expect",
    ] {
        assert!(!heard.contains(word), "{word} in {heard}");
    }
}

#[tokio::test]
async fn an_answer_loses_what_outlives_the_session() {
    let site = Site::new(says(
        "HTTP/1.1 200 Fine\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\
         Strict-Transport-Security: max-age=9\r\nClear-Site-Data: \"*\"\r\nPublic-Key-Pins: x\r\n\
         Alt-Svc: h3=\":443\"\r\nService-Worker-Allowed: /\r\nReport-To: {}\r\nNEL: {}\r\n\
         Reporting-Endpoints: x=\"https://evil\"\r\nAccess-Control-Allow-Origin: *\r\n\
         Access-Control-Allow-Credentials: true\r\nLink: <https://evil>; rel=preload\r\n\
         Content-Security-Policy: report-uri https://evil\r\nRefresh: 0; url=https://evil/\r\n\
         Location: https://evil/\r\nContent-Location: http://10.0.4.17/y\r\n\
         Set-Cookie: a=1; Domain=hub.example.org\r\nSet-Cookie: __Host-platen-session=x\r\n\
         Cache-Control: public\r\nX-Odd: kept\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nhi",
    ));
    let answer = site.get("/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hi"));
    let head = answer.head.to_ascii_lowercase();
    for gone in [
        "strict-transport",
        "clear-site",
        "public-key",
        "alt-svc",
        "service-worker",
        "report",
        "nel:",
        "access-control",
        "link:",
        "evil",
        "refresh",
        "domain=",
        "platen-session",
        "x-hop",
        "cache-control: public",
    ] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    let here = format!("{}/y", site.origin());
    assert_eq!(answer.header("content-location"), Some(here.as_str()));
    assert_eq!(answer.all("set-cookie"), ["a=1; Secure; SameSite=Lax"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert_eq!(answer.header("x-odd"), Some("kept"));
    assert_eq!(answer.header("content-length"), Some("2"));
    assert_eq!(answer.header("origin-agent-cluster"), Some("?1"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    assert!(answer.header("x-content-type-options").is_none());
    let policy = answer.all("content-security-policy");
    assert_eq!(policy.len(), 1);
    for word in [
        "default-src 'self' ",
        "worker-src 'none'",
        "object-src 'none'",
        "frame-ancestors 'self'",
        "form-action 'self'",
        "base-uri 'self'",
        "connect-src 'self' wss://s-",
    ] {
        assert!(policy[0].contains(word), "{word} in {}", policy[0]);
    }
}

#[tokio::test]
async fn links_to_the_printer_itself_are_followed_home() {
    for (location, home) in [
        ("/login", "/login"),
        ("login", "/a/login"),
        ("http://10.0.4.17/x?y", "/x?y"),
        ("http://10.0.4.17//evil.example/", "//evil.example/"),
    ] {
        let site = Site::new(says(format!(
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        )));
        let answer = site.get("/a/b").await;
        assert_eq!(answer.status, 302, "{location}");
        let expected = format!("{}{home}", site.origin());
        assert_eq!(answer.header("location"), Some(expected.as_str()));
    }
    let site = Site::new(says(
        "HTTP/1.1 302 Found\r\nLocation: https://10.0.4.17/\r\nContent-Length: 0\r\n\r\n",
    ));
    let answer = site.get("/").await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("port 443"), "{}", answer.body);
}

#[tokio::test]
async fn a_page_names_the_session_in_place_of_the_printer() {
    let page = "<a href='http://10.0.4.17/x'>x</a><img src=//10.0.4.17/y>";
    let answer = |kind: &str, more: &str| {
        let len = page.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n{more}\r\n{page}"
        )
    };
    let site = Site::new(says(answer("Text/HTML; charset=utf-8", "ETag: x\r\n")));
    let read = site.get("/").await;
    let rewritten = format!(
        "<a href='{}/x'>x</a><img src=//{}/y>",
        site.origin(),
        site.authority
    );
    assert!(read.body.contains(&rewritten), "{}", read.body);
    assert!(read.header("etag").is_none());
    for (kind, more) in [
        ("text/plain", ""),
        ("application/octet-stream", ""),
        ("text/html", "Content-Encoding: gzip\r\n"),
    ] {
        let site = Site::new(says(answer(kind, more)));
        assert_eq!(site.get("/").await.body, page, "{kind} {more}");
    }
    let mut masked = terms(80);
    masked.address = None;
    let (printer, heard) = hears(answer("text/html", ""));
    let site = Site::of(masked, printer);
    assert_eq!(site.get("/").await.body, page);
    assert!(heard.lock().unwrap()[0].contains("Host: printer.local\r\n"));
}

#[tokio::test]
async fn every_request_is_noted_before_and_after() {
    let site = Site::new(printer(async |mut stream: DuplexStream| {
        let Some(_) = head(&mut stream).await else {
            return;
        };
        let mut body = [0; 4];
        stream.read_exact(&mut body).await.unwrap();
        let answer = "HTTP/1.1 404 No\r\nContent-Length: 7\r\n\r\nnothing";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }));
    let origin = site.origin();
    let headers = format!("Origin: {origin}\r\nContent-Length: 4\r\n\r\nbody");
    // The body follows the head; the blank line after it is nobody's.
    site.ask("POST /x?y=z", &headers).await;
    let noted = async {
        while site.deeds().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, noted).await.unwrap();
    assert_eq!(
        site.deeds(),
        [
            Deed::Asked {
                number: 1,
                method: "POST".to_owned(),
                path: "/x?y=z".to_owned()
            },
            Deed::Answered {
                number: 1,
                status: 404,
                sent: 4,
                received: 7
            },
        ]
    );
    let tally = site.session.tally();
    assert_eq!(tally.sent.load(Ordering::Relaxed), 4);
    assert_eq!(tally.received.load(Ordering::Relaxed), 7);
    assert_eq!(tally.requests.load(Ordering::Relaxed), 1);
}

/// A printer that keeps its connections, and answers `times` on each.
fn keeps(times: usize) -> Printer {
    printer(move |mut stream| async move {
        for _ in 0..times {
            if head(&mut stream).await.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            if stream.write_all(PAGE.as_bytes()).await.is_err() {
                return;
            }
        }
    })
}

#[tokio::test]
async fn a_connection_is_used_again_and_a_dead_one_is_replaced() {
    let site = Site::new(keeps(3));
    for number in 1..=7 {
        assert_eq!(site.get("/").await.body, "hello", "{number}");
    }
    assert_eq!(site.opened(), 3, "three requests on each");
}

#[tokio::test]
async fn a_session_holds_few_connections_however_much_is_asked() {
    let site = Arc::new(Site::new(keeps(1_000)));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let site = Arc::clone(&site);
        asking.spawn(async move { site.get("/").await.status });
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert!(site.opened() <= 6, "{}", site.opened());
}

#[tokio::test]
async fn more_at_once_than_a_session_carries_is_refused() {
    let site = Arc::new(Site::new(printer(async |mut stream: DuplexStream| {
        let _ = head(&mut stream).await;
        tokio::time::sleep(PATIENCE).await;
    })));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let site = Arc::clone(&site);
        asking.spawn(async move { site.get("/").await.status });
    }
    for _ in 0..8 {
        assert_eq!(asking.join_next().await.unwrap().unwrap(), 503);
    }
    assert_eq!(site.opened(), 6);
}

#[tokio::test]
async fn answers_of_old_printers_are_understood() {
    for (answer, body) in [
        (
            "HTTP/1.0 200 OK\r\n\r\nuntil it hangs up",
            "until it hangs up",
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nhi", "hi"),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "hi"),
        (
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more than it said",
            "hi",
        ),
    ] {
        let site = Site::new(says(answer));
        let read = site.get("/").await;
        assert_eq!(read.status, 200, "{answer}: {}", read.head);
        assert!(read.body.contains(body), "{answer}: {}", read.body);
        assert!(!read.head.contains("103 Early"), "{}", read.head);
        assert!(!read.body.contains("and more"), "{}", read.body);
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n\
                   3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-After: 1\r\nSet-Cookie: a=b\r\n\r\n";
    let read = Site::new(says(chunked)).get("/").await;
    assert!(read.is_whole);
    assert_eq!(read.body, "hello");
    assert!(!read.head.to_lowercase().contains("x-after"));
}
