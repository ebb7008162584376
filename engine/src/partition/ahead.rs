//! Reading ahead of those who go through a log on the disk: the next piece is read while the one before is on its way to
//! its reader.
//!
//! Who reads on from where a read has ended goes through the log, and what comes after that read is then read before it
//! is asked for. A reader that asks for less than was read ahead does without. How much a shard's readers may have ahead
//! of them is bounded, and what nobody asks for is dropped after a moment.

use super::read_room::Held;
use crate::limits;
use crate::log::read::Run;
use crate::types::Offset;

/// Ends of reads that are remembered of a partition: so many readers may go through it at a time.
const ENDS_MAX: usize = 8;

/// One read made ahead.
struct Piece {
    offset: Offset,
    bytes_max: usize,
    /// How often the shard has looked since it was begun.
    looks: u32,
    state: State,
}

enum State {
    /// The read with this number.
    UnderWay(u64),
    Done {
        run: Run,
        /// Until it is asked for, or dropped.
        _room: Held,
    },
    /// Under way, but nobody is to have it any more.
    Unwanted(u64),
}

/// What there is for a reader.
pub enum Found {
    /// A read with this number is on its way.
    UnderWay(u64),
    /// It has come.
    Done(Run),
}

/// What is read ahead of a partition's readers.
#[derive(Default)]
pub struct Ahead {
    pieces: Vec<Piece>,
    /// Where reads have ended of late, the oldest first.
    ends: Vec<Offset>,
}

impl Ahead {
    /// Notes a read from `from` to `next`; says whether it began where an earlier one ended.
    pub fn goes_on(&mut self, from: Offset, next: Offset) -> bool {
        let known = self.ends.iter().position(|end| *end == from);
        if let Some(at) = known {
            self.ends.remove(at);
        } else if self.ends.len() >= ENDS_MAX {
            self.ends.remove(0);
        }
        self.ends.push(next);
        known.is_some()
    }

    /// Whether a read from `offset` may begin: there is room, and none like it.
    pub fn may_begin(&self, offset: Offset, free: &usize) -> bool {
        *free > 0 && !self.pieces.iter().any(|piece| piece.offset == offset)
    }

    /// Read `id` has begun; its place is taken from `free`.
    pub fn begin(&mut self, offset: Offset, bytes_max: usize, id: u64, free: &mut usize) {
        *free -= 1;
        self.pieces.push(Piece { offset, bytes_max, looks: 0, state: State::UnderWay(id) });
    }

    /// Takes what was read ahead for a read from `offset`, and gives its place back to `free`.
    pub fn take(&mut self, offset: Offset, bytes_max: usize, free: &mut usize) -> Option<Found> {
        let wanted = |piece: &Piece| piece.offset == offset && !matches!(piece.state, State::Unwanted(_));
        let at = self.pieces.iter().position(wanted)?;
        if self.pieces[at].bytes_max > bytes_max {
            self.forget(at, free);
            return None;
        }
        let piece = self.pieces.swap_remove(at);
        *free += 1;
        Some(match piece.state {
            State::UnderWay(id) => Found::UnderWay(id),
            State::Done { run, .. } => Found::Done(run),
            State::Unwanted(_) => unreachable!("it was left out"),
        })
    }

    /// A read that nobody has asked for yet has ended; `None` where it failed or nobody is to have it.
    pub fn came(&mut self, id: u64, run: Option<(Run, Held)>, free: &mut usize) {
        let is_it = |piece: &Piece| match piece.state {
            State::UnderWay(under_way) | State::Unwanted(under_way) => under_way == id,
            State::Done { .. } => false,
        };
        let at = self.pieces.iter().position(is_it).expect("a read without a reader was made ahead");
        match run.filter(|_| matches!(self.pieces[at].state, State::UnderWay(_))) {
            Some((run, room)) => self.pieces[at].state = State::Done { run, _room: room },
            None => {
                self.pieces.swap_remove(at);
                *free += 1;
            }
        }
    }

    /// Drops everything.
    pub fn forget_all(&mut self, free: &mut usize) {
        for at in (0..self.pieces.len()).rev() {
            self.forget(at, free);
        }
    }

    /// Others wait for the room that it has: drops what has come. What is under way may still be asked for before that.
    pub fn give_up(&mut self, free: &mut usize) {
        let before = self.pieces.len();
        self.pieces.retain(|piece| !matches!(piece.state, State::Done { .. }));
        *free += before - self.pieces.len();
    }

    /// The shard looks: drops what nobody has asked for in so many looks.
    pub fn expire(&mut self, free: &mut usize) {
        for at in (0..self.pieces.len()).rev() {
            self.pieces[at].looks += 1;
            if self.pieces[at].looks > limits::READ_AHEAD_LOOKS {
                self.forget(at, free);
            }
        }
    }

    /// Bytes of what has come.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let bytes = |piece: &Piece| match &piece.state {
            State::Done { run, .. } => run.slices.iter().map(|slice| slice.len()).sum(),
            State::UnderWay(_) | State::Unwanted(_) => 0,
        };
        self.pieces.iter().map(bytes).sum()
    }

    /// Drops a piece, whose place is given back when its read has ended.
    fn forget(&mut self, at: usize, free: &mut usize) {
        match self.pieces[at].state {
            State::UnderWay(id) => self.pieces[at].state = State::Unwanted(id),
            State::Unwanted(_) => {}
            State::Done { .. } => {
                self.pieces.swap_remove(at);
                *free += 1;
            }
        }
    }
}

const _: () = assert!(limits::READS_AHEAD_MAX > 0);

#[cfg(test)]
mod tests;
