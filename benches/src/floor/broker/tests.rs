use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, InitProducerIdRequest, InitProducerIdResponse,
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader,
    TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::*;
use crate::floor::log::{Durability, Options};
use crate::floor::ring::Ring;

/// A broker on two logs that only count: partitions 0 and 2 share the first, 1 and 3 the second.
struct Bench {
    broker: Broker,
    logs: Logs,
    _ring: Ring,
}

impl Bench {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tora-floor-{}-{name}", std::process::id()));
        let durability = Durability::Memory;
        let options =
            Options { path, files: 2, file_bytes: 64 << 20, fresh: true, durability, unflushed_max: None };
        let mut ring = Ring::new().expect("io_uring is there");
        let logs = Logs::create(&options, &mut ring).expect("the temporary folder takes two files");
        Self { broker: Broker::new("127.0.0.1", 9092, 4), logs, _ring: ring }
    }

    /// Sends the request and gives the answer's bytes after the correlation id's header.
    fn raw<Q: Encodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> (Read<Outcome>, Bytes) {
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(77)
            .with_client_id(Some(StrBytes::from_static_str("test")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, Q::header_version(version)).expect("a header can be encoded");
        request.encode(&mut frame, version).expect("the request can be encoded");
        let mut out = Vec::new();
        let outcome = self.broker.handle(&frame, &mut self.logs, &mut Stats::default(), &mut out);
        (outcome, Bytes::from(out))
    }

    fn ask<Q, A>(&mut self, key: ApiKey, version: i16, request: &Q) -> A
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        let (outcome, mut answer) = self.raw(key, version, request);
        assert!(outcome.is_ok(), "{key:?} {version} is refused");
        assert_eq!(answer.get_u32() as usize, answer.remaining(), "{key:?} {version}: frame length");
        let header = ResponseHeader::decode(&mut answer, A::header_version(version)).expect("a header");
        assert_eq!(header.correlation_id, 77);
        let body = A::decode(&mut answer, version).unwrap_or_else(|e| panic!("{key:?} {version}: {e}"));
        assert!(!answer.has_remaining(), "{key:?} {version}: bytes are left over");
        body
    }
}

/// A batch of format 2 whose `records` records are one run of zeros.
fn batch(records: i32) -> Vec<u8> {
    let mut batch = vec![0; BATCH_HEADER_BYTES + 40];
    let length = batch.len() as i32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(records - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&records.to_be_bytes());
    let crc = checksum(&batch[BATCH_HEAD_BYTES..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn produce(acks: i16, version: i16, partitions: &[(i32, Vec<u8>)]) -> ProduceRequest {
    let data = partitions
        .iter()
        .map(|(index, records)| {
            PartitionProduceData::default()
                .with_index(*index)
                .with_records(Some(Bytes::from(records.clone())))
        })
        .collect();
    let mut topic = TopicProduceData::default().with_partition_data(data);
    if version < 13 {
        topic.name = TopicName(StrBytes::from_static_str("t"));
    }
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![topic])
}

#[test]
fn produce_is_answered_in_every_version() {
    for version in 3..=13 {
        let mut bench = Bench::new(&format!("produce-{version}"));
        let request = produce(-1, version, &[(0, batch(3)), (1, batch(2))]);
        let _: ProduceResponse = bench.ask(ApiKey::Produce, version, &request);
        let again: ProduceResponse = bench.ask(ApiKey::Produce, version, &request);
        let partitions = &again.responses[0].partition_responses;
        let got: Vec<_> = partitions.iter().map(|p| (p.index, p.error_code, p.base_offset)).collect();
        assert_eq!(got, [(0, 0, 3), (1, 0, 2)], "version {version}");
    }
}

#[test]
fn a_response_waits_for_the_logs_of_its_partitions_and_for_no_other() {
    let mut bench = Bench::new("waits");
    let bytes = |records| batch(records).len() as u64;
    let (outcome, _) = bench.raw(ApiKey::Produce, 7, &produce(-1, 7, &[(2, batch(5))]));
    assert_eq!(outcome, Ok(Outcome::RespondWhenSafe(Positions([bytes(5), 0, 0, 0]))));
    let (outcome, _) = bench.raw(ApiKey::Produce, 7, &produce(-1, 7, &[(3, batch(2))]));
    let second = Positions([0, bytes(2), 0, 0]);
    assert_eq!(outcome, Ok(Outcome::RespondWhenSafe(second)));
    assert!(second.cover(&second) && !second.cover(&Positions([1, 0, 0, 0])));
    let (outcome, _) = bench.raw(ApiKey::Produce, 7, &produce(-1, 7, &[(0, batch(1)), (1, batch(4))]));
    let both = Positions([bytes(5) + bytes(1), bytes(2) + bytes(4), 0, 0]);
    assert_eq!(outcome, Ok(Outcome::RespondWhenSafe(both)));
    assert_eq!(bench.logs.safe(), both);
}

#[test]
fn a_corrupt_batch_and_an_unknown_partition_are_refused() {
    let mut bench = Bench::new("corrupt");
    let mut corrupt = batch(3);
    corrupt[70] ^= 1;
    let mut short = batch(3);
    short.truncate(80);
    let request = produce(-1, 9, &[(0, corrupt), (1, short), (4, batch(1)), (-1, batch(1))]);
    let answer: ProduceResponse = bench.ask(ApiKey::Produce, 9, &request);
    let errors: Vec<_> = answer.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(
        errors,
        [CORRUPT_MESSAGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION]
    );
    assert_eq!(bench.logs.safe(), Positions::default());
}

#[test]
fn acks_zero_is_not_answered() {
    let mut bench = Bench::new("acks0");
    let (outcome, answer) = bench.raw(ApiKey::Produce, 9, &produce(0, 9, &[(0, batch(3))]));
    assert_eq!(outcome, Ok(Outcome::Silent));
    assert!(answer.is_empty());
}

#[test]
fn metadata_is_answered_in_every_version() {
    let mut bench = Bench::new("metadata");
    for version in 0..=12 {
        let topic =
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_static_str("t"))));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let answer: MetadataResponse = bench.ask(ApiKey::Metadata, version, &request);
        assert_eq!(answer.brokers[0].port, 9092);
        assert_eq!(answer.topics[0].partitions.len(), 4, "version {version}");
    }
}

#[test]
fn topics_are_created_and_deleted_in_every_version() {
    let mut bench = Bench::new("topics");
    let name = || TopicName(StrBytes::from_static_str("t"));
    for version in 2..=7 {
        let topic =
            CreatableTopic::default().with_name(name()).with_num_partitions(6).with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let answer: CreateTopicsResponse = bench.ask(ApiKey::CreateTopics, version, &request);
        assert_eq!(answer.topics[0].error_code, 0);
    }
    assert_eq!(bench.broker.partitions, 6);
    for version in 1..=6 {
        let request = if version < 6 {
            DeleteTopicsRequest::default().with_topic_names(vec![name()])
        } else {
            DeleteTopicsRequest::default()
                .with_topics(vec![DeleteTopicState::default().with_name(Some(name()))])
        };
        let answer: DeleteTopicsResponse = bench.ask(ApiKey::DeleteTopics, version, &request);
        assert_eq!(answer.responses[0].error_code, 0);
    }
}

#[test]
fn producer_ids_are_given_once_in_every_version() {
    let mut bench = Bench::new("ids");
    let ids: Vec<_> = (0..=5)
        .map(|version| {
            let request = InitProducerIdRequest::default().with_transactional_id(None);
            let answer: InitProducerIdResponse = bench.ask(ApiKey::InitProducerId, version, &request);
            answer.producer_id.0
        })
        .collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn api_versions_is_answered_in_every_version() {
    let mut bench = Bench::new("versions");
    for version in 0..=4 {
        let answer: ApiVersionsResponse =
            bench.ask(ApiKey::ApiVersions, version, &ApiVersionsRequest::default());
        let produce = answer.api_keys.iter().find(|api| api.api_key == PRODUCE).expect("Produce is served");
        assert_eq!((answer.error_code, produce.min_version, produce.max_version), (0, 0, 13));
    }
}

#[test]
fn an_unknown_version_of_api_versions_gets_error_35_in_version_0s_body() {
    let mut bench = Bench::new("versions-unknown");
    let mut frame = vec![];
    for part in [API_VERSIONS, 99, 0, 77, -1] {
        frame.extend_from_slice(&i16::to_be_bytes(part));
    }
    let mut out = Vec::new();
    let outcome = bench.broker.handle(&frame, &mut bench.logs, &mut Stats::default(), &mut out);
    assert_eq!(outcome, Ok(Outcome::Respond));
    let mut answer = Bytes::from(out).slice(8..);
    let body = ApiVersionsResponse::decode(&mut answer, 0).expect("version 0's body");
    assert_eq!(body.error_code, UNSUPPORTED_VERSION);
    assert_eq!(body.api_keys.len(), 1);
    assert_eq!(body.api_keys[0].api_key, API_VERSIONS);
    assert!(!answer.has_remaining());
}

#[test]
fn a_frame_cut_anywhere_is_malformed_and_never_panics() {
    let mut bench = Bench::new("cut");
    for version in [3, 9, 13] {
        let header = RequestHeader::default().with_request_api_key(PRODUCE).with_request_api_version(version);
        let mut frame = BytesMut::new();
        header.encode(&mut frame, ProduceRequest::header_version(version)).expect("a header");
        produce(-1, version, &[(0, batch(3))]).encode(&mut frame, version).expect("a request");
        for length in 0..frame.len() - 1 {
            let outcome = bench.broker.handle(
                &frame[..length],
                &mut bench.logs,
                &mut Stats::default(),
                &mut Vec::new(),
            );
            assert_eq!(outcome, Err(Malformed), "version {version}, {length} of {} bytes", frame.len());
        }
    }
}
