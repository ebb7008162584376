//! What helper threads do with segments. All of it blocks, and nothing of it is on an append's way.

use std::io;
use std::path::Path;

use super::{HEADER_SIZE, SegmentHeader, file_name, folder, index_name, reserve, zeros};
use crate::io::{BLOCK_SIZE, File, Fs, OpenMode, allocate_all, remove_if_there, replace_file, with_file};
use crate::log::index::SparseIndex;
use crate::sim::plant::{Plant, planted};
use crate::types::{Offset, PartitionId};

/// Makes a segment ready to be appended to, and opens it for that: allocated, with its header, and durable, so that a
/// completed flush of the file is all that its batches need. Space for `allocate` bytes of batches is rounded up to
/// whole blocks.
///
/// With `new_folder` the partition's folder is created first, unless a crash left one behind. A file of this name that a
/// crash left behind is removed, if it never held a batch.
///
/// # Errors
/// `StorageFull` (nothing is left behind then), `AlreadyExists` for a segment that holds bytes, or the system's error.
pub fn prepare<F: Fs>(
    fs: &F,
    data_dir: &Path,
    header: &SegmentHeader,
    allocate: u64,
    new_folder: bool,
) -> io::Result<File> {
    let folder = folder(data_dir, header.partition);
    if new_folder {
        match fs.create_folder(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_names(fs, data_dir)?,
        }
    }
    let path = super::path(data_dir, header);
    let file = create(fs, &path)?;
    let size = HEADER_SIZE + allocate.next_multiple_of(BLOCK_SIZE as u64);
    let written = fs
        .allocate(file, 0, size)
        .and_then(|()| fs.write_at(file, 0, &header.encode()))
        .and_then(|()| fs.sync(file));
    fs.close(file);
    if let Err(error) = written {
        // Space that was asked for in vain must not stay taken. If even this fails, the next `prepare` removes it.
        let _ = fs.remove_file(&path);
        return Err(error);
    }
    sync_names(fs, &folder)?;
    fs.open(&path, OpenMode::Direct)
}

/// The same for an empty segment that takes the place of all before it: with one block by which it is known as one that was
/// made, and on a full disk with the space that was kept for it.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_empty<F: Fs>(fs: &F, data_dir: &Path, header: &SegmentHeader) -> io::Result<File> {
    let prepare = || prepare(fs, data_dir, header, BLOCK_SIZE as u64, false);
    match prepare() {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            if reserve::give_up(fs, data_dir)? {
                prepare()
            } else {
                Err(error)
            }
        }
        prepared => prepared,
    }
}

/// Replaces the header of a segment that holds no batch, durably. After a crash it is the old or the new one: what differs
/// lies in one sector.
///
/// # Errors
/// The system's error.
pub fn rewrite_header<F: Fs>(fs: &F, data_dir: &Path, header: &SegmentHeader) -> io::Result<()> {
    with_file(fs, &super::path(data_dir, header), OpenMode::ReadWrite, |file| {
        fs.write_at(file, 0, &header.encode())?;
        fs.sync(file)
    })
}

/// Allocates space for `len` more bytes of batches behind the first `from`, which have theirs, while the segment is
/// being appended to. The next flush of the file makes that durable; syncing here could take a failed flush's error
/// away from it.
///
/// # Errors
/// `StorageFull`, after which everything is as before, or the system's error.
pub fn extend<F: Fs>(fs: &F, file: File, from: u64, len: u64) -> io::Result<()> {
    allocate_all(fs, file, HEADER_SIZE + from, len)
}

/// Ends a segment that will take no more batches and whose `len` bytes of batches are flushed: gives back what was
/// allocated ahead and saves its index.
///
/// # Errors
/// The system's error. The segment stays readable, and calling again is safe.
pub fn seal<F: Fs>(
    fs: &F,
    data_dir: &Path,
    header: &SegmentHeader,
    len: u64,
    index: &SparseIndex,
) -> io::Result<()> {
    let covered = index.covered_to().position;
    assert_eq!(covered, header.base_position.plus(len), "a sealed segment's index covers all of it");
    with_file(fs, &super::path(data_dir, header), OpenMode::ReadWrite, |file| {
        fs.truncate(file, HEADER_SIZE + len)?;
        fs.sync(file)
    })?;
    let name = index_name(header.base_offset);
    replace_file(fs, &folder(data_dir, header.partition).join(name), &index.encode())
}

/// Saves the index of a segment that is still appended to, so that recovery need not read what lies below its
/// checkpoint. `index` covers flushed batches only ([`SparseIndex::up_to`]).
///
/// Nothing is synced: a saved index is checked before it is used, and one that a crash tore costs recovery a read of
/// the segment, never more.
///
/// # Errors
/// The system's error.
pub fn save_index_hint<F: Fs>(
    fs: &F,
    data_dir: &Path,
    partition: PartitionId,
    index: &SparseIndex,
) -> io::Result<()> {
    let path = folder(data_dir, partition).join(index_name(index.base_offset()));
    // A name of its own: a segment may be sealed while the hint of a moment ago is still being written.
    let beside = path.with_extension(super::HINT_SUFFIX.trim_start_matches('.'));
    remove_if_there(fs, &beside)?;
    let file = fs.open(&beside, OpenMode::CreateNew)?;
    let written = fs.write_at(file, 0, &index.encode());
    fs.close(file);
    written?;
    fs.rename(&beside, &path)
}

/// Removes a segment at the log's beginning, and its index. The name goes first and durably, so that the segments that
/// are left are a log whatever happens; then its space, in steps of `step` bytes. A segment that is gone already is fine.
///
/// # Errors
/// The system's error; calling again goes on.
pub fn remove<F: Fs>(fs: &F, folder: &Path, base: Offset, step: u64) -> io::Result<()> {
    let path = folder.join(file_name(base));
    let file = match fs.open(&path, OpenMode::ReadWrite) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        opened => Some(opened?),
    };
    let removed = remove_if_there(fs, &path)
        .and_then(|()| remove_if_there(fs, &folder.join(index_name(base))))
        .and_then(|()| fs.sync_folder(folder));
    let Some(file) = file else { return removed };
    // To nothing: whoever appended to it, or read it, may be closing it just now, and its space is wanted at once.
    let shrunk = removed.and_then(|()| shrink(fs, file, step)).and_then(|()| fs.truncate(file, 0));
    fs.close(file);
    shrunk
}

/// Removes a partition's folder with everything in it, large files in steps of `step` bytes, since a file system frees
/// space while it holds its journal. A folder that is gone already is fine, so that a crashed removal can be repeated.
///
/// # Errors
/// The system's error; calling again goes on.
pub fn remove_partition<F: Fs>(fs: &F, data_dir: &Path, partition: PartitionId, step: u64) -> io::Result<()> {
    let folder = folder(data_dir, partition);
    let entries = match fs.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return fs.sync_folder(data_dir),
        entries => entries?,
    };
    for entry in entries {
        let path = folder.join(&entry.name);
        if entry.is_folder {
            return Err(io::Error::other(format!(
                "{} is in the folder of a deleted partition and was not made by Tora: move it away",
                path.display()
            )));
        }
        with_file(fs, &path, OpenMode::ReadWrite, |file| shrink(fs, file, step))?;
        fs.remove_file(&path)?;
    }
    fs.remove_folder(&folder)?;
    fs.sync_folder(data_dir)
}

/// Cuts a file that nobody needs down to one step.
fn shrink<F: Fs>(fs: &F, file: File, step: u64) -> io::Result<()> {
    assert!(step > 0, "a step of nothing never ends");
    let mut size = fs.size(file)?;
    while size > step {
        size -= step;
        fs.truncate(file, size)?;
    }
    Ok(())
}

/// Creates a file; where a crash left an unused one, in its place.
fn create<F: Fs>(fs: &F, path: &Path) -> io::Result<File> {
    match fs.open(path, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        opened => return opened,
    }
    let used = with_file(fs, path, OpenMode::Read, |file| {
        zeros::first_nonzero(fs, file, HEADER_SIZE..fs.size(file)?)
    })?;
    if let Some(at) = used {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "{} already holds data at byte {at}, and only an empty segment may be replaced",
                path.display()
            ),
        ));
    }
    fs.remove_file(path)?;
    fs.open(path, OpenMode::CreateNew)
}

/// Makes the names in a folder durable.
fn sync_names<F: Fs>(fs: &F, folder: &Path) -> io::Result<()> {
    if planted(Plant::SkipFolderSync) {
        return Ok(());
    }
    fs.sync_folder(folder)
}
