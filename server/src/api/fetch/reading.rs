//! Reading the partitions of a fetch into one response's bytes.

use tora_engine::batch::Codec;
use tora_engine::error::Error;
use tora_engine::request::{FoundOffset, OffsetQuery, Records, Reply, Request};
use tora_engine::types::{Offset, PartitionId, Position};

use super::super::Context;
use super::super::produce::codec;
use crate::error_code::ErrorCode;
use crate::wire::{Stored, Writer};

/// On the wire: the log's start was not looked up.
pub const LOG_START_UNKNOWN: Offset = Offset::new(-1);

/// The first version that may be sent zstd batches.
const ZSTD_SINCE: i16 = 10;

/// One partition of a fetch.
pub struct Part {
    /// Its number.
    pub index: i32,
    /// Which partition that is; `None` where the outcome is an error already.
    pub partition: Option<PartitionId>,
    /// Where to read from.
    pub from: Offset,
    /// Bytes wanted at most.
    pub bytes_max: usize,
    /// What was read.
    pub outcome: Option<Result<Records, ErrorCode>>,
    /// Whether it is to be read in this round.
    pub is_wanted: bool,
}

/// See the module.
pub struct Reading {
    /// The partitions, in the order in which they are read.
    pub parts: Vec<Part>,
    /// Bytes that were read.
    pub bytes: usize,
    bytes_max: usize,
    /// Replies that have not come.
    missing: usize,
    /// Where the next part to be read stands.
    next: usize,
    /// Whether zstd batches may be sent.
    zstd: bool,
}

impl Reading {
    /// Nothing yet, for a request of this version.
    pub const fn new(version: i16, bytes_max: usize) -> Self {
        let zstd = version >= ZSTD_SINCE;
        Self { parts: Vec::new(), bytes: 0, bytes_max, missing: 0, next: 0, zstd }
    }

    /// Begins a round of reading.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        (self.next, self.bytes) = (0, 0);
        self.read_next(cx);
    }

    /// Whether the round is over.
    pub const fn is_over(&self) -> bool {
        self.missing == 0
    }

    /// Whether a partition could not be read.
    pub fn has_failed(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.outcome, Some(Err(_))))
    }

    /// Lets go of what was read: who waits reads it again when it is roused, and holds none of the log's memory meanwhile.
    pub fn let_go(&mut self) {
        for records in self.parts.iter_mut().filter_map(|part| part.outcome.as_mut()?.as_mut().ok()) {
            records.slices = Vec::new();
        }
    }

    /// Takes a reply, and goes on with the round if it has to.
    pub fn take(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
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
            let Some(partition) = part.partition.filter(|_| part.is_wanted) else { continue };
            self.missing += 1;
            if left == 0 {
                cx.ask(at, Request::ListOffset { partition, query: OffsetQuery::Latest });
                continue;
            }
            let max_bytes = part.bytes_max.min(left);
            promised += max_bytes;
            cx.ask(at, Request::Read { partition, from: part.from, max_bytes });
        }
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
            at: Position::ZERO,
            log_start: LOG_START_UNKNOWN,
        });
        self.parts[part].outcome = Some(outcome.map_err(|error| ErrorCode::of(&error)));
    }
}

/// Writes a partition's outcome, which it takes.
pub fn write_part(version: i16, part: &mut Part, out: &mut Writer) {
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
    match (records, part.partition) {
        (Some(records), Some(partition)) => {
            out.records(Stored { partition, at: records.at }, records.slices);
        }
        _ => out.no_records(),
    }
    out.no_tagged_fields();
}
