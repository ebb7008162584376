//! Space for one more segment on a full disk.
//!
//! Where retention takes a log's only segment, an empty one is made first, that tells how far the log had come; and on a disk
//! without a free block that one would never be made. So a file `segment.reserve` in the data folder has the space for it.
//! Who needs that removes the file and asks again; the next checkpoint that finds space makes it anew. So does each removal of a
//! segment, at once: one log is emptied after the other that way, although appends take whatever else that gives back. Whoever
//! else asks for space at the same moment may get it instead: then the segment is made once there is some.

use std::io;
use std::path::Path;

use crate::io::{Fs, keep_space};
use crate::limits;

/// Its name, in the data folder.
const NAME: &str = "segment.reserve";

/// Keeps the space, if there is any. A crash may take it, so nothing is synced.
pub fn keep<F: Fs>(fs: &F, data_dir: &Path) {
    // It can be done without, and each checkpoint and each removal tries again.
    let _ = keep_space(fs, &data_dir.join(NAME), limits::SEGMENT_RESERVE_BYTES);
}

/// Gives the space up. Says whether there was any.
pub(super) fn give_up<F: Fs>(fs: &F, data_dir: &Path) -> io::Result<bool> {
    match fs.remove_file(&data_dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // A file system may have the space free only once it has made the removal durable.
        removed => removed.and_then(|()| fs.sync_folder(data_dir)).map(|()| true),
    }
}
