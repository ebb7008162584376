//! Reads from the disk: aligned pieces in parallel, then whole batches cut out of them.

use std::io;

use crate::io::{BLOCK_SIZE, CHUNK_SIZE, ChunkMut, Completion, File, Fs, Op, Pool, Returned, Slice};
use crate::limits;
use crate::log::LogOp;
use crate::log::tail::{BatchPeek, PEEK_SIZE};
use crate::types::{Offset, Position};

/// What a cold read returns at most in one go, unless its first batch alone is larger.
pub const COLD_READ_MAX: usize = 1 << 20;

/// Read beyond what was asked for, so that the batch before the one wanted does not cost a second read.
const SLACK: usize = 64 * 1024;

/// What is read beyond what is wanted, since a read begins and ends with whole blocks.
const BLOCKS_CUT: usize = 2 * BLOCK_SIZE;

const _: () = assert!(
    limits::COLD_READ_BYTES
        >= (limits::READS_MAX + limits::READS_AHEAD_MAX) * (COLD_READ_MAX + SLACK + BLOCKS_CUT)
);

/// Which batch a read begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// The one that holds this offset.
    Offset(Offset),
    /// The first that ends behind an offset and whose maximum timestamp is at least this.
    Timestamp {
        /// The timestamp, in milliseconds since the Unix epoch.
        at_least: i64,
        /// The first offset that counts.
        from: Offset,
    },
    /// None: the bytes from this position on are wanted as they are, whatever batch they belong to.
    Bytes(Position),
}

impl Find {
    /// Whether the batch with this header is past the wanted one's predecessors.
    #[must_use]
    pub fn matches(self, batch: &BatchPeek) -> bool {
        match self {
            Self::Offset(offset) => batch.last_offset >= offset.value(),
            Self::Timestamp { at_least, from } => {
                batch.max_timestamp >= at_least && batch.last_offset >= from.value()
            }
            Self::Bytes(_) => true,
        }
    }
}

/// What a read has found.
#[derive(Clone, Debug)]
pub struct Run {
    /// Position of its first byte.
    pub at: Position,
    /// Its bytes: whole batches, unless bytes were asked for; empty where there is nothing.
    pub slices: Vec<Slice>,
    /// The offset after its last batch, where that is known.
    pub next: Option<Offset>,
}

impl Run {
    /// Nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self { at: Position::ZERO, slices: Vec::new(), next: None }
    }
}

/// Where on the disk a read looks.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The segment's file.
    pub file: File,
    /// Position of its first batch byte.
    pub base: Position,
    /// Bytes before that in the file.
    pub header_size: u64,
    /// A batch's start at or before the one wanted.
    pub from: Position,
    /// Where the readable part of this segment's file ends.
    pub limit: Position,
    /// The offset there, where the segment goes on in memory only.
    pub behind: Option<Offset>,
}

struct Piece {
    chunk: Option<ChunkMut>,
    /// Bytes wanted of it; what lies past the readable part need not be there.
    needed: usize,
    len: usize,
}

/// One read from one segment.
pub struct ColdRead {
    place: Place,
    find: Find,
    bytes_max: usize,
    id: u64,
    /// Bytes that its pieces may take.
    room: usize,
    /// File offset of the first piece.
    start: u64,
    pieces: Vec<Piece>,
    in_flight: usize,
    failed: Option<io::Error>,
}

/// How a read stands after one of its operations.
pub enum Progress {
    /// More of its operations are in flight.
    Pending,
    /// Whole batches, from the one wanted; nothing where the segment holds none that matches.
    Done(Run),
    /// None of the batches that have come matches a search by timestamp, which is to go on behind them.
    Further {
        /// With this offset.
        offset: Offset,
        /// The position of its batch.
        at: Position,
    },
    /// The batch wanted takes more room than the read has: it is to be made again with so much, from this position on.
    Larger {
        /// A batch's start at or before the one wanted.
        from: Position,
        /// The room.
        bytes: usize,
    },
    /// It cannot be read.
    Failed(io::Error),
}

impl ColdRead {
    /// The room that a read takes, unless its first batch alone is larger than `bytes_max`.
    #[must_use]
    pub fn room_for(find: Find, bytes_max: usize) -> usize {
        let slack = if matches!(find, Find::Bytes(_)) { 0 } else { SLACK };
        bytes_max.min(COLD_READ_MAX) + slack + BLOCKS_CUT
    }

    /// Starts a read known as `id`, which looks for whole batches of at most `bytes_max` in all, in `room` bytes of
    /// memory.
    pub fn start<F: Fs>(
        id: u64,
        place: Place,
        find: Find,
        bytes_max: usize,
        room: usize,
        pool: &Pool,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) -> Self {
        let bytes_max = bytes_max.min(COLD_READ_MAX);
        let mut read = Self {
            place,
            find,
            bytes_max,
            id,
            room,
            start: 0,
            pieces: Vec::new(),
            in_flight: 0,
            failed: None,
        };
        read.submit(pool, out);
        read
    }

    /// Whether it reads this file.
    #[must_use]
    pub fn is_of(&self, file: File) -> bool {
        self.place.file == file
    }

    /// Where a search goes on that does not find anything in the file ([`Place::behind`]).
    #[must_use]
    pub fn behind(&self) -> Option<Offset> {
        self.place.behind
    }

    /// Reads from `place.from` on as much as it has room for.
    fn submit<F: Fs>(&mut self, pool: &Pool, out: &mut Vec<(LogOp, Op<F>)>) {
        assert_eq!(self.in_flight, 0, "a read is submitted again only when it has ended");
        let block = BLOCK_SIZE as u64;
        let from = self.place.header_size + self.place.from.since(self.place.base);
        let len = self.room - BLOCKS_CUT;
        let end = (from + len as u64).min(self.place.header_size + self.place.limit.since(self.place.base));
        self.start = from / block * block;
        self.pieces.clear();
        let mut at = self.start;
        while at < end {
            let needed = usize::try_from(end - at).expect("a read is small").min(CHUNK_SIZE);
            let len = needed.next_multiple_of(BLOCK_SIZE);
            // Cold reads leave most of the pool to the tails, so that they slow no producer down.
            let pooled = if pool.free() > pool.chunks() / 2 { pool.take() } else { None };
            let into = pooled.unwrap_or_else(|| Pool::heap(len));
            let piece = self.pieces.len();
            self.pieces.push(Piece { chunk: None, needed, len });
            self.in_flight += 1;
            let op = LogOp::Read { id: self.id, piece };
            out.push((op, Op::Read { file: self.place.file, offset: at, into, len }));
            at += len as u64;
        }
        assert!(self.in_flight > 0, "a read of nothing would never end");
    }

    /// One piece has come.
    pub fn complete<F: Fs>(
        &mut self,
        piece: usize,
        completion: Completion,
        pool: &Pool,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) -> Progress {
        self.in_flight -= 1;
        if let Err(error) = self.take_piece(piece, completion, out) {
            self.failed.get_or_insert(error);
        }
        if self.in_flight > 0 {
            return Progress::Pending;
        }
        match self.failed.take() {
            Some(error) => Progress::Failed(error),
            None => self.cut(pool, out),
        }
    }

    fn take_piece<F: Fs>(
        &mut self,
        index: usize,
        completion: Completion,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) -> io::Result<()> {
        let Returned::Chunk(mut chunk) = completion.returned else { panic!("a read returns its chunk") };
        let count = usize::try_from(completion.result?).map_err(io::Error::other)?;
        let piece = &mut self.pieces[index];
        if chunk.len() + count >= piece.needed {
            chunk.advance(count);
            piece.chunk = Some(chunk);
            return Ok(());
        }
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        // A short read goes on at a block's start.
        chunk.advance(count / BLOCK_SIZE * BLOCK_SIZE);
        let offset = self.start + (index * CHUNK_SIZE + chunk.len()) as u64;
        let len = piece.len - chunk.len();
        self.in_flight += 1;
        let op = LogOp::Read { id: self.id, piece: index };
        out.push((op, Op::Read { file: self.place.file, offset, into: chunk, len }));
        Ok(())
    }

    /// Everything submitted has come: finds the batches in it.
    fn cut<F: Fs>(&mut self, pool: &Pool, out: &mut Vec<(LogOp, Op<F>)>) -> Progress {
        let end = self.end();
        if let Find::Bytes(at) = self.find {
            let to = at.plus(self.bytes_max as u64).min(end).min(self.place.limit);
            return Progress::Done(Run { at, slices: self.slices(at, to), next: None });
        }
        let mut at = self.place.from;
        let (mut first, mut next_offset): (Option<Position>, _) = (None, None);
        while at < self.place.limit {
            let batch = match self.peek(at, end) {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return Progress::Failed(error),
                // Not even a header's worth of it is here.
                None if first.is_some() => break,
                None if at.plus(PEEK_SIZE as u64) > self.place.limit => return runs_past_the_end(at),
                None => {
                    // A search may go through all of the segment, so it takes a step at a time.
                    return match next_offset.filter(|_| matches!(self.find, Find::Timestamp { .. })) {
                        Some(offset) => Progress::Further { offset, at },
                        None => self.go_on(at, 0, pool, out),
                    };
                }
            };
            let next = at.plus(batch.size as u64);
            if next > self.place.limit {
                return runs_past_the_end(at);
            }
            // No checksum covers a batch's offset.
            if next_offset.is_some_and(|due| due != Offset::new(batch.base_offset)) {
                if first.is_some() {
                    break;
                }
                return out_of_order(at, &batch);
            }
            match first {
                None if !self.find.matches(&batch) => {}
                None if next > end => return self.go_on(at, batch.size, pool, out),
                None if self.is_past(&batch) => return out_of_order(at, &batch),
                None => first = Some(at),
                Some(first) if next > end || next.since(first) > self.bytes_max as u64 => break,
                Some(_) => {}
            }
            at = next;
            next_offset = Some(Offset::new(batch.last_offset + 1));
        }
        if let (None, Find::Offset(offset)) = (first, self.find) {
            // What is not in the segment's file is in memory, and not looked for here.
            let why =
                format!("the batches before {at} end before offset {offset}, which should be among them");
            return Progress::Failed(io::Error::other(why));
        }
        Progress::Done(first.map_or_else(Run::empty, |first| Run {
            at: first,
            slices: self.slices(first, at),
            next: next_offset,
        }))
    }

    /// Whether a batch begins after the offset that is looked for.
    fn is_past(&self, batch: &BatchPeek) -> bool {
        matches!(self.find, Find::Offset(offset) if batch.base_offset > offset.value())
    }

    /// Reads again, from `from`, where a batch of `size` bytes begins, if there is room for it.
    fn go_on<F: Fs>(
        &mut self,
        from: Position,
        size: usize,
        pool: &Pool,
        out: &mut Vec<(LogOp, Op<F>)>,
    ) -> Progress {
        let bytes = size + SLACK + BLOCKS_CUT;
        if bytes > self.room {
            return Progress::Larger { from, bytes };
        }
        self.place.from = from;
        self.submit(pool, out);
        Progress::Pending
    }

    /// Position up to which the pieces hold the log.
    fn end(&self) -> Position {
        let bytes: usize = self.pieces.iter().map(|piece| piece.needed).sum();
        self.position(self.start + bytes as u64)
    }

    /// Bytes of memory that it has.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len).sum()
    }

    fn position(&self, file_offset: u64) -> Position {
        Position::new((self.place.base.value() + file_offset).saturating_sub(self.place.header_size))
    }

    /// The header of the batch at `at`, where its first bytes are here.
    fn peek(&self, at: Position, end: Position) -> Option<io::Result<BatchPeek>> {
        if at.plus(PEEK_SIZE as u64) > end {
            return None;
        }
        let mut header = [0; PEEK_SIZE];
        let mut filled = 0;
        for slice in self.slices(at, at.plus(PEEK_SIZE as u64)) {
            header[filled..filled + slice.len()].copy_from_slice(&slice);
            filled += slice.len();
        }
        let damaged = || io::Error::other(format!("no batch starts at position {at}: the file is damaged"));
        Some(BatchPeek::parse(&header).ok_or_else(damaged))
    }

    fn slices(&self, from: Position, to: Position) -> Vec<Slice> {
        let offset = |at: Position| self.place.header_size + at.since(self.place.base) - self.start;
        let (mut from, to) = (offset(from) as usize, offset(to) as usize);
        let mut slices = Vec::with_capacity((to - from) / CHUNK_SIZE + 2);
        while from < to {
            let (piece, within) = (from / CHUNK_SIZE, from % CHUNK_SIZE);
            let len = (to - from).min(CHUNK_SIZE - within);
            let chunk = self.pieces[piece].chunk.as_ref().expect("every piece has come");
            slices.push(chunk.slice(within..within + len));
            from += len;
        }
        slices
    }
}

fn out_of_order(at: Position, batch: &BatchPeek) -> Progress {
    let why = format!(
        "the batch at {at} says that it begins at offset {}, which is not its turn",
        batch.base_offset
    );
    Progress::Failed(io::Error::other(why))
}

fn runs_past_the_end(at: Position) -> Progress {
    Progress::Failed(io::Error::other(format!("the batch at {at} runs past the log's end")))
}
