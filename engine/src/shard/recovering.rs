//! How partitions come to a shard: recovered at the start, or new, with what their topics' settings mean for their logs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Shard;
use crate::catalog::TopicConfig;
use crate::checkpoint::Entry;
use crate::io::{Io, for_all_files};
use crate::limits;
use crate::log::recovery::{self, Recovered, RecoveryError, RecoverySettings};
use crate::log::{FlushMode, Log, LogSettings, Retention};
use crate::open::{CATALOG_PARTITION, Loaded};
use crate::partition::{Partition, PartitionSettings};
use crate::producers::Producers;
use crate::types::PartitionId;

impl<I: Io> Shard<I> {
    /// Recovers the shard's partitions, blocking.
    pub(super) fn recover(&mut self, loaded: &Loaded) {
        let entries = &loaded.checkpoint;
        let settings = loaded.recovery_settings(self.io.unix_millis());
        // A partition whose folder is gone is still known to the checkpoint.
        let known = entries.iter().map(|(id, _)| id);
        let ids: BTreeSet<PartitionId> = loaded.folders.iter().copied().chain(known).collect();
        let is_mine = |id: &PartitionId| {
            *id != CATALOG_PARTITION && self.owner(*id) == self.id && self.catalog.topic(id.topic).is_some()
        };
        let ids: Vec<PartitionId> = ids.into_iter().filter(is_mine).collect();
        let data_dir = Arc::clone(&self.data_dir);
        let recover = |fs: &I::Fs, id: &PartitionId| {
            let settings = RecoverySettings { synced: loaded.synced(*id), ..settings };
            recovery::recover(fs, &data_dir, *id, entries.get(*id), &settings)
        };
        let at_once = limits::RECOVERIES_AT_ONCE;
        let recovered = for_all_files(self.io.fs(), &ids, at_once, RecoveryError::no_descriptors, recover);
        for (id, recovered) in ids.into_iter().zip(recovered) {
            let topic = self.catalog.topic(id.topic).cloned().expect("topics without one were left out");
            match recovered {
                Ok(None) => {}
                Ok(Some(recovered)) => {
                    self.add_partition(id, &topic.config, Some(recovered));
                }
                Err(error) => self.refuse_partition(id, &topic.config, &error, entries.get(id)),
            }
        }
        // What was just recovered and flushed need not be scanned again.
        self.checkpoints.note(self.config.checkpoint_bytes);
        self.next_housekeeping = Some(self.io.now());
    }

    /// A partition that cannot be recovered is refused alone; what its checkpoint knows of it is kept, since the damage
    /// is told by it.
    fn refuse_partition(
        &mut self,
        id: PartitionId,
        topic: &TopicConfig,
        error: &RecoveryError,
        entry: Option<&Entry>,
    ) {
        log::error!("{error}");
        let log = Log::refused(id, self.log_settings(id, topic), error.to_string());
        let settings = PartitionSettings::of(topic);
        self.slots.insert(id, Partition::new(id, settings, log, Producers::new(limits::PRODUCERS_MAX)));
        self.checkpoints.carried.extend(entry.map(|entry| (id, entry.clone())));
    }

    /// Takes a partition in, as it was recovered or as one that was never appended to.
    pub(super) fn add_partition(
        &mut self,
        id: PartitionId,
        topic: &TopicConfig,
        recovered: Option<Recovered>,
    ) -> usize {
        let settings = PartitionSettings::of(topic);
        let log_settings = self.log_settings(id, topic);
        let (log, producers) = match recovered {
            None => (Log::empty(id, log_settings), Producers::new(limits::PRODUCERS_MAX)),
            Some(mut recovered) => {
                let producers =
                    std::mem::replace(&mut recovered.producers, Producers::new(limits::PRODUCERS_MAX));
                (Log::recovered(id, log_settings, recovered), producers)
            }
        };
        self.slots.insert(id, Partition::new(id, settings, log, producers))
    }

    /// What a topic's settings mean for the log of one of its partitions.
    pub(super) fn log_settings(&mut self, id: PartitionId, topic: &TopicConfig) -> LogSettings {
        // The catalog's log is the catalog: it is kept as a whole, and its segments end when they are full.
        let (flushed, retention, segment_ms) = if id == CATALOG_PARTITION {
            (true, Retention::ALL, i64::MAX)
        } else {
            let retention = Retention { ms: topic.retention_ms, bytes: topic.retention_bytes };
            (topic.flush_messages == 1, retention, topic.segment_ms)
        };
        self.note_retention(retention);
        LogSettings {
            data_dir: Arc::clone(&self.data_dir),
            segment_bytes: topic.segment_bytes,
            segment_ms,
            retention,
            unflushed_max: self.config.unflushed_bytes.max(topic.max_message_bytes as u64),
            flush: if flushed { FlushMode::BeforeAcknowledging } else { FlushMode::Behind },
            flush_ms: Some(topic.flush_ms).filter(|within| *within < i64::MAX as u64),
            durable_writes: self.durable_writes,
            journaled: id != CATALOG_PARTITION,
            epoch: self.epoch,
        }
    }
}
