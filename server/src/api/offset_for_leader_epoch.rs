//! OffsetForLeaderEpoch (23): where an epoch's records end, by which a consumer finds out whether what it read is still
//! there (KIP-101, KIP-320).
//!
//! Versions 2–4. The answer is the largest epoch with records that is not above the one asked for, and the offset where
//! the next one begins; the current epoch ends where the log does. An epoch above the current one is unknown, and answered
//! with −1.
//!
//! Nothing keeps a table of epochs: they stand in the batches and never fall, so the place is found by bisection, a batch
//! a step. Consumers ask once for each partition after the broker was restarted.

use tora_engine::batch::{BatchHeader, layout};
use tora_engine::error::Error;
use tora_engine::request::{FoundOffset, OffsetQuery, Records, Reply, Request};
use tora_engine::types::{Offset, PartitionId};

use super::{Call, Context, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (2, 4);

/// On the wire: nothing is known of that epoch.
const UNKNOWN: (i32, i64) = (-1, -1);

/// An epoch and where its records end.
type Outcome = Result<(i32, i64), ErrorCode>;

/// What is known of where the sought epoch ends: batches before `low` are of it or an earlier one, batches from `high` on
/// of a later one.
struct Search {
    partition: PartitionId,
    epoch: i32,
    low: Option<Offset>,
    high: Option<Offset>,
    /// The epoch of the batch before `low`.
    found: Option<i32>,
}

struct Part {
    index: i32,
    search: Option<Search>,
    outcome: Option<Outcome>,
}

struct OffsetForLeaderEpoch {
    /// Topics, each with where its parts begin.
    topics: Vec<(String, usize)>,
    parts: Vec<Part>,
    missing: usize,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut work = OffsetForLeaderEpoch { topics: Vec::new(), parts: Vec::new(), missing: 0 };
    if call.version >= 3 {
        reader.i32()?;
    }
    for _ in 0..reader.array_len()? {
        let name = reader.string()?.to_owned();
        let topic = cx.shard.catalog().topic_named(&name).map(|topic| (topic.id, topic.partitions));
        work.topics.push((name, work.parts.len()));
        for _ in 0..reader.array_len()? {
            let index = reader.i32()?;
            let believed = reader.i32()?;
            let epoch = reader.i32()?;
            reader.skip_tagged_fields()?;
            let partition = topic.filter(|topic| (0..topic.1).contains(&index));
            let outcome = match (partition, super::fetch::check_epoch(believed, cx.shard.leader_epoch())) {
                (None, _) => Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
                (_, Err(error)) => Some(Err(error)),
                _ if !(0..=cx.shard.leader_epoch().value()).contains(&epoch) => Some(Ok(UNKNOWN)),
                _ => None,
            };
            let search = partition.filter(|_| outcome.is_none()).map(|(id, _)| Search {
                partition: PartitionId::new(id, index),
                epoch,
                low: None,
                high: None,
                found: None,
            });
            work.parts.push(Part { index, search, outcome });
        }
        reader.skip_tagged_fields()?;
    }
    reader.skip_tagged_fields()?;
    for at in 0..work.parts.len() {
        work.go_on(at, cx);
    }
    Ok(Box::new(work))
}

impl OffsetForLeaderEpoch {
    /// Takes the next step for a part, if there is one.
    fn go_on(&mut self, at: usize, cx: &mut Context<'_>) {
        let part = &mut self.parts[at];
        let Some(search) = &part.search else { return };
        let current = cx.shard.leader_epoch().value();
        match search.next(current) {
            Step::Ask(request) => {
                self.missing += 1;
                cx.ask(at, request);
            }
            Step::Found(epoch, end) => {
                part.search = None;
                part.outcome = Some(Ok((epoch, end)));
            }
        }
    }

    fn fail(&mut self, at: usize, error: &Error) {
        self.parts[at].search = None;
        self.parts[at].outcome = Some(Err(ErrorCode::of(error)));
    }
}

enum Step {
    Ask(Request),
    Found(i32, i64),
}

impl Search {
    fn next(&self, current: i32) -> Step {
        let partition = self.partition;
        let Some(high) = self.high else {
            return Step::Ask(Request::ListOffset { partition, query: OffsetQuery::Latest });
        };
        if self.epoch == current {
            return Step::Found(current, high.value());
        }
        let Some(low) = self.low else {
            return Step::Ask(Request::ListOffset { partition, query: OffsetQuery::Earliest });
        };
        if low >= high {
            return Step::Found(self.found.unwrap_or(self.epoch), high.value());
        }
        let middle = Offset::new(low.value().midpoint(high.value()));
        // One batch, whatever its size.
        Step::Ask(Request::Read { partition, from: middle, max_bytes: 1 })
    }

    fn take_end(&mut self, found: FoundOffset) {
        match self.high {
            None => self.high = Some(found.offset),
            Some(high) => self.low = Some(found.offset.min(high)),
        }
    }

    fn take_batch(&mut self, records: &Records) {
        let (low, high) = (self.low.expect("reading comes last"), self.high.expect("reading comes last"));
        // Nothing is read where the log has become shorter than it was said to be, which it never does.
        let Some(batch) = first_header(records) else { return self.low = Some(high) };
        if batch.leader_epoch.value() > self.epoch {
            self.high = Some(batch.base_offset.max(low));
        } else {
            self.low = Some(batch.end_offset().min(high));
            self.found = Some(batch.leader_epoch.value());
        }
    }
}

/// The header of the first batch, if there is one.
fn first_header(records: &Records) -> Option<BatchHeader> {
    let mut header = [0; layout::HEADER_SIZE];
    let mut bytes = records.slices.iter().flat_map(|slice| slice.iter());
    for place in &mut header {
        *place = *bytes.next()?;
    }
    BatchHeader::parse(&header).ok()
}

impl Work for OffsetForLeaderEpoch {
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
        self.missing -= 1;
        let at = part as usize;
        let search = self.parts[at].search.as_mut().expect("only a search asks");
        match reply {
            Reply::ListOffset(Ok(found)) => search.take_end(found),
            Reply::Read(Ok(records)) => search.take_batch(&records),
            // The log's start has moved past the place.
            Reply::Read(Err(Error::OffsetOutOfRange { start, .. }))
                if search.low.is_some_and(|low| low < start) =>
            {
                search.low = search.high.map(|high| start.min(high));
            }
            Reply::ListOffset(Err(error)) | Reply::Read(Err(error)) => self.fail(at, &error),
            other => unreachable!("an epoch's end is not asked for with {other:?}"),
        }
        self.go_on(at, cx);
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
                let (epoch, end) = outcome.unwrap_or(UNKNOWN);
                out.i16(outcome.err().unwrap_or(ErrorCode::NONE).value());
                out.i32(part.index);
                out.i32(epoch);
                out.i64(end);
                out.no_tagged_fields();
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
