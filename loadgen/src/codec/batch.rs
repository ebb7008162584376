//! Record batches, format v2: the layout of the header, and reading batches in place.
//!
//! Source: "Record Batch" and "Record" of the Kafka documentation's message format. The CRC-32C covers everything
//! from the attributes to the batch's end.

use super::wire::DecodeError;

/// Positions of the header's fields from the batch's first byte.
pub mod at {
    pub const BASE_OFFSET: usize = 0;
    pub const LENGTH: usize = 8;
    pub const LEADER_EPOCH: usize = 12;
    pub const MAGIC: usize = 16;
    pub const CRC: usize = 17;
    pub const ATTRIBUTES: usize = 21;
    pub const LAST_OFFSET_DELTA: usize = 23;
    pub const BASE_TIMESTAMP: usize = 27;
    pub const MAX_TIMESTAMP: usize = 35;
    pub const PRODUCER_ID: usize = 43;
    pub const PRODUCER_EPOCH: usize = 51;
    pub const BASE_SEQUENCE: usize = 53;
    pub const COUNT: usize = 57;
    pub const RECORDS: usize = 61;
}

/// The bytes in front of those that the length field counts.
const LENGTH_FROM: usize = at::LEADER_EPOCH;

/// One whole batch of a response, its CRC not yet checked.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Takes the first batch off `bytes`, in whose place the rest is left; `None` where only a cut-off one is left.
    pub fn split_off(bytes: &mut &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let Some(header) = bytes.first_chunk::<{ at::RECORDS }>() else { return Ok(None) };
        let length = usize::try_from(i32_at(header, at::LENGTH)).unwrap_or(0);
        if length + LENGTH_FROM < at::RECORDS {
            return Err(DecodeError { what: "a batch shorter than its header", at: at::LENGTH });
        }
        let Some((batch, rest)) = bytes.split_at_checked(length + LENGTH_FROM) else { return Ok(None) };
        *bytes = rest;
        Ok(Some(Self { bytes: batch }))
    }

    /// The first record's offset.
    pub fn base_offset(&self) -> i64 {
        i64::from_be_bytes(
            *self.bytes[at::BASE_OFFSET..].first_chunk().expect("a batch has its whole header"),
        )
    }

    /// The offset behind the last record.
    pub fn next_offset(&self) -> i64 {
        self.base_offset().saturating_add(i64::from(i32_at(self.bytes, at::LAST_OFFSET_DELTA)) + 1)
    }

    /// How many records the header announces.
    pub fn count(&self) -> i32 {
        i32_at(self.bytes, at::COUNT)
    }

    /// Whether the batch is what we sent: format v2, the CRC right.
    pub fn intact(&self) -> bool {
        self.bytes[at::MAGIC] == 2 && i32_at(self.bytes, at::CRC).cast_unsigned() == crc(self.bytes)
    }

    /// Whether the records are stored uncompressed and are data, as everything we send is.
    pub fn plain(&self) -> bool {
        const COMPRESSION: u8 = 0b111;
        const CONTROL: u8 = 1 << 5;
        self.bytes[at::ATTRIBUTES + 1] & (COMPRESSION | CONTROL) == 0
    }

    /// The records one after another; stops at the first that is malformed.
    pub fn records(&self) -> Records<'a> {
        Records { bytes: &self.bytes[at::RECORDS..] }
    }
}

/// The CRC-32C of a whole batch's bytes.
pub fn crc(batch: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(&batch[at::ATTRIBUTES..])
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(*bytes[at..].first_chunk().expect("a batch has its whole header"))
}

/// One record's parts that the verification reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub value: &'a [u8],
    /// The headers' bytes, from their count on.
    pub headers: &'a [u8],
}

/// Iterates over a batch's records.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let length = varint(&mut self.bytes)?;
        let (mut record, rest) = self.bytes.split_at_checked(usize::try_from(length).ok()?)?;
        self.bytes = rest;
        let (_attributes, body) = record.split_first()?;
        record = body;
        varint(&mut record)?; // timestamp delta
        varint(&mut record)?; // offset delta
        take(&mut record)?; // key
        let value = take(&mut record)?;
        Some(Record { value, headers: record })
    }
}

impl<'a> Record<'a> {
    /// The value of the header named `key`.
    pub fn header(&self, key: &[u8]) -> Option<&'a [u8]> {
        let mut bytes = self.headers;
        for _ in 0..varint(&mut bytes)? {
            let found = take(&mut bytes)?;
            let value = take(&mut bytes)?;
            if found == key {
                return Some(value);
            }
        }
        None
    }
}

/// Bytes with a zigzag length in front; null reads as empty.
#[inline]
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = varint(bytes)?.max(0);
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// A zigzag varint of at most ten bytes.
#[inline]
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    // Most varints in a record have one byte.
    if let Some((&byte, rest)) = bytes.split_first()
        && byte < 0x80
    {
        *bytes = rest;
        return Some(i64::from(byte >> 1) ^ -i64::from(byte & 1));
    }
    long_varint(bytes)
}

fn long_varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

#[cfg(test)]
mod tests;
