//! Where connections' memory comes from: budgets for what they receive, and shared pieces for what they answer.

use tora_engine::io::{ChunkMut, Pool, Slice};

use crate::limits;

/// A number of bytes that may be in use at a time.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, used: 0 }
    }

    /// Takes `bytes` if they are there. A piece larger than the whole budget is given out while nothing else is, since
    /// it would never be otherwise.
    #[must_use]
    pub const fn take(&mut self, bytes: usize) -> bool {
        let fits = self.used == 0 || bytes <= self.limit.saturating_sub(self.used);
        if fits {
            self.used += bytes;
        }
        fits
    }

    /// Gives `bytes` back.
    pub const fn give_back(&mut self, bytes: usize) {
        assert!(bytes <= self.used, "only what was taken is given back");
        self.used -= bytes;
    }
}

#[cfg(test)]
impl Budget {
    /// Bytes in use.
    pub const fn used(&self) -> usize {
        self.used
    }
}

/// A shard's memory for what its connections receive.
#[derive(Debug)]
pub struct ReceiveMemory {
    /// Grown buffers.
    pub grown: Budget,
    /// Buffers for requests that fit no other: this shard's share of `queued.max.request.bytes`.
    pub large: Budget,
}

impl ReceiveMemory {
    /// Memory with `queued_bytes` for large requests.
    #[must_use]
    pub const fn new(queued_bytes: usize) -> Self {
        Self { grown: Budget::new(limits::RECEIVE_BYTES_GROWN_ALL), large: Budget::new(queued_bytes) }
    }
}

/// A shard's memory for responses: pieces that many small responses share, and that are used again when all of them
/// are sent.
#[derive(Debug)]
pub struct ResponseMemory {
    current: ChunkMut,
    full: Vec<ChunkMut>,
}

impl Default for ResponseMemory {
    fn default() -> Self {
        Self { current: Pool::heap(limits::RESPONSE_CHUNK_BYTES), full: Vec::new() }
    }
}

impl ResponseMemory {
    /// Copies `bytes` in. Those that don't fit into a piece get one of their own.
    pub fn store(&mut self, bytes: &[u8]) -> Slice {
        if bytes.len() > limits::RESPONSE_CHUNK_BYTES {
            return Slice::copy_from(bytes);
        }
        if self.current.remaining() < bytes.len() {
            self.replace();
        }
        let start = self.current.len();
        let pushed = self.current.push(bytes);
        assert_eq!(pushed, bytes.len(), "there was room for all of it");
        self.current.slice(start..start + pushed)
    }

    fn replace(&mut self) {
        if self.current.try_reset() {
            return;
        }
        let free = self.full.iter_mut().position(ChunkMut::try_reset);
        let next = match free {
            Some(index) => self.full.swap_remove(index),
            None => Pool::heap(limits::RESPONSE_CHUNK_BYTES),
        };
        let full = std::mem::replace(&mut self.current, next);
        if self.full.len() < limits::RESPONSE_CHUNKS_KEPT {
            self.full.push(full);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_larger_than_the_budget_goes_alone() {
        let mut budget = Budget::new(100);
        assert!(budget.take(250));
        assert!(!budget.take(1));
        budget.give_back(250);
        assert!(budget.take(60));
        assert!(!budget.take(60));
        assert!(budget.take(40));
        assert!(!budget.take(1));
    }

    #[test]
    fn responses_stay_as_they_are_while_memory_is_used_again() {
        let mut memory = ResponseMemory::default();
        let kept = memory.store(b"kept");
        for round in 0..1000_u32 {
            let bytes = vec![u8::try_from(round % 251).expect("below 251"); 5000];
            assert_eq!(&*memory.store(&bytes), &bytes[..]);
        }
        assert_eq!(&*kept, b"kept");
        assert!(memory.full.len() <= 1, "sent pieces are used again");
    }

    #[test]
    fn a_response_larger_than_a_piece_gets_its_own() {
        let mut memory = ResponseMemory::default();
        let bytes = vec![7; limits::RESPONSE_CHUNK_BYTES * 3];
        assert_eq!(&*memory.store(&bytes), &bytes[..]);
    }
}
