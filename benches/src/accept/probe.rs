//! Questions to a broker: how many records there are, and its batches.
//!
//! Source: the message schemas of Metadata 7, ListOffsets 2 and Fetch 4.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest,
    MetadataResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

/// A broker that answers nothing for so long is taken for dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// ListOffsets' timestamp that stands for the log's end.
const LATEST: i64 = -1;

/// A connection with one request at a time.
pub struct Probe {
    socket: TcpStream,
    answer: BytesMut,
}

/// A topic and the number of its partitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Partitions 0 to this, exclusive.
    pub partitions: i32,
}

impl Probe {
    /// Connects to `HOST:PORT`.
    pub fn connect(address: &str) -> Result<Self, String> {
        let problem = |e| format!("cannot ask the broker at {address}: {e}");
        let socket = TcpStream::connect(address).map_err(problem)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(problem)?;
        socket.set_nodelay(true).map_err(problem)?;
        Ok(Self { socket, answer: BytesMut::new() })
    }

    /// All topics whose partitions can be led.
    pub fn topics(&mut self) -> Result<Vec<Topic>, String> {
        let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
        let response: MetadataResponse = self.ask(ApiKey::Metadata, 7, &request)?;
        let topics = response.topics.into_iter().filter(|topic| topic.error_code == 0);
        Ok(topics
            .filter_map(|topic| {
                Some(Topic { name: topic.name?, partitions: i32::try_from(topic.partitions.len()).ok()? })
            })
            .collect())
    }

    /// Records in all partitions of `topic`: the sum of the logs' ends, since nothing is ever deleted here.
    pub fn records(&mut self, topic: &Topic) -> Result<i64, String> {
        Ok(self.ends(topic)?.iter().map(|(_, end)| end).sum())
    }

    /// The log's end in every partition of `topic`.
    pub fn ends(&mut self, topic: &Topic) -> Result<Vec<(i32, i64)>, String> {
        let partitions = (0..topic.partitions)
            .map(|index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(LATEST))
            .collect();
        let topics =
            vec![ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(partitions)];
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
        let response: ListOffsetsResponse = self.ask(ApiKey::ListOffsets, 2, &request)?;
        let mut ends = Vec::new();
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            if partition.error_code != 0 {
                return Err(format!(
                    "ListOffsets of partition {} is answered with error {}",
                    partition.partition_index, partition.error_code
                ));
            }
            ends.push((partition.partition_index, partition.offset));
        }
        Ok(ends)
    }

    /// Reads the first batches of a partition; gives their bytes.
    pub fn read_from_start(&mut self, topic: &Topic, partition: i32) -> Result<usize, String> {
        match self.fetch(topic, &[(partition, 0)])?.first() {
            Some((_, records)) if !records.is_empty() => Ok(records.len()),
            _ => Err(format!("partition {partition} gives no records from offset 0")),
        }
    }

    /// Fetches up to a megabyte of each partition, from an offset on. Gives each one's batches.
    pub fn fetch(&mut self, topic: &Topic, from: &[(i32, i64)]) -> Result<Vec<(i32, Bytes)>, String> {
        let partition = |(partition, offset): &(i32, i64)| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(1 << 20)
        };
        let partitions = from.iter().map(partition).collect();
        let topics = vec![FetchTopic::default().with_topic(topic.name.clone()).with_partitions(partitions)];
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(1000)
            .with_min_bytes(1)
            .with_max_bytes(50 << 20)
            .with_topics(topics);
        let response: FetchResponse = self.ask(ApiKey::Fetch, 4, &request)?;
        let answers = response.responses.into_iter().flat_map(|topic| topic.partitions);
        let records = |answer: PartitionData| match answer.error_code {
            0 => Ok((answer.partition_index, answer.records.unwrap_or_default())),
            error => {
                Err(format!("Fetch of partition {} is answered with error {error}", answer.partition_index))
            }
        };
        answers.map(records).collect()
    }

    fn ask<Q, A>(&mut self, key: ApiKey, version: i16, request: &Q) -> Result<A, String>
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        self.exchange(key, version, request).map_err(|why| format!("{key:?} {version}: {why}"))
    }

    fn exchange<Q, A>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> Result<A, Box<dyn std::error::Error>>
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(1)
            .with_client_id(Some(StrBytes::from_static_str("tora-accept")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, Q::header_version(version))?;
        request.encode(&mut frame, version)?;
        self.socket.write_all(&u32::try_from(frame.len())?.to_be_bytes())?;
        self.socket.write_all(&frame)?;
        let mut length = [0; 4];
        self.socket.read_exact(&mut length)?;
        // Used again once nobody holds the last answer.
        self.answer.resize(u32::from_be_bytes(length) as usize, 0);
        self.socket.read_exact(&mut self.answer)?;
        let mut answer = self.answer.split().freeze();
        ResponseHeader::decode(&mut answer, A::header_version(version))?;
        let body = A::decode(&mut answer, version)?;
        if answer.has_remaining() {
            return Err("bytes are left over in the response".into());
        }
        Ok(body)
    }
}
