//! Batch templates: everything of a Produce request is prepared once, and per send only the bytes that differ are
//! patched in place and the CRC computed anew.
//!
//! What differs has a fixed width and a fixed place: in each record a [`Stamp`]'s sequence number and send time (both
//! eight bytes); in the batch header timestamps, producer identity and base sequence; in the request the correlation id
//! and the partition. So no record is like another, and sending costs little more than the kernel's copy.

use std::collections::VecDeque;
use std::io::Write;
use std::rc::Rc;

use lz4_flex::frame::FrameEncoder;
use ruzstd::encoding::CompressionLevel;

use crate::cli::Compression;
use crate::codec::admin::ProducerIdentity;
use crate::codec::batch::{at, crc};
use crate::codec::wire::put_varint;
use crate::codec::{CORRELATION_AT, produce};
use crate::stamp::{SENT_HEADER, SEQUENCE_HEADER, STAMP_LEN, Stamp};
use crate::workload::Values;

/// Small batches share one write: a strip holds as many frames as fit into this many bytes, and at least one.
const STRIP_BYTES: usize = 64 * 1024;
/// The most frames in a strip, whatever their size.
const STRIP_FRAMES_MAX: usize = 256;

/// Where the changing parts of one frame lie. Positions are from the strip's first byte, but for the stamps'.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Layout {
    start: usize,
    end: usize,
    partition_at: usize,
    batch_at: usize,
    batch_end: usize,
    /// Where each record's sequence number lies, from the batch's first byte; none in a compressed batch.
    stamps_at: Vec<usize>,
    /// From a sequence number to the send time of the same record.
    sent_after: usize,
    /// Bytes of all record values together.
    value_bytes: u64,
}

/// Several request frames in one buffer, written together.
#[derive(Debug)]
pub struct Strip {
    /// The frames' bytes; taken out while the kernel sends them.
    pub bytes: Vec<u8>,
    layouts: Rc<[Layout]>,
}

/// What a frame is to carry this time.
#[derive(Debug, Clone, Copy)]
pub struct Patch {
    pub correlation: i32,
    pub partition: i32,
    /// The first record's stamp; each further record has the next sequence number.
    pub stamp: Stamp,
    pub wall_clock_ms: i64,
    pub identity: ProducerIdentity,
    /// The first record's sequence number as an idempotent producer counts it; -1 without one.
    pub base_sequence: i32,
}

impl Strip {
    /// How many frames the strip holds.
    pub fn frames(&self) -> usize {
        self.layouts.len()
    }

    /// The bytes up to the end of frame `last`.
    pub fn end(&self, last: usize) -> usize {
        self.layouts[last].end
    }

    /// Bytes of the record values in frame `index`.
    pub fn value_bytes(&self, index: usize) -> u64 {
        self.layouts[index].value_bytes
    }

    /// Makes frame `index` carry `patch`, every record stamped and the CRC right.
    pub fn patch(&mut self, index: usize, patch: &Patch) {
        let layout = &self.layouts[index];
        let bytes = &mut self.bytes[layout.start..layout.end];
        put(bytes, CORRELATION_AT, patch.correlation.to_be_bytes());
        put(bytes, layout.partition_at - layout.start, patch.partition.to_be_bytes());

        let batch = &mut self.bytes[layout.batch_at..layout.batch_end];
        put(batch, at::BASE_TIMESTAMP, patch.wall_clock_ms.to_be_bytes());
        put(batch, at::MAX_TIMESTAMP, patch.wall_clock_ms.to_be_bytes());
        put(batch, at::PRODUCER_ID, patch.identity.id.to_be_bytes());
        put(batch, at::PRODUCER_EPOCH, patch.identity.epoch.to_be_bytes());
        put(batch, at::BASE_SEQUENCE, patch.base_sequence.to_be_bytes());
        let sent = patch.stamp.sent.0.to_be_bytes();
        for (sequence, &at) in (patch.stamp.packed()..).zip(&layout.stamps_at) {
            put(batch, at, sequence.to_be_bytes());
            put(batch, at + layout.sent_after, sent);
        }
        let crc = crc(batch);
        put(batch, at::CRC, crc.to_be_bytes());
    }
}

#[inline]
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// The strips of one thread, which its connections take turns with: a strip is free again once it is written (the
/// kernel has copied it), not only when it is acknowledged, so that a few stay warm in the cache.
#[derive(Debug)]
pub struct StripPool {
    free: VecDeque<Strip>,
}

/// What all frames of a run have in common.
#[derive(Debug, Clone, Copy)]
pub struct FrameSpec<'a> {
    pub version: i16,
    pub topic: &'a str,
    pub acks: i16,
    pub batch_records: u32,
    pub values: &'a Values,
    pub compression: Compression,
}

impl StripPool {
    /// Prepares the strips for a thread with so many `connections`: each can hold one, and of a payload every line is
    /// in some strip.
    pub fn new(spec: &FrameSpec<'_>, connections: usize) -> Self {
        let mut free = VecDeque::new();
        match spec.values {
            Values::Generated { .. } => {
                let first = Strip::build(spec, 0);
                for _ in 1..connections {
                    free.push_back(Strip { bytes: first.bytes.clone(), layouts: Rc::clone(&first.layouts) });
                }
                free.push_back(first);
            }
            Values::Payload(lines) => {
                let mut line = 0;
                while line < lines.len() || free.len() < connections {
                    let strip = Strip::build(spec, line);
                    line += strip.frames() * spec.batch_records as usize;
                    free.push_back(strip);
                }
            }
        }
        Self { free }
    }

    /// The strip that has been idle longest. A connection holds at most one at a time.
    pub fn take(&mut self) -> Strip {
        self.free.pop_front().expect("there is a strip for every connection of the thread")
    }

    /// Gives a strip back.
    pub fn put(&mut self, strip: Strip) {
        self.free.push_back(strip);
    }
}

impl Strip {
    /// Builds frames from value `first_value` on, until the strip is full.
    fn build(spec: &FrameSpec<'_>, first_value: usize) -> Self {
        let mut bytes = Vec::new();
        let mut layouts = Vec::new();
        let mut value = first_value;
        loop {
            let batch = BatchTemplate::build(spec.values, value, spec.batch_records);
            let batch = batch.compressed(spec.compression);
            value += spec.batch_records as usize;
            let request = produce::encode(spec.version, spec.topic, spec.acks, &batch.bytes);
            let start = bytes.len();
            bytes.extend_from_slice(&request.frame);
            layouts.push(Layout {
                start,
                end: bytes.len(),
                partition_at: start + request.partition_at,
                batch_at: start + request.batch_at,
                batch_end: start + request.batch_at + batch.bytes.len(),
                stamps_at: batch.stamps_at,
                sent_after: batch.sent_after,
                value_bytes: batch.value_bytes,
            });
            if bytes.len() + request.frame.len() > STRIP_BYTES || layouts.len() == STRIP_FRAMES_MAX {
                return Self { bytes, layouts: layouts.into() };
            }
        }
    }
}

/// A record batch whose stamps and CRC are still to be filled in.
#[derive(Debug)]
pub struct BatchTemplate {
    pub bytes: Vec<u8>,
    /// Where each record's sequence number lies, from the batch's first byte.
    pub stamps_at: Vec<usize>,
    /// From a sequence number to the same record's send time.
    pub sent_after: usize,
    pub value_bytes: u64,
}

impl BatchTemplate {
    /// A batch of `records` records with the values from `first` on.
    pub fn build(values: &Values, first: usize, records: u32) -> Self {
        let mut bytes = header(records);
        let mut stamps_at = Vec::with_capacity(records as usize);
        let mut value_bytes = 0;
        let mut record = Vec::new();
        for delta in 0..records {
            let value = values.value(first + delta as usize);
            value_bytes += value.len() as u64;
            let stamp_at = encode_record(&mut record, delta, &value, values.stamps_in_headers());
            put_varint(&mut bytes, record.len() as i64);
            stamps_at.push(bytes.len() + stamp_at);
            bytes.append(&mut record);
        }
        let length =
            i32::try_from(bytes.len() - at::LEADER_EPOCH).expect("the workload limits a batch's size");
        put(&mut bytes, at::LENGTH, length.to_be_bytes());
        let sent_after = if values.stamps_in_headers() { SENT_AFTER_IN_HEADERS } else { size_of::<u64>() };
        Self { bytes, stamps_at, sent_after, value_bytes }
    }
}

impl BatchTemplate {
    /// The same records compressed. Nothing in them can be patched any more, so that all that is sent from this template
    /// has the same records; `value_bytes` stay those of the values before compression.
    fn compressed(self, compression: Compression) -> Self {
        const LZ4: u8 = 3;
        const ZSTD: u8 = 4;
        let records = &self.bytes[at::RECORDS..];
        let (codec, compressed) = match compression {
            Compression::None => return self,
            Compression::Lz4 => (LZ4, lz4_frame(records)),
            Compression::Zstd => {
                (ZSTD, ruzstd::encoding::compress_to_vec(records, CompressionLevel::Fastest))
            }
        };
        let mut bytes = [&self.bytes[..at::RECORDS], &compressed].concat();
        bytes[at::ATTRIBUTES + 1] |= codec;
        let length =
            i32::try_from(bytes.len() - at::LEADER_EPOCH).expect("the workload limits a batch's size");
        put(&mut bytes, at::LENGTH, length.to_be_bytes());
        Self { bytes, stamps_at: Vec::new(), ..self }
    }
}

fn lz4_frame(records: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    let written = encoder.write_all(records).map_err(lz4_flex::frame::Error::from);
    written.and_then(|()| encoder.finish()).expect("a vector takes all that is written")
}

/// From the sequence number to the send time where both are header values: eight bytes, the key's length, the key, the
/// value's length.
const SENT_AFTER_IN_HEADERS: usize = size_of::<u64>() + 1 + SENT_HEADER.len() + 1;

/// A batch header with everything but length, CRC and the patched fields.
fn header(records: u32) -> Vec<u8> {
    let mut bytes = vec![0; at::RECORDS];
    let count = i32::try_from(records).expect("the workload limits a batch's records");
    put(&mut bytes, at::LEADER_EPOCH, (-1i32).to_be_bytes());
    bytes[at::MAGIC] = 2;
    put(&mut bytes, at::LAST_OFFSET_DELTA, (count - 1).to_be_bytes());
    put(&mut bytes, at::COUNT, count.to_be_bytes());
    bytes
}

/// Encodes a record after its length; gives the position of its sequence number.
fn encode_record(record: &mut Vec<u8>, offset_delta: u32, value: &[u8], in_headers: bool) -> usize {
    record.push(0); // attributes
    put_varint(record, 0); // timestamp delta
    put_varint(record, i64::from(offset_delta));
    put_varint(record, -1); // no key
    put_varint(record, value.len() as i64);
    let value_at = record.len();
    record.extend_from_slice(value);
    if !in_headers {
        assert!(value.len() >= STAMP_LEN, "the workload checks that a stamp fits");
        put_varint(record, 0); // no headers
        return value_at;
    }
    put_varint(record, 2);
    let mut first_value_at = 0;
    for key in [SEQUENCE_HEADER, SENT_HEADER] {
        put_varint(record, key.len() as i64);
        record.extend_from_slice(key);
        put_varint(record, size_of::<u64>() as i64);
        if first_value_at == 0 {
            first_value_at = record.len();
        }
        record.extend_from_slice(&[0; size_of::<u64>()]);
    }
    first_value_at
}

#[cfg(test)]
mod tests;
