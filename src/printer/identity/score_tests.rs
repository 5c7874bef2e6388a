//! What the weights come to, case by case: each is one that a site has seen.

use jiff::SignedDuration;

use super::*;

const DAY: i64 = 24 * 60;

/// A printer: serial, MAC, model and count, so many minutes after the first.
fn printer(serial: &str, mac: &str, model: &str, total: Option<u64>, minutes: i64) -> Traits {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    Traits {
        keys: Fingerprint {
            serial: some(serial),
            mac: some(mac),
            engine_id: None,
        },
        told: Told {
            uuid: None,
            model: some(model),
            total,
            started: None,
            at: Some(at),
        },
    }
}

#[test]
fn the_cases_of_the_field_have_their_verdict_and_their_words() {
    use Place::{Elsewhere, Same as Here};
    use Verdict::{Doubtful, Likely, Other, Same};
    let known = printer("hp/a", "m1", "M507", Some(90_000), 0);
    let shy = printer("", "", "M507", Some(90_000), 0);
    let board_only = printer("", "m1", "M507", Some(90_000), 0);
    let p = |serial, mac, model, total: u64| printer(serial, mac, model, Some(total), DAY);
    let table = [
        (&known, p("hp/a", "m1", "M507", 90_300), Here, Same, ""),
        (&known, p("hp/a", "m1", "M507", 90_300), Elsewhere, Same, ""),
        (
            &known,
            p("hp/a", "m1", "M507", 12),
            Elsewhere,
            Likely,
            "its counter was set anew",
        ),
        (
            &known,
            p("hp/a", "m2", "M507", 90_300),
            Here,
            Same,
            "network board changed",
        ),
        (
            &known,
            p("hp/a", "m2", "M507", 90_300),
            Elsewhere,
            Likely,
            "network board changed",
        ),
        // With the counter on the board; or a printer of the same number.
        (
            &known,
            p("hp/a", "m2", "M507", 12),
            Here,
            Likely,
            "network board changed",
        ),
        (
            &known,
            p("hp/a", "m2", "M507", 190_000),
            Here,
            Doubtful,
            "two printers have one serial number",
        ),
        (
            &known,
            p("hp/a", "m2", "E60", 90_300),
            Elsewhere,
            Doubtful,
            "two printers have one serial number",
        ),
        (
            &known,
            p("hp/b", "m1", "M507", 12),
            Elsewhere,
            Other,
            "the network board moved to another printer",
        ),
        (
            &known,
            p("hp/b", "m1", "E60", 12),
            Here,
            Other,
            "the network board moved to another printer",
        ),
        (
            &known,
            p("hp/b", "m1", "M507", 90_300),
            Here,
            Doubtful,
            "its serial number was set anew",
        ),
        (
            &known,
            p("hp/b", "m2", "M507", 90_300),
            Here,
            Other,
            "another printer at this address",
        ),
        (
            &known,
            p("hp/b", "m2", "M507", 90_300),
            Elsewhere,
            Other,
            "two printers",
        ),
        (
            &board_only,
            p("hp/a", "m1", "M507", 90_080),
            Elsewhere,
            Likely,
            "only now",
        ),
        (
            &board_only,
            p("", "m2", "M507", 90_300),
            Here,
            Doubtful,
            "the same printer or another",
        ),
        (
            &board_only,
            p("", "m2", "M507", 12),
            Here,
            Doubtful,
            "the same printer or another",
        ),
        (
            &board_only,
            p("", "m2", "M507", 60_000),
            Here,
            Other,
            "another printer at this address",
        ),
        (
            &shy,
            p("hp/a", "m1", "M507", 90_300),
            Here,
            Doubtful,
            "keys it did not tell before",
        ),
        (&shy, p("hp/a", "m1", "M507", 12), Here, Doubtful, ""),
        (&shy, p("", "", "M507", 90_300), Here, Likely, ""),
        (
            &shy,
            p("", "", "M507", 12),
            Here,
            Doubtful,
            "the same printer or another",
        ),
        (&shy, p("", "", "E60", 90_300), Here, Doubtful, ""),
        (
            &shy,
            p("", "", "E60", 12),
            Here,
            Other,
            "another printer at this address",
        ),
    ];
    for (known, seen, place, verdict, words) in table {
        let score = weigh(known, &seen, place);
        assert_eq!(
            score.verdict,
            verdict,
            "{} {seen:?} {place:?}",
            score.words()
        );
        assert!(score.words().contains(words), "{}", score.words());
    }
    let score = weigh(
        &known,
        &p("hp/a", "m2", "", 90_300).keys_only(),
        Place::Elsewhere,
    );
    assert_eq!(score.words(), "same serial, new MAC: network board changed");
}

#[test]
fn a_printer_without_keys_that_runs_on_may_print_a_large_job() {
    let mut known = printer("", "", "M507", Some(90_000), 0);
    let mut seen = printer("", "", "M507", Some(91_000), 60);
    assert_eq!(weigh(&known, &seen, Place::Same).verdict, Verdict::Doubtful);
    known.told.started = Some(Timestamp::UNIX_EPOCH);
    seen.told.started = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(2));
    assert_eq!(weigh(&known, &seen, Place::Same).verdict, Verdict::Likely);
}

#[test]
fn keys_that_come_late_are_believed_of_a_printer_that_runs_on() {
    let mut known = printer("", "", "M507", Some(90_000), 0);
    let mut seen = printer("hp/a", "m1", "M507", Some(90_010), 60);
    known.told.started = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(weigh(&known, &seen, Place::Same).verdict, Verdict::Doubtful);
    seen.told.started = known.told.started;
    let score = weigh(&known, &seen, Place::Same);
    assert_eq!(score.verdict, Verdict::Likely);
    assert!(score.words().contains("only now"), "{}", score.words());
}

#[test]
fn a_uuid_and_an_engine_id_stand_in_for_a_mac() {
    let plain = printer("", "", "", None, 0);
    let with = |uuid: &str, engine: &str| {
        let mut traits = plain.clone();
        traits.told.uuid = Some(uuid.to_owned());
        traits.keys.engine_id = Some(engine.to_owned());
        traits
    };
    let verdict = |a: &Traits, b: &Traits| weigh(a, b, Place::Elsewhere).verdict;
    assert_eq!(
        verdict(&with("u1", "e1"), &with("u1", "e2")),
        Verdict::Likely
    );
    assert_eq!(
        verdict(&with("u1", "e1"), &with("u2", "e1")),
        Verdict::Other
    );
}

#[test]
fn the_models_name_is_no_serial_number() {
    assert!(!is_serial_of("LaserJet M507", "laserjet-m507"));
    assert!(is_serial_of("PHBBC12345", "LaserJet M507"));
}

#[test]
fn two_that_ran_at_once_are_two() {
    let hours = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
    let told = |started: i64, at: i64| {
        let mut it = printer("hp/a", "", "M507", Some(90_000), at * 60);
        it.told.started = Some(hours(started));
        it
    };
    let known = told(0, 10);
    let verdict = |seen: &Traits| weigh(&known, seen, Place::Elsewhere).verdict;
    assert!(
        !can_be((&known.keys, &known.told), &told(9, 11)),
        "it ran before the other was read"
    );
    assert_eq!(verdict(&told(9, 11)), Verdict::Other);
    assert!(
        can_be((&known.keys, &known.told), &told(10, 11)),
        "started since"
    );
    assert_eq!(verdict(&told(10, 11)), Verdict::Likely);
    assert_eq!(verdict(&told(0, 11)), Verdict::Same, "it runs on");
}

#[test]
fn whoever_can_be_another_is_excluded_by_what_does_not_change() {
    let known = printer("", "m1", "M507", Some(90_000), 0);
    let can = |serial, mac, model, total| {
        can_be(
            (&known.keys, &known.told),
            &printer(serial, mac, model, total, DAY),
        )
    };
    assert!(can("", "m2", "M507", Some(90_300)), "a new board");
    assert!(
        can("hp/a", "m2", "M507", Some(90_300)),
        "and a serial number told late"
    );
    assert!(
        can("", "m2", "M507", Some(40)),
        "and a counter that was on the board"
    );
    assert!(!can("", "m2", "E60", Some(90_300)), "another model");
    assert!(!can("", "m1", "M507", Some(60_000)), "no paper does that");
    assert!(!can("", "m1", "M507", Some(400_000)), "nor that");
    assert!(
        can("hp/a", "m2", "M507", Some(40)),
        "and all of that at once"
    );
    let named = printer("hp/a", "m1", "M507", Some(90_000), 0);
    let seen = |serial| printer(serial, "m2", "M507", Some(90_300), DAY);
    assert!(
        !can_be((&named.keys, &named.told), &seen("hp/b"))
            && !can_be((&named.keys, &named.told), &seen(""))
    );
    assert!(can_be((&named.keys, &named.told), &seen("hp/a")));
}

impl Traits {
    fn keys_only(&self) -> Self {
        (&self.keys).into()
    }
}
