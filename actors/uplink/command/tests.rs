//! The counter at the desk. What the desk does with a whole life behind it, tests/commands.rs and
//! tests/malicious_hub.rs of the stories show.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_flood_is_turned_away_and_a_minute_later_one_is_heard_again() {
    let (mut counter, begin) = (Counter::default(), Instant::now());
    let admitted = (0..1_000).filter(|_| counter.admit(begin)).count();
    assert_eq!(admitted, IN_HAND_MAX, "nobody has left");
    for _ in 0..IN_HAND_MAX {
        counter.leave();
    }
    let quick = (0..1_000).filter(|_| {
        let is_in = counter.admit(begin);
        if is_in {
            counter.leave();
        }
        is_in
    });
    assert_eq!(quick.count(), PER_MINUTE_MAX - IN_HAND_MAX);
    assert!(!counter.admit(begin + MINUTE));
    assert!(counter.admit(begin + MINUTE + Duration::from_secs(1)));
}
