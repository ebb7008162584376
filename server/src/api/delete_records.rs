//! DeleteRecords (21, KIP-107): moves partitions' starts. Answered when that survives a power cut, with the first offset
//! that is left; the files of whole segments before it go afterwards.
//!
//! Versions 0–2, which differ in their encoding alone. An offset of −1 stands for the high watermark: everything that is
//! visible. One before the start changes nothing, one past the high watermark gets OFFSET_OUT_OF_RANGE. The timeout is
//! not looked at: the only thing to wait for is the disk.

use tora_engine::request::{OffsetQuery, Reply, Request};
use tora_engine::types::{Offset, PartitionId};

use super::{Call, Context, Work};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 2);

/// "Everything that is visible", as clients write it.
const HIGH_WATERMARK: i64 = -1;

struct Part {
    index: i32,
    partition: Option<PartitionId>,
    outcome: Option<Result<Offset, ErrorCode>>,
}

struct DeleteRecords {
    /// Topics, each with where its parts begin.
    topics: Vec<(String, usize)>,
    parts: Vec<Part>,
    missing: usize,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut work = DeleteRecords { topics: Vec::new(), parts: Vec::new(), missing: 0 };
    let mut wanted = Vec::new();
    for _ in 0..reader.array_len()? {
        let name = reader.string()?.to_owned();
        let topic = cx.shard.catalog().topic_named(&name).map(|topic| (topic.id, topic.partitions));
        let internal = is_internal(&name);
        work.topics.push((name, work.parts.len()));
        for _ in 0..reader.array_len()? {
            let index = reader.i32()?;
            let offset = reader.i64()?;
            reader.skip_tagged_fields()?;
            let topic = topic.filter(|topic| (0..topic.1).contains(&index));
            let partition = topic.map(|(id, _)| PartitionId::new(id, index));
            let outcome = match partition {
                None => Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
                Some(_) if internal => Some(Err(ErrorCode::INVALID_TOPIC_EXCEPTION)),
                Some(_) => None,
            };
            let partition = partition.filter(|_| outcome.is_none());
            work.parts.push(Part { index, partition, outcome });
            wanted.push(offset);
        }
        reader.skip_tagged_fields()?;
    }
    reader.i32()?;
    reader.skip_tagged_fields()?;
    for (at, offset) in wanted.into_iter().enumerate() {
        let Some(partition) = work.parts[at].partition else { continue };
        work.missing += 1;
        let request = match offset {
            HIGH_WATERMARK => Request::ListOffset { partition, query: OffsetQuery::Latest },
            before => Request::DeleteRecords { partition, before: Offset::new(before) },
        };
        cx.ask(at, request);
    }
    Ok(Box::new(work))
}

impl Work for DeleteRecords {
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
        let at = part as usize;
        let outcome = match reply {
            Reply::DeleteRecords(outcome) => outcome,
            Reply::ListOffset(Err(error)) => Err(error),
            Reply::ListOffset(Ok(end)) => {
                let partition = self.parts[at].partition.expect("only known partitions are asked about");
                cx.ask(at, Request::DeleteRecords { partition, before: end.offset });
                return;
            }
            other => unreachable!("nothing was asked that is answered by {other:?}"),
        };
        self.parts[at].outcome = Some(outcome.map_err(|error| ErrorCode::of(&error)));
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, _: &Call, out: &mut Writer, _: &mut Context<'_>) {
        out.i32(0);
        out.array_len(self.topics.len());
        for (at, (name, first)) in self.topics.iter().enumerate() {
            let end = self.topics.get(at + 1).map_or(self.parts.len(), |next| next.1);
            out.string(name);
            out.array_len(end - first);
            for part in &self.parts[*first..end] {
                let outcome = part.outcome.expect("it is written when it is done");
                out.i32(part.index);
                out.i64(outcome.map_or(-1, Offset::value));
                out.i16(outcome.err().unwrap_or(ErrorCode::NONE).value());
                out.no_tagged_fields();
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
