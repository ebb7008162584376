//! Which record of a batch a ListOffsets question means.
//!
//! A shard decompresses nothing, and records are not looked at when they are produced. So a batch that is compressed, or
//! whose records are not what its header says, is taken as a whole and at its header's word: the answer is its first record
//! that counts with the batch's largest timestamp. From there a consumer finds the record that it asked for, or sees for
//! itself what is wrong.

use crate::batch::{Batch, BatchError, CrcCheck, batches};
use crate::error::Error;
use crate::io::Slice;
use crate::log::Newest;
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
    /// No batch has such a record, though one promised it: the next may begin here.
    Behind(Offset),
}

/// The first record of the batches in `slices` whose timestamp is at least the one asked for, from the offset that counts.
///
/// # Errors
/// Something that is no batch.
pub fn find_record(slices: &[Slice], find: Find) -> Result<Sought, Error> {
    let Find::Timestamp { at_least, from } = find else { return Ok(Sought::Nowhere) };
    let bytes = together(slices);
    let mut sought = Sought::Nowhere;
    for batch in batches(&bytes, CrcCheck::Skip) {
        let batch = batch.map_err(damaged)?;
        if batch.header.max_timestamp >= at_least
            && let Some(found) = record_in(&batch, at_least, from)
        {
            return Ok(Sought::Found(found));
        }
        sought = Sought::Behind(batch.header.end_offset());
    }
    Ok(sought)
}

/// The same for the largest timestamp, which is known to be that of the batch in `slices`: that is taken at its word where
/// no record has it.
///
/// # Errors
/// Something that is no batch.
pub fn newest_record(slices: &[Slice], find: Find) -> Result<Sought, Error> {
    let Find::Timestamp { at_least, from } = find else { return Ok(Sought::Nowhere) };
    let bytes = together(slices);
    let Some(batch) = batches(&bytes, CrcCheck::Skip).next() else { return Ok(Sought::Nowhere) };
    let batch = batch.map_err(damaged)?;
    Ok(Sought::Found(record_in(&batch, at_least, from).unwrap_or_else(|| as_a_whole(&batch, from))))
}

/// Considers the batches in `slices`, and those that are there no more where there are none.
///
/// # Errors
/// Something that is no batch.
pub fn look_for_newest(slices: &[Slice], newest: &mut Newest) -> Result<(), Error> {
    let bytes = together(slices);
    if bytes.is_empty() {
        newest.looked_at_all();
    }
    for batch in batches(&bytes, CrcCheck::Skip) {
        let batch = batch.map_err(damaged)?;
        let (base, from) = (batch.header.base_offset, newest.from());
        if base >= from {
            newest.consider(batch.header.max_timestamp, base);
        } else if let Some(found) = newest_in(&batch, from) {
            newest.consider(found.timestamp, found.offset);
        }
        newest.looked_upto(batch.header.end_offset());
    }
    Ok(())
}

/// The first record of a batch at or after `from` whose timestamp is at least `at_least`.
fn record_in(batch: &Batch<'_>, at_least: i64, from: Offset) -> Option<FoundOffset> {
    first_where(batch, from, |found| found.timestamp >= at_least)
        .unwrap_or_else(|_| Some(as_a_whole(batch, from)))
}

/// The first of those records of a batch at or after `from` that have the largest timestamp: none has more than the header
/// says, by which it is then looked for.
fn newest_in(batch: &Batch<'_>, from: Offset) -> Option<FoundOffset> {
    let mut newest: Option<FoundOffset> = None;
    let looked = first_where(batch, from, |mut found| {
        found.timestamp = found.timestamp.min(batch.header.max_timestamp);
        if newest.is_none_or(|newest| found.timestamp > newest.timestamp) {
            newest = Some(found);
        }
        false
    });
    looked.map_or_else(|_| Some(as_a_whole(batch, from)), |_| newest)
}

/// The first record at or after `from` that `is_it` accepts.
fn first_where(
    batch: &Batch<'_>,
    from: Offset,
    mut is_it: impl FnMut(FoundOffset) -> bool,
) -> Result<Option<FoundOffset>, BatchError> {
    let leader_epoch = batch.header.leader_epoch.value();
    for record in batch.records()? {
        let record = record?;
        let found = FoundOffset { offset: record.offset, timestamp: record.timestamp, leader_epoch };
        if record.offset >= from && is_it(found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn as_a_whole(batch: &Batch<'_>, from: Offset) -> FoundOffset {
    FoundOffset {
        offset: batch.header.base_offset.max(from),
        timestamp: batch.header.max_timestamp,
        leader_epoch: batch.header.leader_epoch.value(),
    }
}

/// The batches' bytes in one piece: those of a step, or of a single batch.
fn together(slices: &[Slice]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(slices.iter().map(|slice| slice.len()).sum());
    for slice in slices {
        bytes.extend_from_slice(slice);
    }
    bytes
}

fn damaged(error: BatchError) -> Error {
    Error::Storage(format!("a stored batch cannot be read: {error}"))
}
