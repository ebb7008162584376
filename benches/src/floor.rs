//! The floor: a bare one-core server that does what no broker can avoid, and nothing else.
//!
//! It receives, checks each batch's CRC-32C, copies once, writes with O_DIRECT, flushes (or not) and acknowledges. It
//! keeps no topics, no index and no producer state, so its throughput is the yardstick for those that do.

mod broker;
mod buffer;
mod connection;
mod log;
mod logs;
mod ring;
mod stats;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::os;
use broker::Broker;
pub use buffer::{BLOCK_BYTES, Buffer};
use connection::Connection;
pub use log::{Durability, Options as LogOptions};
pub use logs::FILES_MAX;
use logs::Logs;
pub use ring::{Completion, Memory, Purpose, Ring};
use stats::Stats;

/// Connections served at once; more are closed on arrival. Keeps the operations in flight below the ring's size.
const CONNECTIONS_MAX: usize = 1024;

/// A connection's receive buffer. Larger ones are no faster, smaller ones slower (README.md); it grows for a frame that
/// does not fit.
const RECEIVE_BYTES: usize = 256 << 10;

/// How to run the floor.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The core to run on, if pinned.
    pub core: Option<usize>,
    /// Partitions of any topic asked for.
    pub partitions: usize,
    /// The logs.
    pub log: LogOptions,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(options: Options) -> io::Result<()> {
    if let Some(core) = options.core {
        os::pin_to_core(core)?;
    }
    let signals = os::stop_signals()?;
    let mut ring = Ring::new()?;
    let logs = Logs::create(&options.log, &mut ring)?;
    let listener = listen(options.listen)?;
    let address = listener.local_addr()?.as_socket().unwrap_or(options.listen);
    let broker = Broker::new(&address.ip().to_string(), address.port(), options.partitions);
    ring.accept(listener.as_raw_fd());
    ring.wait_for_signal(signals.as_raw_fd(), Buffer::new(1));
    println!("listening on {address}");
    let mut server = Server { ring, logs, broker, connections: Vec::new(), stats: Stats::default() };
    server.serve()?;
    println!("{}", server.stats);
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    Ok(socket)
}

struct Server {
    ring: Ring,
    logs: Logs,
    broker: Broker,
    connections: Vec<Option<Connection>>,
    stats: Stats,
}

impl Server {
    fn serve(&mut self) -> io::Result<()> {
        let mut completions = Vec::new();
        loop {
            self.stats.turns += 1;
            self.ring.turn(&mut completions)?;
            for completion in completions.drain(..) {
                if completion.purpose == Purpose::Signal {
                    return Ok(());
                }
                self.complete(completion)?;
            }
            for connection in self.connections.iter_mut().flatten() {
                if connection.handle(&mut self.broker, &mut self.logs, &mut self.stats) {
                    connection.receive(&mut self.ring);
                }
            }
            self.logs.advance(&mut self.ring, &mut self.stats);
            let safe = self.logs.safe();
            for slot in &mut self.connections {
                if let Some(connection) = slot {
                    connection.release(&safe, &mut self.ring, &mut self.stats);
                    if connection.finished() {
                        *slot = None;
                    }
                }
            }
        }
    }

    fn complete(&mut self, completion: Completion) -> io::Result<()> {
        let result = completion.result;
        match (completion.purpose, completion.memory) {
            (Purpose::Receive(number), Memory::Buffer(buffer)) => {
                self.stats.receives += 1;
                self.stats.received_bytes += result.max(0) as u64;
                self.connection(number).received(buffer, result);
            }
            (Purpose::Send(number), Memory::Bytes(bytes)) => self.connection(number).sent(&bytes, result),
            (Purpose::Write { log, id }, Memory::Buffer(buffer)) => {
                self.logs.wrote(log, id, result, buffer)?
            }
            (Purpose::Flush(log), _) => self.logs.flush_ended(log, result)?,
            (Purpose::Accept, Memory::Socket(socket)) => self.accepted(socket),
            (Purpose::Accept, _) if completion.last => return Err(io::Error::from_raw_os_error(-result)),
            (Purpose::Accept | Purpose::Signal, _) => {}
            (purpose, _) => unreachable!("{purpose:?} was submitted with other memory"),
        }
        Ok(())
    }

    fn accepted(&mut self, socket: OwnedFd) {
        let number = match self.connections.iter().position(Option::is_none) {
            Some(number) => number,
            None if self.connections.len() == CONNECTIONS_MAX => return,
            None => {
                self.connections.push(None);
                self.connections.len() - 1
            }
        };
        self.connections[number] = Some(Connection::new(number, socket, RECEIVE_BYTES));
    }

    fn connection(&mut self, number: usize) -> &mut Connection {
        self.connections[number].as_mut().expect("a connection with operations in flight is kept")
    }
}
