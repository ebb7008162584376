//! What the broker has stored, read with a plain Fetch: batches as they are, not decoded.
//!
//! Source: the message schemas of Metadata 7, ListOffsets 2 and Fetch 11, and the record batch of format 2.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest,
    MetadataResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

/// The compression of a batch: the lowest three bits of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
    Unknown(u8),
}

/// A stored batch's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub base_offset: i64,
    pub records: i32,
    pub codec: Codec,
    /// −1 without idempotence.
    pub producer_id: i64,
}

/// All partitions of a topic, each with its batches from offset 0 to the end.
///
/// Fails the test unless offsets run from 0 to the log's end without a gap.
pub fn partitions(address: &str, topic: &str) -> Vec<Vec<Batch>> {
    let mut asker = Asker::connect(address);
    (0..asker.partition_count(topic)).map(|partition| asker.batches(topic, partition)).collect()
}

struct Asker(TcpStream);

impl Asker {
    fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).expect("the broker listens");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
        Self(socket)
    }

    fn partition_count(&mut self, topic: &str) -> i32 {
        let topics = vec![MetadataRequestTopic::default().with_name(Some(name(topic)))];
        let request =
            MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
        let response: MetadataResponse = self.ask(ApiKey::Metadata, 7, &request);
        let answer = &response.topics[0];
        assert_eq!(answer.error_code, 0, "Metadata of {topic}");
        i32::try_from(answer.partitions.len()).expect("few partitions")
    }

    fn batches(&mut self, topic: &str, partition: i32) -> Vec<Batch> {
        let (mut batches, mut next) = (Vec::new(), 0);
        let end = self.end_offset(topic, partition);
        while next < end {
            let mut bytes = self.fetch(topic, partition, next);
            assert!(!bytes.is_empty(), "{topic}-{partition} gives nothing at {next}, before its end {end}");
            while let Some(batch) = Batch::cut(&mut bytes) {
                assert_eq!(batch.base_offset, next, "{topic}-{partition}: offsets without a gap");
                next += i64::from(batch.records);
                batches.push(batch);
            }
        }
        batches
    }

    fn end_offset(&mut self, topic: &str, partition: i32) -> i64 {
        let partitions =
            vec![ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-1)];
        let topics = vec![ListOffsetsTopic::default().with_name(name(topic)).with_partitions(partitions)];
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
        let response: ListOffsetsResponse = self.ask(ApiKey::ListOffsets, 2, &request);
        let answer = &response.topics[0].partitions[0];
        assert_eq!(answer.error_code, 0, "ListOffsets of {topic}-{partition}");
        answer.offset
    }

    fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Bytes {
        let partition = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20);
        let topics = vec![FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition])];
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(topics);
        let mut response: FetchResponse = self.ask(ApiKey::Fetch, 11, &request);
        assert_eq!(response.error_code, 0);
        let answer = response.responses.remove(0).partitions.remove(0);
        assert_eq!(answer.error_code, 0, "Fetch of {topic} at {offset}");
        answer.records.unwrap_or_default()
    }

    fn ask<Q, A>(&mut self, key: ApiKey, version: i16, request: &Q) -> A
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(4)
            .with_client_id(Some(StrBytes::from_static_str("stored")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, Q::header_version(version)).expect("a header can be encoded");
        request.encode(&mut frame, version).expect("the request can be encoded");
        let length = u32::try_from(frame.len()).expect("a small frame");
        self.0.write_all(&length.to_be_bytes()).expect("the broker takes it");
        self.0.write_all(&frame).expect("the broker takes it");
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("the broker answers");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut answer).expect("the broker answers in full");
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, A::header_version(version)).expect("a header");
        assert_eq!(header.correlation_id, 4);
        let body = A::decode(&mut answer, version).unwrap_or_else(|why| panic!("{key:?} {version}: {why}"));
        assert!(!answer.has_remaining(), "{key:?} {version}: bytes are left over");
        body
    }
}

impl Batch {
    /// Takes the next whole batch off `bytes`; a Fetch may end with a part of one.
    fn cut(bytes: &mut Bytes) -> Option<Self> {
        const HEADER_BYTES: usize = 61;
        let mut header = bytes.get(..HEADER_BYTES)?;
        let base_offset = header.get_i64();
        let length = usize::try_from(header.get_i32()).expect("a length") + 12;
        if bytes.len() < length {
            return None;
        }
        let _leader_epoch = header.get_i32();
        assert_eq!(header.get_i8(), 2, "the format of the batch at {base_offset}");
        let _crc = header.get_u32();
        let attributes = header.get_u16();
        header.advance(4 + 8 + 8); // last offset delta, first and last timestamp
        let producer_id = header.get_i64();
        header.advance(2 + 4); // producer epoch, first sequence number
        let records = header.get_i32();
        bytes.advance(length);
        Some(Self { base_offset, records, codec: Codec::of(attributes), producer_id })
    }
}

impl Codec {
    fn of(attributes: u16) -> Self {
        match attributes & 7 {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => Self::Unknown(other as u8),
        }
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
