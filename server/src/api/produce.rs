//! Produce (0): appends record batches.
//!
//! Versions 0–13. 0–2 carry old message formats and are answered with UNSUPPORTED_VERSION; they are advertised all the
//! same, since librdkafka before 2.11.1 silently drops compression where they are not. 3 brings record batches v2 and a
//! transactional id (refused until transactions are served), 5 the log's start, 7 zstd (UNSUPPORTED_COMPRESSION_TYPE
//! before, KIP-110), 8 an error text, 9 the flexible encoding, 10 leader hints (not sent: there is one broker), 12 transactions v2 (not offered, so never used), 13 topic
//! ids instead of names.
//!
//! A topic of the broker's own takes no client's records: INVALID_TOPIC_EXCEPTION.
//!
//! Each batch goes to its partition as it lies in the receive buffer. `acks=0` gets no response, and where something
//! fails its connection is closed, as Kafka does, so that the client looks for its topics again; 1 and −1 wait for the
//! same: see `flush.messages`. The timeout is not used, there being no replicas to wait for.

use std::sync::Arc;

use tora_engine::batch::{Attributes, Codec, layout};
use tora_engine::catalog::{Catalog, Topic};
use tora_engine::error::Error;
use tora_engine::io::Slice;
use tora_engine::request::{Appended, Origin, Reply, Request};
use tora_engine::types::{PartitionId, TopicId};

use super::{Call, Context, Ending, Work};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions advertised.
pub const VERSIONS: (i16, i16) = (0, 13);

/// The first version that is served.
const SERVED_SINCE: i16 = 3;

/// The first version that may carry zstd batches.
const ZSTD_SINCE: i16 = 7;

struct Part {
    index: i32,
    outcome: Option<Result<Appended, (ErrorCode, Option<String>)>>,
}

enum TopicName {
    Name(String),
    Id(TopicId),
}

/// A request that was read.
pub struct Produce {
    /// Topics, each with where its parts begin.
    topics: Vec<(TopicName, usize)>,
    parts: Vec<Part>,
    missing: usize,
    answered: bool,
}

/// A batch that is to be appended, and the part of the request that it is.
pub type Batch = (usize, PartitionId, Slice);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    // Nothing is appended before the whole request has been read: a malformed one has no effect.
    let (work, batches) = read(reader, call, cx.shard.catalog())?;
    for (part, partition, batch) in batches {
        cx.ask(part, Request::Append { partition, batch, origin: Origin::Client });
    }
    Ok(Box::new(work))
}

/// Reads a request's body, with the topics that there are.
///
/// # Errors
/// A body that cannot be read.
pub fn read(
    reader: &mut Reader<'_>,
    call: &Call,
    catalog: &Catalog,
) -> Result<(Produce, Vec<Batch>), Malformed> {
    let transactional = call.version >= SERVED_SINCE && reader.nullable_string()?.is_some();
    let acks = reader.i16()?;
    reader.i32()?;
    let refusal = if call.version < SERVED_SINCE {
        Some(ErrorCode::UNSUPPORTED_VERSION)
    } else if transactional {
        Some(ErrorCode::INVALID_REQUEST)
    } else if !(-1..=1).contains(&acks) {
        Some(ErrorCode::INVALID_REQUIRED_ACKS)
    } else {
        None
    };
    let mut work =
        Produce { topics: Vec::with_capacity(1), parts: Vec::new(), missing: 0, answered: acks != 0 };
    let mut batches = Vec::with_capacity(1);
    for _ in 0..reader.array_len()? {
        let (name, id) = read_topic(reader, call.version, catalog)?;
        work.topics.push((name, work.parts.len()));
        for _ in 0..reader.array_len()? {
            let index = reader.i32()?;
            let records = reader.nullable_bytes()?;
            reader.skip_tagged_fields()?;
            let batch = records.unwrap_or_else(|| Slice::copy_from(&[]));
            let outcome = match (refusal, id) {
                (Some(refusal), _) => Some(Err((refusal, None))),
                (None, Err(unknown)) => Some(Err((unknown, None))),
                (None, Ok(_)) if call.version < ZSTD_SINCE && codec(&batch) == Some(Codec::Zstd) => {
                    Some(Err((ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, None)))
                }
                (None, Ok(id)) => {
                    batches.push((work.parts.len(), PartitionId::new(id, index), batch));
                    None
                }
            };
            work.parts.push(Part { index, outcome });
        }
        reader.skip_tagged_fields()?;
    }
    reader.skip_tagged_fields()?;
    work.missing = batches.len();
    Ok((work, batches))
}

/// The codec that a batch's header names, if there is a header. Nothing else of it has been checked.
pub fn codec(batch: &[u8]) -> Option<Codec> {
    let bits = batch.get(layout::ATTRIBUTES..)?.first_chunk()?;
    Codec::from_id(Attributes::from_bits(i16::from_be_bytes(*bits)).codec_id())
}

type Found = Result<TopicId, ErrorCode>;

fn read_topic(
    reader: &mut Reader<'_>,
    version: i16,
    catalog: &Catalog,
) -> Result<(TopicName, Found), Malformed> {
    if version >= 13 {
        let id = reader.topic_id()?;
        let topic = catalog.topic(id);
        return Ok((TopicName::Id(id), writable(topic, ErrorCode::UNKNOWN_TOPIC_ID)));
    }
    let name = reader.string()?;
    let topic = catalog.topic_named(name);
    Ok((TopicName::Name(name.to_owned()), writable(topic, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)))
}

/// A topic that clients may append to.
fn writable(topic: Option<&Arc<Topic>>, unknown: ErrorCode) -> Found {
    let topic = topic.ok_or(unknown)?;
    if is_internal(topic.name.as_str()) { Err(ErrorCode::INVALID_TOPIC_EXCEPTION) } else { Ok(topic.id) }
}

impl Produce {
    /// Takes the answer to one of its batches.
    pub fn take(&mut self, part: usize, outcome: Result<Appended, Error>) {
        let outcome = outcome.map_err(|error| (ErrorCode::of(&error), Some(error.to_string())));
        self.parts[part].outcome = Some(outcome);
        self.missing -= 1;
    }

    /// Writes the response's body, when every batch is answered.
    pub fn write_body(&self, call: &Call, out: &mut Writer) {
        out.array_len(self.topics.len());
        for (at, (name, first)) in self.topics.iter().enumerate() {
            let end = self.topics.get(at + 1).map_or(self.parts.len(), |next| next.1);
            match name {
                TopicName::Name(name) => out.string(name),
                TopicName::Id(id) => out.topic_id(*id),
            }
            out.array_len(end - first);
            for part in &self.parts[*first..end] {
                write_part(call.version, part, out);
            }
            out.no_tagged_fields();
        }
        if call.version >= 1 {
            out.i32(0);
        }
        out.no_tagged_fields();
    }
}

impl Work for Produce {
    fn on_reply(&mut self, part: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::Append(outcome) = reply else { unreachable!("batches were appended") };
        self.take(part as usize, outcome);
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn ending(&self) -> Ending {
        let failed = || self.parts.iter().any(|part| matches!(part.outcome, Some(Err(_))));
        if self.answered {
            Ending::Respond
        } else if failed() {
            Ending::Close(
                "a batch sent with acks=0 could not be appended, and the client has no other way to know",
            )
        } else {
            Ending::Silence
        }
    }

    fn write(&mut self, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
        self.write_body(call, out);
    }
}

fn write_part(version: i16, part: &Part, out: &mut Writer) {
    let outcome = part.outcome.as_ref().expect("it is written when it is done");
    let appended = outcome.as_ref().ok();
    let fault = outcome.as_ref().err();
    out.i32(part.index);
    out.i16(fault.map_or(ErrorCode::NONE, |fault| fault.0).value());
    out.i64(appended.map_or(-1, |appended| appended.base_offset.value()));
    if version >= 2 {
        out.i64(appended.map_or(-1, |appended| appended.log_append_time));
    }
    if version >= 5 {
        out.i64(appended.map_or(-1, |appended| appended.log_start.value()));
    }
    if version >= 8 {
        out.array_len(0);
        out.nullable_string(fault.and_then(|fault| fault.1.as_deref()));
    }
    out.no_tagged_fields();
}
