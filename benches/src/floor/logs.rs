//! All logs, and the memory that they share.

use std::io;
use std::path::{Path, PathBuf};

use super::buffer::Buffer;
use super::log::{Durability, Log, Options, Pace};
use super::ring::Ring;
use super::stats::Stats;

/// The most logs there can be, so that a position in each is a plain array.
pub const FILES_MAX: usize = 4;

/// Bytes of memory in all chunks together.
const POOL_BYTES: usize = 32 << 20;

/// A position in each log; 0 where it does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions(pub [u64; FILES_MAX]);

impl Positions {
    /// Whether each is at least as far as `other`'s.
    pub fn cover(&self, other: &Positions) -> bool {
        self.0.iter().zip(other.0).all(|(own, other)| *own >= other)
    }

    /// Moves the position in one log up to `position`.
    fn extend(&mut self, log: usize, position: u64) {
        self.0[log] = self.0[log].max(position);
    }
}

/// Chunks that no log uses.
pub struct Pool {
    free: Vec<Buffer>,
    chunk_bytes: usize,
    /// Chunks that are never counted on: for each log, one for its file's wrapping around, and one for the end of a turn.
    spare: usize,
    /// Whether chunks stay where they are, since nothing is written.
    endless: bool,
}

impl Pool {
    fn new(options: &Options, ring: &mut Ring) -> io::Result<Self> {
        let chunk_bytes = Pace::of(options.durability).write_bytes;
        let mut free: Vec<_> = (0..POOL_BYTES / chunk_bytes).map(|_| Buffer::new(chunk_bytes)).collect();
        ring.register(&mut free)?;
        let endless = options.durability == Durability::Memory;
        Ok(Self { free, chunk_bytes, spare: 2 * options.files, endless })
    }

    /// Whether `bytes` more can be appended now, to whichever logs.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.endless || self.free.len().saturating_sub(self.spare) * self.chunk_bytes >= bytes
    }

    /// A chunk; [`Pool::has_room`] leaves one for whoever asked it.
    pub fn take(&mut self) -> Buffer {
        self.free.pop().expect("has_room leaves a chunk")
    }
}

/// The logs of all partitions.
pub struct Logs {
    logs: Vec<Log>,
    pool: Pool,
}

impl Logs {
    /// Creates the files and registers the chunks.
    pub fn create(options: &Options, ring: &mut Ring) -> io::Result<Self> {
        assert!((1..=FILES_MAX).contains(&options.files), "the command line allows 1 to {FILES_MAX}");
        let mut pool = Pool::new(options, ring)?;
        let log = |number| Log::create(number, path(options, number), options, &mut pool);
        let logs = (0..options.files).map(log).collect::<io::Result<_>>()?;
        Ok(Self { logs, pool })
    }

    /// Whether `bytes` more can be appended now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.pool.has_room(bytes) && self.logs.iter().all(|log| log.may_append(bytes as u64))
    }

    /// Copies `parts` to the end of `partition`'s log, and moves `until` there.
    pub fn append(&mut self, partition: usize, parts: [&[u8]; 2], until: &mut Positions) {
        let number = partition % self.logs.len();
        let log = &mut self.logs[number];
        parts.iter().for_each(|part| log.append(part, &mut self.pool));
        until.extend(number, log.end());
    }

    /// Up to where everything is as safe as the durability asks.
    pub fn safe(&self) -> Positions {
        let mut safe = Positions::default();
        self.logs.iter().enumerate().for_each(|(number, log)| safe.extend(number, log.safe()));
        safe
    }

    /// Submits the writes and the flushes that are due.
    pub fn advance(&mut self, ring: &mut Ring, stats: &mut Stats) {
        self.logs.iter_mut().for_each(|log| log.advance(&mut self.pool, ring, stats));
    }

    /// A write has ended; `buffer` is its chunk's.
    pub fn wrote(&mut self, log: usize, id: u64, result: i32, buffer: Buffer) -> io::Result<()> {
        self.pool.free.push(buffer);
        self.logs[log].wrote(id, result)
    }

    /// A log's flush has ended.
    pub fn flush_ended(&mut self, log: usize, result: i32) -> io::Result<()> {
        self.logs[log].flush_ended(result)
    }
}

fn path(options: &Options, number: usize) -> PathBuf {
    match options.files {
        1 => options.path.clone(),
        _ => {
            let name = options.path.file_name().unwrap_or_default().to_string_lossy();
            let parent = options.path.parent().unwrap_or(Path::new(""));
            parent.join(format!("{name}.{number}"))
        }
    }
}

#[cfg(test)]
mod tests;
