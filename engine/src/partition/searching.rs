//! Searches for an offset by timestamp, in steps.
//!
//! A step goes through so many bytes of batches in memory ([`limits::SEARCH_STEP_BYTES`]), or makes one read from the
//! disk. Where it does not come to an answer the search goes to the end of the shard's queue, of which one a turn takes
//! its next step: producers decide what the headers of batches promise, and no search keeps a core busy because of it.

use std::collections::VecDeque;

use super::lookup::{self, Sought};
use super::reading::{Purpose, Reading, Search};
use super::{Context, Partition};
use crate::error::Error;
use crate::io::Fs;
use crate::limits;
use crate::log::Newest;
use crate::log::read::{Find, Run};
use crate::mailbox::ReplyTo;
use crate::request::{FoundOffset, OffsetQuery, Reply};
use crate::types::{Offset, PartitionId, Position};

/// Searches that go on with later turns, the next one first.
pub type Searches = VecDeque<(PartitionId, Search)>;

/// No such record.
const NOTHING: FoundOffset = FoundOffset { offset: Offset::new(-1), timestamp: -1, leader_epoch: -1 };

/// What comes of a step.
enum Step {
    /// The answer.
    Found(FoundOffset),
    /// The search reads this next.
    Next { purpose: Purpose, find: Find, bytes_max: usize },
}

impl Partition {
    /// Finds an offset.
    pub fn list_offset<F: Fs>(&mut self, from: ReplyTo, query: OffsetQuery, cx: &mut Context<'_, F>) {
        if let Some(why) = self.log.failure() {
            let failed = Err(Error::Storage(why.to_owned()));
            cx.replies.push((from, Reply::ListOffset(failed)));
            return;
        }
        let step = match query {
            OffsetQuery::Earliest => Step::Found(FoundOffset { offset: self.log.start_offset(), ..NOTHING }),
            OffsetQuery::Latest => Step::Found(FoundOffset { offset: self.log.visible_upto(), ..NOTHING }),
            OffsetQuery::ForTimestamp(at_least) => {
                let find = Find::Timestamp { at_least, from: self.log.start_offset() };
                // One batch is enough, and the first one is returned whatever its size.
                Step::Next { purpose: Purpose::AtTime, find, bytes_max: 1 }
            }
            OffsetQuery::MaxTimestamp => self.seek_newest(self.log.newest()),
        };
        match step {
            Step::Found(found) => cx.replies.push((from, Reply::ListOffset(Ok(found)))),
            Step::Next { purpose, find, bytes_max } => {
                self.plan(Reading { from, purpose, find, bytes_max }, cx);
            }
        }
    }

    /// A search's read has ended, or failed: answers it, or has it go on later. `behind` is
    /// [`ColdRead::behind`](crate::log::read::ColdRead::behind).
    pub(super) fn searched<F>(
        &self,
        search: Reading,
        outcome: Result<Run, Error>,
        behind: Option<Offset>,
        cx: &mut Context<'_, F>,
    ) {
        let found = match self.step(search.purpose, search.find, outcome, behind) {
            Ok(Step::Next { purpose, find, bytes_max }) => {
                let reading = Reading { purpose, find, bytes_max, ..search };
                cx.searches.push_back((self.id, Search { reading, from: Position::ZERO }));
                return;
            }
            Ok(Step::Found(found)) => Ok(found),
            Err(error) => Err(error),
        };
        cx.replies.push((search.from, Reply::ListOffset(found)));
    }

    /// A search has found nothing before an offset so far, whose batch does not lie before `from`.
    pub(super) fn search_later<F>(
        &self,
        search: Reading,
        offset: Offset,
        from: Position,
        cx: &mut Context<'_, F>,
    ) {
        let reading = Reading { find: further_on(search.find, offset), ..search };
        cx.searches.push_back((self.id, Search { reading, from }));
    }

    fn step(
        &self,
        purpose: Purpose,
        find: Find,
        outcome: Result<Run, Error>,
        behind: Option<Offset>,
    ) -> Result<Step, Error> {
        let sought = match (purpose, find) {
            (Purpose::Newest(newest), Find::Offset(_)) => return self.looked_for_newest(newest, outcome),
            (Purpose::Newest(_), _) => lookup::newest_record(&outcome?.slices, find)?,
            _ => lookup::find_record(&outcome?.slices, find)?,
        };
        let (from, bytes_max) = match sought {
            Sought::Found(found) => return Ok(Step::Found(found)),
            Sought::Nowhere => (behind.or_else(|| self.log.search_goes_on(find)), 1),
            // Where batches do not hold what they promise, fetching them one by one would take too long.
            Sought::Behind(offset) => (Some(offset), limits::SEARCH_STEP_BYTES),
        };
        Ok(match (from, purpose) {
            (Some(from), _) => Step::Next { purpose, find: further_on(find, from), bytes_max },
            // The log's start has moved past the newest one meanwhile.
            (None, Purpose::Newest(newest)) if newest.lies_before(self.log.start_offset()) => {
                self.seek_newest(self.log.newest())
            }
            (None, _) => Step::Found(NOTHING),
        })
    }

    /// What to read for the largest timestamp: batches that may have it, or, where it is known, its record's.
    fn seek_newest(&self, mut newest: Newest) -> Step {
        let unseen = self.log.newest_unseen(&mut newest);
        let purpose = Purpose::Newest(newest);
        match (unseen, newest.best()) {
            (Some(unseen), _) => {
                Step::Next { purpose, find: Find::Offset(unseen), bytes_max: limits::SEARCH_STEP_BYTES }
            }
            (None, Some((at_least, from))) => {
                Step::Next { purpose, find: Find::Timestamp { at_least, from }, bytes_max: 1 }
            }
            (None, None) => Step::Found(NOTHING),
        }
    }

    /// Batches that may have the largest timestamp are here.
    fn looked_for_newest(&self, mut newest: Newest, outcome: Result<Run, Error>) -> Result<Step, Error> {
        match outcome {
            Ok(run) => lookup::look_for_newest(&run.slices, &mut newest)?,
            // The log's start has moved past them meanwhile.
            Err(Error::OffsetOutOfRange { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(self.seek_newest(newest))
    }
}

/// The same search from an offset on.
fn further_on(find: Find, from: Offset) -> Find {
    match find {
        Find::Timestamp { at_least, .. } => Find::Timestamp { at_least, from },
        Find::Offset(_) | Find::Bytes(_) => find,
    }
}
