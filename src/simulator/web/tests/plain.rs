//! What sound printers and merely broken ones show, and what arrives at them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, at, exchange, fleet, get, post};

#[tokio::test]
async fn the_panel_shows_the_living_printer() {
    let running = fleet(
        "addresses = [\"127.51.1.1\", \"127.51.1.2\"]\nspeed = 1000.0\n\
         web = { page = \"panel\", port = 8080 }\n",
    );
    let (first, second) = (at("127.51.1.1", 8080), at("127.51.1.2", 8080));
    let status = get(first, "/", "").await;
    assert!(
        status.contains("<b id=\"model\">TASKalfa 4054ci</b>"),
        "{status}"
    );
    let serial = |page: &str| {
        let (_, rest) = page.split_once("id=\"serial\">").unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    assert!(serial(&status).len() > 5, "{status}");
    assert_ne!(serial(&status), serial(&get(second, "/", "").await));
    assert!(get(first, "/supplies", "").await.contains("%</td>"));
    let pages = || async {
        let page = get(first, "/counters", "").await;
        let (_, rest) = page.split_once("Total pages</th><td>").unwrap();
        rest.split('<').next().unwrap().parse::<u64>().unwrap()
    };
    let before = pages().await;
    running.jump(Duration::from_secs(3600)).await;
    assert!(pages().await > before + 1000);
    for (path, status) in [
        ("/about", 200),
        ("/style.css", 200),
        ("/logo.svg", 200),
        ("/x", 404),
    ] {
        let answer = get(first, path, "").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {answer}"
        );
    }
    let arrived = running
        .arrived("127.51.1.1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(arrived.requests[0].target, "/");
    assert!(arrived.requests_total >= 8);
}

#[tokio::test]
async fn links_frames_and_redirects_name_the_printers_own_address() {
    let running = fleet("addresses = \"127.51.1.3\"\nweb = { page = \"links\", port = 8080 }\n");
    let to = at("127.51.1.3", 8080);
    let page = get(to, "/links", "").await;
    assert!(
        page.contains("href=\"http://127.51.1.3:8080/old\""),
        "{page}"
    );
    assert!(
        get(to, "/frames", "")
            .await
            .contains("src=\"http://127.51.1.3:8080/menu\"")
    );
    assert!(
        get(to, "/base", "")
            .await
            .contains("<base href=\"http://127.51.1.3:8080/base/\">")
    );
    for (path, place) in [
        ("/old", "http://127.51.1.3:8080/new"),
        ("/moved", "http://127.51.1.3:8080/new?moved=1"),
        ("/kept", "new"),
        ("/bare", "//127.51.1.3:8080/new"),
        ("/secure", "https://127.51.1.3/new"),
    ] {
        let answer = get(to, path, "").await;
        assert!(
            answer.contains(&format!("\r\nlocation: {place}\r\n")),
            "{path}: {answer}"
        );
    }
    assert!(get(to, "/new", "").await.contains("arrived"));
    drop(running);
}

#[tokio::test]
async fn a_changed_setting_arrives_at_the_printer() {
    let running = fleet("addresses = \"127.51.1.4\"\nweb = { page = \"login\", port = 8080 }\n");
    let to = at("127.51.1.4", 8080);
    let address = "127.51.1.4".parse().unwrap();
    assert!(get(to, "/settings", "").await.contains("location: /login"));
    let refused = post(to, "/login", "", "user=admin&password=wrong").await;
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    let stranger = post(
        to,
        "/settings",
        "Cookie: SESSIONID=guess\r\n",
        "location=Cellar",
    )
    .await;
    assert!(stranger.contains("location: /login"), "{stranger}");
    let entered = post(to, "/login", "", "user=admin&password=printer").await;
    let (_, cookie) = entered.split_once("set-cookie: ").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let with = format!("Cookie: other=1; {cookie}\r\n");
    assert!(
        get(to, "/settings", &with)
            .await
            .contains("value=\"Ground floor\"")
    );
    post(
        to,
        "/settings",
        &with,
        "location=2nd+floor+%3Cb%3E&unknown=1",
    )
    .await;
    let page = get(to, "/settings", &with).await;
    assert!(page.contains("value=\"2nd floor &lt;b&gt;\""), "{page}");
    assert!(get(to, "/about", "").await.contains("2nd floor &lt;b&gt;"));
    let arrived = running.arrived(address).await.unwrap();
    assert_eq!(arrived.settings["location"], "2nd floor <b>");
    assert_eq!((arrived.logins, arrived.changes), (1, 1));
    get(to, "/logout", &with).await;
    assert!(
        get(to, "/settings", &with)
            .await
            .contains("location: /login")
    );
}

#[tokio::test]
async fn a_websocket_says_back_what_it_hears() {
    let running =
        fleet("addresses = \"127.51.1.5\"\nweb = { page = \"websocket\", port = 8080 }\n");
    let to = at("127.51.1.5", 8080);
    assert!(get(to, "/live", "").await.contains("new WebSocket"));
    let stream = TcpStream::connect(to).await.unwrap();
    let address = format!("ws://{to}/socket");
    let (mut socket, _) = tokio_tungstenite::client_async(address, stream)
        .await
        .unwrap();
    for text in ["hello", "printer"] {
        socket.send(Message::text(text)).await.unwrap();
        let heard = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        assert_eq!(heard.unwrap().unwrap(), Message::text(text));
    }
    let arrived = running
        .arrived("127.51.1.5".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(arrived.messages, 2);
    assert!(get(to, "/socket", "").await.starts_with("HTTP/1.1 426 "));
}

#[tokio::test]
async fn the_log_comes_whole_in_chunks_and_by_length() {
    let running = fleet("addresses = \"127.51.1.6\"\nweb = { page = \"log\", port = 8080 }\n");
    let to = at("127.51.1.6", 8080);
    let whole = get(to, "/log?mib=3", "").await;
    assert!(whole.contains("\r\ntransfer-encoding: chunked\r\n"));
    assert!(whole.ends_with("\r\n0\r\n\r\n"));
    let (head, body) = {
        let text = get(to, "/log?length=1&mib=3", "").await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.len())
    };
    assert!(
        head.contains(&format!("content-length: {}", 3 * 1024 * 1024)),
        "{head}"
    );
    assert_eq!(body, 3 * 1024 * 1024);
    let usual = exchange(
        to,
        b"HEAD /log?length=1 HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n",
    );
    let usual = String::from_utf8(usual.await).unwrap();
    assert!(
        usual.contains(&format!("content-length: {}", 200 * 1024 * 1024)),
        "{usual}"
    );
    drop(running);
}

#[tokio::test]
async fn a_firmware_is_measured_and_not_kept() {
    let running = fleet("addresses = \"127.51.1.7\"\nweb = { page = \"firmware\", port = 8080 }\n");
    let to = at("127.51.1.7", 8080);
    let firmware: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let digest = Sha256::digest(&firmware);
    let sha256: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    let said = format!("3000000 bytes, SHA-256 {sha256}\n");
    let mut put = b"PUT /firmware HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\
                    Content-Length: 3000000\r\n\r\n"
        .to_vec();
    put.extend_from_slice(&firmware);
    let answer = String::from_utf8(exchange(to, &put).await).unwrap();
    assert!(answer.ends_with(&said), "{answer}");

    let mut form =
        b"--B42\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.bin\"\r\n\
                     Content-Type: application/octet-stream\r\n\r\n"
            .to_vec();
    form.extend_from_slice(&firmware);
    form.extend_from_slice(b"\r\n--B42--\r\n");
    let head = format!(
        "POST /firmware HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=B42\r\n\r\n",
        form.len()
    );
    let answer = exchange(to, &[head.as_bytes(), &form].concat()).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.ends_with(&said), "{answer}");
    let arrived = running
        .arrived("127.51.1.7".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(arrived.uploads.len(), 2);
    assert_eq!(arrived.uploads[0], arrived.uploads[1]);
    assert_eq!(arrived.uploads[1].sha256, sha256);
}

#[tokio::test]
async fn a_raw_port_counts_and_a_talking_one_does_not_end() {
    let running = fleet(
        "addresses = \"127.51.1.8\"\nraw = 9100\nweb = [{ page = \"pjl\", port = 9101 },\
         { page = \"tarpit\", port = 9102 }]\n",
    );
    let address = "127.51.1.8".parse().unwrap();
    let mut stream = TcpStream::connect(at("127.51.1.8", 9100)).await.unwrap();
    stream.write_all(&vec![7; 1_000_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(running.arrived(address).await.unwrap().raw_bytes, 1_000_000);

    let mut talker = TcpStream::connect(at("127.51.1.8", 9101)).await.unwrap();
    let mut heard = vec![0; 1_000_000];
    talker.read_exact(&mut heard).await.unwrap();
    assert!(heard.starts_with(b"@PJL USTATUS DEVICE\r\n"));

    let mut stuck = TcpStream::connect(at("127.51.1.8", 9102)).await.unwrap();
    let mut octet = [0; 1];
    let nothing = tokio::time::timeout(Duration::from_millis(200), stuck.read(&mut octet));
    assert!(nothing.await.is_err(), "nobody takes this connection");
}

#[tokio::test]
async fn a_broken_printer_answers_octet_by_octet_as_described() {
    let running = fleet("addresses = \"127.51.1.9\"\nweb = { page = \"broken\", port = 8080 }\n");
    let to = at("127.51.1.9", 8080);
    let raw = |path: &'static str| async move {
        exchange(
            to,
            format!("GET {path} HTTP/1.1\r\nHost: p\r\n\r\n").as_bytes(),
        )
        .await
    };
    let old = raw("/http10").await;
    assert!(old.starts_with(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE"));
    assert!(old.ends_with(b"</html>\n"));
    let page = old.len() - b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n".len();
    let bare = raw("/bare-lf").await;
    assert!(bare.starts_with(b"HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: "));
    assert!(!bare.contains(&b'\r'));
    let said = |answer: &[u8]| {
        let text = String::from_utf8_lossy(answer).into_owned();
        let (_, rest) = text.split_once("Content-Length: ").unwrap();
        rest.split("\r\n").next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(said(&raw("/too-long").await), page + 20);
    assert_eq!(said(&raw("/too-short").await), page - 20);
    assert!(
        raw("/no-status-text")
            .await
            .starts_with(b"HTTP/1.1 200\r\n")
    );
    assert!(
        raw("/no-length")
            .await
            .starts_with(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    );
    assert!(
        raw("/latin1")
            .await
            .starts_with(b"HTTP/1.1 200 OK\r\nServer: B\xfcrodrucker\r\n")
    );
    assert!(
        raw("/folded")
            .await
            .starts_with(b"HTTP/1.1 200 OK\r\nServer: Printer\r\n\tof two lines\r\n")
    );
    let chunked = raw("/chunked10").await;
    assert!(chunked.starts_with(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n"));
    assert!(chunked.ends_with(b"</html>\n\r\n0\r\n\r\n"));
    drop(running);
}
