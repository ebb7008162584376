//! The records of one gathered batch, which all learn of its one answer.
//!
//! As with a [`completion`](super::completion), the shard's side never waits: where it finds the list of waiting tasks
//! locked, whoever holds it looks for the answer right afterwards.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, TryLockError};
use std::task::{Poll, Waker};

use super::bounds::Bounds;
use super::sync::{AtomicBool, Fence, Mutex, Ordering};
use super::waking::wake;
use crate::error::Error;
use crate::request::Reply;
use crate::types::Offset;

/// What the records of one batch share.
pub struct Group {
    /// The batch's base offset.
    answer: OnceLock<Result<Offset, Error>>,
    ready: AtomicBool,
    fence: Fence,
    /// Tasks of records, each in a place of its own; `None` where the record is no longer waited for.
    waiting: Mutex<Vec<Option<Waker>>>,
}

impl Default for Group {
    fn default() -> Self {
        Self::with_fence(Fence::new())
    }
}

impl Group {
    /// One with a fence that a test may have left out.
    pub(super) fn with_fence(fence: Fence) -> Self {
        Self {
            answer: OnceLock::new(),
            ready: AtomicBool::new(false),
            fence,
            waiting: Mutex::new(Vec::new()),
        }
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Changes the list of who waits, from outside the shards.
    fn with_waiting(&self, change: impl FnOnce(&mut Vec<Option<Waker>>)) {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        // The mirror image of `finish`: unlocked, fence, look.
        self.fence.full();
        if self.is_ready() {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            waiting.into_iter().flatten().for_each(wake);
        }
    }

    fn finish(&self, answer: Result<Offset, Error>) {
        let first = self.answer.set(answer).is_ok();
        assert!(first, "a batch is answered once");
        self.ready.store(true, Ordering::Release);
        self.fence.full();
        let waiting = match self.waiting.try_lock() {
            Ok(mut waiting) => std::mem::take(&mut *waiting),
            Err(TryLockError::Poisoned(waiting)) => std::mem::take(&mut *waiting.into_inner()),
            // Its holder is in the middle of `with_waiting`.
            Err(TryLockError::WouldBlock) => return,
        };
        waiting.into_iter().flatten().for_each(wake);
    }
}

/// The shard's end of a batch's answer. Dropping it without one says that there will be none.
#[must_use = "whoever waits for the batch is told that there is no answer"]
pub struct GroupCompleter {
    /// Until it is answered.
    group: Option<Arc<Group>>,
    bounds: Arc<Bounds>,
    units: u32,
    records: usize,
}

impl GroupCompleter {
    /// The end for a group of so many records, which have taken `units` of the room, given back with the answer.
    pub fn new(group: Arc<Group>, bounds: Arc<Bounds>, units: u32, records: usize) -> Self {
        Self { group: Some(group), bounds, units, records }
    }

    /// How many records the batch has.
    #[must_use]
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Answers; `reply` is one to an append.
    pub fn complete(mut self, reply: Reply) {
        let Reply::Append(answer) = reply else { unreachable!("a batch is appended, not {reply:?}") };
        self.finish(answer.map(|appended| appended.base_offset));
    }

    fn finish(&mut self, answer: Result<Offset, Error>) {
        let Some(group) = self.group.take() else { return };
        // First, so that who learns of the answer finds room for the next record, and has it put into a batch that fits.
        self.bounds.learn(&answer);
        self.bounds.room().give_back(self.units);
        group.finish(answer);
    }
}

impl Drop for GroupCompleter {
    fn drop(&mut self) {
        self.finish(Err(Error::Stopped));
    }
}

impl fmt::Debug for GroupCompleter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupCompleter")
    }
}

/// One record's end of its batch's answer. Dropping it leaves the record to take its course.
pub struct GroupRecord {
    group: Arc<Group>,
    /// The record's number in the batch.
    number: i32,
    /// Its place among those who wait.
    place: Option<usize>,
}

impl GroupRecord {
    /// The end of record `number` of the batch.
    #[must_use]
    pub fn new(group: Arc<Group>, number: i32) -> Self {
        Self { group, number, place: None }
    }

    /// Whether the answer is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.group.is_ready()
    }

    /// The record's offset. Until it is there, the waker given last is woken when it is.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Result<Offset, Error>> {
        if !self.is_ready() {
            let mut place = self.place;
            self.group.with_waiting(|waiting| match place {
                Some(at) if waiting.get(at).is_some_and(|known| same(known.as_ref(), waker)) => {}
                Some(at) if at < waiting.len() => waiting[at] = Some(waker.clone()),
                _ => {
                    place = Some(waiting.len());
                    waiting.push(Some(waker.clone()));
                }
            });
            self.place = place;
            if !self.is_ready() {
                return Poll::Pending;
            }
        }
        let answer = self.group.answer.get().expect("set before it was marked ready");
        Poll::Ready(answer.clone().map(|base| base.plus(i64::from(self.number))))
    }
}

fn same(known: Option<&Waker>, waker: &Waker) -> bool {
    known.is_some_and(|known| known.will_wake(waker))
}

impl Drop for GroupRecord {
    fn drop(&mut self) {
        if let Some(at) = self.place
            && !self.is_ready()
        {
            self.group.with_waiting(|waiting| {
                if let Some(place) = waiting.get_mut(at) {
                    *place = None;
                }
            });
        }
    }
}

impl fmt::Debug for GroupRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupRecord({})", if self.is_ready() { "ready" } else { "under way" })
    }
}
