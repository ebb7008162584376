//! Which segments a partition's folder holds, and whether they are one log.

use std::path::{Path, PathBuf};

use super::error::RecoveryError;
use super::reader::{HEAD, Reader};
use crate::io::{BLOCK_SIZE, Fs, OpenMode, remove_if_there};
use crate::limits;
use crate::log::segment::zeros::first_in;
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader};
use crate::stored::StoredError;
use crate::types::{Offset, PartitionId};

/// A segment's file as it was found.
pub(super) struct Found {
    pub path: PathBuf,
    pub header: SegmentHeader,
    /// Bytes of the file, allocated space included.
    pub size: u64,
    /// Whether there is an index beside it.
    pub has_index: bool,
}

/// The partition's folder, listed and cleared of what unfinished jobs left.
pub(super) struct Files<'a, F: Fs> {
    /// Oldest first. Each one's batches end where the next one's begin.
    pub segments: Vec<Found>,
    /// The last one's file, open for reading and writing.
    pub last: Option<Reader<'a, F>>,
    /// Whether files were removed, and the folder is not synced yet.
    pub removed: bool,
}

impl<'a, F: Fs> Files<'a, F> {
    /// Lists the folder; `None` if there is none. Readers get nothing before `log_start`.
    ///
    /// Segments at the end that never held a batch are removed: they were prepared, and it may never have come to the
    /// offset that they are named after.
    pub(super) fn open(
        fs: &'a F,
        folder: &Path,
        partition: PartitionId,
        log_start: Offset,
    ) -> Result<Option<Self>, RecoveryError> {
        let entries = match fs.list(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(RecoveryError::io("listing", folder))?,
        };
        let (mut bases, mut indexes) = (Vec::new(), Vec::new());
        let mut removed = false;
        for entry in entries {
            if let Some(base) = segment::parse_file_name(&entry.name) {
                bases.push(base);
            } else if let Some(base) = segment::parse_index_name(&entry.name) {
                indexes.push(base);
            } else if segment::is_unfinished(&entry.name) {
                let path = folder.join(&entry.name);
                fs.remove_file(&path).map_err(RecoveryError::io("removing", &path))?;
                removed = true;
            }
        }
        let mut files = Self { segments: Vec::new(), last: None, removed };
        let (indexes, orphans): (Vec<_>, _) = indexes.into_iter().partition(|base| bases.contains(base));
        files.drop_indexes(fs, folder, &orphans)?;
        let kept = files.drop_prepared(fs, folder, bases, log_start)?;
        let kept = drop_before(fs, folder, &kept, log_start);
        files.segments = chain(fs, folder, partition, kept, &indexes, files.last.as_ref())?;
        Ok(Some(files))
    }

    /// Removes indexes whose segments are gone.
    fn drop_indexes(&mut self, fs: &F, folder: &Path, indexes: &[Offset]) -> Result<(), RecoveryError> {
        for base in indexes {
            let path = folder.join(segment::index_name(*base));
            fs.remove_file(&path).map_err(RecoveryError::io("removing", &path))?;
            self.removed = true;
        }
        Ok(())
    }

    /// Removes the segments at the end that never held a batch, and answers the others. The last of those stays open.
    fn drop_prepared(
        &mut self,
        fs: &'a F,
        folder: &Path,
        mut bases: Vec<Offset>,
        log_start: Offset,
    ) -> Result<Vec<Offset>, RecoveryError> {
        while let Some(&base) = bases.last() {
            let path = folder.join(segment::file_name(base));
            let last = Reader::open(fs, &path, OpenMode::ReadWrite, HEAD)?;
            if !was_only_prepared(&bases, &last, log_start)? {
                self.last = Some(last);
                break;
            }
            drop(last);
            for path in [path, folder.join(segment::index_name(base))] {
                remove_if_there(fs, &path).map_err(RecoveryError::io("removing", &path))?;
            }
            self.removed = true;
            bases.pop();
        }
        Ok(bases)
    }
}

/// Whether the last of these segments, whose file is `last`, was prepared and never used, and none that the log needs.
pub(super) fn was_only_prepared<F: Fs>(
    bases: &[Offset],
    last: &Reader<'_, F>,
    log_start: Offset,
) -> Result<bool, RecoveryError> {
    let Some(&base) = bases.last() else { return Ok(false) };
    Ok(may_be_unused(bases) && !is_start(last, base, log_start) && is_unused(last)?)
}

/// Whether the last of these segments is none that the log needs, should it never have been used. Where retention has taken
/// the segments before it, the last one's name alone says where the log is.
fn may_be_unused(bases: &[Offset]) -> bool {
    bases.len() > 1 || bases.first() == Some(&Offset::ZERO)
}

/// Whether the log starts with this segment or behind it: then it has come that far, and what else there is before it is left
/// over, since files that a start could not remove stay until the next, and those between them and the last one may be gone.
/// One that was still being made when its log's start came to it does not count: all before it is there.
fn is_start<F: Fs>(file: &Reader<'_, F>, base: Offset, log_start: Offset) -> bool {
    let has_come_that_far = base > Offset::ZERO && base <= log_start;
    has_come_that_far && header(file).is_ok_and(|header| header.base_offset == base)
}

/// Whether a segment never held a batch.
fn is_unused<F: Fs>(file: &Reader<'_, F>) -> Result<bool, RecoveryError> {
    if let Err(error @ StoredError::Version { .. }) = header(file) {
        return Err(unreadable(&file.path, error));
    }
    let mut used = false;
    let looked = file.for_each_piece(HEADER_SIZE..file.size.max(HEADER_SIZE), |_, piece| {
        used = first_in(piece).is_some();
        !used
    });
    looked.map_err(RecoveryError::io("reading", &file.path))?;
    Ok(!used)
}

/// Reads the headers of segments, and checks that each is where its name and its neighbours say. `indexes` are those
/// beside them; `last` is the last one's file, if it is open.
fn chain<F: Fs>(
    fs: &F,
    folder: &Path,
    partition: PartitionId,
    bases: &[Offset],
    indexes: &[Offset],
    last: Option<&Reader<'_, F>>,
) -> Result<Vec<Found>, RecoveryError> {
    let mut segments = Vec::with_capacity(bases.len());
    for (at, base) in bases.iter().enumerate() {
        let last = last.filter(|_| at + 1 == bases.len());
        segments.push(look(fs, folder, partition, *base, indexes, last)?);
    }
    segments.windows(2).try_for_each(|pair| check_pair(&pair[0], &pair[1]))?;
    Ok(segments)
}

/// Reads a segment's header, and checks that it is the one that the file's name says. `open` is its file, if that is open.
pub(super) fn look<F: Fs>(
    fs: &F,
    folder: &Path,
    partition: PartitionId,
    base: Offset,
    indexes: &[Offset],
    open: Option<&Reader<'_, F>>,
) -> Result<Found, RecoveryError> {
    let path = folder.join(segment::file_name(base));
    let (header, size) = match open {
        Some(file) => (header(file), file.size),
        None => {
            let file = Reader::open(fs, &path, OpenMode::Read, HEADER_SIZE)?;
            (header(&file), file.size)
        }
    };
    let header = header.map_err(|error| unreadable(&path, error))?;
    if header.partition != partition || header.base_offset != base {
        let why = format!(
            "its header says that it is the segment at offset {} of {}",
            header.base_offset, header.partition
        );
        return Err(RecoveryError::damaged(&path, 0, why));
    }
    Ok(Found { path, header, size, has_index: indexes.contains(&base) })
}

/// Checks that a segment's file reaches to where the next one begins.
pub(super) fn check_pair(found: &Found, next: &Found) -> Result<(), RecoveryError> {
    let (base, end) = (found.header.base_position, next.header.base_position);
    if end < base {
        let why =
            format!("its header begins at position {end}, before that of the segment before it, {base}");
        return Err(RecoveryError::damaged(&next.path, 0, why));
    }
    if found.size < HEADER_SIZE + end.since(base) {
        let missing = HEADER_SIZE + end.since(base) - found.size;
        let why = format!(
            "the file ends there, but the next segment, {}, begins {missing} bytes of batches later: it was cut, or a \
             segment between the two is missing",
            segment::file_name(next.header.base_offset)
        );
        return Err(RecoveryError::damaged(&found.path, found.size, why));
    }
    Ok(())
}

/// How many of the first segments lie before `log_start` as a whole.
pub(super) fn first_kept(bases: &[Offset], log_start: Offset) -> usize {
    bases.partition_point(|base| *base <= log_start).saturating_sub(1)
}

/// Removes the segments that lie before `log_start` as a whole, as far as a crash has left them, and answers the others.
/// They are no part of the log any more, so one that can't be removed only takes space until the next start.
fn drop_before<'a, F: Fs>(fs: &F, folder: &Path, bases: &'a [Offset], log_start: Offset) -> &'a [Offset] {
    let (gone, kept) = bases.split_at(first_kept(bases, log_start));
    for base in gone {
        if let Err(error) = segment::remove(fs, folder, *base, limits::DELETE_STEP) {
            let name = segment::file_name(*base);
            log::warn!("{}: could not be removed: {error}", folder.join(name).display());
        }
    }
    kept
}

/// A file's header.
fn header<F: Fs>(file: &Reader<'_, F>) -> Result<SegmentHeader, StoredError> {
    let head = file.kept(0);
    SegmentHeader::decode(&head[..head.len().min(BLOCK_SIZE)])
}

fn unreadable(path: &Path, error: StoredError) -> RecoveryError {
    match error {
        StoredError::Version { .. } => RecoveryError::Newer { file: path.to_owned(), error },
        error => RecoveryError::damaged(path, 0, format!("the segment's header is unreadable: {error}")),
    }
}
