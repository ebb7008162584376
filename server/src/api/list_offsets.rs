//! ListOffsets (2): offsets by time: the earliest (−2), the latest (−1), the one with the largest timestamp (−3), or the
//! first at or after a time.
//!
//! Versions 1–11. 2 adds the isolation level, which changes nothing without transactions; 4 leader epochs; 7 the largest
//! timestamp (KIP-734). The rest is about tiered storage, and answered as a Kafka broker without it does: 8 the earliest
//! local offset (−4, KIP-405), which is the earliest; 9 the latest tiered one (−5, KIP-1005) and 11 the earliest that is
//! still to be uploaded (−6, KIP-1023), of which there is none, −1; 10 a timeout for remote reads, of which there are none
//! either. A negative timestamp that the request's version does not have yet gets UNSUPPORTED_VERSION.
//!
//! What counts is what consumers get: from the log's start to the high watermark, whoever asks (Kafka tells followers where its
//! log ends). Of a record its leader epoch is told, of the ends none: nobody has looked at a batch there. A partition that is
//! asked about twice is answered twice, where Kafka refuses both. A compressed batch is not decompressed:
//! where a search comes to one the answer is its first record's offset with the batch's largest timestamp, where Kafka answers
//! with the record's own. From there a consumer that goes on finds the record. The same goes for a batch whose records cannot
//! be read. A batch whose header promises a later time than its records have is passed, but for −3, which takes headers at
//! their word.

use tora_engine::request::{FoundOffset, OffsetQuery, Reply, Request};
use tora_engine::types::{Offset, PartitionId};

use super::{Call, Context, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (1, 11);

struct Part {
    index: i32,
    outcome: Option<Result<FoundOffset, ErrorCode>>,
}

struct ListOffsets {
    /// Topics, each with where its parts begin.
    topics: Vec<(String, usize)>,
    parts: Vec<Part>,
    missing: usize,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut work = ListOffsets { topics: Vec::new(), parts: Vec::new(), missing: 0 };
    reader.i32()?;
    if call.version >= 2 {
        reader.i8()?;
    }
    let mut asked = Vec::new();
    for _ in 0..reader.array_len()? {
        let name = reader.string()?.to_owned();
        let topic = cx.shard.catalog().topic_named(&name).map(|topic| (topic.id, topic.partitions));
        work.topics.push((name, work.parts.len()));
        for _ in 0..reader.array_len()? {
            let index = reader.i32()?;
            let epoch = if call.version >= 4 { reader.i32()? } else { -1 };
            let timestamp = reader.i64()?;
            reader.skip_tagged_fields()?;
            let partition = topic.filter(|topic| (0..topic.1).contains(&index));
            let epoch = super::fetch::check_epoch(epoch, cx.shard.leader_epoch());
            let outcome = match (query(timestamp, call.version), partition, epoch) {
                (Sought::NotServed, ..) => Some(Err(ErrorCode::UNSUPPORTED_VERSION)),
                (_, None, _) => Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
                (.., Err(error)) => Some(Err(error)),
                (Sought::Nothing, ..) => Some(Ok(NOTHING)),
                (Sought::Query(query), Some((id, _)), Ok(())) => {
                    asked.push((work.parts.len(), PartitionId::new(id, index), query));
                    None
                }
            };
            work.parts.push(Part { index, outcome });
        }
        reader.skip_tagged_fields()?;
    }
    if call.version >= 10 {
        reader.i32()?;
    }
    reader.skip_tagged_fields()?;
    work.missing = asked.len();
    for (part, partition, query) in asked {
        cx.ask(part, Request::ListOffset { partition, query });
    }
    Ok(Box::new(work))
}

enum Sought {
    Query(OffsetQuery),
    /// What tiered storage would have.
    Nothing,
    NotServed,
}

/// No such offset, without an error.
const NOTHING: FoundOffset = FoundOffset { offset: Offset::new(-1), timestamp: -1, leader_epoch: -1 };

/// What a request of this version means by a timestamp.
fn query(timestamp: i64, version: i16) -> Sought {
    match (timestamp, version) {
        (-1, _) => Sought::Query(OffsetQuery::Latest),
        (-2, _) | (-4, 8..) => Sought::Query(OffsetQuery::Earliest),
        (-3, 7..) => Sought::Query(OffsetQuery::MaxTimestamp),
        (-5, 9..) | (-6, 11..) => Sought::Nothing,
        (0.., _) => Sought::Query(OffsetQuery::ForTimestamp(timestamp)),
        _ => Sought::NotServed,
    }
}

impl Work for ListOffsets {
    fn on_reply(&mut self, part: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::ListOffset(outcome) = reply else { unreachable!("offsets were asked for") };
        self.parts[part as usize].outcome = Some(outcome.map_err(|error| ErrorCode::of(&error)));
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
        if call.version >= 2 {
            out.i32(0);
        }
        out.array_len(self.topics.len());
        for (at, (name, first)) in self.topics.iter().enumerate() {
            let end = self.topics.get(at + 1).map_or(self.parts.len(), |next| next.1);
            out.string(name);
            out.array_len(end - first);
            for part in &self.parts[*first..end] {
                let outcome = part.outcome.expect("it is written when it is done");
                let found = outcome.ok();
                out.i32(part.index);
                out.i16(outcome.err().unwrap_or(ErrorCode::NONE).value());
                out.i64(found.map_or(-1, |found| found.timestamp));
                out.i64(found.map_or(-1, |found| found.offset.value()));
                if call.version >= 4 {
                    out.i32(found.map_or(-1, |found| found.leader_epoch));
                }
                out.no_tagged_fields();
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
