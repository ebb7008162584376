//! What each setting may be: one set of ranges for an engine's [`Config`](super::Config), for what topics set, and for the
//! server's properties.

use std::ops::RangeInclusive;

use crate::batch::layout::{HEADER_SIZE, RECORD_SIZE_MIN};
use crate::limits;

/// Numbers that a setting may be, both ends included. A setting's own type may not hold all of them.
pub type Range = RangeInclusive<i64>;

/// `shards`: each has room in its mailbox for messages of every other, so that they are costly long before that.
pub const SHARDS: Range = 1..=1024;
/// `num_partitions`.
pub const NUM_PARTITIONS: Range = 1..=limits::PARTITIONS_MAX as i64;
/// `flush_messages` and `flush.messages`: 0 would be neither before nor behind.
pub const FLUSH_MESSAGES: Range = 1..=i64::MAX;
/// `flush_ms` and `flush.ms`; the largest means never.
pub const FLUSH_MS: Range = 0..=i64::MAX;
/// `max_message_bytes` and `max.message.bytes`: the smallest batch there is, and what fits into a request of Kafka's default
/// size (`socket.request.max.bytes`).
pub const MAX_MESSAGE_BYTES: Range = (HEADER_SIZE + RECORD_SIZE_MIN) as i64..=100 << 20;
/// `segment_bytes` and `segment.bytes`: no less than Kafka's (KIP-1030), since each segment costs a file, and a sixteenth of what
/// a file of ext4 holds. Past 4 GiB it has no effect (`log::index::RELATIVE_MAX`), and was stored by earlier versions.
pub const SEGMENT_BYTES: Range = 1 << 20..=1 << 40;
/// `segment_ms` and `segment.ms`.
pub const SEGMENT_MS: Range = 1..=i64::MAX;
/// `retention_ms`, `retention_bytes` and topics' own: −1 means without end.
pub const RETENTION: Range = -1..=i64::MAX;
/// `retention_check_ms`: with 0 nothing else would ever be done.
pub const RETENTION_CHECK_MS: Range = 1..=i64::MAX;
/// `producer_expiration_ms`: with 0 no producer would be remembered.
pub const PRODUCER_EXPIRATION_MS: Range = 1..=i64::MAX;
/// `unflushed_bytes`: a block, and as much as the largest segment. It is stored in each segment, which a reader refuses past
/// 2⁶³ − 1.
pub const UNFLUSHED_BYTES: Range = 4 << 10..=1 << 40;
/// `checkpoint_bytes`: with 0 one would follow the other; a recovery of more than the largest segment takes hours.
pub const CHECKPOINT_BYTES: Range = 1..=1 << 40;
/// `journal_bytes`, where there is a journal: recovery reads all of it into memory.
pub const JOURNAL_BYTES: Range = limits::JOURNAL_BYTES_MIN as i64..=1 << 30;
/// `open_files_max`, where it is said: descriptors are 31 bits.
pub const OPEN_FILES_MAX: Range = limits::OPEN_FILES_MIN as i64..=i32::MAX as i64;
/// `buffer_bytes`: all of it is taken at once.
pub const BUFFER_BYTES: Range = 0..=1 << 36;
/// `cold_read_bytes`: a single read is made whatever it takes.
pub const COLD_READ_BYTES: Range = 0..=1 << 40;

/// A range as it is told to whoever is outside it.
#[must_use]
pub fn in_words(range: &Range) -> String {
    let (least, most) = (range.start(), range.end());
    if *most == i64::MAX {
        format!("a whole number, {least} or more")
    } else {
        format!("a whole number from {least} to {most}")
    }
}
