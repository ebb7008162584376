//! The hot end of a log in memory: what is not written yet, and what consumers that keep up will ask for next.
//!
//! The tail is one run of bytes, in chunks whose starts lie on block boundaries of the segment's file, so that whole
//! blocks are written from where they stand. Readers share the same memory.

use std::collections::VecDeque;

use crate::batch::layout;
use crate::io::{BLOCK_SIZE, CHUNK_SIZE, ChunkMut, Pool, Slice};
use crate::limits;
use crate::types::{Offset, Position};

struct TailChunk {
    /// Position of the chunk's first byte.
    start: Position,
    bytes: ChunkMut,
    /// When it was begun, counted in chunks of the whole shard: the age by which memory is given back.
    age: u64,
    /// Whether the file ends in it: what follows starts a chunk of its own, however much room is left.
    closed: bool,
    /// The first batch that starts in it: from there on the chunk can be searched.
    first_batch: Option<(Position, Offset)>,
}

impl TailChunk {
    /// A chunk that rests holds the last, partial block in no more memory than its bytes take: with ten thousand idle
    /// partitions a block each would be most of what they cost.
    fn resting(start: Position, bytes: Vec<u8>, age: u64) -> Self {
        Self { start, bytes: ChunkMut::full(bytes), age, closed: false, first_batch: None }
    }

    fn is_resting(&self) -> bool {
        self.bytes.capacity() < BLOCK_SIZE
    }

    /// Makes a chunk of it that can be appended to and written from.
    fn wake(&mut self) {
        let mut bytes = Pool::heap(BLOCK_SIZE);
        bytes.push(&self.bytes);
        self.bytes = bytes;
    }

    fn has_room(&self) -> bool {
        !self.closed && self.bytes.remaining() > 0
    }

    fn end(&self) -> Position {
        self.start.plus(self.bytes.len() as u64)
    }
}

/// What a reader needs of a stored batch's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPeek {
    /// Bytes of the batch.
    pub size: usize,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Latest timestamp of its records in milliseconds.
    pub max_timestamp: i64,
}

/// Bytes from a batch's start that [`BatchPeek::parse`] needs.
pub const PEEK_SIZE: usize = layout::MAX_TIMESTAMP + 8;

impl BatchPeek {
    /// Reads the first bytes of a stored batch; `None` where its length is impossible.
    #[must_use]
    pub fn parse(header: &[u8; PEEK_SIZE]) -> Option<Self> {
        let length = usize::try_from(layout::read_i32(header, layout::LENGTH)).ok()?;
        let size = length + layout::LENGTH_OVERHEAD;
        let base_offset = layout::read_i64(header, layout::BASE_OFFSET);
        let last_offset_delta = layout::read_i32(header, layout::LAST_OFFSET_DELTA);
        let last_offset = base_offset.checked_add(i64::from(last_offset_delta))?;
        let max_timestamp = layout::read_i64(header, layout::MAX_TIMESTAMP);
        (size >= layout::HEADER_SIZE).then_some(Self { size, base_offset, last_offset, max_timestamp })
    }
}

/// The tail of one log.
pub struct Tail {
    chunks: VecDeque<TailChunk>,
    end: Position,
    /// Capacity of the next chunk: it grows with the partition's traffic, so that a slow one holds one block.
    next_capacity: usize,
    /// Where it ended when it was last looked for what is old.
    looked_at: Position,
}

impl Tail {
    /// A tail that goes on at `end`; `partial` is what its last, partial block holds already (shorter than a block).
    #[must_use]
    pub fn new(end: Position, partial: Vec<u8>) -> Self {
        assert!(partial.len() < BLOCK_SIZE, "{} bytes are no partial block", partial.len());
        let start = Position::new(end.value() - partial.len() as u64);
        let resting = (!partial.is_empty()).then(|| TailChunk::resting(start, partial, 0));
        Self { chunks: resting.into_iter().collect(), end, next_capacity: BLOCK_SIZE, looked_at: end }
    }

    /// Appends `bytes`; new chunks come from `pool` while it has some. `clock` numbers the shard's chunks.
    pub fn push(&mut self, mut bytes: &[u8], pool: &Pool, clock: &mut u64) {
        if let Some(last) = self.chunks.back_mut().filter(|last| last.is_resting() && !last.closed) {
            last.wake();
        }
        while !bytes.is_empty() {
            if self.chunks.back().is_none_or(|last| !last.has_room()) {
                self.add_chunk(bytes.len(), pool, clock);
            }
            let last = self.chunks.back_mut().expect("a chunk with room was just made sure of");
            let count = last.bytes.push(bytes);
            self.end = self.end.plus(count as u64);
            bytes = &bytes[count..];
        }
    }

    /// The batch at `base` was pushed and starts at `at`.
    pub fn note_batch(&mut self, at: Position, base: Offset) {
        let chunk = self.chunk_of(at);
        self.chunks[chunk].first_batch.get_or_insert((at, base));
    }

    /// The start of a batch in the tail at or before the one that holds `offset`.
    #[must_use]
    pub fn batch_before(&self, offset: Offset) -> Option<Position> {
        self.chunks
            .iter()
            .rev()
            .filter_map(|chunk| chunk.first_batch)
            .find(|first| first.1 <= offset)
            .map(|first| first.0)
    }

    /// Ends the current chunk: what follows belongs to another file and starts a block of its own.
    pub fn start_file(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.closed = true;
        }
    }

    fn add_chunk(&mut self, wanted: usize, pool: &Pool, clock: &mut u64) {
        let capacity = self.next_capacity.max(wanted.next_multiple_of(BLOCK_SIZE)).min(CHUNK_SIZE);
        self.next_capacity = (capacity * 4).min(CHUNK_SIZE);
        let pooled = if capacity == CHUNK_SIZE { pool.take() } else { None };
        // Where many partitions are busy at a time, each waits long until a chunk of full size is filled.
        let bytes = pooled.unwrap_or_else(|| Pool::heap(capacity.min(limits::HEAP_CHUNK_BYTES)));
        *clock += 1;
        self.chunks.push_back(TailChunk {
            start: self.end,
            bytes,
            age: *clock,
            closed: false,
            first_batch: None,
        });
    }

    /// Where the tail begins: older bytes are on the disk only.
    #[must_use]
    pub fn start(&self) -> Position {
        self.chunks.front().map_or(self.end, |first| first.start)
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// The bytes from `from` to the end of its chunk, but not past `to`.
    #[must_use]
    pub fn piece(&self, from: Position, to: Position) -> Slice {
        let chunk = &self.chunks[self.chunk_of(from)];
        let start = usize::try_from(from.since(chunk.start)).expect("a chunk's length fits");
        let end = usize::try_from(to.min(chunk.end()).since(chunk.start)).expect("a chunk's length fits");
        chunk.bytes.slice(start..end)
    }

    /// The bytes of `[from, to)`, shared.
    #[must_use]
    pub fn slices(&self, mut from: Position, to: Position) -> Vec<Slice> {
        let mut slices = Vec::with_capacity(2);
        while from < to {
            let piece = self.piece(from, to);
            from = from.plus(piece.len() as u64);
            slices.push(piece);
        }
        slices
    }

    /// Looks at the header of the batch at `at`, which lies in the tail as a whole.
    #[must_use]
    pub fn peek(&self, at: Position) -> BatchPeek {
        let mut header = [0; PEEK_SIZE];
        let mut filled = 0;
        while filled < PEEK_SIZE {
            let from = at.plus(filled as u64);
            let piece = self.piece(from, from.plus((PEEK_SIZE - filled) as u64));
            header[filled..filled + piece.len()].copy_from_slice(&piece);
            filled += piece.len();
        }
        BatchPeek::parse(&header).expect("only validated batches are in the tail")
    }

    /// The age of the oldest chunk that may go once everything up to `flushed` is on the disk; the last one never
    /// goes, since its partial block will be written again.
    #[must_use]
    pub fn oldest(&self, flushed: Position) -> Option<u64> {
        let first = self.chunks.front()?;
        (self.chunks.len() > 1 && first.end() <= flushed).then_some(first.age)
    }

    /// Gives back the oldest chunk, and says how many bytes it had.
    pub fn evict(&mut self) -> usize {
        assert!(self.chunks.len() > 1, "the last chunk stays");
        self.chunks.pop_front().map_or(0, |chunk| chunk.bytes.capacity())
    }

    /// Gives back memory outside the pool that holds only what was appended before this was last called. Ten thousand partitions
    /// that a record comes to now and then would else fill their chunks, of larger and larger ones, over hours; the pool's chunks
    /// are given back when others need them. Nothing goes that lies past `durable`, where a batch ends.
    pub fn give_back_old(&mut self, durable: Position) {
        let old = self.looked_at.min(durable);
        self.looked_at = self.end;
        while self.chunks.len() > 1
            && let Some(first) = self.chunks.front()
            && first.bytes.capacity() < CHUNK_SIZE
            && first.end() <= old
        {
            self.chunks.pop_front();
            self.next_capacity = BLOCK_SIZE;
        }
    }

    /// Gives back all memory but that of the last block's bytes, if everything is flushed: the partition is idle.
    pub fn shrink(&mut self, flushed: Position) {
        if flushed < self.end {
            return;
        }
        self.next_capacity = BLOCK_SIZE;
        let Some(last) = self.chunks.back() else { return };
        let len = last.bytes.len();
        let block = len / BLOCK_SIZE * BLOCK_SIZE;
        if self.chunks.len() == 1 && last.is_resting() {
            return;
        }
        let unfinished = last.has_room() && len > block;
        let resting = unfinished.then(|| {
            TailChunk::resting(last.start.plus(block as u64), last.bytes[block..].to_vec(), last.age)
        });
        // The list's own memory is as long as it ever was.
        self.chunks = resting.into_iter().collect();
    }

    /// Bytes of memory it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum()
    }

    fn chunk_of(&self, at: Position) -> usize {
        assert!(self.start() <= at && at < self.end, "position {at} is not in the tail");
        self.chunks.partition_point(|chunk| chunk.start <= at) - 1
    }
}

#[cfg(test)]
mod tests;
