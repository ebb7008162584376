//! Writes of the log's tail: which are in flight, and how far all of them have come.
//!
//! Writes of whole blocks may overlap in flight. The tail's last block is mostly partial: it is copied before it is
//! written, since memory under DMA must not change, and the next write of that block waits until this one has
//! completed. Written bytes never change: a rewrite of the block repeats them.

use std::collections::VecDeque;
use std::io;

use crate::io::{BLOCK_SIZE, File, Fs, Op, Pool, Slice};
use crate::log::{LogOp, tail::Tail};
use crate::types::Position;

/// [`Target::copied_max`] where somebody waits for the write: copying so much costs less than a second write.
pub const COPIED_BYTES_MAX: usize = 32 * 1024;

/// How much of the tail is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    All,
    /// Its whole blocks: more is to come, and the partial block's write would only keep that waiting.
    WholeBlocks,
}

struct Write {
    id: u64,
    /// Where the log's bytes end in it.
    end: Position,
    /// Whether its last block is partial.
    partial: bool,
    durably: bool,
    file: File,
    offset: u64,
    data: Slice,
    done: bool,
}

/// Where one segment's file takes the tail.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The file.
    pub file: File,
    /// Position of the segment's first batch byte.
    pub base: Position,
    /// Bytes before that in the file.
    pub header_size: u64,
    /// The end of what may be written there now: what is appended, the segment's end, or its allocated space.
    pub limit: Position,
    /// Whether the segment ends at `limit`: nothing will follow in its last block.
    pub ends: bool,
    /// Whether everything before is on the disk, so that one write that is durable by itself saves the flush.
    pub durably: bool,
    /// What is shorter goes as one write with the partial block at its end, copied.
    pub copied_max: usize,
}

/// What completed writes have moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The new end of the contiguous prefix of completed writes.
    pub written: Option<Position>,
    /// The new end of what durable writes have put on the disk.
    pub flushed: Option<Position>,
}

/// The writes of one log.
pub struct Appender {
    submitted: Position,
    writes: VecDeque<Write>,
    next_id: u64,
}

impl Appender {
    /// An appender that goes on at `end`.
    #[must_use]
    pub const fn new(end: Position) -> Self {
        Self { submitted: end, writes: VecDeque::new(), next_id: 0 }
    }

    /// Whether a write is in flight.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.writes.is_empty()
    }

    /// The end of what has been handed to the device.
    #[must_use]
    pub const fn submitted(&self) -> Position {
        self.submitted
    }

    /// Submits what may be written to `target` now. Says whether everything up to its limit is submitted, so that the
    /// next segment may follow.
    pub fn pump<F: Fs>(
        &mut self,
        tail: &Tail,
        target: Target,
        extent: Extent,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) -> bool {
        while self.submitted < target.limit {
            let relative = self.submitted.since(target.base);
            let from = Position::new(self.submitted.value() - relative % BLOCK_SIZE as u64);
            if from < self.submitted && self.writes.back().is_some_and(|write| write.partial && !write.done) {
                return false;
            }
            let piece = tail.piece(from, target.limit);
            let partial = piece.len() % BLOCK_SIZE;
            let more_to_come = extent == Extent::WholeBlocks && !target.ends;
            if partial > 0 && piece.len() < target.copied_max && !more_to_come {
                let is_all = piece.len() as u64 == target.limit.since(from);
                let durably = target.durably && is_all && self.writes.is_empty();
                self.submit(target, from, padded(&piece), piece.len(), durably, out);
                continue;
            }
            let whole = piece.len() - partial;
            if whole == 0 {
                return false;
            }
            self.submit(target, from, piece.slice(0..whole), whole, false, out);
        }
        true
    }

    fn submit<F: Fs>(
        &mut self,
        target: Target,
        from: Position,
        data: Slice,
        len: usize,
        durably: bool,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) {
        let (id, offset) = (self.next_id, target.header_size + from.since(target.base));
        self.next_id += 1;
        self.submitted = from.plus(len as u64);
        let partial = !len.is_multiple_of(BLOCK_SIZE);
        let write = Write {
            id,
            end: self.submitted,
            partial,
            durably,
            file: target.file,
            offset,
            data: data.clone(),
            done: false,
        };
        self.writes.push_back(write);
        out.push((LogOp::Write { id }, operation(target.file, offset, data, durably)));
    }

    /// A write has ended. Says what that moved; what a short write left over is submitted again.
    ///
    /// # Errors
    /// The write's: the partition's storage is not to be trusted any more.
    pub fn complete<F: Fs>(
        &mut self,
        id: u64,
        result: io::Result<u64>,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) -> io::Result<Moved> {
        let count = usize::try_from(result?).map_err(io::Error::other)?;
        let at = self.writes.partition_point(|write| write.id < id);
        let write = self.writes.get_mut(at).filter(|write| write.id == id).expect("one completion a write");
        if count < write.data.len() {
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero));
            }
            // Blocks that were written as a whole stay; the rest goes again, from a block's start.
            let kept = count / BLOCK_SIZE * BLOCK_SIZE;
            write.data.skip(kept);
            write.offset += kept as u64;
            let data = write.data.clone();
            out.push((LogOp::Write { id }, operation(write.file, write.offset, data, write.durably)));
            return Ok(Moved::default());
        }
        write.done = true;
        let mut moved = Moved::default();
        while let Some(first) = self.writes.front()
            && first.done
        {
            moved.written = Some(first.end);
            // It was submitted with everything before on the disk already.
            moved.flushed = moved.flushed.max(first.durably.then_some(first.end));
            self.writes.pop_front();
        }
        Ok(moved)
    }
}

fn operation<F: Fs>(file: File, offset: u64, data: Slice, durably: bool) -> Op<F> {
    if durably { Op::WriteDurably { file, offset, data } } else { Op::Write { file, offset, data } }
}

/// A copy up to the next block's start: memory under a write must not change, and the tail's last block will.
fn padded(piece: &Slice) -> Slice {
    let mut blocks = Pool::heap(piece.len().next_multiple_of(BLOCK_SIZE));
    blocks.push(piece);
    // The memory was zeroed when it was allocated.
    blocks.advance(blocks.remaining());
    blocks.filled()
}

#[cfg(test)]
mod tests;
