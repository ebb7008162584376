//! Closing the files of a log that nobody uses just now. They are opened again when they are needed.

use crate::io::Fs;
use crate::log::segments::FileState;
use crate::log::{Log, Wanted};

/// What became of a log's open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// None is open any more, or all are being closed.
    Closed,
    /// There is something to be written or flushed first, and it will be.
    Unflushed,
    /// There is something to be written, or a file is just coming.
    InUse,
}

impl Log {
    /// Has the open files closed, if nothing is to be written to them. No write, flush or read of this log may be in
    /// flight.
    pub fn close_idle<F: Fs>(&mut self, out: &mut Wanted<F>) -> Idle {
        let [appended, written, flushed] = [
            self.positions.appended().position(),
            self.positions.written().position(),
            self.positions.flushed().position(),
        ];
        if self.failed.is_none() {
            let is_journaled = self.positions.safe() == appended;
            if written < appended && !is_journaled {
                return Idle::InUse;
            }
            if flushed < appended {
                self.flush_wanted = appended;
                return Idle::Unflushed;
            }
        }
        self.close_files(out);
        // One that is opened, or waits for that, stays what it is.
        let mut segments = self.segments.iter_mut().chain(self.start.leaving_mut());
        let is_coming = segments.any(|segment| segment.file == FileState::Coming);
        if is_coming && out.is_empty() { Idle::InUse } else { Idle::Closed }
    }
}
