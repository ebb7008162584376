//! Threads of the engine's own, and the cores that they are tied to.
//!
//! A thread begins with the cores of the one that starts it. So whoever starts one from a shard's thread first asks
//! `Untied::of_this_thread`, or that would compete for the very core that the shard was to have for itself.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::sys::Cores;

/// Starts a named thread.
///
/// # Errors
/// The system's error: mostly a limit on threads or memory.
#[expect(clippy::disallowed_methods, reason = "the one place where shards' threads are started")]
pub fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name).spawn(body)
}

/// Cores that shards of this process have, whichever engine's they are.
static TAKEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

fn taken() -> MutexGuard<'static, BTreeSet<usize>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// What this thread might use before it was tied to one of them.
    static BEFORE: Cell<Option<Cores>> = const { Cell::new(None) };
}

/// A core that no other shard of this process gets until this is dropped.
pub struct Core(usize);

impl Core {
    /// One core for each of so many shards, of those that the calling thread may use; `None` for the shards for which none is
    /// left, which is warned of.
    #[must_use]
    pub fn take(shards: u16) -> Vec<Option<Self>> {
        let shards = usize::from(shards);
        let allowed: Vec<usize> = match Cores::of_this_thread() {
            Ok(cores) => cores.numbers().collect(),
            Err(error) => {
                log::warn!("no shard is tied to a core, since those of this process are not known: {error}");
                Vec::new()
            }
        };
        let mut taken = taken();
        let free: Vec<usize> = allowed.iter().copied().filter(|core| !taken.contains(core)).collect();
        if !allowed.is_empty() && free.len() < shards {
            log::warn!(
                "{} of {shards} shards are not tied to cores of their own: of {} cores that this process may use, its other \
                 engines have {}",
                shards - free.len(),
                allowed.len(),
                allowed.len() - free.len()
            );
        }
        let mut cores: Vec<_> = free.into_iter().take(shards).map(|core| Some(Self(core))).collect();
        taken.extend(cores.iter().flatten().map(|core| core.0));
        cores.resize_with(shards, || None);
        cores
    }

    /// Ties the calling thread to it. Where that fails the thread goes on as it is, and says so.
    pub fn tie(&self) {
        let tied = Cores::of_this_thread().and_then(|before| {
            Cores::one(self.0).allow()?;
            BEFORE.set(Some(before));
            Ok(())
        });
        if let Err(error) = tied {
            log::warn!("a shard's thread is not tied to core {}: {error}", self.0);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        taken().remove(&self.0);
    }
}

/// What a thread is to do first that a shard's thread starts.
#[derive(Clone, Copy)]
pub(super) struct Untied(Option<Cores>);

impl Untied {
    /// For threads that the calling one starts.
    pub(super) fn of_this_thread() -> Self {
        Self(BEFORE.get())
    }

    /// Lets the calling thread use what its starter might use before it was tied.
    pub(super) fn apply(self) {
        // Where that fails it does its work all the same, on the shard's core.
        let _ = self.0.map(|cores| cores.allow());
    }
}

#[cfg(test)]
mod tests;
