//! Setting sockets up. Moving bytes is [`super::Op`]'s work.
//!
//! All sockets are left blocking. That blocks no thread, since the ring itself waits until they are ready, and it
//! leaves nobody a reason to hand out EAGAIN.

use std::io;
use std::net::SocketAddr;
use std::os::fd::IntoRawFd;

use socket2::{Domain, Protocol, SockRef, Type};

use super::{Socket, sys};

/// Connections that may wait to be accepted. More than a burst of clients brings between two turns.
const BACKLOG: i32 = 1024;

/// Listens at `address` and says where; port 0 picks a free one.
///
/// SO_REUSEADDR lets a restarted server have its port back at once. SO_REUSEPORT stays off, so that a second server on
/// the port fails.
///
/// # Errors
/// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (a port below 1024), or the system's error.
pub fn listen(address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let bound = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((Socket(socket.into_raw_fd()), bound))
}

/// Prepares a socket that was just accepted: responses leave at once instead of waiting to be merged (TCP_NODELAY).
/// Sets a flag in memory and never blocks.
///
/// # Errors
/// The system's error, where the peer has already gone.
pub fn prepare_connection(socket: Socket) -> io::Result<()> {
    sys::with_socket(socket, |socket| SockRef::from(&socket).set_tcp_nodelay(true))
}

/// The peer's `address:port` for log lines.
#[must_use]
pub fn peer(socket: Socket) -> String {
    let address = sys::with_socket(socket, |socket| SockRef::from(&socket).peer_addr());
    match address.ok().and_then(|address| address.as_socket()) {
        Some(address) => address.to_string(),
        None => String::from("a peer that has gone"),
    }
}

/// Closes a socket outside of any turn: for start-up that fails half-way. A shard uses [`super::Op::CloseSocket`].
pub fn close(socket: Socket) {
    sys::close(socket.0);
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "the other end is std's")]
mod tests;
