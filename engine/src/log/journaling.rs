//! What a log leaves to its shard's journal, and when it writes its own file after all.
//!
//! Small appends that are to be flushed before they are acknowledged become durable in the journal (see `journal`); the log
//! **settles** them later, by a write and a flush of its own file, which make a larger group of many. What comes in large
//! groups goes to the file at once: it would only be written twice.

use crate::journal::Entry;
use crate::limits;
use crate::log::{FlushMode, Log};
use crate::types::Position;

impl Log {
    /// Bytes that the journal is to take now; `None` where there are none, or more than `max`, which the log's own file
    /// takes.
    #[must_use]
    pub fn journal_wanted(&self, max: u64) -> Option<usize> {
        let pending = self.journal_pending();
        if !self.is_journaled() || pending == 0 || pending > max || self.failed.is_some() {
            return None;
        }
        let (from, to) = self.journal_range();
        Some(usize::try_from(to.since(from)).expect("no more than was asked for"))
    }

    /// Gives the journal what [`Self::journal_wanted`] counted, and says where it ends. One is under way at a time.
    pub fn take_for_journal(&mut self) -> (Entry, Position) {
        let (from, to) = self.journal_range();
        let segment = self.segments.at(from).expect("what is appended has a segment");
        let entry = Entry {
            partition: self.id,
            segment: segment.header.base_offset,
            at: segment.header.file_offset(from),
            slices: self.tail.slices(from, to),
        };
        self.journal_submitted = to;
        (entry, to)
    }

    /// The journal has everything before `end`, durably. Says whether the watermark moved.
    pub fn journaled(&mut self, end: Position) -> bool {
        self.positions.journal_completed(end);
        self.advance_high_watermark()
    }

    /// What the journal was given last has not become durable: the log's own file takes it.
    pub fn journal_failed(&mut self) {
        self.journal_submitted = self.positions.journaled().position();
    }

    /// Whether something that was acknowledged is in the journal only.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.failed.is_none() && self.has_more_in_journal()
    }

    /// Whether its storage has failed while something that was acknowledged was in the journal only: it has to stay there.
    #[must_use]
    pub fn is_in_journal_only(&self) -> bool {
        self.failed.is_some() && self.has_more_in_journal()
    }

    /// Whether what was to be settled is not yet.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.failed.is_none() && self.flush_wanted > self.positions.flushed().position()
    }

    /// The end of what its own file has, durably.
    #[must_use]
    pub fn settled_to(&self) -> Position {
        self.positions.flushed().position()
    }

    fn has_more_in_journal(&self) -> bool {
        self.positions.journaled().position() > self.positions.flushed().position()
    }

    fn is_journaled(&self) -> bool {
        self.settings.journaled && self.settings.flush == FlushMode::BeforeAcknowledging
    }

    /// From where on nothing is durable or on its way into the journal.
    fn journal_from(&self) -> Position {
        self.journal_submitted.max(self.positions.flushed().position())
    }

    pub(super) fn journal_pending(&self) -> u64 {
        self.positions.appended().position().since(self.journal_from())
    }

    /// What the journal takes next: nothing crosses from one segment into another.
    fn journal_range(&self) -> (Position, Position) {
        let (from, appended) = (self.journal_from(), self.positions.appended().position());
        let end = self.segments.at(from).and_then(|segment| segment.end);
        (from, end.map_or(appended, |end| end.min(appended)))
    }

    /// Whether the log's own file is to take what is appended now: `journal_max` is how much the journal takes of one log at
    /// a time, `None` where there is none.
    pub(super) fn writes_itself(&self, journal_max: Option<u64>) -> bool {
        let submitted = self.appender.submitted();
        let unwritten = self.positions.appended().position().since(submitted);
        let leaves = self.is_journaled() && journal_max.is_some_and(|max| self.journal_pending() <= max);
        !leaves
            || unwritten >= limits::SETTLE_BYTES
            || self.wants_flush
            || self.flush_wanted > submitted
            || self.segments.at(submitted).is_some_and(|segment| segment.end.is_some())
    }
}

#[cfg(test)]
mod tests;
