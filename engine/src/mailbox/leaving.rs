//! Shards end together: one that has nothing left to do stays until none has, since another may still ask it.
//!
//! Each says when it is ready, and takes that back where something comes. Who waits for another's answer is not ready. So at
//! the moment when all of them are counted nothing is on its way between them, and nothing will be.

use super::sync::{AtomicU32, Ordering};

/// How many of an engine's shards have nothing left to do.
pub(super) struct Leaving {
    shards: u32,
    /// Shards that are ready, and those that are gone.
    ready: AtomicU32,
    /// Shards that are gone without having been ready: they have failed, or have run out of time.
    gone: AtomicU32,
}

impl Leaving {
    /// None of so many is ready.
    pub(super) fn new(shards: u16) -> Self {
        Self { shards: u32::from(shards), ready: AtomicU32::new(0), gone: AtomicU32::new(0) }
    }

    /// A shard is ready. Says whether it was the last one.
    pub(super) fn add(&self) -> bool {
        self.ready.fetch_add(1, Ordering::AcqRel) + 1 == self.shards
    }

    /// A shard that was ready has something to do again.
    pub(super) fn take_off(&self) {
        self.ready.fetch_sub(1, Ordering::AcqRel);
    }

    /// A shard that was not ready has ended. Nobody waits for it.
    pub(super) fn lose(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
        self.gone.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether all are ready.
    pub(super) fn are_all(&self) -> bool {
        self.ready.load(Ordering::Acquire) == self.shards
    }

    /// How many have ended without having been ready.
    pub(super) fn gone(&self) -> u32 {
        self.gone.load(Ordering::Acquire)
    }
}
