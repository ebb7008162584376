//! The disk's own yardstick: one 4 KiB write with O_DIRECT, one fdatasync, and again.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Failure, Latencies, Until};
use crate::floor::{BLOCK_BYTES, Buffer};
use crate::os;

/// The file's size: more blocks than a phase writes.
const FILE_BYTES: u64 = 256 << 20;

/// What the blocks were before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Written: the flush only has to bring the data to the medium.
    Written,
    /// Allocated but never written, as those that an append comes to: the flush commits that they are written now.
    Fresh,
}

/// A preallocated file, block after block of which is written and flushed.
pub struct Disk {
    file: File,
    block: Buffer,
    next: u64,
}

impl Disk {
    /// Makes the file in `folder`.
    pub fn create(folder: &Path, blocks: Blocks) -> Result<Self, Failure> {
        let path = folder.join("blocks");
        let file = OpenOptions::new().create_new(true).write(true).custom_flags(libc::O_DIRECT).open(path)?;
        os::allocate(&file, FILE_BYTES)?;
        if blocks == Blocks::Written {
            let zeros = Buffer::new(1 << 20);
            for at in (0..FILE_BYTES).step_by(zeros.len()) {
                file.write_all_at(&zeros, at)?;
            }
        }
        file.sync_all()?;
        Ok(Self { file, block: Buffer::new(BLOCK_BYTES), next: 0 })
    }

    /// Writes and flushes one block at a time.
    pub fn run(&mut self, until: Until) -> Result<Latencies, Failure> {
        self.run_paced(until, None)
    }

    /// The same, beginning one each `pace` where there is one.
    pub fn run_paced(&mut self, until: Until, pace: Option<Duration>) -> Result<Latencies, Failure> {
        let mut latencies = Latencies::start();
        let mut due = Instant::now();
        while until.goes_on() && self.next < FILE_BYTES {
            if let Some(pace) = pace {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                due += pace;
            }
            let begun = Instant::now();
            self.block[..8].copy_from_slice(&self.next.to_le_bytes());
            self.file.write_all_at(&self.block, self.next)?;
            self.file.sync_data()?;
            latencies.record(begun.elapsed());
            self.next += BLOCK_BYTES as u64;
        }
        Ok(latencies.stop())
    }
}
