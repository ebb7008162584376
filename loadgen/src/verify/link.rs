//! A blocking connection on which several requests may be under way.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::{RESPONSE_BYTES_MAX, Response};

/// How long the broker may take to answer a request or to take one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub struct Link {
    stream: TcpStream,
    response: Vec<u8>,
}

impl Link {
    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, response: Vec::new() })
    }

    /// Sends a request's frame.
    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame)
    }

    /// Waits for the next response.
    pub fn receive(&mut self) -> io::Result<Response<'_>> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        if size > RESPONSE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a response of an absurd size"));
        }
        self.response.resize(size, 0);
        self.stream.read_exact(&mut self.response)?;
        Response::parse(&self.response)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a response without a header"))
    }
}
