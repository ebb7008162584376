//! Checkpoints: how far each partition was flushed, so that recovery need not read what lies below.
//!
//! Each shard replaces one file, `checkpoint-<shard>` in the data folder, whenever enough was appended. Partitions move
//! when the number of shards changes, so all files are read and, for each partition, the furthest entry counts. Before any
//! shard runs, what is known only in another shard's file is written to that of the shard that owns the partition now: a
//! shard forgets what it does not own. Then the files of shards that are gone are removed.
//!
//! A checkpoint that is lost or damaged costs a scan of the whole log, no records; but damage to the log is then found
//! less surely, and what was removed from a log's start by moving it may reappear.
//!
//! In the frame of `stored`:
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 8 | magic `TORACKP\n` |
//! | 8 | 4 | version: 1 (`u32`) |
//! | 12 | 4 | number of partitions (`u32`) |
//! | 16 | | the partitions, ascending |
//! | end − 4 | 4 | CRC-32C of everything before it |
//!
//! A partition:
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 16 | topic id |
//! | 16 | 4 | partition's number (`i32`) |
//! | 20 | 8 | position up to which the log is flushed, where a batch ends (`u64`) |
//! | 28 | 8 | the offset after that batch (`i64`) |
//! | 36 | 8 | first offset that readers get (`i64`) |
//! | 44 | 4 | leader epoch of the last batch, −1 for none (`i32`) |
//! | 48 | 4 | bytes of producer state (`u32`) |
//! | 52 | | the producer state, as `producers` describes it |
#![forbid(unsafe_code)]

mod reserve;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use self::reserve::OnFullDisk;
use crate::io::{Fs, read_file};
use crate::stored::{Reader, StoredError, Writer};
use crate::types::{LeaderEpoch, Offset, PartitionId, Position, ShardId, TopicId};

const MAGIC: &[u8; 8] = b"TORACKP\n";
const VERSION: u32 = 1;
const PREFIX: &str = "checkpoint-";

/// One partition in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The log is durable up to here, which is where a batch ends.
    pub flushed_position: Position,
    /// The offset after that batch.
    pub flushed_offset: Offset,
    /// The first offset that readers get.
    pub log_start: Offset,
    /// The leader epoch of the last batch before `flushed_position`, or a later one that no batch before it exceeds and
    /// none behind it falls below; −1 where there is none.
    pub last_epoch: LeaderEpoch,
    /// [`Producers::encode`](crate::producers::Producers::encode) as it was then. It may know of batches past
    /// `flushed_offset`; recovery forgets those.
    pub producers: Vec<u8>,
}

/// What shards know of their partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    entries: BTreeMap<PartitionId, Entry>,
}

impl Checkpoint {
    /// Knows nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// Reads what all shards wrote, whichever they were. Damaged files are left out and logged.
    ///
    /// # Errors
    /// The folder cannot be listed, or a file that may be sound cannot be read: log starts that were promised would be
    /// forgotten.
    pub fn read_all<F: Fs>(fs: &F, data_dir: &Path) -> io::Result<Self> {
        Ok(Self::merged(&Self::read_files(fs, data_dir)?))
    }

    /// The same, and sees to it that each partition's furthest entry is in the file of the shard that is its owner now.
    ///
    /// # Errors
    /// As [`Self::read_all`], or a file cannot be written.
    pub fn hand_over<F: Fs>(
        fs: &F,
        data_dir: &Path,
        owner: impl Fn(PartitionId) -> ShardId,
    ) -> io::Result<Self> {
        let files = Self::read_files(fs, data_dir)?;
        let merged = Self::merged(&files);
        let mut incomplete: BTreeMap<ShardId, Self> = BTreeMap::new();
        for (partition, entry) in merged.iter() {
            let owner = owner(partition);
            let file = files.get(&owner);
            let lags = |there: &Entry| {
                there.log_start < entry.log_start || there.flushed_position < entry.flushed_position
            };
            if file.and_then(|file| file.get(partition)).is_none_or(lags) {
                let known = || file.cloned().unwrap_or_default();
                incomplete.entry(owner).or_insert_with(known).insert(partition, entry.clone());
            }
        }
        for (shard, checkpoint) in incomplete {
            let len = checkpoint.write(fs, data_dir, shard, OnFullDisk::Reserve)?;
            Self::keep_space(fs, data_dir, shard, len);
        }
        Ok(merged)
    }

    fn merged(files: &BTreeMap<ShardId, Self>) -> Self {
        let mut merged = Self::new();
        files.values().for_each(|file| merged.merge(file.clone()));
        merged
    }

    fn read_files<F: Fs>(fs: &F, data_dir: &Path) -> io::Result<BTreeMap<ShardId, Self>> {
        let mut files = BTreeMap::new();
        for entry in fs.list(data_dir)? {
            let Some(shard) = parse_name(&entry.name) else { continue };
            let path = data_dir.join(&entry.name);
            let bytes = read_file(fs, &path).map_err(|error| unreadable(&path, &error))?;
            match Self::decode(&bytes) {
                Ok(checkpoint) => {
                    files.insert(shard, checkpoint);
                }
                Err(error) => log::warn!(
                    "{}: cannot be used, so its partitions' logs are read as a whole: {error}",
                    path.display()
                ),
            }
        }
        Ok(files)
    }

    /// The files of all shards.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn files<F: Fs>(fs: &F, data_dir: &Path) -> io::Result<Vec<PathBuf>> {
        let names = fs.list(data_dir)?.into_iter().filter(|entry| parse_name(&entry.name).is_some());
        Ok(names.map(|entry| data_dir.join(entry.name)).collect())
    }

    /// Replaces the shard's file, durably: after a crash it is the old or the new one. Says how many bytes it has, for
    /// [`Self::keep_space`].
    ///
    /// # Errors
    /// The system's error.
    pub fn write<F: Fs>(
        &self,
        fs: &F,
        data_dir: &Path,
        shard: ShardId,
        on_full_disk: OnFullDisk,
    ) -> io::Result<u64> {
        let bytes = self.encode();
        reserve::replace(fs, &data_dir.join(name(shard)), &bytes, on_full_disk)?;
        Ok(bytes.len() as u64)
    }

    /// Keeps space for the shard's next file, which is not much larger than `len` bytes, on a full disk: all that is left, where
    /// that is no more.
    pub fn keep_space<F: Fs>(fs: &F, data_dir: &Path, shard: ShardId, len: u64) {
        // Each checkpoint tries again.
        let _ = reserve::keep(fs, &data_dir.join(name(shard)), len);
    }

    /// Removes the files of shards from number `shards` on. Only to be called after
    /// [`Self::hand_over`]: then nothing is known in those files alone.
    ///
    /// # Errors
    /// The system's error; calling again is safe.
    pub fn remove_beyond<F: Fs>(fs: &F, data_dir: &Path, shards: u16) -> io::Result<()> {
        for entry in fs.list(data_dir)? {
            // What stands beside one has more to its name.
            let checkpoint = entry.name.split('.').next().unwrap_or(&entry.name);
            if parse_name(checkpoint).is_some_and(|shard| shard.value() >= shards) {
                fs.remove_file(&data_dir.join(&entry.name))?;
            }
        }
        Ok(())
    }

    /// Notes a partition, in place of what was known of it.
    pub fn insert(&mut self, partition: PartitionId, entry: Entry) {
        self.entries.insert(partition, entry);
    }

    /// Forgets a partition.
    pub fn remove(&mut self, partition: PartitionId) {
        self.entries.remove(&partition);
    }

    /// Takes over what another shard's file knows. Positions and log starts only ever move forward, so the furthest of
    /// each is the latest.
    pub fn merge(&mut self, other: Self) {
        for (partition, mut entry) in other.entries {
            if let Some(known) = self.entries.get_mut(&partition) {
                let log_start = known.log_start.max(entry.log_start);
                if entry.flushed_position > known.flushed_position {
                    std::mem::swap(known, &mut entry);
                }
                known.log_start = log_start.min(known.flushed_offset);
            } else {
                self.entries.insert(partition, entry);
            }
        }
    }

    /// What is known of a partition.
    #[must_use]
    pub fn get(&self, partition: PartitionId) -> Option<&Entry> {
        self.entries.get(&partition)
    }

    /// All of it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PartitionId, &Entry)> {
        self.entries.iter().map(|(partition, entry)| (*partition, entry))
    }

    /// The bytes of a file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(MAGIC, VERSION);
        out.u32(u32::try_from(self.entries.len()).expect("fewer partitions than fit into memory"));
        for (partition, entry) in &self.entries {
            out.bytes(&partition.topic.bytes());
            out.i32(partition.index.value());
            out.u64(entry.flushed_position.value());
            out.i64(entry.flushed_offset.value());
            out.i64(entry.log_start.value());
            out.i32(entry.last_epoch.value());
            out.u32(u32::try_from(entry.producers.len()).expect("a bounded number of producers"));
            out.bytes(&entry.producers);
        }
        out.finish()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that it never writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut reader = Reader::new(bytes, MAGIC, VERSION)?;
        let mut checkpoint = Self::new();
        let count = reader.u32()?;
        for _ in 0..count {
            let topic = TopicId::new(reader.array()?);
            let index = reader.i32()?;
            let flushed_position = reader.u64()?;
            let flushed_offset = reader.i64()?;
            let log_start = reader.i64()?;
            let last_epoch = reader.i32()?;
            let producers = reader.u32()? as usize;
            let producers = reader.bytes(producers)?.to_vec();
            if index < 0 {
                return Err(StoredError::Field("partition"));
            }
            if !(0..=flushed_offset).contains(&log_start) || flushed_position > i64::MAX as u64 {
                return Err(StoredError::Field("offset"));
            }
            let entry = Entry {
                flushed_position: Position::new(flushed_position),
                flushed_offset: Offset::new(flushed_offset),
                log_start: Offset::new(log_start),
                last_epoch: LeaderEpoch::new(last_epoch),
                producers,
            };
            if checkpoint.entries.insert(PartitionId::new(topic, index), entry).is_some() {
                return Err(StoredError::Field("partition"));
            }
        }
        reader.finish()?;
        Ok(checkpoint)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> io::Error {
    let text = format!(
        "reading {0} failed: {error}. If it stays so, remove {0}: then its partitions' logs are read as a whole, and \
         records that were deleted from their beginnings may reappear",
        path.display()
    );
    io::Error::new(error.kind(), text)
}

fn name(shard: ShardId) -> String {
    format!("{PREFIX}{shard}")
}

/// The shard whose file has this name; `None` for any other name.
fn parse_name(text: &str) -> Option<ShardId> {
    let shard = text.strip_prefix(PREFIX)?.parse().ok().map(ShardId::new)?;
    (name(shard) == text).then_some(shard)
}

#[cfg(test)]
mod tests;
