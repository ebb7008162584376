//! Waking tasks: their wakers are somebody else's code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes a task. A panic of its waker is caught and logged: it would take the shard with it, whose thread this often is, or keep
/// the others who wait from being woken.
pub(super) fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        log::error!("the waker of a task has panicked; the task may not learn of its answer");
    }
}
