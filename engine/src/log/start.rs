//! The log's start: moving it, and getting rid of the segments before it.
//!
//! The start is where a checkpoint on the disk says that it is. So it moves in steps: somebody wants it further on, the
//! next checkpoint says so, and when that is durable readers see it and whole segments before it may go: first from the
//! list, so that no new read finds them; then, when the reads that have begun on one are done, its file.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::io::{File, Fs, Op};
use crate::limits;
use crate::log::segments::{FileState, Segment};
use crate::log::{Log, LogOp, Wanted, segment};
use crate::types::Offset;

/// Where a log starts, and what is leaving before that.
pub(super) struct Start {
    /// The first offset that readers get.
    offset: Offset,
    /// What a checkpoint says that is being written, if that is further on.
    storing: Offset,
    /// What the next checkpoint is to say.
    wanted: Offset,
    /// Segments that no new read finds, oldest first.
    leaving: VecDeque<Segment>,
    /// Whether a job is at the first of them.
    removing: bool,
    /// The last one failed. Not tried again before somebody asks for it: a completion asks for the next one at once.
    removal_failed: bool,
}

impl Start {
    /// A start that is durable.
    pub(super) const fn new(offset: Offset) -> Self {
        Self {
            offset,
            storing: offset,
            wanted: offset,
            leaving: VecDeque::new(),
            removing: false,
            removal_failed: false,
        }
    }

    pub(super) fn leaving_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Segment> {
        self.leaving.iter_mut()
    }
}

impl Log {
    /// The first offset that readers get.
    #[must_use]
    pub fn start_offset(&self) -> Offset {
        self.start.offset
    }

    /// What a checkpoint is to say of the start: never past what is durable.
    #[must_use]
    pub fn start_wanted(&self) -> Offset {
        self.start.wanted
    }

    /// The start is to move on to `offset`, which is durable. Says whether a checkpoint has to be written for that.
    pub fn want_start(&mut self, offset: Offset) -> bool {
        assert!(offset <= self.durable.offset(), "the start never lies past what is durable");
        self.start.wanted = self.start.wanted.max(offset);
        offset > self.start.storing
    }

    /// A checkpoint is being written. Says where it moves the start to, if it does.
    pub fn start_storing(&mut self) -> Option<Offset> {
        self.start.storing = self.start.wanted;
        (self.start.wanted > self.start.offset).then_some(self.start.wanted)
    }

    /// The checkpoint that moves the start to `offset` is on the disk.
    pub fn start_stored(&mut self, offset: Offset) {
        self.start.offset = self.start.offset.max(offset);
    }

    /// The checkpoint could not be written; another one has to be.
    pub fn start_not_stored(&mut self) {
        self.start.storing = self.start.offset;
    }

    /// Whether segments are to leave, or are leaving.
    #[must_use]
    pub fn has_leaving(&self) -> bool {
        !self.start.leaving.is_empty() || self.may_leave()
    }

    /// Whether the oldest segment has nothing that readers get, and nothing will be written to it or its index.
    fn may_leave(&self) -> bool {
        let (Some(first), Some(next)) = (self.segments.first(), self.segments.second()) else { return false };
        let flushed = self.positions.flushed().position();
        next.header.base_offset <= self.start.offset
            && first.end.is_some_and(|end| end <= flushed)
            && !first.sealing
            // Without any segment nobody would know how far the log had come.
            && next.is_prepared()
            && self.failed.is_none()
    }

    /// Whether segments before the start, as it is or is to be, have to stay because the one after them has no file: there was
    /// no space for it.
    #[must_use]
    pub fn lacks_successor(&self) -> bool {
        let Some(active) = self.segments.active() else { return false };
        self.segments.second().is_some()
            && active.header.base_offset <= self.start.wanted
            && !active.is_prepared()
            && self.failed.is_none()
    }

    /// Has that file made, if it is missing.
    pub fn bring_successor<F: Fs>(&mut self, out: &mut Wanted<F>) {
        if self.lacks_successor() {
            self.bring_active_file(0, out);
        }
    }

    /// Lets segments before the start go. `is_read` says whether a read of this file is under way.
    pub fn retire<F: Fs>(&mut self, is_read: impl Fn(File) -> bool, out: &mut Wanted<F>) {
        while self.may_leave()
            && let Some(first) = self.segments.pop_first()
        {
            self.start.leaving.push_back(first);
        }
        if !self.start.removing
            && !self.start.removal_failed
            && let Some(segment) = self.start.leaving.front_mut()
        {
            match segment.file {
                FileState::Coming => return,
                FileState::Open(file) if is_read(file) => return,
                FileState::Open(file) => {
                    segment.file = FileState::Closed;
                    out.push((LogOp::Close, Op::Close { file }));
                }
                FileState::Closed => {}
            }
            // One segment a job, so that an append's need of a helper waits for one at most.
            let (data_dir, base) = (Arc::clone(&self.settings.data_dir), segment.header.base_offset);
            let folder = segment::folder(&data_dir, self.id);
            self.start.removing = true;
            let job = move |fs: &F| {
                segment::remove(fs, &folder, base, limits::DELETE_STEP)?;
                // At once: on a full disk appends wait for this space, and other logs may have to be emptied, too.
                segment::reserve::keep(fs, &data_dir);
                Ok(0)
            };
            out.push((LogOp::Remove, Op::Job(Box::new(job))));
        }
    }

    /// What could not be removed the last time is tried again.
    pub fn remove_again(&mut self) {
        self.start.removal_failed = false;
    }

    pub(super) fn removed(&mut self, result: &io::Result<u64>) {
        self.start.removing = false;
        match result {
            Ok(_) => {
                self.start.leaving.pop_front();
            }
            // Those behind it stay, too: what is on the disk is to be a log without gaps.
            Err(error) => {
                self.start.removal_failed = true;
                log::warn!(
                    "{}: a segment before the log's start could not be removed, retention tries again: {error}",
                    self.id
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
