//! What each request gets: a broker with one core, a few logs and whatever topics it is asked for.
//!
//! Source: the message schemas of Apache Kafka 4.3 (`common/message/*.json` in the kafka-clients jar).

use crc_fast::CrcAlgorithm;

use super::logs::{Logs, Positions};
use super::stats::Stats;
use super::wire::{Malformed, Read, Reader, Writer};

/// The APIs served: key, lowest and highest version.
const APIS: [(i16, i16, i16); 6] = [
    (PRODUCE, 0, 13),
    (METADATA, 0, 12),
    (API_VERSIONS, 0, 4),
    (CREATE_TOPICS, 2, 7),
    (DELETE_TOPICS, 1, 6),
    (INIT_PRODUCER_ID, 0, 5),
];
const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const INIT_PRODUCER_ID: i16 = 22;

const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const UNSUPPORTED_VERSION: i16 = 35;

/// Partitions that can be addressed, so that the offsets are a plain array.
const PARTITIONS_MAX: usize = 1024;

/// The head of a record batch that lies outside its checksum: base offset, length, leader epoch, magic, CRC.
const BATCH_HEAD_BYTES: usize = 21;
/// A batch's header up to its first record.
const BATCH_HEADER_BYTES: usize = 61;

/// What a frame led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response was appended; it may leave at once (in order).
    Respond,
    /// A response was appended; it may leave once the logs are safe up to these positions.
    RespondWhenSafe(Positions),
    /// Nothing to answer: acks=0.
    Silent,
}

struct Header {
    key: i16,
    version: i16,
    correlation: i32,
}

/// The broker's state besides the logs.
pub struct Broker {
    host: Vec<u8>,
    port: u16,
    partitions: usize,
    offsets: Vec<i64>,
    next_producer_id: i64,
}

impl Broker {
    /// A broker that says it is reached at `host:port`.
    pub fn new(host: &str, port: u16, partitions: usize) -> Self {
        let partitions = partitions.clamp(1, PARTITIONS_MAX);
        Self { host: host.into(), port, partitions, offsets: vec![0; PARTITIONS_MAX], next_producer_id: 1 }
    }

    /// Handles one frame (without its length) and appends the response to `out`.
    pub fn handle(
        &mut self,
        frame: &[u8],
        logs: &mut Logs,
        stats: &mut Stats,
        out: &mut Vec<u8>,
    ) -> Read<Outcome> {
        let mut body = Reader::new(frame);
        let header = Header { key: body.int16()?, version: body.int16()?, correlation: body.int32()? };
        let _client_id = body.string(false)?;
        let known = APIS.iter().find(|(key, _, _)| *key == header.key).ok_or(Malformed)?;
        if header.key == API_VERSIONS {
            api_versions(&header, out);
            return Ok(Outcome::Respond);
        }
        if !(known.1..=known.2).contains(&header.version) {
            return Err(Malformed);
        }
        match header.key {
            PRODUCE => return self.produce(&header, &mut body, logs, stats, out),
            METADATA => self.metadata(&header, &mut body, out)?,
            CREATE_TOPICS => self.create_topics(&header, &mut body, out)?,
            DELETE_TOPICS => delete_topics(&header, &mut body, out)?,
            _ => self.init_producer_id(&header, out),
        }
        Ok(Outcome::Respond)
    }

    /// Versions 3–13. Every batch is checked and appended; the answer echoes the request's shape.
    fn produce(
        &mut self,
        header: &Header,
        body: &mut Reader<'_>,
        logs: &mut Logs,
        stats: &mut Stats,
        out: &mut Vec<u8>,
    ) -> Read<Outcome> {
        let version = header.version;
        let flexible = version >= 9;
        if version < 3 {
            return Err(Malformed);
        }
        let undo = out.len();
        let mut response = Writer::response(out, header.correlation, flexible, flexible);
        body.tags(flexible)?;
        let _transactional_id = body.string(flexible)?;
        let acks = body.int16()?;
        let _timeout_ms = body.int32()?;
        let topics = count(body, flexible)?;
        response.length(topics);
        let mut until = Positions::default();
        for _ in 0..topics {
            if version >= 13 {
                response.raw(&body.uuid()?);
            } else {
                response.string(body.string(flexible)?);
            }
            let partitions = count(body, flexible)?;
            response.length(partitions);
            for _ in 0..partitions {
                let index = body.int32()?;
                let records = body.bytes(flexible)?.unwrap_or_default();
                body.tags(flexible)?;
                let (error, offset) = match self.append(index, records, logs, &mut until) {
                    Ok(offset) => (0, offset),
                    Err(error) => (error, -1),
                };
                stats.batches += 1;
                stats.batch_bytes += records.len() as u64;
                produced(&mut response, version, index, error, offset);
            }
            body.tags(flexible)?;
            response.tags();
        }
        response.int32(0);
        response.tags();
        response.finish();
        if acks == 0 {
            out.truncate(undo);
            return Ok(Outcome::Silent);
        }
        Ok(Outcome::RespondWhenSafe(until))
    }

    /// Checks one batch and copies it, stamped, to its log's end, up to where `until` moves. Returns its base offset.
    fn append(
        &mut self,
        index: i32,
        records: &[u8],
        logs: &mut Logs,
        until: &mut Positions,
    ) -> Result<i64, i16> {
        let partition = usize::try_from(index).ok().filter(|p| *p < self.partitions);
        let partition = partition.ok_or(UNKNOWN_TOPIC_OR_PARTITION)?;
        let next = &mut self.offsets[partition];
        let fields = BatchFields::read(records).ok_or(CORRUPT_MESSAGE)?;
        let crc = checksum(&records[BATCH_HEAD_BYTES..]);
        if crc != fields.crc {
            return Err(CORRUPT_MESSAGE);
        }
        let base_offset = *next;
        *next += i64::from(fields.records);
        logs.append(partition, [&base_offset.to_be_bytes(), &records[8..]], until);
        Ok(base_offset)
    }

    /// Versions 0–12. Every topic that is named exists, with the same partitions, all led by this broker.
    fn metadata(&self, header: &Header, body: &mut Reader<'_>, out: &mut Vec<u8>) -> Read<()> {
        let version = header.version;
        let flexible = version >= 9;
        body.tags(flexible)?;
        let topics = body.length(flexible)?.max(0) as usize;
        let mut response = Writer::response(out, header.correlation, flexible, flexible);
        if version >= 3 {
            response.int32(0);
        }
        response.length(1);
        response.int32(0);
        response.string(Some(&self.host));
        response.int32(i32::from(self.port));
        if version >= 1 {
            response.string(None);
        }
        response.tags();
        if version >= 2 {
            response.string(Some(b"tora-floor"));
        }
        if version >= 1 {
            response.int32(0);
        }
        response.length(topics);
        for _ in 0..topics {
            if version >= 10 {
                body.uuid()?;
            }
            let name = body.string(flexible)?.ok_or(Malformed)?;
            body.tags(flexible)?;
            self.topic_metadata(&mut response, version, name);
        }
        if (8..=10).contains(&version) {
            response.int32(i32::MIN);
        }
        response.tags();
        response.finish();
        Ok(())
    }

    fn topic_metadata(&self, response: &mut Writer<'_>, version: i16, name: &[u8]) {
        response.int16(0);
        response.string(Some(name));
        if version >= 10 {
            response.raw(&topic_id(name));
        }
        if version >= 1 {
            response.boolean(false);
        }
        response.length(self.partitions);
        for index in 0..self.partitions as i32 {
            response.int16(0);
            response.int32(index);
            response.int32(0);
            if version >= 7 {
                response.int32(0);
            }
            let replicas: &[usize] = if version >= 5 { &[1, 1, 0] } else { &[1, 1] };
            for &count in replicas {
                response.length(count);
                (0..count).for_each(|_| response.int32(0));
            }
            response.tags();
        }
        if version >= 8 {
            response.int32(i32::MIN);
        }
        response.tags();
    }

    /// Versions 2–7. Creates nothing; a partition count that is named counts for all topics from then on.
    fn create_topics(&mut self, header: &Header, body: &mut Reader<'_>, out: &mut Vec<u8>) -> Read<()> {
        let version = header.version;
        let flexible = version >= 5;
        body.tags(flexible)?;
        let topics = count(body, flexible)?;
        let mut response = Writer::response(out, header.correlation, flexible, flexible);
        response.int32(0);
        response.length(topics);
        for _ in 0..topics {
            let name = body.string(flexible)?.ok_or(Malformed)?;
            if let Ok(partitions @ 1..=PARTITIONS_MAX) = usize::try_from(body.int32()?) {
                self.partitions = partitions;
            }
            let _replication_factor = body.int16()?;
            for _ in 0..count(body, flexible)? {
                let _partition = body.int32()?;
                for _ in 0..count(body, flexible)? {
                    let _broker = body.int32()?;
                }
                body.tags(flexible)?;
            }
            for _ in 0..count(body, flexible)? {
                let (_name, _value) = (body.string(flexible)?, body.string(flexible)?);
                body.tags(flexible)?;
            }
            body.tags(flexible)?;
            response.string(Some(name));
            if version >= 7 {
                response.raw(&topic_id(name));
            }
            response.int16(0);
            response.string(None);
            if version >= 5 {
                response.int32(self.partitions as i32);
                response.int16(1);
                response.length(0);
            }
            response.tags();
        }
        response.tags();
        response.finish();
        Ok(())
    }

    /// Versions 0–5. Ids are handed out; sequences are not checked.
    fn init_producer_id(&mut self, header: &Header, out: &mut Vec<u8>) {
        let flexible = header.version >= 2;
        let mut response = Writer::response(out, header.correlation, flexible, flexible);
        response.int32(0);
        response.int16(0);
        response.int64(self.next_producer_id);
        response.int16(0);
        response.tags();
        response.finish();
        self.next_producer_id += 1;
    }
}

/// The fields of a batch's header that the floor looks at.
struct BatchFields {
    crc: u32,
    records: i32,
}

impl BatchFields {
    /// None unless `batch` is exactly one batch of format 2 with records in it.
    fn read(batch: &[u8]) -> Option<Self> {
        let header: &[u8; BATCH_HEADER_BYTES] = batch.first_chunk()?;
        let int32 =
            |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (length, magic, last_offset_delta, records) = (int32(8), header[16], int32(23), int32(57));
        let whole = usize::try_from(length).ok()? + 12 == batch.len();
        let consistent = records > 0 && last_offset_delta == records - 1;
        (whole && magic == 2 && consistent).then_some(Self { crc: int32(17) as u32, records })
    }
}

/// A partition's part of the answer to Produce.
fn produced(response: &mut Writer<'_>, version: i16, index: i32, error: i16, offset: i64) {
    response.int32(index);
    response.int16(error);
    response.int64(offset);
    response.int64(-1);
    if version >= 5 {
        response.int64(0);
    }
    if version >= 8 {
        response.length(0);
        response.string(None);
    }
    response.tags();
}

/// The response's header is never flexible; an unknown version is answered in version 0's body.
fn api_versions(header: &Header, out: &mut Vec<u8>) {
    let known = (0..=4).contains(&header.version);
    let flexible = known && header.version >= 3;
    let apis = if known { &APIS[..] } else { &[(API_VERSIONS, 0, 4)] };
    let mut response = Writer::response(out, header.correlation, false, flexible);
    response.int16(if known { 0 } else { UNSUPPORTED_VERSION });
    response.length(apis.len());
    for &(key, lowest, highest) in apis {
        response.int16(key);
        response.int16(lowest);
        response.int16(highest);
        response.tags();
    }
    if known && header.version >= 1 {
        response.int32(0);
    }
    response.tags();
    response.finish();
}

/// Versions 1–6. Deletes nothing.
fn delete_topics(header: &Header, body: &mut Reader<'_>, out: &mut Vec<u8>) -> Read<()> {
    let version = header.version;
    let flexible = version >= 4;
    body.tags(flexible)?;
    let topics = count(body, flexible)?;
    let mut response = Writer::response(out, header.correlation, flexible, flexible);
    response.int32(0);
    response.length(topics);
    for _ in 0..topics {
        let name = body.string(flexible)?;
        response.string(name);
        if version >= 6 {
            response.raw(&body.uuid()?);
            body.tags(flexible)?;
        }
        response.int16(0);
        if version >= 5 {
            response.string(None);
        }
        response.tags();
    }
    response.tags();
    response.finish();
    Ok(())
}

/// The number of elements of an array that may not be null.
fn count(body: &mut Reader<'_>, flexible: bool) -> Read<usize> {
    usize::try_from(body.length(flexible)?).map_err(|_| Malformed)
}

/// A stable id made from the name: it has to be the same every time, nothing else.
fn topic_id(name: &[u8]) -> [u8; 16] {
    let mut id = *b"tora-floor..\0\0\0\0";
    id[12..].copy_from_slice(&checksum(name).to_be_bytes());
    id
}

/// CRC-32C.
fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests;
