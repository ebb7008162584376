//! On the engine's reactor, as Tora's server is: a [`Service`] of one shard that owns the sockets and the scratch file.
//! Each turn of the reactor is one system call for all that its completions brought: receives, sends, writes, flushes.

mod connection;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tora_engine::io::ring::RingIo;
use tora_engine::io::socket;
use tora_engine::io::{Completion, File, Fs, HostFs, Op, OpenMode, Returned, Socket, Token};
use tora_engine::request::Reply;
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::types::Nanos;
use tora_engine::{Config, Engine};

use super::{Disk, lost};
use crate::runtimes::disk::{Contract, Positions};
use connection::{Connection, Step};

/// Opens an engine, whose own log stays empty, with the service on its one shard; says where it listens. The shard's
/// thread inherits the core of the calling one.
///
/// # Errors
/// What keeps the engine from opening, and the system's.
pub fn start(listen: SocketAddr, folder: &Path, disk: Option<Disk>) -> io::Result<(Engine, SocketAddr)> {
    let scratch = disk.map(|disk| open(&disk)).transpose()?;
    let (listener, address) = socket::listen(listen)?;
    let mut service = Some(Answering { listener, scratch, connections: Vec::new() });
    let config = Config::new(folder.join("engine"));
    let engine = Engine::open_with(config, |_| service.take().expect("there is one shard"));
    Ok((engine.map_err(io::Error::other)?, address))
}

fn open(disk: &Disk) -> io::Result<Scratch> {
    let file = HostFs.open(&disk.path, OpenMode::Direct)?;
    Ok(Scratch { file, contract: disk.contract, positions: Positions::default() })
}

/// The open scratch file.
struct Scratch {
    file: File,
    contract: Contract,
    positions: Positions,
}

/// What an operation was for; the rest of its token is the connection's number.
#[derive(Clone, Copy)]
enum Kind {
    Accept,
    Receive,
    Send,
    Write,
    Flush,
    Close,
}

const KINDS: [Kind; 6] = [Kind::Accept, Kind::Receive, Kind::Send, Kind::Write, Kind::Flush, Kind::Close];
const KIND_SHIFT: u32 = 32;

fn token(kind: Kind, connection: usize) -> Token {
    Token((kind as u64) << KIND_SHIFT | connection as u64)
}

fn parts(token: Token) -> (Kind, usize) {
    let connection = token.0 & ((1 << KIND_SHIFT) - 1);
    (KINDS[(token.0 >> KIND_SHIFT) as usize], usize::try_from(connection).expect("numbered from zero"))
}

/// The service.
struct Answering {
    listener: Socket,
    scratch: Option<Scratch>,
    connections: Vec<Option<Connection>>,
}

impl Answering {
    fn accept(&self, shard: &mut Shard<RingIo>) {
        shard.submit(token(Kind::Accept, 0), Op::Accept { listener: self.listener });
    }

    fn accepted(&mut self, shard: &mut Shard<RingIo>, result: io::Result<u64>) {
        let socket = match result {
            Ok(number) => Socket(i32::try_from(number).expect("a descriptor")),
            Err(error) => return eprintln!("tora-benches: no more connections are accepted: {error}"),
        };
        if let Err(error) = socket::prepare_connection(socket) {
            lost(&error);
        }
        let free = self.connections.iter().position(Option::is_none);
        let key = free.unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.connections[key] = Some(Connection::new(socket));
        self.accept(shard);
        self.advance(shard, key);
    }

    /// Starts what a connection can do now.
    fn advance(&mut self, shard: &mut Shard<RingIo>, key: usize) {
        let Self { connections, scratch, .. } = self;
        let Some(connection) = &mut connections[key] else { return };
        loop {
            let socket = connection.socket();
            match connection.next_step(scratch.is_some()) {
                Ok(Step::Wait) => return,
                Ok(Step::Receive(into)) => {
                    shard.submit(token(Kind::Receive, key), Op::Receive { socket, into });
                }
                Ok(Step::Send(slices)) => {
                    shard.submit(token(Kind::Send, key), Op::Send { socket, slices });
                }
                Ok(Step::Write(data)) => {
                    let Scratch { file, contract, positions } =
                        scratch.as_mut().expect("asked for writes because there is one");
                    let (file, offset) = (*file, positions.next_block());
                    let op = match contract {
                        Contract::Flushed => Op::Write { file, offset, data },
                        Contract::Durable => Op::WriteDurably { file, offset, data },
                    };
                    shard.submit(token(Kind::Write, key), op);
                }
                Ok(Step::Close) => {
                    shard.submit(token(Kind::Close, key), Op::CloseSocket { socket });
                    return;
                }
                Err(error) => {
                    lost(&error);
                    connection.end();
                }
            }
        }
    }

    /// A block is written; it may have to be flushed.
    fn wrote(&mut self, shard: &mut Shard<RingIo>, key: usize) {
        match &self.scratch {
            Some(Scratch { file, contract: Contract::Flushed, .. }) => {
                shard.submit(token(Kind::Flush, key), Op::Flush { file: *file });
            }
            _ => self.connection(key).stored(),
        }
    }

    fn connection(&mut self, key: usize) -> &mut Connection {
        self.connections[key].as_mut().expect("a connection with operations in flight is kept")
    }
}

impl Service<RingIo> for Answering {
    fn start(&mut self, shard: &mut Shard<RingIo>) {
        self.accept(shard);
    }

    fn on_completion(&mut self, shard: &mut Shard<RingIo>, completion: Completion) {
        let (kind, key) = parts(completion.token);
        let Completion { result, returned, .. } = completion;
        match (kind, result, returned) {
            (Kind::Accept, result, _) => return self.accepted(shard, result),
            (Kind::Close, ..) => {
                self.connections[key] = None;
                return;
            }
            (Kind::Receive, result, Returned::Chunk(chunk)) => {
                // An error is the client's going as well.
                self.connection(key).received(chunk, result.map_or(0, to_usize));
            }
            (Kind::Send, Ok(count), Returned::Slices(slices)) => {
                self.connection(key).sent(slices, to_usize(count));
            }
            (Kind::Write, Ok(_), _) => self.wrote(shard, key),
            (Kind::Flush, Ok(_), _) => self.connection(key).stored(),
            (kind, Err(error), _) => {
                lost(&error);
                self.connection(key).failed(matches!(kind, Kind::Send));
            }
            (Kind::Receive | Kind::Send, Ok(_), _) => unreachable!("they return what they were given"),
        }
        self.advance(shard, key);
    }

    fn on_reply(&mut self, _: &mut Shard<RingIo>, tag: u64, _: Reply) {
        unreachable!("the engine was asked nothing, {tag} neither");
    }

    fn on_turn(&mut self, _: &mut Shard<RingIo>) {}

    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    fn has_mail(&self) -> bool {
        false
    }

    fn on_stop(&mut self, _: &mut Shard<RingIo>) -> bool {
        // The process ends next, and with it the sockets.
        true
    }
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("no longer than a buffer")
}
