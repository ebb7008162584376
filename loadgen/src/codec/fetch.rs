//! Fetch, versions 4 to 12: one topic, any number of its partitions, no fetch session.

use super::request;
use super::versions::Api;
use super::wire::{DecodeError, Reader};

/// How long the broker may hold a fetch that finds nothing, as Kafka's consumer has it.
pub const MAX_WAIT_MS: i32 = 500;
/// The most bytes of one response, as Kafka's consumer has it.
const MAX_BYTES: i32 = 50 << 20;
/// The most bytes of one partition in a response, as Kafka's consumer has it.
const PARTITION_MAX_BYTES: i32 = 1 << 20;

/// A partition and the offset to read it from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub partition: i32,
    pub offset: i64,
}

/// Asks for whatever lies at `positions`, waiting up to [`MAX_WAIT_MS`] for a first byte.
pub fn encode(version: i16, correlation: i32, topic: &str, positions: &[Position]) -> Vec<u8> {
    let mut writer = request(Api::Fetch, version, correlation);
    writer.i32(-1);
    writer.i32(MAX_WAIT_MS);
    writer.i32(1);
    writer.i32(MAX_BYTES);
    writer.i8(0);
    if version >= 7 {
        // KIP-227: session 0 with epoch -1 is a full fetch that opens no session.
        writer.i32(0);
        writer.i32(-1);
    }
    writer.array(1);
    writer.string(topic);
    writer.array(positions.len());
    for position in positions {
        writer.i32(position.partition);
        if version >= 9 {
            writer.i32(-1);
        }
        writer.i64(position.offset);
        if version >= 12 {
            writer.i32(-1);
        }
        if version >= 5 {
            writer.i64(-1);
        }
        writer.i32(PARTITION_MAX_BYTES);
        writer.end();
    }
    writer.end();
    if version >= 7 {
        writer.array(0);
    }
    if version >= 11 {
        writer.string("");
    }
    writer.end();
    writer.finish()
}

/// One partition of a Fetch response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionData<'a> {
    pub partition: i32,
    pub error: i16,
    pub high_watermark: i64,
    /// Batches one after another; the last may be cut off.
    pub records: &'a [u8],
}

/// Reads a Fetch response's body (its header has been taken off) and hands each partition to `visit`.
/// Gives the response's own error code.
pub fn decode<'a, E: From<DecodeError>>(
    body: &'a [u8],
    version: i16,
    mut visit: impl FnMut(PartitionData<'a>) -> Result<(), E>,
) -> Result<i16, E> {
    let mut reader = Reader::new(body, Api::Fetch.flexible(version));
    reader.i32()?;
    let mut error = 0;
    if version >= 7 {
        error = reader.i16()?;
        reader.i32()?;
    }
    for _ in 0..reader.array()? {
        reader.string()?;
        for _ in 0..reader.array()? {
            visit(partition(&mut reader, version)?)?;
        }
        reader.end()?;
    }
    Ok(error)
}

fn partition<'a>(reader: &mut Reader<'a>, version: i16) -> Result<PartitionData<'a>, DecodeError> {
    let partition = reader.i32()?;
    let error = reader.i16()?;
    let high_watermark = reader.i64()?;
    reader.i64()?;
    if version >= 5 {
        reader.i64()?;
    }
    for _ in 0..reader.array()? {
        reader.i64()?;
        reader.i64()?;
        reader.end()?;
    }
    if version >= 11 {
        reader.i32()?;
    }
    let records = reader.records()?;
    reader.end()?;
    Ok(PartitionData { partition, error, high_watermark, records })
}

#[cfg(test)]
mod tests;
