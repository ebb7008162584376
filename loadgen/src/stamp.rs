//! What makes every record different and lets a consumer check it: who sent it, its number, and when.

use crate::clock::Nanos;
use crate::codec::batch::Record;

/// A producer connection of one phase; its records are numbered per partition from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u16);

/// Bytes a stamp takes in a value: session and sequence in eight, the send time in eight.
pub const STAMP_LEN: usize = 16;
/// The header that carries session and sequence where the value is a payload's line.
pub const SEQUENCE_HEADER: &[u8] = b"seq";
/// The header that carries the send time where the value is a payload's line.
pub const SENT_HEADER: &[u8] = b"sent";

/// The low 48 bits hold the sequence: enough for a year at 8 M records/s.
const SEQUENCE_BITS: u32 = 48;

/// One record's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub session: SessionId,
    /// The record's number among its session's records of this partition.
    pub sequence: u64,
    /// When it was meant to be sent.
    pub sent: Nanos,
}

impl Stamp {
    /// Session and sequence in one number; the next record's is one more.
    pub fn packed(&self) -> u64 {
        debug_assert!(self.sequence >> SEQUENCE_BITS == 0, "a run is shorter than 2^48 records");
        u64::from(self.session.0) << SEQUENCE_BITS | self.sequence
    }

    /// Reads the stamp of a record; `None` if it carries none.
    #[inline]
    pub fn read(record: &Record<'_>, in_headers: bool) -> Option<Self> {
        let (packed, sent) = if in_headers {
            (record.header(SEQUENCE_HEADER)?, record.header(SENT_HEADER)?)
        } else {
            (record.value, record.value.get(size_of::<u64>()..)?)
        };
        let packed = u64::from_be_bytes(*packed.first_chunk()?);
        let sent = u64::from_be_bytes(*sent.first_chunk()?);
        Some(Self {
            session: SessionId((packed >> SEQUENCE_BITS) as u16),
            sequence: packed & ((1 << SEQUENCE_BITS) - 1),
            sent: Nanos(sent),
        })
    }
}
