//! The server on one core: its connections, from bytes to requests and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_queue::ArrayQueue;
use tora_engine::io::ring::RingIo;
use tora_engine::io::{Completion, Io, Op, Returned, Slice, Socket, Token, socket};
use tora_engine::request::Reply;
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, ShardId};

use crate::api::{self, Asked, Context};
use crate::config::{HostPort, Settings};
use crate::connection::order::Sequence;
use crate::connection::transport::EndStep;
use crate::connection::{Connection, Job, Parked};
use crate::limits;
use crate::memory::{ReceiveMemory, ResponseMemory};
use crate::slab::Slab;
use crate::wire::Writer;

/// What the cores' services have in common.
pub struct Common {
    /// The settings.
    pub settings: Settings,
    /// What clients are told to connect to.
    pub advertised: HostPort,
    /// Sockets on their way to each core.
    pub inboxes: Vec<ArrayQueue<Socket>>,
    /// Connections of all cores.
    pub connections: AtomicU32,
}

/// What an operation was for; the rest of its token is the connection's number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Accept,
    Receive,
    Send,
    Shutdown,
    Close,
}

const KIND_SHIFT: u32 = 32;

fn token(kind: Kind, connection: u32) -> Token {
    Token((kind as u64) << KIND_SHIFT | u64::from(connection))
}

fn parts(token: Token) -> (Kind, u32) {
    let kind = match token.0 >> KIND_SHIFT {
        0 => Kind::Accept,
        1 => Kind::Receive,
        2 => Kind::Send,
        3 => Kind::Shutdown,
        _ => Kind::Close,
    };
    (kind, u32::try_from(token.0 & u64::from(u32::MAX)).expect("masked to 32 bits"))
}

/// See the module.
pub struct Server {
    id: ShardId,
    common: Arc<Common>,
    /// On the core that accepts.
    listener: Option<Socket>,
    /// The core that gets the next connection.
    next_core: u16,
    connections: Slab<Connection>,
    next_serial: u64,
    asked: Slab<Asked>,
    receive_memory: ReceiveMemory,
    response_memory: ResponseMemory,
    writer: Writer,
    next_tick: Nanos,
    /// Whether a connection waits for memory.
    memory_short: bool,
    stopping_since: Option<Nanos>,
}

impl Server {
    /// The service of one core; `listener` on the one that accepts.
    #[must_use]
    pub fn new(id: ShardId, common: Arc<Common>, listener: Option<Socket>) -> Self {
        let queued = common.settings.queued_request_bytes / common.inboxes.len();
        Self {
            id,
            listener,
            next_core: 0,
            connections: Slab::default(),
            next_serial: 0,
            asked: Slab::default(),
            receive_memory: ReceiveMemory::new(queued),
            response_memory: ResponseMemory::default(),
            writer: Writer::default(),
            next_tick: Nanos::new(u64::MAX),
            memory_short: false,
            stopping_since: None,
            common,
        }
    }

    // ---- connections come

    fn accept(&self, shard: &mut Shard<RingIo>) {
        if let Some(listener) = self.listener {
            shard.submit(token(Kind::Accept, 0), Op::Accept { listener });
        }
    }

    fn accepted(&mut self, shard: &mut Shard<RingIo>, result: std::io::Result<u64>) {
        match result {
            Ok(number) => {
                let socket = Socket(i32::try_from(number).expect("a descriptor"));
                self.deal(shard, socket);
            }
            Err(error) => log::warn!("accepting a connection failed: {error}"),
        }
        if self.stopping_since.is_none() {
            self.accept(shard);
        }
    }

    /// Gives a connection to the next core in turn.
    fn deal(&mut self, shard: &mut Shard<RingIo>, socket: Socket) {
        let others = self.common.connections.fetch_add(1, Ordering::Relaxed);
        if others >= self.common.settings.connections_max {
            log::warn!("a connection is closed: max.connections={others} are open");
            self.drop_socket(socket);
            return;
        }
        let core = ShardId::new(self.next_core);
        self.next_core = (self.next_core + 1) % shard.shards();
        if core == self.id {
            self.add(shard, socket);
            return;
        }
        match self.common.inboxes[usize::from(core.value())].push(socket) {
            Ok(()) => shard.wake(core),
            Err(socket) => self.drop_socket(socket),
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

    // ---- bytes come and go

    fn received(&mut self, shard: &mut Shard<RingIo>, key: u32, completion: Completion) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.transport.received();
        let Returned::Chunk(chunk) = completion.returned else { unreachable!("a receive returns its chunk") };
        let count = completion.result.as_ref().map_or(0, |count| usize::try_from(*count).expect("it fits"));
        connection.receiver.received(chunk, count);
        if count == 0 {
            self.end(shard, key);
            return;
        }
        connection.last_progress = shard.io().now();
        self.advance(shard, key);
    }

    fn sent(&mut self, shard: &mut Shard<RingIo>, key: u32, completion: Completion) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let count = completion.result.as_ref().map_or(0, |count| usize::try_from(*count).expect("it fits"));
        connection.transport.sent(count, completion.returned);
        if completion.result.is_err() || !connection.transport.is_open() {
            self.end(shard, key);
            return;
        }
        connection.last_progress = shard.io().now();
        self.advance(shard, key);
    }

    /// Does for a connection what can be done now.
    fn advance(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        loop {
            let started = match self.start_requests(shard, key) {
                Ok(started) => started,
                Err(why) => {
                    self.refuse(shard, key, &why);
                    return;
                }
            };
            if !self.queue_responses(key) && !started {
                break;
            }
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.transport.is_open() {
            return;
        }
        if let Some(slices) = connection.transport.begin_send() {
            let socket = connection.transport.socket();
            shard.submit(token(Kind::Send, key), Op::Send { socket, slices });
        }
        self.receive(shard, key);
    }

    /// Starts requests while they may be; says whether it started one.
    fn start_requests(&mut self, shard: &mut Shard<RingIo>, key: u32) -> Result<bool, String> {
        let mut any = false;
        loop {
            let Some(connection) = self.connections.get_mut(key) else { return Ok(any) };
            let busy = connection.order.len() >= limits::REQUESTS_PER_CONNECTION_MAX
                || connection.transport.outgoing_bytes() >= limits::OUTGOING_BYTES_MAX
                || !connection.transport.is_open()
                || connection.transport.is_receiving();
            let parked = match connection.parked.take() {
                Some(parked) => parked,
                None if busy => return Ok(any),
                None => {
                    let frame = connection.receiver.next_frame().map_err(|why| why.to_string())?;
                    let Some(frame) = frame else { return Ok(any) };
                    let (api, call, body) = api::read_header(&frame).map_err(|why| why.to_string())?;
                    Parked { api, call, body }
                }
            };
            if !connection.order.may_start(parked.api.kind) {
                connection.parked = Some(parked);
                return Ok(any);
            }
            let sequence = connection.order.start(parked.api.kind);
            let serial = connection.serial;
            self.start(shard, key, serial, sequence, parked)?;
            any = true;
        }
    }

    fn start(
        &mut self,
        shard: &mut Shard<RingIo>,
        key: u32,
        serial: u64,
        sequence: Sequence,
        parked: Parked,
    ) -> Result<(), String> {
        let Parked { api, call, body } = parked;
        let mut cx = context(shard, &self.common, &mut self.asked, (key, serial, sequence));
        let work = api::start(api, &call, body, &mut cx)
            .map_err(|why| format!("a {} request that cannot be read: {why}", api.name))?;
        self.settle(shard, key, serial, sequence, Job { work, call });
        Ok(())
    }

    /// Puts work back, or, if it is done, its response in its place.
    fn settle(&mut self, shard: &mut Shard<RingIo>, key: u32, serial: u64, sequence: Sequence, mut job: Job) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !job.work.is_done() {
            connection.order.put(sequence, job);
            return;
        }
        if !job.work.is_answered() {
            connection.order.answer(sequence, None);
            return;
        }
        let mut cx = context(shard, &self.common, &mut self.asked, (key, serial, sequence));
        api::respond(job.work.as_mut(), &job.call, &mut self.writer, &mut cx);
        let response = gather(&self.writer, &mut self.response_memory);
        self.writer.clear();
        connection.order.answer(sequence, Some(response));
    }

    /// Queues the responses whose turn it is; says whether there was one.
    fn queue_responses(&mut self, key: u32) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let mut any = false;
        while let Some(response) = connection.order.pop_answered() {
            any = true;
            for slice in response.into_iter().flatten() {
                connection.transport.queue(slice);
            }
        }
        any
    }

    /// Receives more, unless what is there has to be done first.
    fn receive(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let enough = connection.parked.is_some()
            || connection.order.len() >= limits::REQUESTS_PER_CONNECTION_MAX
            || connection.transport.outgoing_bytes() >= limits::OUTGOING_BYTES_MAX;
        if enough || connection.transport.is_receiving() || self.stopping_since.is_some() {
            return;
        }
        match connection.receiver.begin(&mut self.receive_memory) {
            Ok(Some(into)) => {
                connection.needs_memory = false;
                connection.transport.begin_receive();
                let socket = connection.transport.socket();
                shard.submit(token(Kind::Receive, key), Op::Receive { socket, into });
            }
            Ok(None) => {
                connection.needs_memory = true;
                self.memory_short = true;
                let retry = shard.io().now().plus_millis(limits::MEMORY_RETRY_MS);
                self.next_tick = self.next_tick.min(retry);
            }
            Err(why) => self.refuse(shard, key, &why.to_string()),
        }
    }

    // ---- connections go

    fn refuse(&mut self, shard: &mut Shard<RingIo>, key: u32, why: &str) {
        if let Some(connection) = self.connections.get_mut(key) {
            log::warn!("closing the connection from {}: {why}", socket::peer(connection.transport.socket()));
        }
        self.end(shard, key);
    }

    fn end(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let socket = connection.transport.socket();
        match connection.transport.end() {
            EndStep::Wait => {}
            EndStep::Shutdown => shard.submit(token(Kind::Shutdown, key), Op::Shutdown { socket }),
            EndStep::Close => shard.submit(token(Kind::Close, key), Op::CloseSocket { socket }),
        }
    }

    fn closed(&mut self, key: u32) {
        if let Some(mut connection) = self.connections.remove(key) {
            connection.receiver.release(&mut self.receive_memory);
            self.common.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn tick(&mut self, shard: &mut Shard<RingIo>, now: Nanos) {
        let idle = self.common.settings.idle_ms.saturating_mul(1_000_000);
        let keys: Vec<u32> = self.connections.keys().collect();
        let short = std::mem::take(&mut self.memory_short);
        for key in keys.iter().copied() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if now.since(connection.last_progress) >= idle {
                self.end(shard, key);
            } else if short && connection.needs_memory {
                self.advance(shard, key);
            }
        }
        let again = if self.memory_short { limits::MEMORY_RETRY_MS } else { limits::TICK_MS };
        self.next_tick = if keys.is_empty() { Nanos::new(u64::MAX) } else { now.plus_millis(again) };
    }
}

fn context<'a>(
    shard: &'a mut Shard<RingIo>,
    common: &'a Common,
    asked: &'a mut Slab<Asked>,
    (connection, serial, sequence): (u32, u64, Sequence),
) -> Context<'a> {
    let Common { settings, advertised, .. } = common;
    Context { shard, settings, advertised, asked, connection, serial, sequence }
}

/// A written response as slices: the records where they lie, everything else copied out of the writer.
fn gather(writer: &Writer, memory: &mut ResponseMemory) -> Vec<Slice> {
    let written = memory.store(writer.bytes());
    let mut slices = Vec::with_capacity(writer.records_at().len() * 2 + 1);
    let mut from = 0;
    for (at, records) in writer.records_at() {
        if *at > from {
            slices.push(written.slice(from..*at));
            from = *at;
        }
        slices.push(records.clone());
    }
    slices.push(written.slice(from..written.len()));
    slices
}

impl Service<RingIo> for Server {
    fn start(&mut self, shard: &mut Shard<RingIo>) {
        self.accept(shard);
    }

    fn on_completion(&mut self, shard: &mut Shard<RingIo>, completion: Completion) {
        let (kind, key) = parts(completion.token);
        match kind {
            Kind::Accept => self.accepted(shard, completion.result),
            Kind::Receive => self.received(shard, key, completion),
            Kind::Send => self.sent(shard, key, completion),
            Kind::Shutdown => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.transport.shut_down();
                    self.end(shard, key);
                }
            }
            Kind::Close => self.closed(key),
        }
    }

    fn on_reply(&mut self, shard: &mut Shard<RingIo>, tag: u64, reply: Reply) {
        let key = u32::try_from(tag).expect("tags are the slab's numbers");
        let asked = self.asked.remove(key).expect("every request is answered once");
        let Asked { connection: key, serial, sequence, part } = asked;
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.serial == serial)
        else {
            return;
        };
        let Some(mut job) = connection.order.take(sequence) else { return };
        let mut cx = context(shard, &self.common, &mut self.asked, (key, serial, sequence));
        job.work.on_reply(part, reply, &mut cx);
        let done = job.work.is_done();
        self.settle(shard, key, serial, sequence, job);
        if done {
            self.advance(shard, key);
        }
    }

    fn on_turn(&mut self, shard: &mut Shard<RingIo>) {
        while let Some(socket) = self.common.inboxes[usize::from(self.id.value())].pop() {
            self.add(shard, socket);
        }
        let now = shard.io().now();
        if now >= self.next_tick {
            self.tick(shard, now);
        }
    }

    fn next_deadline(&self) -> Option<Nanos> {
        (self.next_tick != Nanos::new(u64::MAX)).then_some(self.next_tick)
    }

    fn has_mail(&self) -> bool {
        !self.common.inboxes[usize::from(self.id.value())].is_empty()
    }

    fn on_stop(&mut self, shard: &mut Shard<RingIo>) -> bool {
        let now = shard.io().now();
        let since = *self.stopping_since.get_or_insert(now);
        let late = now.since(since) >= limits::STOP_MS * 1_000_000;
        let keys: Vec<u32> = self.connections.keys().collect();
        for key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if late || connection.is_quiet() || !connection.transport.is_open() {
                self.end(shard, key);
            }
        }
        self.next_tick = now.plus_millis(10);
        self.connections.is_empty()
    }
}
