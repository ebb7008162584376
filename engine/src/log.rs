//! One partition's log: a run of batches in segment files, appended at one end, read anywhere.
//!
//! A log computes and remembers; it does no I/O. What it wants done it pushes as operations onto a list, each with a
//! [`LogOp`] that tells it, when the operation has ended, what that was. Appends go to the [`Tail`]; [`Log::pump`] has
//! the tail written, [`Log::flush`] has the files flushed, and each completion moves the positions.

pub mod appender;
pub mod index;
pub mod positions;
pub mod read;
pub mod recovery;
pub mod segment;
pub mod segments;
pub mod tail;
pub mod watermark;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::batch::{BatchHeader, layout};
use crate::error::Error;
use crate::io::{Completion, File, Fs, Op, OpenMode, Pool, Slice};
use crate::limits;
use crate::log::appender::{Appender, Target};
use crate::log::positions::{Positions, WrittenTo};
use crate::log::read::{Find, Place};
use crate::log::recovery::Recovered;
use crate::log::segment::{HEADER_SIZE, SegmentHeader};
use crate::log::segments::{FileState, Segment, Segments};
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
    },
    /// The active segment gets more space.
    Extend {
        /// The segment.
        base: Offset,
        /// Bytes of batches it has space for then.
        allocated: u64,
    },
    /// An older segment is opened for reading.
    Open {
        /// The segment.
        base: Offset,
    },
    /// A segment that has ended is trimmed and its index saved.
    Seal,
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
    /// A segment takes no further batch that would make it larger.
    pub segment_bytes: u64,
    /// W: at most so many bytes are unflushed, and no batch is larger.
    pub unflushed_max: u64,
    /// When an append counts as safe.
    pub flush: FlushMode,
    /// Stamped into every batch.
    pub epoch: LeaderEpoch,
}

/// Whether a batch can be appended now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It can.
    Now,
    /// It has to wait for space on the disk or for flushes; a completion will make room.
    Later,
}

/// Where a read is served from.
pub enum Plan {
    /// From memory.
    Ready(Vec<Slice>),
    /// From the disk.
    Cold(Place),
    /// From the disk, once the file is open: ask again after the next [`LogOp::Open`].
    AfterOpening,
}

/// See the module.
pub struct Log {
    id: PartitionId,
    settings: LogSettings,
    segments: Segments,
    tail: Tail,
    positions: Positions,
    watermark: Watermark,
    /// The last batch end that is flushed: what a checkpoint may claim.
    durable: Watermark,
    appender: Appender,
    next_offset: Offset,
    start_offset: Offset,
    /// Where this opening's batches begin, and the epoch of the last one before.
    opened_at: Offset,
    opened_epoch: LeaderEpoch,
    flush_in_flight: bool,
    /// Whether an append waits for W.
    wants_flush: bool,
    growth: Growth,
    failed: Option<String>,
}

/// How space is allocated.
struct Growth {
    /// Whether a job is at it.
    in_flight: bool,
    /// Bytes to allocate next; doubles, so that space grows in step with the traffic.
    step: u64,
    /// Whether the last try found the disk full.
    disk_full: bool,
    /// Whether the partition's folder exists.
    has_folder: bool,
}

impl Log {
    /// The log of a partition that has never been appended to.
    #[must_use]
    pub fn empty(id: PartitionId, settings: LogSettings) -> Self {
        Self::at(id, settings, Position::ZERO, Offset::ZERO, &[])
    }

    /// The log that recovery found.
    #[must_use]
    pub fn recovered(id: PartitionId, settings: LogSettings, recovered: Recovered) -> Self {
        let (position, offset) = (recovered.end_position, recovered.end_offset);
        let mut log = Self::at(id, settings, position, offset, &recovered.active_tail);
        log.start_offset = recovered.log_start;
        log.opened_epoch = recovered.last_epoch;
        log.growth.has_folder = true;
        for found in recovered.segments {
            let end = found.sealed.then(|| found.header.base_position.plus(found.len));
            log.segments.push(Segment {
                allocated: found.allocated,
                end,
                file: FileState::Closed,
                sealed: found.sealed,
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
        partial: &[u8],
    ) -> Self {
        let growth = Growth {
            in_flight: false,
            step: limits::ALLOCATION_STEP_MIN,
            disk_full: false,
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
            appender: Appender::new(position),
            next_offset: offset,
            start_offset: Offset::ZERO,
            opened_at: offset,
            opened_epoch: LeaderEpoch::new(-1),
            flush_in_flight: false,
            wants_flush: false,
            growth,
            failed: None,
        }
    }

    // ---- appending

    /// Whether a batch of `size` bytes fits now; asks for what is missing if not.
    ///
    /// # Errors
    /// [`Error::Storage`] once the storage has failed, [`Error::DiskFull`] while there is no space.
    pub fn admit<F: Fs>(&mut self, size: usize, out: &mut Wanted<F>) -> Result<Admission, Error> {
        self.check_failed()?;
        if std::mem::take(&mut self.growth.disk_full) {
            return Err(Error::DiskFull);
        }
        let size = size as u64;
        let appended = self.positions.appended().position();
        let rolls = |active: &Segment| {
            let used = appended.since(active.base());
            // A segment of an earlier opening may have been begun with a smaller W.
            let too_large = size > active.header.unflushed_max;
            used > 0 && (used + size > self.settings.segment_bytes || too_large)
        };
        if self.segments.active().is_none_or(rolls) {
            if self.growth.in_flight {
                return Ok(Admission::Later);
            }
            self.roll(size, out);
        }
        let used = self.positions.appended().position();
        let active = self.segments.active().expect("rolling made one");
        let used = used.since(active.base());
        match active.file {
            FileState::Open(_) => {}
            FileState::Coming => return Ok(Admission::Later),
            FileState::Closed => {
                self.bring_active_file(size, out);
                return Ok(Admission::Later);
            }
        }
        if used + size > active.allocated {
            self.extend(used + size, out);
            return Ok(Admission::Later);
        }
        // Counted from a batch's end: a batch flushed in part is as good as not flushed, and recovery counts W from where
        // the first bad batch begins.
        let unflushed = self.positions.appended().position().since(self.durable.position());
        self.wants_flush = unflushed > 0 && unflushed + size > active.header.unflushed_max;
        if self.wants_flush {
            return Ok(Admission::Later);
        }
        Ok(Admission::Now)
    }

    /// Appends a validated batch that was admitted, stamping offset and epoch. Returns its base offset and where it ends.
    pub fn append(
        &mut self,
        batch: &[u8],
        header: &BatchHeader,
        pool: &Pool,
        clock: &mut u64,
    ) -> (Offset, Position) {
        let (base, start) = (self.next_offset, self.positions.appended().position());
        let mut stamped = [0; layout::MAGIC];
        stamped.copy_from_slice(&batch[..layout::MAGIC]);
        stamped[..8].copy_from_slice(&base.value().to_be_bytes());
        stamped[layout::LEADER_EPOCH..].copy_from_slice(&self.settings.epoch.value().to_be_bytes());
        self.tail.push(&stamped, pool, clock);
        self.tail.push(&batch[layout::MAGIC..], pool, clock);
        self.tail.note_batch(start, base);
        self.positions.append(batch.len() as u64);
        self.next_offset = base.plus(i64::from(header.records_count));
        let end = self.positions.appended().position();
        self.watermark.batch_appended(end, self.next_offset);
        self.durable.batch_appended(end, self.next_offset);
        let active = self.segments.active_mut().expect("admitted to the active segment");
        let mut stored = *header;
        stored.base_offset = base;
        active.index.add(&stored, start);
        (base, end)
    }

    /// Ends the active segment, if any, and starts the next.
    fn roll<F: Fs>(&mut self, size: u64, out: &mut Wanted<F>) {
        let end = self.positions.appended().position();
        if let Some(active) = self.segments.active_mut() {
            active.end = Some(end);
            self.tail.start_file();
        }
        let header = SegmentHeader {
            partition: self.id,
            base_offset: self.next_offset,
            base_position: end,
            unflushed_max: self.settings.unflushed_max,
        };
        let index = index::SparseIndex::new(header.base_offset, header.base_position);
        self.segments.push(Segment {
            header,
            end: None,
            file: FileState::Closed,
            allocated: 0,
            sealed: false,
            index,
        });
        self.bring_active_file(size, out);
    }

    /// Has the active segment's file created, or opened where recovery found it.
    fn bring_active_file<F: Fs>(&mut self, size: u64, out: &mut Wanted<F>) {
        if self.growth.in_flight {
            return;
        }
        let allocate = self.next_allocation(0, size);
        let new_folder = !self.growth.has_folder;
        let active = self.segments.active_mut().expect("there is an active segment");
        let (base, header) = (active.header.base_offset, active.header.clone());
        active.file = FileState::Coming;
        let data_dir = Arc::clone(&self.settings.data_dir);
        self.growth.in_flight = true;
        if active.allocated > 0 || active.index.is_started() {
            let path = segment::path(&data_dir, &header);
            out.push((LogOp::Open { base }, Op::Job(Box::new(move |fs: &F| open(fs, &path)))));
            return;
        }
        active.allocated = allocate;
        let job = move |fs: &F| {
            let file = segment::prepare(fs, &data_dir, &header, allocate, new_folder)?;
            Ok(handle_value(file))
        };
        out.push((LogOp::Prepare { base }, Op::Job(Box::new(job))));
    }

    /// Has space allocated in the active segment for at least `needed` bytes of batches.
    fn extend<F: Fs>(&mut self, needed: u64, out: &mut Wanted<F>) {
        if self.growth.in_flight {
            return;
        }
        let active = self.segments.active().expect("only an active segment grows");
        let (Some(file), from, base) = (active.open(), active.allocated, active.header.base_offset) else {
            return;
        };
        let allocated = self.next_allocation(from, needed);
        self.growth.in_flight = true;
        let job = move |fs: &F| segment::extend(fs, file, from, allocated - from).map(|()| allocated);
        out.push((LogOp::Extend { base, allocated }, Op::Job(Box::new(job))));
    }

    /// How many bytes of batches should have space, where `from` have it and `needed` are.
    fn next_allocation(&mut self, from: u64, needed: u64) -> u64 {
        let step = self.growth.step;
        self.growth.step = (step * 2).min(limits::ALLOCATION_STEP_MAX);
        // No more than a whole segment, unless one batch is larger than that.
        let wanted = (from + step).min(self.settings.segment_bytes).max(needed);
        wanted.next_multiple_of(crate::io::BLOCK_SIZE as u64)
    }

    // ---- writing and flushing

    /// Has everything written that can be, and space allocated ahead.
    pub fn pump<F: Fs>(&mut self, out: &mut Wanted<F>) {
        if self.failed.is_some() {
            return;
        }
        let appended = self.positions.appended().position();
        while self.appender.submitted() < appended {
            let Some(segment) = self.segments.at(self.appender.submitted()) else { break };
            // Crossing into a new segment needs the old one flushed: what stands in the new one proves to recovery
            // that everything before it was.
            if segment.base() > self.positions.flushed().position() {
                break;
            }
            let Some(file) = segment.open() else { break };
            let target = Target {
                file,
                base: segment.base(),
                header_size: HEADER_SIZE,
                limit: segment.end.unwrap_or(appended),
                ends: segment.end.is_some(),
            };
            if !self.appender.pump(&self.tail, target, out) {
                break;
            }
        }
        if let Some(active) = self.segments.active()
            && active.open().is_some()
            && active.allocated < self.settings.segment_bytes
            && active.allocated < appended.since(active.base()) + self.growth.step / 2
            && appended > active.base()
            && !self.growth.in_flight
        {
            let needed = active.allocated + 1;
            self.extend(needed, out);
        }
    }

    /// Whether there is something to flush now.
    #[must_use]
    pub fn flush_due(&self) -> bool {
        let unflushed = self.positions.written().position().since(self.positions.flushed().position());
        let due = match self.settings.flush {
            FlushMode::BeforeAcknowledging => unflushed > 0,
            // Half of W, so that appends need not wait for the flush.
            // A segment that has ended is flushed at once, since the next one's writes wait for it.
            FlushMode::Behind => {
                unflushed >= self.settings.unflushed_max / 2
                    || self.has_ended_unflushed()
                    || (self.wants_flush && unflushed > 0)
            }
        };
        due && !self.flush_in_flight && self.failed.is_none()
    }

    fn has_ended_unflushed(&self) -> bool {
        let flushed = self.positions.flushed().position();
        let ended = self.segments.at(flushed).and_then(|segment| segment.end);
        ended.is_some_and(|end| self.positions.written().position() >= end && end > flushed)
    }

    /// Has what is written flushed: one segment, one flush in flight.
    pub fn flush<F: Fs>(&mut self, out: &mut Wanted<F>) {
        if self.flush_in_flight || self.failed.is_some() {
            return;
        }
        let from = self.positions.flushed().position();
        let Some(segment) = self.segments.at(from) else { return };
        let target =
            self.positions.written_within(segment.end.unwrap_or(self.positions.written().position()));
        let Some(file) = segment.open() else { return };
        if target.position() > from {
            self.flush_in_flight = true;
            out.push((LogOp::Flush { target }, Op::Flush { file }));
        }
    }

    /// An operation has ended, other than a read's. Says whether the watermark moved.
    pub fn complete<F: Fs>(&mut self, op: LogOp, completion: Completion, out: &mut Wanted<F>) -> bool {
        let result = completion.result;
        match op {
            LogOp::Write { id } => match self.appender.complete(id, result, out) {
                Ok(Some(end)) => self.positions.write_completed(end),
                Ok(None) => {}
                Err(error) => self.fail("writing", &error),
            },
            LogOp::Flush { target } => {
                self.flush_in_flight = false;
                match result {
                    Ok(_) => {
                        self.positions.flush_completed(target);
                        self.durable.advance(target.position());
                    }
                    Err(error) => self.fail("flushing", &error),
                }
                self.seal_flushed(out);
            }
            LogOp::Prepare { base } | LogOp::Open { base } => self.file_came(op, base, result),
            LogOp::Extend { base, allocated } => self.space_came(base, allocated, result),
            LogOp::Seal => {
                if let Err(error) = result {
                    log::warn!("{}: sealing a segment failed, it stays untrimmed: {error}", self.id);
                }
            }
            LogOp::Close => {}
            LogOp::Read { .. } => unreachable!("reads are completed by their owner"),
        }
        self.advance_high_watermark()
    }

    fn file_came(&mut self, op: LogOp, base: Offset, result: io::Result<u64>) {
        let is_active = self.segments.active().is_some_and(|active| active.header.base_offset == base);
        if is_active {
            self.growth.in_flight = false;
        }
        let segment = self.segments.by_base(base).expect("segments stay while their files are coming");
        match result {
            Ok(value) => {
                segment.file = FileState::Open(handle_of(value));
                self.growth.has_folder = true;
            }
            Err(error) => {
                segment.file = FileState::Closed;
                if error.kind() == io::ErrorKind::StorageFull && matches!(op, LogOp::Prepare { .. }) {
                    segment.allocated = 0;
                    self.growth.disk_full = true;
                } else {
                    self.fail("opening a segment", &error);
                }
            }
        }
    }

    fn space_came(&mut self, base: Offset, allocated: u64, result: io::Result<u64>) {
        self.growth.in_flight = false;
        match result {
            Ok(_) => {
                let segment = self.segments.by_base(base).expect("segments stay while they grow");
                segment.allocated = allocated;
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.growth.disk_full = true;
                self.growth.step = limits::ALLOCATION_STEP_MIN;
            }
            Err(error) => self.fail("allocating space", &error),
        }
    }

    /// Has segments that have ended and are flushed trimmed.
    fn seal_flushed<F: Fs>(&mut self, out: &mut Wanted<F>) {
        let flushed = self.positions.flushed().position();
        for segment in self.segments.iter_mut() {
            let Some(end) = segment.end.filter(|end| *end <= flushed && !segment.sealed) else { continue };
            segment.sealed = true;
            let (header, index) = (segment.header.clone(), segment.index.clone());
            let (data_dir, len) = (Arc::clone(&self.settings.data_dir), end.since(segment.base()));
            let job = move |fs: &F| segment::seal(fs, &data_dir, &header, len, &index).map(|()| 0);
            out.push((LogOp::Seal, Op::Job(Box::new(job))));
        }
    }

    fn fail(&mut self, doing: &str, error: &io::Error) {
        if self.failed.is_none() {
            log::error!("{}: {doing} failed, the partition takes no more: {error}", self.id);
            self.failed = Some(format!("{doing} failed: {error}"));
        }
    }

    // ---- what others see

    /// The one place that decides how far an append must have come to be acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> Position {
        match self.settings.flush {
            FlushMode::BeforeAcknowledging if !planted(Plant::AckBeforeFlush) => {
                self.positions.flushed().position()
            }
            _ => self.positions.written().position(),
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

    /// The first offset held.
    #[must_use]
    pub fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// What is on the disk for certain, and the offset there: what a checkpoint may claim.
    #[must_use]
    pub fn durable(&self) -> (Position, Offset) {
        (self.durable.position(), self.durable.offset())
    }

    /// The leader epoch of the last durable batch, −1 for none.
    #[must_use]
    pub fn durable_epoch(&self) -> LeaderEpoch {
        if self.durable.offset() > self.opened_at { self.settings.epoch } else { self.opened_epoch }
    }

    /// The index of the active segment as far as it is durable; `None` where nothing of it is.
    #[must_use]
    pub fn durable_index(&self) -> Option<index::SparseIndex> {
        let active = self.segments.active()?;
        let index =
            (self.durable.position() > active.base()).then(|| active.index.up_to(self.durable.offset()))?;
        index.is_started().then_some(index)
    }

    /// Why the storage failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn check_failed(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |why| Err(Error::Storage(why.clone())))
    }

    // ---- reading

    /// Plans a read of whole batches from the one that `find` names.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`], or [`Error::Storage`] once the storage has failed.
    pub fn plan_read<F: Fs>(
        &mut self,
        find: Find,
        bytes_max: usize,
        out: &mut Wanted<F>,
    ) -> Result<Plan, Error> {
        self.check_failed()?;
        let visible = self.watermark.position();
        let Some(segment) = self.segment_for(find)? else { return Ok(Plan::Ready(Vec::new())) };
        let base = segment.base();
        let mut from = match find {
            Find::Offset(offset) => segment.index.lookup(offset),
            Find::Timestamp(timestamp) => segment.index.lookup_time(timestamp),
        };
        if let Find::Offset(offset) = find
            && let Some(at) = self.tail.batch_before(offset)
        {
            from = from.max(at);
        }
        if from >= visible {
            return Ok(Plan::Ready(Vec::new()));
        }
        if from >= self.tail.start() {
            return Ok(Plan::Ready(self.hot_read(from, find, bytes_max)));
        }
        let limit = segment.end.unwrap_or(visible).min(visible);
        let header_size = HEADER_SIZE;
        match segment.file {
            FileState::Open(file) => Ok(Plan::Cold(Place { file, base, header_size, from, limit })),
            FileState::Coming => Ok(Plan::AfterOpening),
            FileState::Closed => {
                let (base, path) =
                    (segment.header.base_offset, segment::path(&self.settings.data_dir, &segment.header));
                let segment = self.segments.by_base(base).expect("it was just found");
                segment.file = FileState::Coming;
                if segment.end.is_none() {
                    self.growth.in_flight = true;
                }
                out.push((LogOp::Open { base }, Op::Job(Box::new(move |fs: &F| open(fs, &path)))));
                Ok(Plan::AfterOpening)
            }
        }
    }

    /// The segment in which a search begins; `None` where nothing can be found.
    fn segment_for(&self, find: Find) -> Result<Option<&Segment>, Error> {
        match find {
            Find::Offset(offset) => {
                // Offsets past the watermark that exist already are about to become visible.
                if offset < self.start_offset || offset > self.next_offset {
                    return Err(Error::OffsetOutOfRange {
                        start: self.start_offset,
                        end: self.watermark.offset(),
                    });
                }
                if offset >= self.watermark.offset() {
                    return Ok(None);
                }
                Ok(self.segments.of_offset(offset))
            }
            Find::Timestamp(timestamp) => {
                Ok(self.segments.iter().find(|segment| segment.index.max_timestamp() >= timestamp))
            }
        }
    }

    /// Whole batches from the tail; `from` is a batch's start at or before the one wanted.
    fn hot_read(&self, mut from: Position, find: Find, bytes_max: usize) -> Vec<Slice> {
        let visible = self.watermark.position();
        let mut batch = self.tail.peek(from);
        while !find.matches(&batch) {
            from = from.plus(batch.size as u64);
            if from >= visible {
                return Vec::new();
            }
            batch = self.tail.peek(from);
        }
        let wanted_end = from.plus(bytes_max as u64);
        let mut end = from.plus(batch.size as u64);
        // The index knows a batch's start close to the end of what is wanted: no need to walk there.
        if let Some(near) =
            self.segments.at(from).and_then(|segment| segment.index.floor(wanted_end.min(visible)))
        {
            end = end.max(near);
        }
        while end < visible {
            let next = end.plus(self.tail.peek(end).size as u64);
            if next > wanted_end || next > visible {
                break;
            }
            end = next;
        }
        self.tail.slices(from, end)
    }

    /// The largest timestamp of the log and the offset of a batch that has it.
    #[must_use]
    pub fn max_timestamp(&self) -> Option<(i64, Offset)> {
        let batches = self.segments.iter().filter_map(|segment| segment.index.max_timestamp_batch());
        batches.max_by_key(|(timestamp, offset)| (*timestamp, -offset.value()))
    }

    // ---- memory and the end

    /// The age of the oldest chunk of memory that could be given back.
    #[must_use]
    pub fn oldest_memory(&self) -> Option<u64> {
        self.tail.oldest(self.positions.flushed().position())
    }

    /// Gives back the oldest chunk of memory; readers find those bytes on the disk.
    pub fn give_back_memory(&mut self) {
        self.tail.evict();
    }

    /// Gives back all memory but one block, if everything is flushed.
    pub fn shrink(&mut self) {
        self.tail.shrink(self.positions.flushed().position());
    }

    /// Closes all files; nothing may be in flight.
    pub fn close<F: Fs>(&mut self, out: &mut Wanted<F>) {
        self.failed.get_or_insert_with(|| "the partition is closed".into());
        for segment in self.segments.iter_mut() {
            if let FileState::Open(file) = std::mem::replace(&mut segment.file, FileState::Closed) {
                out.push((LogOp::Close, Op::Close { file }));
            }
        }
    }
}

fn open<F: Fs>(fs: &F, path: &Path) -> io::Result<u64> {
    fs.open(path, OpenMode::Direct).map(handle_value)
}

/// A handle as a job's value.
fn handle_value(file: File) -> u64 {
    u64::try_from(file.0).expect("handles are not negative")
}

/// The handle that a job's value is.
fn handle_of(value: u64) -> File {
    File(i32::try_from(value).expect("it was made from a handle"))
}
