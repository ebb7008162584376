//! The producers in a checkpoint. Numbers are little-endian; the checkpoint adds its own checksum.
//!
//! | bytes | field |
//! | --: | --- |
//! | 1 | version: 1 |
//! | 4 | number of producers (`u32`) |
//! | | the producers, those silent longest first |
//!
//! A producer:
//!
//! | bytes | field |
//! | --: | --- |
//! | 8 | producer id (`i64`), not negative |
//! | 2 | epoch (`i16`), not negative |
//! | 8 | time of its last append, ms since 1970 (`i64`) |
//! | 8 | records of this epoch before those kept (`u64`) |
//! | 1 | number of batches kept: 1 to 5 |
//! | | the batches, the oldest first |
//!
//! A batch:
//!
//! | bytes | field |
//! | --: | --- |
//! | 4 | base sequence (`i32`), not negative; where the batch before ended |
//! | 8 | base offset (`i64`), not negative; not before the end of the batch before |
//! | 4 | number of records (`u32`), 1 to 2³¹ − 1 |
//! | 8 | largest timestamp, ms since 1970 (`i64`) |

use std::collections::VecDeque;
use std::fmt;

use super::entry::{CachedBatch, Entry};
use super::sequence::Sequence;
use super::{BATCHES_KEPT, Producers};
use crate::types::{Offset, ProducerId};

const VERSION: u8 = 1;

/// Why stored producers cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end too early.
    Short,
    /// Bytes are left over.
    Long,
    /// A version that this program does not know.
    Version(u8),
    /// A producer contradicts itself or appears twice.
    Producer(ProducerId),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the producer state ends too early"),
            Self::Long => f.write_str("the producer state is followed by bytes that do not belong to it"),
            Self::Version(version) => write!(
                f,
                "the producer state has version {version}, this program reads {VERSION}; use the program that wrote it"
            ),
            Self::Producer(id) => write!(f, "the state of producer {id} contradicts itself"),
        }
    }
}

impl std::error::Error for DecodeError {}

pub(super) fn encode(producers: &Producers, out: &mut Vec<u8>) {
    let count = u32::try_from(producers.len()).expect("fewer producers than fit into memory");
    out.push(VERSION);
    out.extend_from_slice(&count.to_le_bytes());
    for (id, entry) in producers.in_order_of_use() {
        out.extend_from_slice(&id.value().to_le_bytes());
        out.extend_from_slice(&entry.epoch.to_le_bytes());
        out.extend_from_slice(&entry.last_used_ms.to_le_bytes());
        out.extend_from_slice(&entry.records_before.to_le_bytes());
        out.push(entry.batches.len() as u8);
        for batch in &entry.batches {
            out.extend_from_slice(&batch.base_sequence.number().to_le_bytes());
            out.extend_from_slice(&batch.base_offset.value().to_le_bytes());
            out.extend_from_slice(&batch.records_count.to_le_bytes());
            out.extend_from_slice(&batch.max_timestamp.to_le_bytes());
        }
    }
}

pub(super) fn decode(bytes: &[u8], count_max: usize) -> Result<Producers, DecodeError> {
    let mut rest = bytes;
    let [version] = take(&mut rest)?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let mut producers = Producers::new(count_max);
    for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
        let id = ProducerId::new(i64::from_le_bytes(take(&mut rest)?));
        if producers.entries.contains_key(&id) {
            return Err(DecodeError::Producer(id));
        }
        let use_key = producers.touch(id);
        let entry = decode_entry(&mut rest, id, use_key)?;
        producers.entries.insert(id, entry);
        producers.evict();
    }
    if rest.is_empty() { Ok(producers) } else { Err(DecodeError::Long) }
}

fn decode_entry(rest: &mut &[u8], id: ProducerId, use_key: u64) -> Result<Entry, DecodeError> {
    let wrong = Err(DecodeError::Producer(id));
    let epoch = i16::from_le_bytes(take(rest)?);
    let last_used_ms = i64::from_le_bytes(take(rest)?);
    let records_before = u64::from_le_bytes(take(rest)?);
    let [count] = take(rest)?;
    // No log has had more records than it can have offsets.
    let before_fits = i64::try_from(records_before).is_ok();
    if id.value() < 0 || epoch < 0 || !before_fits || !(1..=BATCHES_KEPT).contains(&usize::from(count)) {
        return wrong;
    }
    let mut batches = VecDeque::<CachedBatch>::with_capacity(usize::from(count));
    for _ in 0..count {
        let batch = decode_batch(rest, id)?;
        let continues = batches.back().is_none_or(|last| {
            last.end_sequence() == batch.base_sequence && last.end_offset() <= batch.base_offset
        });
        if !continues {
            return wrong;
        }
        batches.push_back(batch);
    }
    Ok(Entry::restore(epoch, batches, records_before, last_used_ms, use_key))
}

fn decode_batch(rest: &mut &[u8], id: ProducerId) -> Result<CachedBatch, DecodeError> {
    let base_sequence = i32::from_le_bytes(take(rest)?);
    let base_offset = i64::from_le_bytes(take(rest)?);
    let records_count = u32::from_le_bytes(take(rest)?);
    let max_timestamp = i64::from_le_bytes(take(rest)?);
    let ends = base_offset.checked_add(i64::from(records_count));
    if base_sequence < 0
        || base_offset < 0
        || ends.is_none()
        || !(1..=i32::MAX as u32).contains(&records_count)
    {
        return Err(DecodeError::Producer(id));
    }
    let (base_sequence, base_offset) = (Sequence::new(base_sequence), Offset::new(base_offset));
    Ok(CachedBatch { base_sequence, base_offset, records_count, max_timestamp })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (field, after) = rest.split_first_chunk().ok_or(DecodeError::Short)?;
    *rest = after;
    Ok(*field)
}
