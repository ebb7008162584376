//! Whether a shard has ended by itself, for whoever waits for that: once it has, it stays so.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared by an engine and its shards.
#[derive(Default)]
pub(super) struct Failure {
    happened: Mutex<bool>,
    changed: Condvar,
}

impl Failure {
    /// Waits until it has happened or the time is up; says whether it has.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |happened| !*happened);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn note(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by a shard's thread for as long as the shard runs: dropping it says that the shard has ended, however it did.
pub(super) struct Ended {
    failure: Arc<Failure>,
}

impl Ended {
    /// For one shard.
    pub(super) fn new(failure: Arc<Failure>) -> Self {
        Self { failure }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.failure.note();
    }
}
