//! The one log all partitions share: chunks are filled, written in order and flushed in groups.
//!
//! Positions are logical: they only grow. The file holds the last [`Log::file_bytes`] of them, wrapped around.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::buffer::{BLOCK_BYTES, Buffer};
use super::os;
use super::ring::Ring;
use super::stats::Stats;

/// When appended bytes count as safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// At once; nothing is written.
    Memory,
    /// When the device has accepted them.
    Written,
    /// When an fdatasync that was submitted after their write has returned.
    Flushed,
    /// When their RWF_DSYNC write has returned.
    Dsync,
}

/// Sizes and limits of the log.
pub struct Options {
    /// When to acknowledge.
    pub durability: Durability,
    /// A multiple of the block size.
    pub file_bytes: u64,
    /// The largest single write, a multiple of the block size.
    pub write_bytes: usize,
    /// Writes in flight.
    pub writes_max: usize,
    /// Whether to write the whole file once before serving.
    pub prewrite: bool,
    /// Whether to register the chunks.
    pub register: bool,
}

struct Chunk {
    buffer: Buffer,
    start: u64,
    filled: usize,
}

struct InFlight {
    id: u64,
    end: u64,
    bytes: usize,
    done: bool,
}

/// Bytes of memory in all chunks together.
const POOL_BYTES: usize = 32 << 20;

/// See the module.
pub struct Log {
    file: File,
    path: PathBuf,
    options: Options,
    free: Vec<Buffer>,
    full: VecDeque<Chunk>,
    current: Chunk,
    in_flight: VecDeque<InFlight>,
    writes: u64,
    written: u64,
    flushed: u64,
    flushing: Option<u64>,
}

impl Log {
    /// Creates the file, allocates its space and the chunks.
    pub fn create(path: &Path, options: Options, ring: &mut Ring) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_DIRECT)
            .open(path)?;
        os::allocate(&file, options.file_bytes)?;
        let mut free: Vec<Buffer> =
            (0..POOL_BYTES / options.write_bytes).map(|_| Buffer::new(options.write_bytes)).collect();
        if options.register {
            ring.register(&mut free)?;
        }
        if options.prewrite {
            use std::os::unix::fs::FileExt;
            let zeros = Buffer::new(4 << 20);
            let mut at = 0;
            while at < options.file_bytes {
                let len = (zeros.len() as u64).min(options.file_bytes - at) as usize;
                file.write_all_at(&zeros[..len], at)?;
                at += len as u64;
            }
        }
        file.sync_all()?;
        let buffer = free.pop().expect("the pool holds several chunks");
        Ok(Self {
            file,
            path: path.to_owned(),
            options,
            free,
            full: VecDeque::new(),
            current: Chunk { buffer, start: 0, filled: 0 },
            in_flight: VecDeque::new(),
            writes: 0,
            written: 0,
            flushed: 0,
            flushing: None,
        })
    }

    /// Whether `bytes` more can be appended now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.options.durability == Durability::Memory
            // One chunk is spare for the file's wrapping around, one for the end of a turn.
            || self.free.len().saturating_sub(2) * self.options.write_bytes >= bytes
    }

    /// Copies `bytes` to the log's end. [`Log::has_room`] must have said yes.
    pub fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.capacity() - self.current.filled;
            if room == 0 {
                self.seal();
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let filled = self.current.filled;
            self.current.buffer[filled..filled + now.len()].copy_from_slice(now);
            self.current.filled += now.len();
            bytes = later;
        }
    }

    /// The position after the last appended byte.
    pub fn end(&self) -> u64 {
        self.current.start + self.current.filled as u64
    }

    /// Up to where everything is as safe as the durability asks.
    pub fn safe(&self) -> u64 {
        match self.options.durability {
            Durability::Memory => self.end(),
            Durability::Written | Durability::Dsync => self.written,
            Durability::Flushed => self.flushed,
        }
    }

    /// Submits the writes and the flush that are due.
    pub fn advance(&mut self, ring: &mut Ring, stats: &mut Stats) {
        if self.options.durability == Durability::Memory {
            return;
        }
        while self.in_flight.len() < self.options.writes_max {
            if self.full.is_empty() {
                if self.current.filled == 0 {
                    break;
                }
                self.seal();
            }
            let chunk = self.full.pop_front().expect("sealed just now, or before");
            self.write(chunk, ring, stats);
        }
        let flush = self.options.durability == Durability::Flushed;
        if flush && self.flushing.is_none() && self.written > self.flushed {
            self.flushing = Some(self.written);
            stats.flushes += 1;
            ring.flush(self.file.as_raw_fd());
        }
    }

    /// A write has ended; `buffer` is its chunk's.
    pub fn wrote(&mut self, id: u64, result: i32, buffer: Buffer) -> io::Result<()> {
        let write = self.in_flight.iter_mut().find(|w| w.id == id).expect("only writes in flight complete");
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        if result as usize != write.bytes {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the device wrote only a part"));
        }
        write.done = true;
        self.free.push(buffer);
        while let Some(first) = self.in_flight.front().filter(|w| w.done) {
            self.written = first.end;
            self.in_flight.pop_front();
        }
        Ok(())
    }

    /// The flush has ended.
    pub fn flush_ended(&mut self, result: i32) -> io::Result<()> {
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        self.flushed = self.flushing.take().expect("only a flush in flight completes");
        Ok(())
    }

    fn write(&mut self, chunk: Chunk, ring: &mut Ring, stats: &mut Stats) {
        let padded = chunk.filled.next_multiple_of(BLOCK_BYTES);
        let end = chunk.start + padded as u64;
        self.writes += 1;
        self.in_flight.push_back(InFlight { id: self.writes, end, bytes: padded, done: false });
        stats.writes += 1;
        stats.written_bytes += padded as u64;
        let position = chunk.start % self.options.file_bytes;
        let durable = self.options.durability == Durability::Dsync;
        ring.write(self.writes, self.file.as_raw_fd(), chunk.buffer, 0..padded, position, durable);
    }

    /// How much the current chunk may hold: it must not wrap around in the file.
    fn capacity(&self) -> usize {
        let to_end = self.options.file_bytes - self.current.start % self.options.file_bytes;
        self.options.write_bytes.min(usize::try_from(to_end).unwrap_or(usize::MAX))
    }

    /// Ends the current chunk at a block boundary and starts the next.
    fn seal(&mut self) {
        let padded = self.current.filled.next_multiple_of(BLOCK_BYTES);
        let filled = self.current.filled;
        self.current.buffer[filled..padded].fill(0);
        let start = self.current.start + padded as u64;
        if self.options.durability == Durability::Memory {
            self.current.start = start;
            self.current.filled = 0;
            return;
        }
        let buffer = self.free.pop().expect("has_room leaves a chunk");
        let sealed = std::mem::replace(&mut self.current, Chunk { buffer, start, filled: 0 });
        self.full.push_back(sealed);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The file is scratch space; if it cannot be removed now, the next run truncates it.
        let _ = fs::remove_file(&self.path);
    }
}
