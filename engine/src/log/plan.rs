//! Planning a read: from memory, or where on the disk.

use crate::error::Error;
use crate::io::{Fs, Op};
use crate::limits;
use crate::log::read::{Find, Place, Run};
use crate::log::segment::HEADER_SIZE;
use crate::log::segments::{FileState, Segment};
use crate::log::{Log, LogOp, Wanted, segment, space};
use crate::types::{Offset, Position};

/// Where a read is served from.
pub enum Plan {
    /// From memory.
    Ready(Run),
    /// From memory, later: a search has gone through as much as it may in one go, and goes on with this offset.
    Further(Offset),
    /// From the disk.
    Cold(Place),
    /// From the disk, once the file is open: ask again after the next [`LogOp::Open`].
    AfterOpening,
}

impl Log {
    /// Plans a read of whole batches from the one that `find` names, or of bytes.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`], also for bytes that the log does not hold any more, or [`Error::Storage`] once the
    /// storage has failed.
    pub fn plan_read<F: Fs>(
        &mut self,
        find: Find,
        bytes_max: usize,
        out: &mut Wanted<F>,
    ) -> Result<Plan, Error> {
        self.check_failed()?;
        let visible = self.watermark.position();
        let Some(segment) = self.segment_for(find)? else { return Ok(Plan::Ready(Run::empty())) };
        let base = segment.base();
        let mut from = match find {
            Find::Offset(offset) => segment.index.lookup(offset),
            Find::Timestamp { at_least, from } => {
                segment.index.lookup_time(at_least).max(segment.index.lookup(from))
            }
            Find::Bytes(at) => at,
        };
        if let Find::Offset(offset) | Find::Timestamp { from: offset, .. } = find
            && let Some(at) = self.tail.batch_before(offset)
        {
            from = from.max(at);
        }
        let nothing_asked = bytes_max == 0 && matches!(find, Find::Bytes(_));
        if from >= visible || nothing_asked {
            return Ok(Plan::Ready(Run::empty()));
        }
        if from >= self.tail.start() {
            return Ok(self.hot_read(from, find, bytes_max));
        }
        // What is visible need not be in the file yet; the tail has it.
        let readable = segment.end.unwrap_or(visible).min(visible);
        let limit = readable.min(self.durable.position());
        let behind = (limit < readable).then(|| self.durable.offset());
        let header_size = HEADER_SIZE;
        match segment.file {
            FileState::Open(file) => Ok(Plan::Cold(Place { file, base, header_size, from, limit, behind })),
            FileState::Coming => Ok(Plan::AfterOpening),
            FileState::Closed => {
                let (base, path) =
                    (segment.header.base_offset, segment::path(&self.settings.data_dir, &segment.header));
                let segment = self.segments.by_base(base).expect("it was just found");
                segment.file = FileState::Coming;
                if segment.end.is_none() {
                    self.growth.in_flight = true;
                }
                out.push((LogOp::Open { base }, Op::Job(Box::new(move |fs: &F| space::open(fs, &path)))));
                Ok(Plan::AfterOpening)
            }
        }
    }

    /// The segment in which a search begins; `None` where nothing can be found.
    fn segment_for(&self, find: Find) -> Result<Option<&Segment>, Error> {
        match find {
            Find::Offset(offset) => {
                // Offsets past the watermark that exist already are about to become visible.
                if offset < self.start_offset() || offset > self.next_offset {
                    return Err(Error::OffsetOutOfRange {
                        start: self.start_offset(),
                        end: self.watermark.offset(),
                    });
                }
                if offset >= self.watermark.offset() {
                    return Ok(None);
                }
                Ok(self.segments.of_offset(offset))
            }
            Find::Bytes(at) => match self.segments.at(at) {
                Some(segment) => Ok(Some(segment)),
                None => {
                    Err(Error::OffsetOutOfRange { start: self.start_offset(), end: self.watermark.offset() })
                }
            },
            Find::Timestamp { at_least, from } => Ok(self.segments.iter().find(|segment| {
                segment.index.max_timestamp() >= at_least && segment.index.covered_to().offset > from
            })),
        }
    }

    /// Whole batches from the tail; `begin` is a batch's start at or before the one wanted.
    fn hot_read(&self, begin: Position, find: Find, bytes_max: usize) -> Plan {
        let visible = self.watermark.position();
        if let Find::Bytes(at) = find {
            let to = at.plus(visible.since(at).min(bytes_max as u64));
            return Plan::Ready(Run { at, slices: self.tail.slices(at, to), next: None });
        }
        let mut from = begin;
        let mut batch = self.tail.peek(from);
        while !find.matches(&batch) {
            from = from.plus(batch.size as u64);
            if from >= visible {
                return Plan::Ready(Run::empty());
            }
            if let Find::Timestamp { from: searched, .. } = find
                && from.since(begin) >= limits::SEARCH_STEP_BYTES as u64
                // An interval of the index may lie before that.
                && batch.last_offset >= searched.value()
            {
                return Plan::Further(Offset::new(batch.last_offset + 1));
            }
            batch = self.tail.peek(from);
        }
        let wanted_end = from.plus(visible.since(from).min(bytes_max as u64));
        let mut end = from.plus(batch.size as u64);
        // The index knows a batch's start close to the end of what is wanted: no need to walk there.
        if let Some(near) = self.segments.at(from).and_then(|segment| segment.index.floor(wanted_end)) {
            end = end.max(near);
        }
        while end < wanted_end {
            let next = end.plus(self.tail.peek(end).size as u64);
            if next > wanted_end {
                break;
            }
            end = next;
        }
        Plan::Ready(Run { at: from, slices: self.tail.slices(from, end), next: None })
    }

    /// Where a search goes on that has found nothing in the first segment that it looked at: batches of that one reach the
    /// timestamp, but only before the offset that counts. `None` where the log ends.
    #[must_use]
    pub fn search_goes_on(&self, find: Find) -> Option<Offset> {
        let searched = self.segment_for(find).ok().flatten()?;
        searched.end.map(|_| searched.index.covered_to().offset)
    }
}

#[cfg(test)]
mod tests;
