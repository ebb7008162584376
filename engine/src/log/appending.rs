//! Appending: what a batch needs before it can be taken, and taking it.

use crate::batch::{BatchHeader, layout};
use crate::error::Error;
use crate::io::{Fs, Pool};
use crate::log::segment::SegmentHeader;
use crate::log::segments::{FileState, Segment};
use crate::log::{Log, Wanted, index};
use crate::types::{Offset, Position};

/// Whether a batch can be appended now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It can.
    Now,
    /// It has to wait for space on the disk or for flushes; a completion will make room.
    Later,
}

impl Log {
    /// Whether a batch of `size` bytes fits now, whose records are of `timestamp` at the latest; asks for what is missing if
    /// not.
    ///
    /// # Errors
    /// [`Error::Storage`] once the storage has failed, [`Error::DiskFull`] while there is no space.
    pub fn admit<F: Fs>(
        &mut self,
        size: usize,
        timestamp: i64,
        out: &mut Wanted<F>,
    ) -> Result<Admission, Error> {
        self.check_failed()?;
        if std::mem::take(&mut self.growth.disk_full) {
            return Err(Error::DiskFull);
        }
        if std::mem::take(&mut self.growth.no_descriptors) {
            return Err(Error::TooManyFiles);
        }
        let size = size as u64;
        let appended = self.positions.appended().position();
        let rolls = |active: &Segment| {
            let used = appended.since(active.base());
            // A segment of an earlier opening may have been begun with a smaller W.
            let too_large = size > active.header.unflushed_max;
            // By the batches' own times, as Kafka does, so that old records that are copied over roll as they once did.
            let first = active.first_timestamp;
            let too_late = first >= 0 && timestamp.saturating_sub(first) > self.settings.segment_ms;
            // Compressed batches may claim any number of records.
            let offsets = self.next_offset.value() - active.header.base_offset.value();
            let too_far = offsets > i64::from(index::RELATIVE_MAX);
            used > 0 && (used + size > self.settings.segment_bytes_max() || too_large || too_late || too_far)
        };
        if self.segments.active().is_none_or(rolls) {
            if self.growth.in_flight {
                return Ok(Admission::Later);
            }
            self.roll(size, out);
        }
        let used = self.positions.appended().position();
        let active = self.segments.active().expect("rolling made one");
        let used = used.since(active.base());
        if used == 0 && size > active.header.unflushed_max && !self.raise_unflushed_max(size, out) {
            return Ok(Admission::Later);
        }
        let active = self.segments.active().expect("it was just there");
        match active.file {
            FileState::Open(_) => {}
            FileState::Coming => return Ok(Admission::Later),
            FileState::Closed => {
                self.bring_active_file(size, out);
                return Ok(Admission::Later);
            }
        }
        if used + size > active.allocated {
            self.extend(used + size, out);
            return Ok(Admission::Later);
        }
        // Counted from a batch's end: a batch flushed in part is as good as not flushed, and recovery counts W from where
        // the first bad batch begins.
        let unflushed = self.positions.appended().position().since(self.durable.position());
        self.wants_flush = unflushed > 0 && unflushed + size > active.header.unflushed_max;
        if self.wants_flush {
            return Ok(Admission::Later);
        }
        Ok(Admission::Now)
    }

    /// Appends a validated batch that was admitted, stamping offset and epoch. Returns its base offset and where it ends.
    pub fn append(
        &mut self,
        batch: &[u8],
        header: &BatchHeader,
        pool: &Pool,
        clock: &mut u64,
    ) -> (Offset, Position) {
        let (base, start) = (self.next_offset, self.positions.appended().position());
        let mut stamped = [0; layout::MAGIC];
        stamped.copy_from_slice(&batch[..layout::MAGIC]);
        stamped[..8].copy_from_slice(&base.value().to_be_bytes());
        stamped[layout::LEADER_EPOCH..].copy_from_slice(&self.settings.epoch.value().to_be_bytes());
        self.tail.push(&stamped, pool, clock);
        self.tail.push(&batch[layout::MAGIC..], pool, clock);
        self.tail.note_batch(start, base);
        self.positions.append(batch.len() as u64);
        self.next_offset = base.plus(i64::from(header.records_count));
        self.growth.ahead_refused = false;
        let end = self.positions.appended().position();
        self.watermark.batch_appended(end, self.next_offset);
        self.durable.batch_appended(end, self.next_offset);
        let active = self.segments.active_mut().expect("admitted to the active segment");
        let mut stored = *header;
        stored.base_offset = base;
        if !active.index.is_started() {
            active.first_timestamp = header.max_timestamp;
        }
        active.index.add(&stored, start);
        (base, end)
    }

    /// Ends the active segment, if any, and starts the next, for a batch of `size` bytes, or, with 0, for none yet.
    pub(super) fn roll<F: Fs>(&mut self, size: u64, out: &mut Wanted<F>) {
        let end = self.positions.appended().position();
        if let Some(active) = self.segments.active_mut() {
            active.end = Some(end);
            self.tail.start_file();
        }
        let header = SegmentHeader {
            partition: self.id,
            base_offset: self.next_offset,
            base_position: end,
            // A batch that waited was judged by the settings of its time.
            unflushed_max: self.settings.unflushed_max.max(size),
        };
        let index = index::SparseIndex::new(header.base_offset, header.base_position);
        self.segments.push(Segment {
            header,
            end: None,
            file: FileState::Closed,
            allocated: 0,
            sealed: false,
            sealing: false,
            first_timestamp: -1,
            index,
        });
        self.bring_active_file(size, out);
    }
}

#[cfg(test)]
mod tests;
