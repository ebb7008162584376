//! loom's side: every load may see any value that the memory model allows, in every order of the threads.
//!
//! The queue is modelled, since loom cannot look into crossbeam's. A mutex alone would be too kind: its lock orders
//! whatever stands around it and would hide a missing fence. So whether the queue is empty is read from an atomic
//! that promises no more than the real queue does: who sees an item's count also sees the item.

use std::collections::VecDeque;

pub(in super::super) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use loom::sync::atomic::{AtomicUsize, fence};
pub(in super::super) use loom::sync::{Mutex, MutexGuard};

/// The model of a bounded queue.
pub(in super::super) struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    count: AtomicUsize,
    capacity: usize,
    blind: bool,
}

impl<T> Queue<T> {
    pub(in super::super) fn new(capacity: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), count: AtomicUsize::new(0), capacity, blind: false }
    }

    /// A queue whose second look is left out: [`Queue::is_empty`] always says yes.
    #[cfg(test)]
    pub(in super::super) fn blind(capacity: usize) -> Self {
        Self { blind: true, ..Self::new(capacity) }
    }

    pub(in super::super) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock().expect("no thread of a model panics holding it");
        if items.len() == self.capacity {
            return Err(item);
        }
        items.push_back(item);
        drop(items);
        self.count.fetch_add(1, Ordering::Release);
        Ok(())
    }

    pub(in super::super) fn pop(&self) -> Option<T> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let item = self.items.lock().expect("no thread of a model panics holding it").pop_front()?;
        self.count.fetch_sub(1, Ordering::Release);
        Some(item)
    }

    pub(in super::super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.blind || self.count.load(Ordering::Acquire) == 0
    }
}

/// The model of a fence, which a test may leave out.
#[derive(Debug)]
pub(in super::super) struct Fence {
    left_out: bool,
}

impl Fence {
    pub(in super::super) const fn new() -> Self {
        Self { left_out: false }
    }

    /// No fence at all.
    #[cfg(test)]
    pub(in super::super) fn left_out() -> Self {
        Self { left_out: true }
    }

    pub(in super::super) fn full(&self) {
        if !self.left_out {
            fence(Ordering::SeqCst);
        }
    }
}
