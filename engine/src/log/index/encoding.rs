//! A saved index, in the frame of `stored`: `<base offset>.index` beside its segment.
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 8 | magic `TORAIDX\n` |
//! | 8 | 4 | version: 1 (`u32`) |
//! | 12 | 4 | number of entries (`u32`) |
//! | 16 | 8 | segment's base offset (`i64`) |
//! | 24 | 8 | segment's base position (`u64`) |
//! | 32 | 8 | bytes of batches covered (`u64`) |
//! | 40 | 8 | offset after the last covered batch (`i64`) |
//! | 48 | 8 | largest timestamp, ms since 1970, or −1 (`i64`) |
//! | 56 | 8 | offset at or before the first batch that reaches it (`i64`) |
//! | 64 | 16 each | the entries |
//! | end − 4 | 4 | CRC-32C of everything before it |
//!
//! An entry:
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 4 | batch's base offset less the segment's (`u32`) |
//! | 4 | 4 | batch's position less the segment's (`u32`) |
//! | 8 | 8 | largest timestamp of the batches before it, or −1 (`i64`) |

use super::{CoveredTo, Entry, SparseIndex};
use crate::stored::{Reader, StoredError, Writer};
use crate::types::{Offset, Position};

const MAGIC: &[u8; 8] = b"TORAIDX\n";
const VERSION: u32 = 1;

impl SparseIndex {
    /// The bytes of the file that saves it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(MAGIC, VERSION);
        out.u32(u32::try_from(self.entries.len()).expect("each entry has a position of its own in 32 bits"));
        out.i64(self.base_offset.value());
        out.u64(self.base_position.value());
        out.u64(self.end.position.since(self.base_position));
        out.i64(self.end.offset.value());
        out.i64(self.max_timestamp);
        out.i64(self.max_from.value());
        for entry in &self.entries {
            out.u32(entry.offset);
            out.u32(entry.position);
            out.i64(entry.max_before);
        }
        out.finish()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that it never writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut reader = Reader::new(bytes, MAGIC, VERSION)?;
        let count = reader.u32()? as usize;
        let base_offset = reader.i64()?;
        let base_position = reader.u64()?;
        let covered = reader.u64()?;
        let end_offset = reader.i64()?;
        let max_timestamp = reader.i64()?;
        let max_from = reader.i64()?;

        let ends = base_position.checked_add(covered).ok_or(StoredError::Field("covered"))?;
        if base_offset < 0 || end_offset < base_offset || !(base_offset..=end_offset).contains(&max_from) {
            return Err(StoredError::Field("offset"));
        }
        if reader.remaining() != count.saturating_mul(size_of::<Entry>()) {
            return Err(StoredError::Field("number of entries"));
        }
        let mut entries = Vec::<Entry>::with_capacity(count);
        for _ in 0..count {
            let entry = Entry { offset: reader.u32()?, position: reader.u32()?, max_before: reader.i64()? };
            let last =
                entries.last().copied().unwrap_or(Entry { offset: 0, position: 0, max_before: i64::MIN });
            let rises = entry.offset > last.offset
                && entry.position > last.position
                && entry.max_before >= last.max_before
                && u64::from(entry.position) <= covered
                && i64::from(entry.offset) <= end_offset - base_offset
                && entry.max_before <= max_timestamp;
            if !rises {
                return Err(StoredError::Field("entry"));
            }
            entries.push(entry);
        }
        reader.finish()?;
        Ok(Self {
            base_offset: Offset::new(base_offset),
            base_position: Position::new(base_position),
            end: CoveredTo { position: Position::new(ends), offset: Offset::new(end_offset) },
            max_timestamp,
            max_from: Offset::new(max_from),
            entries,
        })
    }
}
