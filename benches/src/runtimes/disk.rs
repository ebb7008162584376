//! The scratch file of the servers that write each frame before they answer it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use clap::ValueEnum;

use crate::floor::BLOCK_BYTES;

/// Written round and round, one block a frame; large enough that a block is not written again while its flush may be
/// under way, small enough to be made in no time.
const FILE_BYTES: u64 = 64 << 20;

/// How a frame reaches the disk before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contract {
    /// Its block is written (O_DIRECT), then the file is flushed (fdatasync): two operations
    Flushed,
    /// Its block is written durably (O_DIRECT and O_DSYNC, or RWF_DSYNC): one operation
    Durable,
}

impl Contract {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::Durable => "durable",
        }
    }
}

/// Makes the file if it is not there as it should be: every block written, so that flushes do not differ.
///
/// # Errors
/// The system's.
pub fn make(path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| found.len() == FILE_BYTES) {
        return Ok(());
    }
    let mut file = File::create(path)?;
    let piece = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES / (1 << 20) {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

/// Opens the file as `contract` needs it.
///
/// # Errors
/// The system's; some file systems (tmpfs) have no O_DIRECT.
pub fn open(path: &Path, contract: Contract) -> io::Result<File> {
    let flags = match contract {
        Contract::Flushed => libc::O_DIRECT,
        Contract::Durable => libc::O_DIRECT | libc::O_DSYNC,
    };
    File::options().write(true).custom_flags(flags).open(path)
}

/// Which block of the file is written next.
#[derive(Debug, Default)]
pub struct Positions {
    written: u64,
}

impl Positions {
    /// The next block's place in the file, in bytes from its start.
    pub fn next_block(&mut self) -> u64 {
        let position = self.written * BLOCK_BYTES as u64 % FILE_BYTES;
        self.written += 1;
        position
    }
}

/// One block's memory, aligned as O_DIRECT wants it, in a vector, which every runtime takes.
#[derive(Debug)]
pub struct Block {
    bytes: Vec<u8>,
    start: usize,
}

impl Default for Block {
    fn default() -> Self {
        let bytes = vec![0; 2 * BLOCK_BYTES];
        let start = bytes.as_ptr().align_offset(BLOCK_BYTES);
        Self { bytes, start }
    }
}

impl Block {
    /// Puts a frame's body in, and zeros behind it.
    ///
    /// # Errors
    /// As [`check`].
    pub fn fill(&mut self, body: &[u8]) -> io::Result<()> {
        check(body)?;
        let (head, rest) = self.bytes[self.start..][..BLOCK_BYTES].split_at_mut(body.len());
        head.copy_from_slice(body);
        rest.fill(0);
        Ok(())
    }

    /// Writes it at `position` and waits, as `contract` says.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, file: &File, position: u64, contract: Contract) -> io::Result<()> {
        file.write_all_at(&self.bytes[self.start..][..BLOCK_BYTES], position)?;
        match contract {
            Contract::Flushed => file.sync_data(),
            Contract::Durable => Ok(()),
        }
    }

    /// The vector, and where in it the block begins. Moving a vector does not move its bytes.
    pub fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, self.start)
    }

    /// The parts together again.
    pub fn from_parts(bytes: Vec<u8>, start: usize) -> Self {
        Self { bytes, start }
    }
}

/// Refuses a body that one block does not hold.
///
/// # Errors
/// `InvalidData`.
pub fn check(body: &[u8]) -> io::Result<()> {
    if body.len() <= BLOCK_BYTES {
        return Ok(());
    }
    let why =
        format!("{} bytes do not fit the block of {BLOCK_BYTES} that is written for a frame", body.len());
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}
