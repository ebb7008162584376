//! Kafka record batches, format v2 (KIP-98; `DefaultRecordBatch` in Kafka's sources), read and changed where they lie.
//!
//! A batch is stored and served as it came: it is checked without decoding its records, and only the two fields that
//! its checksum leaves out are stamped. All numbers are big-endian.
//!
//! | at | bytes | field | checksummed |
//! | --: | --: | --- | --- |
//! | 0 | 8 | base offset | |
//! | 8 | 4 | length: bytes that follow this field | |
//! | 12 | 4 | partition leader epoch | |
//! | 16 | 1 | magic: 2 | |
//! | 17 | 4 | CRC-32C of everything after it | |
//! | 21 | 2 | attributes: codec (bits 0–2), log-append time (3), transactional (4), control (5) | yes |
//! | 23 | 4 | last offset delta | yes |
//! | 27 | 8 | base timestamp, ms | yes |
//! | 35 | 8 | maximum timestamp, ms | yes |
//! | 43 | 8 | producer id, −1 for none | yes |
//! | 51 | 2 | producer epoch | yes |
//! | 53 | 4 | base sequence | yes |
//! | 57 | 4 | number of records | yes |
//! | 61 | | the records, compressed together if the codec says so | yes |
//!
//! # Non-obvious
//! The length lies outside the checksum, but it decides which bytes the checksum covers, so a changed length is
//! found with it. The base offset, the leader epoch and the magic byte are not protected at all: a reader of stored
//! batches has to compare the first two with what it expects next.
#![forbid(unsafe_code)]

mod builder;
mod error;
mod header;
pub mod layout;
mod read;
mod record;
mod validate;
mod varint;

pub use builder::BatchBuilder;
pub use error::{BatchError, BatchErrorKind, RecordFault};
pub use header::{Attributes, BatchHeader, Codec, TimestampType};
pub use read::{Batch, Batches, CrcCheck, Read, batches, read_one};
pub use record::{Header, Headers, Record, Records};
pub use validate::validate_produce;

use crate::types::{LeaderEpoch, Offset};

/// Writes the base offset and the leader epoch into a batch. Neither is covered by the checksum.
///
/// `bytes` starts with a batch that was validated; more may follow it.
pub fn stamp(bytes: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) {
    assert!(bytes.len() >= layout::HEADER_SIZE, "only a validated batch is stamped");
    layout::write(bytes, layout::BASE_OFFSET, base_offset.value().to_be_bytes());
    layout::write(bytes, layout::LEADER_EPOCH, leader_epoch.value().to_be_bytes());
}

/// Gives a batch's records the time of their append, in milliseconds since 1970, and computes its checksum anew.
///
/// The records keep their own timestamps; readers use the maximum timestamp instead once the attribute is set.
/// `bytes` is exactly one batch that was validated.
pub fn set_log_append_time(bytes: &mut [u8], now_ms: i64) {
    assert!(bytes.len() >= layout::HEADER_SIZE, "only a validated batch is given its append time");
    let attributes =
        Attributes::from_bits(layout::read_i16(bytes, layout::ATTRIBUTES)).with_log_append_time();
    layout::write(bytes, layout::ATTRIBUTES, attributes.bits().to_be_bytes());
    layout::write(bytes, layout::MAX_TIMESTAMP, now_ms.to_be_bytes());
    let crc = layout::checksum(bytes);
    layout::write(bytes, layout::CRC, crc.to_be_bytes());
}

#[cfg(test)]
mod tests;
