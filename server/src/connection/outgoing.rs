//! What waits to be sent to a connection's client, in order.
//!
//! Records are slices of the log's memory, and hold on to it. A client that does not read would do so for as long as it
//! likes; so records that wait may be let go of, and are asked for again piece by piece when the client reads on.

use std::collections::VecDeque;

use tora_engine::io::{SEND_SLICES_MAX, Slice};

use crate::wire::Stored;

/// A part of a response.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes in memory. For records it is known where they are stored, so that they may be let go of.
    Held {
        /// The bytes.
        bytes: Slice,
        /// Where they are stored, of records.
        stored: Option<Stored>,
    },
    /// Records that were let go of.
    Stored {
        /// Where they are stored.
        stored: Stored,
        /// How many bytes of them.
        bytes: usize,
    },
}

impl Piece {
    /// Bytes, wherever they are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Held { bytes, .. } => bytes.len(),
            Self::Stored { bytes, .. } => *bytes,
        }
    }

    /// Bytes of records that it holds in memory and may let go of.
    #[must_use]
    pub fn held(&self) -> usize {
        match self {
            Self::Held { bytes, stored: Some(_) } => bytes.len(),
            Self::Held { stored: None, .. } | Self::Stored { .. } => 0,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: VecDeque<Piece>,
    bytes: usize,
    held: usize,
}

impl Outgoing {
    /// Queues a piece behind those that are queued.
    pub fn push(&mut self, piece: Piece) {
        if piece.len() == 0 {
            return;
        }
        self.bytes += piece.len();
        self.held += piece.held();
        self.pieces.push_back(piece);
    }

    /// Takes what is sent next into `slices`: about `bytes_max` bytes at most, up to the first that are not in memory.
    pub fn take(&mut self, bytes_max: usize, slices: &mut Vec<Slice>) -> usize {
        let mut taken = 0;
        while taken < bytes_max
            && slices.len() < SEND_SLICES_MAX
            && let Some(Piece::Held { .. }) = self.pieces.front()
            && let Some(piece) = self.pieces.pop_front()
        {
            taken += piece.len();
            self.held -= piece.held();
            let Piece::Held { bytes, .. } = piece else { unreachable!("it was just looked at") };
            slices.push(bytes);
        }
        self.bytes -= taken;
        taken
    }

    /// Puts back what was taken and has not gone out, to go out next.
    pub fn put_back(&mut self, slices: impl DoubleEndedIterator<Item = Slice>) {
        for bytes in slices.rev() {
            self.bytes += bytes.len();
            self.pieces.push_front(Piece::Held { bytes, stored: None });
        }
    }

    /// Lets go of all records that it holds.
    pub fn let_go(&mut self) {
        let mut pieces: VecDeque<Piece> = VecDeque::new();
        for piece in self.pieces.drain(..) {
            let (stored, bytes) = match piece {
                Piece::Held { bytes, stored: Some(stored) } => (stored, bytes.len()),
                Piece::Stored { stored, bytes } => (stored, bytes),
                Piece::Held { stored: None, .. } => {
                    pieces.push_back(piece);
                    continue;
                }
            };
            match pieces.back_mut() {
                Some(Piece::Stored { stored: before, bytes: count }) if before.plus(*count) == stored => {
                    *count += bytes;
                }
                _ => pieces.push_back(Piece::Stored { stored, bytes }),
            }
        }
        self.pieces = pieces;
        self.held = 0;
    }

    /// What goes out next and is not in memory: where it is stored, and how many bytes of it there are.
    #[must_use]
    pub fn missing(&self) -> Option<(Stored, usize)> {
        match self.pieces.front()? {
            Piece::Stored { stored, bytes } => Some((*stored, *bytes)),
            Piece::Held { .. } => None,
        }
    }

    /// The first bytes of what is [missing](Self::missing) have come.
    pub fn came(&mut self, slices: Vec<Slice>) {
        let Some(Piece::Stored { stored, bytes }) = self.pieces.pop_front() else {
            unreachable!("only what is missing is asked for");
        };
        let count: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(count <= bytes, "no more comes than was asked for");
        if count < bytes {
            self.pieces.push_front(Piece::Stored { stored: stored.plus(count), bytes: bytes - count });
        }
        self.bytes -= count;
        self.put_back(slices.into_iter());
    }

    /// Bytes that wait, wherever they are.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of records that it holds in memory and may let go of.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use tora_engine::types::{PartitionId, Position, TopicId};

    use super::*;

    fn stored(at: u64) -> Stored {
        Stored { partition: PartitionId::new(TopicId::from_random(1, 2), 0), at: Position::new(at) }
    }

    fn records(at: u64, bytes: &[u8]) -> Piece {
        Piece::Held { bytes: Slice::copy_from(bytes), stored: Some(stored(at)) }
    }

    fn head(bytes: &[u8]) -> Piece {
        Piece::Held { bytes: Slice::copy_from(bytes), stored: None }
    }

    fn taken(outgoing: &mut Outgoing, bytes_max: usize) -> Vec<u8> {
        let mut slices = Vec::new();
        outgoing.take(bytes_max, &mut slices);
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    fn response() -> Outgoing {
        let mut outgoing = Outgoing::default();
        let pieces =
            [head(b"head"), records(10, b"abc"), records(13, b"def"), head(b"mid"), records(90, b"xyz")];
        pieces.into_iter().for_each(|piece| outgoing.push(piece));
        assert_eq!((outgoing.bytes(), outgoing.held()), (16, 9));
        outgoing
    }

    #[test]
    fn what_was_let_go_of_is_asked_for_where_it_stood() {
        let mut outgoing = response();
        outgoing.let_go();
        assert_eq!((outgoing.bytes(), outgoing.held()), (16, 0));
        assert_eq!(outgoing.missing(), None, "the head is here");
        assert_eq!(taken(&mut outgoing, 100), b"head");
        assert_eq!(outgoing.missing(), Some((stored(10), 6)), "neighbours are asked for together");
        outgoing.came(vec![Slice::copy_from(b"abcd")]);
        assert_eq!(outgoing.missing(), None);
        assert_eq!(taken(&mut outgoing, 100), b"abcd");
        assert_eq!(outgoing.missing(), Some((stored(14), 2)), "the rest is asked for again");
        outgoing.came(vec![Slice::copy_from(b"e"), Slice::copy_from(b"f")]);
        assert_eq!(taken(&mut outgoing, 100), b"efmid");
        assert_eq!(outgoing.missing(), Some((stored(90), 3)));
        outgoing.came(vec![Slice::copy_from(b"xyz")]);
        assert_eq!(taken(&mut outgoing, 100), b"xyz");
        assert_eq!((outgoing.bytes(), outgoing.held()), (0, 0));
    }

    #[test]
    fn what_did_not_go_out_goes_out_next_and_is_kept() {
        let mut outgoing = response();
        let mut slices = Vec::new();
        assert_eq!(outgoing.take(5, &mut slices), 7, "whole slices");
        assert_eq!((outgoing.bytes(), outgoing.held()), (9, 6));
        slices[1].skip(1);
        outgoing.put_back(slices.drain(1..));
        outgoing.let_go();
        assert_eq!((outgoing.bytes(), outgoing.held()), (11, 0));
        assert_eq!(taken(&mut outgoing, 100), b"bc");
        assert_eq!(outgoing.missing(), Some((stored(13), 3)));
    }
}
