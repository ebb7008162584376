//! What a shard does by the clock: flushes that `flush.ms` asks for, and retention.

use super::Shard;
use crate::io::Io;
use crate::limits;
use crate::log::Retention;
use crate::types::Nanos;

/// When retention is looked after.
#[derive(Debug, Default)]
pub struct Rounds {
    /// When to look; `None` where nothing is ever deleted.
    pub at: Option<Nanos>,
    /// Where the round goes on.
    from: usize,
    /// A log has found no space for the file without which what is before it cannot go ([`Log::lacks_successor`]).
    ///
    /// [`Log::lacks_successor`]: crate::log::Log::lacks_successor
    lacks_space: bool,
    /// There may be some since: another round follows this one.
    again: bool,
}

impl<I: Io> Shard<I> {
    /// Notes when a partition has to be flushed, if time has to see to that.
    pub(super) fn note_unflushed(&mut self, slot: usize) {
        let entry = self.slots.at(slot);
        let at = entry.partition.log().flush_within().map(|within| self.io.now().plus_millis(within));
        // What is unflushed already keeps its time, unless a shortened `flush.ms` ends sooner.
        let at = at.map(|at| entry.flush_at.map_or(at, |noted| noted.min(at)));
        if entry.flush_at == at {
            return;
        }
        if let Some(noted) = std::mem::replace(&mut entry.flush_at, at) {
            self.flushes.remove(&(noted, slot));
        }
        self.flushes.extend(at.map(|at| (at, slot)));
    }

    /// Has the partitions flushed whose time has come.
    pub(super) fn flush_in_time(&mut self, now: Nanos) {
        while let Some(&(at, slot)) = self.flushes.first()
            && at <= now
        {
            self.flushes.pop_first();
            self.slots.at(slot).flush_at = None;
            self.with(slot, |partition, _| partition.log_mut().want_flush());
        }
    }

    /// Somebody's records are kept for a limited time or up to a limited size from now on.
    pub(super) fn note_retention(&mut self, retention: Retention) {
        if retention != Retention::ALL && self.rounds.at.is_none() {
            self.look_within(limits::RETENTION_FIRST_MS);
        }
    }

    /// A segment has been removed, or could not be, for now: that is tried again with the next round, although nothing may be
    /// limited.
    pub(super) fn segment_removed(&mut self, failed: bool) {
        if failed {
            self.look_within(self.config.retention_check_ms);
        } else {
            self.space_came();
        }
    }

    /// Files have been removed: a log that lacked space looks whether there is some now, before appends have taken it.
    pub(super) fn space_came(&mut self) {
        if std::mem::take(&mut self.rounds.lacks_space) {
            self.rounds.again = true;
            self.look_within(limits::HOUSEKEEPING_MS);
        }
    }

    /// A segment's file could not be made. If a log is to be emptied and cannot be without it, that is tried again with the
    /// next removal; and soon, since it may be another shard that removes something.
    pub(super) fn not_prepared(&mut self, slot: usize) {
        let entry = self.slots.at(slot);
        if !entry.deleted && entry.partition.log().lacks_successor() {
            self.rounds.lacks_space = true;
            self.look_within(limits::RETENTION_FIRST_MS);
        }
    }

    /// Looks after retention within so many milliseconds.
    fn look_within(&mut self, ms: u64) {
        if self.stopping {
            return;
        }
        let at = self.io.now().plus_millis(ms.min(self.config.retention_check_ms));
        self.rounds.at = Some(self.rounds.at.map_or(at, |noted| noted.min(at)));
    }

    /// Deletes what is kept no longer, of a few partitions at a time.
    pub(super) fn retain(&mut self, now: Nanos) {
        if self.rounds.at.is_none_or(|at| at > now) || self.stopping {
            return;
        }
        let from = std::mem::take(&mut self.rounds.from);
        if from == 0 {
            (self.rounds.lacks_space, self.rounds.again) = (false, false);
        }
        let (mut deleting, mut goes_on) = (0, false);
        let slots: Vec<usize> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let log = self.slots.at(slot).partition.log();
            goes_on |= log.settings().retention != Retention::ALL || log.has_leaving();
            if slot < from {
                continue;
            }
            deleting += usize::from(self.with_quietly(slot, |partition, cx| partition.retain(cx)));
            if deleting == limits::RETENTION_STEP {
                self.rounds.at = Some(now.plus_millis(limits::HOUSEKEEPING_MS));
                self.rounds.from = slot + 1;
                return;
            }
        }
        self.rounds.at = goes_on.then(|| now.plus_millis(self.config.retention_check_ms));
        // What has turned out while the round went on.
        if self.rounds.again {
            self.look_within(limits::HOUSEKEEPING_MS);
        } else if self.rounds.lacks_space {
            self.look_within(limits::RETENTION_FIRST_MS);
        }
    }
}
