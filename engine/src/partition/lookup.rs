//! Which record of a batch a ListOffsets question means.

use crate::batch::{Codec, CrcCheck, batches};
use crate::error::Error;
use crate::io::Slice;
use crate::request::{FoundOffset, OffsetQuery};
use crate::types::Offset;

/// The first record of the batch in `slices` whose timestamp is at least the one asked for.
///
/// Records of a compressed batch are not decompressed on a shard: for those the answer is the batch's first record,
/// from where a consumer finds the record it asked for.
pub fn find_record(slices: &[Slice], query: OffsetQuery) -> Result<FoundOffset, Error> {
    let none = FoundOffset { offset: Offset::new(-1), timestamp: -1, leader_epoch: -1 };
    let OffsetQuery::ForTimestamp(wanted) = query else { return Ok(none) };
    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    let Some(batch) = batches(&bytes, CrcCheck::Skip).next() else { return Ok(none) };
    let damaged =
        |error: &dyn std::fmt::Display| Error::Storage(format!("a stored batch cannot be read: {error}"));
    let batch = batch.map_err(|error| damaged(&error))?;
    let leader_epoch = batch.header.leader_epoch.value();
    let first =
        FoundOffset { offset: batch.header.base_offset, timestamp: batch.header.max_timestamp, leader_epoch };
    if batch.header.codec() != Codec::None {
        return Ok(first);
    }
    for record in batch.records().map_err(|error| damaged(&error))? {
        let record = record.map_err(|error| damaged(&error))?;
        if record.timestamp >= wanted {
            return Ok(FoundOffset { offset: record.offset, timestamp: record.timestamp, leader_epoch });
        }
    }
    Ok(first)
}
