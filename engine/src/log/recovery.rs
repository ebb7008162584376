//! Opening a partition's log after whatever happened to it.
//!
//! The rules, in the order in which they are applied (`FORMAT.md` has them with their reasons):
//! 1. Segments at the end that never held a batch are removed, unless the log starts there, and so are those that lie before the log
//!    start as a whole.
//! 2. What the checkpoint calls flushed is not read again; from there on every batch is checked: bounds, checksum,
//!    contiguous offsets, a leader epoch that never goes back. The producers of those batches are remembered.
//! 3. A bad batch in any segment but the last is damage, for a segment is written only once the one before it is flushed.
//! 4. A bad batch in the last segment is damage if an intact one begins more than W behind it; otherwise the log ends
//!    there, and what follows is cut and zeroed.
//! 5. The survivors are synced before anybody sees them.
//!
//! # Non-obvious
//! Every step may be the last one before the next crash. So files are only changed in ways that the next recovery would
//! change them again: removing what rule 1 removes, cutting what rule 4 cuts, sealing what has a successor.
#![forbid(unsafe_code)]

mod damage;
mod end;
mod error;
mod files;
mod indexes;
mod reader;
mod scan;
mod verify;

use std::fmt;
use std::io;
use std::path::Path;

use crate::batch::CrcCheck;
use crate::checkpoint::Entry;
use crate::io::{Fs, OpenMode};
use crate::log::index::{CoveredTo, SparseIndex};
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader};
use crate::producers::Producers;
use crate::sim::plant::{Plant, planted};
use crate::types::{LeaderEpoch, Offset, PartitionId, Position};
pub use damage::{AtStart, Damage};
use end::End;
pub use error::RecoveryError;
use files::{Files, Found};
use indexes::Loaded;
use reader::{HEAD, Reader};
use scan::{Expected, Fault, Next, Scan};
pub use verify::{Known, Verified, verify};

/// What recovery is told.
#[derive(Clone, Copy, Debug)]
pub struct RecoverySettings {
    /// The epoch of this opening.
    pub epoch: LeaderEpoch,
    /// The wall clock, ms since 1970: when the producers found in the log are taken to have written last.
    pub now_ms: i64,
    /// How many producers are remembered.
    pub producers_max: usize,
    /// The segment that this opening has synced already, by its base offset: what a journal had of it was copied there.
    pub synced: Option<Offset>,
}

/// One segment as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredSegment {
    /// Its first block.
    pub header: SegmentHeader,
    /// Bytes of batches.
    pub len: u64,
    /// Bytes of batches that the file has space for. A crash may have left any number from `len` on.
    pub allocated: u64,
    /// Its index, covering all of it.
    pub index: SparseIndex,
    /// Whether it takes no more batches: every one but the last. Trimmed, unless the disk is full.
    pub sealed: bool,
    /// The last one's first batch's largest timestamp; −1 where there is none.
    pub first_timestamp: i64,
}

/// A log that may be read and appended to.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// Oldest first, at least one; the last one is the active segment.
    pub segments: Vec<RecoveredSegment>,
    /// The offset after the last record.
    pub end_offset: Offset,
    /// The position after the last batch. Everything before it is durable.
    pub end_position: Position,
    /// Up to here the active segment's index is saved beside it; [`Position::ZERO`] where it is not.
    pub index_saved_to: Position,
    /// The first offset that readers get.
    pub log_start: Offset,
    /// The leader epoch of the last batch; −1 if there never was one.
    pub last_epoch: LeaderEpoch,
    /// The idempotent producers as the log has them.
    pub producers: Producers,
    /// The bytes of the active segment's last, partial block: from the file's last multiple of the block size to the
    /// end of the batches. Empty where they end with a block.
    pub active_tail: Vec<u8>,
}

/// Opens a partition's log: finds its end, cuts what a crash tore, and makes the rest durable. `None` where nothing was
/// ever appended, or nothing of it was ever durable.
///
/// Reads what the checkpoint doesn't cover, at about a second a gigabyte or faster, and else only headers and indexes.
///
/// # Errors
/// As [`RecoveryError`] tells. The partition's files are left as they were, except for what is safe to do again.
pub fn recover<F: Fs>(
    fs: &F,
    data_dir: &Path,
    partition: PartitionId,
    checkpoint: Option<&Entry>,
    settings: &RecoverySettings,
) -> Result<Option<Recovered>, RecoveryError> {
    let folder = segment::folder(data_dir, partition);
    let log_start = checkpoint.map_or(Offset::ZERO, |entry| entry.log_start);
    let files = Files::open(fs, &folder, partition, log_start)?;
    if let Some(files) = &files
        && files.removed
    {
        fs.sync_folder(&folder).map_err(RecoveryError::io("syncing", &folder))?;
    }
    let Some(Files { segments, last: Some(mut file), .. }) = files else {
        return match checkpoint.map(|entry| entry.flushed_position) {
            Some(flushed) if flushed > Position::ZERO => Err(RecoveryError::Missing { folder, flushed }),
            _ => Ok(None),
        };
    };
    let mut recovery = Recovery::new(fs, data_dir, &folder, &segments, *settings);
    checkpoint.map_or(Ok(()), |entry| recovery.trust(entry))?;
    recovery.run(&mut file).map(Some)
}

/// Reads of a log what [`recover`] would, and changes nothing. `segments` are its files, oldest first, at least one.
///
/// # Errors
/// What a start would refuse the log for.
fn rehearse<F: Fs>(
    fs: &F,
    data_dir: &Path,
    folder: &Path,
    segments: &[Found],
    checkpoint: Option<&Entry>,
    settings: &RecoverySettings,
) -> Result<(), RecoveryError> {
    let last = segments.last().expect("recovery begins with a segment");
    let file = Reader::open(fs, &last.path, OpenMode::Read, HEAD)?;
    let mut recovery = Recovery::new(fs, data_dir, folder, segments, *settings);
    recovery.is_rehearsal = true;
    checkpoint.map_or(Ok(()), |entry| recovery.trust(entry))?;
    recovery.rehearse(&file)
}

/// Whether batches of earlier epochs are taken for batches of this log. A planted bug leaves such batches behind; the
/// epoch alone would give them away, so the plant takes this check with it.
fn epochs_ignored() -> bool {
    planted(Plant::StaleBytesAfterCut)
}

struct Recovery<'a, F> {
    fs: &'a F,
    data_dir: &'a Path,
    folder: &'a Path,
    segments: &'a [Found],
    settings: RecoverySettings,
    /// Whether nothing is changed, and so nothing said of changes.
    is_rehearsal: bool,
    /// The end of what is known to be flushed.
    flushed: CoveredTo,
    /// Where reading begins: there, or at the log's start.
    scanned_from: CoveredTo,
    log_start: Offset,
    epoch: LeaderEpoch,
    producers: Producers,
    recovered: Vec<RecoveredSegment>,
}

impl<'a, F: Fs> Recovery<'a, F> {
    fn new(
        fs: &'a F,
        data_dir: &'a Path,
        folder: &'a Path,
        segments: &'a [Found],
        settings: RecoverySettings,
    ) -> Self {
        let header = &segments[0].header;
        let start = CoveredTo { position: header.base_position, offset: header.base_offset };
        Self {
            fs,
            data_dir,
            folder,
            segments,
            settings,
            is_rehearsal: false,
            flushed: start,
            scanned_from: start,
            log_start: start.offset,
            epoch: LeaderEpoch::new(-1),
            producers: Producers::new(settings.producers_max),
            recovered: Vec::with_capacity(segments.len()),
        }
    }

    /// Tells of a file that a start does something about.
    fn tell(&self, path: &Path, what: &dyn fmt::Display) {
        if !self.is_rehearsal {
            log::warn!("{}: {what}", path.display());
        }
    }

    /// Takes over what the checkpoint says.
    fn trust(&mut self, entry: &Entry) -> Result<(), RecoveryError> {
        let last = self.segments.last().expect("recovery begins with a segment");
        self.log_start = self.log_start.max(entry.log_start);
        if entry.last_epoch > self.settings.epoch {
            return Err(RecoveryError::EpochBehind {
                file: last.path.clone(),
                offset: 0,
                found: entry.last_epoch,
                current: self.settings.epoch,
            });
        }
        let whole = match Producers::decode(&entry.producers, self.settings.producers_max) {
            Ok(mut producers) => {
                // The state may be ahead of what was flushed, and those batches may be gone.
                producers.truncate_to(entry.flushed_offset);
                self.producers = producers;
                true
            }
            Err(error) => {
                let what = format!("the checkpoint is of no use here, the whole log is read: {error}");
                self.tell(self.folder, &what);
                false
            }
        };
        // Retention may have removed what the checkpoint was about.
        if entry.flushed_position <= self.flushed.position {
            self.epoch = entry.last_epoch;
            return Ok(());
        }
        if last.size < HEADER_SIZE || entry.flushed_position > last.header.position(last.size) {
            let why =
                format!("the file ends there, but the log was flushed up to offset {}", entry.flushed_offset);
            return Err(RecoveryError::damaged(&last.path, last.size, why));
        }
        self.flushed = CoveredTo { position: entry.flushed_position, offset: entry.flushed_offset };
        if whole {
            self.scanned_from = self.flushed;
            self.epoch = entry.last_epoch;
        }
        Ok(())
    }

    /// `file` is the last segment's.
    fn run(mut self, file: &mut Reader<'_, F>) -> Result<Recovered, RecoveryError> {
        let (last, sealed) = self.sealed();
        for (found, end) in sealed {
            self.recover_sealed(found, end)?;
        }
        self.recover_active(last, file)
    }

    /// As [`run`](Self::run), as far as that reads.
    fn rehearse(mut self, file: &Reader<'_, F>) -> Result<(), RecoveryError> {
        let (last, sealed) = self.sealed();
        for (found, end) in sealed {
            self.read_sealed(found, end)?;
        }
        let scanned = self.read_active(last, file)?;
        self.end(last, &scanned).judge(file).map(drop)
    }

    /// The last segment, and those before it, each with its end, which the next one's header tells.
    fn sealed(&self) -> (&'a Found, impl Iterator<Item = (&'a Found, CoveredTo)> + use<'a, F>) {
        let segments = self.segments;
        let end =
            |next: &Found| CoveredTo { position: next.header.base_position, offset: next.header.base_offset };
        let sealed = segments.windows(2).map(move |pair| (&pair[0], end(&pair[1])));
        (segments.last().expect("recovery begins with a segment"), sealed)
    }

    /// Reads a segment whose end is known, as far as it has to be read: its index, and whether that is saved as it is.
    fn read_sealed(&mut self, found: &Found, end: CoveredTo) -> Result<(SparseIndex, bool), RecoveryError> {
        if end.position <= self.scanned_from.position {
            let loaded = indexes::load(self.fs, self.folder, found, None, end)?;
            self.tell_unfit(found, &loaded);
            return Ok((loaded.index, loaded.is_saved));
        }
        let file = Reader::open(self.fs, &found.path, OpenMode::Read, HEAD)?;
        let scanned = self.scan(found, &file, found.header.file_offset(end.position))?;
        let reached = scanned.index.covered_to();
        if let Some(fault) = scanned.fault {
            let why = format!("{fault}; the next segment proves that everything here was flushed");
            return Err(RecoveryError::damaged(&found.path, scanned.at, why));
        }
        if reached.offset != end.offset {
            let why = format!(
                "its batches end with offset {}, the next segment begins with {}",
                reached.offset, end.offset
            );
            return Err(RecoveryError::damaged(&found.path, scanned.at, why));
        }
        Ok((scanned.index, false))
    }

    /// Says why a saved index is of no use.
    fn tell_unfit(&self, found: &Found, loaded: &Loaded) {
        if let Some(why) = &loaded.unfit {
            let path = self.folder.join(segment::index_name(found.header.base_offset));
            self.tell(&path, &format_args!("{why}, and is rebuilt"));
        }
    }

    /// A segment that is not the last one.
    fn recover_sealed(&mut self, found: &Found, end: CoveredTo) -> Result<(), RecoveryError> {
        let (index, is_saved) = self.read_sealed(found, end)?;
        let limit = found.header.file_offset(end.position);
        let len = end.position.since(found.header.base_position);
        if (!is_saved || found.size > limit) && !self.seal(found, len, &index)? {
            log::warn!("{}: stays untrimmed, the disk is full", found.path.display());
        }
        let header = found.header.clone();
        self.recovered.push(RecoveredSegment {
            header,
            len,
            allocated: len,
            index,
            sealed: true,
            first_timestamp: -1,
        });
        Ok(())
    }

    /// Does what a crash kept from being done. Says whether the disk had room for it.
    fn seal(&self, found: &Found, len: u64, index: &SparseIndex) -> Result<bool, RecoveryError> {
        match segment::seal(self.fs, self.data_dir, &found.header, len, index) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(false),
            done => done.map(|()| true).map_err(RecoveryError::io("sealing", &found.path)),
        }
    }

    /// The segment that has no successor.
    fn recover_active(mut self, found: &Found, file: &mut Reader<'_, F>) -> Result<Recovered, RecoveryError> {
        let scanned = self.read_active(found, file)?;
        let reached = scanned.index.covered_to();
        let end = self.end(found, &scanned);
        let (size, cut) = end.settle(file)?;
        let is_synced = self.settings.synced == Some(found.header.base_offset);
        let grown = reached.position > self.flushed.position || reached.position == Position::ZERO;
        let sync = cut || (grown && !is_synced);
        let (active_tail, first_timestamp) = end.finish(file, sync)?;
        let len = reached.position.since(found.header.base_position);
        if len == 0 {
            // A segment is prepared with its name synced, but this preparation may not have come that far.
            self.fs.sync_folder(self.folder).map_err(RecoveryError::io("syncing", self.folder))?;
        }
        let allocated = size.saturating_sub(HEADER_SIZE);
        let header = found.header.clone();
        self.recovered.push(RecoveredSegment {
            header,
            len,
            allocated,
            index: scanned.index,
            sealed: false,
            first_timestamp,
        });
        Ok(Recovered {
            segments: self.recovered,
            end_offset: reached.offset,
            end_position: reached.position,
            index_saved_to: scanned.index_saved_to,
            log_start: self.log_start.min(reached.offset),
            last_epoch: self.epoch,
            producers: self.producers,
            active_tail,
        })
    }

    /// Reads the last segment up to its first bad batch, which must not lie below the checkpoint.
    fn read_active(&mut self, found: &Found, file: &Reader<'_, F>) -> Result<Scanned, RecoveryError> {
        let scanned = self.scan(found, file, found.size)?;
        if scanned.index.covered_to().position < self.flushed.position {
            let fault =
                scanned.fault.map_or_else(|| "the batches end there".to_owned(), |fault| fault.to_string());
            let why = format!("{fault}, but the log was flushed up to offset {}", self.flushed.offset);
            return Err(RecoveryError::damaged(&found.path, scanned.at, why));
        }
        Ok(scanned)
    }

    /// Where the last segment stops being right.
    fn end<'b>(&self, found: &'b Found, scanned: &Scanned) -> End<'b> {
        let offset = scanned.index.covered_to().offset;
        End {
            header: &found.header,
            at: scanned.at,
            fault: scanned.fault,
            expected: Expected { offset, epoch: self.epoch },
            current: self.settings.epoch,
        }
    }

    /// Checks a segment's batches from where reading begins to the byte before `limit` or the first bad one.
    fn scan(&mut self, found: &Found, file: &Reader<'_, F>, limit: u64) -> Result<Scanned, RecoveryError> {
        let header = &found.header;
        let mut index = SparseIndex::new(header.base_offset, header.base_position);
        let mut index_saved_to = Position::ZERO;
        if self.scanned_from.position > header.base_position {
            let loaded = indexes::load(self.fs, self.folder, found, Some(file), self.scanned_from)?;
            self.tell_unfit(found, &loaded);
            (index, index_saved_to) = (loaded.index, loaded.saved_to);
        }
        let from = index.covered_to();
        let expected = Expected { offset: from.offset, epoch: self.epoch };
        let mut scan = Scan::new(file, header, CrcCheck::Full, from.position, limit, expected);
        let (at, fault) = loop {
            let at = scan.at();
            match scan.next().map_err(RecoveryError::io("reading", &found.path))? {
                Next::Batch(batch) if batch.leader_epoch > self.settings.epoch => {
                    return Err(RecoveryError::EpochBehind {
                        file: found.path.clone(),
                        offset: at,
                        found: batch.leader_epoch,
                        current: self.settings.epoch,
                    });
                }
                Next::Batch(batch) => {
                    index.add(&batch, header.position(at));
                    self.producers.record(&batch, batch.base_offset, self.settings.now_ms);
                    self.epoch = batch.leader_epoch;
                }
                Next::End => break (at, None),
                Next::Fault(fault) => break (at, Some(fault)),
            }
        };
        Ok(Scanned { index, index_saved_to, at, fault })
    }
}

/// What a walk through a segment found.
struct Scanned {
    /// Of all good batches.
    index: SparseIndex,
    /// What of that was loaded.
    index_saved_to: Position,
    /// Where they end in the file.
    at: u64,
    /// What is there instead of another one; `None` at the limit.
    fault: Option<Fault>,
}

#[cfg(test)]
mod tests;
