//! Produce, versions 3 to 12: one topic, one partition and one batch a request.

use super::request;
use super::versions::Api;
use super::wire::{DecodeError, Reader, Writer};

/// How long the broker may wait for its in-sync replicas.
const TIMEOUT_MS: i32 = 30_000;

/// A Produce request around a batch, and where in it lie the parts that change from one send to the next.
#[derive(Debug)]
pub struct Request {
    pub frame: Vec<u8>,
    /// Position of the partition index (INT32).
    pub partition_at: usize,
    /// Position of the batch's first byte.
    pub batch_at: usize,
}

/// Wraps `batch` into a Produce request for partition 0 with correlation id 0; both are patched later.
pub fn encode(version: i16, topic: &str, acks: i16, batch: &[u8]) -> Request {
    let mut writer: Writer = request(Api::Produce, version, 0);
    writer.null_string();
    writer.i16(acks);
    writer.i32(TIMEOUT_MS);
    writer.array(1);
    writer.string(topic);
    writer.array(1);
    let partition_at = writer.position();
    writer.i32(0);
    writer.records(batch.len());
    let batch_at = writer.position();
    writer.raw(batch);
    // The partition's, the topic's and the request's tagged fields.
    writer.end();
    writer.end();
    writer.end();
    Request { frame: writer.finish(), partition_at, batch_at }
}

/// What the broker says about the one batch of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub partition: i32,
    pub error: i16,
    pub base_offset: i64,
    /// The broker's words on an error; only from version 8 on.
    pub message: Option<String>,
}

/// Reads a Produce response's body, whose header has been taken off.
pub fn decode(body: &[u8], version: i16) -> Result<Ack, DecodeError> {
    let mut reader = Reader::new(body, Api::Produce.flexible(version));
    if reader.array()? != 1 {
        return Err(reader.error("one topic was produced to, another number answered"));
    }
    reader.string()?;
    if reader.array()? != 1 {
        return Err(reader.error("one partition was produced to, another number answered"));
    }
    let partition = reader.i32()?;
    let error = reader.i16()?;
    let base_offset = reader.i64()?;
    if error == 0 || version < 8 {
        return Ok(Ack { partition, error, base_offset, message: None });
    }
    reader.i64()?;
    reader.i64()?;
    let mut message = None;
    for _ in 0..reader.array()? {
        reader.i32()?;
        message = reader.string()?.map(str::to_owned);
        reader.end()?;
    }
    let message = reader.string()?.map(str::to_owned).or(message);
    Ok(Ack { partition, error, base_offset, message })
}

#[cfg(test)]
mod tests;
