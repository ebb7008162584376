//! A segment's file, open for as long as its recovery takes.
//!
//! Its beginning is read at once and kept: a log of a few records is looked at four times (is it used, its header, its
//! batches, what lies behind them), and with ten thousand of them each look would be a file opened and read.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::RecoveryError;
use crate::io::{File, Fs, OpenMode};
use crate::limits;
use crate::log::segment::{HEADER_SIZE, zeros};

/// Bytes of a file that are read when it is opened: all of one that never needed more space than the first.
pub(super) const HEAD: u64 = HEADER_SIZE + limits::ALLOCATION_STEP_MIN;

/// See the module. Dropping it closes the file.
pub(super) struct Reader<'a, F: Fs> {
    pub fs: &'a F,
    pub file: File,
    pub path: PathBuf,
    /// Bytes of the file as it was opened, allocated space included.
    pub size: u64,
    /// The file's first bytes.
    head: Vec<u8>,
}

impl<'a, F: Fs> Reader<'a, F> {
    /// Opens a file and reads at most its first `head` bytes.
    pub(super) fn open(fs: &'a F, path: &Path, mode: OpenMode, head: u64) -> Result<Self, RecoveryError> {
        let opened = || {
            let file = fs.open(path, mode)?;
            // From here on it is closed whatever happens.
            let mut reader = Self { fs, file, path: path.to_owned(), size: 0, head: Vec::new() };
            reader.size = fs.size(file)?;
            reader.head = vec![0; usize::try_from(reader.size.min(head)).map_err(io::Error::other)?];
            let count = fs.read_at(file, 0, &mut reader.head)?;
            reader.head.truncate(count);
            Ok(reader)
        };
        opened().map_err(RecoveryError::io("reading", path))
    }

    /// The bytes from `at` on that are in memory.
    pub(super) fn kept(&self, at: u64) -> &[u8] {
        usize::try_from(at).ok().and_then(|at| self.head.get(at..)).unwrap_or_default()
    }

    /// Forgets what is in memory from `at` on: the file has changed there.
    pub(super) fn forget(&mut self, at: u64) {
        self.head.truncate(usize::try_from(at).unwrap_or(usize::MAX));
    }

    /// As [`Fs::read_at`].
    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match self.kept(offset).get(..into.len()) {
            Some(kept) => {
                into.copy_from_slice(kept);
                Ok(into.len())
            }
            None => self.fs.read_at(self.file, offset, into),
        }
    }

    /// Hands the bytes of `range` to `look` piece by piece, each with its offset in the file, until it answers `false` or
    /// the file ends.
    pub(super) fn for_each_piece(
        &self,
        mut range: Range<u64>,
        mut look: impl FnMut(u64, &[u8]) -> bool,
    ) -> io::Result<()> {
        let kept = self.kept(range.start);
        let wanted = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let kept = &kept[..kept.len().min(wanted)];
        if !kept.is_empty() && !look(range.start, kept) {
            return Ok(());
        }
        range.start += kept.len() as u64;
        zeros::for_each_piece(self.fs, self.file, range, look)
    }
}

impl<F: Fs> Drop for Reader<'_, F> {
    fn drop(&mut self) {
        self.fs.close(self.file);
    }
}
