//! One client: bytes in, frames out of them, responses back in order.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};

use super::broker::{Broker, Outcome};
use super::buffer::Buffer;
use super::logs::{Logs, Positions};
use super::ring::Ring;
use super::stats::Stats;
use super::wire::{Malformed, Read};

/// The longest frame taken. The logs' pool holds two of them.
const FRAME_BYTES_MAX: usize = 8 << 20;

/// Responses up to `end` may leave once the logs are safe up to `positions`.
struct Release {
    positions: Positions,
    end: usize,
}

/// A connection's state. Memory in the kernel's hands is absent here.
pub struct Connection {
    socket: OwnedFd,
    number: usize,
    input: Option<Buffer>,
    /// The part of `input` that holds received, unhandled bytes.
    start: usize,
    end: usize,
    /// Encoded responses, not yet on their way.
    out: Vec<u8>,
    releases: VecDeque<Release>,
    sending: bool,
    closing: bool,
}

impl Connection {
    /// A connection that has received nothing yet.
    pub fn new(number: usize, socket: OwnedFd, receive_bytes: usize) -> Self {
        Self {
            socket,
            number,
            input: Some(Buffer::new(receive_bytes)),
            start: 0,
            end: 0,
            out: Vec::new(),
            releases: VecDeque::new(),
            sending: false,
            closing: false,
        }
    }

    /// Asks for more bytes, if there is a buffer and nothing whole is left in it.
    pub fn receive(&mut self, ring: &mut Ring) {
        if self.closing {
            return;
        }
        if let Some(buffer) = self.input.take() {
            let range = self.end..buffer.len();
            ring.receive(self.number, self.socket.as_raw_fd(), buffer, range);
        }
    }

    /// Bytes have arrived (or the client has gone).
    pub fn received(&mut self, buffer: Buffer, result: i32) {
        self.input = Some(buffer);
        match usize::try_from(result) {
            Ok(bytes @ 1..) => self.end += bytes,
            _ => self.closing = true,
        }
    }

    /// Handles whole frames as long as the logs have room; true when all are done and more may be received.
    pub fn handle(&mut self, broker: &mut Broker, logs: &mut Logs, stats: &mut Stats) -> bool {
        if self.closing {
            return false;
        }
        let Some(mut buffer) = self.input.take() else { return false };
        let done = self.handle_frames(&buffer, broker, logs, stats);
        match done {
            Ok(true) => {
                buffer = self.make_room(buffer, stats);
                self.input = Some(buffer);
                true
            }
            Ok(false) => {
                self.input = Some(buffer);
                false
            }
            Err(Malformed) => {
                self.closing = true;
                self.input = Some(buffer);
                false
            }
        }
    }

    /// Sends what has become releasable.
    pub fn release(&mut self, safe: &Positions, ring: &mut Ring, stats: &mut Stats) {
        if self.sending || self.closing {
            return;
        }
        let mut end = 0;
        while let Some(next) = self.releases.front().filter(|r| safe.cover(&r.positions)) {
            end = next.end;
            self.releases.pop_front();
        }
        if end == 0 {
            return;
        }
        let later = self.out.split_off(end);
        let now = std::mem::replace(&mut self.out, later);
        self.releases.iter_mut().for_each(|r| r.end -= end);
        self.sending = true;
        stats.sends += 1;
        ring.send(self.number, self.socket.as_raw_fd(), now, 0);
    }

    /// A send has ended. A short one means that the client has gone: the kernel was told to send all.
    pub fn sent(&mut self, bytes: &[u8], result: i32) {
        self.sending = false;
        self.closing |= usize::try_from(result) != Ok(bytes.len());
    }

    /// Whether nothing is in flight any more and the connection can be dropped.
    pub fn finished(&self) -> bool {
        self.closing && !self.sending && self.input.is_some()
    }

    fn handle_frames(
        &mut self,
        buffer: &[u8],
        broker: &mut Broker,
        logs: &mut Logs,
        stats: &mut Stats,
    ) -> Read<bool> {
        loop {
            let unhandled = &buffer[self.start..self.end];
            let Some(length) = frame_length(unhandled)? else { return Ok(true) };
            let Some(frame) = unhandled.get(4..4 + length) else { return Ok(true) };
            if !logs.has_room(length) {
                return Ok(false);
            }
            let outcome = broker.handle(frame, logs, stats, &mut self.out)?;
            self.start += 4 + length;
            // They leave in order, so that none has to wait for what an earlier one waits for.
            let positions = match outcome {
                Outcome::Silent => continue,
                Outcome::Respond => Positions::default(),
                Outcome::RespondWhenSafe(positions) => positions,
            };
            self.releases.push_back(Release { positions, end: self.out.len() });
        }
    }

    /// Moves a partial frame to the front if its rest would not fit behind it, growing the buffer if need be.
    fn make_room(&mut self, mut buffer: Buffer, stats: &mut Stats) -> Buffer {
        let partial = self.start..self.end;
        let length = frame_length(&buffer[partial.clone()]).ok().flatten().unwrap_or(0);
        if !partial.is_empty() && self.start + 4 + length + 16 <= buffer.len() {
            return buffer;
        }
        if 4 + length > buffer.len() {
            let mut larger = Buffer::new(4 + length);
            larger[..partial.len()].copy_from_slice(&buffer[partial.clone()]);
            buffer = larger;
        } else {
            buffer.copy_within(partial.clone(), 0);
        }
        stats.moved_bytes += partial.len() as u64;
        (self.start, self.end) = (0, partial.len());
        buffer
    }
}

/// The length of the frame that starts here; None before its four bytes are there.
fn frame_length(bytes: &[u8]) -> Read<Option<usize>> {
    let Some(length) = bytes.first_chunk() else { return Ok(None) };
    match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(length @ ..=FRAME_BYTES_MAX) => Ok(Some(length)),
        _ => Err(Malformed),
    }
}
