//! A log that partitions share: chunks are filled, written in order and flushed in groups.
//!
//! Positions are logical: they only grow. The file holds the last [`Options::file_bytes`] of them, wrapped around.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::os;

use super::buffer::{BLOCK_BYTES, Buffer};
use super::logs::Pool;
use super::ring::{Purpose, Ring};
use super::stats::Stats;

/// When appended bytes count as safe, and so may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// At once; nothing is written.
    Memory,
    /// When the device has accepted them.
    Written,
    /// When an fdatasync that was submitted after their write has returned.
    Flushed,
}

/// What the logs are made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The scratch file; removed at the end. Where there are several, their numbers are appended to its name.
    pub path: PathBuf,
    /// How many logs there are, a file each; partitions share them in turn.
    pub files: usize,
    /// Each file's size, a multiple of the block size and larger than the pool.
    pub file_bytes: u64,
    /// Whether blocks are left unwritten until the log first reaches them, as those of a new segment are.
    pub fresh: bool,
    /// When to acknowledge.
    pub durability: Durability,
    /// How many bytes of each log may be unflushed, where acknowledging does not wait for flushes: these then follow
    /// behind, and appends wait for them. None: nothing is flushed.
    pub unflushed_max: Option<u64>,
}

/// How much is written at once, and how often at the same time.
///
/// With a flush, half a megabyte in flight keeps the device busy and more only lengthens each group's way; without,
/// the device takes more. Measured in README.md.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Bytes of a chunk.
    pub write_bytes: usize,
    writes_max: usize,
}

impl Pace {
    /// The pace at which `durability` costs least.
    pub fn of(durability: Durability) -> Self {
        match durability {
            Durability::Flushed => Self { write_bytes: 256 << 10, writes_max: 2 },
            Durability::Written | Durability::Memory => Self { write_bytes: 512 << 10, writes_max: 4 },
        }
    }
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

/// One log. Its chunks come from the [`Pool`] of all.
pub struct Log {
    /// Its place among all logs.
    number: usize,
    path: PathBuf,
    file: File,
    file_bytes: u64,
    durability: Durability,
    unflushed_max: Option<u64>,
    pace: Pace,
    /// Chunks that wait to be written.
    full: VecDeque<Chunk>,
    /// The chunk being filled.
    current: Chunk,
    /// Writes in the order of their positions.
    in_flight: VecDeque<InFlight>,
    writes_submitted: u64,
    /// All bytes below are in completed writes.
    written: u64,
    /// All bytes below are flushed.
    flushed: u64,
    /// Where `written` stood when the flush in flight was submitted.
    flushing: Option<u64>,
}

impl Log {
    /// Creates the file at `path`, and allocates (and, unless fresh, writes) its space.
    pub fn create(number: usize, path: PathBuf, options: &Options, pool: &mut Pool) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_DIRECT)
            .open(&path)?;
        os::allocate(&file, options.file_bytes)?;
        if !options.fresh && options.durability != Durability::Memory {
            write_zeros(&file, options.file_bytes)?;
        }
        file.sync_all()?;
        Ok(Self {
            number,
            path,
            file,
            file_bytes: options.file_bytes,
            durability: options.durability,
            unflushed_max: options.unflushed_max,
            pace: Pace::of(options.durability),
            full: VecDeque::new(),
            current: Chunk { buffer: pool.take(), start: 0, filled: 0 },
            in_flight: VecDeque::new(),
            writes_submitted: 0,
            written: 0,
            flushed: 0,
            flushing: None,
        })
    }

    /// Copies `bytes` to the log's end. The pool must have room for them ([`Pool::has_room`]).
    pub fn append(&mut self, mut bytes: &[u8], pool: &mut Pool) {
        while !bytes.is_empty() {
            let room = self.capacity() - self.current.filled;
            if room == 0 {
                self.seal(pool);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let filled = self.current.filled;
            self.current.buffer[filled..filled + now.len()].copy_from_slice(now);
            self.current.filled += now.len();
            bytes = later;
        }
    }

    /// Whether `bytes` more may be unflushed. More than half of what may is as good as half, or it would never fit.
    pub fn may_append(&self, bytes: u64) -> bool {
        self.unflushed_max.is_none_or(|max| self.end() - self.flushed + bytes.min(max / 2) <= max)
    }

    /// The position after the last appended byte.
    pub fn end(&self) -> u64 {
        self.current.start + self.current.filled as u64
    }

    /// Up to where everything is as safe as the durability asks.
    pub fn safe(&self) -> u64 {
        match self.durability {
            Durability::Memory => self.end(),
            Durability::Written => self.written,
            Durability::Flushed => self.flushed,
        }
    }

    /// Submits the writes and the flush that are due.
    pub fn advance(&mut self, pool: &mut Pool, ring: &mut Ring, stats: &mut Stats) {
        if self.durability == Durability::Memory {
            return;
        }
        while self.in_flight.len() < self.pace.writes_max {
            if self.full.is_empty() {
                if self.current.filled == 0 {
                    break;
                }
                self.seal(pool);
            }
            let chunk = self.full.pop_front().expect("sealed just now, or before");
            self.write(chunk, ring, stats);
        }
        if self.flushing.is_none() && self.wants_flush() {
            self.flushing = Some(self.written);
            stats.flushes += 1;
            ring.flush(self.number, self.file.as_raw_fd());
        }
    }

    /// Whether a flush is due: of anything that acknowledging waits for, else of half of what may be unflushed.
    fn wants_flush(&self) -> bool {
        let unflushed = self.written - self.flushed;
        match (self.durability, self.unflushed_max) {
            (Durability::Flushed, _) => unflushed > 0,
            (_, Some(max)) => unflushed >= max / 2,
            (_, None) => false,
        }
    }

    /// A write has ended; its chunk is the pool's again.
    pub fn wrote(&mut self, id: u64, result: i32) -> io::Result<()> {
        let write = self.in_flight.iter_mut().find(|w| w.id == id).expect("only writes in flight complete");
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        if result as usize != write.bytes {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the device wrote only a part"));
        }
        write.done = true;
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
        self.writes_submitted += 1;
        self.in_flight.push_back(InFlight { id: self.writes_submitted, end, bytes: padded, done: false });
        stats.writes += 1;
        stats.written_bytes += padded as u64;
        let position = chunk.start % self.file_bytes;
        let purpose = Purpose::Write { log: self.number, id: self.writes_submitted };
        ring.write(purpose, self.file.as_raw_fd(), chunk.buffer, 0..padded, position);
    }

    /// How much the current chunk may hold: it must not wrap around in the file.
    fn capacity(&self) -> usize {
        let to_end = self.file_bytes - self.current.start % self.file_bytes;
        self.pace.write_bytes.min(usize::try_from(to_end).unwrap_or(usize::MAX))
    }

    /// Ends the current chunk at a block boundary and starts the next.
    fn seal(&mut self, pool: &mut Pool) {
        let padded = self.current.filled.next_multiple_of(BLOCK_BYTES);
        let filled = self.current.filled;
        self.current.buffer[filled..padded].fill(0);
        let start = self.current.start + padded as u64;
        if self.durability == Durability::Memory {
            self.current.start = start;
            self.current.filled = 0;
            return;
        }
        let next = Chunk { buffer: pool.take(), start, filled: 0 };
        let sealed = std::mem::replace(&mut self.current, next);
        self.full.push_back(sealed);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The file is scratch space; if it cannot be removed now, the next run truncates it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes every block once, so that later writes find written blocks: those need no change of the file's metadata,
/// which an fdatasync would have to commit.
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = Buffer::new(4 << 20);
    let mut position = 0;
    while position < bytes {
        let length = zeros.len().min(usize::try_from(bytes - position).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..length], position)?;
        position += length as u64;
    }
    Ok(())
}
