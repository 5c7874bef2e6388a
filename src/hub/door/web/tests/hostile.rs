//! Printers that attack: the hub, the browser, or each other's answers.

use super::*;

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_read_by_nobody() {
    for head in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5x",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999999",
        "Content-Length:",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        " Transfer-Encoding: chunked\r\nContent-Length: 5",
        "X: x\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding\r\n : chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=0.1",
        "Transfer-Encoding:\x0bchunked",
        "Location: /\rSet-Cookie: a=b\r\nContent-Length: 5",
        "Content-Length: 5\r\nX: \0",
        "X\r\nContent-Length: 5",
        ": x\r\nContent-Length: 5",
    ] {
        let site = Site::new(says(format!(
            "HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )));
        let answer = site.get("/").await;
        assert_eq!(answer.status, 502, "{head:?}: {}", answer.head);
        assert!(!answer.body.contains("hello"), "{head:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_called_whole() {
    for (head, body) in [
        ("Transfer-Encoding: chunked", "5\r\nhello\r\nZZ\r\nevil"),
        ("Transfer-Encoding: chunked", "5\r\nhelloXX0\r\n\r\n"),
        (
            "Transfer-Encoding: chunked",
            "5\r\nhello\r\nFFFFFFFFFFFFFFFFF\r\n",
        ),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("Content-Length: 50", "hello"),
    ] {
        let site = Site::new(says(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}")));
        let answer = site.get("/").await;
        assert!(!answer.is_whole, "{head} {body}: {}", answer.head);
    }
}

#[tokio::test]
async fn what_is_no_http_is_said_to_be_none() {
    for answer in [
        "",
        "\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/1.1 xx OK\r\n\r\n",
        "<html>HTTP/0.9</html>",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nevil",
        "\0\0\0\0",
    ] {
        let site = Site::new(says(answer));
        let read = site.get("/").await;
        assert_eq!(read.status, 502, "{answer:?}");
        assert!(read.body.contains("was not let through"), "{}", read.body);
        assert_eq!(site.opened(), 1, "{answer:?}: asked once");
    }
}

/// Says something for ever, and counts it.
fn forever(begin: &'static str, piece: &'static str) -> (Printer, Arc<AtomicUsize>) {
    let said = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&said);
    let printer = printer(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            let _ = head(&mut stream).await;
            let _ = stream.write_all(begin.as_bytes()).await;
            while stream.write_all(piece.as_bytes()).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    });
    (printer, said)
}

#[tokio::test]
async fn an_endless_head_is_bounded() {
    for (begin, piece) in [
        (
            "HTTP/1.1 200 OK\r\n",
            "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nX: ",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ),
        (
            "HTTP/1.1 200 ",
            "OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO",
        ),
        ("", "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH"),
        (
            "HTTP/1.1 200 OK\r\n",
            "Set-Cookie: a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
        ),
    ] {
        let (printer, said) = forever(begin, piece);
        let site = Site::new(printer);
        let answer = site.get("/").await;
        assert_eq!(answer.status, 502, "{begin:?}");
        let said = said.load(Ordering::SeqCst);
        assert!(said < 256 * 1024, "{begin:?}: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_printer_that_does_not_begin_to_answer_is_not_waited_for() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    for (begin, drip) in [
        ("", ""),
        ("HTTP/1.1 200 OK\r\nX: ", "H"),
        (interim, interim),
    ] {
        let site = Site::new(printer(move |mut stream| async move {
            let _ = head(&mut stream).await;
            let _ = stream.write_all(begin.as_bytes()).await;
            loop {
                tokio::time::sleep(Duration::from_secs(30)).await;
                if stream.write_all(drip.as_bytes()).await.is_err() {
                    return;
                }
            }
        }));
        let mut browser = site.connect();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
            site.authority, site.cookie
        );
        let began = tokio::time::Instant::now();
        browser.write_all(request.as_bytes()).await.unwrap();
        let answer = head(&mut browser).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 504 "), "{drip}: {answer}");
        assert!(began.elapsed() < Duration::from_secs(120), "{drip}");
    }
}

#[tokio::test]
async fn a_printer_cannot_toss_cookies_at_anybody() {
    let mut head = String::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for cookie in [
        "__Host-platen=x; Path=/; Secure",
        "__Host-platen-session=x; Path=/; Secure",
        "__HOST-PLATEN-SESSION=x",
        "platen_session_8080=x",
        "platen_8080=x; Domain=localhost",
        "a=1; Domain=hub.example.org",
        "b=1; Domain=.example.org; Domain=org",
        "c=1; domain=\"hub.example.org\"",
        "d=1;Domain=s-0.dwa.hub.example.org",
    ] {
        head += &format!("Set-Cookie: {cookie}\r\n");
    }
    let answer = Site::new(says(head + "\r\n")).get("/").await;
    let set = answer.all("set-cookie");
    assert_eq!(set.len(), 4, "{set:?}");
    for cookie in set {
        let cookie = cookie.to_ascii_lowercase();
        assert!(
            !cookie.contains("domain") && !cookie.contains("platen"),
            "{cookie}"
        );
    }
    // Two hundred of 4 KiB are more than any head may be; those that fit are too many to be sent
    // back.
    let big = |count: usize| {
        let lines: String = (0..count)
            .map(|number| format!("Set-Cookie: c{number}={}\r\n", "x".repeat(4_000)))
            .collect();
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n")
    };
    assert_eq!(Site::new(says(big(200))).get("/").await.status, 502);
    let answer = Site::new(says(big(15))).get("/").await;
    assert_eq!(answer.all("set-cookie").len(), 1);
}

#[tokio::test]
async fn a_redirect_to_elsewhere_is_shown_and_not_followed() {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:8080/",
        "https://hub.example.org/agents/x/commands",
        "//evil.example/<script>",
        "http://10.0.4.18/",
        "javascript:alert(1)",
    ] {
        for status in [301, 302, 303, 307, 308] {
            let site = Site::new(says(format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nevil"
            )));
            let answer = site.get("/").await;
            assert_eq!(answer.status, 502, "{location}");
            assert!(answer.header("location").is_none(), "{location}");
            assert!(answer.body.contains("not followed"), "{}", answer.body);
            assert!(!answer.body.contains("<script"), "{}", answer.body);
            assert!(!answer.body.contains("evil<"), "{}", answer.body);
            assert_eq!(site.opened(), 1);
        }
    }
}

#[tokio::test]
async fn a_redirect_loop_is_the_browsers_to_end() {
    let site = Site::new(says(
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    ));
    for times in 1..=5 {
        assert_eq!(site.get("/").await.status, 302);
        assert_eq!(site.opened(), times, "one question, one connection");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\
                       Content-Length: 4\r\n\r\n"
        .to_vec();
    answer.extend(b"\x1fBMB");
    let read = Site::new(says(answer)).get("/").await;
    assert_eq!(read.header("content-encoding"), Some("gzip"));
    assert_eq!(read.body, "\x1fBMB");
}

#[tokio::test]
async fn an_answer_too_many_is_nobodys() {
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
    for first in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
    ] {
        let both = format!("{first}{smuggled}");
        let site = Site::new(printer(move |mut stream| {
            let both = both.clone();
            async move {
                while head(&mut stream).await.is_some() {
                    if stream.write_all(both.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }));
        for number in 1..=20 {
            let answer = site.get("/").await;
            assert!(answer.status < 400, "{first} {number}: {}", answer.head);
            assert!(!answer.body.contains("smuggled"), "{first} {number}");
        }
    }
}
