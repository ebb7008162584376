//! Reading a whole log and changing nothing: is every byte of it as it was written?
//!
//! The rules are recovery's. What recovery would repair is noted; what it would refuse, and what it would not notice
//! because it begins reading at the checkpoint, is damage.

use std::path::{Path, PathBuf};

use super::end::End;
use super::error::RecoveryError;
use super::files::{self, Found};
use super::reader::{HEAD, Reader};
use super::scan::{Expected, Fault, Next, Scan};
use crate::batch::CrcCheck;
use crate::checkpoint::Entry;
use crate::io::{Fs, OpenMode, read_file};
use crate::log::index::{CoveredTo, SparseIndex};
use crate::log::segment::{self, HEADER_SIZE};
use crate::types::{LeaderEpoch, Offset, PartitionId};

/// Bytes after which progress is told again.
const PROGRESS: u64 = 64 << 20;

/// What a log holds that was read as a whole and found in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Its segments, without those that are about to be removed.
    pub segments: usize,
    /// Its batches.
    pub batches: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first offset that readers get.
    pub start: Offset,
    /// The offset after the last record.
    pub end: Offset,
    /// What the next start will set right, in words.
    pub notes: Vec<String>,
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which file.
    pub file: PathBuf,
    /// From which byte on.
    pub offset: u64,
    /// What it is.
    pub why: String,
}

impl From<RecoveryError> for Damage {
    fn from(error: RecoveryError) -> Self {
        let text = error.to_string();
        match error {
            RecoveryError::Damaged { file, offset, why } => Self { file, offset, why },
            RecoveryError::EpochBehind { file, offset, .. } => Self { file, offset, why: text },
            RecoveryError::Io { path: file, .. }
            | RecoveryError::Missing { folder: file, .. }
            | RecoveryError::Newer { file, .. } => Self { file, offset: 0, why: text },
        }
    }
}

/// Reads a partition's whole log. `epoch` is the data folder's, which no batch exceeds; `progress` is told now and then how
/// many more bytes were read.
///
/// # Errors
/// The first damage.
pub fn verify<F: Fs>(
    fs: &F,
    data_dir: &Path,
    partition: PartitionId,
    checkpoint: Option<&Entry>,
    epoch: LeaderEpoch,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, Damage> {
    let folder = segment::folder(data_dir, partition);
    let mut verified = Verified::default();
    let segments = listed(fs, &folder, partition, checkpoint, &mut verified)?;
    let Some(first) = segments.first() else {
        return match checkpoint.map(|entry| entry.flushed_position) {
            Some(flushed) if flushed.value() > 0 => Err(RecoveryError::Missing { folder, flushed }.into()),
            _ => Ok(verified),
        };
    };
    let start = CoveredTo { position: first.header.base_position, offset: first.header.base_offset };
    verified.segments = segments.len();
    verified.start = checkpoint.map_or(start.offset, |entry| start.offset.max(entry.log_start));
    let none = Expected { offset: start.offset, epoch: LeaderEpoch::new(i32::MIN) };
    let mut walk = Walk { fs, folder: &folder, epoch, expected: none, verified, progress };
    for pair in segments.windows(2) {
        walk.ended(&pair[0], &pair[1])?;
    }
    let end = walk.active(segments.last().expect("there is a first one"))?;
    let mut verified = walk.verified;
    verified.end = end.offset;
    if let Some(entry) = checkpoint.filter(|entry| entry.flushed_position > end.position) {
        let last = segments.last().expect("there is a first one");
        let why = format!(
            "the batches end there with offset {}, but the log was flushed up to offset {}",
            end.offset, entry.flushed_offset
        );
        return Err(RecoveryError::damaged(&last.path, last.header.file_offset(end.position), why).into());
    }
    Ok(verified)
}

/// The segments that are the log, checked against each other.
fn listed<F: Fs>(
    fs: &F,
    folder: &Path,
    partition: PartitionId,
    checkpoint: Option<&Entry>,
    verified: &mut Verified,
) -> Result<Vec<Found>, RecoveryError> {
    let entries = match fs.list(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(RecoveryError::io("listing", folder))?,
    };
    let mut bases: Vec<Offset> =
        entries.iter().filter_map(|entry| segment::parse_file_name(&entry.name)).collect();
    let start = checkpoint.map_or(Offset::ZERO, |entry| entry.log_start);
    while let Some(&last) = bases.last()
        && files::was_only_prepared(&bases, &open(fs, &folder.join(segment::file_name(last)))?, start)?
    {
        verified.notes.push(format!("{}: was prepared and never used", segment::file_name(last)));
        bases.pop();
    }
    let (gone, kept) = bases.split_at(files::first_kept(&bases, start));
    for base in gone {
        verified.notes.push(format!("{}: lies before the log's start", segment::file_name(*base)));
    }
    files::chain(fs, folder, partition, kept, &[], None)
}

fn open<'a, F: Fs>(fs: &'a F, path: &Path) -> Result<Reader<'a, F>, RecoveryError> {
    Reader::open(fs, path, OpenMode::Read, HEAD)
}

/// On the way through a log.
struct Walk<'a, F> {
    fs: &'a F,
    folder: &'a Path,
    epoch: LeaderEpoch,
    expected: Expected,
    verified: Verified,
    progress: &'a mut dyn FnMut(u64),
}

impl<F: Fs> Walk<'_, F> {
    /// A segment that has a successor.
    fn ended(&mut self, found: &Found, next: &Found) -> Result<(), Damage> {
        let limit = found.header.file_offset(next.header.base_position);
        let (index, at, fault) = self.scan(found, &open(self.fs, &found.path)?, limit)?;
        if let Some(fault) = fault {
            let why = format!("{fault}; the next segment proves that everything here was flushed");
            return Err(RecoveryError::damaged(&found.path, at, why).into());
        }
        if self.expected.offset != next.header.base_offset {
            let why = format!(
                "its batches end with offset {}, the next segment begins with {}",
                self.expected.offset, next.header.base_offset
            );
            return Err(RecoveryError::damaged(&found.path, at, why).into());
        }
        self.check_index(found, &index, found.size == limit)
    }

    /// The last segment. Answers where the log ends.
    fn active(&mut self, found: &Found) -> Result<CoveredTo, Damage> {
        let file = open(self.fs, &found.path)?;
        let (index, at, fault) = self.scan(found, &file, found.size)?;
        let end = End { header: &found.header, at, fault, expected: self.expected, current: self.epoch };
        if let Some((_, last)) = end.judge(&file)? {
            let torn = format!(
                "{}: torn behind offset {}: {} bytes from byte {at} on were not flushed, the next start cuts them",
                segment::file_name(found.header.base_offset),
                self.expected.offset,
                last + 1 - at
            );
            self.verified.notes.push(torn);
        }
        self.check_index(found, &index, false)?;
        Ok(index.covered_to())
    }

    /// Checks every batch up to `limit`, a byte of the file. Answers the index that it should have, where the batches end,
    /// and what is there instead of another one.
    fn scan(
        &mut self,
        found: &Found,
        file: &Reader<'_, F>,
        limit: u64,
    ) -> Result<(SparseIndex, u64, Option<Fault>), Damage> {
        let header = &found.header;
        let mut index = SparseIndex::new(header.base_offset, header.base_position);
        let mut told = HEADER_SIZE;
        let (from, expected) = (header.base_position, self.expected);
        let mut scan = Scan::new(file, header, CrcCheck::Full, from, limit, expected);
        let (at, fault) = loop {
            let at = scan.at();
            if at - told >= PROGRESS {
                (self.progress)(at - told);
                told = at;
            }
            match scan.next().map_err(RecoveryError::io("reading", &found.path))? {
                Next::Batch(batch) if batch.leader_epoch > self.epoch => {
                    let (file, current) = (found.path.clone(), self.epoch);
                    let found = batch.leader_epoch;
                    return Err(RecoveryError::EpochBehind { file, offset: at, found, current }.into());
                }
                Next::Batch(batch) => {
                    index.add(&batch, header.position(at));
                    self.verified.batches += 1;
                    self.verified.records += u64::try_from(batch.records_count).unwrap_or(0);
                    self.verified.bytes += batch.total_size() as u64;
                    self.expected = scan.expected();
                }
                Next::End => break (at, None),
                Next::Fault(fault) => break (at, Some(fault)),
            }
        };
        (self.progress)(at - told);
        Ok((index, at, fault))
    }

    /// Compares the saved index with what it should be. That of a sealed segment was synced; any other is a hint, which a
    /// crash may tear.
    fn check_index(&mut self, found: &Found, whole: &SparseIndex, sealed: bool) -> Result<(), Damage> {
        let name = segment::index_name(found.header.base_offset);
        let path = self.folder.join(&name);
        let bytes = match read_file(self.fs, &path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            bytes => bytes.map_err(RecoveryError::io("reading", &path))?,
        };
        let why = match SparseIndex::decode(&bytes) {
            Ok(index) if index.is_part_of(whole) => return Ok(()),
            Ok(_) => "it does not fit its segment".to_owned(),
            Err(error) => error.to_string(),
        };
        if sealed {
            return Err(Damage { file: path, offset: 0, why });
        }
        self.verified.notes.push(format!("{name}: {why}; the next start makes another"));
        Ok(())
    }
}
