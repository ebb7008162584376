//! Reading a whole log and changing nothing: is every byte of it as it was written?
//!
//! The rules are recovery's. What recovery would repair is noted; what it would refuse, and what it would not notice
//! because it begins reading at the checkpoint, is damage. Which of the two it is, recovery says itself: what it reads is read
//! once more, as it would.

mod walk;

use std::path::{Path, PathBuf};

use self::walk::{Ahead, Walk, Walked};
use super::damage::{AtStart, Damage};
use super::error::RecoveryError;
use super::files::{self, Found};
use super::reader::{HEAD, Reader};
use super::{RecoverySettings, rehearse};
use crate::checkpoint::Entry;
use crate::io::{Fs, OpenMode};
use crate::limits;
use crate::log::segment;
use crate::types::{LeaderEpoch, Offset, PartitionId};

/// What a log holds that was read as a whole, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Its segments, without those that are about to be removed.
    pub segments: usize,
    /// Its batches that are in order. In each segment those behind the first that is not are not looked at.
    pub batches: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first offset that readers get.
    pub start: Offset,
    /// The offset after the last record that is in order.
    pub end: Offset,
    /// What is no damage, and mostly what a start that opens the log will set right, in words.
    pub notes: Vec<String>,
    /// What is not as it was written, from the log's start to its end.
    pub damages: Vec<Damage>,
}

impl Verified {
    /// Whether the whole log is as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }
}

/// What is known of a log from elsewhere in its data folder.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the checkpoints say of it.
    pub checkpoint: Option<&'a Entry>,
    /// The epoch that the next start will have, which no batch exceeds.
    pub epoch: LeaderEpoch,
    /// Whether journals hold records of it, which the next start copies into it before it looks at it.
    pub journaled: bool,
}

impl Known<'_> {
    /// What a start would refuse the log for, as it is told.
    fn damage(&self, error: RecoveryError) -> Damage {
        Damage::of(error, self.journaled)
    }
}

/// Reads a partition's whole log: every segment of it, as far as its batches can be followed. `progress` is told now and then
/// how many more bytes were read.
pub fn verify<F: Fs>(
    fs: &F,
    data_dir: &Path,
    partition: PartitionId,
    known: Known<'_>,
    progress: &mut dyn FnMut(u64),
) -> Verified {
    let folder = segment::folder(data_dir, partition);
    let mut verified = Verified::default();
    let segments = match listed(fs, &folder, partition, known, &mut verified) {
        Ok(segments) => segments,
        Err(error) => {
            verified.damages.push(known.damage(error));
            return verified;
        }
    };
    let Some(first) = segments.first() else {
        if let Some(flushed) =
            known.checkpoint.map(|entry| entry.flushed_position).filter(|at| at.value() > 0)
        {
            verified.damages.push(known.damage(RecoveryError::Missing { folder, flushed }));
        }
        return verified;
    };
    verified.segments = segments.len();
    verified.start = known.checkpoint.map_or(first.base, |entry| first.base.max(entry.log_start));
    let lacks_first = known.checkpoint.filter(|entry| entry.log_start < first.base);
    let missing = lacks_first.map(|entry| missing_first(first, entry.log_start, known));
    let Walked { mut verified, ahead } =
        Walk::new(fs, &folder, known, first.base, verified, progress).run(&segments);
    let is_whole = verified.is_sound() && ahead.is_none();
    // Without a checkpoint a start reads as much as was read here.
    if known.checkpoint.is_some() || !is_whole {
        let found = segments.into_iter().map(|listed| listed.found).collect();
        let rehearsed = chain(found).map(|found| rehearsal(fs, data_dir, &folder, &found, known));
        let is_refused = !matches!(rehearsed, Some(Ok(())));
        tell(&mut verified.damages, ahead, rehearsed, known);
        verified.damages.splice(..0, missing);
        verified.damages.iter_mut().for_each(|damage| settle(damage, is_refused));
    }
    verified
}

/// The segments, if each one's header can be read and its file reaches to where the next one begins. Where not, that is told
/// already, and a start refuses the log for it.
fn chain(found: Option<Vec<Found>>) -> Option<Vec<Found>> {
    found.filter(|found| found.windows(2).all(|pair| files::check_pair(&pair[0], &pair[1]).is_ok()))
}

/// What the next start meets in what it reads.
fn rehearsal<F: Fs>(
    fs: &F,
    data_dir: &Path,
    folder: &Path,
    segments: &[Found],
    known: Known<'_>,
) -> Result<(), RecoveryError> {
    let producers_max = limits::PRODUCERS_MAX;
    let settings = RecoverySettings { epoch: known.epoch, now_ms: 0, producers_max, synced: None };
    rehearse(fs, data_dir, folder, segments, known.checkpoint, &settings)
}

/// Adds to the damages what the next start refuses the log for, if it is not among them, and the batch that is ahead. `rehearsed`
/// is what that start meets; `None` where it does not come as far as reading batches.
fn tell(
    damages: &mut Vec<Damage>,
    mut ahead: Option<Ahead>,
    rehearsed: Option<Result<(), RecoveryError>>,
    known: Known<'_>,
) {
    match rehearsed {
        Some(Err(RecoveryError::EpochBehind { file, offset, found: epoch, .. })) => {
            let later = ahead.filter(|ahead| ahead.epoch >= epoch);
            ahead = later.or(Some(Ahead { file, offset, epoch }));
        }
        Some(Err(error)) => {
            let refusal = known.damage(error);
            let is_told = |damage: &Damage| damage.file == refusal.file && damage.offset <= refusal.offset;
            if !damages.iter().any(is_told) {
                damages.push(refusal);
            }
        }
        Some(Ok(())) | None => {}
    }
    if let Some(Ahead { file, offset, epoch: found }) = ahead {
        let current = known.epoch;
        damages.push(known.damage(RecoveryError::EpochBehind { file, offset, found, current }));
    }
}

/// Says what the next start makes of a damage, now that it is known whether it refuses the log.
fn settle(damage: &mut Damage, is_refused: bool) {
    damage.start = match damage.start {
        _ if is_refused => AtStart::RefusesPartition,
        AtStart::Repairs => AtStart::Repairs,
        _ => AtStart::Overlooks,
    };
}

/// A segment's file.
struct Listed {
    path: PathBuf,
    /// Where it begins, by its name.
    base: Offset,
    /// What it is; `None` where its header does not tell.
    found: Option<Found>,
}

/// The log starts before the first segment that is there. Retention removes one only when the start is past it.
fn missing_first(first: &Listed, log_start: Offset, known: Known<'_>) -> Damage {
    let base = first.base;
    let why = format!("the log starts with offset {log_start}, but this first segment of it with {base}");
    let mut damage = known.damage(RecoveryError::damaged(&first.path, 0, why));
    damage.lost = lost(log_start, Some(base));
    damage.advice =
        "Restore the earlier segments from a copy of the folder, or go on without them".to_owned();
    damage
}

/// The records from `from` on up to those from `to` on, in words.
fn lost(from: Offset, to: Option<Offset>) -> String {
    let last = to.map(|to| to.value() - 1);
    match last {
        Some(last) if last < from.value() => "no record".to_owned(),
        Some(last) if last == from.value() => format!("the record with offset {from}"),
        Some(last) => format!("the records with offsets {from} to {last}"),
        None => format!("the records from offset {from} on"),
    }
}

/// The segments that are the log. Of those whose headers cannot be used the damage is told.
fn listed<F: Fs>(
    fs: &F,
    folder: &Path,
    partition: PartitionId,
    known: Known<'_>,
    verified: &mut Verified,
) -> Result<Vec<Listed>, RecoveryError> {
    let entries = match fs.list(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(RecoveryError::io("listing", folder))?,
    };
    let names = || entries.iter().map(|entry| entry.name.as_str());
    let mut bases: Vec<Offset> = names().filter_map(segment::parse_file_name).collect();
    let indexes: Vec<Offset> = names().filter_map(segment::parse_index_name).collect();
    let start = known.checkpoint.map_or(Offset::ZERO, |entry| entry.log_start);
    let was_only_prepared = |bases: &[Offset], last: Offset| {
        let file = open(fs, &folder.join(segment::file_name(last)))?;
        files::was_only_prepared(bases, &file, start)
    };
    while let Some(&last) = bases.last() {
        match was_only_prepared(&bases, last) {
            Ok(true) => {}
            // One that cannot be read is met again where it is read.
            Ok(false) | Err(_) => break,
        }
        verified.notes.push(format!("{}: was prepared and never used", segment::file_name(last)));
        bases.pop();
    }
    let (gone, kept) = bases.split_at(files::first_kept(&bases, start));
    for base in gone {
        verified.notes.push(format!("{}: lies before the log's start", segment::file_name(*base)));
    }
    let mut segments = Vec::with_capacity(kept.len());
    for &base in kept {
        let path = folder.join(segment::file_name(base));
        let found = files::look(fs, folder, partition, base, &indexes, None);
        let found = found.map_err(|error| verified.damages.push(known.damage(error))).ok();
        segments.push(Listed { path, base, found });
    }
    Ok(segments)
}

fn open<'a, F: Fs>(fs: &'a F, path: &Path) -> Result<Reader<'a, F>, RecoveryError> {
    Reader::open(fs, path, OpenMode::Read, HEAD)
}
