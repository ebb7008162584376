//! Space for a shard's checkpoint on a full disk.
//!
//! Whole segments are removed once a checkpoint says that their log starts after them, and a checkpoint takes space: so
//! that a full disk can be made emptier, by retention or DeleteRecords, each shard keeps a file beside its checkpoint,
//! `checkpoint-<shard>.reserve`, whose space is allocated. A checkpoint that finds none elsewhere is written into that and
//! takes its own name then. The next one that finds space makes the file again.

use std::io;
use std::path::Path;

use crate::io::{Fs, OpenMode, allocate_all, beside, put_in_place, replace_file, with_file};
use crate::limits;

/// What is appended to a checkpoint's name.
pub const SUFFIX: &str = ".reserve";

/// Replaces the file at `path` by `bytes`, durably, as [`replace_file`] does, with the space kept for it where there is no other.
pub fn replace<F: Fs>(fs: &F, path: &Path, bytes: &[u8]) -> io::Result<()> {
    match replace_file(fs, path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            let reserve = beside(path, SUFFIX);
            if !put_into(fs, &reserve, bytes)? {
                return Err(error);
            }
            put_in_place(fs, &reserve, path)?;
        }
        result => result?,
    }
    // It can be done without, and where there is no space for it now there may be with the next checkpoint.
    let _ = keep(fs, path, bytes.len() as u64);
    Ok(())
}

/// Writes `bytes` where space was kept for them. Says whether there was enough.
fn put_into<F: Fs>(fs: &F, reserve: &Path, bytes: &[u8]) -> io::Result<bool> {
    let len = bytes.len() as u64;
    let written = with_file(fs, reserve, OpenMode::ReadWrite, |file| {
        let fits = fs.size(file)? >= len;
        if fits {
            fs.write_at(file, 0, bytes)?;
            fs.truncate(file, len)?;
            fs.sync(file)?;
        }
        Ok(fits)
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        written => written,
    }
}

/// Sees to it that the next file at `path` finds space if it is not much larger than `len` bytes. A crash may take the
/// reserve, or a part of its space, and the next checkpoint makes it again: so nothing is synced.
///
/// # Errors
/// The system's error. It can be done without.
pub fn keep<F: Fs>(fs: &F, path: &Path, len: u64) -> io::Result<()> {
    let wanted = (2 * len).max(1).next_multiple_of(limits::CHECKPOINT_RESERVE_BYTES);
    let reserve = beside(path, SUFFIX);
    let grow = |file| match fs.size(file)? {
        size if size < wanted => allocate_all(fs, file, size, wanted - size),
        _ => Ok(()),
    };
    match with_file(fs, &reserve, OpenMode::ReadWrite, grow) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            with_file(fs, &reserve, OpenMode::CreateNew, grow)
        }
        kept => kept,
    }
}

#[cfg(test)]
mod tests;
