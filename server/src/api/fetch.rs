//! Fetch (1): reads record batches, waiting for them if there are too few.
//!
//! Versions 4–18. 5 adds the log's start, 7 fetch sessions (KIP-227, declined with session id 0, so that every fetch is a
//! full one), 9 leader epochs, 11 the rack (ignored), 12 the flexible encoding and the last fetched epoch (ignored: a
//! log here is never cut below what was read), 13 topic ids, 15–18 fields for followers (skipped).
//!
//! Partitions are read in the request's order while bytes are left of `max_bytes` (and of `fetch.max.bytes`), as many at
//! once as surely fit; the first batch is returned even where it is larger. The partitions for which nothing is left
//! tell their high watermark and no records. With fewer than `min_bytes` in all and no error, the partitions are watched
//! and read again when one has more, until `max_wait_ms` is over.
//!
//! Records go out as they are stored. Versions before 10 may not be sent zstd (KIP-110): where a read begins with such a
//! batch they get UNSUPPORTED_COMPRESSION_TYPE. Batches further on are not looked at.
//!
//! A connection has one watch on a partition at most, whichever of its fetches began it: a consumer of one busy
//! partition and many idle ones would else leave a watch on each idle one behind with every fetch.

use tora_engine::batch::Codec;
use tora_engine::error::Error;
use tora_engine::io::Io;
use tora_engine::request::{FoundOffset, OffsetQuery, Records, Reply, Request};
use tora_engine::types::{Nanos, Offset, PartitionId, TopicId};

use super::produce::codec;
use super::{Call, Context, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (4, 18);

enum TopicName {
    Name(String),
    Id(TopicId),
}

struct Part {
    index: i32,
    partition: Option<PartitionId>,
    from: Offset,
    bytes_max: usize,
    outcome: Option<Result<Records, ErrorCode>>,
}

/// On the wire: the log's start was not looked up.
const LOG_START_UNKNOWN: Offset = Offset::new(-1);

#[derive(PartialEq, Eq)]
enum Stage {
    Reading,
    Watching,
    Done,
}

struct Fetch {
    topics: Vec<(TopicName, usize)>,
    parts: Vec<Part>,
    error: ErrorCode,
    bytes_min: usize,
    bytes_max: usize,
    until: Nanos,
    stage: Stage,
    /// Replies that have not come.
    missing: usize,
    /// Where the next part to be read stands, while they are read one after the other.
    next: usize,
    bytes: usize,
    /// Whether zstd batches may be sent.
    zstd: bool,
}

/// The first version that may be sent zstd batches.
const ZSTD_SINCE: i16 = 10;

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let version = call.version;
    if version <= 14 {
        reader.i32()?;
    }
    let wait_ms = u64::try_from(reader.i32()?).unwrap_or(0);
    let bytes_min = usize::try_from(reader.i32()?).unwrap_or(0);
    let bytes_max = usize::try_from(reader.i32()?).unwrap_or(0).clamp(1, cx.settings.fetch_bytes_max);
    reader.i8()?;
    let session = if version >= 7 {
        let id = reader.i32()?;
        reader.i32()?;
        id
    } else {
        0
    };
    let until = cx.shard.io().now().plus_millis(wait_ms);
    let mut work = Fetch {
        topics: Vec::new(),
        parts: Vec::new(),
        error: if session == 0 { ErrorCode::NONE } else { ErrorCode::FETCH_SESSION_ID_NOT_FOUND },
        bytes_min,
        bytes_max,
        until,
        stage: Stage::Reading,
        missing: 0,
        next: 0,
        bytes: 0,
        zstd: version >= ZSTD_SINCE,
    };
    for _ in 0..reader.array_len()? {
        read_topic(reader, version, &mut work, cx)?;
    }
    if version >= 7 {
        skip_forgotten(reader, version)?;
    }
    if version >= 11 {
        reader.string()?;
    }
    reader.skip_tagged_fields()?;
    if work.error.is_none() {
        work.read_next(cx);
    } else {
        work.topics.clear();
        work.parts.clear();
        work.stage = Stage::Done;
    }
    Ok(Box::new(work))
}

fn read_topic(
    reader: &mut Reader<'_>,
    version: i16,
    work: &mut Fetch,
    cx: &mut Context<'_>,
) -> Result<(), Malformed> {
    let catalog = cx.shard.catalog();
    let (name, topic) = if version >= 13 {
        let id = reader.topic_id()?;
        (TopicName::Id(id), catalog.topic(id).map(|topic| topic.id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID))
    } else {
        let name = reader.string()?;
        let topic = catalog.topic_named(name).map(|topic| topic.id);
        (TopicName::Name(name.to_owned()), topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
    };
    work.topics.push((name, work.parts.len()));
    for _ in 0..reader.array_len()? {
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
        let outcome = match (topic, check_epoch(epoch, cx)) {
            (Err(error), _) | (Ok(_), Err(error)) => Some(Err(error)),
            (Ok(_), Ok(())) => None,
        };
        let partition = topic.ok().map(|id| PartitionId::new(id, index)).filter(|_| outcome.is_none());
        work.parts.push(Part { index, partition, from, bytes_max, outcome });
    }
    reader.skip_tagged_fields()
}

/// Kafka's check of the leader epoch that a client believes in; −1 means that it does not say.
pub fn check_epoch(epoch: i32, cx: &Context<'_>) -> Result<(), ErrorCode> {
    let current = cx.shard.leader_epoch().value();
    match epoch {
        -1 => Ok(()),
        older if older < current => Err(ErrorCode::FENCED_LEADER_EPOCH),
        newer if newer > current => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

fn skip_forgotten(reader: &mut Reader<'_>, version: i16) -> Result<(), Malformed> {
    for _ in 0..reader.array_len()? {
        if version >= 13 {
            reader.topic_id()?;
        } else {
            reader.string()?;
        }
        for _ in 0..reader.array_len()? {
            reader.i32()?;
        }
        reader.skip_tagged_fields()?;
    }
    Ok(())
}

impl Fetch {
    /// Reads the next partitions: as many at once as surely fit into what is left.
    fn read_next(&mut self, cx: &mut Context<'_>) {
        let mut promised = self.bytes;
        while let Some(part) = self.parts.get(self.next) {
            let left = self.bytes_max.saturating_sub(promised);
            if left == 0 && self.bytes < self.bytes_max {
                // What was promised may not all be needed; the replies will tell.
                break;
            }
            let at = self.next;
            self.next += 1;
            let Some(partition) = part.partition else { continue };
            self.missing += 1;
            if left == 0 {
                cx.ask(at, Request::ListOffset { partition, query: OffsetQuery::Latest });
                continue;
            }
            let max_bytes = part.bytes_max.min(left);
            promised += max_bytes;
            cx.ask(at, Request::Read { partition, from: part.from, max_bytes });
        }
        if self.missing == 0 {
            self.judge(cx);
        }
    }

    /// Everything was read: enough, or to be waited for?
    fn judge(&mut self, cx: &mut Context<'_>) {
        let failed = self.parts.iter().any(|part| matches!(part.outcome, Some(Err(_))));
        let expired = cx.shard.io().now() >= self.until;
        if failed || expired || self.bytes >= self.bytes_min || self.parts.is_empty() {
            self.stage = Stage::Done;
            return;
        }
        self.stage = Stage::Watching;
        for part in &self.parts {
            if let (Some(partition), Some(Ok(records))) = (part.partition, &part.outcome) {
                cx.wait_for(partition, records.high_watermark);
            }
        }
        cx.wait(self.until);
    }

    fn take_records(&mut self, part: usize, outcome: Result<Records, Error>) {
        let outcome = outcome.map_err(|error| ErrorCode::of(&error)).and_then(|mut records| {
            // Beyond the first, a partition's single large batch waits for the next fetch.
            if self.bytes > 0 && self.bytes + records.bytes() > self.bytes_max {
                records.slices.clear();
            }
            let codec = records.slices.first().and_then(|slice| codec(slice));
            if codec == Some(Codec::Zstd) && !self.zstd {
                return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
            }
            Ok(records)
        });
        self.bytes += outcome.as_ref().map_or(0, Records::bytes);
        self.parts[part].outcome = Some(outcome);
    }

    /// Nothing was left for this partition but to tell how far it goes.
    fn take_end(&mut self, part: usize, outcome: Result<FoundOffset, Error>) {
        let outcome = outcome.map(|end| Records {
            slices: Vec::new(),
            high_watermark: end.offset,
            log_start: LOG_START_UNKNOWN,
        });
        self.parts[part].outcome = Some(outcome.map_err(|error| ErrorCode::of(&error)));
    }
}

impl Work for Fetch {
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
        match reply {
            Reply::Read(outcome) => self.take_records(part as usize, outcome),
            Reply::ListOffset(outcome) => self.take_end(part as usize, outcome),
            other => unreachable!("a fetch asks for no {other:?}"),
        }
        self.missing -= 1;
        if self.missing == 0 {
            self.read_next(cx);
        }
    }

    fn on_wake(&mut self, cx: &mut Context<'_>) {
        assert!(self.stage == Stage::Watching, "a fetch that is parked has read everything");
        self.stage = Stage::Reading;
        (self.next, self.bytes) = (0, 0);
        self.read_next(cx);
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn write(&mut self, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
        let version = call.version;
        out.i32(0);
        if version >= 7 {
            out.i16(self.error.value());
            out.i32(0);
        }
        out.array_len(self.topics.len());
        for at in 0..self.topics.len() {
            let first = self.topics[at].1;
            let end = self.topics.get(at + 1).map_or(self.parts.len(), |next| next.1);
            match &self.topics[at].0 {
                TopicName::Name(name) => out.string(name),
                TopicName::Id(id) => out.topic_id(*id),
            }
            out.array_len(end - first);
            for part in &mut self.parts[first..end] {
                write_part(version, part, out);
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}

fn write_part(version: i16, part: &mut Part, out: &mut Writer) {
    let (error, records) = match part.outcome.take() {
        Some(Ok(records)) => (ErrorCode::NONE, Some(records)),
        Some(Err(error)) => (error, None),
        None => unreachable!("it is written when everything is read"),
    };
    let watermark = records.as_ref().map_or(-1, |records| records.high_watermark.value());
    out.i32(part.index);
    out.i16(error.value());
    out.i64(watermark);
    out.i64(watermark);
    if version >= 5 {
        out.i64(records.as_ref().map_or(-1, |records| records.log_start.value()));
    }
    out.array_len(0);
    if version >= 11 {
        out.i32(-1);
    }
    out.records(records.map_or_else(Vec::new, |records| records.slices));
    out.no_tagged_fields();
}
