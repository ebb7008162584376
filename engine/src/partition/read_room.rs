//! How much memory a shard's reads from the disk have, from their beginning to their answer.
//!
//! A read takes room for all that it will read before it allocates any of it, and gives it back when it is answered. Where
//! there is not enough, it waits in line, as nothing but its request: it holds neither memory nor a file, and is planned
//! anew when its turn comes. What was read ahead takes room as well, but never while somebody waits: then it is dropped,
//! unless it is still on its way.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::reading::Reading;
use crate::types::{PartitionId, Position};

/// See the module.
pub struct ReadRoom {
    /// Bytes in all.
    total: usize,
    taken: Rc<Cell<usize>>,
    line: VecDeque<(PartitionId, Queued)>,
    /// Somebody has begun to wait since it was last asked.
    wants_ahead: bool,
    /// Times that the line was gone through for those who leave it.
    #[cfg(test)]
    pub passes: usize,
}

/// A read in line.
struct Queued {
    reading: Reading,
    bytes: usize,
    from: Position,
}

/// A read whose turn has come.
pub struct Turn {
    /// What is wanted.
    pub reading: Reading,
    /// Room for it.
    pub held: Held,
    /// No batch before this is the one wanted.
    pub from: Position,
}

/// Room that a read has. It is given back when this is dropped.
pub struct Held {
    bytes: usize,
    taken: Rc<Cell<usize>>,
}

impl Held {
    /// How much that is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.taken.set(self.taken.get() - self.bytes);
    }
}

impl ReadRoom {
    /// Room of `total` bytes.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self {
            total,
            taken: Rc::default(),
            line: VecDeque::new(),
            wants_ahead: false,
            #[cfg(test)]
            passes: 0,
        }
    }

    /// Room for a read of so many bytes; `None` where it has to wait.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> Option<Held> {
        (self.line.is_empty() && self.has(bytes)).then(|| self.hold(bytes))
    }

    /// Whether there is room for so many bytes. More than there is in all have it alone.
    fn has(&self, bytes: usize) -> bool {
        let taken = self.taken.get();
        taken == 0 || taken + bytes <= self.total
    }

    fn hold(&self, bytes: usize) -> Held {
        self.taken.set(self.taken.get() + bytes);
        Held { bytes, taken: Rc::clone(&self.taken) }
    }

    /// A read waits for room, behind the others. No batch before `from` is the one wanted.
    pub fn wait(&mut self, id: PartitionId, reading: Reading, bytes: usize, from: Position) {
        self.wants_ahead |= self.line.is_empty();
        self.line.push_back((id, Queued { reading, bytes, from }));
    }

    /// The same for one that was begun and needs more room than it had: before the others.
    pub fn wait_first(&mut self, id: PartitionId, reading: Reading, bytes: usize, from: Position) {
        self.wants_ahead |= self.line.is_empty();
        self.line.push_front((id, Queued { reading, bytes, from }));
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        !self.line.is_empty()
    }

    /// Whether what was read ahead is to be dropped: true once each time that somebody begins to wait.
    pub fn wants_ahead(&mut self) -> bool {
        std::mem::take(&mut self.wants_ahead)
    }

    /// Whether there is room for who is first in line.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.line.front().is_some_and(|(_, first)| self.has(first.bytes))
    }

    /// The next in line, once there is room for it.
    pub fn next_turn(&mut self) -> Option<(PartitionId, Turn)> {
        if !self.may_go_on() {
            return None;
        }
        let (id, Queued { reading, bytes, from }) = self.line.pop_front()?;
        Some((id, Turn { reading, held: self.hold(bytes), from }))
    }

    /// Takes the reads of these partitions out of the line.
    pub fn leave(&mut self, goes: impl Fn(PartitionId) -> bool) -> Vec<Reading> {
        #[cfg(test)]
        {
            self.passes += 1;
        }
        let line = std::mem::take(&mut self.line).into_iter();
        let (gone, left): (VecDeque<_>, VecDeque<_>) = line.partition(|(id, _)| goes(*id));
        self.line = left;
        gone.into_iter().map(|(_, queued)| queued.reading).collect()
    }
}

#[cfg(test)]
mod tests;
