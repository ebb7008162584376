//! What need not happen at once: memory, zeros ahead, checkpoints, forgotten producers.

use super::Shard;
use crate::io::{Io, Pool, Slice};
use crate::limits;
use crate::types::Nanos;

impl<I: Io> Shard<I> {
    /// Takes back tail memory, oldest first, while the pool runs low.
    pub(super) fn make_room(&mut self) {
        let (low, enough) = (self.pool.chunks() / 8, self.pool.chunks() / 4);
        if self.pool.free() >= low {
            return;
        }
        for _ in 0..enough {
            let oldest = self
                .slots
                .iter()
                .filter_map(|(slot, entry)| entry.partition.log().oldest_memory().map(|age| (age, slot)));
            let Some((_, slot)) = oldest.min() else { return };
            self.slots.at(slot).partition.log_mut().give_back_memory();
        }
    }

    /// What need not happen at once: zeros ahead of slow appends, memory of idle partitions, checkpoints, forgotten
    /// producers.
    pub(super) fn keep_house(&mut self, now: Nanos) {
        let unix_millis = self.io.unix_millis();
        let expiration_ms = self.config.producer_expiration_ms;
        let slots: Vec<usize> = self.slots.iter().map(|(slot, _)| slot).collect();
        let mut busy = false;
        for slot in slots {
            let entry = self.slots.at(slot);
            entry.partition.expire_ahead(&mut self.ahead);
            if now.since(entry.last_used) < limits::IDLE_MS * 1_000_000 {
                busy = true;
                let zeros = self.zeros.get_or_insert_with(zeros).clone();
                self.with_quietly(slot, |partition, cx| partition.log_mut().zero_ahead(&zeros, cx.wanted));
            } else {
                entry.partition.log_mut().shrink();
                entry.partition.expire_producers(unix_millis, expiration_ms);
            }
        }
        self.checkpoint_if_due(now);
        // An idle shard sleeps until something comes.
        let again = busy || self.checkpoints.is_due() || self.ahead < limits::READS_AHEAD_MAX;
        self.next_housekeeping = again.then(|| now.plus_millis(limits::HOUSEKEEPING_MS));
    }

    /// What is read ahead has to be dropped if nobody asks for it, also where nobody appends.
    pub(super) fn look_after_ahead(&mut self) {
        if self.ahead < limits::READS_AHEAD_MAX && self.next_housekeeping.is_none() && !self.stopping {
            self.next_housekeeping = Some(self.io.now().plus_millis(limits::HOUSEKEEPING_MS));
        }
    }
}

/// What zeros are written from.
fn zeros() -> Slice {
    let mut chunk = Pool::heap(limits::ZERO_PIECE_BYTES);
    // A chunk's memory is zeroed when it is allocated.
    chunk.advance(limits::ZERO_PIECE_BYTES);
    chunk.filled()
}
