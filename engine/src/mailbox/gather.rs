//! Single records from any thread, gathered into batches on their way to a shard.
//!
//! A record is written into the batch that is being gathered, and a message in the shard's mailbox says that there is
//! one. What the shard takes, when it comes to that message, is all that has been gathered by then: a shard that sleeps
//! is woken by the first record and gets it at once, a busy one gets a larger batch, and there is no timer.
//!
//! At most one message of a gatherer is on its way, in a slot of the mailbox that it holds for life. The shard does not
//! wait for the lock while it serves: where it finds it taken, it leaves the message with the gatherer (`missed`), and
//! whoever holds the lock sends it again right afterwards. A shard that stops takes what a message brings once more, and
//! nothing after that.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, TryLockError};

use super::Peers;
use super::bounds::Bounds;
use super::budget::Permit;
use super::group::{Group, GroupCompleter, GroupRecord};
use super::mail::{Mail, ReplyTo};
use super::room::Room;
use super::sync::{AtomicBool, Fence, Mutex, MutexGuard, Ordering};
use crate::batch::{BatchBuilder, BatchError, Header};
use crate::error::Error;
use crate::io::Slice;
use crate::types::{PartitionId, ShardId};

/// A record as it is gathered.
#[derive(Clone, Copy, Debug)]
pub struct Gathered<'a> {
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value, if it has one.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a [Header<'a>],
}

/// A batch for the shard to append.
#[derive(Debug)]
pub struct Batch {
    /// Where to.
    pub partition: PartitionId,
    /// The batch.
    pub batch: Slice,
    /// Where the reply goes.
    pub from: ReplyTo,
}

/// Gathers the records of one partition.
pub struct Gatherer {
    partition: PartitionId,
    shard: ShardId,
    peers: Peers<Mail>,
    /// What the records that are not answered yet take up, and a batch.
    bounds: Arc<Bounds>,
    state: Mutex<State>,
    /// The shard came while the lock was held: whoever held it sends the message again.
    missed: AtomicBool,
    /// Records that a shard would take now, for one that waits for more: it decides nothing, so that loom need not know.
    gathered: AtomicUsize,
    fence: Fence,
    /// The message's slot in the mailbox.
    _slot: Permit,
}

struct State {
    builder: BatchBuilder,
    group: Arc<Group>,
    /// Units of room that the batch being gathered has taken.
    units: u32,
    /// Batches that are full.
    full: VecDeque<Batch>,
    /// A message is on its way.
    sent: bool,
    /// The shard has ended.
    stopped: bool,
}

impl Gatherer {
    /// One for a partition of `shard`.
    #[must_use]
    pub fn new(
        partition: PartitionId,
        shard: ShardId,
        peers: Peers<Mail>,
        slot: Permit,
        bounds: Bounds,
    ) -> Self {
        let state = State {
            builder: BatchBuilder::new(bounds.batch_bytes()),
            group: Arc::default(),
            units: 0,
            full: VecDeque::new(),
            sent: false,
            stopped: false,
        };
        Self {
            partition,
            shard,
            peers,
            bounds: Arc::new(bounds),
            state: Mutex::new(state),
            missed: AtomicBool::new(false),
            gathered: AtomicUsize::new(0),
            fence: Fence::new(),
            _slot: slot,
        }
    }

    /// The same with a fence that a test may have left out.
    #[cfg(all(test, loom))]
    pub(super) fn with_fence(mut self, fence: Fence) -> Self {
        self.fence = fence;
        self
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// What the records take up.
    #[must_use]
    pub fn room(&self) -> &Arc<Room> {
        self.bounds.room()
    }

    /// Adds a record, whose `units` of room are taken; they are given back with its answer, or where it is refused.
    ///
    /// # Errors
    /// [`Error::Batch`] for a record that no batch has room for, [`Error::Stopped`].
    pub fn push(self: &Arc<Self>, record: &Gathered<'_>, units: u32) -> Result<GroupRecord, Error> {
        let mut state = self.lock();
        let pushed = if state.stopped { Err(Error::Stopped) } else { self.push_to(&mut state, record) };
        let sends = pushed.is_ok() && !std::mem::replace(&mut state.sent, true);
        if pushed.is_ok() {
            state.units += units;
            self.gathered.fetch_add(1, Ordering::Relaxed);
        }
        self.unlock(state);
        match &pushed {
            Ok(_) if sends => self.send(),
            Ok(_) => {}
            Err(_) => self.room().give_back(units),
        }
        pushed
    }

    fn push_to(&self, state: &mut State, record: &Gathered<'_>) -> Result<GroupRecord, Error> {
        let Gathered { timestamp, key, value, headers } = *record;
        state.builder.set_size_max(self.bounds.batch_bytes());
        let push = |state: &mut State| state.builder.push_with_headers(timestamp, key, value, headers);
        let mut pushed = push(state);
        if matches!(pushed, Err(BatchError::TooLarge { .. })) && state.builder.records_count() > 0 {
            let full = self.finish(state);
            state.full.extend(full);
            pushed = push(state);
        }
        pushed.map_err(Error::Batch)?;
        Ok(GroupRecord::new(Arc::clone(&state.group), state.builder.records_count() - 1))
    }

    /// Ends the batch being gathered, if it has any records, and begins another.
    fn finish(&self, state: &mut State) -> Option<Batch> {
        let records = usize::try_from(state.builder.records_count()).expect("not negative");
        let batch = Slice::from_vec(state.builder.take()?);
        let (group, units) = (std::mem::take(&mut state.group), std::mem::take(&mut state.units));
        let from = ReplyTo::Group(GroupCompleter::new(group, Arc::clone(&self.bounds), units, records));
        Some(Batch { partition: self.partition, batch, from })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Not for the shard.
    fn unlock(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        drop(state);
        // The mirror image of `take`: unlocked, fence, look.
        self.fence.full();
        if self.missed.load(Ordering::Relaxed) && self.missed.swap(false, Ordering::AcqRel) {
            self.send();
        }
    }

    fn send(self: &Arc<Self>) {
        self.peers.send(self.shard, Mail::Gathered(Gathering(Some(Arc::clone(self)))));
    }

    /// The shard's: all that has been gathered; `None` while the lock is taken, after which the message comes again.
    fn take(&self) -> Option<(VecDeque<Batch>, Option<Batch>)> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.missed.store(true, Ordering::Release);
                self.fence.full();
                let state = match self.state.try_lock() {
                    Ok(state) => state,
                    Err(TryLockError::Poisoned(state)) => state.into_inner(),
                    Err(TryLockError::WouldBlock) => return None,
                };
                if !self.missed.swap(false, Ordering::AcqRel) {
                    // It was sent again already, and will be taken then.
                    return None;
                }
                state
            }
        };
        state.sent = false;
        self.gathered.store(0, Ordering::Relaxed);
        let last = self.finish(&mut state);
        Some((std::mem::take(&mut state.full), last))
    }

    /// The shard's, where it stops: all that has been gathered. Nothing more will be taken.
    fn take_last(&self) -> (VecDeque<Batch>, Option<Batch>) {
        // Waits for who is just adding a record. A message that came again might find the shard ended.
        let mut state = self.lock();
        state.stopped = true;
        let last = self.finish(&mut state);
        (std::mem::take(&mut state.full), last)
    }
}

impl fmt::Debug for Gatherer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gatherer({}, {:?})", self.partition, self.room())
    }
}

/// The message that something was gathered. Dropping it says that nothing will be taken any more.
#[derive(Debug)]
pub struct Gathering(Option<Arc<Gatherer>>);

impl Gathering {
    /// How many records there are to be taken, more or less.
    #[must_use]
    pub fn records(&self) -> usize {
        self.0.as_ref().map_or(0, |gatherer| gatherer.gathered.load(Ordering::Relaxed))
    }

    /// All that has been gathered.
    pub fn take(mut self) -> impl Iterator<Item = Batch> {
        let (full, last) = self.0.take().and_then(|gatherer| gatherer.take()).unwrap_or_default();
        full.into_iter().chain(last)
    }

    /// The same by a shard that stops: what is added from now on is refused.
    pub fn take_last(mut self) -> impl Iterator<Item = Batch> {
        let (full, last) = self.0.take().map(|gatherer| gatherer.take_last()).unwrap_or_default();
        full.into_iter().chain(last)
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        if let Some(gatherer) = self.0.take() {
            // What it brings is answered here, outside the lock: that wakes tasks.
            drop(gatherer.take_last());
        }
    }
}
