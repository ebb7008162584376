//! What journals hold, into the logs' files, before anything else looks at those.
//!
//! The bytes of a log at a position never change within one opening of the folder, and a journal is of one opening: so
//! copying what was settled already changes nothing, and a replay that a crash interrupts is made again as a whole. The
//! journals go once everything is synced, and only then is the opening counted: so a journal that does not carry the last
//! epoch was left out by an opening that may have appended other records there, and is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{FILE_HEADER_SIZE, Record, is_journal, parse_file_header, parse_record};
use crate::io::{BLOCK_SIZE, CHUNK_SIZE, Fs, OpenMode, for_all_files, read_file};
use crate::limits;
use crate::log::{no_descriptors, segment};
use crate::stored::StoredError;
use crate::types::{LeaderEpoch, Offset, PartitionId};

/// What the journals of a folder came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Journals.
    pub journals: usize,
    /// Records that may hold something unsettled.
    pub records: u64,
    /// Segment files that those are for.
    pub files: usize,
    /// Bytes of logs in them.
    pub bytes: u64,
}

/// Why a journal cannot be replayed. `Display` says what to do.
#[derive(Debug)]
pub enum JournalError {
    /// Acknowledged records would be missing.
    Damaged {
        /// The journal.
        file: PathBuf,
        /// Bytes from its start.
        at: u64,
        /// Why.
        why: String,
    },
    /// It is not the last opening's.
    Stale {
        /// The journal.
        file: PathBuf,
        /// Its opening.
        epoch: LeaderEpoch,
        /// The last one.
        last: LeaderEpoch,
    },
    /// A newer Tora wrote it, or what is not a journal has its name.
    Header {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: StoredError,
    },
    /// The system's error.
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
}

impl JournalError {
    /// Whether the process, or the machine, had as many files open as it may: later it may go well.
    fn no_descriptors(&self) -> bool {
        matches!(self, Self::Io { error, .. } if no_descriptors(error))
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { file, at, why } => write!(
                f,
                "{} is damaged at byte {at}: {why}. Records that were acknowledged shortly before the last stop are lost. \
                 Restore the folder from a copy, or move that file away to go on without them",
                file.display()
            ),
            Self::Stale { file, epoch, last } => write!(
                f,
                "{} belongs to opening {epoch} of the folder, and the last one was {last}: that one went on without it, and its \
                 records do not fit any more. Move it away",
                file.display()
            ),
            Self::Header { file, error } => write!(f, "{} cannot be used: {error}", file.display()),
            Self::Io { doing, path, error } if error.kind() == io::ErrorKind::StorageFull => write!(
                f,
                "the disk is full while {doing} {}: free some space, the journal's records have to go into their logs",
                path.display()
            ),
            Self::Io { doing, path, error } if no_descriptors(error) => write!(
                f,
                "{doing} {} failed: {error}. Raise that with `ulimit -n`, or LimitNOFILE= in the systemd unit, or close some",
                path.display()
            ),
            Self::Io { doing, path, error } => write!(
                f,
                "{doing} {} failed: {error}. Records of the last opening have to be copied out of the journal; of a partition \
                 whose folder is moved away they are left out",
                path.display()
            ),
        }
    }
}

impl std::error::Error for JournalError {}

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> JournalError + use<'a> {
    move |error| JournalError::Io { doing, path: path.to_owned(), error }
}

/// Copies what the folder's journals hold into the segments' files, makes that durable, and removes the journals. Says, too,
/// which segments those are: their files are synced as a whole. `last` is the epoch of the last opening that was counted.
///
/// # Errors
/// See [`JournalError`]. The journals are left as they were, and calling again is safe.
pub fn replay<F: Fs>(
    fs: &F,
    data_dir: &Path,
    last: LeaderEpoch,
) -> Result<(Replayed, BTreeSet<SegmentId>), JournalError> {
    let paths = journals(fs, data_dir)?;
    let (mut replayed, mut synced) = (Replayed::default(), BTreeSet::new());
    for path in &paths {
        let bytes = read_file(fs, path).map_err(io_error("reading", path))?;
        let contents = Contents::read(path, &bytes, last)?;
        contents.count(&mut replayed);
        let write = |fs: &F, (id, pieces): &(SegmentId, Vec<Piece<'_>>)| write(fs, data_dir, *id, pieces);
        let segments: Vec<_> = contents.segments.into_iter().collect();
        synced.extend(segments.iter().map(|(id, _)| *id));
        let at_once = limits::RECOVERIES_AT_ONCE;
        let written = for_all_files(fs, &segments, at_once, JournalError::no_descriptors, write);
        written.into_iter().collect::<Result<(), _>>()?;
    }
    for path in &paths {
        fs.remove_file(path).map_err(io_error("removing", path))?;
    }
    if !paths.is_empty() {
        fs.sync_folder(data_dir).map_err(io_error("syncing", data_dir))?;
    }
    Ok((replayed, synced))
}

/// What [`replay`] would do, and to which segments, those that are gone included; nothing is changed.
///
/// # Errors
/// As [`replay`].
pub fn survey<F: Fs>(
    fs: &F,
    data_dir: &Path,
    last: LeaderEpoch,
) -> Result<(Replayed, BTreeSet<SegmentId>), JournalError> {
    let (mut replayed, mut segments) = (Replayed::default(), BTreeSet::new());
    for path in journals(fs, data_dir)? {
        let bytes = read_file(fs, &path).map_err(io_error("reading", &path))?;
        let contents = Contents::read(&path, &bytes, last)?;
        contents.count(&mut replayed);
        segments.extend(contents.segments.into_keys());
    }
    Ok((replayed, segments))
}

fn journals<F: Fs>(fs: &F, data_dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let entries = fs.list(data_dir).map_err(io_error("listing", data_dir))?;
    let journals = entries.into_iter().filter(|entry| !entry.is_folder && is_journal(&entry.name));
    Ok(journals.map(|entry| data_dir.join(entry.name)).collect())
}

/// A segment, by its base offset.
pub type SegmentId = (PartitionId, Offset);

/// Where bytes stand in a segment's file.
type Piece<'a> = (u64, &'a [u8]);

/// What of a journal may be unsettled.
#[derive(Default)]
struct Contents<'a> {
    records: u64,
    segments: BTreeMap<SegmentId, Vec<Piece<'a>>>,
}

impl<'a> Contents<'a> {
    fn read(path: &Path, bytes: &'a [u8], last: LeaderEpoch) -> Result<Self, JournalError> {
        let areas_from = usize::try_from(FILE_HEADER_SIZE).expect("a block's size").min(bytes.len());
        let (header, areas_bytes) = bytes.split_at(areas_from);
        if header.iter().all(|byte| *byte == 0) {
            // It was being made.
            return Ok(Self::default());
        }
        let header = parse_file_header(header)
            .map_err(|error| JournalError::Header { file: path.to_owned(), error })?;
        if header.epoch != last {
            return Err(JournalError::Stale { file: path.to_owned(), epoch: header.epoch, last });
        }
        let area_bytes = usize::try_from(header.area_bytes).expect("an area fits into memory");
        let mut areas: Vec<Vec<(u64, Record<'a>)>> = Vec::new();
        for (nth, area) in areas_bytes.chunks(area_bytes).enumerate() {
            let start = FILE_HEADER_SIZE + (nth * area_bytes) as u64;
            areas.push(records_of(area, header.id).map(|(at, record)| (start + at as u64, record)).collect());
        }
        let last = areas.iter().flatten().max_by_key(|(_, record)| record.sequence);
        let Some(live_from) = last.map(|(_, record)| record.live_from) else { return Ok(Self::default()) };
        for area in &mut areas {
            area.retain(|(_, record)| record.sequence >= live_from);
        }
        areas.retain(|area| !area.is_empty());
        areas.sort_unstable_by_key(|area| area[0].1.sequence);
        check(path, &areas, header.area_bytes)?;
        let mut contents = Self::default();
        for (_, record) in areas.into_iter().flatten() {
            contents.records += 1;
            for entry in record.entries {
                let pieces = contents.segments.entry((entry.partition, entry.segment)).or_default();
                pieces.push((entry.at, entry.bytes));
            }
        }
        Ok(contents)
    }

    fn count(&self, replayed: &mut Replayed) {
        replayed.journals += 1;
        replayed.records += self.records;
        replayed.files += self.segments.len();
        let pieces = self.segments.values().flatten();
        replayed.bytes += pieces.map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
    }
}

/// Nothing may be missing. The beginning of the oldest area alone may have been settled after the last record said what was
/// not, and be what a crash left of one that was to come next; that reaches no further than a record can.
fn check(path: &Path, areas: &[Vec<(u64, Record<'_>)>], area_bytes: u64) -> Result<(), JournalError> {
    let torn_max = if areas.len() > 1 { area_bytes.min(CHUNK_SIZE as u64) } else { 0 };
    let is_certain = |nth: usize, at: u64| nth > 0 || (at - FILE_HEADER_SIZE) % area_bytes >= torn_max;
    let records = areas.iter().enumerate().flat_map(|(nth, area)| area.iter().map(move |found| (nth, found)));
    let mut expected = None;
    for (_, (at, record)) in records.filter(|(nth, (at, _))| is_certain(*nth, *at)) {
        if let Some(expected) = expected.filter(|expected| *expected != record.sequence) {
            let why = format!("record {expected} is not there, though record {} is", record.sequence);
            return Err(JournalError::Damaged { file: path.to_owned(), at: *at, why });
        }
        expected = Some(record.sequence + 1);
    }
    Ok(())
}

/// Every intact record of an area, whichever time the area was written, with where it is. Behind a torn one there may be
/// some of an earlier time.
fn records_of(area: &[u8], id: u64) -> impl Iterator<Item = (usize, Record<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < area.len() {
            let found = parse_record(&area[at..], id);
            let here = at;
            at += found.as_ref().map_or(BLOCK_SIZE, |record| record.blocks);
            if let Some(record) = found {
                return Some((here, record));
            }
        }
        None
    })
}

/// Writes bytes of a segment where they stand, and syncs it. A segment that is gone was not needed any more.
fn write<F: Fs>(
    fs: &F,
    data_dir: &Path,
    (partition, base): SegmentId,
    pieces: &[Piece<'_>],
) -> Result<(), JournalError> {
    let path = segment::folder(data_dir, partition).join(segment::file_name(base));
    let file = match fs.open(&path, OpenMode::ReadWrite) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(io_error("opening", &path))?,
    };
    let mut written = Ok(());
    for (at, bytes) in pieces {
        written = written.and_then(|()| fs.write_at(file, *at, bytes));
    }
    let synced = written.and_then(|()| fs.sync(file));
    fs.close(file);
    synced.map_err(io_error("writing", &path))
}

#[cfg(test)]
mod tests;
