//! A shard's journal at work: what goes into its next record, and which logs are settled when.
//!
//! One record is under way at a time; what its partitions are appended meanwhile makes the next one. Where there is no room,
//! or the journal has failed, the logs write their own files.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use super::Shard;
use super::ops::{JournalOp, Owner};
use crate::config::{Config, FlushMethod};
use crate::io::{BLOCK_SIZE, CHUNK_SIZE, File, Fs, Io, Op, OpenMode, Pool, Slice, allocate_all, with_file};
use crate::journal::{
    self, AREAS_MAX, Areas, ENTRY_HEADER_SIZE, Entry, FileHeader, RECORD_HEADER_SIZE, RecordHeader,
};
use crate::limits;
use crate::types::{Nanos, PartitionId, Position};

/// How the journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not used: it is not wanted, it has failed, or the shard stops.
    Off,
    /// Its file is being made.
    Coming,
    /// Records are written.
    On,
}

/// A record under way.
struct Record {
    /// What is not written of it.
    data: Slice,
    /// And where that goes.
    offset: u64,
    /// Whom it is for, and up to where.
    entries: Vec<(usize, Position)>,
}

/// See the module.
pub(super) struct Journal {
    state: State,
    file: Option<File>,
    id: u64,
    areas: Areas,
    /// Bytes of a record at most.
    record_max: usize,
    /// Whether records are written durably rather than written and flushed.
    durable_writes: bool,
    /// While an area is being made, how many of its bytes are written, and what they are written from.
    zeros: Option<(u64, Slice)>,
    record: Option<Record>,
    /// Slots that have something for the next record.
    waiting: VecDeque<usize>,
    /// Slots to be settled.
    to_settle: VecDeque<usize>,
    settling: Vec<PartitionId>,
    /// Whether it was said that it cannot grow.
    warned: bool,
    /// Reused from record to record.
    entries: Vec<Entry>,
}

impl Journal {
    /// A journal that is not there yet.
    pub(super) fn new(config: &Config) -> Self {
        let area_bytes = config.journal_bytes / AREAS_MAX / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
        let area = usize::try_from(area_bytes).unwrap_or(usize::MAX);
        Self {
            state: State::Off,
            file: None,
            id: 0,
            areas: Areas::new(area_bytes, usize::try_from(AREAS_MAX).expect("a few")),
            record_max: area.min(CHUNK_SIZE),
            durable_writes: config.flush_method != FlushMethod::Flush,
            zeros: None,
            warned: false,
            record: None,
            waiting: VecDeque::new(),
            to_settle: VecDeque::new(),
            settling: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// How much it takes of one log at a time; `None` while it takes nothing.
    pub(super) fn entry_max(&self) -> Option<u64> {
        let fits = self.record_max.saturating_sub(RECORD_HEADER_SIZE + ENTRY_HEADER_SIZE) as u64;
        (self.state == State::On).then_some(fits.min(limits::JOURNAL_ENTRY_BYTES))
    }

    /// Gives up the open file, for whoever closes it.
    pub(super) const fn take_file(&mut self) -> Option<File> {
        self.file.take()
    }

    /// How many logs are settled at a time.
    const fn settling_max(&self) -> usize {
        if matches!(self.state, State::On) { limits::SETTLING_MAX } else { limits::SETTLING_MAX_UNUSED }
    }

    /// The partitions in these slots are gone.
    pub(super) fn forget(&mut self, gone: &BTreeSet<usize>) {
        self.waiting.retain(|slot| !gone.contains(slot));
        self.to_settle.retain(|slot| !gone.contains(slot));
    }

    /// Whether a log can be settled now.
    pub(super) fn may_settle(&self) -> bool {
        !self.to_settle.is_empty() && self.settling.len() < self.settling_max()
    }
}

impl<I: Io> Shard<I> {
    /// Has the journal made, if there is to be one.
    pub(super) fn make_journal(&mut self) {
        if self.config.journal_bytes == 0 {
            return;
        }
        self.journal.state = State::Coming;
        self.journal.id = self.io.random();
        let (data_dir, id) = (Arc::clone(&self.data_dir), self.id);
        let header = FileHeader {
            area_bytes: self.journal.areas.area_bytes(),
            id: self.journal.id,
            epoch: self.epoch,
        };
        let job = move |fs: &I::Fs| journal::make(fs, &data_dir, id, header).map(File::as_value);
        let token = self.ops.insert(Owner::Journal(JournalOp::Make));
        self.io.submit(token, Op::Job(Box::new(job)));
    }

    /// One of the journal's operations has ended.
    pub(super) fn journal_completed(&mut self, op: JournalOp, result: io::Result<u64>) {
        match (op, result) {
            (JournalOp::Make, Ok(handle)) => {
                self.journal.file = Some(File::of_value(handle));
                self.journal.state = if self.stopping { State::Off } else { State::On };
            }
            (JournalOp::Make, Err(error)) => {
                self.journal.state = State::Off;
                log::warn!(
                    "shard {}: its journal cannot be made ({error}); small appends are slower without. The next start \
                     tries again",
                    self.id
                );
            }
            (JournalOp::Grow, Ok(_)) => self.zero_area(),
            (JournalOp::Zero, Ok(count)) if count >= BLOCK_SIZE as u64 => {
                let zeros = self.journal.zeros.as_mut().expect("they are written while they are there");
                zeros.0 += count / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
                self.zero_area();
            }
            (JournalOp::Zero, Ok(_)) => self.not_grown(&io::Error::from(io::ErrorKind::WriteZero)),
            (JournalOp::Grow | JournalOp::Zero, Err(error)) => self.not_grown(&error),
            (JournalOp::Write, Ok(count)) => self.journal_written(count),
            (JournalOp::Flush, Ok(_)) => self.record_durable(),
            (JournalOp::Write | JournalOp::Flush, Err(error)) => self.journal_broken(&error),
            (JournalOp::Close | JournalOp::Remove, Ok(_)) => {}
            (JournalOp::Close | JournalOp::Remove, Err(error)) => {
                log::warn!(
                    "shard {}: its journal could not be removed, the next start does it: {error}",
                    self.id
                );
            }
        }
    }

    // ---- records

    /// Puts a partition on the list for the next record, if it has something for it.
    pub(super) fn offer_to_journal(&mut self, slot: usize) {
        let Some(max) = self.journal.entry_max() else { return };
        let entry = self.slots.at(slot);
        if !entry.for_journal && entry.partition.log().journal_wanted(max).is_some() {
            entry.for_journal = true;
            self.journal.waiting.push_back(slot);
        }
    }

    /// Writes the next record, if none is under way.
    pub(super) fn write_journal(&mut self) {
        if self.journal.record.is_some() || self.journal.waiting.is_empty() {
            return;
        }
        let (slots, len) = self.choose();
        if slots.is_empty() {
            return;
        }
        let blocks = len.next_multiple_of(BLOCK_SIZE);
        if !self.make_journal_room(blocks as u64) {
            // These partitions write their own files. That there is room again is seen to here as well: no record comes that
            // would have it done.
            slots.into_iter().for_each(|slot| self.pump(slot, None));
            self.grow_journal();
            self.settle_in_time();
            return;
        }
        let mut entries = std::mem::take(&mut self.journal.entries);
        let place = self.journal.areas.place(blocks as u64);
        let mut targets = Vec::with_capacity(slots.len());
        for slot in slots {
            let held = self.slots.at(slot);
            held.in_flight += 1;
            let (entry, end) = held.partition.log_mut().take_for_journal();
            self.journal.areas.note(held.id, end);
            targets.push((slot, end));
            entries.push(entry);
        }
        let pooled = if blocks > CHUNK_SIZE / 4 { self.pool.take() } else { None };
        let mut chunk = pooled.unwrap_or_else(|| Pool::heap(blocks));
        let header =
            RecordHeader { id: self.journal.id, sequence: place.sequence, live_from: place.live_from };
        journal::write_record(header, &entries, &mut chunk);
        entries.clear();
        self.journal.entries = entries;
        self.journal.record = Some(Record { data: chunk.filled(), offset: place.offset, entries: targets });
        self.submit_record();
        self.grow_journal();
        self.settle_in_time();
    }

    /// Whose bytes go into the next record, and how long it will be. The others wait for the one after.
    fn choose(&mut self) -> (Vec<usize>, usize) {
        let max = self.journal.entry_max();
        let (mut chosen, mut len) = (Vec::new(), RECORD_HEADER_SIZE);
        while let Some(&slot) = self.journal.waiting.front() {
            let entry = self.slots.at(slot);
            let wanted = max.and_then(|max| entry.partition.log().journal_wanted(max));
            let with = len + wanted.map_or(0, |bytes| ENTRY_HEADER_SIZE + bytes);
            if with > self.journal.record_max {
                break;
            }
            self.journal.waiting.pop_front();
            entry.for_journal = false;
            if wanted.is_some() {
                chosen.push(slot);
                len = with;
            } else {
                self.look_again(slot);
            }
        }
        (chosen, len)
    }

    fn submit_record(&mut self) {
        let record = self.journal.record.as_ref().expect("one is under way");
        let (data, offset) = (record.data.clone(), record.offset);
        let file = self.journal.file.expect("it is open while it is used");
        let token = self.ops.insert(Owner::Journal(JournalOp::Write));
        self.gate.note_write(self.io.now());
        let durable = self.journal.durable_writes;
        let write =
            if durable { Op::WriteDurably { file, offset, data } } else { Op::Write { file, offset, data } };
        self.io.submit(token, write);
    }

    /// So many bytes of the record are written.
    fn journal_written(&mut self, count: u64) {
        let record = self.journal.record.as_mut().expect("one is under way");
        let count = usize::try_from(count).expect("no more than was to be written");
        if count < record.data.len() {
            // Blocks that were written as a whole stay; the rest goes again, from a block's start.
            let kept = count / BLOCK_SIZE * BLOCK_SIZE;
            record.data.skip(kept);
            record.offset += kept as u64;
            if count == 0 {
                self.journal_broken(&io::Error::from(io::ErrorKind::WriteZero));
            } else {
                self.submit_record();
            }
        } else if self.journal.durable_writes {
            self.record_durable();
        } else {
            let file = self.journal.file.expect("it is open while it is used");
            let token = self.ops.insert(Owner::Journal(JournalOp::Flush));
            self.io.submit(token, Op::Flush { file });
        }
    }

    fn record_durable(&mut self) {
        let record = self.journal.record.take().expect("one is under way");
        for (slot, end) in record.entries {
            self.slots.at(slot).in_flight -= 1;
            self.with(slot, |partition, cx| partition.journaled(end, cx));
            if self.journal.state != State::On {
                let partition = self.slots.at(slot).id;
                self.settle_later(partition);
            }
            self.bury(slot);
        }
    }

    /// A record could not be written. The logs write their own files from now on, and what they have in the journal only at
    /// once: it may still be read, or not.
    fn journal_broken(&mut self, error: &io::Error) {
        log::error!(
            "shard {}: writing its journal failed, each partition writes and flushes for itself until the next start: \
             {error}",
            self.id
        );
        let record = self.journal.record.take().expect("one is under way");
        self.journal.state = State::Off;
        for (slot, _) in record.entries {
            let entry = self.slots.at(slot);
            entry.in_flight -= 1;
            entry.partition.log_mut().journal_failed();
            self.look_again(slot);
            self.bury(slot);
        }
        self.leave_journal();
    }

    /// Nothing goes into the journal any more: who waits for it writes for itself, and everything is settled.
    pub(super) fn leave_journal(&mut self) {
        if self.journal.state == State::On {
            self.journal.state = State::Off;
        }
        for slot in std::mem::take(&mut self.journal.waiting) {
            self.slots.at(slot).for_journal = false;
            self.look_again(slot);
        }
        self.unsettled().into_iter().for_each(|(partition, _)| self.settle_later(partition));
    }

    // ---- room, and settling

    fn make_journal_room(&mut self, bytes: u64) -> bool {
        let slots = &self.slots;
        self.journal.areas.make_room(bytes, |partition| slots.settled_to(partition))
    }

    /// Has partitions settled before there is no room.
    fn settle_in_time(&mut self) {
        if self.journal.to_settle.is_empty() {
            let slots = &self.slots;
            let pressing = self.journal.areas.pressing(|partition| slots.settled_to(partition));
            pressing.into_iter().for_each(|partition| self.settle_later(partition));
        }
    }

    fn grow_journal(&mut self) {
        if self.journal.zeros.is_some() || !self.journal.areas.should_grow() {
            return;
        }
        let (path, bytes) = (journal::path(&self.data_dir, self.id), self.journal.areas.area_bytes());
        let from = self.journal.areas.size();
        let mut zeros = Pool::heap(CHUNK_SIZE.min(usize::try_from(bytes).unwrap_or(CHUNK_SIZE)));
        // A chunk's memory is zeroed when it is allocated.
        zeros.advance(zeros.remaining());
        self.journal.zeros = Some((0, zeros.filled()));
        // Nothing is synced: the next record's flush does that, and this one could take a failed one's error away from it.
        let job = move |fs: &I::Fs| {
            with_file(fs, &path, OpenMode::ReadWrite, |file| allocate_all(fs, file, from, bytes)).map(|()| 0)
        };
        let token = self.ops.insert(Owner::Journal(JournalOp::Grow));
        self.io.submit(token, Op::Job(Box::new(job)));
    }

    /// Goes on writing the blocks of the new area, since a flush of blocks that never were written costs more.
    fn zero_area(&mut self) {
        let Some((done, zeros)) = &self.journal.zeros else { return };
        let left = self.journal.areas.area_bytes() - done;
        let goes_on = left > 0 && self.journal.state == State::On;
        let Some(file) = self.journal.file.filter(|_| goes_on) else {
            if left == 0 {
                self.journal.warned = false;
                self.journal.areas.grew();
            }
            self.journal.zeros = None;
            return;
        };
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        let (data, offset) = (zeros.slice(0..len), self.journal.areas.size() + done);
        let token = self.ops.insert(Owner::Journal(JournalOp::Zero));
        self.io.submit(token, Op::Write { file, offset, data });
    }

    fn not_grown(&mut self, error: &io::Error) {
        self.journal.zeros = None;
        self.journal.areas.hold_back(true);
        if !std::mem::replace(&mut self.journal.warned, true) {
            log::warn!("shard {}: its journal does not grow until there is space: {error}", self.id);
        }
    }

    /// Whose acknowledged bytes the journal alone has, and when they were last appended to.
    fn unsettled(&self) -> Vec<(PartitionId, Nanos)> {
        let unsettled = self.slots.iter().filter(|(_, entry)| entry.partition.log().is_unsettled());
        unsettled.map(|(_, entry)| (entry.id, entry.last_appended)).collect()
    }

    fn settle_later(&mut self, partition: PartitionId) {
        let Some(slot) = self.slots.find(partition) else { return };
        let entry = self.slots.at(slot);
        let log = entry.partition.log();
        if !entry.to_settle && log.is_unsettled() && !log.is_settling() {
            entry.to_settle = true;
            self.journal.to_settle.push_back(slot);
        }
    }

    /// Lets the journal try again to grow: space that was refused may be had now.
    pub(super) fn let_journal_grow(&mut self) {
        self.journal.areas.hold_back(false);
    }

    /// Has partitions settled that were not appended to for a while. Says whether any is still unsettled.
    pub(super) fn settle_idle(&mut self, now: Nanos) -> bool {
        let unsettled = self.unsettled();
        let any = !unsettled.is_empty();
        for (partition, appended) in unsettled {
            if now.since(appended) >= limits::SETTLE_IDLE_MS * 1_000_000 {
                self.settle_later(partition);
            }
        }
        any
    }

    /// Settles a few partitions at a time.
    pub(super) fn settle(&mut self) {
        if self.journal.to_settle.is_empty() {
            return;
        }
        let mut settling = std::mem::take(&mut self.journal.settling);
        settling.retain(|partition| {
            let slot = self.slots.find(*partition);
            slot.is_some_and(|slot| self.slots.at(slot).partition.log().is_settling())
        });
        while settling.len() < self.journal.settling_max()
            && let Some(slot) = self.journal.to_settle.pop_front()
        {
            let entry = self.slots.at(slot);
            entry.to_settle = false;
            if entry.partition.log().is_unsettled() {
                entry.partition.log_mut().want_flush();
                settling.push(entry.id);
                self.look_again(slot);
            }
        }
        self.journal.settling = settling;
    }

    /// The shard stops and everything is settled: removes the journal, so that the next start has nothing to look at.
    pub(super) fn remove_journal(&mut self) {
        let Some(file) = self.journal.take_file() else { return };
        let token = self.ops.insert(Owner::Journal(JournalOp::Close));
        self.io.submit(token, Op::Close { file });
        if self.slots.iter().any(|(_, entry)| entry.partition.log().is_in_journal_only()) {
            return;
        }
        let (path, data_dir) = (journal::path(&self.data_dir, self.id), Arc::clone(&self.data_dir));
        let job = move |fs: &I::Fs| {
            fs.remove_file(&path)?;
            fs.sync_folder(&data_dir).map(|()| 0)
        };
        let token = self.ops.insert(Owner::Journal(JournalOp::Remove));
        self.io.submit(token, Op::Job(Box::new(job)));
    }
}
