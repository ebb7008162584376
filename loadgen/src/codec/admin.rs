//! The requests around a run: Metadata, CreateTopics, CreatePartitions, DeleteTopics, ListOffsets,
//! InitProducerId. Each has a function
//! that writes the request and one that reads the body of its response (after the response header).

use super::request;
use super::versions::Api;
use super::wire::{DecodeError, Reader};

/// How long a broker may take over an administrative request: Kafka has been seen to take more than half a minute over
/// thousands of partitions.
const TIMEOUT_MS: i32 = 110_000;

/// A node of the cluster, as clients reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: i32,
    pub host: String,
    pub port: i32,
}

/// A partition and the node that leads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader {
    pub error: i16,
    pub partition: i32,
    pub node: i32,
}

/// What Metadata tells about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    pub nodes: Vec<Node>,
    /// The topic's error code.
    pub error: i16,
    pub partitions: Vec<Leader>,
}

/// Metadata for one topic, which may be created by asking.
pub fn metadata_request(version: i16, correlation: i32, topic: &str) -> Vec<u8> {
    let mut writer = request(Api::Metadata, version, correlation);
    writer.array(1);
    if version >= 10 {
        writer.raw(&[0; 16]);
    }
    writer.string(topic);
    writer.end();
    if version >= 4 {
        writer.bool(true);
    }
    if (8..=10).contains(&version) {
        writer.bool(false);
    }
    if version >= 8 {
        writer.bool(false);
    }
    writer.end();
    writer.finish()
}

/// Reads a Metadata response that was asked about one topic.
pub fn metadata_response(body: &[u8], version: i16) -> Result<TopicMetadata, DecodeError> {
    let mut reader = Reader::new(body, Api::Metadata.flexible(version));
    if version >= 3 {
        reader.i32()?;
    }
    let mut nodes = Vec::new();
    for _ in 0..reader.array()? {
        let id = reader.i32()?;
        let host = reader.string()?.unwrap_or_default().to_owned();
        let port = reader.i32()?;
        reader.string()?;
        reader.end()?;
        nodes.push(Node { id, host, port });
    }
    if version >= 2 {
        reader.string()?;
    }
    reader.i32()?;
    if reader.array()? != 1 {
        return Err(reader.error("one topic was asked for, another number answered"));
    }
    let error = reader.i16()?;
    reader.string()?;
    if version >= 10 {
        reader.skip(16)?;
    }
    reader.i8()?;
    let mut partitions = Vec::new();
    for _ in 0..reader.array()? {
        partitions.push(metadata_partition(&mut reader, version)?);
    }
    Ok(TopicMetadata { nodes, error, partitions })
}

fn metadata_partition(reader: &mut Reader<'_>, version: i16) -> Result<Leader, DecodeError> {
    let leader = Leader { error: reader.i16()?, partition: reader.i32()?, node: reader.i32()? };
    if version >= 7 {
        reader.i32()?;
    }
    let replica_lists = if version >= 5 { 3 } else { 2 };
    for _ in 0..replica_lists {
        for _ in 0..reader.array()? {
            reader.i32()?;
        }
    }
    reader.end()?;
    Ok(leader)
}

/// Creates one topic with explicit partitions and configs, replicated as the broker's default says.
pub fn create_topic_request(
    version: i16,
    correlation: i32,
    topic: &str,
    partitions: i32,
    configs: &[(String, String)],
) -> Vec<u8> {
    let mut writer = request(Api::CreateTopics, version, correlation);
    writer.array(1);
    writer.string(topic);
    writer.i32(partitions);
    // KIP-464: -1 stands for the broker's default, from version 4 on.
    writer.i16(if version >= 4 { -1 } else { 1 });
    writer.array(0);
    writer.array(configs.len());
    for (name, value) in configs {
        writer.string(name);
        writer.string(value);
        writer.end();
    }
    writer.end();
    writer.i32(TIMEOUT_MS);
    writer.bool(false);
    writer.end();
    writer.finish()
}

/// Reads a CreateTopics response about one topic: its error code and message.
pub fn create_topic_response(body: &[u8], version: i16) -> Result<(i16, String), DecodeError> {
    let mut reader = Reader::new(body, Api::CreateTopics.flexible(version));
    reader.i32()?;
    if reader.array()? != 1 {
        return Err(reader.error("one topic was to be created, another number answered"));
    }
    reader.string()?;
    if version >= 7 {
        reader.skip(16)?;
    }
    let error = reader.i16()?;
    let message = reader.string()?.unwrap_or_default().to_owned();
    Ok((error, message))
}

/// Gives one topic more partitions, `count` in all, placed as the broker likes.
pub fn create_partitions_request(version: i16, correlation: i32, topic: &str, count: i32) -> Vec<u8> {
    let mut writer = request(Api::CreatePartitions, version, correlation);
    writer.array(1);
    writer.string(topic);
    writer.i32(count);
    writer.null_array();
    writer.end();
    writer.i32(TIMEOUT_MS);
    writer.bool(false);
    writer.end();
    writer.finish()
}

/// Reads a CreatePartitions response about one topic: its error code and message.
pub fn create_partitions_response(body: &[u8], version: i16) -> Result<(i16, String), DecodeError> {
    let mut reader = Reader::new(body, Api::CreatePartitions.flexible(version));
    reader.i32()?;
    if reader.array()? != 1 {
        return Err(reader.error("one topic was to get partitions, another number answered"));
    }
    reader.string()?;
    let error = reader.i16()?;
    let message = reader.string()?.unwrap_or_default().to_owned();
    Ok((error, message))
}

/// Deletes one topic by name.
pub fn delete_topic_request(version: i16, correlation: i32, topic: &str) -> Vec<u8> {
    let mut writer = request(Api::DeleteTopics, version, correlation);
    writer.array(1);
    writer.string(topic);
    writer.i32(TIMEOUT_MS);
    writer.end();
    writer.finish()
}

/// Reads a DeleteTopics response about one topic: its error code.
pub fn delete_topic_response(body: &[u8], version: i16) -> Result<i16, DecodeError> {
    let mut reader = Reader::new(body, Api::DeleteTopics.flexible(version));
    reader.i32()?;
    if reader.array()? != 1 {
        return Err(reader.error("one topic was to be deleted, another number answered"));
    }
    reader.string()?;
    reader.i16()
}

/// Asks for the end (the next offset to be written) of partitions of one topic.
pub fn list_offsets_request(version: i16, correlation: i32, topic: &str, partitions: &[i32]) -> Vec<u8> {
    const LATEST: i64 = -1;
    let mut writer = request(Api::ListOffsets, version, correlation);
    writer.i32(-1);
    if version >= 2 {
        writer.i8(0);
    }
    writer.array(1);
    writer.string(topic);
    writer.array(partitions.len());
    for &partition in partitions {
        writer.i32(partition);
        if version >= 4 {
            writer.i32(-1);
        }
        writer.i64(LATEST);
        writer.end();
    }
    writer.end();
    writer.end();
    writer.finish()
}

/// The end of one partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEnd {
    pub partition: i32,
    pub error: i16,
    pub offset: i64,
}

/// Reads a ListOffsets response about one topic.
pub fn list_offsets_response(body: &[u8], version: i16) -> Result<Vec<LogEnd>, DecodeError> {
    let mut reader = Reader::new(body, Api::ListOffsets.flexible(version));
    if version >= 2 {
        reader.i32()?;
    }
    if reader.array()? != 1 {
        return Err(reader.error("one topic was asked for, another number answered"));
    }
    reader.string()?;
    let mut ends = Vec::new();
    for _ in 0..reader.array()? {
        let partition = reader.i32()?;
        let error = reader.i16()?;
        reader.i64()?;
        let offset = reader.i64()?;
        if version >= 4 {
            reader.i32()?;
        }
        reader.end()?;
        ends.push(LogEnd { partition, error, offset });
    }
    Ok(ends)
}

/// The identity of an idempotent producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdentity {
    pub id: i64,
    pub epoch: i16,
}

impl ProducerIdentity {
    /// What batches of a producer without sequences carry.
    pub const NONE: Self = Self { id: -1, epoch: -1 };
}

/// Asks for a new producer id, without a transactional id.
pub fn init_producer_id_request(version: i16, correlation: i32) -> Vec<u8> {
    let mut writer = request(Api::InitProducerId, version, correlation);
    writer.null_string();
    // Only transactions use the timeout; Kafka's own clients send this value without one.
    writer.i32(i32::MAX);
    if version >= 3 {
        writer.i64(-1);
        writer.i16(-1);
    }
    writer.end();
    writer.finish()
}

/// Reads an InitProducerId response: its error code and the identity.
pub fn init_producer_id_response(body: &[u8], version: i16) -> Result<(i16, ProducerIdentity), DecodeError> {
    let mut reader = Reader::new(body, Api::InitProducerId.flexible(version));
    reader.i32()?;
    let error = reader.i16()?;
    let identity = ProducerIdentity { id: reader.i64()?, epoch: reader.i16()? };
    Ok((error, identity))
}

#[cfg(test)]
mod tests;
