//! What an engine is opened with.

use std::path::PathBuf;

/// An engine's settings. Names in brackets are Kafka's; those are also the defaults that a topic may override.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder (`log.dirs`); created if missing.
    pub data_dir: PathBuf,
    /// How many shards, each with a thread of its own. The number may change from one opening to the next.
    pub shards: u16,
    /// Whether each shard's thread is tied to a core of its own. Off for embedding, where the cores are the host's.
    pub pin: bool,
    /// Partitions of a topic that is created without saying (`num.partitions`).
    pub num_partitions: i32,
    /// After how many messages an append is flushed before it is acknowledged (`flush.messages`): 1 means that
    /// acknowledged is on the disk; anything else acknowledges what the device has accepted and flushes behind.
    pub flush_messages: u64,
    /// The largest record batch in bytes (`message.max.bytes`).
    pub max_message_bytes: usize,
    /// A segment's size in bytes (`log.segment.bytes`).
    pub segment_bytes: u64,
    /// How long an idempotent producer is remembered after its last batch (`producer.id.expiration.ms`).
    pub producer_expiration_ms: i64,
    /// W: the bytes of a partition that may be unflushed. Room for several full groups of appends while a flush is under
    /// way, and a bound on what recovery may take for a torn end. Raised to a topic's `max.message.bytes` where that is
    /// larger.
    pub unflushed_bytes: u64,
    /// Bytes appended on a shard after which it writes a checkpoint: what a recovery has to scan at most.
    pub checkpoint_bytes: u64,
    /// Segment files that each shard has open at once, at most: those of partitions that were not used for a while are
    /// closed, and opened again when they are. 0: as many as the process may open (`ulimit -n`) allow, half of those for
    /// all shards together.
    pub open_files_max: usize,
    /// Registered memory of each shard in bytes: log tails and cold reads come from it.
    pub buffer_bytes: usize,
}

impl Config {
    /// The defaults, for a data folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            shards: 1,
            pin: false,
            num_partitions: 1,
            flush_messages: 1,
            max_message_bytes: 1_048_588,
            segment_bytes: 1 << 30,
            producer_expiration_ms: 86_400_000,
            unflushed_bytes: 8 << 20,
            checkpoint_bytes: 128 << 20,
            open_files_max: 0,
            buffer_bytes: 12 << 20,
        }
    }
}
