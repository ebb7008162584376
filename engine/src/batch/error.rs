//! What can be wrong with a batch.

use std::fmt;

/// Why a batch is refused. [`Self::kind`] sorts the reasons by the answer a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// There is no batch at all.
    Empty,
    /// The bytes end before the batch does.
    Truncated {
        /// Bytes from the batch's start that are needed to go on; where the header is incomplete, the header's.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The length field is too small for a header.
    LengthTooSmall {
        /// The field.
        length: i32,
    },
    /// The batch is larger than what is allowed.
    TooLarge {
        /// Its bytes, header included.
        size: usize,
        /// The bytes allowed.
        max: usize,
    },
    /// The format is v0 or v1, which clients wrote before Kafka 0.11.
    OldFormat {
        /// The magic byte.
        magic: i8,
    },
    /// No format has this magic byte.
    UnknownFormat {
        /// The magic byte.
        magic: i8,
    },
    /// The bytes are not those that the checksum was computed over.
    Crc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// More bytes follow the batch where it should be the only one.
    MoreThanOneBatch {
        /// Bytes of the first batch.
        first: usize,
        /// Bytes in all.
        total: usize,
    },
    /// The number of records and the last offset delta contradict each other.
    Counts {
        /// The header's number of records.
        records_count: i32,
        /// The header's last offset delta.
        last_offset_delta: i32,
    },
    /// The uncompressed records cannot be that many in so few bytes.
    TooManyRecords {
        /// The header's number of records.
        records_count: i32,
        /// Bytes after the header.
        body_size: usize,
    },
    /// The base offset is negative, too large, or (from a client) not 0.
    BaseOffset {
        /// The base offset.
        base_offset: i64,
    },
    /// The codec's bits name none.
    UnknownCodec {
        /// The bits.
        id: u8,
    },
    /// A client sent a control batch.
    Control,
    /// A client sent a transactional batch, and transactions are not served.
    Transactional,
    /// A client set the attribute that only the log may set.
    LogAppendTime,
    /// A batch with a producer id has a negative epoch or sequence number.
    Producer {
        /// The producer's id.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// The first record's sequence number.
        base_sequence: i32,
    },
    /// The records are compressed and were to be read one by one.
    Compressed,
    /// A record cannot be read.
    Record {
        /// Its place in the batch, from 0.
        index: i32,
        /// What is wrong with it.
        fault: RecordFault,
    },
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It ends before all of its fields were read.
    Short,
    /// Its declared length reaches past the batch, or its fields do not fill it.
    Length,
    /// A number has more bytes or bits than its type.
    Varint,
    /// A length or count is negative where that has no meaning.
    Negative,
    /// Its offset does not rise, or lies past the batch's last.
    Offset,
    /// A header's key is not UTF-8.
    HeaderKey,
    /// Bytes follow the last record.
    Trailing,
}

/// The reasons for a refusal, by the error a Kafka client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchErrorKind {
    /// `CORRUPT_MESSAGE` (2): the bytes were damaged on the way; sending them again may help.
    Corrupt,
    /// `MESSAGE_TOO_LARGE` (10).
    TooLarge,
    /// `INVALID_TIMESTAMP` (32).
    InvalidTimestamp,
    /// `UNSUPPORTED_FOR_MESSAGE_FORMAT` (43).
    UnsupportedFormat,
    /// `UNSUPPORTED_COMPRESSION_TYPE` (76).
    UnsupportedCompression,
    /// `INVALID_RECORD` (87): the client made a batch that no broker takes.
    InvalidRecord,
}

impl BatchError {
    /// Which error a client is told.
    #[must_use]
    pub const fn kind(&self) -> BatchErrorKind {
        match self {
            Self::Truncated { .. }
            | Self::LengthTooSmall { .. }
            | Self::Crc { .. }
            | Self::UnknownFormat { .. } => BatchErrorKind::Corrupt,
            Self::TooLarge { .. } => BatchErrorKind::TooLarge,
            Self::OldFormat { .. } => BatchErrorKind::UnsupportedFormat,
            Self::UnknownCodec { .. } => BatchErrorKind::UnsupportedCompression,
            Self::LogAppendTime => BatchErrorKind::InvalidTimestamp,
            Self::Empty
            | Self::MoreThanOneBatch { .. }
            | Self::Counts { .. }
            | Self::TooManyRecords { .. }
            | Self::BaseOffset { .. }
            | Self::Control
            | Self::Transactional
            | Self::Producer { .. }
            | Self::Compressed
            | Self::Record { .. } => BatchErrorKind::InvalidRecord,
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("no record batch where one was expected"),
            Self::Truncated { needed, available } => {
                write!(f, "the record batch is cut short: it needs {needed} bytes, {available} are there")
            }
            Self::LengthTooSmall { length } => {
                write!(f, "the record batch's length field reads {length}, too small for a header")
            }
            Self::TooLarge { size, max } => write!(
                f,
                "the record batch has {size} bytes, more than the {max} allowed; send smaller batches or raise \
                 max.message.bytes"
            ),
            Self::OldFormat { magic } => write!(
                f,
                "message format v{magic} is not supported, only v2 is; use a client for Kafka 0.11 or later"
            ),
            Self::UnknownFormat { magic } => {
                write!(f, "the record batch's magic byte is {magic} instead of 2")
            }
            Self::Crc { stored, computed } => write!(
                f,
                "the record batch is damaged: its checksum is {stored:#010x}, its bytes give {computed:#010x}"
            ),
            Self::MoreThanOneBatch { first, total } => write!(
                f,
                "the first record batch ends at byte {first} of {total}; one batch for a partition is the limit"
            ),
            Self::Counts { records_count, last_offset_delta } => write!(
                f,
                "the record batch counts {records_count} records, but its last offset delta is {last_offset_delta}"
            ),
            Self::TooManyRecords { records_count, body_size } => {
                write!(f, "the record batch claims {records_count} records in {body_size} bytes")
            }
            Self::BaseOffset { base_offset } => {
                write!(f, "the record batch's base offset is {base_offset}; a client's has to be 0")
            }
            Self::UnknownCodec { id } => write!(f, "compression codec {id} does not exist"),
            Self::Control => f.write_str("clients cannot write control batches"),
            Self::Transactional => {
                f.write_str("transactions are not supported; send the batch outside of one")
            }
            Self::LogAppendTime => {
                f.write_str("the record batch claims log append time, which only the broker sets")
            }
            Self::Producer { producer_id, producer_epoch, base_sequence } => write!(
                f,
                "producer {producer_id} sent epoch {producer_epoch} and sequence {base_sequence}; neither may be \
                 negative"
            ),
            Self::Compressed => {
                f.write_str("the record batch is compressed; its records cannot be read in place")
            }
            Self::Record { index, fault } => write!(f, "record {index} of the batch {fault}"),
        }
    }
}

impl std::error::Error for BatchError {}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "ends before its last field",
            Self::Length => "has a length that is not its own",
            Self::Varint => "has a number that is too long",
            Self::Negative => "has a negative length or count",
            Self::Offset => "has an offset out of order",
            Self::HeaderKey => "has a header key that is not UTF-8",
            Self::Trailing => "is followed by bytes that are no record",
        })
    }
}
