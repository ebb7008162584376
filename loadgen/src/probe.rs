//! How long the disk itself takes: the yardstick beside every latency of a broker that flushes.
//!
//! One 4 KiB block after another is written around the page cache (O_DIRECT) into a file whose blocks have been written
//! before, as a log with space ahead has them, and each is flushed (fdatasync). Nothing can acknowledge sooner.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::histogram::{self, LatencyLog, Percentiles, Recorder};

pub mod calm;

/// What is written and flushed at a time, and what O_DIRECT wants buffers and positions aligned to.
pub const BLOCK_BYTES: usize = 4096;
/// The file, written over from its beginning when its end is reached.
const FILE_BYTES: usize = 8 << 20;
/// Enough for a 99th percentile that is no accident; a slow disk does with less.
const WRITES: u64 = 2000;
const TIME: Duration = Duration::from_secs(2);

/// The histogram log of writes and flushes together, in the results folder.
pub const LOG_FILE: &str = "disk_probe.hlog";

/// The disk's own times, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskProbe {
    pub writes: u64,
    /// The O_DIRECT write of 4 KiB alone.
    pub write_us: Percentiles,
    /// The fdatasync behind it alone.
    pub flush_us: Percentiles,
    /// Both together.
    pub both_us: Percentiles,
}

/// Measures the disk below `folder` for two seconds at most, and leaves the histogram log in `out`; the file it needs is
/// gone afterwards.
///
/// # Errors
/// Where the filesystem has no O_DIRECT, or the folder may not be written.
pub fn measure(folder: &Path, out: &Path) -> io::Result<DiskProbe> {
    let mut blocks = Blocks::create(folder, FILE_BYTES)?;
    let [mut write_us, mut flush_us] = [(); 2].map(|()| histogram::empty());
    let both = Recorder::default();
    let mut log = LatencyLog::create(
        &out.join(LOG_FILE),
        "the disk itself: 4 KiB O_DIRECT write and fdatasync",
        SystemTime::now(),
    )?;
    let begun = Instant::now();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    for _ in 0..WRITES {
        let taken = blocks.write_next()?;
        write_us.saturating_record(micros(taken.write));
        flush_us.saturating_record(micros(taken.flush));
        both.record(micros(taken.write + taken.flush), 1);
        if begun.elapsed() > TIME {
            break;
        }
    }
    log.cut([&both].into_iter(), Duration::ZERO, begun.elapsed())?;
    let percentiles = |of| Percentiles::of(of).ok_or_else(|| io::Error::other("nothing was written"));
    Ok(DiskProbe {
        writes: log.total.len(),
        write_us: percentiles(&write_us)?,
        flush_us: percentiles(&flush_us)?,
        both_us: percentiles(&log.total)?,
    })
}

/// Reads a file of `bytes` front to back around the page cache, several threads with a piece each under way, and gives
/// bytes a second. The file is written for it and gone afterwards.
///
/// # Errors
/// Where the filesystem has no O_DIRECT, is full, or the folder may not be written.
pub fn sequential_read(folder: &Path, bytes: u64) -> io::Result<f64> {
    const PIECE_BYTES: usize = 1 << 20;
    const IN_FLIGHT: u64 = 8;
    let file = ProbeFile::create(folder)?;
    let pieces = bytes.div_ceil(PIECE_BYTES as u64);
    let space = || vec![0xA5; PIECE_BYTES + BLOCK_BYTES];
    let mut written = space();
    let start = written.as_ptr().align_offset(BLOCK_BYTES);
    let piece = &mut written[start..][..PIECE_BYTES];
    for number in 0..pieces {
        file.file.write_all_at(piece, number * PIECE_BYTES as u64)?;
    }
    file.file.sync_all()?;
    let next = AtomicU64::new(0);
    let read = || -> io::Result<()> {
        let mut space = space();
        let start = space.as_ptr().align_offset(BLOCK_BYTES);
        let piece = &mut space[start..][..PIECE_BYTES];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= pieces {
                return Ok(());
            }
            file.file.read_exact_at(piece, number * PIECE_BYTES as u64)?;
        }
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(read)).collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader does not panic"))
    })?;
    Ok((pieces * PIECE_BYTES as u64) as f64 / begun.elapsed().as_secs_f64())
}

/// Blocks that have been written before, one after another of which is written around the page cache and flushed.
struct Blocks {
    file: ProbeFile,
    /// O_DIRECT wants an aligned buffer: some position in twice the space is.
    space: Vec<u8>,
    file_bytes: usize,
    next: usize,
}

/// How long a write and its flush took.
#[derive(Clone, Copy)]
struct Taken {
    write: Duration,
    flush: Duration,
}

impl Blocks {
    /// Writes a file of `file_bytes`, which is gone with the value.
    fn create(folder: &Path, file_bytes: usize) -> io::Result<Self> {
        let file = ProbeFile::create(folder)?;
        let blocks = Self { file, space: vec![0xA5; 2 * BLOCK_BYTES], file_bytes, next: 0 };
        for at in (0..file_bytes).step_by(BLOCK_BYTES) {
            blocks.file.file.write_all_at(blocks.block(), at as u64)?;
        }
        blocks.file.file.sync_all()?;
        Ok(blocks)
    }

    fn block(&self) -> &[u8] {
        &self.space[self.space.as_ptr().align_offset(BLOCK_BYTES)..][..BLOCK_BYTES]
    }

    /// Writes and flushes the next one, after the last the first.
    fn write_next(&mut self) -> io::Result<Taken> {
        let begun = Instant::now();
        self.file.file.write_all_at(self.block(), self.next as u64)?;
        let written = Instant::now();
        self.file.file.sync_data()?;
        let taken = Taken { write: written - begun, flush: written.elapsed() };
        self.next = (self.next + BLOCK_BYTES) % self.file_bytes;
        Ok(taken)
    }
}

/// A file that is removed with the value.
struct ProbeFile {
    file: File,
    path: PathBuf,
}

impl ProbeFile {
    fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!(".tora-load-probe-{}", std::process::id()));
        let mut options = File::options();
        options.read(true).write(true).create_new(true).custom_flags(libc::O_DIRECT);
        Ok(Self { file: options.open(&path)?, path })
    }
}

impl Drop for ProbeFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
