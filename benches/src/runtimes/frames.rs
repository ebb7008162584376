//! What the servers and their client say to each other.
//!
//! A **frame** is a length of four bytes (big-endian, itself left out) and a body, whose first eight bytes are the
//! frame's number. Its **answer** is a frame as well: the number, and nothing else. A connection's answers come in the
//! order of its frames.

use std::io;
use std::ops::Range;

/// The length before each body.
pub const LENGTH_BYTES: usize = 4;

/// The number at the start of each body.
pub const NUMBER_BYTES: usize = 8;

/// An answer with its length.
pub const ANSWER_BYTES: usize = LENGTH_BYTES + NUMBER_BYTES;

/// The longest body a server takes: what is left unhandled then always fits a receive buffer.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// A server's receive buffer for each connection: as large as the floor's, where larger ones were no faster.
pub const RECEIVE_BYTES: usize = 256 << 10;

/// Where in `bytes` the first frame's body lies; `None` before all of it is there.
///
/// # Errors
/// `InvalidData` for a length that no frame may have.
pub fn cut(bytes: &[u8]) -> io::Result<Option<Range<usize>>> {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if !(NUMBER_BYTES..=BODY_BYTES_MAX).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let end = LENGTH_BYTES + length;
    Ok((bytes.len() >= end).then_some(LENGTH_BYTES..end))
}

/// The number of the frame with this body.
#[must_use]
pub fn number(body: &[u8]) -> u64 {
    u64::from_be_bytes(*body.first_chunk().expect("a body that was cut has a number"))
}

/// The answer to frame `number`.
#[must_use]
pub fn answer(number: u64) -> [u8; ANSWER_BYTES] {
    let mut answer = [0; ANSWER_BYTES];
    answer[..LENGTH_BYTES].copy_from_slice(&(NUMBER_BYTES as u32).to_be_bytes());
    answer[LENGTH_BYTES..].copy_from_slice(&number.to_be_bytes());
    answer
}

/// Appends frame `number` with a body of `body_bytes`.
pub fn push_frame(frames: &mut Vec<u8>, number: u64, body_bytes: usize) {
    frames.extend(u32::try_from(body_bytes).expect("bodies are small").to_be_bytes());
    frames.extend(number.to_be_bytes());
    frames.resize(frames.len() + body_bytes - NUMBER_BYTES, b'.');
}

/// What a connection has received and not handled, for the servers whose buffers are vectors.
#[derive(Debug)]
pub struct Input {
    /// The buffer, absent while a receive owns it.
    pub bytes: Vec<u8>,
    start: usize,
    /// Where the next receive puts its bytes.
    pub end: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { bytes: vec![0; RECEIVE_BYTES], start: 0, end: 0 }
    }
}

impl Input {
    /// Counts `count` received bytes.
    pub fn received(&mut self, count: usize) {
        self.end += count;
    }

    /// The next whole frame's body.
    ///
    /// # Errors
    /// As [`cut`].
    pub fn next_body(&mut self) -> io::Result<Option<&[u8]>> {
        let unhandled = self.start..self.end;
        let Some(body) = cut(&self.bytes[unhandled.clone()])? else { return Ok(None) };
        self.start += body.end;
        Ok(Some(&self.bytes[unhandled][body]))
    }

    /// Makes room for the next receive, once all whole frames are handled. A partial one moves to the front only where
    /// the longest rest would not fit behind it.
    pub fn make_room(&mut self) {
        if self.start < self.end && fits_behind(self.start) {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
    }
}

/// Whether a frame that begins at `start` of a receive buffer fits into it, however long it is.
#[must_use]
pub const fn fits_behind(start: usize) -> bool {
    start + LENGTH_BYTES + BODY_BYTES_MAX < RECEIVE_BYTES
}

#[cfg(test)]
mod tests;
