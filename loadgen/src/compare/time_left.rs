//! How long a comparison will still take: what each measurement should take, corrected by what the finished ones took.

use std::cell::Cell as Shared;
use std::time::Duration;

use super::cell::Cell;
use super::plan::Plan;

/// The estimate while measurements are being made.
pub struct TimeLeft {
    /// What is still to be made, as expected.
    expected: Shared<Duration>,
    /// What is finished: as expected, and as it was.
    finished: Shared<(Duration, Duration)>,
}

impl TimeLeft {
    /// Before the first of the measurements in `todo`.
    pub fn new(plan: &Plan, todo: &[&Cell]) -> Self {
        let expected = todo.iter().map(|cell| cell.expected(plan)).sum();
        Self { expected: Shared::new(expected), finished: Shared::default() }
    }

    /// Notes that a measurement took `real` where `expected` was.
    pub fn done(&self, expected: Duration, real: Duration) {
        self.expected.set(self.expected.get().saturating_sub(expected));
        let (so_far, took) = self.finished.get();
        self.finished.set((so_far + expected, took + real));
    }

    /// The estimate.
    fn left(&self) -> Duration {
        /// Expectations count as much as so much of what was seen, lest one slow measurement decide.
        const TRUST: Duration = Duration::from_secs(120);
        let (expected, took) = self.finished.get();
        self.expected.get().mul_f64((took + TRUST).as_secs_f64() / (expected + TRUST).as_secs_f64())
    }

    /// The estimate for people.
    pub fn words(&self) -> String {
        let seconds = self.left().as_secs();
        if seconds < 100 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
    }
}

#[cfg(test)]
mod tests;
