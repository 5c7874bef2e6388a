//! What ends a conversation that would not end, and what is said of it.

use std::time::Duration;

use actors::reach::credential::Credential;
use actors::reach::session::{Budget, Session};
use printer::mib;
use snmp::Oid;

use super::{Reader, address_of, fleet};

#[tokio::test(flavor = "multi_thread")]
async fn each_budget_ends_a_conversation_and_is_named() {
    let rack = stories::rack(&fleet());
    let reader = Reader::new(rack.port);
    let wide = Budget::of_a_reading();
    let few = Budget {
        pdus_max: 5,
        ..wide
    };
    let small = Budget {
        bytes_max: 4_096,
        ..wide
    };
    let short = Budget {
        time_max: Duration::from_millis(700),
        ..wide
    };
    let cases = [
        ("oid-endless", few, "5 questions"),
        ("oid-endless", small, "4 KiB of answers"),
        ("late-29s", short, "700ms"),
    ];
    for (name, budget, words) in cases {
        let place = address_of(name).parse().expect("an address");
        let credential = Credential::v2c("public");
        let target = reader.target(place);
        let mut session = Session::new(reader.snmp.clone(), target, credential, budget);
        let roots = [Oid::new(mib::MIB_2)];
        let (gathered, stopped) = session.gather(&roots).await;
        let stopped = stopped.expect("it goes on for ever").to_string();
        let named = format!("used up the budget of one reading: {words}");
        assert!(stopped.contains(&named), "{name}: {stopped}");
        assert!(session.pdus() <= budget.pdus_max);
        assert_eq!(
            gathered.is_empty(),
            name == "late-29s",
            "what was read is kept"
        );
    }
}
