//! Space for a shard's checkpoint on a full disk.
//!
//! Whole segments are removed once a checkpoint says that their log starts after them, and a checkpoint takes space: so
//! that a full disk can be made emptier, by retention or DeleteRecords, each shard keeps a file beside its checkpoint,
//! `checkpoint-<shard>.reserve`, whose space is allocated. A checkpoint that finds none elsewhere is written into that and
//! takes its own name then. What it leaves of the space is the next reserve, which grows again as soon as there is space.

use std::io;
use std::path::{Path, PathBuf};

use crate::io::{
    BLOCK_SIZE, Fs, OpenMode, beside, keep_space, put_in_place, remove_if_there, replace_file, with_file,
};
use crate::limits;

/// What is appended to a checkpoint's name.
const SUFFIX: &str = ".reserve";

const BLOCK: u64 = BLOCK_SIZE as u64;

/// What a checkpoint does that finds no space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFullDisk {
    /// It fails: the one before it is good enough, and the space that is kept is for those that others wait for.
    Fail,
    /// It takes the space that is kept.
    Reserve,
}

/// Replaces the file at `path` by `bytes`, durably, as [`replace_file`] does. Space for the next one is kept by [`keep`].
pub fn replace<F: Fs>(fs: &F, path: &Path, bytes: &[u8], on_full_disk: OnFullDisk) -> io::Result<()> {
    match replace_file(fs, path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull && on_full_disk == OnFullDisk::Reserve => {
            if replace_in_reserve(fs, path, bytes)? {
                Ok(())
            } else {
                Err(error)
            }
        }
        result => result,
    }
}

/// Replaces it with the space that was kept. Says whether that was enough.
fn replace_in_reserve<F: Fs>(fs: &F, path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let (reserve, next) = (beside(path, SUFFIX), next_reserve(path));
    let len = bytes.len() as u64;
    let written = with_file(fs, &reserve, OpenMode::ReadWrite, |file| {
        let kept = fs.size(file)?;
        if kept < len {
            return Ok(false);
        }
        fs.write_at(file, 0, bytes)?;
        fs.truncate(file, len)?;
        // At once: appends wait for space, and would have it as soon as the device is asked to flush.
        let _ = keep_space(fs, &next, (kept - len) / BLOCK * BLOCK);
        fs.sync(file)?;
        Ok(true)
    });
    match written {
        Ok(true) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => return other,
    }
    put_in_place(fs, &reserve, path)?;
    // It is missing where there was no space for it; the next checkpoint that finds some makes it.
    let _ = fs.rename(&next, &reserve);
    Ok(true)
}

/// Sees to it that the next file at `path` finds space if it is not much larger than `len` bytes, as far as there is any.
/// A crash may take the reserve, or a part of its space, and the next checkpoint makes it again: so nothing is synced.
///
/// # Errors
/// The system's error. It can be done without.
pub fn keep<F: Fs>(fs: &F, path: &Path, len: u64) -> io::Result<()> {
    // What a crash left.
    remove_if_there(fs, &next_reserve(path))?;
    let wanted = (2 * len).max(1).next_multiple_of(limits::CHECKPOINT_RESERVE_BYTES);
    keep_space(fs, &beside(path, SUFFIX), wanted)
}

/// The reserve that takes the place of the one that is used.
fn next_reserve(path: &Path) -> PathBuf {
    beside(path, ".reserve.next")
}

#[cfg(test)]
mod tests;
