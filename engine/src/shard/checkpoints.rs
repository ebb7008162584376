//! When a shard writes its checkpoint, and what stands in it.

use std::io;
use std::sync::Arc;

use super::Shard;
use super::ops::Owner;
use crate::checkpoint::{Checkpoint, Entry, OnFullDisk};
use crate::error::Error;
use crate::io::{Io, Op};
use crate::limits;
use crate::log::index::SparseIndex;
use crate::log::segment;
use crate::types::{Nanos, Offset, PartitionId};

/// What has happened since the last checkpoint.
#[derive(Debug, Default)]
pub struct Checkpoints {
    /// Bytes appended that no checkpoint covers.
    bytes: u64,
    last_append: Nanos,
    in_flight: bool,
    /// The last one was written beside appends, and leaves something to the next quiet moment: indexes, and what was not
    /// flushed yet.
    beside_appends: bool,
    /// Whose indexes are saved with the one in flight.
    hinted: Vec<PartitionId>,
    /// Where the one in flight moves logs' starts to.
    starts: Vec<(PartitionId, Offset)>,
    /// Whether a log's start waits for one.
    pub start_moves: bool,
    /// The last one could not be written, which was said.
    failing: bool,
    /// Indexes could not be saved with the last one, which was said.
    hints_failing: bool,
    /// What earlier checkpoints knew of partitions that were refused.
    pub carried: Vec<(PartitionId, Entry)>,
}

impl Checkpoints {
    /// So much more was appended.
    pub fn note(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Whether there is anything to write.
    pub fn is_due(&self) -> bool {
        (self.bytes > 0 || self.start_moves || self.beside_appends) && !self.in_flight
    }
}

/// What a checkpoint is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// For the next recovery, which is spared most with the active segments' indexes beside it: in a quiet moment.
    Whole,
    /// The same beside appends: only with those indexes that spare it much ([`limits::INDEX_HINT_BYTES`]).
    Running,
    /// For logs' starts, which somebody waits for.
    Starts,
}

impl<I: Io> Shard<I> {
    /// So many bytes are about to be appended to a partition.
    pub(super) fn note_appended(&mut self, slot: usize, bytes: u64) {
        let now = self.io.now();
        self.slots.at(slot).last_appended = now;
        self.checkpoints.last_append = now;
        self.checkpoints.note(bytes);
        if self.checkpoints.bytes >= self.config.checkpoint_bytes && !self.checkpoints.in_flight {
            self.next_housekeeping = Some(now);
        } else if self.next_housekeeping.is_none() && !self.stopping {
            self.next_housekeeping = Some(now.plus_millis(limits::HOUSEKEEPING_MS));
        }
    }

    /// Writes a checkpoint if enough was appended, or if nothing has been for a while and all logs are settled: it says how far
    /// their own files go.
    pub(super) fn checkpoint_if_due(&mut self, now: Nanos, unsettled: bool) {
        let quiet = now.since(self.checkpoints.last_append) >= limits::CHECKPOINT_IDLE_MS * 1_000_000;
        let idle = quiet && !unsettled;
        if !self.checkpoints.is_due() {
            return;
        }
        if idle {
            self.write_checkpoint(Extent::Whole);
        } else if self.checkpoints.bytes >= self.config.checkpoint_bytes {
            self.write_checkpoint(Extent::Running);
        }
    }

    /// Writes a checkpoint if a log's start waits for one.
    pub(super) fn move_starts(&mut self) {
        if self.checkpoints.start_moves && !self.checkpoints.in_flight {
            self.write_checkpoint(Extent::Starts);
        }
    }

    /// Has a checkpoint of everything durable written by a helper.
    pub(super) fn write_checkpoint(&mut self, extent: Extent) {
        if extent != Extent::Starts {
            self.checkpoints.bytes = 0;
            self.checkpoints.beside_appends = extent == Extent::Running;
        }
        self.checkpoints.in_flight = true;
        self.checkpoints.start_moves = false;
        let mut checkpoint = Checkpoint::default();
        for (id, entry) in &self.checkpoints.carried {
            checkpoint.insert(*id, entry.clone());
        }
        let indexes = self.indexes_to_save(extent);
        self.checkpoints.hinted = indexes.iter().map(|(id, _)| *id).collect();
        for entry in self.slots.iter_mut().filter(|entry| !entry.deleted) {
            if let Some(known) = entry.partition.durable_state() {
                checkpoint.insert(entry.id, known);
                let start = entry.partition.log_mut().start_storing();
                self.checkpoints.starts.extend(start.map(|start| (entry.id, start)));
            }
        }
        let (data_dir, shard) = (Arc::clone(&self.data_dir), self.id);
        let token = self.ops.insert(Owner::Checkpoint);
        let on_full_disk = match extent {
            // Segments are removed after it, which makes the disk emptier.
            Extent::Starts => OnFullDisk::Reserve,
            Extent::Whole | Extent::Running => OnFullDisk::Fail,
        };
        let mut said = self.checkpoints.hints_failing;
        let job = move |fs: &I::Fs| {
            let mut lost = 0;
            for (partition, index) in &indexes {
                // Only a hint: without it the next start reads more.
                if let Err(error) = segment::save_index_hint(fs, &data_dir, *partition, index) {
                    if !said {
                        log::warn!("{partition}: its index is not saved, nor that of others, maybe: {error}");
                    }
                    said = true;
                    lost += 1;
                }
            }
            let written = checkpoint.write(fs, &data_dir, shard, on_full_disk);
            // The small one first, and also where the checkpoint failed: the next one's space is all that is left, if need be.
            segment::reserve::keep(fs, &data_dir);
            Checkpoint::keep_space(fs, &data_dir, shard, written?);
            Ok(lost)
        };
        self.io.submit(token, Op::Job(Box::new(job)));
    }

    /// The indexes of active segments that are saved with a checkpoint. Each costs a file, so that with a thousand busy
    /// partitions saving all of them every time would take more than their appends do: beside appends those that have
    /// grown by little are left out, as long as that is not much in all, and the smallest in a quiet moment, too.
    fn indexes_to_save(&mut self, extent: Extent) -> Vec<(PartitionId, SparseIndex)> {
        let worthwhile = match extent {
            Extent::Whole => limits::INDEX_HINT_BYTES_QUIET,
            Extent::Running => limits::INDEX_HINT_BYTES,
            Extent::Starts => return Vec::new(),
        };
        let left_out_max = 2 * self.config.checkpoint_bytes;
        let grown = self.slots.iter().filter(|(_, entry)| !entry.deleted);
        let grown = grown.map(|(slot, entry)| (entry.partition.log().grown_since_hint(), slot));
        let mut grown: Vec<_> = grown.filter(|(bytes, _)| *bytes > 0).collect();
        grown.sort_unstable_by(|one, other| other.cmp(one));
        let mut left_out: u64 = grown.iter().map(|(bytes, _)| bytes).sum();
        let mut indexes = Vec::new();
        for (bytes, slot) in grown {
            if bytes < worthwhile && left_out <= left_out_max {
                break;
            }
            left_out -= bytes;
            let entry = self.slots.at(slot);
            indexes.extend(entry.partition.log_mut().hint().map(|index| (entry.id, index)));
        }
        indexes
    }

    pub(super) fn checkpoint_written(&mut self, result: io::Result<u64>) {
        self.checkpoints.in_flight = false;
        let refusal = result.as_ref().err().map(|error| match error.kind() {
            io::ErrorKind::StorageFull => Error::DiskFull,
            _ => Error::Storage(format!("writing the log's start failed: {error}")),
        });
        let hinted = std::mem::take(&mut self.checkpoints.hinted);
        // Which of them were not saved is not worth knowing: it hardly ever happens.
        if !matches!(result, Ok(0)) {
            for id in hinted {
                if let Some(slot) = self.slots.find(id) {
                    self.slots.at(slot).partition.log_mut().hint_lost();
                }
            }
        }
        if let Ok(lost) = result {
            self.checkpoints.hints_failing = lost > 0;
        }
        for (id, start) in std::mem::take(&mut self.checkpoints.starts) {
            // A deleted one has answered everybody.
            let Some(slot) = self.slots.find(id) else { continue };
            self.with(slot, |partition, cx| match &refusal {
                None => partition.start_stored(start, cx),
                Some(error) => partition.start_not_stored(start, error, cx),
            });
        }
        let was_failing = std::mem::replace(&mut self.checkpoints.failing, result.is_err());
        match result {
            Ok(_) if was_failing => log::info!("checkpoints are written again"),
            Ok(_) => {}
            Err(error) => {
                if !was_failing {
                    log::warn!(
                        "writing a checkpoint failed, the next start has more to scan; it is tried again: {error}"
                    );
                }
                if !self.stopping {
                    self.checkpoints.note(1);
                }
            }
        }
        if self.checkpoints.is_due() && self.next_housekeeping.is_none() && !self.stopping {
            // The shard may have fallen asleep meanwhile.
            self.next_housekeeping = Some(self.io.now().plus_millis(limits::CHECKPOINT_IDLE_MS));
        }
    }
}
