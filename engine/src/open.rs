//! What a data folder holds when it is opened, before any shard runs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::batch::{Batch, CrcCheck, TimestampType, batches};
use crate::catalog::{Catalog, Change, TopicConfig};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, FlushMethod};
use crate::data_folder::{self, DataFolder, DataFolderError};
use crate::io::{Device, File, Fs, OpenMode};
use crate::journal::{self, JournalError, SegmentId};
use crate::limits;
use crate::log::recovery::{self, Recovered, RecoveryError, RecoverySettings};
use crate::log::segment;
use crate::placement::{CATALOG_SHARD, owner};
use crate::shard::DiskUse;
use crate::types::{LeaderEpoch, Offset, PartitionId, ShardId, TopicId};

/// The topic id under which the catalog's own log is stored. No topic has it: its version bits are no UUID's.
pub const CATALOG_TOPIC: TopicId = TopicId::new(*b"tora-catalog-log");

/// The partition that is the catalog's log.
pub const CATALOG_PARTITION: PartitionId = PartitionId::new(CATALOG_TOPIC, 0);

/// What was found in a data folder: everything that the shards need to know in common.
pub struct Loaded {
    /// Held until the engine is closed.
    pub lock: File,
    /// This opening's epoch.
    pub epoch: LeaderEpoch,
    /// The folder's cluster id.
    pub cluster_id: Arc<str>,
    /// The topics.
    pub catalog: Catalog,
    /// All shards' last checkpoints, merged.
    pub checkpoint: Checkpoint,
    /// The partitions that have a folder.
    pub folders: Vec<PartitionId>,
    /// Segments that journals were copied into: they are synced.
    pub replayed: BTreeSet<SegmentId>,
    /// Whether a round that is one small write goes as a durable write rather than a write and a flush.
    pub durable_writes: bool,
    /// Shared by the shards: one's reads make room for another's writes.
    pub disk_use: DiskUse,
}

/// Why a data folder cannot be opened.
#[derive(Debug)]
pub enum LoadError {
    /// The folder itself.
    Folder(DataFolderError),
    /// A journal.
    Journal(JournalError),
    /// A partition, or the catalog's log.
    Recovery(RecoveryError),
    /// The catalog's log can be read but makes no sense.
    Catalog(String),
    /// The system's error.
    Io(std::io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
            Self::Recovery(error) => error.fmt(f),
            Self::Catalog(why) => write!(f, "the catalog's log cannot be used: {why}"),
            Self::Io(error) => write!(f, "the data folder cannot be read: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<std::io::Error> for LoadError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<RecoveryError> for LoadError {
    fn from(error: RecoveryError) -> Self {
        Self::Recovery(error)
    }
}

/// Opens the data folder, recovers the catalog's log, and says what else is there. The log goes to the shard that
/// keeps it. `unix_millis` is the wall clock's time; `new_id`, random, becomes a new folder's cluster id.
///
/// # Errors
/// See [`LoadError`].
pub fn load<F: Fs>(
    fs: &F,
    config: &Config,
    unix_millis: i64,
    new_id: TopicId,
) -> Result<(Loaded, Option<Recovered>), LoadError> {
    let folder = data_folder::open(fs, &config.data_dir, new_id).map_err(LoadError::Folder)?;
    let lock = folder.lock;
    let loaded = load_claimed(fs, config, unix_millis, folder);
    if loaded.is_err() {
        fs.unlock_folder(lock);
    }
    loaded
}

fn load_claimed<F: Fs>(
    fs: &F,
    config: &Config,
    unix_millis: i64,
    folder: DataFolder,
) -> Result<(Loaded, Option<Recovered>), LoadError> {
    let DataFolder { lock, cluster_id, last_epoch } = folder;
    // As long as there are journals of the last opening, it stays the last one.
    let replayed = replay_journals(fs, config, last_epoch)?;
    let epoch = data_folder::count_opening(fs, &config.data_dir).map_err(LoadError::Folder)?;
    let checkpoint = Checkpoint::hand_over(fs, &config.data_dir, |partition| match partition {
        CATALOG_PARTITION => CATALOG_SHARD,
        partition => owner(partition, config.shards),
    })?;
    // Nothing is known in their files alone any more.
    Checkpoint::remove_beyond(fs, &config.data_dir, config.shards)?;
    // The small one first: the others' is all that is left, if need be.
    segment::reserve::keep(fs, &config.data_dir);
    for shard in 0..config.shards {
        Checkpoint::keep_space(fs, &config.data_dir, ShardId::new(shard), 0);
    }
    let mut folders: Vec<PartitionId> = fs
        .list(&config.data_dir)?
        .iter()
        .filter(|entry| entry.is_folder)
        .filter_map(|entry| PartitionId::parse(&entry.name))
        .collect();
    folders.sort_unstable();
    let mut loaded = Loaded {
        lock,
        epoch,
        cluster_id: cluster_id.into(),
        catalog: Catalog::new(topic_defaults(config)),
        checkpoint,
        folders,
        replayed,
        durable_writes: durable_writes(fs, config),
        disk_use: DiskUse::default(),
    };
    let settings = loaded.recovery_settings(unix_millis);
    let entry = loaded.checkpoint.get(CATALOG_PARTITION);
    let recovered = recovery::recover(fs, &config.data_dir, CATALOG_PARTITION, entry, &settings)?;
    if let Some(log) = &recovered {
        replay(fs, config, log, &mut loaded.catalog)?;
    }
    Ok((loaded, recovered))
}

/// Completes the logs' files by what the journals hold, and says so.
fn replay_journals<F: Fs>(
    fs: &F,
    config: &Config,
    last: LeaderEpoch,
) -> Result<BTreeSet<SegmentId>, LoadError> {
    let (replayed, segments) = journal::replay(fs, &config.data_dir, last).map_err(LoadError::Journal)?;
    if replayed.records > 0 {
        log::info!(
            "the journals' last {} records, {} bytes, were copied into {} segments",
            replayed.records,
            replayed.bytes,
            replayed.files
        );
    }
    Ok(segments)
}

/// Chooses how small rounds are made durable, and says so.
fn durable_writes<F: Fs>(fs: &F, config: &Config) -> bool {
    let device = fs.device(&config.data_dir);
    let durable = match config.flush_method {
        FlushMethod::Auto => device.as_ref().is_some_and(Device::has_cheap_durable_writes),
        FlushMethod::Flush => false,
        FlushMethod::DurableWrite => true,
    };
    if let Some(memory) = device.as_ref().filter(|device| device.in_memory) {
        log::warn!(
            "the data folder {} is on {}, which is memory: nothing in it outlasts a power cut or a restart of the machine, \
             acknowledged or not. Choose a folder on a disk, unless that is what you want",
            config.data_dir.display(),
            memory.name
        );
    }
    let place = device.map_or_else(|| "an unknown device".to_owned(), |device| device.to_string());
    log::info!("{} is on {place}; {}", config.data_dir.display(), how_appends_go(config, durable));
    durable
}

/// What small groups of appends are made durable by.
fn how_appends_go(config: &Config, durable: bool) -> String {
    let method =
        |durable| if durable { "durable writes (RWF_DSYNC)" } else { "a write, then a flush (fdatasync)" };
    let into_files = method(durable);
    if config.journal_bytes == 0 {
        return format!("small groups of appends go as {into_files}, and there is no journal");
    }
    let into_journal = method(config.flush_method != FlushMethod::Flush);
    format!(
        "small groups of appends go into the journal as {into_journal}, into logs' own files as {into_files}"
    )
}

impl Loaded {
    /// The last segment of a partition that a journal was copied into.
    #[must_use]
    pub fn synced(&self, partition: PartitionId) -> Option<Offset> {
        let of_partition = (partition, Offset::ZERO)..=(partition, Offset::new(i64::MAX));
        self.replayed.range(of_partition).next_back().map(|(_, base)| *base)
    }

    /// What recovery is told; `unix_millis` is the wall clock's time.
    #[must_use]
    pub fn recovery_settings(&self, unix_millis: i64) -> RecoverySettings {
        RecoverySettings {
            epoch: self.epoch,
            now_ms: unix_millis,
            producers_max: limits::PRODUCERS_MAX,
            synced: None,
        }
    }
}

/// The settings of topics that do not say otherwise.
#[must_use]
pub fn topic_defaults(config: &Config) -> TopicConfig {
    TopicConfig {
        flush_messages: config.flush_messages,
        max_message_bytes: config.max_message_bytes,
        segment_bytes: config.segment_bytes,
        timestamp_type: TimestampType::CreateTime,
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes,
        segment_ms: config.segment_ms,
        flush_ms: config.flush_ms,
    }
}

/// Applies every change of the catalog's log, in order.
fn replay<F: Fs>(fs: &F, config: &Config, log: &Recovered, catalog: &mut Catalog) -> Result<(), LoadError> {
    for found in &log.segments {
        let path = segment::path(&config.data_dir, &found.header);
        let file = fs.open(&path, OpenMode::Read)?;
        let mut bytes = vec![0; usize::try_from(found.len).expect("the catalog's log fits into memory")];
        let read = fs.read_at(file, segment::HEADER_SIZE, &mut bytes);
        fs.close(file);
        bytes.truncate(read?);
        for batch in batches(&bytes, CrcCheck::Full) {
            let batch = batch.map_err(|error| LoadError::Catalog(error.to_string()))?;
            apply(&batch, catalog).map_err(LoadError::Catalog)?;
        }
    }
    Ok(())
}

/// Applies the changes of a batch of the catalog's log, up to the first that this program does not know, or that contradicts
/// those before it.
///
/// # Errors
/// Why that one cannot be applied.
pub fn apply(batch: &Batch<'_>, catalog: &mut Catalog) -> Result<(), String> {
    for record in batch.records().map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        let change = Change::decode(record.value.unwrap_or_default()).map_err(|error| error.to_string())?;
        catalog.apply(&change).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
