//! The run's clock: nanoseconds since the run began.
//!
//! Producers and consumers live in one process, so that a monotonic clock serves for the send times in records too.

use std::ops::Add;
use std::time::{Duration, Instant};

/// A point in time: nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The time from `earlier` to here; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The same in whole microseconds, the unit of every histogram.
    pub fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}

impl Add<Duration> for Nanos {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Tells the time since the run began; copied to wherever it is needed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// The time since the run began.
    pub fn now(self) -> Nanos {
        Nanos::default() + self.began.elapsed()
    }
}
