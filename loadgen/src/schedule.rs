//! The open-loop schedule: when each batch of a run is *meant* to be sent, whatever the broker does.
//!
//! Latency counts from these times, so that a stalled broker is charged for every batch that it kept waiting
//! (what is called coordinated omission otherwise).

use std::time::Duration;

use crate::clock::Nanos;

/// Every `stride`-th batch of the run's schedule: one connection's share.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    origin: Nanos,
    /// Time between two batches of the whole run, in picoseconds: at 10 M batches/s a nanosecond would be 1 % off.
    interval_ps: u128,
    next: u64,
    stride: u64,
}

impl Schedule {
    /// The share of connection `index` out of `connections`, of a run that sends `records_per_second` in batches of
    /// `batch_records`, the first at `origin`.
    pub fn new(
        origin: Nanos,
        records_per_second: u64,
        batch_records: u32,
        index: usize,
        connections: usize,
    ) -> Self {
        let interval_ps =
            u128::from(batch_records) * 1_000_000_000_000 / u128::from(records_per_second.max(1));
        Self { origin, interval_ps, next: index as u64, stride: connections as u64 }
    }

    /// The intended send time of this connection's next batch.
    pub fn next_due(&self) -> Nanos {
        let ns = self.interval_ps * u128::from(self.next) / 1000;
        self.origin + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// Moves on to the batch after it.
    pub fn advance(&mut self) {
        self.next += self.stride;
    }
}

#[cfg(test)]
mod tests;
