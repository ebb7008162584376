//! The server on one core: its connections, from bytes to requests and back.
//!
//! A turn goes like this: receives complete, frames are cut from what they brought and requests started; replies of the
//! engine come and are taken by the requests that asked; at the turn's end ([`Service::on_turn`]) every connection that
//! something was answered on sends all of it at once and starts what had to wait for it.

mod arrivals;
mod ends;
pub mod groups;
mod holding;
mod waits;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crossbeam_queue::ArrayQueue;
use tora_engine::io::ring::RingIo;
use tora_engine::io::{Completion, Io, Op, Returned, Socket, Token};
use tora_engine::request::Reply;
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, ShardId};

use crate::api::fetch::sessions::Sessions;
use crate::api::{self, Asked, Client, Context, Ending, Purpose, Waiting};
use crate::config::{HostPort, Settings};
use crate::connection::order::Sequence;
use crate::connection::outgoing::Piece;
use crate::connection::{Connection, Job, Parked};
use crate::limits;
use crate::memory::{ReceiveMemory, ResponseMemory};
use crate::slab::Slab;
use crate::wire::Writer;
use arrivals::Arrivals;
use groups::{Groups, Mail};

/// What the cores' services have in common.
pub struct Common {
    /// The settings.
    pub settings: Settings,
    /// What clients are told to connect to.
    pub advertised: HostPort,
    /// Sockets on their way to each core.
    pub inboxes: Vec<ArrayQueue<Socket>>,
    /// Requests to groups, and answers, on their way to each core.
    pub group_mail: Vec<ArrayQueue<Mail>>,
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

/// One request, wherever its connection has come to by the time it is answered.
#[derive(Clone, Copy)]
struct RequestId {
    connection: u32,
    serial: u64,
    sequence: Sequence,
}

/// See the module.
pub struct Server {
    id: ShardId,
    common: Arc<Common>,
    arrivals: Arrivals,
    connections: Slab<Connection>,
    next_serial: u64,
    asked: Slab<Asked>,
    groups: Groups,
    /// Connections to be advanced at the turn's end.
    dirty: Vec<u32>,
    /// When each waiting request has waited long enough, with its connection.
    deadlines: BTreeSet<(Nanos, u32)>,
    receive_memory: ReceiveMemory,
    response_memory: ResponseMemory,
    writer: Writer,
    waiting: Waiting,
    sessions: Sessions,
    /// Bytes of records that wait on all connections.
    held: usize,
    /// Bytes of the sends under way.
    sending: usize,
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
        let cores = u16::try_from(common.inboxes.len()).expect("cores are counted in 16 bits");
        let sessions = Sessions::new(id, cores, common.settings.fetch_sessions_max);
        Self {
            id,
            arrivals: Arrivals::new(listener),
            connections: Slab::default(),
            next_serial: 0,
            asked: Slab::default(),
            groups: Groups::new(id, common.inboxes.len(), common.settings.groups.clone()),
            dirty: Vec::new(),
            deadlines: BTreeSet::new(),
            receive_memory: ReceiveMemory::new(queued),
            response_memory: ResponseMemory::default(),
            writer: Writer::default(),
            waiting: Waiting::default(),
            sessions,
            held: 0,
            sending: 0,
            next_tick: Nanos::new(u64::MAX),
            memory_short: false,
            stopping_since: None,
            common,
        }
    }

    // ---- bytes come and go

    fn received(&mut self, shard: &mut Shard<RingIo>, key: u32, completion: Completion) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.transport.received();
        let Returned::Chunk(chunk) = completion.returned else { unreachable!("a receive returns its chunk") };
        let count = completion.result.as_ref().map_or(0, |count| usize::try_from(*count).expect("it fits"));
        connection.receiver.received(chunk, count);
        if count == 0 || !connection.transport.is_open() {
            self.end(shard, key);
            return;
        }
        connection.last_progress = shard.io().now();
        self.advance(shard, key);
    }

    fn sent(&mut self, shard: &mut Shard<RingIo>, key: u32, completion: Completion) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let count = completion.result.as_ref().map_or(0, |count| usize::try_from(*count).expect("it fits"));
        self.sending -= connection.transport.sending_bytes();
        connection.transport.sent(count, completion.returned);
        if completion.result.is_err() || !connection.transport.is_open() {
            self.end(shard, key);
            return;
        }
        connection.last_progress = shard.io().now();
        connection.outgoing_since = connection.last_progress;
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
            if !self.queue_responses(shard, key) && !started {
                break;
            }
        }
        if !self.connections.get_mut(key).is_some_and(|connection| connection.transport.is_open()) {
            return;
        }
        self.send(shard, key);
        self.receive(shard, key);
    }

    /// Starts requests while they may be; says whether it started one.
    fn start_requests(&mut self, shard: &mut Shard<RingIo>, key: u32) -> Result<bool, String> {
        let mut any = false;
        while let Some(connection) = self.connections.get_mut(key) {
            let next = match connection.parked.take() {
                Some(parked) => Some(parked),
                None => next_request(connection)?,
            };
            let Some(parked) = next else { break };
            if !connection.order.may_start(parked.api.kind) {
                connection.parked = Some(parked);
                break;
            }
            let sequence = connection.order.start(parked.api.kind);
            let request = RequestId { connection: key, serial: connection.serial, sequence };
            self.start(shard, request, &parked)?;
            any = true;
        }
        Ok(any)
    }

    fn start(
        &mut self,
        shard: &mut Shard<RingIo>,
        request: RequestId,
        parked: &Parked,
    ) -> Result<(), String> {
        let Parked { api, call, frame, body } = parked;
        let work = api::start(api, call, frame, *body, &mut self.context(shard, request))
            .map_err(|why| format!("a {} request that cannot be read: {why}", api.name))?;
        self.settle(shard, request, Job { work, call: *call });
        Ok(())
    }

    /// Puts work back, or, if it is done, its response in its place.
    fn settle(&mut self, shard: &mut Shard<RingIo>, request: RequestId, mut job: Job) {
        let RequestId { connection: key, sequence, .. } = request;
        if !job.work.is_done() {
            self.wait(shard, request);
            if let Some(connection) = self.connections.get_mut(key) {
                connection.order.put(sequence, job);
            }
            return;
        }
        let response = match job.work.ending() {
            Ending::Close(why) => {
                self.refuse(shard, key, why);
                None
            }
            Ending::Silence => None,
            Ending::Respond => {
                let mut writer = std::mem::take(&mut self.writer);
                let mut cx = self.context(shard, request);
                api::respond(job.work.as_mut(), &job.call, &mut writer, &mut cx);
                let response = gather(&writer, &mut self.response_memory);
                writer.clear();
                self.writer = writer;
                Some(response)
            }
        };
        if let Some(connection) = self.connections.get_mut(key) {
            connection.order.answer(sequence, response);
        }
    }

    /// Settles a request that has just got something, and has its connection looked at if it is done.
    fn carry_on(&mut self, shard: &mut Shard<RingIo>, request: RequestId, job: Job) {
        let done = job.work.is_done();
        self.settle(shard, request, job);
        if done {
            self.mark_dirty(request.connection);
        }
    }

    fn context<'a>(&'a mut self, shard: &'a mut Shard<RingIo>, request: RequestId) -> Context<'a> {
        let Common { settings, advertised, .. } = &*self.common;
        let RequestId { connection, serial, sequence } = request;
        Context {
            shard,
            settings,
            advertised,
            asked: &mut self.asked,
            desk: &mut self.groups.desk,
            connections: &mut self.connections,
            waiting: &mut self.waiting,
            sessions: &mut self.sessions,
            connection,
            serial,
            sequence,
        }
    }

    /// Queues the responses whose turn it is; says whether there was one.
    fn queue_responses(&mut self, shard: &mut Shard<RingIo>, key: u32) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let mut any = false;
        while let Some(response) = connection.order.pop_answered() {
            any = true;
            for piece in response.into_iter().flatten() {
                if piece.held() > 0 && connection.transport.held() == 0 {
                    connection.outgoing_since = shard.io().now();
                }
                self.held += piece.held();
                connection.transport.queue(piece);
            }
        }
        any
    }

    /// Receives more, unless what is there has to be done first.
    fn receive(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.receiver.trim(&mut self.receive_memory);
        let busy = connection.parked.is_some() || connection.has_enough();
        if busy || connection.transport.is_receiving() || self.stopping_since.is_some() {
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

    fn mark_dirty(&mut self, key: u32) {
        if let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.is_dirty) {
            connection.is_dirty = true;
            self.dirty.push(key);
        }
    }

    fn advance_dirty(&mut self, shard: &mut Shard<RingIo>) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.is_dirty = false;
                self.advance(shard, key);
            }
        }
        // Nothing that advances a connection marks one.
        self.dirty = dirty;
    }
}

/// The next request of what was received, if it may be begun.
fn next_request(connection: &mut Connection) -> Result<Option<Parked>, String> {
    let transport = &connection.transport;
    if connection.has_enough() || !transport.is_open() || transport.is_receiving() {
        return Ok(None);
    }
    let Some(frame) = connection.receiver.next_frame().map_err(|why| why.to_string())? else {
        return Ok(None);
    };
    let (api, call, body) = api::read_header(&frame).map_err(|why| why.to_string())?;
    Ok(Some(Parked { api, call, frame, body }))
}

/// A written response in pieces: the records where they lie, everything else copied out of the writer.
pub fn gather(writer: &Writer, memory: &mut ResponseMemory) -> Vec<Piece> {
    let written = memory.store(writer.bytes());
    let mut pieces = Vec::with_capacity(writer.records_at().len() * 2 + 1);
    let mut from = 0;
    for part in writer.records_at() {
        if part.after > from {
            pieces.push(Piece::Held { bytes: written.slice(from..part.after), stored: None });
            from = part.after;
        }
        pieces.push(Piece::Held { bytes: part.slice.clone(), stored: Some(part.stored) });
    }
    pieces.push(Piece::Held { bytes: written.slice(from..written.len()), stored: None });
    pieces
}

impl Service<RingIo> for Server {
    fn start(&mut self, shard: &mut Shard<RingIo>) {
        self.groups.load(shard, &mut self.asked);
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
        let Client { connection: key, serial, purpose } = match asked {
            Asked::Client(client) => client,
            Asked::Errand(errand) => {
                self.groups.errand_done(shard, &mut self.asked, errand, reply);
                return;
            }
            Asked::SessionWatch { session, place, watch, owner } => {
                let holder = self.sessions.watch_ended(owner, session, place, watch);
                if let Some((key, serial)) = holder
                    && self.connections.get_mut(key).is_some_and(|connection| connection.serial == serial)
                {
                    self.wake(shard, key);
                }
                return;
            }
        };
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.serial == serial)
        else {
            return;
        };
        let (sequence, part) = match purpose {
            Purpose::Part { sequence, part } => (sequence, part),
            Purpose::Watch(partition) => {
                connection.watches.remove(&partition);
                self.wake(shard, key);
                return;
            }
            Purpose::Outgoing => {
                self.fetched(shard, key, reply);
                return;
            }
        };
        let Some(mut job) = connection.order.take(sequence) else { return };
        let request = RequestId { connection: key, serial, sequence };
        job.work.on_reply(part, reply, &mut self.context(shard, request));
        self.carry_on(shard, request, job);
    }

    fn on_turn(&mut self, shard: &mut Shard<RingIo>) {
        self.take_arrivals(shard);
        let now = shard.io().now();
        self.wake_expired(shard, now);
        self.serve_groups(shard);
        self.advance_dirty(shard);
        // Requests that had to wait for an answer may just have been started.
        self.send_group_mail(shard);
        self.hold_less(shard);
        if now >= self.next_tick {
            self.tick(shard, now);
        }
    }

    fn next_deadline(&self) -> Option<Nanos> {
        let waiting = self.deadlines.first().map(|deadline| deadline.0);
        let tick = (self.next_tick != Nanos::new(u64::MAX)).then_some(self.next_tick);
        [waiting, tick, self.arrivals.retry_at(), self.groups.next_deadline()].into_iter().flatten().min()
    }

    fn has_mail(&self) -> bool {
        let core = usize::from(self.id.value());
        let arrived = !self.common.inboxes[core].is_empty();
        arrived || !self.common.group_mail[core].is_empty() || self.groups.has_mail()
    }

    fn on_stop(&mut self, shard: &mut Shard<RingIo>) -> bool {
        self.stop(shard)
    }
}
