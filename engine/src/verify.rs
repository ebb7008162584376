//! Checking a data folder that nobody serves: every batch, header, index and checkpoint is read.
//!
//! Nothing is written, not even a lock's file: so a folder may be on a medium that is mounted for reading only, such as a
//! snapshot or a backup. As long as a [`Folder`] lives no engine opens that folder. `tora log verify` is this on a command line.
//!
//! ```
//! use tora_engine::io::HostFs;
//! use tora_engine::verify::Folder;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = std::env::temp_dir().join(format!("tora-verify-{}", std::process::id()));
//! # let path = temporary.as_path();
//! # let engine = tora_engine::Engine::open(tora_engine::Config::new(path))?;
//! # engine.handle().create_topic("events", 1, &[])?.wait()?;
//! # engine.close();
//! let folder = Folder::open(HostFs, path)?;
//! // What belongs to no single log: checkpoints, and what a killed engine left in its journals.
//! let mut damages = folder.damages().to_vec();
//! damages.extend(folder.journals().err());
//! for &partition in folder.partitions() {
//!     let name = folder.topic(partition).unwrap_or("(no topic)");
//!     let log = folder.verify(partition, &mut |_bytes| {});
//!     println!("{name}-{}: {} records are in order", partition.index, log.records);
//!     damages.extend(log.damages);
//! }
//! for damage in &damages {
//!     // Which records are lost, what the next start makes of it, and what to do.
//!     eprintln!("{damage}");
//! }
//! assert!(damages.is_empty());
//! # std::fs::remove_dir_all(path)?;
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::batch::{CrcCheck, batches};
use crate::catalog::Catalog;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::data_folder::{self, DataFolderError};
use crate::io::{File, Fs, read_file};
pub use crate::journal::Replayed;
use crate::journal::{self, JournalError};
use crate::log::recovery::{self, Known};
pub use crate::log::recovery::{AtStart, Damage, Verified};
use crate::log::segment::{self, HEADER_SIZE};
use crate::open::{self, CATALOG_PARTITION, topic_defaults};
use crate::types::{LeaderEpoch, PartitionId};

/// Where a segment's batches begin.
const HEADER_BYTES: usize = HEADER_SIZE as usize;

/// A data folder that is claimed for as long as this lives, so that nobody serves it meanwhile.
pub struct Folder<F: Fs> {
    fs: F,
    path: PathBuf,
    lock: Option<File>,
    /// The last opening's.
    epoch: LeaderEpoch,
    catalog: Catalog,
    checkpoint: Checkpoint,
    damages: Vec<Damage>,
    journals: Result<Replayed, Damage>,
    /// The partitions of which journals hold records; `None` where a journal does not tell.
    journaled: Option<BTreeSet<PartitionId>>,
    /// Where the catalog's log cannot be followed: segments, each with the first byte that is no intact batch; `None` where
    /// it cannot be read.
    catalog_breaks: Vec<(PathBuf, Option<u64>)>,
    /// The first intact batch of it that a start could not apply.
    catalog_fault: Option<Damage>,
    /// The catalog's log first.
    partitions: Vec<PartitionId>,
}

impl<F: Fs> Folder<F> {
    /// Keeps others from opening a folder, and reads what its partitions are checked by. Any number may check it at a time.
    ///
    /// # Errors
    /// A folder that is in use, no folder of Tora's, or the system's error.
    pub fn open(fs: F, path: &Path) -> Result<Self, DataFolderError> {
        let failed = |error| DataFolderError::Io { folder: path.to_owned(), error };
        let (lock, epoch) = data_folder::share(&fs, path)?;
        let (journals, journaled) = match journal::survey(&fs, path, epoch) {
            Ok((journals, segments)) => {
                (Ok(journals), Some(segments.into_iter().map(|(id, _)| id).collect()))
            }
            Err(error) => (Err(damaged_journal(error)), None),
        };
        let mut folder = Self {
            fs,
            path: path.to_owned(),
            lock,
            epoch,
            catalog: Catalog::new(topic_defaults(&Config::new(path))),
            checkpoint: Checkpoint::new(),
            damages: Vec::new(),
            journals,
            journaled,
            catalog_breaks: Vec::new(),
            catalog_fault: None,
            partitions: Vec::new(),
        };
        for file in Checkpoint::files(&folder.fs, path).map_err(failed)? {
            match read_file(&folder.fs, &file).map(|bytes| Checkpoint::decode(&bytes)) {
                Ok(Ok(checkpoint)) => folder.checkpoint.merge(checkpoint),
                Ok(Err(error)) => folder.damages.push(damaged_checkpoint(file, error.to_string())),
                Err(error) => folder.damages.push(unreadable_checkpoint(file, &error)),
            }
        }
        folder.read_catalog();
        let is_live = |id: &PartitionId| *id == CATALOG_PARTITION || folder.catalog.topic(id.topic).is_some();
        let known = folder.checkpoint.iter().map(|(id, _)| id).filter(is_live);
        // Of a deleted topic something may be left that is about to go. A topic of which the catalog knows nothing was lost
        // from that.
        let is_going = |id: &PartitionId| folder.catalog.tombstones().any(|topic| topic.id == id.topic);
        let found = folder.fs.list(path).map_err(failed)?;
        let found = found.iter().filter_map(|entry| PartitionId::parse(&entry.name));
        let mut partitions: Vec<PartitionId> = found.filter(|id| !is_going(id)).chain(known).collect();
        partitions.sort_unstable_by_key(|id| (*id != CATALOG_PARTITION, *id));
        partitions.dedup();
        folder.partitions = partitions;
        Ok(folder)
    }

    /// The topics as far as the catalog's log can be read. What of it cannot is told when it is verified.
    fn read_catalog(&mut self) {
        let folder = segment::folder(&self.path, CATALOG_PARTITION);
        let entries = self.fs.list(&folder).unwrap_or_default();
        for entry in entries.iter().filter(|entry| segment::parse_file_name(&entry.name).is_some()) {
            let path = folder.join(&entry.name);
            match read_file(&self.fs, &path) {
                Ok(bytes) => self.apply_segment(path, &bytes),
                Err(_) => self.catalog_breaks.push((path, None)),
            }
        }
    }

    fn apply_segment(&mut self, path: PathBuf, bytes: &[u8]) {
        let mut at = HEADER_SIZE;
        for batch in batches(bytes.get(HEADER_BYTES..).unwrap_or_default(), CrcCheck::Full) {
            let Ok(batch) = batch else { return self.catalog_breaks.push((path, Some(at))) };
            // Behind a break that is no wonder, and whatever more can be known of the topics is welcome.
            if let Err(why) = open::apply(&batch, &mut self.catalog)
                && self.catalog_breaks.is_empty()
            {
                self.catalog_fault.get_or_insert_with(|| unknown_change(path.clone(), at, &why));
            }
            at += batch.bytes().len() as u64;
        }
    }

    /// Damaged checkpoints.
    #[must_use]
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// What the journals hold that the next opening puts into the logs' files; so far those end before it.
    ///
    /// # Errors
    /// A damaged journal, or one that cannot be read.
    pub fn journals(&self) -> Result<Replayed, Damage> {
        self.journals.clone()
    }

    /// The partitions there are, the catalog's log first.
    #[must_use]
    pub fn partitions(&self) -> &[PartitionId] {
        &self.partitions
    }

    /// Whether this is the catalog's log: the topics' names and settings.
    #[must_use]
    pub fn is_catalog(&self, partition: PartitionId) -> bool {
        partition == CATALOG_PARTITION
    }

    /// The name of a partition's topic; `None` for the catalog's log, and where that is damaged and does not tell.
    #[must_use]
    pub fn topic(&self, partition: PartitionId) -> Option<&str> {
        self.catalog.topic(partition.topic).map(|topic| topic.name.as_str())
    }

    /// Reads a partition's whole log, past what is damaged; `progress` is told now and then how many more bytes were read.
    #[must_use]
    pub fn verify(&self, partition: PartitionId, progress: &mut dyn FnMut(u64)) -> Verified {
        let next = LeaderEpoch::new(self.epoch.value() + 1);
        let is_held = || self.journaled.as_ref().is_none_or(|journaled| journaled.contains(&partition));
        // The catalog's log is written past the journals.
        let journaled = !self.is_catalog(partition) && is_held();
        let known = Known { checkpoint: self.checkpoint.get(partition), epoch: next, journaled };
        let mut verified = recovery::verify(&self.fs, &self.path, partition, known, progress);
        if self.is_catalog(partition) {
            self.judge_catalog(&mut verified.damages);
        } else if self.topic(partition).is_none() {
            let note = "the catalog knows of no topic with this id: the next start leaves the log as it is, and nobody can read it";
            verified.notes.push(note.to_owned());
        }
        verified
    }

    /// The catalog's log is read as a whole by every start, and nothing can be opened without it.
    fn judge_catalog(&self, damages: &mut Vec<Damage>) {
        if let Some(fault) = &self.catalog_fault {
            damages.push(fault.clone());
        }
        let is_read = |damage: &Damage| {
            let mut breaks = self.catalog_breaks.iter();
            breaks.any(|(file, at)| *file == damage.file && at.is_none_or(|at| at == damage.offset))
        };
        let is_refused = damages.iter().any(|damage| match damage.start {
            AtStart::RefusesFolder | AtStart::RefusesPartition => true,
            AtStart::Overlooks => is_read(damage),
            AtStart::Repairs => false,
        });
        for damage in damages.iter_mut().filter(|_| is_refused) {
            if damage.start != AtStart::Repairs {
                damage.lost.push_str(" (of the catalog: which topics there are, and with which settings)");
            }
            damage.start = AtStart::RefusesFolder;
        }
    }
}

/// An intact batch of the catalog's log that is of no use to this program.
fn unknown_change(file: PathBuf, offset: u64, why: &str) -> Damage {
    let advice = "Use the Tora that wrote it, perhaps a newer one. Or restore the folder from a copy";
    Damage {
        file,
        offset,
        why: format!("the batch is intact, and a change in it cannot be applied: {why}"),
        lost: "nothing for the program that wrote it; for this one that change and those that follow"
            .to_owned(),
        start: AtStart::RefusesFolder,
        advice: advice.to_owned(),
    }
}

fn damaged_checkpoint(file: PathBuf, why: String) -> Damage {
    let lost = "no records; what was removed from the start of logs that this was about may be back";
    let mut damage = Damage::repairable(file, why, lost);
    damage.advice =
        "Nothing has to be done about it: those logs are read as a whole instead, which takes longer"
            .to_owned();
    damage
}

fn unreadable_checkpoint(file: PathBuf, error: &std::io::Error) -> Damage {
    let mut damage = damaged_checkpoint(file, format!("it cannot be read: {error}"));
    damage.start = AtStart::RefusesFolder;
    damage.advice = "See that it can be read. Or do without it: move it away, and the logs that it was about are read as a \
                     whole instead"
        .to_owned();
    damage
}

fn damaged_journal(error: JournalError) -> Damage {
    let lost = "some of what was acknowledged shortly before the last stop";
    let advice = "Restore the folder from a copy. Or go on without what that file holds: move it away";
    let (file, offset, why) = match error {
        JournalError::Damaged { file, at, why } => (file, at, why),
        JournalError::Header { file, error } => (file, 0, error.to_string()),
        JournalError::Io { path, error, doing } => (path, 0, format!("{doing} it failed: {error}")),
        JournalError::Stale { file, epoch, last } => {
            let why = format!(
                "it belongs to opening {epoch} of the folder, and the last one was {last}, which went on without it"
            );
            (file, 0, why)
        }
    };
    let (lost, advice) = (lost.to_owned(), advice.to_owned());
    Damage { file, offset, why, lost, start: AtStart::RefusesFolder, advice }
}

impl<F: Fs> Drop for Folder<F> {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            self.fs.unlock_folder(lock);
        }
    }
}

#[cfg(test)]
mod tests;
