//! What the clients of a run do: which requests, in what mixture, of what size.

use std::ops::Range;

use super::checker::BatchNumber;
use super::image::SECTOR_SIZE;
use super::rng::Rng;
use crate::batch::BatchBuilder;
use crate::config::{Config, FlushMethod};
use crate::io::{BLOCK_SIZE, CHUNK_SIZE, Slice};
use crate::types::ProducerId;

/// The largest batch, so that several fit into the smallest segment.
const BATCH_BYTES_MAX: usize = 14 * 1024;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A batch without a producer.
    Append,
    /// A batch of an idempotent producer: a new one, or one that was sent before.
    Produce,
    /// A read from anywhere.
    Read,
    /// A wait for what comes next.
    Watch,
    /// A search for an offset.
    ListOffset,
    /// A move of a log's start.
    DeleteRecords,
    /// A new topic.
    Create,
    /// A topic's end.
    Delete,
    /// Other settings for a topic.
    Alter,
    /// One partition more.
    Grow,
    /// A producer id.
    NewProducer,
}

/// Each kind with its share.
const SHARES: [(Kind, u64); 11] = [
    (Kind::Append, 24),
    (Kind::Produce, 32),
    (Kind::Read, 14),
    (Kind::Watch, 12),
    (Kind::ListOffset, 5),
    (Kind::DeleteRecords, 3),
    (Kind::Create, 4),
    (Kind::Delete, 2),
    (Kind::Alter, 2),
    (Kind::Grow, 1),
    (Kind::NewProducer, 2),
];

/// How one run's clients behave.
pub struct Workload {
    /// Nanoseconds between two bursts of requests at most.
    pub pause_ns_max: u64,
    /// Requests of a burst at most.
    pub burst_max: u64,
    /// Requests under way at most.
    pub in_flight_max: usize,
    /// Partitions that most requests go to, among all of them.
    pub hot_partitions: usize,
    /// Every batch is a multiple of this: where it is a sector or a block, one batch can be lost, or another one come to
    /// stand in its place, without a change to its neighbours.
    grain: Option<usize>,
    builder: BatchBuilder,
}

impl Workload {
    /// A mixture of its own for each run.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        Self {
            pause_ns_max: [20_000, 200_000, 3_000_000][rng.index(3)],
            burst_max: 1 + rng.below(6),
            in_flight_max: [4, 16, 64][rng.index(3)],
            hot_partitions: 1 + rng.index(4),
            grain: [None, None, Some(SECTOR_SIZE), Some(BLOCK_SIZE)][rng.index(4)],
            builder: BatchBuilder::new(BATCH_BYTES_MAX),
        }
    }

    /// What comes next.
    pub fn kind(&self, rng: &mut Rng) -> Kind {
        let mut left = rng.below(SHARES.iter().map(|(_, share)| share).sum());
        for (kind, share) in SHARES {
            if left < share {
                return kind;
            }
            left -= share;
        }
        unreachable!("the draw is below the sum of the shares")
    }

    /// A batch that carries its number, and how many records it has. Half of all batches have the same shape, so that
    /// one may come to stand exactly where another was lost.
    pub fn batch(
        &mut self,
        number: BatchNumber,
        producer: Option<(i64, i32)>,
        now_ms: i64,
        rng: &mut Rng,
    ) -> (Slice, i32) {
        let shape = match (self.grain, rng.below(8)) {
            (Some(grain), 0..6) => Shape::Exactly(grain),
            (Some(grain), _) => Shape::Exactly(grain * (1 + rng.index(3))),
            (None, 0..4) => Shape::Records { count: 1, size: 100..101 },
            (None, 4) => Shape::Records { count: 1, size: 1..16 },
            (None, 5 | 6) => Shape::Records { count: 1 + rng.below(20), size: 1..300 },
            (None, _) => Shape::Records { count: 1 + rng.below(6), size: 1..2_000 },
        };
        match shape {
            Shape::Records { count, size } => {
                self.begin(producer);
                for nth in 0..count {
                    let len = rng.within(size.clone());
                    self.push(number, nth, now_ms, len);
                }
            }
            Shape::Exactly(size) => {
                // The value's length decides the batch's, but for the bytes that its own length takes.
                let mut len = size as u64 / 2;
                loop {
                    self.begin(producer);
                    self.push(number, 0, now_ms, len);
                    match self.builder.size() {
                        reached if reached == size => break,
                        reached => len = len + size as u64 - reached as u64,
                    }
                }
            }
        }
        let records = self.builder.records_count();
        (Slice::copy_from(self.builder.finish().expect("it has records")), records)
    }

    fn begin(&mut self, producer: Option<(i64, i32)>) {
        self.builder.clear();
        if let Some((id, sequence)) = producer {
            self.builder.set_producer(ProducerId::new(id), 0, sequence);
        }
    }

    /// Adds a record whose key is the batch's number and whose value is unlike any other's.
    fn push(&mut self, number: BatchNumber, nth: u64, now_ms: i64, len: u64) {
        let seed = (number.0 << 8 | nth).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        let len = usize::try_from(len).expect("values are small");
        let value: Vec<u8> = seed.into_iter().cycle().take(len).collect();
        let pushed = self.builder.push(now_ms, Some(&number.0.to_be_bytes()), Some(&value));
        pushed.expect("a batch stays far below its largest size");
    }
}

/// What a batch looks like.
enum Shape {
    /// So many records with values of such sizes.
    Records { count: u64, size: Range<u64> },
    /// One record that makes it so many bytes.
    Exactly(usize),
}

/// The engine's settings in a run: everything small, so that segments roll and checkpoints come often.
#[must_use]
pub fn config(rng: &mut Rng) -> Config {
    let mut config = Config::new("/data");
    config.shards = 2;
    config.num_partitions = 2;
    config.max_message_bytes = BATCH_BYTES_MAX;
    config.segment_bytes = [16 << 10, 32 << 10, 128 << 10][rng.index(3)];
    config.unflushed_bytes = [16 << 10, 32 << 10, 256 << 10][rng.index(3)];
    config.checkpoint_bytes = [2 << 10, 16 << 10, 64 << 10][rng.index(3)];
    config.flush_method = if rng.coin() { FlushMethod::DurableWrite } else { FlushMethod::Flush };
    config.journal_bytes = [0, 64 << 10, 256 << 10, 2 << 20][rng.index(4)];
    config.buffer_bytes = CHUNKS * CHUNK_SIZE;
    config.retention_check_ms = 1 + rng.below(20);
    // One at a time, a few, or as many as there are.
    config.cold_read_bytes = [1, 256 << 10, 32 << 20][rng.index(3)];
    config
}

/// Chunks of a shard's memory.
pub const CHUNKS: usize = 16;
