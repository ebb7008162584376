//! A connection on the ring: connecting, and cutting what arrives into response frames.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::TcpStream;

use crate::codec::wire::Reader;

/// The longest response that is believed; a fetch asks for 50 MiB at most.
pub const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// Bytes of a frame's size field.
const SIZE_LEN: usize = 4;

/// Connects to a broker.
pub async fn connect(address: SocketAddr) -> Result<Rc<TcpStream>, String> {
    let connect = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(Rc::new(stream))
    };
    connect.await.map_err(|e| format!("cannot connect to the broker at {address}: {e}"))
}

/// Receives responses.
pub struct Responses {
    stream: Rc<TcpStream>,
    frames: Frames,
}

/// A response: its correlation id, and what follows it (in flexible versions the header's tagged fields first).
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    pub correlation: i32,
    after_correlation: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads what follows a frame's size; `None` where that is too short for a header.
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let (correlation, after_correlation) = frame.split_first_chunk()?;
        Some(Self { correlation: i32::from_be_bytes(*correlation), after_correlation })
    }

    /// The body behind the header.
    pub fn body(&self, flexible: bool) -> Result<&'a [u8], String> {
        let mut reader = Reader::new(self.after_correlation, flexible);
        reader.end().map_err(|e| e.to_string())?;
        Ok(&self.after_correlation[reader.position()..])
    }
}

impl Responses {
    /// Receives from `stream` into a buffer of `capacity` bytes, which grows to the longest response.
    pub fn new(stream: Rc<TcpStream>, capacity: usize) -> Self {
        Self { stream, frames: Frames::with_capacity(capacity) }
    }

    /// Waits for more bytes; `false` at the connection's end.
    pub async fn receive(&mut self) -> io::Result<bool> {
        self.frames.make_room()?;
        let buffer = std::mem::take(&mut self.frames.buffer);
        let (begin, end) = (buffer.len(), buffer.capacity());
        let (result, buffer) = self.stream.read(buffer.slice(begin..end)).await;
        self.frames.buffer = buffer.into_inner();
        Ok(result? > 0)
    }

    /// The next whole response that has arrived.
    pub fn pop(&mut self) -> io::Result<Option<Response<'_>>> {
        self.frames.pop()
    }
}

/// Received bytes, cut into responses.
struct Frames {
    buffer: Vec<u8>,
    /// What lies before it has been handed out.
    start: usize,
}

impl Frames {
    fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity), start: 0 }
    }

    fn pop(&mut self) -> io::Result<Option<Response<'_>>> {
        let waiting = &self.buffer[self.start..];
        let Some(size) = frame_size(waiting)? else { return Ok(None) };
        let Some(frame) = waiting.get(SIZE_LEN..SIZE_LEN + size) else { return Ok(None) };
        let response = Response::parse(frame).ok_or_else(|| invalid("a response without a header"))?;
        self.start += SIZE_LEN + size;
        Ok(Some(response))
    }

    /// Makes room for at least the rest of the frame that has begun to arrive, and for a byte.
    fn make_room(&mut self) -> io::Result<()> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        let waiting = self.buffer.len() - self.start;
        let size = frame_size(&self.buffer[self.start..])?.unwrap_or(SIZE_LEN);
        let wanted = (SIZE_LEN + size).saturating_sub(waiting).max(1);
        let spare = self.buffer.capacity() - self.buffer.len();
        if self.start > 0 && spare < wanted.max(self.buffer.capacity() / 2) {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.reserve(wanted);
        Ok(())
    }
}

fn frame_size(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(size) = bytes.first_chunk() else { return Ok(None) };
    let size = u32::from_be_bytes(*size) as usize;
    if size > RESPONSE_BYTES_MAX { Err(invalid("a response of an absurd size")) } else { Ok(Some(size)) }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
