//! What a run sends, checked: values, batches, connections, rate.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{Acks, BenchArgs, Compression, Phase, Rate};
use crate::stamp::STAMP_LEN;

/// The rate of the end-to-end phase where none is given, in records a second: far below what any broker of this kind
/// bears, so that it shows how long a record takes and not how long the queue is.
pub const END_TO_END_RATE: u64 = 100_000;

/// Limits, each far beyond what a broker accepts by default, that keep the generator's own memory bounded.
const BATCH_BYTES_MAX: u64 = 64 << 20;
const PAYLOAD_BYTES_MAX: u64 = 256 << 20;
pub const CONNECTIONS_MAX: u32 = 4096;
pub const PARTITIONS_MAX: u32 = 100_000;
const IN_FLIGHT_MAX: u32 = 10_000;
const THREADS_MAX: u32 = 256;
/// What a record costs beside its value, at most: lengths, deltas, and the stamp's headers.
const RECORD_OVERHEAD_MAX: u64 = 64;

/// Where record values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Made up, each `size` bytes long, with the stamp in front.
    Generated { size: usize },
    /// The lines of a file, in rotation; the stamp is in headers.
    Payload(Arc<[Vec<u8>]>),
}

impl Values {
    /// Reads the lines of `path`, empty ones left out.
    fn payload(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let file = std::fs::metadata(path).map_err(|e| format!("cannot read the payload {shown}: {e}"))?;
        if file.len() > PAYLOAD_BYTES_MAX {
            return Err(format!(
                "the payload {shown} has {} MB; at most {} MB are kept in memory: cut it, for example with `head`",
                file.len() / 1_000_000,
                PAYLOAD_BYTES_MAX / 1_000_000
            ));
        }
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read the payload {shown}: {e}"))?;
        let lines: Arc<[_]> = bytes
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        if lines.is_empty() {
            return Err(format!("the payload {shown} has no lines: each line becomes a record's value"));
        }
        Ok(Self::Payload(lines))
    }

    /// The value at `index`, without its stamp; payload lines start again behind the last.
    pub fn value(&self, index: usize) -> Cow<'_, [u8]> {
        match self {
            Self::Generated { size } => filler(*size, index as u64).into(),
            Self::Payload(lines) => (&lines[index % lines.len()][..]).into(),
        }
    }

    /// Whether sequence number and send time are in headers rather than in the value.
    pub fn stamps_in_headers(&self) -> bool {
        matches!(self, Self::Payload(_))
    }

    /// The longest value.
    fn longest(&self) -> usize {
        match self {
            Self::Generated { size } => *size,
            Self::Payload(lines) => lines.iter().map(Vec::len).max().unwrap_or(0),
        }
    }
}

/// Bytes that do not compress and differ from one `seed` to the next (SplitMix64).
fn filler(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0xD134_2543_DE82_EF95);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A run's load, within limits.
#[derive(Debug, Clone)]
pub struct Workload {
    pub values: Values,
    pub batch_records: u32,
    pub connections: usize,
    pub in_flight: usize,
    pub partitions: i32,
    pub compression: Compression,
    pub acks: Acks,
    pub idempotent: bool,
    pub rate: Rate,
    pub duration: Duration,
    pub warmup: Duration,
    pub threads: usize,
}

impl Workload {
    /// Checks the arguments.
    ///
    /// # Errors
    /// A sentence that says which argument is out of range and what would do.
    pub fn new(args: &BenchArgs) -> Result<Self, String> {
        let values = match &args.payload {
            Some(path) => Values::payload(path)?,
            None if (args.record_size as usize) < STAMP_LEN => {
                return Err(format!(
                    "--record-size {} is too small: a value carries a sequence number and a send time, {STAMP_LEN} \
                     bytes together",
                    args.record_size
                ));
            }
            None => Values::Generated { size: args.record_size as usize },
        };
        within("--batch-records", args.batch_records, i32::MAX as u32)?;
        within("--connections", args.connections, CONNECTIONS_MAX)?;
        within("--in-flight", args.in_flight, IN_FLIGHT_MAX)?;
        within("--partitions", args.partitions, PARTITIONS_MAX)?;
        let threads = args.threads.unwrap_or_else(default_threads);
        within("--threads", threads, THREADS_MAX)?;
        let batch_bytes_max = (values.longest() as u64 + RECORD_OVERHEAD_MAX) * u64::from(args.batch_records);
        if batch_bytes_max > BATCH_BYTES_MAX {
            return Err(format!(
                "a batch could have {} MB, which no broker takes: choose a smaller --batch-records or --record-size",
                batch_bytes_max / 1_000_000
            ));
        }
        if args.idempotent && args.acks != Acks::All {
            return Err(
                "--idempotent needs --acks all: without it a retry cannot be told from a duplicate".into()
            );
        }
        if args.compression != Compression::None && args.phases != [Phase::Produce] {
            return Err("--compression is for --phases produce: what is compressed cannot be checked".into());
        }
        if args.duration.is_zero() {
            return Err("--duration 0 leaves nothing to measure: give at least 1s".into());
        }
        Ok(Self {
            values,
            batch_records: args.batch_records,
            connections: args.connections as usize,
            in_flight: args.in_flight as usize,
            partitions: args.partitions.cast_signed(),
            compression: args.compression,
            acks: args.acks,
            idempotent: args.idempotent,
            rate: args.rate,
            duration: args.duration,
            warmup: args.warmup,
            threads: threads.min(args.connections) as usize,
        })
    }

    /// Records of each partition that the phase consume_cached reads over and over: whole batches, within what a broker
    /// has in memory of a log's end.
    pub fn stretch_records(&self) -> i64 {
        const STRETCH_BYTES: usize = 2_000_000;
        let batches = STRETCH_BYTES / self.values.longest().max(1) / self.batch_records as usize;
        batches.max(1) as i64 * i64::from(self.batch_records)
    }

    /// The load of `phase`: end to end has a steady rate, whatever the others do.
    pub fn of(&self, phase: Phase) -> Self {
        let rate = match (phase, self.rate) {
            (Phase::EndToEnd, Rate::Max) => Rate::PerSecond(END_TO_END_RATE),
            (_, rate) => rate,
        };
        Self { rate, ..self.clone() }
    }
}

/// Checks that a flag's value is between 1 and `max`.
pub fn within(flag: &str, value: u32, max: u32) -> Result<(), String> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(format!("{flag} {value}: give 1 to {max}")) }
}

/// Half of the processors: the broker needs the other half.
fn default_threads() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(processors / 2).unwrap_or(1).clamp(1, THREADS_MAX)
}

#[cfg(test)]
mod tests;
