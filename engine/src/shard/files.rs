//! How many segment files a shard has open: a limit, since a process may open only so many.
//!
//! Every file that a log wants opened takes a place. Where none is left, a partition that has not been used for a while
//! closes its files, and the opening waits for that. Which partition: the clock algorithm. Those with open files stand in
//! a ring; the hand goes round, passes over whoever was used since it came by last, and stops at the next.

use std::collections::{BTreeSet, VecDeque};

use super::Shard;
use crate::io::{File, Io, Op, Token};
use crate::limits;
use crate::log::Idle;
use crate::types::Nanos;

/// See the module.
pub(super) struct Files<F> {
    max: usize,
    /// Files that are open, or being opened.
    taken: usize,
    /// Of those, the ones being closed.
    closing: usize,
    /// Openings that wait for a place, with the slots of their partitions.
    waiting: VecDeque<(usize, Token, Op<F>)>,
    /// Slots with open files, and when each had been used as the hand came by last.
    ring: VecDeque<(usize, Nanos)>,
    warned: bool,
}

impl<I: Io> Shard<I> {
    /// Gives up all open files: the shard has ended, and whoever ends it closes them.
    pub fn take_files(&mut self) -> Vec<File> {
        let slots: Vec<usize> = self.slots.iter().map(|(slot, _)| slot).collect();
        let journal = self.journal.take_file();
        let files = slots.into_iter().flat_map(|slot| self.slots.at(slot).partition.log_mut().take_files());
        files.chain(journal).collect()
    }
}

impl<F> Files<F> {
    /// None yet, and never more than `max`.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(limits::OPEN_FILES_MIN),
            taken: 0,
            closing: 0,
            waiting: VecDeque::new(),
            ring: VecDeque::new(),
            warned: false,
        }
    }

    /// Whether an opening waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Files that have to be closed, beyond those that are being closed, for all who wait.
    fn missing(&self) -> usize {
        (self.taken + self.waiting.len()).saturating_sub(self.max + self.closing)
    }

    /// A slot has an open file.
    fn opened(&mut self, slot: usize) {
        self.ring.push_back((slot, Nanos::new(0)));
    }

    /// The partitions in these slots are gone.
    pub(super) fn forget(&mut self, gone: &BTreeSet<usize>) {
        self.ring.retain(|(slot, _)| !gone.contains(slot));
    }
}

impl<I: Io> Shard<I> {
    /// Has a segment's file opened, now or when there is a place for it.
    pub(super) fn open_file(&mut self, slot: usize, token: Token, op: Op<I::Fs>) {
        if self.files.taken < self.files.max && self.files.waiting.is_empty() {
            self.files.taken += 1;
            self.io.submit(token, op);
        } else {
            self.slots.at(slot).waiting_opens += 1;
            self.files.waiting.push_back((slot, token, op));
        }
    }

    /// A file was opened, or could not be.
    pub(super) fn file_opened(&mut self, slot: usize, error: Option<&std::io::Error>) {
        let Some(error) = error else {
            let entry = self.slots.at(slot);
            if !std::mem::replace(&mut entry.in_ring, true) {
                self.files.opened(slot);
            }
            return;
        };
        self.files.taken -= 1;
        if crate::log::no_descriptors(error) {
            // The process has used them up elsewhere. From now on this shard makes do with what it has.
            self.files.max = self.files.taken.clamp(limits::OPEN_FILES_MIN, self.files.max);
            if !std::mem::replace(&mut self.files.warned, true) {
                log::warn!(
                    "the process has too many files open ({error}): shard {} goes on with {} of them. Raise the limit \
                     with `ulimit -n`, or LimitNOFILE= in the systemd unit",
                    self.id,
                    self.files.max
                );
            }
        }
    }

    /// A file is being closed.
    pub(super) fn file_closing(&mut self) {
        self.files.closing += 1;
    }

    /// A file was closed.
    pub(super) fn file_closed(&mut self) {
        self.files.closing -= 1;
        self.files.taken -= 1;
    }

    /// Opens what waits for a place, and has as many files closed as are missing.
    pub(super) fn make_places(&mut self) {
        while self.files.taken < self.files.max
            && let Some((slot, token, op)) = self.files.waiting.pop_front()
        {
            self.files.taken += 1;
            self.slots.at(slot).waiting_opens -= 1;
            self.io.submit(token, op);
        }
        // Those that come to be closed once they are flushed: enough of them, and no more.
        let mut coming = 0;
        // Twice round: the first time only clears who was used.
        for _ in 0..2 * self.files.ring.len() {
            if self.files.missing() <= coming {
                return;
            }
            let Some((slot, seen)) = self.files.ring.pop_front() else { return };
            let entry = self.slots.at(slot);
            // What it waits for itself does not count: else all could wait for each other.
            let is_quiet = entry.in_flight == entry.waiting_opens;
            if !is_quiet || entry.last_used > seen {
                let used = entry.last_used;
                self.files.ring.push_back((slot, used));
                continue;
            }
            match self.with_quietly(slot, |partition, cx| partition.log_mut().close_idle(cx.wanted)) {
                Idle::Closed => self.slots.at(slot).in_ring = false,
                Idle::Unflushed => {
                    self.look_again(slot);
                    self.files.ring.push_back((slot, seen));
                    coming += 1;
                }
                Idle::InUse => self.files.ring.push_back((slot, seen)),
            }
        }
    }
}
