//! Every limit of the engine, each with its reason.

use crate::io::BLOCK_SIZE;

/// Space is first allocated in steps of this: small, so that ten thousand partitions with a few records each cost little,
/// on the disk and when they are recovered, which reads it; steps double, so that a busy one is soon past it.
pub const ALLOCATION_STEP_MIN: u64 = 64 << 10;

/// Steps double up to this: large enough that a partition at the device's full rate asks a few dozen times a second.
pub const ALLOCATION_STEP_MAX: u64 = 64 << 20;

/// Bytes of a tail's chunk that is not the pool's: with a thousand busy partitions the pool is empty, and a full-sized chunk for
/// each would be a quarter of a gigabyte, most of it unused for a while.
pub const HEAP_CHUNK_BYTES: usize = 64 << 10;

/// Appended bytes of a partition that are written although an earlier write or flush of it is under way: enough to keep
/// the device busy. Fewer wait and go together. (Measured on the floor: half a megabyte in flight is best.)
pub const GROUP_BYTES: u64 = 256 << 10;

/// Bytes of a log that a record of the journal takes at most. More of one log is written to its own file at once: the
/// journal would only have it written twice.
pub const JOURNAL_ENTRY_BYTES: u64 = 32 << 10;

/// Bytes that a log leaves to the journal before it writes its own file: as large a group as keeps the device busy.
pub const SETTLE_BYTES: u64 = GROUP_BYTES;

/// Partitions with bytes in an area that is full, up to which they are settled at once: they have 64 KiB each of it on average, or
/// more. Where they are more, later is better: they come to larger groups, as long as the journal may grow.
pub const SETTLE_FEW: usize = 64;

/// Logs that a shard settles at a time where nobody waits for it: enough to keep up with the journal, few enough that
/// appends' own writes are not held up by them.
pub const SETTLING_MAX: usize = 16;

/// The same once nothing goes into the journal any more, because the shard stops or the journal has failed: a stop is to be
/// short, and flushes that wait together are made one.
pub const SETTLING_MAX_UNUSED: usize = 128;

/// A log that was not appended to for so long is settled: its next recovery then has nothing to copy.
pub const SETTLE_IDLE_MS: u64 = 1_000;

/// A journal is no smaller than this, where there is one: a block for each of its areas.
pub const JOURNAL_BYTES_MIN: u64 = crate::journal::AREAS_MAX * BLOCK_SIZE as u64;

/// Idempotent producers that a partition remembers; beyond it the one that was quiet the longest is forgotten.
pub const PRODUCERS_MAX: usize = 10_000;

/// A shard that has answered so many outside at a time looks out for them before it goes on.
pub const LINGER_ANSWERED_MIN: usize = 4;

/// For so long: they need this to be woken and to send again.
pub const LINGER_NANOS: u64 = 20_000;

/// And for each of them so much, where one thread sends for all.
pub const LINGER_NANOS_EACH: u64 = 500;

/// But never longer, since others wait meanwhile.
pub const LINGER_NANOS_MAX: u64 = 50_000;

/// Where those who were answered do not come, the next 2ⁿ − 1 times are left out after n times in a row, with n up to this.
pub const LINGER_FAILURES_MAX: u32 = 6;

/// Messages that a shard takes from its mailbox in one turn, so that its own connections get theirs.
pub const MAIL_PER_TURN: usize = 256;

/// Bytes of records that an appender gathers by default and may have unanswered, at most: half of the default W, so that
/// one appender does not make itself wait for flushes, and far more than a device moves while one is under way.
pub const APPENDER_BYTES: u32 = 4 << 20;

/// Appenders of one shard's partitions: each holds a place in the shard's mailbox for as long as it lives, which costs a
/// hundred bytes or two. One for each partition of a shard with thousands of them.
pub const APPENDERS_MAX: u32 = 4_096;

/// An appender takes no less than this, so that a small limit means few records and not none.
pub const APPENDER_BYTES_MIN: u32 = 4 << 10;

/// What a record counts for beside its key, value and headers: its own lengths and whoever waits for it.
pub const APPENDER_RECORD_BYTES: usize = 64;

/// A tail's runs of records are of at most this many bytes by default, in a chunk's size: large enough to be cheap, small
/// enough that thousands of tails that lag do not matter.
pub const TAIL_BYTES: usize = 256 << 10;

/// A tail at the end of its partition looks again after this time at the latest.
pub const TAIL_WATCH_MS: u64 = 2_000;

/// A watch of a thread outside the shards is looked at this often: where nobody waits for it any more, its place is another's.
/// One look takes some microseconds, and no shard sleeps for much longer beside tails.
pub const WATCH_LOOK_MS: u64 = 1_000;

/// So many of them, and all are looked at sooner: a quarter of those that a shard takes, so that a service which gives up one
/// after the other finds room, and none costs more than looking at a few others.
pub const WATCH_LOOK_COUNT: u32 = crate::mailbox::Lane::Watch.handle_credits() / 4;

/// Partitions that one topic may have: each costs about a kilobyte of memory per broker.
pub const PARTITIONS_MAX: i32 = 100_000;

/// Producer ids are reserved in blocks of this, as Kafka does, so that few of them cost a write of the catalog.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// A quiet shard writes its checkpoint after this time.
pub const CHECKPOINT_IDLE_MS: u64 = 2_000;

/// Space that a shard keeps for its checkpoint on a full disk, and in steps of which more is kept where checkpoints are large:
/// one of ten thousand partitions without producers takes half of it.
pub const CHECKPOINT_RESERVE_BYTES: u64 = 1 << 20;

/// Space that a data folder keeps for an empty segment on a full disk: its header, the block by which it is known as one that was
/// made, and as much again for what a file system needs beside that.
pub const SEGMENT_RESERVE_BYTES: u64 = 16 << 10;

/// The index of an active segment that has grown by so much is saved with each checkpoint: it spares the next recovery a
/// millisecond's read. Of smaller growth, two checkpoints' worth of bytes in all may go without.
pub const INDEX_HINT_BYTES: u64 = 1 << 20;

/// With a checkpoint of a quiet moment indexes are saved from so much growth on. Smaller ones would cost the next recovery
/// a file each, and spare it a read that it makes anyway.
pub const INDEX_HINT_BYTES_QUIET: u64 = ALLOCATION_STEP_MIN;

/// Partitions that a shard recovers at a time, and segments that journals are copied into. Each waits for the device most of
/// the time, and flushes that wait together are made one. Each has up to three files open meanwhile; where that is too many for the process, it is done again alone.
pub const RECOVERIES_AT_ONCE: usize = 8;

/// A shard with recent traffic looks this often for what need not happen at once.
pub const HOUSEKEEPING_MS: u64 = 500;

/// A partition without traffic for this long gives back its memory.
pub const IDLE_MS: u64 = 5_000;

/// A deleted file shrinks in steps of this: freeing a large one at once would hold up the file system's journal.
pub const DELETE_STEP: u64 = 256 << 20;

/// Deleted partitions whose files a shard removes at a time: it has two helper threads, and one of them is left to what
/// appends wait for.
pub const REMOVALS_MAX: usize = 1;

/// How long after a deleted partition's files could not be removed that is tried again: what passes by itself has mostly passed
/// by then, and all that have failed meanwhile are tried in one go.
pub const REMOVAL_AGAIN_MS: u64 = 60_000;

/// How often a deleted partition's files are tried to be removed before that is left to the next start: for ten minutes. What is
/// in the way then is somebody's to look after, and said.
pub const REMOVAL_TRIES_MAX: u32 = 10;

/// Partitions of which retention deletes something at a time: each has its segments removed by the shard's helpers, and
/// perhaps a new one made, which appends' own needs wait behind.
pub const RETENTION_STEP: usize = 8;

/// How soon after a start retention is looked after at the latest, as Kafka does (`log.initial.task.delay.ms`); and again, while
/// a log lacks space for being emptied.
pub const RETENTION_FIRST_MS: u64 = 30_000;

/// How long a stopping shard waits for what is in flight.
pub const STOP_MS: u64 = 4_000;

/// Reads of a shard in flight while nobody appends: with chunks of 256 KiB enough for any device's full throughput.
pub const READS_MAX: usize = 16;

/// Reads that a shard makes ahead of its readers at a time, each of a megabyte at most: enough for that many consumers
/// that go through old data, and no more memory than its tails have by default.
pub const READS_AHEAD_MAX: usize = 12;

/// Memory that a shard's reads from the disk have by default, from their beginning to their answer: a megabyte and some more for each
/// of as many reads as operations may be in flight, and for each that may be made ahead. Others wait, as nothing but their
/// requests: reading from more places at a time would not bring more, and a hundred consumers that lag would hold most
/// of a gigabyte. A read that is larger has its turn alone.
pub const COLD_READ_BYTES: usize = 32 << 20;

/// What was read ahead and nobody has asked for is dropped after so many of the shard's looks ([`HOUSEKEEPING_MS`]): two
/// seconds or less, since a reader that goes on asks sooner.
pub const READ_AHEAD_LOOKS: u32 = 4;

/// Bytes of batches in memory that a search by timestamp goes through in one turn, a single larger batch aside: thousands of
/// the smallest, which take a fraction of a millisecond.
pub const SEARCH_STEP_BYTES: usize = 256 << 10;

/// Segment files that a shard needs at least: a partition that begins a segment while the one before is flushed and an
/// older one read has three, and a few partitions should be able to do so at once.
pub const OPEN_FILES_MIN: usize = 8;

/// Segment files that a shard has open at most where the process may open any number: each costs the kernel a kilobyte or
/// two.
pub const OPEN_FILES_MAX: usize = 16_384;

/// Descriptors of a process that are not for segment files: rings, wake-ups, locks, and what helpers open for a moment.
pub const OTHER_FILES: usize = 16;

/// Bytes of a read beside appends. Larger ones hold a flush up for longer, smaller ones cost more each.
pub const READ_BESIDE_WRITES_BYTES: usize = 128 << 10;

/// A read beside appends and the pause after it take no longer than this, whatever the device does meanwhile.
pub const READ_TURN_NANOS_MAX: u64 = 10_000_000;

/// For so long after a write reads still make room for the next one: appends that come a few a second count, too.
pub const READS_YIELD_MS: u64 = 1_000;

const _: () = assert!(REMOVALS_MAX > 0 && REMOVAL_TRIES_MAX > 0);

const _: () = assert!(READ_BESIDE_WRITES_BYTES.is_multiple_of(BLOCK_SIZE) && READS_MAX > 0);

const _: () = assert!(
    ALLOCATION_STEP_MIN.is_multiple_of(BLOCK_SIZE as u64) && ALLOCATION_STEP_MIN <= ALLOCATION_STEP_MAX
);
