//! What a connection receives into, and the frames in it.
//!
//! Frames are cut where they lie, so a frame's bytes must lie together. A chunk is filled by one receive after the
//! other; when the frame that is under way no longer fits behind what is there, its first part is copied to another
//! chunk, and the full one is used again once nothing reads it any more. There are three kinds of chunks:
//!
//! - the **base** one that every connection has;
//! - **grown** ones, for connections whose receives fill what they are given, from a budget that may refuse;
//! - **large** ones for a frame that fits no other, from the share of `queued.max.request.bytes`. Without them the
//!   socket isn't read, so a client cannot make the server buffer more than was planned for.

use tora_engine::io::{ChunkMut, Pool, Slice};

use super::frames::{self, BadLength, Cut, LENGTH_BYTES};
use crate::limits::{RECEIVE_BUFFERS_RETIRED_MAX, RECEIVE_BYTES_BASE as BASE, RECEIVE_BYTES_GROWN as GROWN};
use crate::memory::ReceiveMemory;

/// Large chunks are a multiple of this, so that one fits the next frame of about the same size.
const LARGE_STEP: usize = 64 * 1024;

/// Room that is worth a receive where it is not known how much is to come.
const ROOM_MIN: usize = 4096;

/// After this many receives that would have fitted the base chunk, a grown one is given back.
const QUIET_RECEIVES: u32 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Base,
    Grown,
    Large,
}

#[derive(Debug)]
struct Held {
    chunk: ChunkMut,
    kind: Kind,
}

/// A connection's receiving side.
#[derive(Debug)]
pub struct Receiver {
    /// What is being filled; `None` before the first receive and while one is under way.
    current: Option<Held>,
    /// The kind and the room of the chunk that a receive has.
    under_way: Option<(Kind, usize)>,
    /// Where the first frame that is not cut yet begins in `current`.
    start: usize,
    /// Chunks that were full, and are used again when their frames are done with.
    retired: Vec<Held>,
    /// Bytes of the next chunk that is not large.
    ordinary: usize,
    /// Receives in a row that the base chunk would have done for.
    quiet: u32,
    /// The longest request allowed.
    frame_limit: usize,
}

impl Receiver {
    /// A receiver of requests of at most `frame_limit` bytes.
    #[must_use]
    pub const fn new(frame_limit: usize) -> Self {
        Self {
            current: None,
            under_way: None,
            start: 0,
            retired: Vec::new(),
            ordinary: BASE,
            quiet: 0,
            frame_limit,
        }
    }

    /// Hands out the chunk to receive into; [`Receiver::received`] takes it back. `None` while there is no memory for
    /// it.
    ///
    /// # Errors
    /// As [`Receiver::next_frame`], which must have been asked until there was no more.
    pub fn begin(&mut self, memory: &mut ReceiveMemory) -> Result<Option<ChunkMut>, BadLength> {
        assert!(self.under_way.is_none(), "one receive is under way at a time");
        let needed = match frames::cut(self.unfinished(), self.frame_limit)? {
            Cut::Part(bytes) => bytes,
            Cut::Whole(_) => unreachable!("whole frames are cut before more is received"),
        };
        if !self.has_room(needed) && !self.replace(needed, memory) {
            return Ok(None);
        }
        let held = self.current.take().expect("there was one with room, or it has just been replaced");
        self.under_way = Some((held.kind, held.chunk.remaining()));
        Ok(Some(held.chunk))
    }

    /// Takes the chunk back, with `count` more bytes in it.
    pub fn received(&mut self, mut chunk: ChunkMut, count: usize) {
        chunk.advance(count);
        self.filled(chunk);
    }

    fn filled(&mut self, chunk: ChunkMut) {
        let (kind, room) = self.under_way.take().expect("a receive was under way");
        let count = room - chunk.remaining();
        if count == room && kind != Kind::Large && chunk.capacity() >= self.ordinary {
            self.ordinary = (self.ordinary * 4).min(GROWN);
        }
        self.quiet = if count <= BASE / 2 { self.quiet.saturating_add(1) } else { 0 };
        if self.quiet >= QUIET_RECEIVES {
            self.ordinary = BASE;
        }
        self.current = Some(Held { chunk, kind });
    }

    /// The next whole frame, its length left out.
    ///
    /// # Errors
    /// When what comes next is no request. The connection is of no use then.
    pub fn next_frame(&mut self) -> Result<Option<Slice>, BadLength> {
        let Cut::Whole(bytes) = frames::cut(self.unfinished(), self.frame_limit)? else {
            return Ok(None);
        };
        let start = self.start;
        self.start += bytes;
        let chunk = &self.current.as_ref().expect("a frame was cut from it").chunk;
        Ok(Some(chunk.slice(start + LENGTH_BYTES..start + bytes)))
    }

    /// Goes back to the first frame of what is there, so that cutting it can be measured again and again
    /// ([`bench`](crate::bench)).
    pub const fn rewind(&mut self) {
        self.start = 0;
    }

    /// Gives back what was retired and will not be used again soon: large chunks, and those of another size. A chunk that
    /// is still read from stays, so this has to be called again when it may no longer be.
    pub fn trim(&mut self, memory: &mut ReceiveMemory) {
        let current = self.current.as_ref().map(|held| held.kind).or(self.under_way.map(|(kind, _)| kind));
        let ordinary = self.ordinary;
        let unused = |held: &mut Held| {
            let keep = match held.kind {
                Kind::Large => current == Some(Kind::Large),
                Kind::Base | Kind::Grown => held.chunk.capacity() == ordinary,
            };
            !keep && held.chunk.try_reset()
        };
        for held in self.retired.extract_if(.., unused) {
            give_back(held, memory);
        }
    }

    /// Gives everything back. Not while a receive is under way.
    pub fn release(&mut self, memory: &mut ReceiveMemory) {
        for held in self.current.take().into_iter().chain(self.retired.drain(..)) {
            give_back(held, memory);
        }
    }

    fn unfinished(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |held| &held.chunk[self.start..])
    }

    /// Whether the current chunk will do for a frame of `needed` bytes that begins at `start`. An empty chunk is
    /// started anew, if it is of the right size.
    fn has_room(&mut self, needed: usize) -> bool {
        let Some(held) = &mut self.current else { return false };
        if held.chunk.len() == self.start {
            let right_size = held.kind == Kind::Base && self.ordinary == BASE
                || held.kind == Kind::Grown && held.chunk.capacity() == self.ordinary;
            if right_size && held.chunk.try_reset() {
                self.start = 0;
                return true;
            }
            return right_size && held.chunk.remaining() >= ROOM_MIN;
        }
        let room = held.chunk.capacity() - self.start;
        needed <= room && (needed > LENGTH_BYTES || held.chunk.remaining() >= ROOM_MIN)
    }

    /// Goes on in another chunk, with a copy of the unfinished frame's bytes.
    fn replace(&mut self, needed: usize, memory: &mut ReceiveMemory) -> bool {
        let Some(mut next) = self.another(needed, memory) else { return false };
        next.chunk.push(self.unfinished());
        let full = self.current.replace(next);
        self.start = 0;
        self.retired.extend(full);
        true
    }

    fn another(&mut self, needed: usize, memory: &mut ReceiveMemory) -> Option<Held> {
        if needed <= GROWN {
            if needed > self.ordinary {
                self.ordinary = GROWN;
            }
            let ordinary = self.ordinary;
            if let Some(held) = self.reuse(|chunk| chunk.capacity() == ordinary) {
                return Some(held);
            }
            if self.retired.len() >= RECEIVE_BUFFERS_RETIRED_MAX {
                return self.reuse(|chunk| chunk.capacity() >= needed);
            }
            if self.ordinary > BASE && memory.grown.take(self.ordinary) {
                return Some(Held { chunk: Pool::heap(self.ordinary), kind: Kind::Grown });
            }
            if needed <= BASE {
                self.ordinary = BASE;
                let free = self.reuse(|chunk| chunk.capacity() == BASE);
                return free.or_else(|| Some(Held { chunk: Pool::heap(BASE), kind: Kind::Base }));
            }
        }
        if let Some(held) = self.reuse(|chunk| (needed..=2 * needed).contains(&chunk.capacity())) {
            return Some(held);
        }
        let bytes = needed.next_multiple_of(LARGE_STEP);
        memory.large.take(bytes).then(|| Held { chunk: Pool::heap(bytes), kind: Kind::Large })
    }

    /// A retired chunk that nothing reads any more, emptied.
    fn reuse(&mut self, fits: impl Fn(&ChunkMut) -> bool) -> Option<Held> {
        let index = self.retired.iter_mut().position(|held| fits(&held.chunk) && held.chunk.try_reset())?;
        Some(self.retired.swap_remove(index))
    }
}

/// Counted as given back when the connection lets go of it. A shard may still read a last frame from it then; those
/// frames are few, and counted against their connection.
fn give_back(held: Held, memory: &mut ReceiveMemory) {
    match held.kind {
        Kind::Base => {}
        Kind::Grown => memory.grown.give_back(held.chunk.capacity()),
        Kind::Large => memory.large.give_back(held.chunk.capacity()),
    }
}

#[cfg(test)]
mod tests;
