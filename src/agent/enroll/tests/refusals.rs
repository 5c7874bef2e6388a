//! The rule of five at enrollment: what counts, what never does, and how to get out.

use futures_util::stream::{self, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::identity::refusals::{REFUSALS_MAX, Tally};

/// Attempts at once, where there are thousands.
const AT_ONCE: usize = 64;

fn tally(folder: &TempDir) -> Tally {
    Tally::load(folder.path()).expect("readable")
}

fn wrong(hub: &Hub) -> OneTimeCode {
    let code = format!("{}.{}", "z".repeat(26), hub.fingerprint);
    code.parse().expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_wrong_codes_at_once_five_count_and_the_agent_is_disabled() {
    let (hub, folder) = (hub("127.0.0.1").await, folder());
    let code = wrong(&hub);
    let tries = (0..100).map(|_| enroll_with(&hub, &code, &folder, false));
    let tried: Vec<_> = stream::iter(tries).buffer_unordered(100).collect().await;

    let mut counts = Vec::new();
    for result in &tried {
        match result {
            Err(EnrollError::Refused { tally, .. } | EnrollError::Disabled(tally)) => {
                counts.push(tally.refusals);
            }
            other => panic!("{other:?}"),
        }
    }
    counts.sort_unstable();
    assert_eq!(counts[..4], [1, 2, 3, 4], "each count was told once");
    assert!(counts[4..].iter().all(|count| *count == REFUSALS_MAX));
    assert_eq!(tally(&folder).refusals, REFUSALS_MAX);

    let asked = hub.asked.load(Ordering::Relaxed);
    let again = enroll_with(&hub, &code, &folder, false).await;
    assert!(matches!(again, Err(EnrollError::Disabled(_))), "{again:?}");
    assert_eq!(
        hub.asked.load(Ordering::Relaxed),
        asked,
        "the hub is not asked"
    );

    let new = format!("{SECRET}.{}", hub.fingerprint)
        .parse()
        .expect("a code");
    enroll_with(&hub, &new, &folder, true)
        .await
        .expect("a new code gets out");
    assert_eq!(tally(&folder), Tally::default());
}

#[tokio::test]
async fn what_something_on_the_way_refuses_does_not_count() {
    let (hub, folder) = (hub_with("127.0.0.1", true).await, folder());
    for _ in 0..10 {
        let refused = enroll_with(&hub, &wrong(&hub), &folder, false).await;
        assert!(
            matches!(refused, Err(EnrollError::Strange { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(tally(&folder), Tally::default());
}

/// A port behind which everything goes wrong: connections that are reset, that end, that speak
/// something else than TLS; in turn.
async fn broken() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        for turn in 0_u32.. {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let answer: &[u8] = match turn % 4 {
                // Closed unread: the client is sent a reset.
                0 => b"",
                1 => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                // A fatal alert, access_denied (49) (RFC 8446, section 6.2).
                2 => &[21, 3, 3, 0, 2, 2, 49],
                _ => &[0xff; 64],
            };
            let _ = stream.write_all(answer).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_network_errors_and_tls_failures_never_count() {
    let folder = folder();
    // A hub with another CA than the code's, one with another name, nobody, and noise.
    let (other, misnamed) = (hub("127.0.0.1").await, hub("hub.example.org").await);
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let nobody = closed.local_addr().expect("bound");
    drop(closed);
    let noise = broken().await;
    let code = format!("{SECRET}.{}", misnamed.fingerprint);
    let code: OneTimeCode = code.parse().expect("a code");
    let state_dir = folder.path();
    let urls = [
        (format!("https://{nobody}"), 5_000),
        (format!("https://{noise}"), 4_000),
        (format!("https://{}", other.address), 500),
        (format!("https://{}", misnamed.address), 500),
    ];
    let direct = dial::Route::direct();
    for (url, times) in &urls {
        let applicant = Applicant::new(Enrollment {
            url,
            code: &code,
            state_dir,
            name: "lyon-1",
            again: false,
            timeout: Duration::from_secs(30),
            route: &direct,
        });
        let applicant = applicant.expect("may ask");
        let asked = stream::iter((0..*times).map(|_| applicant.ask()));
        let failed: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        for failed in failed {
            assert!(
                matches!(
                    failed,
                    Err(EnrollError::Unreachable { .. } | EnrollError::Impostor { .. })
                ),
                "{url}: {failed:?}"
            );
        }
    }
    assert_eq!(tally(&folder), Tally::default());
    assert_eq!(misnamed.asked.load(Ordering::Relaxed), 0);
}
