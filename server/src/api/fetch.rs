//! Fetch (1): reads record batches, waiting for them if there are too few.
//!
//! Versions 4–18. 5 adds the log's start, 7 fetch sessions (KIP-227), 9 leader epochs, 11 the rack (ignored), 12 the
//! flexible encoding and the last fetched epoch (ignored: OffsetForLeaderEpoch tells what a crash took), 13 topic ids,
//! 15–18 fields for followers (skipped).
//!
//! Partitions are read in the request's order while bytes are left of `max_bytes` (and of `fetch.max.bytes`), as many at
//! once as surely fit; the first batch is returned even where it is larger. The partitions for which nothing is left
//! tell their high watermark and no records. With fewer than `min_bytes` in all and no error, the partitions are watched
//! and read again when one has more, until `max_wait_ms` is over.
//!
//! In a session ([`sessions`]) only the partitions that may have news are read, and only those that have are told; the
//! ones that were read longest ago go first. A session that is not known here is refused with FETCH_SESSION_ID_NOT_FOUND,
//! after which clients begin a new one.
//!
//! Records go out as they are stored. Versions before 10 may not be sent zstd (KIP-110): where a read begins with such a
//! batch they get UNSUPPORTED_COMPRESSION_TYPE. Batches further on are not looked at.
//!
//! A connection has one watch on a partition at most, whichever of its fetches began it: a consumer of one busy
//! partition and many idle ones would else leave a watch on each idle one behind with every fetch.

pub mod in_session;
pub mod reading;
pub mod sessions;

use tora_engine::catalog::Catalog;
use tora_engine::io::Io;
use tora_engine::request::Reply;
use tora_engine::types::{LeaderEpoch, Nanos, Offset, PartitionId, TopicId};

use super::{Call, Context, Immediate, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};
use in_session::InSession;
use reading::{Part, Reading, write_part};
use sessions::Taken;

/// Versions served.
pub const VERSIONS: (i16, i16) = (4, 18);

/// A topic, as the client names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicName {
    /// Before version 13.
    Name(String),
    /// From then on.
    Id(TopicId),
}

impl TopicName {
    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        if version >= 13 {
            reader.topic_id().map(Self::Id)
        } else {
            Ok(Self::Name(reader.string()?.to_owned()))
        }
    }

    /// The topic's id, if there is such a topic.
    fn find(&self, catalog: &Catalog) -> Result<TopicId, ErrorCode> {
        match self {
            Self::Name(name) => {
                let topic = catalog.topic_named(name).map(|topic| topic.id);
                topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            }
            Self::Id(id) => catalog.topic(*id).map(|topic| topic.id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Name(name) => out.string(name),
            Self::Id(id) => out.topic_id(*id),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Stage {
    Reading,
    Watching,
    Done,
}

/// How long to wait, and for how much.
pub struct Terms {
    bytes_min: usize,
    bytes_max: usize,
    until: Nanos,
}

/// A fetch without a session.
pub struct Fetch {
    /// Topics, each with where its parts begin.
    topics: Vec<(TopicName, usize)>,
    reading: Reading,
    terms: Terms,
    stage: Stage,
}

/// A partition as a request has it.
struct Wanted {
    index: i32,
    epoch: i32,
    from: Offset,
    bytes_max: usize,
}

/// The number of a fetch that has no session.
const SESSIONLESS: i32 = -1;
/// The number of a fetch that begins a session.
const FIRST: i32 = 0;

/// What a request's body begins with.
pub struct Head {
    wait_ms: u64,
    bytes_min: usize,
    bytes_max: usize,
    /// The session's id.
    pub session: i32,
    /// The fetch's number in it.
    pub number: i32,
}

impl Head {
    /// What it says of waiting, from `now` on.
    #[must_use]
    pub const fn terms(&self, now: Nanos) -> Terms {
        let Self { wait_ms, bytes_min, bytes_max, .. } = *self;
        Terms { bytes_min, bytes_max, until: now.plus_millis(wait_ms) }
    }
}

/// Reads what comes before the topics; no more than `bytes_max` bytes are ever answered with.
///
/// # Errors
/// A body that cannot be read.
pub fn read_head(reader: &mut Reader<'_>, version: i16, bytes_max: usize) -> Result<Head, Malformed> {
    if version <= 14 {
        reader.i32()?;
    }
    let wait_ms = u64::try_from(reader.i32()?).unwrap_or(0);
    let bytes_min = usize::try_from(reader.i32()?).unwrap_or(0);
    let bytes_max = usize::try_from(reader.i32()?).unwrap_or(0).clamp(1, bytes_max);
    // More than a response may hold is never there: as Kafka does.
    let bytes_min = bytes_min.min(bytes_max);
    reader.i8()?;
    let (session, number) = if version >= 7 { (reader.i32()?, reader.i32()?) } else { (0, SESSIONLESS) };
    Ok(Head { wait_ms, bytes_min, bytes_max, session, number })
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let version = call.version;
    let head = read_head(reader, version, cx.settings.fetch_bytes_max)?;
    let terms = head.terms(cx.shard.io().now());
    let Head { session, number, .. } = head;
    if session != 0 && matches!(number, SESSIONLESS | FIRST) {
        cx.sessions.end(session);
    }
    match number {
        SESSIONLESS => {
            let shard = &cx.shard;
            let mut work = read_plain(reader, version, terms, shard.catalog(), shard.leader_epoch())?;
            work.begin(cx);
            Ok(Box::new(work))
        }
        FIRST => start_session(reader, version, terms, cx),
        _ => {
            let now = cx.shard.io().now();
            let holder = (cx.connection, cx.serial);
            match cx.sessions.take(session, number, version >= 13, holder, now) {
                Taken::Session(session) => InSession::go_on(session, reader, version, terms, cx),
                Taken::Unknown => Ok(refusal(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)),
                Taken::OutOfOrder => Ok(refusal(ErrorCode::INVALID_FETCH_SESSION_EPOCH)),
                Taken::OtherNames => Ok(refusal(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR)),
            }
        }
    }
}

/// Reads the rest of a fetch that has no session, with the topics and the leader epoch that there are.
///
/// # Errors
/// A body that cannot be read.
pub fn read_plain(
    reader: &mut Reader<'_>,
    version: i16,
    terms: Terms,
    catalog: &Catalog,
    epoch: LeaderEpoch,
) -> Result<Fetch, Malformed> {
    let reading = Reading::new(version, terms.bytes_max);
    let mut work = Fetch { topics: Vec::new(), reading, terms, stage: Stage::Reading };
    for _ in 0..reader.array_len()? {
        let name = TopicName::read(reader, version)?;
        let topic = name.find(catalog);
        work.topics.push((name, work.reading.parts.len()));
        for _ in 0..reader.array_len()? {
            let wanted = read_wanted(reader, version)?;
            work.add(topic, &wanted, epoch);
        }
        reader.skip_tagged_fields()?;
    }
    if version >= 7 {
        read_forgotten(reader, version, |_, _| {})?;
    }
    Ok(work)
}

/// Begins a session with what the request wants, if there is room for one.
fn start_session(
    reader: &mut Reader<'_>,
    version: i16,
    terms: Terms,
    cx: &mut Context<'_>,
) -> Result<Box<dyn Work>, Malformed> {
    let mut topics = Vec::new();
    let mut count = 0;
    for _ in 0..reader.array_len()? {
        let name = TopicName::read(reader, version)?;
        let mut wanted = Vec::new();
        for _ in 0..reader.array_len()? {
            wanted.push(read_wanted(reader, version)?);
        }
        reader.skip_tagged_fields()?;
        count += wanted.len();
        topics.push((name, wanted));
    }
    let (now, random) = (cx.shard.io().now(), cx.shard.io().random());
    let holder = (cx.connection, cx.serial);
    if let Some(mut session) = cx.sessions.begin(version >= 13, count, holder, now, random) {
        for (name, wanted) in &topics {
            for wanted in wanted {
                session.want(name, wanted.index, wanted.epoch, wanted.from, wanted.bytes_max);
            }
        }
        return Ok(InSession::begin(session, version, terms, cx));
    }
    let reading = Reading::new(version, terms.bytes_max);
    let mut work = Fetch { topics: Vec::new(), reading, terms, stage: Stage::Reading };
    for (name, wanted) in topics {
        let topic = name.find(cx.shard.catalog());
        work.topics.push((name, work.reading.parts.len()));
        for wanted in &wanted {
            work.add(topic, wanted, cx.shard.leader_epoch());
        }
    }
    work.begin(cx);
    Ok(Box::new(work))
}

fn read_wanted(reader: &mut Reader<'_>, version: i16) -> Result<Wanted, Malformed> {
    let index = reader.i32()?;
    let epoch = if version >= 9 { reader.i32()? } else { -1 };
    let from = Offset::new(reader.i64()?);
    if version >= 12 {
        reader.i32()?;
    }
    if version >= 5 {
        reader.i64()?;
    }
    let bytes_max = usize::try_from(reader.i32()?).unwrap_or(0).max(1);
    reader.skip_tagged_fields()?;
    Ok(Wanted { index, epoch, from, bytes_max })
}

fn read_forgotten(
    reader: &mut Reader<'_>,
    version: i16,
    mut forget: impl FnMut(&TopicName, i32),
) -> Result<(), Malformed> {
    for _ in 0..reader.array_len()? {
        let name = TopicName::read(reader, version)?;
        for _ in 0..reader.array_len()? {
            forget(&name, reader.i32()?);
        }
        reader.skip_tagged_fields()?;
    }
    Ok(())
}

/// Which partition is to be read, or why there is none.
fn find_partition(
    topic: Result<TopicId, ErrorCode>,
    index: i32,
    epoch: i32,
    current: LeaderEpoch,
) -> Result<PartitionId, ErrorCode> {
    let id = topic?;
    check_epoch(epoch, current)?;
    Ok(PartitionId::new(id, index))
}

/// Kafka's check of the leader epoch that a client believes in; −1 means that it does not say.
pub fn check_epoch(epoch: i32, current: LeaderEpoch) -> Result<(), ErrorCode> {
    let current = current.value();
    match epoch {
        -1 => Ok(()),
        older if older < current => Err(ErrorCode::FENCED_LEADER_EPOCH),
        newer if newer > current => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

/// The response to a fetch of a session that is of no use.
fn refusal(error: ErrorCode) -> Box<dyn Work> {
    Box::new(Immediate(move |_: &Call, out: &mut Writer, _: &mut Context<'_>| {
        out.i32(0);
        out.i16(error.value());
        out.i32(0);
        out.array_len(0);
        out.no_tagged_fields();
    }))
}

impl Fetch {
    fn add(&mut self, topic: Result<TopicId, ErrorCode>, wanted: &Wanted, epoch: LeaderEpoch) {
        let found = find_partition(topic, wanted.index, wanted.epoch, epoch);
        self.reading.parts.push(Part {
            index: wanted.index,
            partition: found.ok(),
            from: wanted.from,
            bytes_max: wanted.bytes_max,
            outcome: found.err().map(Err),
            is_wanted: true,
        });
    }

    /// Its partitions.
    pub fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }

    /// Writes the response's body, which takes the records.
    pub fn write_body(&mut self, version: i16, out: &mut Writer) {
        write_head(version, 0, out);
        out.array_len(self.topics.len());
        for at in 0..self.topics.len() {
            let first = self.topics[at].1;
            let end = self.topics.get(at + 1).map_or(self.reading.parts.len(), |next| next.1);
            self.topics[at].0.write(out);
            out.array_len(end - first);
            for part in &mut self.reading.parts[first..end] {
                write_part(version, part, out);
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }

    fn begin(&mut self, cx: &mut Context<'_>) {
        self.reading.begin(cx);
        if self.reading.is_over() {
            self.judge(cx);
        }
    }

    /// Everything was read: enough, or to be waited for?
    fn judge(&mut self, cx: &mut Context<'_>) {
        let expired = cx.shard.io().now() >= self.terms.until;
        let enough = self.reading.bytes >= self.terms.bytes_min || self.reading.parts.is_empty();
        if expired || enough || self.reading.has_failed() {
            self.stage = Stage::Done;
            return;
        }
        self.stage = Stage::Watching;
        self.reading.let_go();
        for part in &self.reading.parts {
            if let (Some(partition), Some(Ok(records))) = (part.partition, &part.outcome) {
                cx.wait_for(partition, records.high_watermark);
            }
        }
        cx.wait(self.terms.until);
    }
}

impl Work for Fetch {
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
        self.reading.take(part, reply, cx);
        if self.reading.is_over() {
            self.judge(cx);
        }
    }

    fn on_wake(&mut self, cx: &mut Context<'_>) {
        assert!(self.stage == Stage::Watching, "a fetch that is parked has read everything");
        self.stage = Stage::Reading;
        self.begin(cx);
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn write(&mut self, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
        self.write_body(call.version, out);
    }
}

/// Writes what comes before the topics.
fn write_head(version: i16, session: i32, out: &mut Writer) {
    out.i32(0);
    if version >= 7 {
        out.i16(ErrorCode::NONE.value());
        out.i32(session);
    }
}
