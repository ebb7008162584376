//! The largest timestamp of what readers get: what the indexes tell of it, and which batches have to be looked at.
//!
//! An index covers every batch of its segment that was appended. Readers get less: nothing that is unacknowledged, and
//! nothing before the log's start. What an index says of its last entry stands for all batches before that; so of the
//! segment in which the visible part ends an interval or so is left to be looked at. And where the batch that an index
//! knows for its segment lies before the log's start, it says nothing of those behind: they are looked at, all of them,
//! unless something else is newer than the whole segment, or as new and before them.

use crate::log::{Log, Segment};
use crate::types::Offset;

/// How far a search for the largest timestamp has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    best: Option<(i64, Offset)>,
    /// What lies before this needs no look.
    from: Offset,
    /// Where the visible part ended when the search began: what comes meanwhile does not prolong it.
    upto: Offset,
}

impl Newest {
    /// The largest timestamp so far, in milliseconds since the Unix epoch, and the first offset at which its record may be.
    #[must_use]
    pub const fn best(&self) -> Option<(i64, Offset)> {
        self.best
    }

    /// Whether the log starts behind what was the best so far.
    #[must_use]
    pub fn lies_before(&self, start: Offset) -> bool {
        self.best.is_some_and(|(_, offset)| offset < start)
    }

    /// The first offset that counts of what is looked at next.
    #[must_use]
    pub const fn from(&self) -> Offset {
        self.from
    }

    /// There is a record with this timestamp at this offset, or the first of those that have it lies behind that.
    pub fn consider(&mut self, timestamp: i64, offset: Offset) {
        if self.is_beaten_by(timestamp, offset) {
            self.best = Some((timestamp, offset));
        }
    }

    /// Whether a record with this timestamp at this offset would be the best so far.
    fn is_beaten_by(&self, timestamp: i64, offset: Offset) -> bool {
        // Of those that have the same, the first; what has none, −1, does not count.
        match self.best {
            Some((best, at)) => timestamp > best || (timestamp == best && offset < at),
            None => timestamp >= 0,
        }
    }

    /// Everything before this offset has been looked at.
    pub fn looked_upto(&mut self, offset: Offset) {
        self.from = self.from.max(offset);
    }

    /// There is nothing more to be looked at.
    pub fn looked_at_all(&mut self) {
        self.from = self.upto;
    }
}

impl Log {
    /// Begins to look for the largest timestamp.
    #[must_use]
    pub fn newest(&self) -> Newest {
        Newest { best: None, from: self.start_offset(), upto: self.visible_upto() }
    }

    /// Considers what the indexes vouch for. Says from where on batches have to be looked at, if any may be newer.
    pub fn newest_unseen(&self, newest: &mut Newest) -> Option<Offset> {
        let (start, visible) = (self.start_offset(), self.visible_upto());
        newest.looked_upto(start);
        let (from, upto) = (newest.from, newest.upto);
        let ahead = || {
            let is_ahead = move |segment: &&Segment| {
                segment.index.covered_to().offset > from && segment.header.base_offset < upto
            };
            self.segments.iter().filter(is_ahead)
        };
        for segment in ahead() {
            if let (Some((timestamp, offset)), _) = segment.index.max_timestamp_below(visible)
                && offset >= start
            {
                newest.consider(timestamp, offset);
            }
        }
        newest.from = ahead().find_map(|segment| {
            let (known, known_upto) = segment.index.max_timestamp_below(visible);
            let is_vouched_for = known.is_none_or(|(_, offset)| offset >= start);
            let unseen = from.max(if is_vouched_for { known_upto } else { segment.header.base_offset });
            let may_be_better = newest.is_beaten_by(segment.index.max_timestamp(), unseen);
            (may_be_better && unseen < segment.index.covered_to().offset.min(upto)).then_some(unseen)
        })?;
        Some(newest.from)
    }
}
