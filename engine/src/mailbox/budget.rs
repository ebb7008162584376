//! How much the threads outside the shards may have under way at one shard.

use std::fmt;
use std::sync::{Arc, PoisonError};

use super::sync::{AtomicU32, Condvar, Fence, Mutex, Ordering};

/// A number of requests that may be under way, shared by all threads. Taking and giving back are an atomic operation
/// each; a lock is taken, and anybody woken, only while a thread waits for room.
pub struct Budget {
    left: AtomicU32,
    total: u32,
    waiting: AtomicU32,
    fence: Fence,
    room: Mutex<()>,
    freed: Condvar,
}

impl Budget {
    /// Room for `total` requests.
    #[must_use]
    pub fn new(total: u32) -> Self {
        Self::with_fence(total, Fence::new())
    }

    /// One with a fence that a test may have left out.
    pub(super) fn with_fence(total: u32, fence: Fence) -> Self {
        Self {
            left: AtomicU32::new(total),
            total,
            waiting: AtomicU32::new(0),
            fence,
            room: Mutex::new(()),
            freed: Condvar::new(),
        }
    }

    /// Room for one request; `None` while all of it is taken.
    #[must_use]
    pub fn try_take(self: &Arc<Self>) -> Option<Permit> {
        self.take().then(|| Permit { budget: Arc::clone(self) })
    }

    /// Room for one request; waits until there is some. Not for a shard's own thread, which may be the one to free it.
    #[must_use]
    pub fn take_waiting(self: &Arc<Self>) -> Permit {
        if !self.take() {
            self.wait_and_take();
        }
        Permit { budget: Arc::clone(self) }
    }

    /// Requests that may still be sent.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn wait_and_take(&self) {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        loop {
            // Says that it waits, then looks; `put_back` gives back, then looks for who waits.
            self.fence.full();
            if self.take() {
                break;
            }
            room = self.freed.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn put_back(&self) {
        let left = self.left.fetch_add(1, Ordering::AcqRel);
        assert!(left < self.total, "more room is given back than was taken");
        self.fence.full();
        if self.waiting.load(Ordering::Relaxed) > 0 {
            // Who has looked in vain and is about to wait holds the lock until it does.
            drop(self.room.lock().unwrap_or_else(PoisonError::into_inner));
            self.freed.notify_one();
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {} left)", self.left(), self.total)
    }
}

/// Room for one request, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.put_back();
    }
}
