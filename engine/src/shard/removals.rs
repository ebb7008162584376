//! Partitions of deleted topics, and their files.
//!
//! Removing files is a job for the shard's helpers, and a topic may have thousands of partitions. They wait here for their
//! turn and not among the helpers' jobs: there, whatever other partitions need would stand behind all of them. Those that a
//! stop or a crash finds here are removed by the next start, which finds their topic's tombstone in the catalog. What fails
//! is tried again after a while, a few times: a moment without descriptors passes, a file that is not ours to remove stays.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use super::Shard;
use super::ops::Owner;
use crate::io::{Io, Op};
use crate::limits;
use crate::log::segment;
use crate::types::{Nanos, PartitionId};

/// A partition whose files are to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    id: PartitionId,
    /// How often it has failed.
    failures: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// Slots whose partitions are closed, and taken away before the turn ends.
    closed: Vec<usize>,
    /// Times that partitions were taken away.
    #[cfg(test)]
    pub passes: usize,
    waiting: VecDeque<Removal>,
    under_way: usize,
    /// Those that have failed, until they are tried again.
    failed: Vec<Removal>,
    /// When that is; `None` where there are none.
    again_at: Option<Nanos>,
}

impl Removals {
    /// When those that have failed are tried again.
    pub const fn again_at(&self) -> Option<Nanos> {
        self.again_at
    }

    /// What has failed is left to the next start.
    pub fn leave_failed(&mut self) {
        self.again_at = None;
    }
}

impl<I: Io> Shard<I> {
    /// Closes a deleted partition once nothing of it is in flight.
    pub(super) fn bury(&mut self, slot: usize) {
        let entry = self.slots.at(slot);
        if !entry.deleted || entry.in_flight > 0 {
            return;
        }
        self.with_quietly(slot, |partition, cx| partition.log_mut().close(cx.wanted));
        if self.slots.at(slot).in_flight == 0 {
            self.removals.closed.push(slot);
        }
    }

    /// Takes the closed partitions away, and has their files removed. All of a turn's at once: there may be thousands, and
    /// as many others on the lists that they are taken off.
    pub(super) fn take_away_closed(&mut self) {
        if self.removals.closed.is_empty() {
            return;
        }
        #[cfg(test)]
        {
            self.removals.passes += 1;
        }
        let gone: BTreeSet<usize> = self.removals.closed.drain(..).collect();
        self.dirty.retain(|dirty| !gone.contains(dirty));
        self.files.forget(&gone);
        self.journal.forget(&gone);
        for slot in gone {
            let entry = self.slots.remove(slot);
            if let Some(at) = entry.flush_at {
                self.flushes.remove(&(at, slot));
            }
            self.remove_files(entry.id);
        }
    }

    /// Has a partition's files removed, now or when it is its turn.
    pub(super) fn remove_files(&mut self, id: PartitionId) {
        self.removals.waiting.push_back(Removal { id, failures: 0 });
        self.go_on_removing();
    }

    /// Tries those again that have failed, once it is time to.
    pub(super) fn remove_again(&mut self, now: Nanos) {
        if self.removals.again_at.is_some_and(|at| at <= now) {
            self.removals.again_at = None;
            self.removals.waiting.extend(self.removals.failed.drain(..));
            self.go_on_removing();
        }
    }

    fn go_on_removing(&mut self) {
        while !self.stopping
            && self.removals.under_way < limits::REMOVALS_MAX
            && let Some(removal) = self.removals.waiting.pop_front()
        {
            self.removals.under_way += 1;
            let data_dir = Arc::clone(&self.data_dir);
            let job = move |fs: &I::Fs| {
                segment::remove_partition(fs, &data_dir, removal.id, limits::DELETE_STEP)?;
                segment::reserve::keep(fs, &data_dir);
                Ok(0)
            };
            let token = self.ops.insert(Owner::Removal(removal));
            self.io.submit(token, Op::Job(Box::new(job)));
        }
    }

    /// A removal has ended.
    pub(super) fn removed(&mut self, mut removal: Removal, result: io::Result<u64>) {
        if let Err(error) = result {
            removal.failures += 1;
            let last = removal.failures == limits::REMOVAL_TRIES_MAX || self.stopping;
            let when = if last { "the next start tries again" } else { "it is tried again" };
            // Once for all tries, and once when they are over.
            if last || removal.failures == 1 {
                log::warn!(
                    "{}: a deleted partition's files could not be removed, {when}: {error}",
                    removal.id
                );
            }
            if !last {
                self.removals.failed.push(removal);
                let at = self.io.now().plus_millis(limits::REMOVAL_AGAIN_MS);
                self.removals.again_at.get_or_insert(at);
            }
        } else {
            self.space_came();
        }
        self.removals.under_way -= 1;
        self.go_on_removing();
    }
}
