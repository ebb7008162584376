//! What `benches` measures of this crate: a request cut from a connection's stream and read, a response written, by the
//! functions that serve clients, without sockets and shards around them. It is no interface, and nothing else may use it.
//!
//! A request that cannot be read panics: whoever measures made it.

use std::num::NonZeroUsize;

use tora_engine::Config;
use tora_engine::catalog::Catalog;
use tora_engine::io::Slice;
use tora_engine::open::topic_defaults;
use tora_engine::request::{Appended, Records};
use tora_engine::types::{LeaderEpoch, Nanos, Offset, Position, ShardId, TopicId};

use crate::api::fetch::in_session::InSession;
use crate::api::fetch::sessions::{Sessions, Taken};
use crate::api::fetch::{self, Fetch};
use crate::api::produce::{self, Batch, Produce};
use crate::api::{self, Call};
use crate::connection::receive::Receiver;
use crate::limits;
use crate::memory::{ReceiveMemory, ResponseMemory};
use crate::service::gather;
use crate::wire::{Reader, Writer};

/// Of the topics that there are: so many partitions each.
pub const PARTITIONS: i32 = 16;
/// The leader epoch that requests may name.
pub const EPOCH: i32 = 7;
/// What a fetch says of its session: the connection and its serial.
const HOLDER: (u32, u64) = (0, 0);
const NOW: Nanos = Nanos::new(1);

/// The name of topic `number`.
#[must_use]
pub fn topic_name(number: u8) -> String {
    format!("topic-{number}")
}

/// The id of topic `number`.
#[must_use]
pub fn topic_id(number: u8) -> [u8; 16] {
    [number + 1; 16]
}

/// A connection on which one request comes again and again.
pub struct Client {
    receiver: Receiver,
    catalog: Catalog,
    sessions: Sessions,
    writer: Writer,
    memory: ResponseMemory,
}

/// A Produce request that was read.
pub struct ReadProduce {
    call: Call,
    work: Box<Produce>,
    batches: Vec<Batch>,
}

/// A Fetch request that was read.
pub struct ReadFetch {
    call: Call,
    work: Box<Fetch>,
}

impl Client {
    /// A client of a broker with `topics` topics that sends `request`, its length included.
    #[must_use]
    pub fn new(request: &[u8], topics: u8) -> Self {
        Self {
            receiver: received(request),
            catalog: catalog(topics),
            sessions: Sessions::new(ShardId::new(0), 1, limits::FETCH_SESSIONS_MAX),
            writer: Writer::default(),
            memory: ResponseMemory::default(),
        }
    }

    /// Cuts and reads it as a Produce request.
    pub fn read_produce(&mut self) -> ReadProduce {
        let (call, frame, body) = self.next();
        let mut reader = Reader::of(&frame, body, call.encoding);
        let (work, batches) = produce::read(&mut reader, &call, &self.catalog).expect("it is a Produce");
        ReadProduce { call, work: Box::new(work), batches }
    }

    /// Cuts and reads it as a Fetch request without a session.
    pub fn read_fetch(&mut self) -> ReadFetch {
        let (call, frame, body) = self.next();
        let mut reader = Reader::of(&frame, body, call.encoding);
        let head = fetch::read_head(&mut reader, call.version, limits::FETCH_BYTES_MAX as usize);
        let terms = head.expect("it is a Fetch").terms(NOW);
        let epoch = LeaderEpoch::new(EPOCH);
        let work = fetch::read_plain(&mut reader, call.version, terms, &self.catalog, epoch);
        ReadFetch { call, work: Box::new(work.expect("it is a Fetch")) }
    }

    /// Begins the session of `fetched` partitions of topic 0 that [`Client::read_session_fetch`] goes on with; its id.
    pub fn begin_session(&mut self, fetched: NonZeroUsize) -> i32 {
        let session = self.sessions.begin(true, fetched.get(), HOLDER, NOW, 1);
        let mut session = session.expect("there is room for one");
        let topic = fetch::TopicName::Id(TopicId::new(topic_id(0)));
        for index in 0..i32::try_from(fetched.get()).expect("few") {
            session.want(&topic, index, EPOCH, Offset::ZERO, 1 << 20);
        }
        let _ = session.take_ready();
        let id = session.id;
        assert!(self.sessions.put_back(session), "it wants something");
        id
    }

    /// Cuts and reads it as a session's first Fetch after the one that began it, and puts the session back as it was.
    pub fn read_session_fetch(&mut self) {
        let (call, frame, body) = self.next();
        let mut reader = Reader::of(&frame, body, call.encoding);
        let head = fetch::read_head(&mut reader, call.version, limits::FETCH_BYTES_MAX as usize);
        let head = head.expect("it is a Fetch");
        let taken = self.sessions.take(head.session, head.number, true, HOLDER, NOW);
        let Taken::Session(session) = taken else { panic!("it names the session that was begun") };
        let work = InSession::change(session, &mut reader, call.version, head.terms(NOW));
        let mut work = Box::new(work.expect("it is a Fetch"));
        work.choose(&mut self.sessions, &self.catalog, LeaderEpoch::new(EPOCH));
        let mut session = work.into_session();
        session.epoch = head.number;
        assert!(self.sessions.put_back(session), "it wants something");
    }

    /// Writes the response to a Produce whose batches were all appended; its bytes.
    pub fn respond_to_produce(&mut self, answered: &ReadProduce) -> usize {
        let ReadProduce { call, work, .. } = answered;
        api::write_response(call, &mut self.writer, |out| work.write_body(call, out));
        self.gather()
    }

    /// Writes the response to a Fetch that was answered, and takes its records; its bytes.
    pub fn respond_to_fetch(&mut self, answered: &mut ReadFetch) -> usize {
        let ReadFetch { call, work } = answered;
        api::write_response(call, &mut self.writer, |out| work.write_body(call.version, out));
        self.gather()
    }

    fn gather(&mut self) -> usize {
        let pieces = gather(&self.writer, &mut self.memory);
        self.writer.clear();
        pieces.iter().map(|piece| piece.len()).sum()
    }

    fn next(&mut self) -> (Call, Slice, usize) {
        self.receiver.rewind();
        let frame = self.receiver.next_frame().expect("its length is one").expect("it is whole");
        let header = api::read_header(&frame);
        let (_, call, body) = header.unwrap_or_else(|why| panic!("{why}"));
        (call, frame, body)
    }
}

impl ReadProduce {
    /// How many batches it brings for partitions that there are.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// All of them are appended.
    #[must_use]
    pub fn appended(mut self) -> Self {
        for (part, ..) in self.batches.drain(..) {
            let base_offset = Offset::new(1_000_000);
            let appended = Appended { base_offset, log_append_time: -1, log_start: Offset::ZERO };
            self.work.take(part, Ok(appended));
        }
        self
    }
}

impl ReadFetch {
    /// How many partitions it wants that there are.
    #[must_use]
    pub fn partitions(&mut self) -> usize {
        self.work.reading().parts.iter().filter(|part| part.partition.is_some()).count()
    }

    /// Each of them has these records.
    pub fn found(&mut self, records: &Slice) {
        for part in &mut self.work.reading().parts {
            part.outcome = Some(Ok(Records {
                slices: vec![records.clone()],
                at: Position::ZERO,
                high_watermark: Offset::new(1_000_000),
                log_start: Offset::ZERO,
            }));
        }
    }
}

/// A connection's receiver that has got the request, in as many receives as it takes.
fn received(request: &[u8]) -> Receiver {
    let mut memory = ReceiveMemory::new(limits::REQUEST_BYTES_MAX as usize);
    let mut receiver = Receiver::new(limits::REQUEST_BYTES_MAX as usize);
    let mut rest = request;
    while !rest.is_empty() {
        let into = receiver.begin(&mut memory).expect("its length is one");
        let mut chunk = into.expect("there is memory for one request");
        let count = chunk.push(rest);
        rest = &rest[count..];
        receiver.received(chunk, 0);
    }
    receiver
}

fn catalog(topics: u8) -> Catalog {
    let mut catalog = Catalog::new(topic_defaults(&Config::new("")));
    for number in 0..topics {
        let id = TopicId::new(topic_id(number));
        let change =
            catalog.plan_create(id, &topic_name(number), PARTITIONS, &[]).expect("it is a new topic");
        catalog.apply(&change).expect("it was planned");
    }
    catalog
}
