//! What an engine request can fail with.

use std::fmt;

use crate::batch::BatchError;
use crate::limits::APPENDERS_MAX;
use crate::types::Offset;

/// Why a request was refused. Each variant is a case of its own for the caller; `Display` says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such topic, or it has no such partition, or the topic is being deleted.
    UnknownPartition,
    /// A topic of that name exists.
    TopicExists,
    /// The topic's name cannot be used; the text says why.
    InvalidTopic(String),
    /// A topic's setting cannot be used; the text says what would do.
    InvalidConfig(String),
    /// The number of partitions cannot be used; the text says what would do.
    InvalidPartitions(String),
    /// The offset lies outside `[start, end]` of what the partition holds: what was there was deleted; or, where
    /// `flush.messages` is not 1, a power cut took the last records, and one that was read before is past the end now.
    OffsetOutOfRange {
        /// The first offset it holds.
        start: Offset,
        /// The offset after the last visible record.
        end: Offset,
    },
    /// The bytes are no record batch that may be appended, or whose records can be read; [`BatchError::kind`] sorts the
    /// reasons as Kafka does.
    Batch(BatchError),
    /// A record is larger than its [`Appender`](crate::handle::Appender) takes, whatever the topic would.
    RecordTooLarge {
        /// What it counts for, in bytes.
        size: usize,
        /// The bytes allowed.
        max: usize,
        /// The one of the [`AppenderOptions`](crate::handle::AppenderOptions) that allows no more.
        option: &'static str,
    },
    /// An idempotent producer's batch does not follow its last one.
    OutOfOrderSequence {
        /// The sequence number that would have been next.
        expected: i32,
        /// The one that came.
        found: i32,
    },
    /// The batch was appended before, but so long ago that its offset is no longer known.
    DuplicateSequence,
    /// A newer session of the same producer has taken over.
    InvalidProducerEpoch,
    /// The partition's storage failed, or failed earlier. Until the engine is opened again it takes no more, and refuses to
    /// read, search and describe what it holds, acknowledged records among it: those are there still. An append that was under
    /// way may have been done or not.
    Storage(String),
    /// The disk is full. Nothing is lost; appends go on when space returns. A later append of the same producer that was under way
    /// already may be taken, unless sequence numbers forbid it.
    DiskFull,
    /// The process has as many files open as it may, and the engine could not do with fewer. Nothing was done, and it may
    /// be tried again; of later appends the same holds as where the disk is full.
    TooManyFiles,
    /// The shard has as many appenders as it may: [`limits::APPENDERS_MAX`](crate::limits::APPENDERS_MAX).
    TooManyAppenders,
    /// Too much is under way; the request was not started and may be sent again.
    Busy,
    /// The engine is stopping or has stopped.
    Stopped,
    /// A blocking call was made on a shard's own thread, where it would wait for itself.
    WouldDeadlock,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPartition => f.write_str("no such topic or partition"),
            Self::TopicExists => f.write_str("a topic of this name exists"),
            Self::InvalidTopic(why) | Self::InvalidConfig(why) | Self::InvalidPartitions(why) => {
                f.write_str(why)
            }
            Self::OffsetOutOfRange { start, end } => {
                write!(f, "the offset is outside the partition's range of {start} to {end}")
            }
            Self::Batch(why) => why.fmt(f),
            Self::RecordTooLarge { size, max, option } => write!(
                f,
                "the record counts for {size} bytes, more than the {max} that its appender was made for: raise \
                 AppenderOptions::{option}"
            ),
            Self::OutOfOrderSequence { expected, found } => {
                write!(f, "the producer's sequence number is {found}, not {expected}")
            }
            Self::DuplicateSequence => {
                f.write_str("the batch was already appended, and its offset is no longer known")
            }
            Self::InvalidProducerEpoch => f.write_str("a newer session of this producer has taken over"),
            Self::Storage(why) => write!(f, "the partition's storage failed: {why}"),
            Self::DiskFull => {
                f.write_str("the disk is full: free some space, appends then go on by themselves")
            }
            Self::TooManyFiles => f.write_str(
                "too many files are open in this process: raise the limit with `ulimit -n` or LimitNOFILE=, then try again",
            ),
            Self::TooManyAppenders => write!(
                f,
                "this partition's shard has {APPENDERS_MAX} appenders, and no more: share one per partition by cloning it, \
                 drop those that are not used, or open the engine with more shards"
            ),
            Self::Busy => f.write_str("too many requests are under way: send it again in a moment"),
            Self::Stopped => f.write_str("the engine has stopped"),
            Self::WouldDeadlock => {
                f.write_str("a blocking call on a shard's own thread would wait for itself")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<BatchError> for Error {
    fn from(why: BatchError) -> Self {
        Self::Batch(why)
    }
}
