//! Reads of a partition: from memory at once, or from the disk.

use std::collections::BTreeMap;

use super::ahead::{Ahead, Found};
use super::{Context, Partition};
use crate::error::Error;
use crate::io::{Completion, File, Fs};
use crate::log::read::{ColdRead, Find, Progress, Run};
use crate::log::{Newest, Plan};
use crate::mailbox::ReplyTo;
use crate::request::{Records, Reply};
use crate::types::{Offset, Position};

/// Why a read is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For its batches.
    Records,
    /// For bytes that were found before.
    Stored,
    /// For the first record at or after a time.
    AtTime,
    /// For the record with the largest timestamp.
    Newest(Newest),
}

/// A read that goes to the disk, or waits for a file or for a later turn.
pub struct Reading {
    /// Whom to answer.
    pub from: ReplyTo,
    /// Why.
    pub purpose: Purpose,
    /// Where it begins.
    pub find: Find,
    /// Bytes wanted at most.
    pub bytes_max: usize,
}

/// The reads of a partition that are not answered.
#[derive(Default)]
pub struct Reads {
    /// Those that are on their way to the disk, each with its reader; one that is made ahead has none yet.
    cold: BTreeMap<u64, (Option<Reading>, ColdRead)>,
    next: u64,
    after_opening: Vec<Reading>,
    ahead: Ahead,
}

impl Reads {
    /// Whether one of them reads this file.
    pub fn are_of(&self, file: File) -> bool {
        self.cold.values().any(|(_, read)| read.is_of(file))
    }

    /// Drops what was read ahead and not asked for, giving its places back to `free`.
    pub fn forget_ahead(&mut self, free: &mut usize) {
        self.ahead.forget_all(free);
    }
}

impl Partition {
    /// Reads whole batches from the one that holds `from_offset`.
    pub fn read<F: Fs>(&mut self, from: ReplyTo, offset: Offset, bytes_max: usize, cx: &mut Context<'_, F>) {
        self.plan(Reading { from, purpose: Purpose::Records, find: Find::Offset(offset), bytes_max }, cx);
    }

    /// Reads bytes as they are stored.
    pub fn read_stored<F: Fs>(&mut self, from: ReplyTo, at: Position, bytes: usize, cx: &mut Context<'_, F>) {
        self.plan(Reading { from, purpose: Purpose::Stored, find: Find::Bytes(at), bytes_max: bytes }, cx);
    }

    /// Answers a read from memory, starts one from the disk, or has it wait for its file.
    pub fn plan<F: Fs>(&mut self, reading: Reading, cx: &mut Context<'_, F>) {
        match self.log.plan_read(reading.find, reading.bytes_max, cx.wanted) {
            Ok(Plan::Ready(run)) => self.answer_read(reading, Ok(run), None, cx),
            Ok(Plan::Further(from)) => self.search_later(reading, from, cx),
            Ok(Plan::AfterOpening) => self.reads.after_opening.push(reading),
            Ok(Plan::Cold(place)) => {
                let Some(reading) = self.take_ahead(reading, cx) else { return };
                let id = self.reads.next;
                self.reads.next += 1;
                let read = ColdRead::start(id, place, reading.find, reading.bytes_max, cx.pool, cx.wanted);
                self.reads.cold.insert(id, (Some(reading), read));
            }
            Err(error) => self.answer_read(reading, Err(error), None, cx),
        }
    }

    /// Goes on with the reads that waited for a file.
    pub(super) fn plan_again<F: Fs>(&mut self, cx: &mut Context<'_, F>) {
        for reading in std::mem::take(&mut self.reads.after_opening) {
            self.plan(reading, cx);
        }
    }

    /// Serves a read by one that was made ahead for it, if there is one; else hands it back.
    fn take_ahead<F: Fs>(&mut self, reading: Reading, cx: &mut Context<'_, F>) -> Option<Reading> {
        let (Purpose::Records, Find::Offset(offset)) = (reading.purpose, reading.find) else {
            return Some(reading);
        };
        let Some(ahead) = self.reads.ahead.take(offset, reading.bytes_max, cx.ahead) else {
            return Some(reading);
        };
        match ahead {
            Found::Done(run) => {
                self.finish(reading, run, None, cx);
            }
            Found::UnderWay(id) => {
                let entry = self.reads.cold.get_mut(&id).expect("a read lasts until its last piece has come");
                entry.0 = Some(reading);
            }
        }
        None
    }

    /// One piece of a read from the disk has come.
    pub(super) fn read_completed<F: Fs>(
        &mut self,
        id: u64,
        piece: usize,
        completion: Completion,
        cx: &mut Context<'_, F>,
    ) {
        let (_, read) = self.reads.cold.get_mut(&id).expect("a read lasts until its last piece has come");
        let outcome = match read.complete(piece, completion, cx.pool, cx.wanted) {
            Progress::Pending => return,
            Progress::Done(run) => Ok(run),
            Progress::Failed(error) => {
                log::error!("{}: reading failed: {error}", self.id);
                Err(Error::Storage(format!("reading failed: {error}")))
            }
        };
        let (reading, read) = self.reads.cold.remove(&id).expect("it was just there");
        let Some(reading) = reading else {
            // Whoever asks for it later reads again where this has failed.
            self.reads.ahead.came(id, outcome.ok(), cx.ahead);
            return;
        };
        let outcome = if self.closed { Err(Error::UnknownPartition) } else { outcome };
        match outcome {
            Ok(run) => self.finish(reading, run, read.behind(), cx),
            Err(error) => self.answer_read(reading, Err(error), None, cx),
        }
    }

    /// Answers a read from the disk, and reads on ahead of a reader that goes through the log. `behind` is
    /// [`ColdRead::behind`].
    fn finish<F: Fs>(&mut self, reading: Reading, run: Run, behind: Option<Offset>, cx: &mut Context<'_, F>) {
        if let (Purpose::Records, Find::Offset(offset), Some(next)) =
            (reading.purpose, reading.find, run.next)
            && self.reads.ahead.goes_on(offset, next)
        {
            self.read_ahead(next, reading.bytes_max, cx);
        }
        self.answer_read(reading, Ok(run), behind, cx);
    }

    /// Begins to read from `offset` on for whoever will ask for it, if it is on the disk and there is room.
    fn read_ahead<F: Fs>(&mut self, offset: Offset, bytes_max: usize, cx: &mut Context<'_, F>) {
        if !self.reads.ahead.may_begin(offset, cx.ahead) {
            return;
        }
        // Where the next segment's file has to be opened first, that is what is done ahead.
        let find = Find::Offset(offset);
        if let Ok(Plan::Cold(place)) = self.log.plan_read(find, bytes_max, cx.wanted) {
            let id = self.reads.next;
            self.reads.next += 1;
            let read = ColdRead::start(id, place, find, bytes_max, cx.pool, cx.wanted);
            self.reads.cold.insert(id, (None, read));
            self.reads.ahead.begin(offset, bytes_max, id, cx.ahead);
        }
    }

    /// Answers a read, or takes it for a step of a search.
    fn answer_read<F>(
        &self,
        reading: Reading,
        outcome: Result<Run, Error>,
        behind: Option<Offset>,
        cx: &mut Context<'_, F>,
    ) {
        let reply = match reading.purpose {
            Purpose::Records => Reply::Read(outcome.map(|run| Records {
                slices: run.slices,
                at: run.at,
                high_watermark: self.log.visible_upto(),
                log_start: self.log.start_offset(),
            })),
            Purpose::Stored => Reply::ReadStored(outcome.and_then(|run| match run.slices.is_empty() {
                false => Ok(run.slices),
                true => Err(Error::OffsetOutOfRange {
                    start: self.log.start_offset(),
                    end: self.log.visible_upto(),
                }),
            })),
            Purpose::AtTime | Purpose::Newest(_) => return self.searched(reading, outcome, behind, cx),
        };
        cx.replies.push((reading.from, reply));
    }

    /// Answers the reads that wait for a file.
    pub(super) fn refuse_readings<F>(&mut self, error: &Error, cx: &mut Context<'_, F>) {
        for reading in std::mem::take(&mut self.reads.after_opening) {
            self.answer_read(reading, Err(error.clone()), None, cx);
        }
    }

    /// The shard looks: drops what was read ahead and nobody has asked for in a while.
    pub fn expire_ahead(&mut self, free: &mut usize) {
        self.reads.ahead.expire(free);
    }
}
