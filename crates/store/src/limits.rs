//! Rate limits: the generic cell rate algorithm. A bucket is one number, the time at which it will be full again.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;

use crate::records::Rate;

/// A rate in the numbers of the algorithm, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// How long a permit takes to grow back.
    pub(crate) interval: u64,
    /// How far ahead of now the bucket's time may be.
    pub(crate) tolerance: u64,
}

/// What asking for a permit gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// There was one; the bucket's new time.
    Taken(u64),
    /// There was none.
    Wait(Duration),
}

impl Bucket {
    /// A rate of 0 in a period gives one in a period: closing an endpoint is not what a limit is for.
    pub(crate) fn new(rate: Rate) -> Self {
        let period = u64::try_from(rate.period.as_micros()).unwrap_or(u64::MAX);
        let interval = (period / u64::from(rate.count.max(1))).clamp(1, MICROS_OF_A_YEAR);
        Self {
            interval,
            tolerance: interval.saturating_mul(u64::from(rate.burst.max(1))),
        }
    }

    /// Takes a permit from a bucket whose time is `full_at`. A time further ahead than the bucket is deep comes from a
    /// clock that was wrong, and counts as the deepest.
    pub(crate) fn take(self, full_at: Option<u64>, now: Timestamp) -> Permit {
        let now = micros(now);
        let deepest = now.saturating_add(self.tolerance);
        let next = full_at
            .unwrap_or(now)
            .clamp(now, deepest)
            .saturating_add(self.interval);
        if next > deepest {
            Permit::Wait(Duration::from_micros(next - deepest))
        } else {
            Permit::Taken(next)
        }
    }
}

const MICROS_OF_A_YEAR: u64 = 31_536_000_000_000;

/// Microseconds since the epoch.
pub(crate) const fn micros(time: Timestamp) -> u64 {
    time.millis().saturating_mul(1000)
}

/// When a bucket that is full again at `micros` may go.
pub(crate) const fn ends_at(micros: u64) -> Timestamp {
    Timestamp::from_millis(micros.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_an_interval() {
        let bucket = Bucket::new(Rate {
            count: 20,
            period: Duration::from_secs(3600),
            burst: 2,
        });
        let start = Timestamp::from_secs(1_000_000);
        let Permit::Taken(one) = bucket.take(None, start) else {
            panic!("the first permit")
        };
        let Permit::Taken(two) = bucket.take(Some(one), start) else {
            panic!("the second permit")
        };
        assert_eq!(
            bucket.take(Some(two), start),
            Permit::Wait(Duration::from_secs(180))
        );
        let later = start.plus(Duration::from_secs(180));
        assert!(matches!(bucket.take(Some(two), later), Permit::Taken(_)));
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_lock_the_bucket() {
        let bucket = Bucket::new(Rate {
            count: 1,
            period: Duration::from_secs(1),
            burst: 1,
        });
        let now = Timestamp::from_secs(1000);
        assert_eq!(
            bucket.take(Some(micros(Timestamp::from_secs(9_999_999))), now),
            Permit::Wait(Duration::from_secs(1))
        );
    }

    #[test]
    fn odd_rates_do_not_divide_by_nothing() {
        for (count, burst, period) in [(0, 0, Duration::ZERO), (u32::MAX, u32::MAX, Duration::MAX)] {
            let bucket = Bucket::new(Rate { count, period, burst });
            assert!(matches!(
                bucket.take(None, Timestamp::from_secs(1)),
                Permit::Taken(_)
            ));
        }
    }
}
