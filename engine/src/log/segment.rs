//! A segment: one file of a partition's log, its header and its name.
//!
//! The file is `<base offset, 20 digits>.log` in the partition's folder. Its first block is the header, in the frame of
//! `stored`; batches follow without gaps, and behind them the file is allocated ahead and reads as
//! zeros. A batch never crosses into the next segment, whose base position is this one's end.
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 8 | magic `TORASEG\n` |
//! | 8 | 4 | version: 1 (`u32`) |
//! | 12 | 4 | partition's number in its topic (`i32`) |
//! | 16 | 16 | topic id, as a UUID is written |
//! | 32 | 8 | base offset (`i64`) |
//! | 40 | 8 | base position (`u64`) |
//! | 48 | 8 | W: the most bytes that may be unflushed while this segment is written (`u64`) |
//! | 56 | 4 | CRC-32C of bytes 0 to 55 |
//! | 60 | 4036 | zeros, not looked at |
//! | 4096 | | the batches |
#![forbid(unsafe_code)]

mod jobs;
pub mod reserve;
pub(super) mod zeros;

use std::path::{Path, PathBuf};

use crate::batch::layout;
use crate::io::BLOCK_SIZE;
use crate::stored::{Reader, StoredError, Writer};
use crate::types::{Offset, PartitionId, Position, TopicId};

pub use jobs::{
    extend, prepare, prepare_empty, remove, remove_partition, rewrite_header, save_index_hint, seal,
};

/// Bytes of a segment's file before its first batch.
pub const HEADER_SIZE: u64 = BLOCK_SIZE as u64;

/// Bytes of the header block that have a meaning, checksum included.
const FRAME_SIZE: usize = 60;
const MAGIC: &[u8; 8] = b"TORASEG\n";
const VERSION: u32 = 1;
const LOG_SUFFIX: &str = ".log";
const INDEX_SUFFIX: &str = ".index";
/// Of an index that is being written, until it gets its name.
const HINT_SUFFIX: &str = ".index-hint";

/// What a segment's first block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Whose log this is part of.
    pub partition: PartitionId,
    /// The offset of the first record.
    pub base_offset: Offset,
    /// The position of the first batch.
    pub base_position: Position,
    /// W: the most bytes of this segment that may be unflushed at any time, and so the largest batch. Recovery tells a
    /// torn end from damage by it.
    pub unflushed_max: u64,
}

impl SegmentHeader {
    /// The file's first block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(MAGIC, VERSION);
        out.i32(self.partition.index.value());
        out.bytes(&self.partition.topic.bytes());
        out.i64(self.base_offset.value());
        out.u64(self.base_position.value());
        out.u64(self.unflushed_max);
        let mut block = out.finish();
        debug_assert_eq!(block.len(), FRAME_SIZE);
        block.resize(BLOCK_SIZE, 0);
        block
    }

    /// Reads the start of a file, at best its whole first block.
    ///
    /// # Errors
    /// Bytes that [`Self::encode`] never writes.
    pub fn decode(block: &[u8]) -> Result<Self, StoredError> {
        let frame = block.get(..FRAME_SIZE).ok_or(StoredError::Short)?;
        let mut reader = Reader::new(frame, MAGIC, VERSION)?;
        let index = reader.i32()?;
        let topic = TopicId::new(reader.array()?);
        let base_offset = reader.i64()?;
        let base_position = reader.u64()?;
        let unflushed_max = reader.u64()?;
        reader.finish()?;

        if index < 0 {
            return Err(StoredError::Field("partition"));
        }
        if base_offset < 0 {
            return Err(StoredError::Field("base offset"));
        }
        // No file is that long: what is added to a position later cannot overflow.
        if base_position > i64::MAX as u64 {
            return Err(StoredError::Field("base position"));
        }
        if !(layout::HEADER_SIZE as u64..=i64::MAX as u64).contains(&unflushed_max) {
            return Err(StoredError::Field("unflushed bytes"));
        }
        Ok(Self {
            partition: PartitionId::new(topic, index),
            base_offset: Offset::new(base_offset),
            base_position: Position::new(base_position),
            unflushed_max,
        })
    }

    /// Where in the file the byte at `position` is.
    #[must_use]
    pub fn file_offset(&self, position: Position) -> u64 {
        HEADER_SIZE + position.since(self.base_position)
    }

    /// The position of the byte at `file_offset`, which is not in the header.
    #[must_use]
    pub fn position(&self, file_offset: u64) -> Position {
        assert!(file_offset >= HEADER_SIZE, "byte {file_offset} is in the header");
        self.base_position.plus(file_offset - HEADER_SIZE)
    }
}

/// A segment's file.
#[must_use]
pub fn path(data_dir: &Path, header: &SegmentHeader) -> PathBuf {
    folder(data_dir, header.partition).join(file_name(header.base_offset))
}

/// A partition's folder.
#[must_use]
pub fn folder(data_dir: &Path, partition: PartitionId) -> PathBuf {
    data_dir.join(partition.to_string())
}

/// The name of the segment that begins with `base`.
#[must_use]
pub fn file_name(base: Offset) -> String {
    format!("{:020}{LOG_SUFFIX}", base.value())
}

/// The name of its saved index.
#[must_use]
pub fn index_name(base: Offset) -> String {
    format!("{:020}{INDEX_SUFFIX}", base.value())
}

/// Whether a file of this name is an index that was still being written.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(HINT_SUFFIX).or_else(|| name.strip_suffix(".index.tmp")).is_some_and(is_base)
}

/// The base offset of the segment with this name; `None` for a name that [`file_name`] never gives.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(LOG_SUFFIX).filter(|digits| is_base(digits))?;
    digits.parse().ok().map(Offset::new)
}

/// The base offset of the segment whose saved index has this name; `None` for a name that [`index_name`] never gives.
#[must_use]
pub fn parse_index_name(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(INDEX_SUFFIX).filter(|digits| is_base(digits))?;
    digits.parse().ok().map(Offset::new)
}

fn is_base(digits: &str) -> bool {
    digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
