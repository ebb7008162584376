//! One reply on its way to a thread outside the shards.
//!
//! The shard's side never waits: the reply's place is touched by the other side only after it is marked ready, and a
//! waker that is just being replaced need not be woken, because its owner looks at the mark again right afterwards.

use std::fmt;
use std::sync::{Arc, PoisonError, TryLockError};
use std::task::{Poll, Waker};

use super::budget::Permit;
use super::sync::{AtomicBool, Fence, Mutex, Ordering};
use super::waking::wake;
use crate::request::Reply;

/// The two ends of one reply. `permit` is the request's room in its shard's budget, given back with the reply.
pub fn completion(permit: Permit) -> (Completer, Completion) {
    let slot = Arc::new(Slot::default());
    let completer = Completer { slot: Arc::clone(&slot), permit: Some(permit) };
    (completer, Completion { slot })
}

struct Slot {
    /// `None` also for a request that was dropped.
    reply: Mutex<Option<Reply>>,
    ready: AtomicBool,
    fence: Fence,
    waker: Mutex<Option<Waker>>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            reply: Mutex::new(None),
            ready: AtomicBool::new(false),
            fence: Fence::new(),
            waker: Mutex::new(None),
        }
    }
}

/// The shard's end. Dropping it without a reply says that there will be none.
#[must_use = "whoever waits for the reply is told that there is none"]
pub struct Completer {
    slot: Arc<Slot>,
    /// Until it is answered.
    permit: Option<Permit>,
}

impl Completer {
    /// Answers.
    pub fn complete(mut self, reply: Reply) {
        self.finish(Some(reply));
    }

    /// Whether nobody waits for the reply any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        // Each end holds the slot once, and a dropped one does not come back.
        Arc::strong_count(&self.slot) == 1
    }

    fn finish(&mut self, reply: Option<Reply>) {
        let Some(permit) = self.permit.take() else { return };
        let slot = &*self.slot;
        *slot.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
        // First, so that who learns of the reply finds room for the next request.
        drop(permit);
        slot.ready.store(true, Ordering::Release);
        slot.fence.full();
        let waker = match slot.waker.try_lock() {
            Ok(mut waker) => waker.take(),
            Err(TryLockError::Poisoned(waker)) => waker.into_inner().take(),
            // Its owner is in the middle of `Completion::poll` and looks at `ready` next.
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(waker) = waker {
            wake(waker);
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.finish(None);
    }
}

impl fmt::Debug for Completer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Completer")
    }
}

/// The asking thread's end. Dropping it leaves the request to take its course.
pub struct Completion {
    slot: Arc<Slot>,
}

impl Completion {
    /// Whether the reply is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.slot.ready.load(Ordering::Acquire)
    }

    /// The reply, once; `None` if the request was dropped unanswered. Until it is there, the waker given last is woken
    /// when it is.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Option<Reply>> {
        if !self.is_ready() {
            self.register(waker);
            // The mirror image of `Completer::finish`: registered, fence, look.
            self.slot.fence.full();
            if !self.is_ready() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.slot.reply.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    fn register(&self, waker: &Waker) {
        let mut known = self.slot.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completion({})", if self.is_ready() { "ready" } else { "under way" })
    }
}
