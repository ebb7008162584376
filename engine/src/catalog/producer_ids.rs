//! Producer ids, which must never be handed out twice, not even across a crash.

use std::collections::VecDeque;
use std::ops::Range;

use crate::types::ProducerId;

/// Ids that are durably reserved and not yet handed out. Held in memory only: what is left in it when the process ends
/// is never used.
#[derive(Debug, Default)]
pub struct ProducerIdPool {
    blocks: VecDeque<Range<i64>>,
}

impl ProducerIdPool {
    /// Adds what a reservation made in this process brought. Blocks found while opening the log belong to the past and
    /// must not be added.
    pub fn add(&mut self, block: Range<i64>) {
        self.blocks.push_back(block);
    }

    /// Hands out an id; `None` means that a block has to be reserved first.
    pub fn take(&mut self) -> Option<ProducerId> {
        loop {
            match self.blocks.front_mut()?.next() {
                Some(id) => return Some(ProducerId::new(id)),
                None => self.blocks.pop_front(),
            };
        }
    }

    /// How many ids can be handed out before the next reservation.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.blocks.iter().map(|block| block.end.saturating_sub(block.start).max(0).unsigned_abs()).sum()
    }
}
