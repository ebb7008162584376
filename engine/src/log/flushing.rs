//! Writing and flushing: what goes to the device next, and what its completions mean.
//!
//! A partition goes round in a cycle: everything that has been appended is written, then flushed, then acknowledged; what
//! arrives meanwhile is gathered and makes the next round. So a round costs a write and a flush however many appends it
//! holds. Only a group that is large enough to keep the device busy is written while the round before it is under way.

use std::io;
use std::sync::Arc;

use crate::io::{CHUNK_SIZE, Completion, Fs, Op};
use crate::limits;
use crate::log::appender::{COPIED_BYTES_MAX, Extent, Moved, Target};
use crate::log::positions::WrittenTo;
use crate::log::segment::HEADER_SIZE;
use crate::log::{FlushMode, Log, LogOp, Wanted, segment};

impl Log {
    /// Has everything written that can be and is not left to the journal, and space allocated ahead. `journal_max` is how much
    /// the journal takes of one log at a time, `None` where there is none.
    pub fn pump<F: Fs>(&mut self, journal_max: Option<u64>, out: &mut Wanted<F>) {
        if self.failed.is_some() {
            return;
        }
        let appended = self.positions.appended().position();
        let extent = if self.is_round_under_way() { Extent::WholeBlocks } else { Extent::All };
        let gathered = appended.since(self.appender.submitted());
        let waits = extent == Extent::WholeBlocks && gathered < limits::GROUP_BYTES;
        let writes = !waits && self.writes_itself(journal_max);
        while writes && self.appender.submitted() < appended {
            let Some(segment) = self.segments.at(self.appender.submitted()) else { break };
            // Crossing into a new segment needs the old one flushed: what stands in the new one proves to recovery
            // that everything before it was.
            if segment.base() > self.positions.flushed().position() {
                break;
            }
            let Some(file) = segment.open() else { break };
            let base = segment.base();
            let limit = segment.end.unwrap_or(appended);
            let ends = segment.end.is_some();
            let durably = self.may_write_durably();
            // What is settled is one write where it can be: nobody waits for it, and every write costs the device.
            let nobody_waits = self.is_unsettled() && self.journal_pending() == 0;
            let copied_max = if nobody_waits { CHUNK_SIZE } else { COPIED_BYTES_MAX };
            let target = Target { file, base, header_size: HEADER_SIZE, limit, ends, durably, copied_max };
            if !self.appender.pump(&self.tail, target, extent, out) {
                break;
            }
        }
        self.extend_ahead(out);
    }

    /// Has everything appended so far flushed as soon as it is written, whatever the mode.
    pub fn want_flush(&mut self) {
        self.flush_wanted = self.positions.appended().position();
    }

    /// Within how many milliseconds what is unflushed has to be flushed; `None` where nothing is, or where something else
    /// sees to it. While a flush is wanted already, its completion does: the time of what comes meanwhile begins then.
    #[must_use]
    pub fn flush_within(&self) -> Option<u64> {
        let within = self.settings.flush_ms?;
        let behind = self.settings.flush == FlushMode::Behind && self.failed.is_none();
        (behind && self.positions.unflushed() > 0 && !self.is_settling()).then_some(within)
    }

    /// Whether the next round, if it is one small write, may be that write alone: it then has to be durable by itself, and
    /// to follow what is on the disk.
    fn may_write_durably(&self) -> bool {
        self.settings.durable_writes
            && self.settings.flush == FlushMode::BeforeAcknowledging
            && !self.flush_in_flight
            && self.positions.flushed().position() == self.appender.submitted()
    }

    fn written<F: Fs>(&mut self, moved: Moved, out: &mut Wanted<F>) {
        if let Some(end) = moved.written {
            self.positions.write_completed(end);
        }
        if let Some(end) = moved.flushed {
            self.flushed(self.positions.written_within(end), out);
        }
    }

    fn flushed<F: Fs>(&mut self, target: WrittenTo, out: &mut Wanted<F>) {
        self.positions.flush_completed(target);
        self.durable.advance(target.position());
        self.seal_flushed(out);
    }

    /// Whether what is appended now would be acknowledged with the next round only.
    fn is_round_under_way(&self) -> bool {
        let flushing = self.flush_in_flight && self.settings.flush == FlushMode::BeforeAcknowledging;
        self.appender.is_writing() || flushing
    }

    /// Whether there is something to flush now.
    #[must_use]
    pub fn flush_due(&self) -> bool {
        let unflushed = self.positions.written().position().since(self.positions.flushed().position());
        let due = match self.settings.flush {
            // The whole round, unless so much is written that the rest of it would keep that waiting.
            FlushMode::BeforeAcknowledging => {
                unflushed > 0 && (!self.appender.is_writing() || unflushed >= 2 * limits::GROUP_BYTES)
            }
            // Half of W, so that appends need not wait for the flush.
            // A segment that has ended is flushed at once, since the next one's writes wait for it.
            FlushMode::Behind => {
                unflushed >= self.settings.unflushed_max / 2
                    || self.has_ended_unflushed()
                    || (self.wants_flush && unflushed > 0)
                    || (self.flush_wanted > self.positions.flushed().position() && unflushed > 0)
            }
        };
        due && !self.flush_in_flight && self.failed.is_none()
    }

    fn has_ended_unflushed(&self) -> bool {
        let flushed = self.positions.flushed().position();
        let ended = self.segments.at(flushed).and_then(|segment| segment.end);
        ended.is_some_and(|end| self.positions.written().position() >= end && end > flushed)
    }

    /// Has what is written flushed: one segment, one flush in flight.
    pub fn flush<F: Fs>(&mut self, out: &mut Wanted<F>) {
        if self.flush_in_flight || self.failed.is_some() {
            return;
        }
        let from = self.positions.flushed().position();
        let Some(segment) = self.segments.at(from) else { return };
        let target =
            self.positions.written_within(segment.end.unwrap_or(self.positions.written().position()));
        let Some(file) = segment.open() else { return };
        if target.position() > from {
            self.flush_in_flight = true;
            out.push((LogOp::Flush { target }, Op::Flush { file }));
        }
    }

    /// An operation has ended, other than a read's. Says whether the watermark moved.
    pub fn complete<F: Fs>(&mut self, op: LogOp, completion: Completion, out: &mut Wanted<F>) -> bool {
        let result = completion.result;
        match op {
            LogOp::Write { id } => match self.appender.complete(id, result, out) {
                Ok(moved) => self.written(moved, out),
                Err(error) => self.fail("writing", &error),
            },
            LogOp::Flush { target } => {
                self.flush_in_flight = false;
                match result {
                    Ok(_) => self.flushed(target, out),
                    Err(error) => self.fail("flushing", &error),
                }
            }
            LogOp::Prepare { base, .. } | LogOp::Open { base } => self.file_came(op, base, result),
            LogOp::Extend { base, awaited } => self.space_came(base, awaited, result),
            LogOp::Seal { base } => {
                self.segments.by_base(base).expect("segments stay while they are sealed").sealing = false;
                if let Err(error) = result {
                    log::warn!("{}: sealing a segment failed, it stays untrimmed: {error}", self.id);
                }
            }
            LogOp::Remove => self.removed(&result),
            LogOp::Close => {}
            LogOp::Read { .. } => unreachable!("reads are completed by their owner"),
        }
        self.advance_high_watermark()
    }

    /// Has segments that have ended and are flushed trimmed.
    fn seal_flushed<F: Fs>(&mut self, out: &mut Wanted<F>) {
        let flushed = self.positions.flushed().position();
        // With each flush: a log may have a hundred thousand that were sealed long ago.
        for segment in self.segments.unsealed_mut() {
            let Some(end) = segment.end.filter(|end| *end <= flushed) else { break };
            (segment.sealed, segment.sealing) = (true, true);
            let base = segment.header.base_offset;
            let (header, index) = (segment.header.clone(), segment.index.clone());
            let (data_dir, len) = (Arc::clone(&self.settings.data_dir), end.since(segment.base()));
            let job = move |fs: &F| segment::seal(fs, &data_dir, &header, len, &index).map(|()| 0);
            out.push((LogOp::Seal { base }, Op::Job(Box::new(job))));
        }
    }

    pub(super) fn fail(&mut self, doing: &str, error: &io::Error) {
        if self.failed.is_none() {
            log::error!("{}: {doing} failed, the partition takes no more: {error}", self.id);
            self.failed = Some(format!("{doing} failed: {error}"));
        }
    }
}

#[cfg(test)]
mod tests;
