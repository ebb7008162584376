//! The areas of a journal: which is being written, and which may be written again.
//!
//! An area is written from its start to its end, then the next one that is free. It is free again once every log that has
//! bytes in it is settled past those, and so is every area that was written before it: what a replay needs is then all
//! there, from its first record to its last. A log whose storage has failed is never settled, and what the journal holds of
//! it may be all there is; then the areas are used up in the end, and every log writes its own file.

use std::collections::BTreeMap;

use super::FILE_HEADER_SIZE;
use crate::limits;
use crate::sim::plant::{Plant, planted};
use crate::types::{PartitionId, Position};

/// One area.
#[derive(Default)]
struct Area {
    /// The sequence of its first record; `None` before it has ever been written.
    first: Option<u64>,
    /// Whose bytes it holds, and where the last of them end.
    unsettled: BTreeMap<PartitionId, Position>,
}

impl Area {
    /// Forgets whom it need not remember any more.
    fn forget_settled(&mut self, settled: &impl Fn(PartitionId) -> Option<Position>) {
        self.unsettled.retain(|partition, end| settled(*partition).is_some_and(|settled| settled < *end));
    }
}

/// See the module.
pub struct Areas {
    bytes: u64,
    max: usize,
    is_held_back: bool,
    list: Vec<Area>,
    current: usize,
    /// Bytes of the current one that are used.
    used: u64,
    sequence: u64,
}

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the file's start.
    pub offset: u64,
    /// The record's sequence.
    pub sequence: u64,
    /// The sequence from which on something may be unsettled.
    pub live_from: u64,
}

impl Areas {
    /// One area of so many bytes, of `max` that there may be.
    #[must_use]
    pub fn new(bytes: u64, max: usize) -> Self {
        Self {
            bytes,
            max,
            is_held_back: false,
            list: vec![Area { first: Some(0), ..Area::default() }],
            current: 0,
            used: 0,
            sequence: 0,
        }
    }

    /// Bytes of each.
    #[must_use]
    pub const fn area_bytes(&self) -> u64 {
        self.bytes
    }

    /// The file's size.
    #[must_use]
    pub fn size(&self) -> u64 {
        FILE_HEADER_SIZE + self.list.len() as u64 * self.bytes
    }

    /// There is one area more.
    pub fn grew(&mut self) {
        self.list.push(Area::default());
    }

    /// Whether there may be no more areas than there are, since one could not be had.
    pub fn hold_back(&mut self, held_back: bool) {
        self.is_held_back = held_back;
    }

    /// Whether another area should be made: the current one is half full, and no other is free.
    #[must_use]
    pub fn should_grow(&self) -> bool {
        self.list.len() < self.limit() && self.used >= self.bytes / 2 && self.free().is_none()
    }

    fn limit(&self) -> usize {
        if self.is_held_back { self.list.len() } else { self.max }
    }

    /// An area other than the current one that may be written.
    fn free(&self) -> Option<usize> {
        let is_free = |area: &Area| area.unsettled.is_empty() || planted(Plant::JournalReusedEarly);
        self.oldest(|_| true).filter(|oldest| is_free(&self.list[*oldest]))
    }

    /// Of those of the others that count the one that was written first, and is to be written next.
    fn oldest(&self, counts: impl Fn(&Area) -> bool) -> Option<usize> {
        let others = self.list.iter().enumerate().filter(|(at, area)| *at != self.current && counts(area));
        // One that was never written comes first: `None` is less than any sequence.
        others.min_by_key(|(_, area)| area.first).map(|(at, _)| at)
    }

    /// Sees to it that `bytes` fit into the current area, which may become another one. `false` where none is free.
    /// `settled` says how far a log is settled; `None` for one that is gone. A log that has failed never is: what the
    /// journal holds of it may be all there is.
    pub fn make_room(&mut self, bytes: u64, settled: impl Fn(PartitionId) -> Option<Position>) -> bool {
        if self.used + bytes <= self.bytes {
            return true;
        }
        if let Some(oldest) = self.oldest(|_| true) {
            self.list[oldest].forget_settled(&settled);
        }
        let Some(next) = self.free() else { return false };
        self.current = next;
        self.used = 0;
        self.list[next] = Area { first: Some(self.sequence), unsettled: BTreeMap::new() };
        true
    }

    /// Takes room for a record that [`Self::make_room`] has made.
    pub fn place(&mut self, bytes: u64) -> Place {
        assert!(self.used + bytes <= self.bytes, "room was made before");
        let area = self.current as u64;
        let offset = FILE_HEADER_SIZE + area * self.bytes + self.used;
        let unsettled = self.list.iter().filter(|area| !area.unsettled.is_empty());
        let live_from = unsettled.filter_map(|area| area.first).min().unwrap_or(self.sequence);
        let place = Place { offset, sequence: self.sequence, live_from };
        self.used += bytes;
        self.sequence += 1;
        place
    }

    /// The record that was placed last holds bytes of this partition, up to `end`.
    pub fn note(&mut self, partition: PartitionId, end: Position) {
        self.list[self.current].unsettled.insert(partition, end);
    }

    /// Whom to settle: who has something in the oldest area, once most areas may not be written again, so that there is room in
    /// time; or at once if they are few, so that the journal stays small.
    pub fn pressing(&mut self, settled: impl Fn(PartitionId) -> Option<Position>) -> Vec<PartitionId> {
        let is_taken = |area: &Area| !area.unsettled.is_empty();
        let limit = self.limit();
        while let Some(oldest) = self.oldest(is_taken) {
            let others =
                self.list.iter().enumerate().filter(|(at, area)| *at != self.current && is_taken(area));
            let taken = 1 + others.count();
            let has_room = limit.saturating_sub(taken) >= limit / 4 && taken < limit;
            let oldest = &mut self.list[oldest];
            if has_room && oldest.unsettled.len() > limits::SETTLE_FEW {
                return Vec::new();
            }
            oldest.forget_settled(&settled);
            if !oldest.unsettled.is_empty() {
                return oldest.unsettled.keys().copied().collect();
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
