//! What keeps a partition of `__consumer_offsets` from growing without end: once it has grown by so much, everything that
//! is still true is appended again, and when that is acknowledged, what lies before it is given up.
//!
//! Groups are written some at a time, with whatever else happens in between. That is sound: a group is written as the
//! log's end has it, what is not yet acknowledged included, so writing it again changes nothing.

use tora_engine::types::Offset;

use super::group::State;
use super::message::Name;
use super::record::{self, Record};
use super::{Append, Coordinator, Effects, Then};
use crate::error_code::ErrorCode;
use crate::limits;

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    /// Bytes of records since the log's start.
    grown: u64,
    /// Bytes of the last time's records: what is live cannot be made less.
    live: u64,
    /// The first record of the last append that was acknowledged.
    last: Option<Offset>,
    run: Option<Run>,
}

#[derive(Debug)]
struct Run {
    /// The last group that was written.
    after: Option<Name>,
    /// Whether all were.
    all: bool,
    /// Appends that have not been answered.
    pending: usize,
    /// The first record written.
    first: Option<Offset>,
    /// `grown` when it began.
    began_at: u64,
    bytes: u64,
    failed: bool,
}

impl Compaction {
    pub(super) fn grown_by(&mut self, bytes: u64) {
        self.grown += bytes;
    }

    pub(super) fn acknowledged(&mut self, first: Offset) {
        self.last = Some(first);
    }

    pub(super) fn note(&mut self, appends: &[Append]) {
        let records = appends.iter().flat_map(|append| &append.records);
        self.grown += records.map(Record::size).sum::<usize>() as u64;
    }
}

impl Coordinator {
    /// Begins if it is time to.
    pub(super) fn compact_if_due(&mut self, out: &mut Effects) {
        let limit = self.settings.compact_bytes.max(self.compaction.live.saturating_mul(2));
        if self.compaction.run.is_some() || self.compaction.grown < limit {
            return;
        }
        let began_at = self.compaction.grown;
        self.compaction.run =
            Some(Run { after: None, all: false, pending: 0, first: None, began_at, bytes: 0, failed: false });
        self.write_live(out);
    }

    /// Appends the next groups.
    fn write_live(&mut self, out: &mut Effects) {
        let Some(mut run) = self.compaction.run.take() else { return };
        let mut lot: Vec<Record> = Vec::new();
        let mut lot_bytes = 0;
        let mut written = 0;
        let mut last = None;
        for (name, group) in self.groups_after(run.after.as_ref()) {
            if written >= limits::COMPACTION_STEP_BYTES {
                break;
            }
            let stored = group.stored.iter().filter(|_| group.state() != State::Dead);
            let stored = stored.map(|stored| record::group(name, Some(stored)));
            let offsets = group.offsets.appended().map(|(key, value)| record::offset(name, key, Some(value)));
            for record in stored.chain(offsets) {
                let size = record.size();
                if lot_bytes + size > self.settings.batch_bytes_max && !lot.is_empty() {
                    out.appends.push(Append { records: std::mem::take(&mut lot), then: Then::Compacted });
                    run.pending += 1;
                    lot_bytes = 0;
                }
                lot_bytes += size;
                written += size;
                lot.push(record);
            }
            last = Some(Name::clone(name));
        }
        if !lot.is_empty() {
            out.appends.push(Append { records: lot, then: Then::Compacted });
            run.pending += 1;
        }
        run.all = last.as_ref().is_none_or(|last| self.groups_after(Some(last)).next().is_none());
        run.after = last.or(run.after);
        run.bytes += written as u64;
        self.compaction.grown += written as u64;
        self.compaction.run = Some(run);
        self.end_if_done(out);
    }

    /// A part of it was appended, or was not.
    pub(super) fn compacted(&mut self, outcome: Result<Offset, ErrorCode>, out: &mut Effects) {
        let Some(run) = &mut self.compaction.run else { return };
        run.pending -= 1;
        match outcome {
            Ok(offset) => run.first = Some(run.first.unwrap_or(offset)),
            Err(_) => run.failed = true,
        }
        if run.pending > 0 {
            return;
        }
        if run.all || run.failed {
            self.end_if_done(out);
        } else {
            self.write_live(out);
        }
    }

    fn end_if_done(&mut self, out: &mut Effects) {
        let Some(run) = self.compaction.run.take_if(|run| run.pending == 0 && (run.all || run.failed)) else {
            return;
        };
        self.compaction.grown -= run.began_at;
        if run.failed {
            // Nothing is given up; it is tried again when as much has come again.
            return;
        }
        self.compaction.live = run.bytes;
        // Where nothing is live, everything that was written is of no use.
        out.obsolete_before = run.first.or(self.compaction.last);
    }
}
