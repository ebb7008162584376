//! How far a partition's log has come: appended ≥ written ≥ flushed; and how far the shard's journal has it, which is any
//! number of bytes up to what is appended.
//!
//! Each is a type of its own, and they move in this file only, so that no caller can take "the device has accepted it"
//! for "it is on the disk".

use crate::types::Position;

/// The end of what is in the log's memory and has its offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppendedTo(Position);

/// The end of the contiguous prefix whose writes the device has completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WrittenTo(Position);

/// The end of what a completed flush covers: it survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlushedTo(Position);

/// The end of what a completed write of the journal has, everything before it being there or flushed: it survives a power
/// cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournaledTo(Position);

macro_rules! position {
    ($($name:ident),*) => {
        $(impl $name {
            /// The plain position.
            #[must_use]
            pub const fn position(self) -> Position {
                self.0
            }
        })*
    };
}
position!(AppendedTo, WrittenTo, FlushedTo, JournaledTo);

/// The positions of one log.
#[derive(Clone, Copy, Debug)]
pub struct Positions {
    appended: AppendedTo,
    written: WrittenTo,
    flushed: FlushedTo,
    journaled: JournaledTo,
}

impl Positions {
    /// The positions of a log that recovery found, and flushed, up to `end`.
    #[must_use]
    pub const fn recovered(end: Position) -> Self {
        Self {
            appended: AppendedTo(end),
            written: WrittenTo(end),
            flushed: FlushedTo(end),
            journaled: JournaledTo(end),
        }
    }

    /// `bytes` more have been appended.
    pub fn append(&mut self, bytes: u64) {
        self.appended = AppendedTo(self.appended.0.plus(bytes));
        self.check();
    }

    /// Every write up to `end` has completed.
    pub fn write_completed(&mut self, end: Position) {
        assert!(end >= self.written.0, "written goes back from {} to {end}", self.written.0);
        self.written = WrittenTo(end);
        self.check();
    }

    /// A flush has completed. It proves only what had been written when it was *submitted*: `written_then`.
    pub fn flush_completed(&mut self, written_then: WrittenTo) {
        assert!(
            written_then.0 >= self.flushed.0,
            "flushed goes back from {} to {}",
            self.flushed.0,
            written_then.0
        );
        self.flushed = FlushedTo(written_then.0);
        self.check();
    }

    /// The journal has everything up to `end` that is not flushed.
    pub fn journal_completed(&mut self, end: Position) {
        self.journaled = JournaledTo(self.journaled.0.max(end));
        self.check();
    }

    /// `written`, but no further than `end`: what a flush of the file that ends there can prove.
    #[must_use]
    pub fn written_within(&self, end: Position) -> WrittenTo {
        WrittenTo(self.written.0.min(end))
    }

    /// The end of what has its offsets.
    #[must_use]
    pub const fn appended(&self) -> AppendedTo {
        self.appended
    }

    /// The end of what the device has accepted.
    #[must_use]
    pub const fn written(&self) -> WrittenTo {
        self.written
    }

    /// The end of what the log's own file keeps through a power cut.
    #[must_use]
    pub const fn flushed(&self) -> FlushedTo {
        self.flushed
    }

    /// The end of what the journal has.
    #[must_use]
    pub const fn journaled(&self) -> JournaledTo {
        self.journaled
    }

    /// The end of what survives a power cut, in the log's own file or in the journal.
    #[must_use]
    pub fn safe(&self) -> Position {
        self.flushed.0.max(self.journaled.0)
    }

    /// Bytes appended that the log's own file may lose in a power cut.
    #[must_use]
    pub fn unflushed(&self) -> u64 {
        self.appended.0.since(self.flushed.0)
    }

    fn check(&self) {
        assert!(
            self.appended.0 >= self.written.0
                && self.written.0 >= self.flushed.0
                && self.appended.0 >= self.journaled.0,
            "appended ≥ written ≥ flushed, or appended ≥ journaled, does not hold: {self:?}"
        );
    }
}

#[cfg(test)]
mod tests;
