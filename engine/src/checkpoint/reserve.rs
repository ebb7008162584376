//! Space for a shard's checkpoint on a full disk.
//!
//! Whole segments are removed once a checkpoint says that their log starts after them, and a checkpoint takes space: so
//! that a full disk can be made emptier, by retention or DeleteRecords, each shard keeps a file beside its checkpoint,
//! `checkpoint-<shard>.reserve`, whose space is allocated. A checkpoint that finds none elsewhere is written into that and
//! takes its own name then. The next one that finds space makes the file again.

use std::io;
use std::path::{Path, PathBuf};

use crate::io::{File, Fs, OpenMode, replace_file};
use crate::limits;

/// What is appended to a checkpoint's name.
pub const SUFFIX: &str = ".reserve";

/// Replaces the file at `path` by `bytes`, durably, as [`replace_file`] does, with the space kept for it where there is no other.
pub fn replace<F: Fs>(fs: &F, path: &Path, bytes: &[u8]) -> io::Result<()> {
    match replace_file(fs, path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            if !put_into(fs, &beside(path), bytes)? {
                return Err(error);
            }
            fs.rename(&beside(path), path)?;
            fs.sync_folder(path.parent().unwrap_or_else(|| Path::new(".")))?;
        }
        result => result?,
    }
    // It can be done without, and where there is no space for it now there may be with the next checkpoint.
    let _ = keep(fs, path, bytes.len() as u64);
    Ok(())
}

/// Writes `bytes` where space was kept for them. Says whether there was enough.
fn put_into<F: Fs>(fs: &F, reserve: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = match fs.open(reserve, OpenMode::ReadWrite) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let len = bytes.len() as u64;
    let written = match fs.size(file) {
        Ok(size) if size >= len => fs
            .write_at(file, 0, bytes)
            .and_then(|()| fs.truncate(file, len))
            .and_then(|()| fs.sync(file))
            .map(|()| true),
        size => size.map(|_| false),
    };
    fs.close(file);
    written
}

/// Sees to it that the next file at `path` finds space if it is not much larger than `len` bytes. A crash may take the
/// reserve, or a part of its space, and the next checkpoint makes it again: so nothing is synced.
///
/// # Errors
/// The system's error. It can be done without.
pub fn keep<F: Fs>(fs: &F, path: &Path, len: u64) -> io::Result<()> {
    let wanted = (2 * len).max(1).next_multiple_of(limits::CHECKPOINT_RESERVE_BYTES);
    let reserve = beside(path);
    let file = match fs.open(&reserve, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.open(&reserve, OpenMode::ReadWrite)?
        }
        file => file?,
    };
    let kept = grow(fs, file, wanted);
    fs.close(file);
    kept
}

/// Allocates up to `wanted` bytes, or nothing.
fn grow<F: Fs>(fs: &F, file: File, wanted: u64) -> io::Result<()> {
    let size = fs.size(file)?;
    if size >= wanted {
        return Ok(());
    }
    fs.allocate(file, 0, wanted).inspect_err(|_| {
        // What it got is given back: somebody else may be content with it.
        let _ = fs.truncate(file, size);
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut reserve = PathBuf::from(path);
    reserve.as_mut_os_string().push(SUFFIX);
    reserve
}

#[cfg(test)]
mod tests;
