//! What an engine is opened with.

pub mod ranges;

use std::fmt;
use std::path::PathBuf;

use crate::limits;
use ranges::Range;

/// How a small group of appends is made durable (`tora.flush.method`). Larger groups are always written and then flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushMethod {
    /// Durable writes into the journal, and into a log's own file where the device has no volatile cache or takes single writes
    /// past it (FUA); else a write and a flush there.
    #[default]
    Auto,
    /// A write, then fdatasync(2).
    Flush,
    /// One write with RWF_DSYNC.
    DurableWrite,
}

/// An engine's settings. Names in brackets are Kafka's; those are also the defaults that a topic may override. What each may be
/// stands in [`ranges`]; anything else is [refused](Config::check).
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder (`log.dirs`); created if missing.
    pub data_dir: PathBuf,
    /// How many shards, each with a thread of its own. The number may change from one opening to the next.
    pub shards: u16,
    /// Whether each shard's thread is tied to a core of its own: the first ones that the thread that opens the engine may use
    /// and that no other engine of this process has. Shards for which none is left are not tied, with a warning; helper
    /// threads never are. Other processes are not known of: give each its own cores, as with taskset(1). Off for
    /// embedding, where the cores are the host's.
    pub pin: bool,
    /// Partitions of a topic that is created without saying (`num.partitions`).
    pub num_partitions: i32,
    /// After how many messages an append is flushed before it is acknowledged (`flush.messages`): 1 means that
    /// acknowledged is on the disk; anything else acknowledges what the device has accepted and flushes behind.
    pub flush_messages: u64,
    /// How long something stays unflushed at most where `flush_messages` is not 1, in milliseconds
    /// (`log.flush.interval.ms`). By default, as Kafka's, until as much is unflushed as may be.
    pub flush_ms: u64,
    /// How a small group of appends is made durable (`tora.flush.method`).
    pub flush_method: FlushMethod,
    /// The largest record batch in bytes (`message.max.bytes`).
    pub max_message_bytes: usize,
    /// A segment's size in bytes (`log.segment.bytes`). One ends before 4 GiB, or 2³² offsets, whatever this says: its index
    /// reaches no further.
    pub segment_bytes: u64,
    /// A batch whose timestamp is so many milliseconds after the first one's of its segment begins the next segment
    /// (`log.roll.ms`). By default a week.
    pub segment_ms: i64,
    /// For how many milliseconds records are kept (`log.retention.ms`): a segment is deleted once its latest record is
    /// older. −1, the default here, keeps them for ever; the server's default is Kafka's, a week.
    pub retention_ms: i64,
    /// How many bytes of each partition are kept (`log.retention.bytes`): the oldest segments are deleted while what is
    /// left is no less. −1, the default, keeps all.
    pub retention_bytes: i64,
    /// How often it is looked what may be deleted, in milliseconds (`log.retention.check.interval.ms`).
    pub retention_check_ms: u64,
    /// How long an idempotent producer is remembered after its last batch (`producer.id.expiration.ms`).
    pub producer_expiration_ms: i64,
    /// W: the bytes of a partition that may be unflushed. Room for several full groups of appends while a flush is under
    /// way, and a bound on what recovery may take for a torn end. Raised to a topic's `max.message.bytes` where that is
    /// larger.
    pub unflushed_bytes: u64,
    /// Bytes appended on a shard after which it writes a checkpoint: what a recovery has to scan at most.
    pub checkpoint_bytes: u64,
    /// How large each shard's journal may grow, in bytes (`tora.journal.bytes`): where small appends become durable before
    /// their logs' own files have them. It begins with a sixteenth of it, and so
    /// much memory may be held until the logs' files have it, beside `buffer_bytes`. 0: there is none, every partition writes and flushes
    /// for itself.
    pub journal_bytes: u64,
    /// Segment files that each shard has open at once, at most: those of partitions that were not used for a while are
    /// closed, and opened again when they are. 0: as many as the process may open (`ulimit -n`) allow, half of those for
    /// all shards together.
    pub open_files_max: usize,
    /// Registered memory of each shard in bytes: log tails and cold reads come from it, and from the heap where it is too
    /// little for them. Rounded down to pieces of 256 KiB, one at least.
    pub buffer_bytes: usize,
    /// Memory of each shard's reads from the disk, from their beginning to their answer, in bytes: what `buffer_bytes` has no
    /// place for of them is taken beside it. Reads past it wait, one that is larger has its turn alone.
    pub cold_read_bytes: usize,
    /// Whether a shard that goes to rest has the process's allocator return what it keeps (malloc_trim(3)). That walks the memory
    /// of the whole process, so that a service with a large one of its own may not want it; the server does.
    pub return_memory: bool,
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
            flush_ms: i64::MAX as u64,
            flush_method: FlushMethod::Auto,
            max_message_bytes: 1_048_588,
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            retention_ms: -1,
            retention_bytes: -1,
            retention_check_ms: 300_000,
            producer_expiration_ms: 86_400_000,
            unflushed_bytes: 8 << 20,
            checkpoint_bytes: 128 << 20,
            journal_bytes: 64 << 20,
            open_files_max: 0,
            buffer_bytes: 12 << 20,
            cold_read_bytes: limits::COLD_READ_BYTES,
            return_memory: false,
        }
    }
    /// Checks that every setting lies in its [range](ranges). [`Engine::open`](crate::Engine::open) does so before it touches
    /// the folder.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), ConfigFault> {
        if self.data_dir.as_os_str().is_empty() {
            let would_do = "the path of a folder".to_owned();
            return Err(ConfigFault { field: "data_dir", value: "empty".to_owned(), would_do });
        }
        for (field, value, range, zero) in self.numbers() {
            let means_something = value == 0 && zero.is_some();
            if !means_something && !(i128::from(*range.start())..=i128::from(*range.end())).contains(&value) {
                let or_zero = zero.map_or(String::new(), |meaning| format!(", or 0 for {meaning}"));
                let would_do = ranges::in_words(&range) + &or_zero;
                return Err(ConfigFault { field, value: value.to_string(), would_do });
            }
        }
        Ok(())
    }

    /// Every number with its range, and what 0 means where that stands for something else.
    fn numbers(&self) -> [Number; 17] {
        // All are named, so that one that comes is not forgotten here.
        let Self {
            data_dir: _,
            shards,
            pin: _,
            num_partitions,
            flush_messages,
            flush_ms,
            flush_method: _,
            max_message_bytes,
            segment_bytes,
            segment_ms,
            retention_ms,
            retention_bytes,
            retention_check_ms,
            producer_expiration_ms,
            unflushed_bytes,
            checkpoint_bytes,
            journal_bytes,
            open_files_max,
            buffer_bytes,
            cold_read_bytes,
            return_memory: _,
        } = self;
        let size = |bytes: &usize| *bytes as i128;
        [
            ("shards", i128::from(*shards), ranges::SHARDS, None),
            ("num_partitions", i128::from(*num_partitions), ranges::NUM_PARTITIONS, None),
            ("flush_messages", i128::from(*flush_messages), ranges::FLUSH_MESSAGES, None),
            ("flush_ms", i128::from(*flush_ms), ranges::FLUSH_MS, None),
            ("max_message_bytes", size(max_message_bytes), ranges::MAX_MESSAGE_BYTES, None),
            ("segment_bytes", i128::from(*segment_bytes), ranges::SEGMENT_BYTES, None),
            ("segment_ms", i128::from(*segment_ms), ranges::SEGMENT_MS, None),
            ("retention_ms", i128::from(*retention_ms), ranges::RETENTION, None),
            ("retention_bytes", i128::from(*retention_bytes), ranges::RETENTION, None),
            ("retention_check_ms", i128::from(*retention_check_ms), ranges::RETENTION_CHECK_MS, None),
            (
                "producer_expiration_ms",
                i128::from(*producer_expiration_ms),
                ranges::PRODUCER_EXPIRATION_MS,
                None,
            ),
            ("unflushed_bytes", i128::from(*unflushed_bytes), ranges::UNFLUSHED_BYTES, None),
            ("checkpoint_bytes", i128::from(*checkpoint_bytes), ranges::CHECKPOINT_BYTES, None),
            ("journal_bytes", i128::from(*journal_bytes), ranges::JOURNAL_BYTES, Some("none")),
            (
                "open_files_max",
                size(open_files_max),
                ranges::OPEN_FILES_MAX,
                Some("what the process may open"),
            ),
            ("buffer_bytes", size(buffer_bytes), ranges::BUFFER_BYTES, None),
            ("cold_read_bytes", size(cold_read_bytes), ranges::COLD_READ_BYTES, None),
        ]
    }
}

/// A field, its value, its range, and what 0 means where that lies outside it.
type Number = (&'static str, i128, Range, Option<&'static str>);

/// A field of [`Config`] that cannot be what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The field's name.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What could stand there.
    pub would_do: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, would_do } = self;
        write!(f, "{field} cannot be {value}; use {would_do}")
    }
}

impl std::error::Error for ConfigFault {}

#[cfg(test)]
mod tests;
