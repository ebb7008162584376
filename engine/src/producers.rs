//! What a partition remembers of its idempotent producers (KIP-98), so that a batch sent twice is stored once.
//!
//! The rules are those of Kafka's `ProducerStateManager` and `ProducerAppendInfo` for batches that clients send outside
//! of transactions:
//! - A producer that is not remembered may begin with any sequence number (KIP-360; `checkSequence` accepts it where
//!   there is no current epoch): its state may have expired, been evicted, or gone with the records.
//! - An older epoch is fenced; a newer one begins at sequence 0.
//! - Within an epoch each batch begins where the last one ended; after `i32::MAX` comes 0.
//! - The last five batches are kept. One that comes again, first and last sequence equal, is a duplicate and gets its
//!   original's offsets.
//!
//! One answer goes further. Kafka's broker once told a client `DUPLICATE_SEQUENCE_NUMBER` for a batch older than those
//! it kept, and now tells it `OUT_OF_ORDER_SEQUENCE_NUMBER`, a fatal error for a batch that is safely stored. Clients
//! still take the former as success without an offset, so it is what an older duplicate gets here; but only where this
//! epoch's batches are known to have covered all of its sequence numbers.
//!
//! # Non-obvious
//! - The state describes what was appended, not what was flushed: a duplicate's original may still be in flight, and
//!   the caller makes the duplicate wait for it.
//! - Kafka ages producers by their records' timestamps, so that replayed old records are forgotten at once. Here the
//!   time of the append counts.
#![forbid(unsafe_code)]

mod codec;
mod entry;
mod sequence;

use std::collections::BTreeMap;

use crate::batch::BatchHeader;
use crate::types::{Offset, ProducerId};
use entry::{CachedBatch, Entry};

pub use codec::DecodeError;

/// Batches remembered of each producer: what a client may have in flight (`max.in.flight.requests.per.connection`).
pub const BATCHES_KEPT: usize = 5;

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it, then [`Producers::record`] it.
    Append,
    /// It was appended before. Acknowledge it as its original, and not before its original.
    Duplicate {
        /// The original's first offset.
        base_offset: Offset,
        /// The offset after the original's last.
        end_offset: Offset,
        /// The original's largest timestamp, ms since 1970: its append time where the topic keeps that.
        max_timestamp: i64,
    },
    /// It was appended before, at offsets that are no longer known (`DUPLICATE_SEQUENCE_NUMBER`). Its original came
    /// before every batch that is remembered.
    DuplicateSequence {
        /// The first offset that is remembered of this producer; the original lies before it.
        before: Offset,
    },
    /// It does not continue where the producer's last batch ended (`OUT_OF_ORDER_SEQUENCE_NUMBER`).
    OutOfOrder {
        /// The sequence number that would have been next.
        expected: i32,
    },
    /// A newer session of this producer has written here (`INVALID_PRODUCER_EPOCH`).
    Fenced {
        /// The newer session's epoch.
        current: i16,
    },
}

/// A partition's producers. At most a given number is remembered; past it, whoever has been silent longest is forgotten.
#[derive(Clone, Debug)]
pub struct Producers {
    entries: BTreeMap<ProducerId, Entry>,
    /// The ids in the order of their last append. Each entry holds its key here.
    by_use: BTreeMap<u64, ProducerId>,
    next_use: u64,
    count_max: usize,
}

impl Producers {
    /// Nobody yet, and never more than `count_max` producers, which is at least 1.
    #[must_use]
    pub fn new(count_max: usize) -> Self {
        assert!(count_max > 0, "a limit of no producers would forget each one at once");
        Self { entries: BTreeMap::new(), by_use: BTreeMap::new(), next_use: 0, count_max }
    }

    /// Notes that the batch of `header` was appended at `base_offset`; the header's own base offset is not looked at.
    /// `now_ms` is the wall clock's time. A batch without a producer changes nothing.
    ///
    /// Recovery records what it finds in the log, unchecked, for it was checked before it was written. Where it does not
    /// continue what is remembered, the memory starts anew with it.
    pub fn record(&mut self, header: &BatchHeader, base_offset: Offset, now_ms: i64) {
        if !header.is_idempotent() {
            return;
        }
        let batch = CachedBatch::new(header, base_offset);
        let id = header.producer_id;
        let use_key = self.touch(id);
        match self.entries.get_mut(&id) {
            Some(entry) => entry.record(header.producer_epoch, batch, use_key, now_ms),
            None => {
                self.entries.insert(id, Entry::new(header.producer_epoch, batch, use_key, now_ms));
                self.evict();
            }
        }
        debug_assert_eq!(self.entries.len(), self.by_use.len(), "each producer is in the order of use once");
    }

    /// Forgets every batch that reaches to `offset` or past it, as a log that is cut there does. Answers how many
    /// producers were forgotten with all of their batches.
    ///
    /// Such a producer may still have older batches in the log; a caller that needs them remembered has to read the log
    /// again from an earlier checkpoint.
    pub fn truncate_to(&mut self, offset: Offset) -> usize {
        let before = self.entries.len();
        let by_use = &mut self.by_use;
        self.entries.retain(|_, entry| {
            entry.truncate_to(offset);
            let kept = !entry.is_empty();
            if !kept {
                by_use.remove(&entry.use_key());
            }
            kept
        });
        before - self.entries.len()
    }

    /// Forgets the producers that have been silent for `expiration_ms` (`producer.id.expiration.ms`). `now_ms` is the
    /// wall clock's time; where the clock was set back, producers are remembered longer. Answers how many were forgotten.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let before = self.entries.len();
        while let Some(oldest) = self.by_use.first_entry() {
            let entry = &self.entries[oldest.get()];
            if now_ms.saturating_sub(entry.last_used_ms()) < expiration_ms {
                break;
            }
            self.entries.remove(&oldest.remove());
        }
        before - self.entries.len()
    }

    /// What is to be done with a batch of a client. One without a producer is appended.
    #[must_use]
    pub fn check(&self, header: &BatchHeader) -> Verdict {
        if !header.is_idempotent() {
            return Verdict::Append;
        }
        match self.entries.get(&header.producer_id) {
            Some(entry) => entry.check(header),
            None => Verdict::Append,
        }
    }

    /// How many producers are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends the state to a checkpoint; the encoding is described in the module `codec`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        codec::encode(self, out);
    }

    /// Reads what [`Self::encode`] wrote. With a smaller limit than then, those who were silent longest are left out.
    ///
    /// # Errors
    /// Bytes that `encode` never writes.
    pub fn decode(bytes: &[u8], count_max: usize) -> Result<Self, DecodeError> {
        codec::decode(bytes, count_max)
    }

    /// Moves a producer to the end of the order of use; answers its key there.
    fn touch(&mut self, id: ProducerId) -> u64 {
        if let Some(entry) = self.entries.get(&id) {
            if entry.use_key() + 1 == self.next_use {
                return entry.use_key();
            }
            self.by_use.remove(&entry.use_key());
        }
        let key = self.next_use;
        self.next_use += 1;
        self.by_use.insert(key, id);
        key
    }

    fn evict(&mut self) {
        while self.entries.len() > self.count_max {
            let (_, id) = self.by_use.pop_first().expect("each producer is in the order of use");
            self.entries.remove(&id);
        }
    }

    /// The producers, those silent longest first.
    fn in_order_of_use(&self) -> impl Iterator<Item = (ProducerId, &Entry)> {
        self.by_use.values().map(|id| (*id, &self.entries[id]))
    }
}

/// Two are equal if they answer alike now and later; how the order of use is numbered does not matter.
impl PartialEq for Producers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .in_order_of_use()
                .zip(other.in_order_of_use())
                .all(|((a_id, a), (b_id, b))| a_id == b_id && a.same_as(b))
    }
}

impl Eq for Producers {}

#[cfg(test)]
mod tests;
