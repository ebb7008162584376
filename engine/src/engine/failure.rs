//! Whether a shard has failed, for whoever waits for that: once one has, it stays so, and the engine stops.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::mailbox::{Mail, Peers};
use crate::types::ShardId;

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

/// Held by a shard's thread for as long as the shard runs. Where it is dropped although nobody has stopped the engine, the
/// shard has failed: the others are stopped, too. They could not go on without it: requests of theirs would never be answered,
/// and no topic would be made any more, since each shard has to know of it.
pub(super) struct Ended {
    failure: Arc<Failure>,
    stop: Arc<AtomicBool>,
    peers: Peers<Mail>,
}

impl Ended {
    /// For one shard.
    pub(super) fn new(failure: Arc<Failure>, stop: Arc<AtomicBool>, peers: Peers<Mail>) -> Self {
        Self { failure, stop, peers }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.stop.swap(true, Ordering::AcqRel) {
            wake_all(&self.peers);
            self.failure.note();
        }
    }
}

/// Wakes all shards.
pub(super) fn wake_all(peers: &Peers<Mail>) {
    for shard in 0..peers.shards() {
        peers.wake(ShardId::new(shard));
    }
}
