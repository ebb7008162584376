//! The operations a shard has in flight, by token.

use super::removals::Removal;
use crate::io::Token;
use crate::log::LogOp;

/// The top bit of a token: the operation is the service's, and the rest of the token its own affair.
pub const SERVICE_BIT: u64 = 1 << 63;

/// Whose an operation is.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// A partition's log's.
    Log {
        /// The partition's slot.
        slot: usize,
        /// What it was for.
        op: LogOp,
    },
    /// The checkpoint's.
    Checkpoint,
    /// The removal of a deleted partition's files.
    Removal(Removal),
    /// The journal's.
    Journal(JournalOp),
}

/// What an operation of the journal was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalOp {
    /// Its file is made.
    Make,
    /// Its file gets space for another area.
    Grow,
    /// The blocks of that are written once.
    Zero,
    /// A record is written.
    Write,
    /// And flushed, where the write was not durable by itself.
    Flush,
    /// Its file is closed.
    Close,
    /// Its file is removed.
    Remove,
}

#[derive(Clone, Copy)]
struct Entry {
    generation: u32,
    owner: Option<Owner>,
}

/// A slab of operations. A token packs slot and generation, so that one that was completed is never taken for another.
#[derive(Default)]
pub struct Ops {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Ops {
    /// Notes an operation and names it.
    pub fn insert(&mut self, owner: Owner) -> Token {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, owner: None });
            u32::try_from(self.entries.len() - 1).expect("far fewer operations than u32::MAX")
        });
        let entry = &mut self.entries[slot as usize];
        entry.owner = Some(owner);
        Token(u64::from(entry.generation) << 32 | u64::from(slot))
    }

    /// The operation with this name has ended.
    pub fn remove(&mut self, token: Token) -> Owner {
        let slot = u32::try_from(token.0 & u64::from(u32::MAX)).expect("masked to 32 bits");
        let entry = &mut self.entries[slot as usize];
        assert_eq!(token.0 >> 32, u64::from(entry.generation), "a completion came twice");
        // 31 bits: the token's top bit is the service's.
        entry.generation = (entry.generation + 1) & (u32::MAX >> 1);
        self.free.push(slot);
        entry.owner.take().expect("a completion came twice")
    }

    /// Whose the operations in flight are; on a new shard in the order in which they were begun.
    #[cfg(test)]
    pub fn owners(&self) -> impl Iterator<Item = Owner> {
        self.entries.iter().filter_map(|entry| entry.owner)
    }

    /// Operations in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
