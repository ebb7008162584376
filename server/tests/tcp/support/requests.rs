//! Requests and batches as tests need them, made by the other codec.

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, ProduceResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use super::Client;

/// A topic's name.
pub fn name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A batch of records with these values.
pub fn batch(values: &[impl AsRef<str>]) -> Vec<u8> {
    idempotent_batch(values, -1, -1)
}

/// The same from an idempotent producer; a sequence of −1 for none.
pub fn idempotent_batch(values: &[impl AsRef<str>], producer_id: i64, first_sequence: i32) -> Vec<u8> {
    let records = values.iter().zip(0..).map(|(value, at)| Record {
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        sequence: first_sequence + i32::try_from(at).expect("few"),
        ..record(at, 1_700_000_000_000 + at, value.as_ref())
    });
    uncompressed(&records.collect::<Vec<_>>())
}

/// A record of no idempotent producer, `offset` of its batch.
pub fn record(offset: i64, timestamp: i64, value: &str) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        // It begins with −1 and goes on, or the codec takes each record for a batch of its own.
        sequence: i32::try_from(offset).expect("few") - 1,
        timestamp,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
    }
}

/// A batch of these records.
pub fn uncompressed(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, records, &options).expect("an uncompressed batch");
    bytes
}

/// An uncompressed batch as one of the codec with this number, which `squeeze` is. The header stays but for length, codec and
/// checksum.
pub fn recoded(batch: &[u8], codec: u8, squeeze: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (records_at, attributes, crc_at, length_at) = (61, 21, 17, 8);
    let mut recoded = batch[..records_at].to_vec();
    recoded.extend(squeeze(&batch[records_at..]));
    recoded[attributes + 1] |= codec;
    let length = u32::try_from(recoded.len() - length_at - 4).expect("small");
    recoded[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&recoded[attributes..]);
    recoded[crc_at..crc_at + 4].copy_from_slice(&crc.to_be_bytes());
    recoded
}

/// Metadata of one topic, which creates it if it is new.
pub fn metadata(topic: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default().with_topics(Some(vec![topic]))
}

/// A CreateTopics request of one topic.
pub fn creation(topic: &str, partitions: i32) -> CreateTopicsRequest {
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    CreateTopicsRequest::default().with_topics(vec![topic])
}

/// Creates a topic.
pub fn create(client: &mut Client, topic: &str, partitions: i32) {
    let response = client.call(7, &creation(topic, partitions));
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
}

/// A Produce request of one batch.
pub fn produce(topic: &str, partition: i32, batch: Vec<u8>) -> ProduceRequest {
    produce_all(topic, vec![(partition, batch)])
}

/// A Produce request of a batch for each of some partitions.
pub fn produce_all(topic: &str, batches: Vec<(i32, Vec<u8>)>) -> ProduceRequest {
    let partitions = batches.into_iter().map(|(partition, batch)| {
        PartitionProduceData::default().with_index(partition).with_records(Some(Bytes::from(batch)))
    });
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(partitions.collect());
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

/// The one partition of a Produce response.
pub fn produced(response: &ProduceResponse) -> &PartitionProduceResponse {
    assert_eq!(response.responses.len(), 1);
    assert_eq!(response.responses[0].partition_responses.len(), 1);
    &response.responses[0].partition_responses[0]
}

/// A Fetch request of some partitions, each with the offset wanted, which does not wait.
pub fn fetch(topic: &str, partitions: &[(i32, i64)]) -> FetchRequest {
    let partitions = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20)
    });
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(partitions.collect());
    FetchRequest::default().with_min_bytes(1).with_topics(vec![topic])
}

/// A ListOffsets request of one partition.
pub fn list(topic: &str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic])
}
