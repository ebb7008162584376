//! Threads of the engine's own.

use std::io;
use std::thread::{Builder, JoinHandle};

use crate::types::ShardId;

/// Starts a named thread.
///
/// # Errors
/// The system's error: mostly a limit on threads or memory.
#[expect(clippy::disallowed_methods, reason = "the one place where shards' threads are started")]
pub fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name).spawn(body)
}

/// Ties the calling thread to the shard's own core, if this process may use that many; otherwise leaves it alone.
pub fn pin(shard: ShardId) {
    if let Err(error) = super::sys::pin_to_nth_core(usize::from(shard.value())) {
        log::debug!("shard {shard} is not tied to a core: {error}");
    }
}
