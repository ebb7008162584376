//! Space for the active segment: its file, and bytes allocated ahead of the batches.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::io::{BLOCK_SIZE, File, Fs, Op, OpenMode};
use crate::limits;
use crate::log::segments::FileState;
use crate::log::{Log, LogOp, Wanted, segment};
use crate::types::Offset;

/// How space is allocated.
pub(super) struct Growth {
    /// Whether a job is at it.
    pub in_flight: bool,
    /// Bytes to allocate next; doubles, so that space grows in step with the traffic.
    pub step: u64,
    /// Bytes that were allocated last. When half of them are left, more are asked for.
    pub last: u64,
    /// Whether the disk had no space for what an append waits for. The append is told, and that is the end of it.
    pub disk_full: bool,
    /// Whether the disk had no space ahead. It is asked again with the next append: asking goes on for ever otherwise.
    pub ahead_refused: bool,
    /// Whether the process may not open another file. Whoever waits for one is told, and that is the end of it.
    pub no_descriptors: bool,
    /// Whether the partition's folder exists.
    pub has_folder: bool,
}

impl Growth {
    /// Space is short: begins with the smallest step again.
    fn ask_for_little(&mut self) {
        self.step = limits::ALLOCATION_STEP_MIN;
        self.last = limits::ALLOCATION_STEP_MIN;
    }
}

impl Log {
    /// Has the active segment's file created, or opened where recovery found it, for a batch of `size` bytes; with 0 for
    /// none yet.
    pub(super) fn bring_active_file<F: Fs>(&mut self, size: u64, out: &mut Wanted<F>) {
        if self.growth.in_flight {
            return;
        }
        let new_folder = !self.growth.has_folder;
        let active = self.segments.active_mut().expect("there is an active segment");
        let (base, header) = (active.header.base_offset, active.header.clone());
        active.file = FileState::Coming;
        let data_dir = Arc::clone(&self.settings.data_dir);
        self.growth.in_flight = true;
        if active.allocated > 0 || active.index.is_started() {
            let path = segment::path(&data_dir, &header);
            out.push((LogOp::Open { base }, Op::Job(Box::new(move |fs: &F| open(fs, &path)))));
            return;
        }
        // What waits for being emptied gets its file first, for which space is kept, and the batch's space then.
        let empty = size == 0 || self.lacks_successor();
        let allocate = if empty { BLOCK_SIZE as u64 } else { self.next_allocation(0, size) };
        self.segments.active_mut().expect("it was just there").allocated = allocate;
        let job = move |fs: &F| {
            let file = if empty {
                segment::prepare_empty(fs, &data_dir, &header)
            } else {
                segment::prepare(fs, &data_dir, &header, allocate, new_folder)
            };
            file.map(File::as_value)
        };
        out.push((LogOp::Prepare { base, awaited: size > 0 }, Op::Job(Box::new(job))));
    }

    /// Has an empty active segment take a batch of `size` bytes: it was begun with a smaller W. Says whether it does
    /// already; if not, a completion will tell.
    pub(super) fn raise_unflushed_max<F: Fs>(&mut self, size: u64, out: &mut Wanted<F>) -> bool {
        if self.growth.in_flight {
            return false;
        }
        let unflushed_max = self.settings.unflushed_max.max(size);
        let active = self.segments.active_mut().expect("there is an active segment");
        active.header.unflushed_max = unflushed_max;
        if active.allocated == 0 && active.file == FileState::Closed {
            // There is no file yet; it will begin with this header.
            return true;
        }
        if let FileState::Open(file) = std::mem::replace(&mut active.file, FileState::Coming) {
            out.push((LogOp::Close, Op::Close { file }));
        }
        let (base, header) = (active.header.base_offset, active.header.clone());
        let data_dir = Arc::clone(&self.settings.data_dir);
        self.growth.in_flight = true;
        let job = move |fs: &F| {
            segment::rewrite_header(fs, &data_dir, &header)?;
            open(fs, &segment::path(&data_dir, &header))
        };
        out.push((LogOp::Open { base }, Op::Job(Box::new(job))));
        false
    }

    /// Has space allocated in the active segment for at least `needed` bytes of batches, for which an append waits.
    pub(super) fn extend<F: Fs>(&mut self, needed: u64, out: &mut Wanted<F>) {
        self.allocate(needed, true, out);
    }

    /// Has space allocated in the active segment before an append needs it, if there is little left.
    pub(super) fn extend_ahead<F: Fs>(&mut self, out: &mut Wanted<F>) {
        let appended = self.positions.appended().position();
        let Some(active) = self.segments.active() else { return };
        let wanted = active.open().is_some()
            && active.allocated < self.settings.segment_bytes_max()
            && active.allocated < appended.since(active.base()) + self.growth.last / 2
            && appended > active.base()
            && !self.growth.ahead_refused;
        if wanted {
            let needed = active.allocated + 1;
            self.allocate(needed, false, out);
        }
    }

    fn allocate<F: Fs>(&mut self, needed: u64, awaited: bool, out: &mut Wanted<F>) {
        if self.growth.in_flight {
            return;
        }
        let active = self.segments.active().expect("only an active segment grows");
        let (Some(file), from, base) = (active.open(), active.allocated, active.header.base_offset) else {
            return;
        };
        let allocated = self.next_allocation(from, needed);
        let enough = needed.next_multiple_of(BLOCK_SIZE as u64);
        self.growth.in_flight = true;
        let job = move |fs: &F| match segment::extend(fs, file, from, allocated - from) {
            // The last bit of space is for whoever waits for it.
            Err(error) if is_full(&error) && awaited && enough < allocated => {
                segment::extend(fs, file, from, enough - from).map(|()| enough)
            }
            extended => extended.map(|()| allocated),
        };
        out.push((LogOp::Extend { base, awaited }, Op::Job(Box::new(job))));
    }

    /// How many bytes of batches should have space, where `from` have it and `needed` are.
    fn next_allocation(&mut self, from: u64, needed: u64) -> u64 {
        let step = self.growth.step;
        self.growth.last = step;
        self.growth.step = (step * 2).min(limits::ALLOCATION_STEP_MAX);
        // No more than a whole segment, unless one batch is larger than that.
        let wanted = (from + step).min(self.settings.segment_bytes_max()).max(needed);
        wanted.next_multiple_of(BLOCK_SIZE as u64)
    }

    /// Everybody who waited for a file that could not be opened for want of a descriptor has been told.
    pub fn forget_descriptors(&mut self) {
        self.growth.no_descriptors = false;
    }

    pub(super) fn file_came(&mut self, op: LogOp, base: Offset, result: io::Result<u64>) {
        let is_active = self.segments.active().is_some_and(|active| active.header.base_offset == base);
        if is_active {
            self.growth.in_flight = false;
        }
        let leaving = self.start.leaving_mut().find(|segment| segment.header.base_offset == base);
        let segment = self.segments.by_base(base).or(leaving);
        let segment = segment.expect("segments stay while their files are coming");
        match result {
            Ok(value) => {
                segment.file = FileState::Open(File::of_value(value));
                self.growth.has_folder = true;
            }
            Err(error) => {
                segment.file = FileState::Closed;
                if is_full(&error)
                    && let LogOp::Prepare { awaited, .. } = op
                {
                    segment.allocated = 0;
                    self.growth.disk_full |= awaited;
                    self.growth.ask_for_little();
                } else if no_descriptors(&error) {
                    if matches!(op, LogOp::Prepare { .. }) {
                        segment.allocated = 0;
                    }
                    self.growth.no_descriptors = is_active;
                } else {
                    self.fail("opening a segment", &error);
                }
            }
        }
    }

    /// `result` is how many bytes of batches have space now.
    pub(super) fn space_came(&mut self, base: Offset, awaited: bool, result: io::Result<u64>) {
        self.growth.in_flight = false;
        match result {
            Ok(allocated) => {
                let segment = self.segments.by_base(base).expect("segments stay while they grow");
                segment.allocated = allocated;
            }
            Err(error) if is_full(&error) => {
                self.growth.disk_full |= awaited;
                self.growth.ahead_refused = true;
                self.growth.ask_for_little();
            }
            Err(error) => self.fail("allocating space", &error),
        }
    }
}

/// Whether the process, or the machine, has as many files open as it may.
#[must_use]
pub fn no_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

/// Opens a segment's file; the job's value is its handle.
pub(super) fn open<F: Fs>(fs: &F, path: &Path) -> io::Result<u64> {
    fs.open(path, OpenMode::Direct).map(File::as_value)
}

#[cfg(test)]
mod tests;
