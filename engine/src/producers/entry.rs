//! One producer's recent past on one partition.

use std::collections::VecDeque;

use super::sequence::Sequence;
use super::{BATCHES_KEPT, Verdict};
use crate::batch::BatchHeader;
use crate::types::Offset;

/// What is remembered of one appended batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CachedBatch {
    pub(super) base_sequence: Sequence,
    pub(super) base_offset: Offset,
    /// At least 1.
    pub(super) records_count: u32,
    pub(super) max_timestamp: i64,
}

impl CachedBatch {
    pub(super) fn new(header: &BatchHeader, base_offset: Offset) -> Self {
        Self {
            base_sequence: Sequence::new(header.base_sequence),
            base_offset,
            records_count: records_count(header),
            max_timestamp: header.max_timestamp,
        }
    }

    pub(super) const fn end_sequence(&self) -> Sequence {
        self.base_sequence.plus(self.records_count)
    }

    pub(super) fn end_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.records_count))
    }
}

/// One producer.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) epoch: i16,
    /// The latest batches of this epoch, the oldest first, each starting where the one before ended. Empty only
    /// inside [`Self::truncate_to`].
    pub(super) batches: VecDeque<CachedBatch>,
    /// Records of this epoch in batches that came before those kept, without a gap.
    pub(super) records_before: u64,
    pub(super) last_used_ms: i64,
    use_key: u64,
}

impl Entry {
    pub(super) fn new(epoch: i16, batch: CachedBatch, use_key: u64, now_ms: i64) -> Self {
        Self { epoch, batches: VecDeque::from([batch]), records_before: 0, last_used_ms: now_ms, use_key }
    }

    /// Puts together what was stored; `batches` is not empty.
    pub(super) const fn restore(
        epoch: i16,
        batches: VecDeque<CachedBatch>,
        records_before: u64,
        last_used_ms: i64,
        use_key: u64,
    ) -> Self {
        Self { epoch, batches, records_before, last_used_ms, use_key }
    }

    pub(super) fn record(&mut self, epoch: i16, batch: CachedBatch, use_key: u64, now_ms: i64) {
        if epoch != self.epoch || batch.base_sequence != self.next_sequence() {
            *self = Self::new(epoch, batch, use_key, now_ms);
            return;
        }
        if self.batches.len() == BATCHES_KEPT {
            let forgotten = self.batches.pop_front().expect("it holds as many as are kept");
            self.records_before += u64::from(forgotten.records_count);
        }
        self.batches.push_back(batch);
        self.last_used_ms = now_ms;
        self.use_key = use_key;
    }

    pub(super) fn truncate_to(&mut self, offset: Offset) {
        while self.batches.pop_back_if(|batch| batch.end_offset() > offset).is_some() {}
    }

    pub(super) fn check(&self, header: &BatchHeader) -> Verdict {
        let first = Sequence::new(header.base_sequence);
        if header.producer_epoch < self.epoch {
            return Verdict::Fenced { current: self.epoch };
        }
        if header.producer_epoch > self.epoch {
            return match first {
                Sequence::FIRST => Verdict::Append,
                _ => Verdict::OutOfOrder { expected: Sequence::FIRST.number() },
            };
        }
        let expected = self.next_sequence();
        if let Some(original) = self.original(first, records_count(header)) {
            return Verdict::Duplicate {
                base_offset: original.base_offset,
                end_offset: original.end_offset(),
                max_timestamp: original.max_timestamp,
            };
        }
        if first == expected {
            return Verdict::Append;
        }
        if self.precedes_the_kept(first, records_count(header)) {
            return Verdict::DuplicateSequence { before: self.oldest().base_offset };
        }
        Verdict::OutOfOrder { expected: expected.number() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(super) const fn last_used_ms(&self) -> i64 {
        self.last_used_ms
    }

    /// The entry's key in the order of use.
    pub(super) const fn use_key(&self) -> u64 {
        self.use_key
    }

    /// Whether both remember the same, whatever their place in the order of use.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        (self.epoch, &self.batches, self.records_before, self.last_used_ms)
            == (other.epoch, &other.batches, other.records_before, other.last_used_ms)
    }

    /// The kept batch with exactly these sequence numbers.
    fn original(&self, first: Sequence, records_count: u32) -> Option<&CachedBatch> {
        self.batches.iter().find(|batch| batch.base_sequence == first && batch.records_count == records_count)
    }

    /// Whether all of a batch's sequence numbers are those of records that came before the kept batches.
    fn precedes_the_kept(&self, first: Sequence, records_count: u32) -> bool {
        let distance = first.distance_to(self.oldest().base_sequence);
        records_count <= distance && u64::from(distance) <= self.records_before
    }

    fn next_sequence(&self) -> Sequence {
        self.batches.back().expect("an entry remembers a batch").end_sequence()
    }

    fn oldest(&self) -> &CachedBatch {
        self.batches.front().expect("an entry remembers a batch")
    }
}

fn records_count(header: &BatchHeader) -> u32 {
    u32::try_from(header.records_count).expect("a header with no records is refused")
}
