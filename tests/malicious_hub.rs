//! A hub that was taken over: it has the real keys and tries to make an agent do what its site never
//! allowed. Nothing it tries succeeds, and the site's log tells of each try.
//!
//! The agent's life is the real one over simulated printers, with the real desk of commands behind a
//! line that this test holds. What the hub's word can change goes through the agent's own program.

#[cfg(test)]
#[path = "malicious_hub/polls.rs"]
mod polls;
#[cfg(test)]
#[path = "malicious_hub/site.rs"]
mod site;
#[cfg(test)]
#[path = "malicious_hub/tries.rs"]
mod tries;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::v1::outcome::State;
    use snmp::{Message, Oid, Pdu, PduKind, Value, VarBind};
    use stories::{PATIENCE, until};

    use crate::polls::{A_LIE, LIES, Liar, Mood};
    use crate::site::Site;
    use crate::tries::{self, Expected, Try};

    /// Tries of one life: an agent looks at no more than 60 deliveries a minute.
    const TRIES_A_LIFE: usize = 40;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_that_a_hub_with_every_key_tries_succeeds_and_all_is_logged() {
        let all = tries::all();
        assert!(all.len() >= 40, "{} tries", all.len());
        let rack = Site::rack();
        for (number, some) in all.chunks(TRIES_A_LIFE).enumerate() {
            let mut site = Site::new(&rack).await;
            // The rack hears every address of loopback: a question to one where no printer stands
            // is counted, and after the first sweep there must be none.
            let before = rack.counts().await.empty;
            for attempt in some {
                is_withstood(&mut site, attempt).await;
            }
            assert_eq!(site.devices().await, 2, "life {number} knows its printers");
            let after = rack.counts().await.empty;
            assert_eq!(after, before, "life {number} asked where no printer stands");
            site.ends().await;
        }
        println!("{} tries, 0 succeeded", all.len());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_site_that_locks_nothing_still_has_its_ceiling() {
        let rack = Site::rack();
        let mut site = Site::unlocked(&rack).await;
        let before = rack.counts().await.empty;
        let all = tries::beyond_the_ceiling();
        for attempt in &all {
            is_withstood(&mut site, attempt).await;
        }
        assert!(!site.is_configured_by_the_hub(), "something was kept");
        let after = rack.counts().await.empty;
        assert_eq!(after, before, "it asked where no printer stands");
        site.ends().await;
        println!("{} tries, 0 succeeded", all.len());
    }

    /// Delivers one try, waits for what it must come to, and for the line in the log.
    async fn is_withstood(site: &mut Site, attempt: &Try) {
        let said_before = site.log().len();
        site.is_given(attempt.octets(site)).await;
        let name = attempt.name;
        match attempt.expected {
            Expected::Nothing => {
                let words = "something came as a command that is none";
                site.logs(said_before, words, name).await;
                assert_eq!(site.outcomes(), [], "{name} was answered");
            }
            Expected::Refused(words) => {
                let outcome = site.answers(name).await;
                assert_eq!(outcome.state(), State::Refused, "{name}: {outcome:?}");
                assert!(outcome.why.contains(words), "{name}: {}", outcome.why);
                site.logs(said_before, &outcome.command_id, name).await;
            }
            Expected::Expired => {
                let outcome = site.answers(name).await;
                assert_eq!(outcome.state(), State::Expired, "{name}: {outcome:?}");
                site.logs(said_before, &outcome.command_id, name).await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_command_is_done_once_and_another_under_its_id_never() {
        let rack = Site::rack();
        let mut site = Site::new(&rack).await;
        let id = tries::fresh_id();
        let good = tries::read_all(&site, &id);
        site.is_given(good.clone()).await;
        let first = site.answers("a good command").await;
        assert_eq!(first.state(), State::Done, "{first:?}");
        for _ in 0..5 {
            site.is_given(good.clone()).await;
            let again = site.answers("the same again").await;
            assert_eq!(again, first, "another answer");
        }
        let said_before = site.log().len();
        site.is_given(tries::walk_under(&site, &id)).await;
        assert_eq!(site.answers("another under its id").await, first);
        site.logs(
            said_before,
            "another command under an id that was used",
            "it",
        )
        .await;

        let site = site.restarted(&rack).await;
        let mut site = site;
        site.is_given(good).await;
        assert_eq!(
            site.answers("after a restart").await,
            first,
            "it was done again"
        );
        site.ends().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flood_is_not_answered_and_the_agent_lives() {
        let rack = Site::rack();
        let mut site = Site::new(&rack).await;
        let said_before = site.log().len();
        for _ in 0..2_000 {
            let id = tries::fresh_id();
            site.is_given(tries::ping_outside(&site, &id)).await;
        }
        site.logs(said_before, "too many commands at once", "a flood")
            .await;
        site.settles(Duration::from_secs(1)).await;
        let answered = site.outcomes().len();
        assert!(answered <= 60, "{answered} of 2,000 were looked at");
        assert_eq!(site.devices().await, 2);
        site.ends().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hub_that_lies_in_its_replies_gains_nothing_and_an_honest_one_gets_everything() {
        let rack = Site::rack();
        let folder = tempfile::tempdir().expect("a folder");
        let (liar, link) = Liar::listens(folder.path());
        let site = Site::of(&rack, link).await;
        for lie in LIES {
            liar.says(lie);
            let before = liar.polls();
            site.settles(A_LIE).await;
            let polls = liar.polls() - before;
            assert!(
                polls <= 60,
                "{lie:?} made the agent poll {polls} times in 3 s"
            );
            assert_eq!(site.devices().await, 2, "{lie:?}");
        }
        assert!(
            liar.polls() > 0,
            "nobody listened to the lies:\n{}",
            site.log()
        );
        liar.says(Mood::Honest);
        until("the honest hub has every report", PATIENCE, || async {
            let (last, waiting) = site.spool();
            // The lie of a hub that has more than there is makes a new epoch; the count goes on.
            let kept = liar.kept();
            let whole = (1..=last).all(|sequence| kept.contains(&sequence));
            (waiting == 0 && last > 0 && whole).then_some(())
        })
        .await;
        assert!(liar.renewals() > 0, "it wanted a new certificate");
        assert!(
            liar.identity_is_untouched(),
            "a stranger's certificate was taken"
        );
        site.ends().await;
    }

    #[test]
    fn there_is_no_way_to_say_set() {
        let set = Message {
            version: snmp::Version::V2c,
            community: b"public".to_vec(),
            pdu: Pdu {
                kind: PduKind::Set,
                request_id: 1,
                error_status: snmp::ErrorStatus::NoError,
                error_index: 0,
                varbinds: vec![VarBind::new(Oid::new(&[1, 3, 6, 1]), Value::Integer(1))],
            },
        };
        assert!(set.encode().is_err(), "a SET was encoded");
    }

    #[test]
    fn no_order_names_a_file_a_program_or_a_place_to_fetch_from() {
        let text = include_str!("../proto/command.proto").to_lowercase();
        let code: String = text
            .lines()
            .filter_map(|line| line.split("//").next())
            .collect();
        for word in [
            "path", "file", "url", "exec", "shell", "program", "verify", "insecure",
        ] {
            assert!(!code.contains(word), "command.proto has '{word}'");
        }
    }
}
