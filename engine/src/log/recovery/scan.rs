//! Walking through a segment batch by batch, believing nothing.

use std::fmt;
use std::io;

use super::reader::Reader;
use crate::batch::{BatchError, BatchHeader, CrcCheck, Read, layout, read_one};
use crate::io::Fs;
use crate::log::segment::SegmentHeader;
use crate::types::{LeaderEpoch, Offset, Position};

/// Bytes read at a time where every byte is looked at.
const PIECE: usize = 1 << 20;
/// Bytes read at a time where only headers are.
const PIECE_OF_HEADERS: usize = 64 << 10;

/// What the next batch has to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Its base offset.
    pub offset: Offset,
    /// The leader epoch of the batch before it; its own is not smaller.
    pub epoch: LeaderEpoch,
}

/// What is wrong with the bytes where a batch should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is nothing but zeros where the header should be.
    Nothing,
    /// The batch would reach past the end.
    PastEnd { size: u64, left: u64 },
    /// It is no intact batch.
    Batch(BatchError),
    /// It is an intact batch that belongs elsewhere.
    Offset { expected: Offset, found: Offset },
    /// It was appended before the batch in front of it.
    Epoch { before: LeaderEpoch, found: LeaderEpoch },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there are zeros where a batch should begin"),
            Self::PastEnd { size, left } => {
                write!(f, "a batch of {size} bytes should begin there, and only {left} bytes follow")
            }
            Self::Batch(error) => error.fmt(f),
            Self::Offset { expected, found } => {
                write!(f, "the batch there begins with offset {found} instead of {expected}")
            }
            Self::Epoch { before, found } => {
                write!(f, "the batch there has leader epoch {found}, the one before it {before}")
            }
        }
    }
}

/// What comes next in a segment.
pub(super) enum Next {
    /// A batch that is as expected.
    Batch(BatchHeader),
    /// The end of the range.
    End,
    /// Something else.
    Fault(Fault),
}

/// A walk through the batches of one segment.
pub(super) struct Scan<'a, F: Fs> {
    window: Window<'a, F>,
    crc: CrcCheck,
    size_max: usize,
    /// Where the next batch begins, in the file.
    at: u64,
    expected: Expected,
}

impl<'a, F: Fs> Scan<'a, F> {
    /// A walk from the batch at `from` to the byte before `end`, an offset in the file. With [`CrcCheck::Skip`] only
    /// the batches' headers are read where that saves reading.
    pub(super) fn new(
        file: &'a Reader<'a, F>,
        header: &SegmentHeader,
        crc: CrcCheck,
        from: Position,
        end: u64,
        expected: Expected,
    ) -> Self {
        let piece = if crc == CrcCheck::Full { PIECE } else { PIECE_OF_HEADERS };
        Self {
            window: Window::new(file, end, piece),
            crc,
            size_max: usize::try_from(header.unflushed_max).unwrap_or(usize::MAX),
            at: header.file_offset(from),
            expected,
        }
    }

    /// Where the next batch begins, in the file.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// What the next batch has to be like.
    pub(super) fn expected(&self) -> Expected {
        self.expected
    }

    /// Takes one step. After anything but a batch it stays where it is.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let left = self.window.end.saturating_sub(self.at);
        if left == 0 {
            return Ok(Next::End);
        }
        let batch = match self.crc {
            CrcCheck::Full => self.whole_batch(left)?,
            CrcCheck::Skip => self.header_only(left)?,
        };
        let batch = match batch {
            Ok(batch) => batch,
            Err(fault) => return Ok(Next::Fault(fault)),
        };
        let Expected { offset, epoch } = self.expected;
        if batch.base_offset != offset {
            return Ok(Next::Fault(Fault::Offset { expected: offset, found: batch.base_offset }));
        }
        if batch.leader_epoch < epoch && !super::epochs_ignored() {
            return Ok(Next::Fault(Fault::Epoch { before: epoch, found: batch.leader_epoch }));
        }
        self.at += batch.total_size() as u64;
        self.expected = Expected { offset: batch.end_offset(), epoch: batch.leader_epoch };
        Ok(Next::Batch(batch))
    }

    fn whole_batch(&mut self, left: u64) -> io::Result<Result<BatchHeader, Fault>> {
        let mut needed = layout::HEADER_SIZE;
        loop {
            if needed as u64 > left {
                return Ok(Err(self.short(needed as u64, left)?));
            }
            let bytes = self.window.bytes(self.at, needed)?;
            if bytes.len() < needed {
                let left = bytes.len() as u64;
                return Ok(Err(Fault::PastEnd { size: needed as u64, left }));
            }
            match read_one(bytes, self.size_max, self.crc) {
                Read::Complete(batch) => return Ok(Ok(batch)),
                Read::Incomplete { needed: more } => needed = more,
                Read::Invalid(_) if is_zero(&bytes[..layout::HEADER_SIZE]) => return Ok(Err(Fault::Nothing)),
                Read::Invalid(error) => return Ok(Err(Fault::Batch(error))),
            }
        }
    }

    fn header_only(&mut self, left: u64) -> io::Result<Result<BatchHeader, Fault>> {
        let bytes = self.window.bytes(self.at, layout::HEADER_SIZE)?;
        let batch = match BatchHeader::parse(bytes) {
            Ok(batch) => batch,
            Err(_) if is_zero(bytes) => return Ok(Err(Fault::Nothing)),
            Err(error) => return Ok(Err(Fault::Batch(error))),
        };
        let size = batch.total_size();
        if size > self.size_max {
            return Ok(Err(Fault::Batch(BatchError::TooLarge { size, max: self.size_max })));
        }
        Ok(if size as u64 > left { Err(Fault::PastEnd { size: size as u64, left }) } else { Ok(batch) })
    }

    /// The fault of a batch for which there is too little room: most often there is none.
    fn short(&mut self, size: u64, left: u64) -> io::Result<Fault> {
        let bytes = self.window.bytes(self.at, layout::HEADER_SIZE)?;
        Ok(if is_zero(bytes) { Fault::Nothing } else { Fault::PastEnd { size, left } })
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(layout::HEADER_SIZE)].iter().all(|byte| *byte == 0)
}

/// A part of a file in memory, moving forward.
pub(super) struct Window<'a, F: Fs> {
    file: &'a Reader<'a, F>,
    /// Nothing is read at or past this byte.
    end: u64,
    piece: usize,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
}

impl<'a, F: Fs> Window<'a, F> {
    /// A window on the file up to `end` that is filled by `piece` bytes at a time.
    pub(super) fn new(file: &'a Reader<'a, F>, end: u64, piece: usize) -> Self {
        Self { file, end, piece, buffer: Vec::new(), start: 0 }
    }

    /// The file from `at` on: at least `needed` bytes, unless the end comes first.
    pub(super) fn bytes(&mut self, at: u64, needed: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let kept = self.file.kept(at);
        if kept.len() >= needed.min(left) {
            return Ok(&kept[..kept.len().min(left)]);
        }
        let have = self.have(at);
        if have < needed {
            let kept = self.buffer.len() - have;
            self.buffer.drain(..kept);
            self.start = at;
            self.buffer.resize(needed.max(self.piece).min(left).max(have), 0);
            let count = self.file.read_at(at + have as u64, &mut self.buffer[have..])?;
            self.buffer.truncate(have + count);
            return Ok(&self.buffer);
        }
        Ok(&self.buffer[self.buffer.len() - have..])
    }

    /// Bytes in the buffer from `at` on.
    fn have(&self, at: u64) -> usize {
        let end = self.start + self.buffer.len() as u64;
        if (self.start..end).contains(&at) {
            usize::try_from(end - at).expect("at most the buffer's length")
        } else {
            0
        }
    }
}
