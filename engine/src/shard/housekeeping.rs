//! What need not happen at once: memory, logs to be settled, checkpoints, forgotten producers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Shard;
use crate::io::{CHUNK_SIZE, Io};
use crate::limits;
use crate::types::Nanos;

impl<I: Io> Shard<I> {
    /// Takes back tail memory, oldest first, while the pool runs low and it is tails that have it. Chunks that readers hold
    /// on to are none of a tail's: taking others for them would leave consumers that keep up without memory.
    pub(super) fn make_room(&mut self) {
        let (chunks, enough) = (self.pool.chunks(), (self.pool.chunks() / 4).max(1));
        // Few chunks were begun since it was last looked: nothing has changed.
        let looked = self.chunk_clock < self.room_looked_at + (chunks / 16).max(1) as u64;
        if self.pool.free() >= (chunks / 8).max(1) || looked {
            return;
        }
        self.room_looked_at = self.chunk_clock;
        let memory: usize = self.slots.iter().map(|(_, entry)| entry.partition.log().tail_memory()).sum();
        let kept = (chunks - enough) * CHUNK_SIZE;
        let mut surplus = memory.saturating_sub(kept);
        let oldest = self.slots.iter().filter_map(|(slot, entry)| {
            entry.partition.log().oldest_memory().map(|age| Reverse((age, slot)))
        });
        let mut oldest: BinaryHeap<_> = oldest.collect();
        while surplus > 0
            && self.pool.free() < enough
            && let Some(Reverse((_, slot))) = oldest.pop()
        {
            let log = self.slots.at(slot).partition.log_mut();
            surplus = surplus.saturating_sub(log.give_back_memory());
            oldest.extend(log.oldest_memory().map(|age| Reverse((age, slot))));
        }
    }

    /// What need not happen at once: memory of idle partitions, logs to be settled, checkpoints, forgotten producers.
    pub(super) fn keep_house(&mut self, now: Nanos) {
        let unix_millis = self.io.unix_millis();
        let expiration_ms = self.config.producer_expiration_ms;
        let slots: Vec<usize> = self.slots.iter().map(|(slot, _)| slot).collect();
        let look_at_tails = now.since(self.tails_looked_at) >= limits::IDLE_MS * 1_000_000;
        if look_at_tails {
            self.tails_looked_at = now;
        }
        let mut busy = false;
        for slot in slots {
            let entry = self.slots.at(slot);
            entry.partition.expire_ahead(&mut self.ahead);
            // Of each partition only the producer is looked at that was silent the longest.
            entry.partition.expire_producers(unix_millis, expiration_ms);
            if now.since(entry.last_used) < limits::IDLE_MS * 1_000_000 {
                busy = true;
                if look_at_tails {
                    entry.partition.log_mut().give_back_old_memory();
                }
            } else {
                entry.partition.log_mut().shrink();
            }
        }
        self.let_journal_grow();
        let unsettled = self.settle_idle(now);
        self.checkpoint_if_due(now, unsettled);
        // An idle shard sleeps until something comes.
        let again = busy || unsettled || self.checkpoints.is_due() || self.ahead < limits::READS_AHEAD_MAX;
        self.next_housekeeping = again.then(|| now.plus_millis(limits::HOUSEKEEPING_MS));
        if !again && self.config.return_memory {
            self.io.rest();
        }
    }

    /// What is read ahead has to be dropped if nobody asks for it, also where nobody appends.
    pub(super) fn look_after_ahead(&mut self) {
        if self.ahead < limits::READS_AHEAD_MAX && self.next_housekeeping.is_none() && !self.stopping {
            self.next_housekeeping = Some(self.io.now().plus_millis(limits::HOUSEKEEPING_MS));
        }
    }
}
