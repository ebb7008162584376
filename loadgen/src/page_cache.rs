//! What the operating system caches of files, to be forgotten before they are read from the disk.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::sys;

/// Writes out the filesystem below `folder` and drops what is cached of every file in it. A file that goes away meanwhile
/// is none to read any more.
pub fn drop_below(folder: &Path) -> io::Result<()> {
    sys::sync_filesystem(folder)?;
    walk(folder)
}

fn walk(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let done = if kind.is_dir() {
            walk(&entry.path())
        } else if kind.is_file() {
            File::open(entry.path()).and_then(|file| sys::drop_cached(&file))
        } else {
            Ok(())
        };
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}
