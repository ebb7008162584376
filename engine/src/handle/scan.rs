//! Going through the records of what was read.

use crate::batch::{BatchError, CrcCheck, Read, Record, batches, read_one};
use crate::io::Slice;
use crate::log::tail::{BatchPeek, PEEK_SIZE};
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
    try_for_each_record(records, from, |record| {
        visit(record);
        Ok(())
    })
}

/// [`for_each_record`] that ends with the first record where `visit` fails: with its error, into which a batch's is turned,
/// too. Where that record stands is its [`offset`](Record::offset).
///
/// # Errors
/// As `visit`, and as [`for_each_record`].
pub fn try_for_each_record<E: From<BatchError>>(
    records: &Records,
    from: Offset,
    mut visit: impl FnMut(Record<'_>) -> Result<(), E>,
) -> Result<Offset, E> {
    let mut next = from;
    for_each_batch(records, |bytes| -> Result<(), E> {
        for batch in batches(bytes, CrcCheck::Full) {
            let batch = batch?;
            for record in batch.records()? {
                let record = record?;
                if record.offset >= from {
                    visit(record)?;
                }
            }
            next = batch.header.end_offset();
        }
        Ok(())
    })?;
    Ok(next)
}

/// Calls `visit` with each whole batch: where it lies, or, if it runs on from one slice into the next, copied together.
fn for_each_batch<E: From<BatchError>>(
    records: &Records,
    mut visit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
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
                Read::Invalid(error) => return Err(error.into()),
            }
        }
    }
    if begun.is_empty() { Ok(()) } else { visit(&begun) }
}

/// The offset after the last record in `records`; `None` where that does not begin with a batch.
pub(super) fn end_offset(records: &Records) -> Option<Offset> {
    let mut rest = Rest { slices: records.slices.iter(), first: &[] };
    let mut end = None;
    let mut header = [0; PEEK_SIZE];
    while rest.read(&mut header) {
        let batch = BatchPeek::parse(&header)?;
        end = Some(Offset::new(batch.last_offset.checked_add(1)?));
        rest.skip(batch.size - PEEK_SIZE);
    }
    end
}

/// Bytes in slices, read one after the other.
struct Rest<'a> {
    slices: std::slice::Iter<'a, Slice>,
    first: &'a [u8],
}

impl<'a> Rest<'a> {
    /// At most `count` of the next bytes; nothing at the end.
    fn next(&mut self, count: usize) -> &'a [u8] {
        while self.first.is_empty() {
            let Some(slice) = self.slices.next() else { return &[] };
            self.first = slice;
        }
        let (next, rest) = self.first.split_at(count.min(self.first.len()));
        self.first = rest;
        next
    }

    fn read(&mut self, into: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < into.len() {
            let next = self.next(into.len() - filled);
            if next.is_empty() {
                return false;
            }
            into[filled..filled + next.len()].copy_from_slice(next);
            filled += next.len();
        }
        true
    }

    fn skip(&mut self, mut count: usize) {
        while count > 0 {
            let next = self.next(count);
            if next.is_empty() {
                return;
            }
            count -= next.len();
        }
    }
}
