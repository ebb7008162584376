//! A batch's header as numbers.

use super::error::BatchError;
use super::layout;
use crate::types::{LeaderEpoch, Offset, ProducerId};

/// How a batch's records are compressed (attribute bits 0–2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// Gzip.
    Gzip,
    /// Snappy, in the framing of the Java library.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

impl Codec {
    /// The codec that `id` names, if any.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What a batch's timestamps mean (attribute bit 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// Each record carries the time its producer gave it.
    CreateTime,
    /// All records carry the time of their append: the batch's maximum timestamp.
    LogAppendTime,
}

/// A batch's attribute bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(i16);

impl Attributes {
    const CODEC: i16 = 0b111;
    const LOG_APPEND_TIME: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;

    /// Wraps the bits; those without a meaning are kept.
    #[must_use]
    pub const fn from_bits(bits: i16) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> i16 {
        self.0
    }

    /// The codec's number, which need not name one.
    #[must_use]
    pub const fn codec_id(self) -> u8 {
        // At most 7: three bits.
        (self.0 & Self::CODEC) as u8
    }

    /// What the timestamps mean.
    #[must_use]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// The same with the records' time being that of their append.
    #[must_use]
    pub const fn with_log_append_time(self) -> Self {
        Self(self.0 | Self::LOG_APPEND_TIME)
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch holds markers that brokers write, not a client's records.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }
}

/// A header whose numbers fit together: the magic is 2, the length holds at least the header, the codec is known, and the
/// number of records is that of its offsets. Whether the checksum is right is another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Bytes after the length field, as stored; see [`Self::total_size`].
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// The stored CRC-32C.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// Last record's offset less `base_offset`.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas count from, ms since 1970, −1 for none.
    pub base_timestamp: i64,
    /// Latest of the records' timestamps, or the append time; ms since 1970, −1 for none.
    pub max_timestamp: i64,
    /// Idempotent producer's id; negative for none.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Number of records, at least 1.
    pub records_count: i32,
    codec: Codec,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may end anywhere after it. The checksum is not looked at.
    ///
    /// # Errors
    /// Fewer bytes than a header, or numbers that do not fit together.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let size = batch_size(bytes)?;
        Self::decode(bytes, size)
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub fn total_size(&self) -> usize {
        let length = usize::try_from(self.batch_length).expect("a length below the header's is refused");
        layout::LENGTH_OVERHEAD + length
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.records_count))
    }

    /// How the records are compressed.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// What the timestamps mean.
    #[must_use]
    pub const fn timestamp_type(&self) -> TimestampType {
        self.attributes.timestamp_type()
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes.is_transactional()
    }

    /// Whether the batch holds markers that brokers write.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes.is_control()
    }

    /// Whether an idempotent producer sent it, so that its sequence numbers count.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.producer_id.value() >= 0
    }

    /// Reads the header of a batch of `size` bytes, as [`batch_size`] found it.
    pub(super) fn decode(bytes: &[u8], size: usize) -> Result<Self, BatchError> {
        let attributes = Attributes::from_bits(layout::read_i16(bytes, layout::ATTRIBUTES));
        let id = attributes.codec_id();
        let header = Self {
            base_offset: Offset::new(layout::read_i64(bytes, layout::BASE_OFFSET)),
            batch_length: layout::read_i32(bytes, layout::LENGTH),
            leader_epoch: LeaderEpoch::new(layout::read_i32(bytes, layout::LEADER_EPOCH)),
            crc: layout::read_u32(bytes, layout::CRC),
            attributes,
            last_offset_delta: layout::read_i32(bytes, layout::LAST_OFFSET_DELTA),
            base_timestamp: layout::read_i64(bytes, layout::BASE_TIMESTAMP),
            max_timestamp: layout::read_i64(bytes, layout::MAX_TIMESTAMP),
            producer_id: ProducerId::new(layout::read_i64(bytes, layout::PRODUCER_ID)),
            producer_epoch: layout::read_i16(bytes, layout::PRODUCER_EPOCH),
            base_sequence: layout::read_i32(bytes, layout::BASE_SEQUENCE),
            records_count: layout::read_i32(bytes, layout::RECORDS_COUNT),
            codec: Codec::from_id(id).ok_or(BatchError::UnknownCodec { id })?,
        };
        header.check_numbers(size)?;
        Ok(header)
    }

    fn check_numbers(&self, size: usize) -> Result<(), BatchError> {
        let (count, delta) = (self.records_count, self.last_offset_delta);
        if count <= 0 || i64::from(count) != i64::from(delta) + 1 {
            return Err(BatchError::Counts { records_count: count, last_offset_delta: delta });
        }
        // A compressed body's records can only be counted by decompressing it.
        let body_size = size - layout::HEADER_SIZE;
        let count_max = body_size / layout::RECORD_SIZE_MIN;
        if self.codec == Codec::None && usize::try_from(count).is_ok_and(|count| count > count_max) {
            return Err(BatchError::TooManyRecords { records_count: count, body_size });
        }
        let base = self.base_offset.value();
        if base < 0 || base.checked_add(i64::from(count)).is_none() {
            return Err(BatchError::BaseOffset { base_offset: base });
        }
        Ok(())
    }
}

/// Bytes of the batch that starts `bytes`, as its length field tells; at least a header's. The caller compares it with
/// what it has and what it allows.
///
/// The magic byte is looked at first, as soon as it is there: a message of an old format may be shorter than a header.
pub(super) fn batch_size(bytes: &[u8]) -> Result<usize, BatchError> {
    if let Some(&magic) = bytes.get(layout::MAGIC) {
        match i8::from_be_bytes([magic]) {
            layout::MAGIC_V2 => {}
            magic @ (0 | 1) => return Err(BatchError::OldFormat { magic }),
            magic => return Err(BatchError::UnknownFormat { magic }),
        }
    }
    if bytes.len() < layout::HEADER_SIZE {
        return Err(BatchError::Truncated { needed: layout::HEADER_SIZE, available: bytes.len() });
    }
    let length = layout::read_i32(bytes, layout::LENGTH);
    usize::try_from(length)
        .map(|length| length + layout::LENGTH_OVERHEAD)
        .ok()
        .filter(|&size| size >= layout::HEADER_SIZE)
        .ok_or(BatchError::LengthTooSmall { length })
}
