//! Who wakes a shard, and when: the flag, the two fences, and the end.

use std::sync::{Arc, OnceLock};

use super::sync::{AtomicU8, Fence, Ordering};
use crate::io::Wake;

/// The shard is awake and will look at its mailbox before it sleeps.
const AWAKE: u8 = 0;
/// The shard sleeps, or is about to; whoever changes this back to [`AWAKE`] wakes it.
const ASLEEP: u8 = 1;
/// The shard has ended.
const CLOSED: u8 = 2;

/// What a ring found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    /// The shard is awake, or has been woken by this or another ring.
    Open,
    /// The shard has ended; what was left to it is for the one who rang to drop.
    Closed,
}

/// A shard's doorbell: rung after something was left for the shard, it wakes the shard if it sleeps.
pub(super) struct Doorbell {
    state: AtomicU8,
    fence: Fence,
    waker: OnceLock<Arc<dyn Wake>>,
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::with_fence(Fence::new())
    }
}

impl Doorbell {
    /// One with a fence that a test may have left out.
    pub(super) fn with_fence(fence: Fence) -> Self {
        Self { state: AtomicU8::new(AWAKE), fence, waker: OnceLock::new() }
    }

    /// Says how the shard is woken, once.
    pub(super) fn register(&self, waker: Arc<dyn Wake>) {
        let first = self.waker.set(waker).is_ok();
        assert!(first, "a shard registers its waker once");
    }

    /// Shard: makes itself known as asleep, and then asks whether there is really nothing to do. True if so.
    pub(super) fn try_sleep(&self, nothing_to_do: impl FnOnce() -> bool) -> bool {
        assert!(self.waker.get().is_some(), "a shard registers its waker before it sleeps");
        // Release: who reads "asleep" also sees the waker.
        self.state.store(ASLEEP, Ordering::Release);
        self.fence.full();
        let sleeps = nothing_to_do();
        if !sleeps {
            self.awake();
        }
        sleeps
    }

    /// Shard: is up again. A wake that is on its way only makes its next sleep shorter.
    pub(super) fn awake(&self) {
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// Shard: has ended. What is left after this is for those who leave it to drop, what was left before for the
    /// shard, which looks after this.
    pub(super) fn close(&self) {
        self.state.store(CLOSED, Ordering::Release);
        self.fence.full();
    }

    /// Whether the shard has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// Sender: has left something.
    pub(super) fn ring(&self) -> Rung {
        self.fence.full();
        let mut state = self.state.load(Ordering::Acquire);
        if state == ASLEEP {
            // Of several who find it asleep, one wakes it.
            match self.state.compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => self.waker.get().expect("a shard registers its waker before it sleeps").wake(),
                Err(changed) => state = changed,
            }
        }
        if state == CLOSED { Rung::Closed } else { Rung::Open }
    }
}
