//! Building uncompressed batches from records.

use super::error::BatchError;
use super::layout;
use super::record::Header;
use super::varint;
use crate::types::ProducerId;

/// Memory that an empty builder has at most after it gave a batch away: most batches fit, and thousands of idle builders
/// do not matter.
const KEPT_BYTES: usize = 16 * 1024;

/// Collects records and writes them as one uncompressed batch, as a client would send it: base offset 0, no leader
/// epoch. One builder makes many batches, one after the other, and keeps its memory.
#[derive(Debug)]
pub struct BatchBuilder {
    /// The batch so far, behind room for its header.
    bytes: Vec<u8>,
    size_max: usize,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer: Producer,
}

/// The header's fields about the producer.
#[derive(Clone, Copy, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
    base_sequence: i32,
}

impl Producer {
    const NONE: Self = Self { id: -1, epoch: -1, base_sequence: -1 };
}

impl BatchBuilder {
    /// An empty batch that may grow to `size_max` bytes, header included. Nothing is allocated for it yet.
    #[must_use]
    pub fn new(size_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            size_max: size_limit(size_max),
            count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
            producer: Producer::NONE,
        }
    }

    /// Adds a record with no headers. `timestamp_ms` counts from 1970.
    ///
    /// # Errors
    /// As [`Self::push_with_headers`].
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), BatchError> {
        self.push_with_headers(timestamp_ms, key, value, &[])
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] if the batch would outgrow its limit; it stays as it was. Where it is empty, the
    /// record is too large for any batch of that limit; otherwise it belongs into the next one.
    pub fn push_with_headers(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BatchError> {
        let base_timestamp = if self.count == 0 { timestamp_ms } else { self.base_timestamp };
        let timestamp_delta = timestamp_ms.wrapping_sub(base_timestamp);
        let body_size = 1
            + varint::size(timestamp_delta)
            + varint::size(i64::from(self.count))
            + size_of_field(key)
            + size_of_field(value)
            + varint::size(headers.len() as i64)
            + headers.iter().map(size_of_header).sum::<usize>();
        let size = self.size() + varint::size(body_size as i64) + body_size;
        if size > self.size_max {
            return Err(BatchError::TooLarge { size, max: self.size_max });
        }

        self.bytes.resize(self.size(), 0);
        let out = &mut self.bytes;
        varint::write(out, body_size as i64);
        out.push(0);
        varint::write(out, timestamp_delta);
        varint::write(out, i64::from(self.count));
        write_field(out, key);
        write_field(out, value);
        varint::write(out, headers.len() as i64);
        for header in headers {
            write_field(out, Some(header.key.as_bytes()));
            write_field(out, header.value);
        }
        debug_assert_eq!(self.bytes.len(), size, "the size is computed as the record is written");

        self.max_timestamp =
            if self.count == 0 { timestamp_ms } else { self.max_timestamp.max(timestamp_ms) };
        self.base_timestamp = base_timestamp;
        self.count += 1;
        Ok(())
    }

    /// Changes how many bytes the batch may grow to. One that is larger already takes no more records.
    pub fn set_size_max(&mut self, size_max: usize) {
        self.size_max = size_limit(size_max);
    }

    /// Makes this an idempotent producer's batch, whose first record has sequence number `base_sequence`.
    pub fn set_producer(&mut self, id: ProducerId, epoch: i16, base_sequence: i32) {
        self.producer = Producer { id: id.value(), epoch, base_sequence };
    }

    /// Writes the header and shows the batch; `None` if it has no records. Until [`Self::clear`], more may be added.
    pub fn finish(&mut self) -> Option<&[u8]> {
        if self.count == 0 {
            return None;
        }
        let length = self.bytes.len() - layout::LENGTH_OVERHEAD;
        let length = i32::try_from(length).expect("the limit is at most i32::MAX");
        let bytes = &mut self.bytes[..];
        layout::write(bytes, layout::BASE_OFFSET, 0i64.to_be_bytes());
        layout::write(bytes, layout::LENGTH, length.to_be_bytes());
        layout::write(bytes, layout::LEADER_EPOCH, (-1i32).to_be_bytes());
        layout::write(bytes, layout::MAGIC, layout::MAGIC_V2.to_be_bytes());
        layout::write(bytes, layout::ATTRIBUTES, 0i16.to_be_bytes());
        layout::write(bytes, layout::LAST_OFFSET_DELTA, (self.count - 1).to_be_bytes());
        layout::write(bytes, layout::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        layout::write(bytes, layout::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        layout::write(bytes, layout::PRODUCER_ID, self.producer.id.to_be_bytes());
        layout::write(bytes, layout::PRODUCER_EPOCH, self.producer.epoch.to_be_bytes());
        layout::write(bytes, layout::BASE_SEQUENCE, self.producer.base_sequence.to_be_bytes());
        layout::write(bytes, layout::RECORDS_COUNT, self.count.to_be_bytes());
        let crc = layout::checksum(bytes);
        layout::write(bytes, layout::CRC, crc.to_be_bytes());
        Some(bytes)
    }

    /// Writes the header and gives the batch away; `None` if it has no records. The builder is empty afterwards, with
    /// memory for the start of another batch like this one.
    #[must_use]
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.finish()?;
        let next = Vec::with_capacity(self.bytes.len().min(KEPT_BYTES));
        let batch = std::mem::replace(&mut self.bytes, next);
        self.clear();
        Some(batch)
    }

    /// Starts an empty batch of no producer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.producer = Producer::NONE;
    }

    /// Bytes of the batch so far, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len().max(layout::HEADER_SIZE)
    }

    /// Records so far.
    #[must_use]
    pub const fn records_count(&self) -> i32 {
        self.count
    }
}

/// The length field is an `i32` and does not count the bytes before itself.
fn size_limit(size_max: usize) -> usize {
    size_max.min(i32::MAX as usize)
}

fn size_of_field(field: Option<&[u8]>) -> usize {
    field.map_or(varint::size(-1), |field| varint::size(field.len() as i64) + field.len())
}

fn size_of_header(header: &Header<'_>) -> usize {
    size_of_field(Some(header.key.as_bytes())) + size_of_field(header.value)
}

fn write_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    let Some(field) = field else { return varint::write(out, -1) };
    varint::write(out, field.len() as i64);
    out.extend_from_slice(field);
}
