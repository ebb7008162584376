//! Checking a data folder that nobody serves: every batch, header, index and checkpoint is read and nothing is changed.

use std::path::{Path, PathBuf};

use crate::batch::{CrcCheck, batches};
use crate::catalog::{Catalog, Change};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::data_folder::{self, DataFolderError};
use crate::io::{File, Fs, read_file};
pub use crate::journal::Replayed;
use crate::journal::{self, JournalError};
use crate::log::recovery;
pub use crate::log::recovery::{Damage, Verified};
use crate::log::segment::{self, HEADER_SIZE};
use crate::open::{CATALOG_PARTITION, topic_defaults};
use crate::types::{LeaderEpoch, PartitionId};

/// Where a segment's batches begin.
const HEADER_BYTES: usize = HEADER_SIZE as usize;

/// A data folder that is claimed for as long as this lives, so that nobody serves it meanwhile.
pub struct Folder<F: Fs> {
    fs: F,
    path: PathBuf,
    lock: Option<File>,
    epoch: LeaderEpoch,
    catalog: Catalog,
    checkpoint: Checkpoint,
    damages: Vec<Damage>,
    partitions: Vec<PartitionId>,
}

impl<F: Fs> Folder<F> {
    /// Claims a folder, and reads what its partitions are checked by.
    ///
    /// # Errors
    /// A folder that is in use, no folder of Tora's, or the system's error.
    pub fn open(fs: F, path: &Path) -> Result<Self, DataFolderError> {
        let failed = |error| DataFolderError::Io { folder: path.to_owned(), error };
        let (lock, epoch) = data_folder::claim(&fs, path)?;
        let mut folder = Self {
            fs,
            path: path.to_owned(),
            lock,
            epoch,
            catalog: Catalog::new(topic_defaults(&Config::new(path))),
            checkpoint: Checkpoint::new(),
            damages: Vec::new(),
            partitions: Vec::new(),
        };
        for file in Checkpoint::files(&folder.fs, path).map_err(failed)? {
            match read_file(&folder.fs, &file).map(|bytes| Checkpoint::decode(&bytes)) {
                Ok(Ok(checkpoint)) => folder.checkpoint.merge(checkpoint),
                Ok(Err(error)) => {
                    folder.damages.push(Damage { file, offset: 0, why: error.to_string() });
                }
                Err(error) => folder.damages.push(Damage { file, offset: 0, why: error.to_string() }),
            }
        }
        folder.read_catalog().map_err(failed)?;
        let known = folder.checkpoint.iter().map(|(id, _)| id);
        // Of a deleted topic something may be left that is about to go.
        let is_live = |id: &PartitionId| *id == CATALOG_PARTITION || folder.catalog.topic(id.topic).is_some();
        let found = folder.fs.list(path).map_err(failed)?;
        let found = found.iter().filter_map(|entry| PartitionId::parse(&entry.name));
        let mut partitions: Vec<PartitionId> = found.chain(known).filter(is_live).collect();
        partitions.sort_unstable();
        partitions.dedup();
        folder.partitions = partitions;
        Ok(folder)
    }

    /// The topics as far as the catalog's log can be read; what is wrong with that shows when it is verified.
    fn read_catalog(&mut self) -> std::io::Result<()> {
        let folder = segment::folder(&self.path, CATALOG_PARTITION);
        let entries = match self.fs.list(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries.iter().filter(|entry| segment::parse_file_name(&entry.name).is_some()) {
            let file = read_file(&self.fs, &folder.join(&entry.name))?;
            let bytes = file.get(HEADER_BYTES..).unwrap_or_default();
            for batch in batches(bytes, CrcCheck::Full).map_while(Result::ok) {
                let records = batch.records().into_iter().flatten().map_while(Result::ok);
                for change in records.map_while(|record| Change::decode(record.value?).ok()) {
                    if self.catalog.apply(&change).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Damaged files that belong to no single partition: checkpoints.
    #[must_use]
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// What the journals hold that the next opening puts into the logs' files; so far those end before it.
    ///
    /// # Errors
    /// A damaged journal, or one that cannot be read.
    pub fn journals(&self) -> Result<Replayed, Damage> {
        journal::survey(&self.fs, &self.path, self.epoch).map_err(|error| match error {
            JournalError::Damaged { file, at, why } => Damage { file, offset: at, why },
            JournalError::Stale { ref file, .. } => {
                Damage { file: file.clone(), offset: 0, why: error.to_string() }
            }
            JournalError::Header { file, error } => Damage { file, offset: 0, why: error.to_string() },
            JournalError::Io { path, error, .. } => Damage { file: path, offset: 0, why: error.to_string() },
        })
    }

    /// The partitions there are, the catalog's log among them.
    #[must_use]
    pub fn partitions(&self) -> &[PartitionId] {
        &self.partitions
    }

    /// The name of a partition's topic; `None` for the catalog's log.
    #[must_use]
    pub fn topic(&self, partition: PartitionId) -> Option<&str> {
        self.catalog.topic(partition.topic).map(|topic| topic.name.as_str())
    }

    /// Reads a partition's whole log; `progress` is told now and then how many more bytes were read.
    ///
    /// # Errors
    /// The first damage.
    pub fn verify(&self, partition: PartitionId, progress: &mut dyn FnMut(u64)) -> Result<Verified, Damage> {
        let entry = self.checkpoint.get(partition);
        recovery::verify(&self.fs, &self.path, partition, entry, self.epoch, progress)
    }
}

impl<F: Fs> Drop for Folder<F> {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            self.fs.close(lock);
        }
    }
}
