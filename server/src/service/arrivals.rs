//! Connections come: one core accepts them and deals them to all, itself included, in turn. (Left to the kernel's hash,
//! four connections land on one core far too often.)

use std::io;
use std::sync::atomic::Ordering;

use tora_engine::io::ring::RingIo;
use tora_engine::io::{Io, Op, Socket, socket};
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, ShardId};

use super::{Kind, Server, token};
use crate::connection::Connection;
use crate::limits;

/// The accepting side of a core.
pub(super) struct Arrivals {
    /// On the core that accepts.
    listener: Option<Socket>,
    /// The core that gets the next connection.
    next_core: u16,
    /// When to accept again, where it failed.
    retry_at: Option<Nanos>,
    /// Whether connections are turned away, which is said once.
    turning_away: bool,
}

impl Arrivals {
    pub(super) const fn new(listener: Option<Socket>) -> Self {
        Self { listener, next_core: 0, retry_at: None, turning_away: false }
    }

    pub(super) const fn retry_at(&self) -> Option<Nanos> {
        self.retry_at
    }
}

impl Server {
    pub(super) fn accept(&mut self, shard: &mut Shard<RingIo>) {
        if let Some(listener) = self.arrivals.listener {
            shard.submit(token(Kind::Accept, 0), Op::Accept { listener });
        }
    }

    pub(super) fn accepted(&mut self, shard: &mut Shard<RingIo>, result: io::Result<u64>) {
        match result {
            Ok(number) => {
                let socket = Socket(i32::try_from(number).expect("a descriptor"));
                if self.stopping_since.is_some() {
                    socket::close(socket);
                    return;
                }
                self.deal(shard, socket);
                self.accept(shard);
            }
            Err(error) => {
                self.turn_away(&format!("accepting failed ({error}), and is tried again"));
                self.arrivals.retry_at = Some(shard.io().now().plus_millis(limits::ACCEPT_RETRY_MS));
            }
        }
    }

    /// Takes the connections that other cores have dealt to this one, and accepts again if it is time to.
    pub(super) fn take_arrivals(&mut self, shard: &mut Shard<RingIo>) {
        while let Some(socket) = self.common.inboxes[usize::from(self.id.value())].pop() {
            self.add(shard, socket);
        }
        if self.arrivals.retry_at.is_some_and(|at| at <= shard.io().now()) {
            self.arrivals.retry_at = None;
            self.accept(shard);
        }
    }

    /// Gives a connection to the next core in turn.
    fn deal(&mut self, shard: &mut Shard<RingIo>, socket: Socket) {
        let limit = self.common.settings.connections_max;
        if self.common.connections.fetch_add(1, Ordering::Relaxed) >= limit {
            self.turn_away(&format!("max.connections={limit} are open: new ones are closed until some end"));
            self.drop_socket(socket);
            return;
        }
        let core = ShardId::new(self.arrivals.next_core);
        self.arrivals.next_core = (self.arrivals.next_core + 1) % shard.shards();
        if core == self.id {
            self.arrivals.turning_away = false;
            self.add(shard, socket);
            return;
        }
        match self.common.inboxes[usize::from(core.value())].push(socket) {
            Ok(()) => {
                self.arrivals.turning_away = false;
                shard.wake(core);
            }
            Err(socket) => {
                self.turn_away(&format!("core {core} is too busy to take connections: new ones are closed"));
                self.drop_socket(socket);
            }
        }
    }

    /// Says why connections are turned away, once until one is taken again.
    fn turn_away(&mut self, why: &str) {
        if !std::mem::replace(&mut self.arrivals.turning_away, true) {
            log::warn!("{why}");
        }
    }

    fn drop_socket(&self, socket: Socket) {
        self.common.connections.fetch_sub(1, Ordering::Relaxed);
        socket::close(socket);
    }

    fn add(&mut self, shard: &mut Shard<RingIo>, socket: Socket) {
        if let Err(error) = socket::prepare_connection(socket) {
            log::debug!("a connection was lost at once: {error}");
        }
        let now = shard.io().now();
        let limit = self.common.settings.request_bytes_max;
        let connection = Connection::new(socket, self.next_serial, limit, now);
        self.next_serial += 1;
        let key = self.connections.insert(connection);
        self.next_tick = self.next_tick.min(now.plus_millis(limits::TICK_MS));
        self.advance(shard, key);
    }
}
