//! Closing the files of a log that nobody uses just now. They are opened again when they are needed.

use crate::io::{Fs, Op};
use crate::log::segments::FileState;
use crate::log::{Log, LogOp, Wanted};

/// What became of a log's open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// None is open any more, or all are being closed.
    Closed,
    /// There is something to be flushed first, and it will be.
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
            if written < appended {
                return Idle::InUse;
            }
            if flushed < written {
                self.flush_wanted = written;
                return Idle::Unflushed;
            }
        }
        let mut all = true;
        for segment in self.segments.iter_mut().chain(self.start.leaving_mut()) {
            match segment.file {
                FileState::Open(file) => {
                    segment.file = FileState::Closed;
                    out.push((LogOp::Close, Op::Close { file }));
                }
                // It is opened, or waits for that, and stays what it is.
                FileState::Coming => all = false,
                FileState::Closed => {}
            }
        }
        if all || !out.is_empty() { Idle::Closed } else { Idle::InUse }
    }
}
