//! Zeros ahead of the tail, while appends come slowly.
//!
//! Space that is allocated but was never written costs every flush more: the file system has to make durable, too, that
//! the blocks now hold something. Overwriting blocks costs it nothing, so blocks that an append is about to reach are
//! written with zeros first, a piece at a time, and the appender submits nothing into a piece under way. That doubles the
//! bytes that the device takes, so it is done only where they are few: what comes fast comes in large groups, which
//! share the cost of their flush.

use std::io;
use std::ops::Range;

use crate::io::{BLOCK_SIZE, Fs, Op, Slice};
use crate::limits;
use crate::log::{Log, LogOp, Wanted};
use crate::types::{Offset, Position};

/// How far the active segment is zeroed. Bytes count from the segment's first batch byte.
#[derive(Default)]
pub(super) struct Zeroing {
    /// The segment.
    base: Offset,
    /// From the first append that found zeros up to here, every block has been written.
    done_to: u64,
    under_way: Option<UnderWay>,
    /// What was appended when it was last looked at.
    appended_then: Position,
    /// The file system has no space set aside for zeros: leave it to the batches.
    given_up: bool,
}

impl Zeroing {
    /// The segment in which a piece is under way.
    pub fn segment(&self) -> Option<Offset> {
        self.under_way.as_ref().map(|_| self.base)
    }
}

struct UnderWay {
    piece: Range<u64>,
    /// Where to go on to.
    end: u64,
    /// What the next piece is written from.
    zeros: Slice,
}

impl Log {
    /// Begins to zero ahead where the last interval's appends call for it and `may_begin`, and says whether it did; called
    /// at intervals. `zeros` is a piece of them.
    pub fn zero_ahead<F: Fs>(&mut self, may_begin: bool, zeros: &Slice, out: &mut Wanted<F>) -> bool {
        let appended = self.positions.appended().position();
        let grown = appended.since(self.zeroing.appended_then);
        self.zeroing.appended_then = appended;
        let slow = may_begin && (1..=limits::ZERO_AHEAD_APPENDED_MAX).contains(&grown);
        if !slow || self.failed.is_some() || self.zeroing.under_way.is_some() || self.zeroing.given_up {
            return false;
        }
        let Some(active) = self.segments.active().filter(|active| active.open().is_some()) else {
            return false;
        };
        if self.zeroing.base != active.header.base_offset {
            self.zeroing.base = active.header.base_offset;
            self.zeroing.done_to = 0;
        }
        let used = appended.since(active.base());
        let ahead = (grown * limits::ZERO_AHEAD_INTERVALS).max(limits::ZERO_AHEAD_MIN);
        if self.zeroing.done_to >= used + ahead / 2 {
            return false;
        }
        // What recovery found allocated need not end with a block.
        let allocated = active.allocated / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
        let end = (used + ahead).next_multiple_of(BLOCK_SIZE as u64).min(allocated);
        // What will be appended while the first piece is under way stays out of it.
        let start = (used + grown / 8).next_multiple_of(BLOCK_SIZE as u64) + BLOCK_SIZE as u64;
        self.zero_piece(start.max(self.zeroing.done_to), end, zeros, out);
        self.zeroing.under_way.is_some()
    }

    fn zero_piece<F: Fs>(&mut self, start: u64, end: u64, zeros: &Slice, out: &mut Wanted<F>) {
        let len = end.saturating_sub(start).min(zeros.len() as u64);
        let file = self.segments.active().and_then(super::segments::Segment::open);
        let (Some(file), true) = (file, len > 0) else { return };
        let base = self.zeroing.base;
        self.zeroing.under_way = Some(UnderWay { piece: start..start + len, end, zeros: zeros.clone() });
        let data = zeros.slice(0..usize::try_from(len).expect("no longer than the zeros"));
        let offset = super::segment::HEADER_SIZE + start;
        out.push((LogOp::Zero { base }, Op::Write { file, offset, data }));
    }

    /// A piece has been zeroed, or not: goes on with the next.
    pub(super) fn zeroed<F: Fs>(&mut self, base: Offset, result: io::Result<u64>, out: &mut Wanted<F>) {
        let UnderWay { piece, end, zeros } =
            self.zeroing.under_way.take().expect("one piece is under way at a time");
        let is_active = self.segments.active().is_some_and(|active| active.header.base_offset == base);
        match result {
            // Space was not set aside, on a file system that cannot.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => self.zeroing.given_up = true,
            Err(error) => self.fail("writing zeros ahead", &error),
            Ok(count) if is_active && self.failed.is_none() => {
                let done_to = piece.start + count / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
                self.zeroing.done_to = done_to;
                self.zero_piece(done_to, end, &zeros, out);
            }
            Ok(_) => {}
        }
    }

    /// Where the piece under way in the segment of this base begins: nothing may be written from there on.
    pub(super) fn zeroing_from(&self, base: Offset) -> Option<u64> {
        let under_way = self.zeroing.under_way.as_ref().filter(|_| self.zeroing.base == base)?;
        Some(under_way.piece.start)
    }
}

#[cfg(test)]
mod tests;
