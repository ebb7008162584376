//! The way through a log's segments, each as far as its batches can be followed.

use std::path::{Path, PathBuf};

use super::super::damage::Damage;
use super::super::end::End;
use super::super::error::RecoveryError;
use super::super::files::{self, Found};
use super::super::reader::Reader;
use super::super::scan::{Expected, Fault, Next, Scan};
use super::{Known, Listed, Verified, lost, open};
use crate::batch::CrcCheck;
use crate::io::{Fs, read_file};
use crate::log::index::SparseIndex;
use crate::log::segment::{self, HEADER_SIZE};
use crate::types::{LeaderEpoch, Offset};

/// Bytes after which progress is told again.
const PROGRESS: u64 = 64 << 20;

/// On the way through a log.
pub(super) struct Walk<'a, F> {
    fs: &'a F,
    folder: &'a Path,
    known: Known<'a>,
    verified: Verified,
    progress: &'a mut dyn FnMut(u64),
    expected: Expected,
    /// Where the next segment begins; `None` in the last one.
    until: Option<Offset>,
    ahead: Option<Ahead>,
    /// Whether there is a batch of the next start's epoch, which no opening before it should have had.
    is_reached: bool,
}

/// The batch of the latest epoch, where that is later than the next start's.
pub(super) struct Ahead {
    pub file: PathBuf,
    /// Where it begins in the file.
    pub offset: u64,
    pub epoch: LeaderEpoch,
}

/// What was met on the way.
pub(super) struct Walked {
    /// What a start makes of its damages is not known yet.
    pub verified: Verified,
    pub ahead: Option<Ahead>,
}

impl<'a, F: Fs> Walk<'a, F> {
    /// A way that begins with the offset `start`. `verified` is what is known without it.
    pub(super) fn new(
        fs: &'a F,
        folder: &'a Path,
        known: Known<'a>,
        start: Offset,
        verified: Verified,
        progress: &'a mut dyn FnMut(u64),
    ) -> Self {
        let expected = Expected { offset: start, epoch: LeaderEpoch::new(i32::MIN) };
        Self { fs, folder, known, verified, progress, expected, until: None, ahead: None, is_reached: false }
    }

    /// Reads the segments, oldest first.
    pub(super) fn run(mut self, segments: &[Listed]) -> Walked {
        for (at, listed) in segments.iter().enumerate() {
            let Some(found) = &listed.found else { continue };
            let next = segments.get(at + 1);
            self.until = next.map(|next| next.base);
            self.expected.offset = listed.base;
            let epoch = self.expected.epoch;
            let read = match next {
                Some(next) => self.ended(found, next),
                None => self.active(found),
            };
            if let Err(damage) = read {
                self.verified.damages.push(damage);
                // The last batch before the damage may have come from elsewhere, and its epoch with it.
                self.expected.epoch = epoch;
            }
        }
        self.verified.end = self.expected.offset;
        if self.is_reached && self.ahead.is_none() {
            self.verified.notes.push(format!(
                "there are batches of leader epoch {}, which the next start has again: the data folder's broker-epoch is older \
                 than its logs",
                self.known.epoch
            ));
        }
        Walked { verified: self.verified, ahead: self.ahead }
    }

    /// A segment that has a successor.
    fn ended(&mut self, found: &Found, next: &Listed) -> Result<(), Damage> {
        // That the next one's header does not tell is damage of its own.
        let link = next.found.as_ref().map(|next| files::check_pair(found, next).map(|()| next));
        let limit = match &link {
            Some(Ok(next)) => found.header.file_offset(next.header.base_position),
            Some(Err(_)) | None => found.size,
        };
        let file = self.open(found)?;
        let (index, at, fault) = self.scan(found, &file, limit)?;
        let reached = self.expected.offset;
        let damaged = |why: String| Some(RecoveryError::damaged(&found.path, at, why));
        let error = match (link, fault) {
            (Some(Err(error)), _) => Some(error),
            // Allocated space may follow.
            (None, _) if reached == next.base => None,
            (_, Some(fault)) => {
                damaged(format!("{fault}; the next segment proves that everything here was flushed"))
            }
            (_, None) if reached == next.base => None,
            (_, None) => damaged(format!(
                "its batches end with offset {reached}, the next segment begins with {}",
                next.base
            )),
        };
        let whole = error.is_none().then_some(&index);
        self.check_index(found, whole, found.size == limit);
        error.map_or(Ok(()), |error| Err(self.batches_lost(error, &self.end(found, at, fault), &file)))
    }

    /// The last segment.
    fn active(&mut self, found: &Found) -> Result<(), Damage> {
        let file = self.open(found)?;
        let (index, at, fault) = self.scan(found, &file, found.size)?;
        let end = self.end(found, at, fault);
        let flushed =
            self.known.checkpoint.filter(|entry| entry.flushed_position > index.covered_to().position);
        if let Some(entry) = flushed {
            let fault = fault.map_or_else(|| "the batches end there".to_owned(), |fault| fault.to_string());
            let why = format!("{fault}, but the log was flushed up to offset {}", entry.flushed_offset);
            self.check_index(found, None, false);
            return Err(self.batches_lost(RecoveryError::damaged(&found.path, at, why), &end, &file));
        }
        self.check_index(found, Some(&index), false);
        let torn = end.judge(&file).map_err(|error| self.batches_lost(error, &end, &file))?;
        if let Some((_, last)) = torn {
            self.note_torn(&end, last, &file)?;
        }
        Ok(())
    }

    /// What a crash has left, up to the byte `last`.
    fn note_torn(&mut self, end: &End<'_>, last: u64, file: &Reader<'_, F>) -> Result<(), Damage> {
        let becomes = if self.known.journaled {
            "the next start copies what the journals hold there, and cuts what is torn then"
        } else {
            "a start that opens the log cuts them"
        };
        let mut torn = format!(
            "{}: torn behind offset {}: {} bytes from byte {} on were not flushed; {becomes}",
            segment::file_name(end.header.base_offset),
            end.expected.offset,
            last + 1 - end.at,
            end.at
        );
        let goes_on = end.goes_on(file).map_err(RecoveryError::io("reading", &file.path));
        if let Some((at, offset)) = goes_on.map_err(|error| self.unread(error, end.at))? {
            let text = format!(
                ". But an intact batch with offset {offset} follows at byte {at}: this may be damage, which cannot be told \
                 from a torn end so close to the log's; keep a copy of the folder before that start"
            );
            torn.push_str(&text);
        }
        self.verified.notes.push(torn);
        Ok(())
    }

    fn open(&self, found: &Found) -> Result<Reader<'a, F>, Damage> {
        open(self.fs, &found.path).map_err(|error| self.unread(error, 0))
    }

    fn end<'b>(&self, found: &'b Found, at: u64, fault: Option<Fault>) -> End<'b> {
        End { header: &found.header, at, fault, expected: self.expected, current: self.known.epoch }
    }

    /// From a byte of a segment on it cannot be read.
    fn unread(&self, error: RecoveryError, at: u64) -> Damage {
        let lost = format!("{}, if it stays so", lost(self.expected.offset, self.until));
        Damage { offset: at, lost, ..self.known.damage(error) }
    }

    /// What it means that a segment's batches end where they should not.
    fn batches_lost(&self, error: RecoveryError, end: &End<'_>, file: &Reader<'_, F>) -> Damage {
        let mut damage = self.known.damage(error);
        let from = end.expected.offset;
        // What cannot be read is not there.
        damage.lost = match end.goes_on(file).ok().flatten() {
            Some((at, offset)) => format!(
                "{}; an intact batch follows at byte {at} with offset {offset}, and what comes behind it was not looked at",
                lost(from, Some(offset))
            ),
            None => lost(from, self.until),
        };
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
            let next = scan.next().map_err(RecoveryError::io("reading", &found.path));
            match next.map_err(|error| self.unread(error, at))? {
                Next::Batch(batch) => {
                    self.is_reached |= batch.leader_epoch == self.known.epoch;
                    let latest = self.ahead.as_ref().map_or(self.known.epoch, |ahead| ahead.epoch);
                    if batch.leader_epoch > latest {
                        let (file, epoch) = (found.path.clone(), batch.leader_epoch);
                        self.ahead = Some(Ahead { file, offset: at, epoch });
                    }
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

    /// Compares the saved index with what it should be, if that is known. That of a sealed segment was synced; any other is a
    /// hint, which a crash may tear.
    fn check_index(&mut self, found: &Found, whole: Option<&SparseIndex>, sealed: bool) {
        let name = segment::index_name(found.header.base_offset);
        let path = self.folder.join(&name);
        let why = match read_file(self.fs, &path).map(|bytes| SparseIndex::decode(&bytes)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Ok(Ok(index)) if whole.is_none_or(|whole| index.is_part_of(whole)) => return,
            Ok(Ok(_)) => "it does not fit its segment".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => format!("it cannot be read: {error}"),
        };
        if sealed {
            let damage = Damage::repairable(path, why, "nothing: it says what the batches say, too");
            self.verified.damages.push(damage);
        } else {
            self.verified.notes.push(format!("{name}: {why}; a start that opens the log makes another"));
        }
    }
}
