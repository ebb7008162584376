//! Which threads are shards': there, waiting for a shard would be waiting for oneself.

use std::cell::Cell;

thread_local! {
    static IS_SHARD: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread is a shard's, for as long as it lives: blocking calls then fail instead of waiting.
pub fn mark_shard_thread() {
    IS_SHARD.set(true);
}

/// Whether this thread is a shard's.
#[must_use]
pub fn is_shard_thread() -> bool {
    IS_SHARD.get()
}
