//! Reads from the disk, kept from standing in the writes' way.
//!
//! A device serves what it is given more or less in turn: four megabytes of reads in its queue are several milliseconds
//! in which a flush waits, and its appends with it. So while anybody appends, on whichever core, the whole engine has one
//! small read in flight at a time, and then leaves the disk alone for as long as that read took. An append waits for
//! half a read more, on the average, and readers still get half of what the disk could give them. Where nobody appends,
//! as many reads are in flight as keep the device busy.
//!
//! A read that is made smaller completes short, as any read may, and its owner asks for the rest, behind the others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::io::{Io, Op, Token};
use crate::limits;
use crate::types::Nanos;

/// What the shards of an engine tell each other about their disk. Moments are nanoseconds, and nothing but themselves is
/// published by them: a late look costs a little time.
#[derive(Clone, Debug, Default)]
pub struct DiskUse(Arc<Moments>);

#[derive(Debug, Default)]
struct Moments {
    /// When a log was last written to; 0 for never.
    last_write: AtomicU64,
    /// When the next read beside writes may start.
    free_at: AtomicU64,
}

impl DiskUse {
    /// A write starts.
    pub fn note_write(&self, now: Nanos) {
        self.0.last_write.store(since_zero(now).max(1), Ordering::Relaxed);
    }

    /// Whether somebody has written of late.
    fn is_written_to(&self, now: Nanos) -> bool {
        let last = self.0.last_write.load(Ordering::Relaxed);
        last > 0 && now.since(Nanos::new(last)) < limits::READS_YIELD_MS * 1_000_000
    }

    /// Takes the turn to read until `until`, or says when to try again.
    fn take_turn(&self, now: Nanos, until: Nanos) -> Result<(), Nanos> {
        let free_at = self.0.free_at.load(Ordering::Relaxed);
        if free_at > since_zero(now) {
            return Err(Nanos::new(free_at));
        }
        let taken =
            self.0.free_at.compare_exchange(free_at, since_zero(until), Ordering::Relaxed, Ordering::Relaxed);
        taken.map(|_| ()).map_err(Nanos::new)
    }

    /// The turn is over; the next one may begin at `next`.
    fn end_turn(&self, next: Nanos) {
        self.0.free_at.store(since_zero(next), Ordering::Relaxed);
    }
}

fn since_zero(moment: Nanos) -> u64 {
    moment.since(Nanos::new(0))
}

/// The reads of one shard that wait, and how many are in flight.
pub struct Gate<F> {
    disk: DiskUse,
    waiting: VecDeque<(Token, Op<F>)>,
    in_flight: usize,
    /// When the read began that has the turn.
    turn_since: Option<Nanos>,
    /// How long a turn takes, with the pause after it.
    turn_nanos: u64,
    /// When to try again, where nothing of this shard is in flight that would tell.
    retry_at: Option<Nanos>,
}

impl<F> Gate<F> {
    /// A gate to the disk that `disk` is about.
    pub fn new(disk: DiskUse) -> Self {
        let turn_nanos = limits::READ_TURN_NANOS_MAX;
        Self { disk, waiting: VecDeque::new(), in_flight: 0, turn_since: None, turn_nanos, retry_at: None }
    }

    /// Queues a read.
    pub fn push(&mut self, token: Token, op: Op<F>) {
        self.waiting.push_back((token, op));
    }

    /// A write starts.
    pub fn note_write(&self, now: Nanos) {
        self.disk.note_write(now);
    }

    /// A read has ended. Reads that began before the one with the turn may end first; that makes a pause a little shorter.
    pub fn ended(&mut self, now: Nanos) {
        self.in_flight -= 1;
        if let Some(since) = self.turn_since.take() {
            let took = now.since(since).min(limits::READ_TURN_NANOS_MAX / 2);
            self.turn_nanos = (self.turn_nanos * 7 + took * 2) / 8;
            self.disk.end_turn(now.plus(took));
        }
    }

    /// Submits what may be in flight.
    pub fn open<I: Io<Fs = F>>(&mut self, io: &mut I) {
        self.retry_at = None;
        if self.waiting.is_empty() {
            return;
        }
        let now = io.now();
        if !self.disk.is_written_to(now) {
            while self.in_flight < limits::READS_MAX
                && let Some((token, op)) = self.waiting.pop_front()
            {
                self.in_flight += 1;
                io.submit(token, op);
            }
            return;
        }
        if self.in_flight > 0 {
            return;
        }
        match self.disk.take_turn(now, now.plus(self.turn_nanos)) {
            Err(later) => self.retry_at = Some(later),
            Ok(()) => {
                let (token, mut op) = self.waiting.pop_front().expect("it is not empty");
                if let Op::Read { len, .. } = &mut op {
                    *len = (*len).min(limits::READ_BESIDE_WRITES_BYTES);
                }
                self.turn_since = Some(now);
                self.in_flight = 1;
                io.submit(token, op);
            }
        }
    }

    /// When it wants to be opened again.
    pub fn retry_at(&self) -> Option<Nanos> {
        self.retry_at
    }
}

#[cfg(test)]
mod tests;
