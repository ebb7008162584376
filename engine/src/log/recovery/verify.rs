//! Reading a whole log and changing nothing: is every byte of it as it was written?
//!
//! The rules are recovery's. What recovery would repair is noted; what it would refuse, and what it would not notice
//! because it begins reading at the checkpoint, is damage.

use std::path::Path;

use super::damage::{AtStart, Damage};
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
    let mut walk = Walk { fs, folder: &folder, checkpoint, epoch, expected: none, verified, progress };
    for pair in segments.windows(2) {
        walk.ended(&pair[0], &pair[1])?;
    }
    let end = walk.active(segments.last().expect("there is a first one"))?;
    let mut verified = walk.verified;
    verified.end = end.offset;
    match checkpoint.filter(|entry| entry.log_start < start.offset) {
        Some(entry) => Err(missing_first(first, entry.log_start)),
        None => Ok(verified),
    }
}

/// The log starts before the first segment that is there. Retention removes one only when the start is past it.
fn missing_first(first: &Found, log_start: Offset) -> Damage {
    let base = first.header.base_offset;
    let why = format!("the log starts with offset {log_start}, but this first segment of it with {base}");
    let mut damage = Damage::from(RecoveryError::damaged(&first.path, 0, why));
    damage.lost = lost(log_start, Some(base));
    damage.start = AtStart::Overlooks;
    damage.advice =
        "Restore the earlier segments from a copy of the folder, or go on without them".to_owned();
    damage
}

/// The records from `from` on up to those from `to` on, in words.
fn lost(from: Offset, to: Option<Offset>) -> String {
    let last = to.map(|to| to.value() - 1);
    match last {
        Some(last) if last == from.value() => format!("the record with offset {from}"),
        Some(last) => format!("the records with offsets {from} to {last}"),
        None => format!("the records from offset {from} on"),
    }
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
    checkpoint: Option<&'a Entry>,
    epoch: LeaderEpoch,
    expected: Expected,
    verified: Verified,
    progress: &'a mut dyn FnMut(u64),
}

impl<F: Fs> Walk<'_, F> {
    /// A segment that has a successor.
    fn ended(&mut self, found: &Found, next: &Found) -> Result<(), Damage> {
        let limit = found.header.file_offset(next.header.base_position);
        let file = open(self.fs, &found.path)?;
        let (index, at, fault) = self.scan(found, &file, limit)?;
        if let Some(fault) = fault {
            let why = format!("{fault}; the next segment proves that everything here was flushed");
            let error = RecoveryError::damaged(&found.path, at, why);
            return Err(self.batches_lost(error, &self.end(found, at, Some(fault)), &file, Some(next)));
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
        let end = self.end(found, at, fault);
        let flushed = self.checkpoint.filter(|entry| entry.flushed_position > index.covered_to().position);
        if let Some(entry) = flushed {
            let fault = fault.map_or_else(|| "the batches end there".to_owned(), |fault| fault.to_string());
            let why = format!("{fault}, but the log was flushed up to offset {}", entry.flushed_offset);
            let error = RecoveryError::damaged(&found.path, at, why);
            return Err(self.batches_lost(error, &end, &file, None));
        }
        if let Some((_, last)) =
            end.judge(&file).map_err(|error| self.batches_lost(error, &end, &file, None))?
        {
            let mut torn = format!(
                "{}: torn behind offset {}: {} bytes from byte {at} on were not flushed, the next start cuts them",
                segment::file_name(found.header.base_offset),
                self.expected.offset,
                last + 1 - at
            );
            if let Some((at, offset)) =
                end.goes_on(&file).map_err(RecoveryError::io("reading", &found.path))?
            {
                let text = format!(
                    ". But an intact batch with offset {offset} follows at byte {at}: this may be damage, which cannot be told \
                     from a torn end so close to the log's; keep a copy of the folder before that start"
                );
                torn.push_str(&text);
            }
            self.verified.notes.push(torn);
        }
        self.check_index(found, &index, false)?;
        Ok(index.covered_to())
    }

    fn end<'b>(&self, found: &'b Found, at: u64, fault: Option<Fault>) -> End<'b> {
        End { header: &found.header, at, fault, expected: self.expected, current: self.epoch }
    }

    /// What it means that the batches end where they should not, before the segment `next`, or in the last one.
    fn batches_lost(
        &self,
        error: RecoveryError,
        end: &End<'_>,
        file: &Reader<'_, F>,
        next: Option<&Found>,
    ) -> Damage {
        let mut damage = Damage::from(error);
        // What cannot be read is not there.
        let goes_on = end.goes_on(file).ok().flatten();
        let from = end.expected.offset;
        damage.lost = match (goes_on, next) {
            (Some((at, offset)), _) => format!(
                "{}; an intact batch follows at byte {at} with offset {offset}, and what comes behind it was not looked at",
                lost(from, Some(offset))
            ),
            (None, Some(next)) => lost(from, Some(next.header.base_offset)),
            (None, None) => lost(from, None),
        };
        let is_below = |entry: &Entry| {
            let flushed = entry.flushed_position;
            let is_there = next.is_some() || end.header.file_offset(flushed) <= file.size;
            end.header.position(end.at) < flushed && is_there
        };
        if self.checkpoint.is_some_and(is_below) {
            damage.start = AtStart::Overlooks;
        }
        damage
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
            return Err(Damage::repairable(path, why, "nothing: the segment's batches are intact"));
        }
        self.verified.notes.push(format!("{name}: {why}; the next start makes another"));
        Ok(())
    }
}
