//! Finding batches in bytes that cannot be trusted: a log's file after a crash, a fetched run.

use super::error::BatchError;
use super::header::{BatchHeader, batch_size};
use super::layout;
use super::record::Records;

/// Whether a reader computes checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrcCheck {
    /// Every batch's checksum is computed and compared.
    Full,
    /// The checksum is not looked at: something else vouches for the bytes.
    Skip,
}

/// What the start of some bytes turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole batch.
    Complete(BatchHeader),
    /// The start of a batch, as far as it goes.
    Incomplete {
        /// Bytes, counted from the batch's start, with which to ask again: the header's or the whole batch's.
        needed: usize,
    },
    /// No batch.
    Invalid(BatchError),
}

/// Reads the batch that `bytes` starts with. More may follow it.
///
/// A batch of more than `size_max` bytes is invalid, so that a damaged length never makes the caller read on without
/// end: `needed` is at most `size_max`, or a header's bytes if that is more.
#[must_use]
pub fn read_one(bytes: &[u8], size_max: usize, crc: CrcCheck) -> Read {
    match examine(bytes, size_max, crc) {
        Ok(header) => Read::Complete(header),
        Err(BatchError::Truncated { needed, .. }) => Read::Incomplete { needed },
        Err(error) => Read::Invalid(error),
    }
}

/// The checks that every reader makes, in an order that tells damage from a client's mistake: what the checksum covers
/// is believed only after the checksum.
pub(super) fn examine(bytes: &[u8], size_max: usize, crc: CrcCheck) -> Result<BatchHeader, BatchError> {
    let size = batch_size(bytes)?;
    if size > size_max {
        return Err(BatchError::TooLarge { size, max: size_max });
    }
    if bytes.len() < size {
        return Err(BatchError::Truncated { needed: size, available: bytes.len() });
    }
    if crc == CrcCheck::Full {
        let stored = layout::read_u32(bytes, layout::CRC);
        let computed = layout::checksum(&bytes[..size]);
        if stored != computed {
            return Err(BatchError::Crc { stored, computed });
        }
    }
    BatchHeader::decode(bytes, size)
}

/// One whole batch where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Exactly the batch's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, one by one.
    ///
    /// # Errors
    /// The batch is compressed.
    pub fn records(&self) -> Result<Records<'a>, BatchError> {
        Records::new(&self.header, self.bytes)
    }
}

/// The batches of a run, one after the other.
///
/// Ends at the end of `bytes`; anything that is no batch, a cut one included, is the last item. Sizes are bounded by
/// the bytes themselves.
#[must_use]
pub fn batches(bytes: &[u8], crc: CrcCheck) -> Batches<'_> {
    Batches { rest: bytes, crc }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    crc: CrcCheck,
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = examine(self.rest, usize::MAX, self.crc);
        let size = read.as_ref().map_or(self.rest.len(), BatchHeader::total_size);
        let (bytes, rest) = self.rest.split_at(size);
        self.rest = rest;
        Some(read.map(|header| Batch { header, bytes }))
    }
}
