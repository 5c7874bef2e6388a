//! Two printers change addresses while a session with one of them is open: whoever looks sees the
//! printer that was asked for, or none.

use stories::PATIENCE;

use crate::person::{self, PAGE, Person, device, ip};

const FLEET: &str = "seed = 73\nfrozen = true\n\
                     [[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
                     addresses = \"127.73.0.1\"\nweb = { page = \"panel\", port = 8000 }\n\
                     [[printers]]\nrecording = \"hp-laserjet-m507dn\"\n\
                     addresses = \"127.73.0.2\"\nweb = { page = \"panel\", port = 8000 }\n";

/// The serial numbers of the two.
const KYOCERA: &str = "R4H0A00118";

/// Swaps while somebody looks.
const SWAPS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_never_sees_the_other_printer() {
    let rack = stories::rack(FLEET);
    let world = person::house(&rack, "127.73.0.1-4", 2).await;
    let person = Person::enters(&world, "a.martin");
    let kyocera = device(&world, "127.73.0.1");
    let (mut right, mut none, mut sessions) = (0, 0, 0);
    let mut session = None;
    for swap in 0..SWAPS {
        // Half of the swaps come while a session is open, half while one is about to open.
        let opens = || person.opens(&kyocera, PAGE);
        if swap % 2 == 0 {
            rack.swap(ip("127.73.0.1"), ip("127.73.0.2"))
                .await
                .expect("two printers");
        }
        if session.is_none() {
            session = opens().ok();
            sessions += 1;
        }
        if swap % 2 == 1 {
            rack.swap(ip("127.73.0.1"), ip("127.73.0.2"))
                .await
                .expect("two printers");
        }
        let Some(open) = session.clone() else {
            continue;
        };
        person.goes_in(&open);
        for _ in 0..5 {
            let answer = person.looks(&open, "/", &[]);
            if answer.body.contains(KYOCERA) {
                right += 1;
            } else {
                assert_ne!(answer.status, 200, "another printer was shown: {answer:?}");
                none += 1;
            }
        }
        if Person::hears(&world, &open)["state"] == "ended" {
            session = None;
        }
    }
    println!(
        "{SWAPS} swaps, {sessions} sessions: the right printer {right} times, none {none} times"
    );
    assert!(none > 0, "nobody looked while it was elsewhere");
    // How often it was seen in between is chance. After all of it, a new session shows the right one again.
    stories::until("the printer is shown again", PATIENCE, || async {
        let open = person.opens(&kyocera, PAGE).ok()?;
        person.goes_in(&open).body.contains(KYOCERA).then_some(())
    })
    .await;
}
