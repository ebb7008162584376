//! Reads of a partition: from memory at once, or from the disk.

use std::collections::BTreeMap;

use super::ahead::{Ahead, Found};
use super::read_room::{Held, Turn};
use super::{Context, Partition};
use crate::error::Error;
use crate::io::{Completion, File, Fs};
use crate::log::read::{ColdRead, Find, Place, Progress, Run};
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

impl Reading {
    /// Whom to tell that it is refused, and how.
    #[must_use]
    pub fn refused(self, error: Error) -> (ReplyTo, Reply) {
        let reply = match self.purpose {
            Purpose::Records => Reply::Read(Err(error)),
            Purpose::Stored => Reply::ReadStored(Err(error)),
            Purpose::AtTime | Purpose::Newest(_) => Reply::ListOffset(Err(error)),
        };
        (self.from, reply)
    }
}

/// A read on its way to the disk.
struct Cold {
    /// Its reader; none yet where it is made ahead.
    reading: Option<Reading>,
    read: ColdRead,
    room: Held,
}

/// A search that goes on with a later turn.
pub struct Search {
    /// What it reads.
    pub reading: Reading,
    /// No batch before this is the one wanted.
    pub from: Position,
}

/// A read to be planned, for the first time or again.
struct Attempt {
    reading: Reading,
    /// Its room, once it has any.
    room: Option<Held>,
    /// No batch before this is the one wanted.
    from: Position,
}

/// The reads of a partition that are not answered and not in line for room.
#[derive(Default)]
pub struct Reads {
    /// Those that are on their way to the disk.
    cold: BTreeMap<u64, Cold>,
    next: u64,
    /// Those that wait for a file; one whose turn has come has its room.
    after_opening: Vec<Attempt>,
    ahead: Ahead,
}

impl Reads {
    /// Whether one of them reads this file.
    pub fn are_of(&self, file: File) -> bool {
        self.cold.values().any(|cold| cold.read.is_of(file))
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

    /// Answers a read from memory, or begins it.
    pub(super) fn plan<F: Fs>(&mut self, reading: Reading, cx: &mut Context<'_, F>) {
        self.attempt(Attempt { reading, room: None, from: Position::ZERO }, cx);
    }

    /// Has a search go on.
    pub fn search_on<F: Fs>(&mut self, search: Search, cx: &mut Context<'_, F>) {
        let Search { reading, from } = search;
        self.attempt(Attempt { reading, room: None, from }, cx);
    }

    /// Begins a read that has waited for its turn.
    pub fn take_turn<F: Fs>(&mut self, turn: Turn, cx: &mut Context<'_, F>) {
        let Turn { reading, held, from } = turn;
        self.attempt(Attempt { reading, room: Some(held), from }, cx);
    }

    /// Answers what is in memory, and starts what is not, if there is room for it.
    fn attempt<F: Fs>(&mut self, attempt: Attempt, cx: &mut Context<'_, F>) {
        let Attempt { reading, room, from } = attempt;
        match self.log.plan_read(reading.find, reading.bytes_max, cx.wanted) {
            Ok(Plan::Ready(run)) => self.answer_read(reading, Ok(run), None, cx),
            Ok(Plan::Further(offset)) => self.search_later(reading, offset, Position::ZERO, cx),
            Ok(Plan::AfterOpening) => self.reads.after_opening.push(Attempt { reading, room, from }),
            Ok(Plan::Cold(mut place)) => {
                let Some(reading) = self.take_ahead(reading, cx) else { return };
                place.from = place.from.max(from);
                let bytes = ColdRead::room_for(reading.find, reading.bytes_max);
                match room.or_else(|| cx.reads.take(bytes)) {
                    Some(room) => {
                        let (find, bytes_max) = (reading.find, reading.bytes_max);
                        self.start_read(Some(reading), place, find, bytes_max, room, cx);
                    }
                    None => cx.reads.wait(self.id, reading, bytes, from),
                }
            }
            Err(error) => self.answer_read(reading, Err(error), None, cx),
        }
    }

    /// Goes on with the reads that waited for a file.
    pub(super) fn plan_again<F: Fs>(&mut self, cx: &mut Context<'_, F>) {
        for attempt in std::mem::take(&mut self.reads.after_opening) {
            self.attempt(attempt, cx);
        }
    }

    /// Starts a read from the disk, for its reader or ahead of any, and says by which number it is known.
    fn start_read<F: Fs>(
        &mut self,
        reading: Option<Reading>,
        place: Place,
        find: Find,
        bytes_max: usize,
        room: Held,
        cx: &mut Context<'_, F>,
    ) -> u64 {
        let id = self.reads.next;
        self.reads.next += 1;
        let read = ColdRead::start(id, place, find, bytes_max, room.bytes(), cx.pool, cx.wanted);
        self.reads.cold.insert(id, Cold { reading, read, room });
        id
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
                entry.reading = Some(reading);
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
        let cold = self.reads.cold.get_mut(&id).expect("a read lasts until its last piece has come");
        let outcome = match cold.read.complete(piece, completion, cx.pool, cx.wanted) {
            Progress::Pending => return,
            Progress::Done(run) => Ok(run),
            Progress::Further { offset, at } => return self.read_further(id, offset, at, cx),
            Progress::Larger { from, bytes } => return self.read_larger(id, from, bytes, cx),
            Progress::Failed(error) => {
                log::error!("{}: reading failed: {error}", self.id);
                Err(Error::Storage(format!("reading failed: {error}")))
            }
        };
        let Cold { reading, read, room } = self.reads.cold.remove(&id).expect("it was just there");
        let Some(reading) = reading else {
            // Whoever asks for it later reads again where this has failed.
            let kept = outcome.ok().filter(|_| !cx.reads.is_waited_for());
            self.reads.ahead.came(id, kept.map(|run| (run, room)), cx.ahead);
            return;
        };
        // It is answered now, so that what is read ahead may have its room.
        drop(room);
        let outcome = if self.closed { Err(Error::UnknownPartition) } else { outcome };
        match outcome {
            Ok(run) => self.finish(reading, run, read.behind(), cx),
            Err(error) => self.answer_read(reading, Err(error), None, cx),
        }
    }

    /// A read has to be made again with more room, for which it is first in line. Nothing that large is read ahead.
    fn read_larger<F>(&mut self, id: u64, from: Position, bytes: usize, cx: &mut Context<'_, F>) {
        let cold = self.reads.cold.remove(&id).expect("it was just there");
        match cold.reading {
            None => self.reads.ahead.came(id, None, cx.ahead),
            Some(reading) if self.closed => {
                self.answer_read(reading, Err(Error::UnknownPartition), None, cx);
            }
            Some(reading) => cx.reads.wait_first(self.id, reading, bytes, from),
        }
    }

    /// A search goes on behind the batches that have come.
    fn read_further<F>(&mut self, id: u64, offset: Offset, at: Position, cx: &mut Context<'_, F>) {
        let cold = self.reads.cold.remove(&id).expect("it was just there");
        let search = cold.reading.expect("nothing is searched ahead");
        if self.closed {
            cx.replies.push(search.refused(Error::UnknownPartition));
        } else {
            self.search_later(search, offset, at, cx);
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
        let find = Find::Offset(offset);
        let Some(room) = cx.reads.take(ColdRead::room_for(find, bytes_max)) else { return };
        // Where the next segment's file has to be opened first, that is what is done ahead.
        if let Ok(Plan::Cold(place)) = self.log.plan_read(find, bytes_max, cx.wanted) {
            let id = self.start_read(None, place, find, bytes_max, room, cx);
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
    pub(super) fn refuse_openings<F>(&mut self, error: &Error, cx: &mut Context<'_, F>) {
        let attempts = std::mem::take(&mut self.reads.after_opening).into_iter();
        cx.replies.extend(attempts.map(|attempt| attempt.reading.refused(error.clone())));
    }

    /// Answers the reads in line for room.
    pub(super) fn refuse_in_line<F>(&self, error: &Error, cx: &mut Context<'_, F>) {
        let in_line = cx.reads.leave(|id| id == self.id).into_iter();
        cx.replies.extend(in_line.map(|reading| reading.refused(error.clone())));
    }

    /// Others wait for room: drops what was read ahead, as far as it has come.
    pub fn give_up_ahead(&mut self, free: &mut usize) {
        self.reads.ahead.give_up(free);
    }

    /// The shard looks: drops what was read ahead and nobody has asked for in a while.
    pub fn expire_ahead(&mut self, free: &mut usize) {
        self.reads.ahead.expire(free);
    }

    /// Bytes of memory that its reads from the disk have.
    #[cfg(test)]
    pub fn read_bytes(&self) -> usize {
        self.reads.cold.values().map(|cold| cold.read.memory()).sum::<usize>() + self.reads.ahead.bytes()
    }
}
