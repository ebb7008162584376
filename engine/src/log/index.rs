//! A segment's sparse index: where to begin reading for an offset or a timestamp.
//!
//! One entry about every [`INTERVAL`] bytes of batches, 16 bytes each: 0.05 % of the log, 512 KiB of memory for a full
//! segment of 1 GiB and nothing for an empty one. An index proves nothing and can always be rebuilt from the batches'
//! headers: a saved one is a shortcut that recovery checks before it takes it.
//!
//! # Non-obvious
//! - The segment's first batch needs no entry; every answer falls back to it.
//! - An entry's timestamp is the maximum of the batches *before* it. So "from where to scan for the first batch that
//!   reaches this time" is the last entry whose timestamp is still below, and never skips one.
//! - Offsets and positions count from the segment's base in 32 bits. Past 4 GiB of bytes or offsets (compressed batches
//!   can claim that many) entries stop; answers stay right and readers scan further. So a segment ends there
//!   ([`RELATIVE_MAX`]), but for those of earlier versions.
#![forbid(unsafe_code)]

mod encoding;

use crate::batch::BatchHeader;
use crate::types::{Offset, Position};

/// Bytes of batches from one entry to the next, at least.
pub const INTERVAL: u64 = 32 * 1024;

/// How far behind its segment's base a batch may begin, in bytes and in offsets, to get an entry.
pub const RELATIVE_MAX: u32 = u32::MAX;

/// "No timestamp", as batches write it.
const NO_TIMESTAMP: i64 = -1;

/// One batch's place, relative to the segment's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Of the batch's first record.
    offset: u32,
    /// Of the batch's first byte.
    position: u32,
    /// Of all batches before this one; [`NO_TIMESTAMP`] if none has any.
    max_before: i64,
}

const _: () = assert!(size_of::<Entry>() == 16, "the memory use promised above");

/// The end of the batches that an index covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredTo {
    /// The position after the last covered batch.
    pub position: Position,
    /// The offset after it.
    pub offset: Offset,
}

/// The index of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseIndex {
    base_offset: Offset,
    base_position: Position,
    end: CoveredTo,
    max_timestamp: i64,
    max_from: Offset,
    entries: Vec<Entry>,
}

impl SparseIndex {
    /// The index of a segment without batches.
    #[must_use]
    pub const fn new(base_offset: Offset, base_position: Position) -> Self {
        Self {
            base_offset,
            base_position,
            end: CoveredTo { position: base_position, offset: base_offset },
            max_timestamp: NO_TIMESTAMP,
            max_from: base_offset,
            entries: Vec::new(),
        }
    }

    /// Covers the next batch. It must begin where the covered ones end, by offset and by position.
    pub fn add(&mut self, batch: &BatchHeader, position: Position) {
        assert_eq!(position, self.end.position, "batches are covered one after the other");
        assert_eq!(batch.base_offset, self.end.offset, "offsets have no gaps");

        let relative = position.since(self.base_position);
        let last = self.entries.last().map_or(0, |entry| u64::from(entry.position));
        if relative - last >= INTERVAL {
            let offset = u32::try_from(batch.base_offset.value() - self.base_offset.value());
            if let (Ok(offset), Ok(position)) = (offset, u32::try_from(relative)) {
                self.entries.push(Entry { offset, position, max_before: self.max_timestamp });
            }
        }
        if batch.max_timestamp > self.max_timestamp {
            self.max_timestamp = batch.max_timestamp;
            self.max_from = batch.base_offset;
        }
        self.end.position = position.plus(batch.total_size() as u64);
        self.end.offset = batch.end_offset();
    }

    /// Forgets every batch that reaches past `offset`, and with them the few back to the last entry. Says what is still
    /// covered: from there on the batches have to be added again.
    pub fn truncate_to(&mut self, offset: Offset) -> CoveredTo {
        if offset >= self.end.offset {
            return self.end;
        }
        let kept = self.entries.partition_point(|entry| self.offset_of(entry) <= offset);
        let last = kept.checked_sub(1).map(|at| self.entries[at]);
        (self.max_timestamp, self.max_from) = self.max_before(last);
        self.entries.truncate(kept);
        self.end = CoveredTo {
            position: last.map_or(self.base_position, |entry| self.position_of(&entry)),
            offset: last.map_or(self.base_offset, |entry| self.offset_of(&entry)),
        };
        self.end
    }

    /// What is covered of the batches below `offset`, as an index of its own: the checkpoint's job saves only what is
    /// flushed.
    #[must_use]
    pub fn up_to(&self, offset: Offset) -> Self {
        let mut covered = self.clone();
        covered.truncate_to(offset);
        covered
    }

    /// Whether this could be `whole` as it was at some earlier time.
    #[must_use]
    pub fn is_part_of(&self, whole: &Self) -> bool {
        (self.base_offset, self.base_position) == (whole.base_offset, whole.base_position)
            && self.end.position <= whole.end.position
            && self.end.offset <= whole.end.offset
            && self.max_timestamp <= whole.max_timestamp
            && whole.entries.starts_with(&self.entries)
    }

    /// A position at or before the batch that holds `offset`, and where a batch begins. An offset before the segment
    /// gets the segment's first, one behind it the last known.
    #[must_use]
    pub fn lookup(&self, offset: Offset) -> Position {
        let at = self.entries.partition_point(|entry| self.offset_of(entry) <= offset);
        at.checked_sub(1).map_or(self.base_position, |at| self.position_of(&self.entries[at]))
    }

    /// Where to begin scanning for the first batch whose largest timestamp is at least `timestamp`. Whether there is one,
    /// [`Self::max_timestamp`] knows.
    #[must_use]
    pub fn lookup_time(&self, timestamp: i64) -> Position {
        let at = self.entries.partition_point(|entry| entry.max_before < timestamp);
        at.checked_sub(1).map_or(self.base_position, |at| self.position_of(&self.entries[at]))
    }

    /// The last position at or before `position` of which the index knows that a batch begins there; `None` before the
    /// segment.
    #[must_use]
    pub fn floor(&self, position: Position) -> Option<Position> {
        let at = self.entries.partition_point(|entry| self.position_of(entry) <= position);
        match at.checked_sub(1) {
            Some(at) => Some(self.position_of(&self.entries[at])),
            None => (position >= self.base_position).then_some(self.base_position),
        }
    }

    /// The largest timestamp of the covered batches, ms since 1970; −1 where they have none.
    #[must_use]
    pub const fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The largest timestamp and where to find it: the first batch that reaches it begins at this offset or later. (At
    /// this offset exactly, unless the index was truncated in between.) `None` where no batch has a timestamp.
    #[must_use]
    pub fn max_timestamp_batch(&self) -> Option<(i64, Offset)> {
        (self.max_timestamp > NO_TIMESTAMP).then_some((self.max_timestamp, self.max_from))
    }

    /// The same of the batches below `offset`, except for the few from the last entry on: also says the offset up to which
    /// they are counted.
    #[must_use]
    pub fn max_timestamp_below(&self, offset: Offset) -> (Option<(i64, Offset)>, Offset) {
        if offset >= self.end.offset {
            return (self.max_timestamp_batch(), self.end.offset);
        }
        let counted = self.entries.partition_point(|entry| self.offset_of(entry) <= offset);
        let last = counted.checked_sub(1).map(|at| self.entries[at]);
        let (timestamp, from) = self.max_before(last);
        let upto = last.map_or(self.base_offset, |entry| self.offset_of(&entry));
        ((timestamp > NO_TIMESTAMP).then_some((timestamp, from)), upto)
    }

    /// Whether any batch is covered.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.end.position > self.base_position
    }

    /// The end of what is covered.
    #[must_use]
    pub const fn covered_to(&self) -> CoveredTo {
        self.end
    }

    /// The segment's first offset.
    #[must_use]
    pub const fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// The segment's first position.
    #[must_use]
    pub const fn base_position(&self) -> Position {
        self.base_position
    }

    /// Bytes of memory that the entries take.
    #[must_use]
    pub const fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// The largest timestamp of the batches before an entry (`None` for the segment's base), and an offset at or before the
    /// first batch that has it.
    fn max_before(&self, entry: Option<Entry>) -> (i64, Offset) {
        let timestamp = entry.map_or(NO_TIMESTAMP, |entry| entry.max_before);
        if timestamp == self.max_timestamp {
            return (timestamp, self.max_from);
        }
        // It came between the last entry that does not have it yet and the next.
        let below = self.entries.partition_point(|entry| entry.max_before < timestamp);
        let before = below.checked_sub(1).map(|at| self.entries[at]);
        (timestamp, before.map_or(self.base_offset, |entry| self.offset_of(&entry)))
    }

    fn offset_of(&self, entry: &Entry) -> Offset {
        self.base_offset.plus(i64::from(entry.offset))
    }

    fn position_of(&self, entry: &Entry) -> Position {
        self.base_position.plus(u64::from(entry.position))
    }
}

#[cfg(test)]
mod tests;
