//! The files of one log, oldest first; the last one is the active segment.

use std::collections::VecDeque;

use crate::io::File;
use crate::log::index::SparseIndex;
use crate::log::segment::SegmentHeader;
use crate::types::{Offset, Position};

/// How a segment's file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Not open: nobody has read it since the start.
    Closed,
    /// A helper job is creating or opening it.
    Coming,
    /// Open past the page cache.
    Open(File),
}

/// One file and what is known of it.
pub struct Segment {
    /// As the file begins.
    pub header: SegmentHeader,
    /// Where its batches end; `None` while it is the active one.
    pub end: Option<Position>,
    /// Its file.
    pub file: FileState,
    /// Bytes of batches that have space on the disk.
    pub allocated: u64,
    /// Whether it is trimmed, with its index beside it, or about to be.
    pub sealed: bool,
    /// Whether a job is at that.
    pub sealing: bool,
    /// Its first batch's largest timestamp, while it is the active one; −1 where that has none.
    pub first_timestamp: i64,
    /// Where its batches are.
    pub index: SparseIndex,
}

impl Segment {
    /// Position of its first batch byte.
    #[must_use]
    pub fn base(&self) -> Position {
        self.header.base_position
    }

    /// The open file, if it is open.
    #[must_use]
    pub fn open(&self) -> Option<File> {
        match self.file {
            FileState::Open(file) => Some(file),
            FileState::Closed | FileState::Coming => None,
        }
    }

    /// Whether its file is there for certain, by its name and durably.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        match self.file {
            FileState::Open(_) => true,
            FileState::Closed => self.allocated > 0 || self.index.is_started(),
            FileState::Coming => self.index.is_started(),
        }
    }
}

/// All segments of a log.
#[derive(Default)]
pub struct Segments {
    list: VecDeque<Segment>,
}

impl Segments {
    /// Adds a segment after the last one, which must have ended.
    pub fn push(&mut self, segment: Segment) {
        if let Some(last) = self.list.back() {
            assert_eq!(last.end, Some(segment.base()), "segments follow one another without a gap");
        }
        self.list.push_back(segment);
    }

    /// The active segment.
    #[must_use]
    pub fn active(&self) -> Option<&Segment> {
        self.list.back().filter(|last| last.end.is_none())
    }

    /// The active segment, to be changed.
    pub fn active_mut(&mut self) -> Option<&mut Segment> {
        self.list.back_mut().filter(|last| last.end.is_none())
    }

    /// The segment that takes, or took, the byte at `position`; at a segment's end that is the next one.
    #[must_use]
    pub fn at(&self, position: Position) -> Option<&Segment> {
        let index = self.list.partition_point(|segment| segment.base() <= position).checked_sub(1)?;
        // An empty file may share its base with the next one; the last of them is the one that counts.
        self.list.get(index).filter(|segment| segment.end.is_none_or(|end| position < end))
    }

    /// The segment that holds `offset`.
    #[must_use]
    pub fn of_offset(&self, offset: Offset) -> Option<&Segment> {
        let index =
            self.list.partition_point(|segment| segment.header.base_offset <= offset).checked_sub(1)?;
        self.list.get(index)
    }

    /// The segment whose file is named after `base`.
    pub fn by_base(&mut self, base: Offset) -> Option<&mut Segment> {
        let index = self.list.binary_search_by_key(&base, |segment| segment.header.base_offset).ok()?;
        self.list.get_mut(index)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.list.iter()
    }

    /// Those that are not sealed, or about to be, oldest first. They follow all others, and are few.
    pub fn unsealed_mut(&mut self) -> impl Iterator<Item = &mut Segment> {
        let unsealed = self.list.iter().rev().take_while(|segment| !segment.sealed).count();
        self.list.range_mut(self.list.len() - unsealed..)
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Segment> {
        self.list.iter_mut()
    }

    /// The oldest one.
    #[must_use]
    pub fn first(&self) -> Option<&Segment> {
        self.list.front()
    }

    /// The one after the oldest.
    #[must_use]
    pub fn second(&self) -> Option<&Segment> {
        self.list.get(1)
    }

    /// Takes the oldest one out; the active one stays.
    pub fn pop_first(&mut self) -> Option<Segment> {
        if self.list.len() > 1 { self.list.pop_front() } else { None }
    }
}
