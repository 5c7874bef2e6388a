//! When a device is read: spread by its id, so that a thousand of them never start at second 0.
//!
//! Pure: takes the time, gives a delay.

use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;

/// How long until a device's next turn, when every device has one turn in each `period`.
///
/// The turn is a fixed phase of the period that the id decides. Right after a reading that was
/// early (the first one, or one on demand) the turn would be almost at once; a turn in less than
/// a quarter of the period is left out.
#[must_use]
pub fn until_turn(device: &DeviceId, period: Duration, now: Timestamp) -> Duration {
    let period_ms = i128::try_from(period.as_millis())
        .unwrap_or(i128::MAX)
        .max(1);
    let phase = i128::from(phase_of(device)) * period_ms / i128::from(u32::MAX);
    let wait = (phase - i128::from(now.as_millisecond())).rem_euclid(period_ms);
    let wait = if wait < period_ms / 4 {
        wait + period_ms
    } else {
        wait
    };
    Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))
}

/// The device's share of a short span: how it waits for its first reading.
#[must_use]
pub fn share_of(device: &DeviceId, span: Duration) -> Duration {
    span.mul_f64(f64::from(phase_of(device)) / f64::from(u32::MAX))
}

/// The id is a hash already: its first 32 bits are the phase.
fn phase_of(device: &DeviceId) -> u32 {
    let digits = device.as_str().get(..8).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use printer::identity::Fingerprint;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn device(n: u8) -> DeviceId {
        DeviceId::derive(&Fingerprint::default(), IpAddr::from([10, 0, 0, n]))
    }

    #[test]
    fn two_hundred_devices_never_share_a_second_by_the_dozen() {
        let now = Timestamp::UNIX_EPOCH;
        let mut minutes = [0_u32; 60];
        for n in 0..200 {
            let turn = now + until_turn(&device(n), HOUR, now);
            let minute = usize::try_from(turn.as_second() / 60 % 60).expect("a minute");
            minutes[minute] += 1;
        }
        assert!(minutes.iter().all(|devices| *devices < 15), "{minutes:?}");
        assert!(
            minutes.iter().filter(|devices| **devices > 0).count() > 40,
            "{minutes:?}"
        );
    }

    #[test]
    fn turns_are_one_period_apart() {
        let first = Timestamp::UNIX_EPOCH + until_turn(&device(1), HOUR, Timestamp::UNIX_EPOCH);
        assert_eq!(until_turn(&device(1), HOUR, first), HOUR);
    }

    #[test]
    fn an_early_reading_skips_a_turn_that_is_close() {
        let first = Timestamp::UNIX_EPOCH + until_turn(&device(1), HOUR, Timestamp::UNIX_EPOCH);
        let shortly_before = first - Duration::from_secs(60);
        let wait = until_turn(&device(1), HOUR, shortly_before);
        assert_eq!(wait, HOUR + Duration::from_secs(60));
    }

    #[test]
    fn first_readings_are_spread_over_the_whole_span() {
        let span = Duration::from_secs(10);
        let shares: Vec<Duration> = (0..100).map(|n| share_of(&device(n), span)).collect();
        assert!(shares.iter().all(|share| *share <= span));
        assert!(shares.iter().any(|share| *share < span / 10));
        assert!(shares.iter().any(|share| *share > span * 9 / 10));
    }
}
