//! What a shard can be asked, and what it answers. The same values cross between cores, come from embedding services
//! and from the server.

use std::sync::Arc;

use crate::catalog::SettingsEdit;
use crate::error::Error;
use crate::io::Slice;
use crate::types::{Nanos, Offset, PartitionId, Position, ProducerId, TopicId};

/// Who appends. Replicas and coordinators come with replication and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: everything is checked.
    Client,
    /// The engine itself, for the catalog's log.
    Coordinator,
}

/// Which offset [`Request::ListOffset`] looks for (the special timestamps of Kafka's ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetQuery {
    /// The first record held.
    Earliest,
    /// The offset after the last visible record.
    Latest,
    /// The first record whose timestamp is at least this, in milliseconds since the Unix epoch. A batch that is compressed, or
    /// whose records cannot be read, is taken as a whole: its first record, with the largest timestamp of the batch.
    ForTimestamp(i64),
    /// The first record with the largest timestamp of those that readers get; of a batch taken as a whole, as above.
    MaxTimestamp,
}

/// A question to the engine.
#[derive(Debug)]
pub enum Request {
    /// Appends one record batch (v2, as it came from the producer). Answered when it is acknowledged: flushed, or, with
    /// `flush.messages` other than 1, written.
    Append {
        /// Where to.
        partition: PartitionId,
        /// Exactly one batch.
        batch: Slice,
        /// Who appends.
        origin: Origin,
    },
    /// Reads whole batches from the one that holds `from`.
    Read {
        /// Where from.
        partition: PartitionId,
        /// The first offset wanted. At the visible end the answer is empty.
        from: Offset,
        /// Bytes wanted at most; the first batch is returned even where it is larger.
        max_bytes: usize,
    },
    /// Reads bytes that a [`Request::Read`] has found before, as they are stored: for those who could not keep its slices.
    ReadStored {
        /// Where from.
        partition: PartitionId,
        /// Position of the first byte: [`Records::at`], or further on in the same records.
        at: Position,
        /// Bytes wanted. Fewer may come: the rest is to be asked for again.
        bytes: usize,
    },
    /// Answers once records past `end` are visible, the partition is gone, or the time is up.
    Watch {
        /// Which partition.
        partition: PartitionId,
        /// The visible end that the asker has seen.
        end: Offset,
        /// When to give up.
        until: Nanos,
    },
    /// Moves the partition's start: what lies before is not read any more, and whole segments of it are removed. Answered
    /// when that survives a power cut.
    DeleteRecords {
        /// Which partition.
        partition: PartitionId,
        /// The first offset that stays; at most the visible end. One before the start changes nothing.
        before: Offset,
    },
    /// Finds an offset.
    ListOffset {
        /// Which partition.
        partition: PartitionId,
        /// Which offset.
        query: OffsetQuery,
    },
    /// Says how a partition stands.
    Describe {
        /// Which partition.
        partition: PartitionId,
    },
    /// Creates a topic. Answered when it is durable and every shard knows it.
    CreateTopic {
        /// Its name.
        name: String,
        /// Its number of partitions; `None` for `num.partitions`.
        partitions: Option<i32>,
        /// Its settings by Kafka's names (`flush.messages`, `max.message.bytes`, …).
        configs: Vec<(String, String)>,
        /// Check only, create nothing.
        validate_only: bool,
    },
    /// Deletes a topic. Answered when the deletion is durable and every shard knows it; files go afterwards.
    DeleteTopic {
        /// Which topic.
        id: TopicId,
    },
    /// Changes a topic's settings. Answered when that is durable and in effect on every shard.
    AlterTopic {
        /// Which topic.
        id: TopicId,
        /// What becomes of its settings.
        edit: SettingsEdit,
        /// Check only, change nothing.
        validate_only: bool,
    },
    /// Gives a topic more partitions. Answered when that is durable and every shard knows them.
    AddPartitions {
        /// Which topic.
        id: TopicId,
        /// How many it has afterwards.
        partitions: i32,
        /// Check only, change nothing.
        validate_only: bool,
    },
    /// Looks a topic up by its name.
    FindTopic {
        /// Its name.
        name: String,
    },
    /// Hands out a producer id that was never handed out before.
    NewProducerId,
}

/// The answer to a [`Request`] of the same name.
#[derive(Debug)]
pub enum Reply {
    /// To [`Request::Append`].
    Append(Result<Appended, Error>),
    /// To [`Request::Read`].
    Read(Result<Records, Error>),
    /// To [`Request::ReadStored`]: at least one byte, or [`Error::OffsetOutOfRange`] where the log does not hold them any
    /// more.
    ReadStored(Result<Vec<Slice>, Error>),
    /// To [`Request::Watch`]: whether there is something new (or the partition gone) rather than the time up.
    Watch(bool),
    /// To [`Request::ListOffset`].
    ListOffset(Result<FoundOffset, Error>),
    /// To [`Request::DeleteRecords`]: the first offset that the partition holds now.
    DeleteRecords(Result<Offset, Error>),
    /// To [`Request::Describe`].
    Describe(Result<Described, Error>),
    /// To [`Request::CreateTopic`].
    CreateTopic(Result<CreatedTopic, Error>),
    /// To [`Request::DeleteTopic`].
    DeleteTopic(Result<(), Error>),
    /// To [`Request::AlterTopic`].
    AlterTopic(Result<(), Error>),
    /// To [`Request::AddPartitions`].
    AddPartitions(Result<(), Error>),
    /// To [`Request::FindTopic`]: `None` where there is no topic of that name.
    FindTopic(Option<CreatedTopic>),
    /// To [`Request::NewProducerId`].
    NewProducerId(Result<ProducerId, Error>),
}

/// Where a batch came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The time stamped into it, in milliseconds since the Unix epoch, or −1 where the producer's times were kept.
    pub log_append_time: i64,
    /// The first offset the partition holds.
    pub log_start: Offset,
}

/// Batches as they are stored.
#[derive(Clone, Debug)]
pub struct Records {
    /// Whole batches, one after the other; a batch may run on from one slice into the next. The first batch may begin
    /// before the offset asked for.
    pub slices: Vec<Slice>,
    /// Position of their first byte in the partition's log, by which [`Request::ReadStored`] finds them again; without a
    /// meaning where there are none.
    pub at: Position,
    /// The offset after the last visible record.
    pub high_watermark: Offset,
    /// The first offset the partition holds.
    pub log_start: Offset,
}

impl Records {
    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slices.iter().map(|slice| slice.len()).sum()
    }
}

/// What [`Request::ListOffset`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset, or −1 where no record has such a timestamp.
    pub offset: Offset,
    /// The record's timestamp in milliseconds, or −1.
    pub timestamp: i64,
    /// The leader epoch of that record's batch, or −1.
    pub leader_epoch: i32,
}

/// How a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The largest batch it takes, in bytes (`max.message.bytes`).
    pub max_message_bytes: usize,
    /// The first offset it holds.
    pub log_start: Offset,
    /// The offset after the last visible record.
    pub high_watermark: Offset,
}

/// A topic as it was created, or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// Its number of partitions.
    pub partitions: i32,
    /// Every setting in effect, by Kafka's names.
    pub configs: Arc<[(String, String)]>,
}
