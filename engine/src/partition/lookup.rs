//! Which record of a batch a ListOffsets question means.

use crate::batch::{Codec, CrcCheck, batches};
use crate::error::Error;
use crate::io::Slice;
use crate::log::read::Find;
use crate::request::FoundOffset;
use crate::types::Offset;

/// What came of looking for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// This is it.
    Found(FoundOffset),
    /// There is no such batch where it was looked for.
    Nowhere,
    /// The batch has no such record, though it promised one: the next may begin here.
    Behind(Offset),
}

impl Sought {
    /// What is answered in the end.
    #[must_use]
    pub fn found(self) -> FoundOffset {
        match self {
            Self::Found(found) => found,
            Self::Nowhere | Self::Behind(_) => {
                FoundOffset { offset: Offset::new(-1), timestamp: -1, leader_epoch: -1 }
            }
        }
    }
}

/// The first record of the batch in `slices` whose timestamp is at least the one asked for, from the offset that counts.
///
/// Records of a compressed batch are not decompressed on a shard: for those the answer is the batch's first record that
/// counts, from where a consumer finds the record it asked for.
pub fn find_record(slices: &[Slice], find: Find) -> Result<Sought, Error> {
    let Find::Timestamp { at_least, from } = find else { return Ok(Sought::Nowhere) };
    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    let Some(batch) = batches(&bytes, CrcCheck::Skip).next() else { return Ok(Sought::Nowhere) };
    let damaged =
        |error: &dyn std::fmt::Display| Error::Storage(format!("a stored batch cannot be read: {error}"));
    let batch = batch.map_err(|error| damaged(&error))?;
    let leader_epoch = batch.header.leader_epoch.value();
    if batch.header.codec() != Codec::None {
        let offset = batch.header.base_offset.max(from);
        return Ok(Sought::Found(FoundOffset {
            offset,
            timestamp: batch.header.max_timestamp,
            leader_epoch,
        }));
    }
    for record in batch.records().map_err(|error| damaged(&error))? {
        let record = record.map_err(|error| damaged(&error))?;
        if record.timestamp >= at_least && record.offset >= from {
            let found = FoundOffset { offset: record.offset, timestamp: record.timestamp, leader_epoch };
            return Ok(Sought::Found(found));
        }
    }
    Ok(Sought::Behind(batch.header.end_offset()))
}
