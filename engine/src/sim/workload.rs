//! What the clients of a run do: which requests, in what mixture, of what size.

use super::checker::BatchNumber;
use super::rng::Rng;
use crate::batch::BatchBuilder;
use crate::config::Config;
use crate::io::{CHUNK_SIZE, Slice};
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
    /// A new topic.
    Create,
    /// A topic's end.
    Delete,
    /// A producer id.
    NewProducer,
}

/// Each kind with its share.
const SHARES: [(Kind, u64); 8] = [
    (Kind::Append, 24),
    (Kind::Produce, 32),
    (Kind::Read, 14),
    (Kind::Watch, 12),
    (Kind::ListOffset, 5),
    (Kind::Create, 4),
    (Kind::Delete, 2),
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
        let (records, size_max) = match rng.below(8) {
            0..4 => (1, 0),
            4 => (1, 16),
            5 | 6 => (1 + rng.below(20), 300),
            _ => (1 + rng.below(6), 2_000),
        };
        self.builder.clear();
        if let Some((id, sequence)) = producer {
            self.builder.set_producer(ProducerId::new(id), 0, sequence);
        }
        let key = number.0.to_be_bytes();
        let mut value = [0; 2_200];
        for nth in 0..records {
            let len = if size_max == 0 { 100 } else { rng.index(size_max) + 1 };
            let seed = (number.0 << 8 | nth).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            for part in value[..len].chunks_mut(seed.len()) {
                part.copy_from_slice(&seed[..part.len()]);
            }
            let pushed = self.builder.push(now_ms, Some(&key), Some(&value[..len]));
            pushed.expect("records of two kilobytes fit into the largest batch");
        }
        let records = self.builder.records_count();
        (Slice::copy_from(self.builder.finish().expect("it has records")), records)
    }
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
    config.buffer_bytes = CHUNKS * CHUNK_SIZE;
    config
}

/// Chunks of a shard's memory.
pub const CHUNKS: usize = 16;
