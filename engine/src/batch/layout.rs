//! Where a batch's fields lie, and how they are read and written there.
//!
//! The readers take slices that are known to hold a header; a shorter one is a bug of the caller, never of the input.

/// First offset of the batch (`i64`).
pub const BASE_OFFSET: usize = 0;
/// Bytes that follow this field (`i32`).
pub const LENGTH: usize = BASE_OFFSET + size_of::<i64>();
/// Epoch of the leader that appended the batch (`i32`).
pub const LEADER_EPOCH: usize = LENGTH + size_of::<i32>();
/// Version of the format (`i8`); at the same place in every version.
pub const MAGIC: usize = LEADER_EPOCH + size_of::<i32>();
/// CRC-32C of all that follows (`u32`).
pub const CRC: usize = MAGIC + size_of::<i8>();
/// Codec and flags (`i16`); the checksum starts here.
pub const ATTRIBUTES: usize = CRC + size_of::<u32>();
/// Last record's offset less the base offset (`i32`).
pub const LAST_OFFSET_DELTA: usize = ATTRIBUTES + size_of::<i16>();
/// Timestamp that the records' deltas count from, ms (`i64`).
pub const BASE_TIMESTAMP: usize = LAST_OFFSET_DELTA + size_of::<i32>();
/// Latest timestamp, or the append time, ms (`i64`).
pub const MAX_TIMESTAMP: usize = BASE_TIMESTAMP + size_of::<i64>();
/// Idempotent producer's id (`i64`), −1 for none.
pub const PRODUCER_ID: usize = MAX_TIMESTAMP + size_of::<i64>();
/// Its epoch (`i16`).
pub const PRODUCER_EPOCH: usize = PRODUCER_ID + size_of::<i64>();
/// Sequence number of the first record (`i32`).
pub const BASE_SEQUENCE: usize = PRODUCER_EPOCH + size_of::<i16>();
/// Number of records (`i32`).
pub const RECORDS_COUNT: usize = BASE_SEQUENCE + size_of::<i32>();
/// Start of the records.
pub const RECORDS: usize = RECORDS_COUNT + size_of::<i32>();

/// Bytes before the first record.
pub const HEADER_SIZE: usize = RECORDS;
/// Bytes that the length field does not count: the base offset and itself.
pub const LENGTH_OVERHEAD: usize = LEADER_EPOCH;
/// Bytes of the shortest record: its length, attributes, two deltas, two absent fields, no headers.
pub const RECORD_SIZE_MIN: usize = 7;
/// The only format that is stored.
pub const MAGIC_V2: i8 = 2;

const _: () = assert!(HEADER_SIZE == 61, "the header's size as Kafka's RECORD_BATCH_OVERHEAD");
const _: () = assert!(ATTRIBUTES == 21, "the checksum's start as Kafka's ATTRIBUTES_OFFSET");

/// CRC-32C of a batch's checksummed part; `bytes` is exactly one batch.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(&bytes[ATTRIBUTES..])
}

/// Writes a field's bytes at `at`.
pub(super) fn write<const N: usize>(bytes: &mut [u8], at: usize, field: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&field);
}

/// The `i16` at `at`.
pub(super) fn read_i16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(field(bytes, at))
}

/// The `i32` at `at`.
pub(crate) fn read_i32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(field(bytes, at))
}

/// The `u32` at `at`.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(field(bytes, at))
}

/// The `i64` at `at`.
pub(crate) fn read_i64(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(field(bytes, at))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes is an array of N bytes")
}
