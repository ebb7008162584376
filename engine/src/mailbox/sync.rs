//! The primitives that the mailbox's protocols stand on: the real ones, or loom's models of them under `cfg(loom)`.
//!
//! The protocols themselves are written once and never ask which of the two they run on.

#[cfg(loom)]
mod model;

#[cfg(loom)]
pub(super) use model::{AtomicBool, AtomicU8, AtomicU32, Fence, Mutex, MutexGuard, Ordering, Queue};
#[cfg(not(loom))]
pub(super) use {
    real::{Fence, Queue},
    std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    std::sync::{Mutex, MutexGuard},
};

#[cfg(not(loom))]
mod real {
    use std::sync::atomic::{Ordering, fence};

    use crossbeam_queue::ArrayQueue;

    /// A bounded queue, many senders, many receivers.
    pub(in super::super) struct Queue<T>(ArrayQueue<T>);

    impl<T> Queue<T> {
        pub(in super::super) fn new(capacity: usize) -> Self {
            Self(ArrayQueue::new(capacity))
        }

        pub(in super::super) fn push(&self, item: T) -> Result<(), T> {
            self.0.push(item)
        }

        pub(in super::super) fn pop(&self) -> Option<T> {
            self.0.pop()
        }

        pub(in super::super) fn len(&self) -> usize {
            self.0.len()
        }

        pub(in super::super) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    /// A sequentially consistent fence; a value of its own so that a test can leave one out.
    #[derive(Debug)]
    pub(in super::super) struct Fence;

    impl Fence {
        pub(in super::super) const fn new() -> Self {
            Self
        }

        pub(in super::super) fn full(&self) {
            fence(Ordering::SeqCst);
        }
    }
}
