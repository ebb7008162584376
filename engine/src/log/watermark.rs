//! The high watermark: what readers may see, and from where on an append is acknowledged.

use std::collections::VecDeque;

use crate::types::{Offset, Position};

/// The visible end of a log as position and offset, and the batch ends still ahead of it.
#[derive(Debug)]
pub struct Watermark {
    position: Position,
    offset: Offset,
    /// Ends of the batches past the watermark: position and next offset, both growing.
    ahead: VecDeque<(Position, Offset)>,
}

impl Watermark {
    /// The watermark of a log all of which is visible.
    #[must_use]
    pub const fn new(position: Position, offset: Offset) -> Self {
        Self { position, offset, ahead: VecDeque::new() }
    }

    /// A batch was appended that ends here.
    pub fn batch_appended(&mut self, end: Position, next: Offset) {
        debug_assert!(self.ahead.back().is_none_or(|last| last.0 < end && last.1 < next));
        self.ahead.push_back((end, next));
    }

    /// Moves to the last batch end that is not past `position`; says whether that moved it.
    pub fn advance(&mut self, position: Position) -> bool {
        let before = self.offset;
        while let Some(&(end, next)) = self.ahead.front()
            && end <= position
        {
            (self.position, self.offset) = (end, next);
            self.ahead.pop_front();
        }
        self.offset != before
    }

    /// Where the visible part ends.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The offset after the last visible record.
    #[must_use]
    pub const fn offset(&self) -> Offset {
        self.offset
    }

    /// The end of the batch that holds the record before `next`; `None` if that is visible already.
    #[must_use]
    pub fn end_of(&self, next: Offset) -> Option<Position> {
        if next <= self.offset {
            return None;
        }
        let at = self.ahead.partition_point(|ahead| ahead.1 < next);
        self.ahead.get(at).map(|ahead| ahead.0)
    }
}
