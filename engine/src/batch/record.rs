//! The records inside an uncompressed batch, one by one.
//!
//! A record, every number but the attributes a zigzag varint: length of what follows, attributes (one byte, unused),
//! timestamp delta, offset delta, key length and key, value length and value (−1 for none), number of headers, then for
//! each header key length, key, value length and value (−1 for none).

use super::error::{BatchError, RecordFault};
use super::header::{BatchHeader, Codec, TimestampType};
use super::layout;
use super::varint;
use crate::types::Offset;

/// One record where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Milliseconds since 1970: its own, or the batch's append time; −1 for none.
    pub timestamp: i64,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value, if it has one.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its key; several headers may have the same.
    pub key: &'a str,
    /// Its value, if it has one.
    pub value: Option<&'a [u8]>,
}

/// The records of a batch, in order. The first fault is the last item.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    index: i32,
    count: i32,
    last_delta: i32,
    delta_max: i32,
    base_offset: Offset,
    times: Times,
}

impl<'a> Records<'a> {
    /// The records of the batch `header` describes; `bytes` is exactly that batch.
    pub(super) fn new(header: &BatchHeader, bytes: &'a [u8]) -> Result<Self, BatchError> {
        if header.codec() != Codec::None {
            return Err(BatchError::Compressed);
        }
        Ok(Self {
            rest: &bytes[layout::RECORDS..],
            index: 0,
            count: header.records_count,
            last_delta: -1,
            delta_max: header.last_offset_delta,
            base_offset: header.base_offset,
            times: match header.timestamp_type() {
                TimestampType::CreateTime => Times::From(header.base_timestamp),
                TimestampType::LogAppendTime => Times::All(header.max_timestamp),
            },
        })
    }

    fn read(&mut self) -> Result<Record<'a>, RecordFault> {
        let mut body = bytes(&mut self.rest)?.ok_or(RecordFault::Negative)?;
        let _attributes = body.split_off_first().ok_or(RecordFault::Short)?;
        let timestamp_delta = varint::read_i64(&mut body)?;
        let offset_delta = varint::read_i32(&mut body)?;
        if offset_delta <= self.last_delta || offset_delta > self.delta_max {
            return Err(RecordFault::Offset);
        }
        let key = bytes(&mut body)?;
        let value = bytes(&mut body)?;
        let headers = Headers::read(&mut body)?;
        if !body.is_empty() {
            return Err(RecordFault::Length);
        }
        self.last_delta = offset_delta;
        let offset = self.base_offset.plus(i64::from(offset_delta));
        Ok(Record { offset, timestamp: self.times.at(timestamp_delta), key, value, headers })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        if index == self.count {
            return (!std::mem::take(&mut self.rest).is_empty())
                .then_some(Err(BatchError::Record { index, fault: RecordFault::Trailing }));
        }
        self.index += 1;
        Some(self.read().map_err(|fault| {
            (self.rest, self.index) = (&[], self.count);
            BatchError::Record { index, fault }
        }))
    }
}

/// Where the records' timestamps come from.
#[derive(Clone, Copy, Debug)]
enum Times {
    /// Each counts from this one.
    From(i64),
    /// All have this one.
    All(i64),
}

impl Times {
    fn at(self, delta: i64) -> i64 {
        match self {
            // As Java's arithmetic does: a producer's odd timestamps are no reason to lose its records.
            Self::From(base) => base.wrapping_add(delta),
            Self::All(time) => time,
        }
    }
}

/// A record's headers, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    rest: &'a [u8],
    count: usize,
}

impl<'a> Headers<'a> {
    /// Takes a record's headers off the front of `rest`, and checks all of them.
    fn read(rest: &mut &'a [u8]) -> Result<Self, RecordFault> {
        let count = varint::read_i32(rest)?;
        let count = usize::try_from(count).map_err(|_| RecordFault::Negative)?;
        let headers = Self { rest, count };
        for _ in 0..count {
            Header::read(rest)?;
        }
        Ok(headers)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        Some(Header::read(&mut self.rest).expect("reading the record checked its headers"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

impl<'a> Header<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, RecordFault> {
        let key = bytes(rest)?.ok_or(RecordFault::Negative)?;
        let key = str::from_utf8(key).map_err(|_| RecordFault::HeaderKey)?;
        Ok(Self { key, value: bytes(rest)? })
    }
}

/// Takes bytes with their length before them off the front of `rest`; −1 stands for none.
fn bytes<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordFault> {
    let length = varint::read_i32(rest)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| RecordFault::Negative)?;
    rest.split_off(..length).map(Some).ok_or(RecordFault::Length)
}
