//! One partition's log: a run of batches in segment files, appended at one end, read anywhere.
//!
//! A log computes and remembers; it does no I/O. What it wants done it pushes as operations onto a list, each with a
//! [`LogOp`] that tells it, when the operation has ended, what that was. Appends go to the [`Tail`]; [`Log::pump`] has
//! the tail written, [`Log::flush`] has the files flushed, and each completion moves the positions.

pub mod appender;
mod appending;
mod flushing;
mod idle;
pub mod index;
mod journaling;
mod newest;
mod plan;
pub mod positions;
pub mod read;
pub mod recovery;
mod retention;
#[cfg(test)]
mod rig;
pub mod segment;
pub mod segments;
mod space;
mod start;
pub mod tail;
pub mod watermark;

use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::io::{File, Fs, Op};
use crate::limits;
use crate::log::appender::Appender;
pub use crate::log::appending::Admission;
pub use crate::log::idle::Idle;
pub use crate::log::newest::Newest;
pub use crate::log::plan::Plan;
use crate::log::positions::{Positions, WrittenTo};
use crate::log::recovery::Recovered;
pub use crate::log::retention::Retention;
use crate::log::segments::{FileState, Segment, Segments};
use crate::log::space::Growth;
pub use crate::log::space::no_descriptors;
use crate::log::start::Start;
use crate::log::tail::Tail;
use crate::log::watermark::Watermark;
use crate::sim::plant::{Plant, planted};
use crate::types::{LeaderEpoch, Offset, PartitionId, Position};

/// What an operation of a log was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOp {
    /// A write of the tail.
    Write {
        /// The appender's number for it.
        id: u64,
    },
    /// A flush of one segment.
    Flush {
        /// What it proves.
        target: WrittenTo,
    },
    /// A segment's file is created.
    Prepare {
        /// The segment.
        base: Offset,
        /// Whether an append waits for it.
        awaited: bool,
    },
    /// The active segment gets more space.
    Extend {
        /// The segment.
        base: Offset,
        /// Whether an append waits for it.
        awaited: bool,
    },
    /// An older segment is opened for reading.
    Open {
        /// The segment.
        base: Offset,
    },
    /// A segment that has ended is trimmed and its index saved.
    Seal {
        /// The segment.
        base: Offset,
    },
    /// A segment before the log's start is removed.
    Remove,
    /// A piece of a cold read.
    Read {
        /// The read.
        id: u64,
        /// Its piece.
        piece: usize,
    },
    /// A file is closed for good.
    Close,
}

/// Operations that a log wants done.
pub type Wanted<F> = Vec<(LogOp, Op<F>)>;

/// When an append counts as safe (`flush.messages`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// Flushed: it survives a power cut. `flush.messages=1`.
    BeforeAcknowledging,
    /// Written: the device has accepted it. Flushes follow behind, so that W holds.
    Behind,
}

/// What a log is told.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Where the partitions' folders are.
    pub data_dir: Arc<Path>,
    /// A segment takes no further batch that would make it larger; nor any past 4 GiB.
    pub segment_bytes: u64,
    /// A segment takes no further batch that is so many milliseconds later than its first.
    pub segment_ms: i64,
    /// How much of it is kept.
    pub retention: Retention,
    /// W: at most so many bytes are unflushed, and no batch is larger.
    pub unflushed_max: u64,
    /// When an append counts as safe.
    pub flush: FlushMode,
    /// With [`FlushMode::Behind`], how many milliseconds something stays unflushed at most; `None` without a limit.
    pub flush_ms: Option<u64>,
    /// Whether a round that is one small write goes as a durable write rather than a write and a flush.
    pub durable_writes: bool,
    /// Whether small appends may become durable in the shard's journal before the log's own file has them.
    pub journaled: bool,
    /// Stamped into every batch.
    pub epoch: LeaderEpoch,
}

impl LogSettings {
    /// A segment ends before it would be larger, unless its first batch is: its index reaches no further than that.
    #[must_use]
    pub fn segment_bytes_max(&self) -> u64 {
        self.segment_bytes.min(u64::from(index::RELATIVE_MAX))
    }
}

/// See the module.
pub struct Log {
    id: PartitionId,
    settings: LogSettings,
    segments: Segments,
    tail: Tail,
    positions: Positions,
    watermark: Watermark,
    /// The last batch end that is flushed in the log's own file: what a checkpoint may claim, and what is read from there.
    durable: Watermark,
    /// Up to here the active segment's index was handed out to be saved, or is.
    hinted_to: Position,
    appender: Appender,
    /// The end of what was given to the journal.
    journal_submitted: Position,
    next_offset: Offset,
    start: Start,
    /// Where this opening's batches begin, and the epoch of the last one before.
    opened_at: Offset,
    opened_epoch: LeaderEpoch,
    flush_in_flight: bool,
    /// Whether an append waits for W.
    wants_flush: bool,
    /// Up to here the log is flushed soon, whatever the mode.
    flush_wanted: Position,
    growth: Growth,
    failed: Option<String>,
}

impl Log {
    /// The log of a partition that has never been appended to.
    #[must_use]
    pub fn empty(id: PartitionId, settings: LogSettings) -> Self {
        Self::at(id, settings, Position::ZERO, Offset::ZERO, Vec::new())
    }

    /// What it is told.
    #[must_use]
    pub fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// The log that recovery found.
    #[must_use]
    pub fn recovered(id: PartitionId, settings: LogSettings, recovered: Recovered) -> Self {
        let (position, offset) = (recovered.end_position, recovered.end_offset);
        let mut log = Self::at(id, settings, position, offset, recovered.active_tail);
        log.start = Start::new(recovered.log_start);
        log.opened_epoch = recovered.last_epoch;
        log.hinted_to = recovered.index_saved_to;
        log.growth.has_folder = true;
        for found in recovered.segments {
            let end = found.sealed.then(|| found.header.base_position.plus(found.len));
            log.segments.push(Segment {
                allocated: found.allocated,
                end,
                file: FileState::Closed,
                sealed: found.sealed,
                sealing: false,
                first_timestamp: found.first_timestamp,
                index: found.index,
                header: found.header,
            });
        }
        log
    }

    /// The log of a partition that recovery refuses: it answers nothing but why.
    #[must_use]
    pub fn refused(id: PartitionId, settings: LogSettings, why: String) -> Self {
        let mut log = Self::empty(id, settings);
        log.failed = Some(why);
        log
    }

    fn at(
        id: PartitionId,
        settings: LogSettings,
        position: Position,
        offset: Offset,
        partial: Vec<u8>,
    ) -> Self {
        let growth = Growth {
            in_flight: false,
            step: limits::ALLOCATION_STEP_MIN,
            last: limits::ALLOCATION_STEP_MIN,
            disk_full: false,
            ahead_refused: false,
            no_descriptors: false,
            has_folder: false,
        };
        Self {
            id,
            settings,
            segments: Segments::default(),
            tail: Tail::new(position, partial),
            positions: Positions::recovered(position),
            watermark: Watermark::new(position, offset),
            durable: Watermark::new(position, offset),
            hinted_to: Position::ZERO,
            appender: Appender::new(position),
            journal_submitted: position,
            next_offset: offset,
            start: Start::new(Offset::ZERO),
            opened_at: offset,
            opened_epoch: LeaderEpoch::new(-1),
            flush_in_flight: false,
            wants_flush: false,
            flush_wanted: Position::ZERO,
            growth,
            failed: None,
        }
    }

    /// Goes on with other settings: batches to come are judged by them, a segment begun with a smaller W ends where it
    /// has to ([`Log::admit`]), and what was written may be acknowledged now. Says whether the watermark moved.
    pub fn reconfigure(&mut self, settings: LogSettings) -> bool {
        self.settings = settings;
        self.advance_high_watermark()
    }

    /// The one place that decides how far an append must have come to be acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> Position {
        match self.settings.flush {
            FlushMode::BeforeAcknowledging if !planted(Plant::AckBeforeFlush) => self.positions.safe(),
            FlushMode::BeforeAcknowledging => self.positions.written().position().max(self.journal_submitted),
            FlushMode::Behind => self.positions.written().position(),
        }
    }

    /// Moves the watermark to what is acknowledged; followers will hold it back here. Says whether it moved.
    pub fn advance_high_watermark(&mut self) -> bool {
        let upto = if planted(Plant::WatermarkEarly) {
            self.positions.appended().position()
        } else {
            self.acknowledged()
        };
        self.watermark.advance(upto)
    }

    /// The offset after the last record that readers may see.
    #[must_use]
    pub fn visible_upto(&self) -> Offset {
        self.watermark.offset()
    }

    /// The end of the batch that holds the record before `next`, while it is not visible yet.
    #[must_use]
    pub fn end_of_pending(&self, next: Offset) -> Option<Position> {
        self.watermark.end_of(next)
    }

    /// What the log's own file has for certain, and the offset there: what a checkpoint may claim.
    #[must_use]
    pub fn durable(&self) -> (Position, Offset) {
        (self.durable.position(), self.durable.offset())
    }

    /// The leader epoch of the last durable batch, −1 for none.
    #[must_use]
    pub fn durable_epoch(&self) -> LeaderEpoch {
        if self.durable.offset() > self.opened_at { self.settings.epoch } else { self.opened_epoch }
    }

    /// Durable bytes of the active segment that have come since its index was last saved: the next recovery reads them.
    #[must_use]
    pub fn grown_since_hint(&self) -> u64 {
        let Some(active) = self.segments.active() else { return 0 };
        let durable = self.durable.position();
        let hinted = self.hinted_to.max(active.base());
        if durable > hinted { durable.since(hinted) } else { 0 }
    }

    /// The index of the active segment as far as it is durable, to be saved; `None` where nothing of it is.
    pub fn hint(&mut self) -> Option<index::SparseIndex> {
        let active = self.segments.active()?;
        let index =
            (self.durable.position() > active.base()).then(|| active.index.up_to(self.durable.offset()))?;
        self.hinted_to = self.durable.position();
        index.is_started().then_some(index)
    }

    /// An index that was handed out may not have been saved: the next checkpoint tries again.
    pub fn hint_lost(&mut self) {
        self.hinted_to = Position::ZERO;
    }

    /// Why the storage failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn check_failed(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |why| Err(Error::Storage(why.clone())))
    }

    /// The age of the oldest chunk of memory that could be given back.
    #[must_use]
    pub fn oldest_memory(&self) -> Option<u64> {
        // No batch may lie in memory in part: what it begins with on the disk could not be read on.
        self.tail.oldest(self.durable.position())
    }

    /// Gives back the oldest chunk of memory, and says how many bytes that is; readers find those bytes on the disk.
    pub fn give_back_memory(&mut self) -> usize {
        self.tail.evict()
    }

    /// Bytes of memory that the tail has.
    #[must_use]
    pub fn tail_memory(&self) -> usize {
        self.tail.memory()
    }

    /// Gives back small pieces of memory that hold nothing appended since this was last called, and nothing of a batch that
    /// is not flushed as a whole (as [`Self::oldest_memory`] does).
    pub fn give_back_old_memory(&mut self) {
        self.tail.give_back_old(self.durable.position());
    }

    /// Gives back all memory but one block, if everything is flushed.
    pub fn shrink(&mut self) {
        self.tail.shrink(self.positions.flushed().position());
    }

    /// Gives up all open files, for whoever closes them.
    pub fn take_files(&mut self) -> Vec<File> {
        let segments = self.segments.iter_mut().chain(self.start.leaving_mut());
        let take = |segment: &mut Segment| match segment.file {
            FileState::Open(file) => {
                segment.file = FileState::Closed;
                Some(file)
            }
            FileState::Coming | FileState::Closed => None,
        };
        segments.filter_map(take).collect()
    }

    /// Closes all files; nothing may be in flight.
    pub fn close<F: Fs>(&mut self, out: &mut Wanted<F>) {
        self.failed.get_or_insert_with(|| "the partition is closed".into());
        self.close_files(out);
    }

    fn close_files<F: Fs>(&mut self, out: &mut Wanted<F>) {
        out.extend(self.take_files().into_iter().map(|file| (LogOp::Close, Op::Close { file })));
    }
}
