//! Who waits for news of this shard's partitions: for how long, and whether anybody still does.

use super::Shard;
use crate::io::Io;
use crate::limits;
use crate::mailbox::ReplyTo;
use crate::types::{Nanos, Offset};

impl<I: Io> Shard<I> {
    /// Has somebody told once records past `end` are visible or the time is up.
    pub(super) fn watch(&mut self, slot: usize, from: ReplyTo, end: Offset, until: Nanos) {
        let may_go = from.may_be_abandoned();
        if !self.with_quietly(slot, |partition, cx| partition.watch(from, end, until, cx)) {
            return;
        }
        let at = if may_go { until.min(self.io.now().plus_millis(limits::WATCH_LOOK_MS)) } else { until };
        self.note_watch(slot, at);
        if may_go {
            self.watched += 1;
            if self.watched >= limits::WATCH_LOOK_COUNT {
                self.forget_watchers();
            }
        }
    }

    /// Notes when a partition's watchers have to be looked at.
    fn note_watch(&mut self, slot: usize, at: Nanos) {
        let entry = self.slots.at(slot);
        if entry.watch_at.is_some_and(|noted| noted <= at) {
            return;
        }
        if let Some(later) = entry.watch_at.replace(at) {
            self.watches.remove(&(later, slot));
        }
        self.watches.insert((at, slot));
    }

    /// Answers the watchers whose time is up.
    pub(super) fn expire_watches(&mut self, now: Nanos) {
        while let Some(&(at, slot)) = self.watches.first()
            && at <= now
        {
            self.watches.pop_first();
            self.slots.at(slot).watch_at = None;
            let next = self.with_quietly(slot, |partition, cx| partition.look_at_watchers(now, cx));
            if let Some(at) = next {
                self.note_watch(slot, at);
            }
        }
    }

    /// Gives back the room of all those whom nobody waits for any more.
    fn forget_watchers(&mut self) {
        self.watched = 0;
        for &(_, slot) in &self.watches {
            self.slots.at(slot).partition.forget_watchers();
        }
    }
}
