//! A moment on two clocks.

/// A moment, as two clocks show it: one that is never set but may stand still while the machine sleeps, and the wall's, which
/// goes on but can be set. What ends on either has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    ticks: u64,
    wall: u64,
}

impl Moment {
    /// Later than any other.
    pub const NEVER: Self = Self {
        ticks: u64::MAX,
        wall: u64::MAX,
    };

    /// `ticks` in nanoseconds since any fixed moment, `wall` in milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn new(ticks: u64, wall: u64) -> Self {
        Self { ticks, wall }
    }

    /// Nanoseconds on the clock that is never set.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.ticks
    }

    /// Milliseconds since 1970-01-01T00:00:00Z on the wall's clock.
    #[must_use]
    pub const fn wall(self) -> u64 {
        self.wall
    }

    /// The moment so many milliseconds later.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self {
            ticks: self.ticks.saturating_add(millis.saturating_mul(1_000_000)),
            wall: self.wall.saturating_add(millis),
        }
    }

    /// What comes first, on each clock.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self {
            ticks: self.ticks.min(other.ticks),
            wall: self.wall.min(other.wall),
        }
    }

    /// Whether something that ends at `self` has ended at `now`, on either clock.
    #[must_use]
    pub const fn has_passed(self, now: Self) -> bool {
        self.ticks <= now.ticks || self.wall <= now.wall
    }
}
