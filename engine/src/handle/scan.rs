//! Going through the records of what was read.

use crate::batch::{BatchError, CrcCheck, Read, Record, batches, read_one};
use crate::request::Records;
use crate::types::Offset;

/// Calls `visit` with each record from the offset `from` on, in order, where it lies, and returns the offset to read
/// from next: `from` itself where there was nothing. Checksums are verified.
///
/// # Errors
/// [`BatchError::Compressed`] at the first compressed batch: the engine has no codecs, and its
/// [bytes](crate::batch::Batch::bytes) are for those who do. Any other error is damage. The records before were
/// visited.
pub fn for_each_record(
    records: &Records,
    from: Offset,
    mut visit: impl FnMut(Record<'_>),
) -> Result<Offset, BatchError> {
    let mut next = from;
    for_each_batch(records, |bytes| {
        for batch in batches(bytes, CrcCheck::Full) {
            let batch = batch?;
            for record in batch.records()? {
                let record = record?;
                if record.offset >= from {
                    visit(record);
                }
            }
            next = batch.header.end_offset();
        }
        Ok(())
    })?;
    Ok(next)
}

/// Calls `visit` with each whole batch: where it lies, or, if it runs on from one slice into the next, copied together.
fn for_each_batch(
    records: &Records,
    mut visit: impl FnMut(&[u8]) -> Result<(), BatchError>,
) -> Result<(), BatchError> {
    let mut begun = Vec::new();
    for slice in &records.slices {
        let mut rest: &[u8] = slice;
        while !rest.is_empty() {
            let from_slice = begun.is_empty();
            match read_one(if from_slice { rest } else { &begun }, usize::MAX, CrcCheck::Skip) {
                Read::Complete(header) if from_slice => {
                    let batch = rest.split_off(..header.total_size()).expect("a complete batch is there");
                    visit(batch)?;
                }
                Read::Complete(_) => {
                    visit(&begun)?;
                    begun.clear();
                }
                Read::Incomplete { needed } => {
                    let count = (needed - begun.len()).min(rest.len());
                    begun.extend_from_slice(rest.split_off(..count).expect("at most what is there"));
                }
                Read::Invalid(error) => return Err(error),
            }
        }
    }
    if begun.is_empty() { Ok(()) } else { visit(&begun) }
}
