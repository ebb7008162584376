//! Every API at every version that is advertised, with an implementation of the protocol that shares nothing with the
//! server's.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the seam is the server's; its clients use std as they like"
)]

mod support;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, FetchResponse,
    FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;
use support::requests::{batch, create, fetch, idempotent_batch, metadata, name, produce, produced};
use support::{Client, Folder, Server};

/// What is advertised, by key.
const ADVERTISED: [(i16, i16, i16); 9] = [
    (0, 0, 13),
    (1, 4, 18),
    (2, 1, 11),
    (3, 0, 13),
    (10, 0, 6),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (22, 0, 5),
];

fn values(partition: &PartitionData) -> Vec<(i64, String)> {
    let mut bytes = partition.records.clone().unwrap_or_default();
    let sets = RecordBatchDecoder::decode_all(&mut bytes).expect("whole batches");
    let records = sets.into_iter().flat_map(|set| set.records);
    let text =
        |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap_or_default().into()).expect("UTF-8");
    records.map(|record| (record.offset, text(record.value))).collect()
}

fn only(response: &FetchResponse) -> &PartitionData {
    assert_eq!(response.error_code, 0);
    assert_eq!(response.responses.len(), 1);
    assert_eq!(response.responses[0].partitions.len(), 1);
    &response.responses[0].partitions[0]
}

impl Server {
    /// Kills it and hands out its folder.
    fn end(&mut self) -> Folder {
        self.process.kill().expect("it is our child");
        self.process.wait().expect("it ends");
        std::mem::replace(&mut self.folder, Folder::new())
    }
}

/// The topic's id as later versions name it.
fn with_ids(mut request: FetchRequest, client: &mut Client) -> FetchRequest {
    for topic in &mut request.topics {
        let metadata = client.call(12, &metadata(&topic.topic));
        topic.topic_id = metadata.topics[0].topic_id;
    }
    request
}

fn expect_offsets(values: &[(i64, String)], offsets: std::ops::Range<i64>) {
    assert!(values.iter().map(|value| value.0).eq(offsets), "{values:?}");
}

#[test]
fn api_versions_lists_what_is_served() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for version in 0..=4 {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("test"))
            .with_client_software_version(StrBytes::from_static_str("1"));
        let request = if version < 3 { ApiVersionsRequest::default() } else { request };
        let response = client.call(version, &request);
        assert_eq!(response.error_code, 0);
        let keys: Vec<_> =
            response.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
        assert_eq!(keys, ADVERTISED, "version {version}");
    }
}

#[test]
fn a_version_of_api_versions_to_come_is_answered_in_version_0() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut frame = client.frame(4, &ApiVersionsRequest::default());
    frame[6..8].copy_from_slice(&5_i16.to_be_bytes());
    client.stream.write_all(&frame).expect("the server reads");
    let response = client.response::<ApiVersionsRequest>(0, 1);
    assert_eq!(response.error_code, 35);
    assert!(response.api_keys.iter().any(|api| api.api_key == 18 && api.max_version == 4));
    assert_eq!(client.call(0, &ApiVersionsRequest::default()).error_code, 0, "the connection goes on");
}

#[test]
fn metadata_at_every_version() {
    let server = Server::start(&["node.id=7", "num.partitions=3"]);
    let mut client = server.connect();
    create(&mut client, "known", 2);
    for version in 0..=13 {
        let new = format!("new-{version}");
        let topics =
            ["known", new.as_str()].map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))));
        let response = client.call(version, &MetadataRequest::default().with_topics(Some(topics.to_vec())));
        let broker = &response.brokers[0];
        assert_eq!(
            (broker.node_id.0, format!("{}:{}", &*broker.host, broker.port)),
            (7, server.address.clone())
        );
        if version >= 1 {
            assert_eq!(response.controller_id.0, 7);
        }
        if version >= 2 {
            assert!(response.cluster_id.as_ref().is_some_and(|id| !id.is_empty()));
        }
        for (topic, partitions) in response.topics.iter().zip([2, 3]) {
            assert_eq!(topic.error_code, 0, "version {version}");
            assert_eq!(topic.partitions.len(), partitions, "a topic is created before it is told");
            assert_eq!(topic.topic_id.is_nil(), version < 10);
            for (partition, index) in topic.partitions.iter().zip(0..) {
                assert_eq!((partition.partition_index, partition.leader_id.0), (index, 7));
                assert_eq!(
                    (&partition.replica_nodes[..], &partition.isr_nodes[..]),
                    (&[7.into()][..], &[7.into()][..])
                );
                assert_eq!(partition.leader_epoch >= 0, version >= 7);
            }
        }
        let all = MetadataRequest::default().with_topics((version == 0).then(Vec::new));
        let count = client.call(version, &all).topics.len();
        assert_eq!(count, 2 + usize::try_from(version).expect("positive"), "all topics");
        if version >= 1 {
            let none = MetadataRequest::default().with_topics(Some(Vec::new()));
            assert_eq!(client.call(version, &none).topics.len(), 0);
        }
    }
}

#[test]
fn metadata_creates_only_where_both_sides_want_it() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let response = client.call(4, &metadata("unwanted").with_allow_auto_topic_creation(false));
    assert_eq!(response.topics[0].error_code, 3);
    assert_eq!(client.call(4, &metadata("not/a/name")).topics[0].error_code, 17);
    let twice = MetadataRequestTopic::default().with_name(Some(name("twice")));
    let response = client.call(4, &MetadataRequest::default().with_topics(Some(vec![twice; 1000])));
    assert_eq!(response.topics.len(), 1, "a topic is told once, however often it is named");
    let server = Server::start(&["auto.create.topics.enable=false"]);
    assert_eq!(server.connect().call(4, &metadata("unwanted")).topics[0].error_code, 3);
}

#[test]
fn metadata_by_id() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let id = client.call(12, &metadata("a")).topics[0].topic_id;
    for version in 12..=13 {
        let by_id = |id| {
            let topic = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
            MetadataRequest::default().with_topics(Some(vec![topic]))
        };
        let response = client.call(version, &by_id(id));
        assert_eq!(response.topics[0].name, Some(name("a")));
        let unknown = id.as_bytes().map(|byte| !byte).to_vec().try_into().expect("sixteen bytes");
        let response = client.call(version, &by_id(unknown));
        assert_eq!((response.topics[0].error_code, response.topics[0].topic_id), (100, unknown));
    }
}

fn creatable(topic: &str) -> CreatableTopic {
    CreatableTopic::default().with_name(name(topic)).with_num_partitions(2).with_replication_factor(1)
}

fn create_one(client: &mut Client, version: i16, topic: CreatableTopic) -> CreatableTopicResult {
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    client.call(version, &request).topics.remove(0)
}

#[test]
fn create_topics_at_every_version() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for version in 2..=7 {
        let topic = format!("topic-{version}");
        let config = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str("retention.ms"))
            .with_value(Some(StrBytes::from_static_str("1000")));
        let wanted = creatable(&topic).with_configs(vec![config]);
        let check = CreateTopicsRequest::default().with_topics(vec![wanted.clone()]).with_validate_only(true);
        assert_eq!(client.call(version, &check).topics[0].error_code, 0);
        let created = create_one(&mut client, version, wanted.clone());
        assert_eq!(created.error_code, 0, "{:?}", created.error_message);
        if version >= 5 {
            assert_eq!((created.num_partitions, created.replication_factor), (2, 1));
            let configs = created.configs.expect("the settings in effect");
            let source = |name: &str| {
                let config = configs.iter().find(|config| &*config.name == name).expect(name);
                (config.value.as_deref().map(str::to_owned), config.config_source)
            };
            assert_eq!(source("retention.ms"), (Some("1000".to_owned()), 1));
            assert_eq!(source("flush.messages"), (Some("1".to_owned()), 5));
        }
        assert_eq!(created.topic_id.is_nil(), version < 7);
        assert_eq!(create_one(&mut client, version, wanted).error_code, 36, "it exists now");
    }
}

#[test]
fn create_topics_with_defaults_and_assignments() {
    let server = Server::start(&["num.partitions=4", "node.id=3"]);
    let mut client = server.connect();
    let defaults = creatable("defaults").with_num_partitions(-1).with_replication_factor(-1);
    let created = create_one(&mut client, 7, defaults);
    assert_eq!((created.error_code, created.num_partitions), (0, 4));
    let assigned = |topic: &str, assignments: &[(i32, i32)]| {
        let assignments = assignments.iter().map(|(partition, broker)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(*partition)
                .with_broker_ids(vec![(*broker).into()])
        });
        creatable(topic)
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(assignments.collect())
    };
    let created = create_one(&mut client, 7, assigned("assigned", &[(1, 3), (0, 3)]));
    assert_eq!((created.error_code, created.num_partitions), (0, 2));
    assert_eq!(create_one(&mut client, 7, assigned("elsewhere", &[(0, 4)])).error_code, 39);
    assert_eq!(create_one(&mut client, 7, assigned("gap", &[(0, 3), (2, 3)])).error_code, 39);
    assert_eq!(create_one(&mut client, 7, assigned("both", &[(0, 3)]).with_num_partitions(1)).error_code, 42);
    let twice = CreateTopicsRequest::default().with_topics(vec![creatable("twice"), creatable("twice")]);
    let codes: Vec<_> = client.call(7, &twice).topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [42, 42]);
}

#[test]
fn delete_topics_at_every_version() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for version in 1..=6 {
        create(&mut client, "gone", 2);
        let id = client.call(12, &metadata("gone")).topics[0].topic_id;
        client.call(7, &produce("gone", 1, batch(&["lost"])));
        let request = |topic: &str| {
            if version >= 6 {
                let topic = DeleteTopicState::default().with_name(Some(name(topic)));
                DeleteTopicsRequest::default().with_topics(vec![topic])
            } else {
                DeleteTopicsRequest::default().with_topic_names(vec![name(topic)])
            }
        };
        let response = client.call(version, &request("gone"));
        assert_eq!((response.responses[0].error_code, &response.responses[0].name), (0, &Some(name("gone"))));
        assert_eq!(client.call(version, &request("gone")).responses[0].error_code, 3);
        let response = client.call(4, &metadata("gone").with_allow_auto_topic_creation(false));
        assert_eq!(response.topics[0].error_code, 3);
        assert_eq!(produced(&client.call(7, &produce("gone", 1, batch(&["late"])))).error_code, 3);
        create(&mut client, "gone", 1);
        let again = client.call(12, &metadata("gone")).topics[0].topic_id;
        assert_ne!(again, id, "a topic made again is another one");
        let by_id = |id| {
            let topic = DeleteTopicState::default().with_name(None).with_topic_id(id);
            DeleteTopicsRequest::default().with_topics(vec![topic])
        };
        assert_eq!(client.call(6, &by_id(id)).responses[0].error_code, 100);
        let response = client.call(6, &by_id(again));
        assert_eq!((response.responses[0].error_code, &response.responses[0].name), (0, &Some(name("gone"))));
        let both = DeleteTopicState::default().with_name(Some(name("gone"))).with_topic_id(id);
        let both = DeleteTopicsRequest::default()
            .with_topics(vec![both, DeleteTopicState::default().with_name(None)]);
        let codes: Vec<_> = client.call(6, &both).responses.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [42, 42]);
    }
}

#[test]
fn records_at_every_version_of_produce_and_fetch() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let id = client.call(12, &metadata("log")).topics[0].topic_id;
    for version in 3..=13 {
        let mut request = produce("log", 0, batch(&["a", "b"]));
        request.topic_data[0].topic_id = id;
        let response = client.call(version, &request);
        let expected = i64::from(version - 3) * 2;
        let part = produced(&response);
        assert_eq!((part.error_code, part.base_offset, part.log_append_time_ms), (0, expected, -1));
        assert_eq!(part.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert_eq!(&*response.responses[0].name, if version >= 13 { "" } else { "log" });
        assert_eq!(response.responses[0].topic_id.is_nil(), version < 13);
    }
    for version in 4..=18 {
        let request = with_ids(fetch("log", &[(0, 4)]), &mut client);
        let response = client.call(version, &request);
        let part = only(&response);
        assert_eq!((part.error_code, part.high_watermark, part.last_stable_offset), (0, 22, 22));
        assert_eq!(part.log_start_offset, if version >= 5 { 0 } else { -1 });
        let values = values(part);
        expect_offsets(&values, 4..22);
        assert!(values.iter().all(|value| value.1 == if value.0 % 2 == 0 { "a" } else { "b" }));
        assert_eq!(&*response.responses[0].topic, if version >= 13 { "" } else { "log" });
        assert_eq!(response.responses[0].topic_id.is_nil(), version < 13);
        assert_eq!(response.session_id, 0, "sessions are declined");
    }
}

#[test]
fn fetch_refuses_what_it_cannot_read() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    client.call(7, &produce("log", 0, batch(&["a"])));
    let mut code = |version, request: &FetchRequest| only(&client.call(version, request)).error_code;
    assert_eq!(code(4, &fetch("log", &[(0, 2)])), 1, "past the end");
    assert_eq!(code(4, &fetch("log", &[(0, -1)])), 1);
    assert_eq!(code(4, &fetch("log", &[(0, 1)])), 0, "at the end");
    assert_eq!(code(4, &fetch("log", &[(1, 0)])), 3, "no such partition");
    assert_eq!(code(4, &fetch("log", &[(-1, 0)])), 3);
    assert_eq!(code(12, &fetch("unknown", &[(0, 0)])), 3);
    assert_eq!(code(13, &fetch("log", &[(0, 0)])), 100, "no topic has the id 0");
    let session = fetch("log", &[(0, 0)]).with_session_id(5).with_session_epoch(1);
    assert_eq!(server.connect().call(7, &session).error_code, 70);
}

#[test]
fn leader_epochs_are_checked() {
    let mut server = Server::start(&[]);
    create(&mut server.connect(), "log", 1);
    let server = Server::start_in(server.end(), &[]);
    let mut client = server.connect();
    let epoch = client.call(7, &metadata("log")).topics[0].partitions[0].leader_epoch;
    assert!(epoch > 0, "each start begins a new one");
    for (claimed, expected) in [(-1, 0), (epoch, 0), (epoch - 1, 74), (epoch + 1, 75)] {
        let mut request = fetch("log", &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = claimed;
        assert_eq!(only(&client.call(9, &request)).error_code, expected);
        let mut request = list("log", -1);
        request.topics[0].partitions[0].current_leader_epoch = claimed;
        assert_eq!(client.call(4, &request).topics[0].partitions[0].error_code, expected);
    }
}

#[test]
fn fetch_waits_for_records() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 4);
    let ends = [(0, 0), (1, 0), (2, 0), (3, 0)];
    let since = Instant::now();
    let response = client.call(11, &fetch("log", &ends).with_max_wait_ms(150));
    assert!(since.elapsed() >= Duration::from_millis(150), "nothing came, so it waited");
    assert!(response.responses[0].partitions.iter().all(|part| values(part).is_empty()));
    // Many rounds, so that watches of earlier fetches are still there for later ones.
    let mut producer = server.connect();
    for round in 0..50 {
        let partition = round % 4;
        let offset = i64::from(round / 4);
        let ends = [0, 1, 2, 3].map(|index| (index, i64::from((round + 3 - index) / 4)));
        let frame = client.frame(11, &fetch("log", &ends).with_max_wait_ms(20_000));
        client.stream.write_all(&frame).expect("the server reads");
        thread::sleep(Duration::from_millis(2));
        assert_eq!(
            produced(&producer.call(7, &produce("log", partition, batch(&["new"])))).base_offset,
            offset
        );
        let correlation = i32::from_be_bytes(*frame[8..].first_chunk().expect("a header"));
        let response = client.response::<FetchRequest>(11, correlation);
        let found: Vec<_> = response.responses[0].partitions.iter().flat_map(values).collect();
        assert_eq!(found, [(offset, "new".to_owned())], "round {round}");
    }
}

#[test]
fn fetch_waits_for_min_bytes_in_all() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 2);
    let mut producer = server.connect();
    let one = batch(&["x".repeat(100).as_str()]);
    let enough = i32::try_from(one.len() * 3).expect("small");
    let request = fetch("log", &[(0, 0), (1, 0)]).with_max_wait_ms(20_000).with_min_bytes(enough);
    let frame = client.frame(11, &request);
    client.stream.write_all(&frame).expect("the server reads");
    for partition in [0, 1, 0] {
        producer.call(7, &produce("log", partition, one.clone()));
    }
    let correlation = i32::from_be_bytes(*frame[8..].first_chunk().expect("a header"));
    let response = client.response::<FetchRequest>(11, correlation);
    let counts: Vec<_> = response.responses[0].partitions.iter().map(|part| values(part).len()).collect();
    assert_eq!(counts, [2, 1]);
    let since = Instant::now();
    let response = client.call(11, &request.with_max_wait_ms(100).with_min_bytes(1 << 20));
    assert!(since.elapsed() >= Duration::from_millis(100));
    let counts: Vec<_> = response.responses[0].partitions.iter().map(|part| values(part).len()).collect();
    assert_eq!(counts, [2, 1], "too few are sent all the same when the time is up");
}

#[test]
fn fetch_keeps_to_its_limits() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 4);
    let value = "x".repeat(1000);
    let one = batch(&[&value]);
    for partition in 0..4 {
        for _ in 0..5 {
            client.call(7, &produce("log", partition, one.clone()));
        }
    }
    let all = fetch("log", &[(0, 0), (1, 0), (2, 0), (3, 0)]);
    let mut counts = |request: FetchRequest| {
        let response = client.call(11, &request);
        let partitions = &response.responses[0].partitions;
        assert!(partitions.iter().all(|part| part.error_code == 0 && part.high_watermark == 5));
        partitions.iter().map(|part| values(part).len()).collect::<Vec<_>>()
    };
    assert_eq!(counts(all.clone()), [5, 5, 5, 5]);
    assert_eq!(counts(all.clone().with_max_bytes(1)), [1, 0, 0, 0], "the first batch comes whole");
    let limit = i32::try_from(one.len() * 7).expect("small");
    assert_eq!(counts(all.clone().with_max_bytes(limit)), [5, 2, 0, 0], "in the request's order");
    let mut few = all;
    for partition in &mut few.topics[0].partitions {
        partition.partition_max_bytes = i32::try_from(one.len() * 2).expect("small");
    }
    assert_eq!(counts(few), [2, 2, 2, 2]);
}

#[test]
fn an_idempotent_producer_appends_once() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let mut ids = Vec::new();
    for version in 0..=5 {
        let response = client.call(version, &InitProducerIdRequest::default().with_transactional_id(None));
        assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        ids.push(response.producer_id.0);
    }
    ids.dedup();
    assert_eq!(ids.len(), 6, "every producer gets an id of its own");
    let mut append = |first| {
        let response = client.call(9, &produce("log", 0, idempotent_batch(&["a", "b"], ids[0], first)));
        let part = produced(&response);
        (part.error_code, part.base_offset)
    };
    assert_eq!(append(0), (0, 0));
    assert_eq!(append(2), (0, 2));
    assert_eq!(append(0), (0, 0), "a retry gets the offset it had");
    assert_eq!(append(6), (45, -1), "a gap");
    assert_eq!(append(4), (0, 4));
}

fn list(topic: &str, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic])
}

#[test]
fn list_offsets_at_every_version() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    for _ in 0..3 {
        client.call(7, &produce("log", 0, batch(&["a", "b"])));
    }
    let base = 1_700_000_000_000;
    for version in 1..=10 {
        let mut find = |timestamp| -> ListOffsetsPartitionResponse {
            client.call(version, &list("log", timestamp)).topics[0].partitions[0].clone()
        };
        for (timestamp, offset) in
            [(-1, 6), (-2, 0), (-4, 0), (-5, -1), (-6, -1), (0, 0), (base + 1, 1), (base + 2, -1)]
        {
            let found = find(timestamp);
            assert_eq!((found.error_code, found.offset), (0, offset), "version {version}, {timestamp}");
        }
        let largest = find(-3);
        assert_eq!((largest.error_code, largest.timestamp), (0, base + 1));
        assert_eq!(find(-7).error_code, 35);
    }
    assert_eq!(client.call(1, &list("unknown", -1)).topics[0].partitions[0].error_code, 3);
    // Version 11 has 10's form, but the other codec does not know it yet.
    let mut frame = client.frame(10, &list("log", -1));
    frame[6..8].copy_from_slice(&11_i16.to_be_bytes());
    client.stream.write_all(&frame).expect("the server reads");
    let correlation = i32::from_be_bytes(*frame[8..].first_chunk().expect("a header"));
    let response = client.response::<ListOffsetsRequest>(10, correlation);
    assert_eq!(response.topics[0].partitions[0].offset, 6);
}

#[test]
fn find_coordinator_at_every_version() {
    let server = Server::start(&["node.id=9"]);
    let mut client = server.connect();
    for version in 0..=6 {
        let group = StrBytes::from_static_str("group");
        let (one, many) = (FindCoordinatorRequest::default().with_key(group.clone()), vec![group]);
        let request =
            if version < 4 { one } else { FindCoordinatorRequest::default().with_coordinator_keys(many) };
        let response = client.call(version, &request);
        let (error, node, port) = if version < 4 {
            (response.error_code, response.node_id, response.port)
        } else {
            let found = &response.coordinators[0];
            assert_eq!(&*found.key, "group");
            (found.error_code, found.node_id, found.port)
        };
        assert_eq!((error, node.0), (0, 9), "version {version}");
        assert!(server.address.ends_with(&format!(":{port}")));
        if version >= 1 {
            let response = client.call(version, &request.with_key_type(1));
            let error = response.coordinators.first().map_or(response.error_code, |found| found.error_code);
            assert_eq!(error, 42, "nobody coordinates transactions");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 4);
    let mut stream = Vec::new();
    let mut unanswered = produce("log", 0, batch(&["unanswered"]));
    unanswered.acks = 0;
    for round in 0..20 {
        for partition in 0..4 {
            stream.extend(client.frame(7, &produce("log", partition, batch(&["a"]))));
        }
        stream.extend(client.frame(7, &unanswered));
        stream.extend(client.frame(11, &fetch("log", &[(1, round)])));
        stream.extend(client.frame(4, &metadata("log")));
    }
    client.stream.write_all(&stream).expect("the server reads");
    let mut correlation = 1;
    for round in 0..20 {
        for partition in 0..4 {
            correlation += 1;
            let response = client.response::<ProduceRequest>(7, correlation);
            let expected = if partition == 0 { round * 2 } else { round };
            assert_eq!(produced(&response).base_offset, expected);
        }
        correlation += 2;
        let response = client.response::<FetchRequest>(11, correlation);
        assert_eq!(values(only(&response)), [(round, "a".to_owned())], "it sees what was sent before it");
        correlation += 1;
        client.response::<MetadataRequest>(4, correlation);
    }
}

#[test]
fn frames_split_at_every_byte() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 2);
    let mut offset = 0;
    let mut correlation = 1;
    let length = {
        let mut probe = server.connect();
        let produce = probe.frame(9, &produce("log", 0, batch(&["a", "b"]))).len();
        produce + probe.frame(12, &fetch("log", &[(0, 0)])).len()
    };
    for split in 0..=length {
        let mut stream = client.frame(9, &produce("log", 0, batch(&["a", "b"])));
        stream.extend(client.frame(12, &fetch("log", &[(0, offset)])));
        assert_eq!(stream.len(), length);
        client.stream.write_all(&stream[..split]).expect("the server reads");
        // Long enough for the server to receive the first part alone, most of the time.
        thread::sleep(Duration::from_micros(500));
        client.stream.write_all(&stream[split..]).expect("the server reads");
        correlation += 1;
        assert_eq!(produced(&client.response::<ProduceRequest>(9, correlation)).base_offset, offset);
        correlation += 1;
        let response = client.response::<FetchRequest>(12, correlation);
        expect_offsets(&values(only(&response)), offset..offset + 2);
        offset += 2;
    }
}

#[test]
fn a_stream_sent_byte_by_byte() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let mut stream = Vec::new();
    for _ in 0..3 {
        stream.extend(client.frame(9, &produce("log", 0, batch(&["a"]))));
    }
    for byte in stream {
        client.stream.write_all(&[byte]).expect("the server reads");
        thread::sleep(Duration::from_micros(100));
    }
    for round in 0..3 {
        let response = client.response::<ProduceRequest>(9, round + 2);
        assert_eq!(produced(&response).base_offset, i64::from(round));
    }
}

#[test]
fn many_connections_at_once() {
    let server = Server::start(&["num.partitions=4"]);
    server.connect().call(4, &metadata("log"));
    let workers: Vec<_> = (0..32)
        .map(|worker| {
            let mut client = server.connect();
            thread::spawn(move || {
                for round in 0..50 {
                    let value = format!(
                        "{worker}-{round}-{}",
                        "x".repeat(usize::try_from(round * 100).expect("few"))
                    );
                    let response = client.call(9, &produce("log", worker % 4, batch(&[&value])));
                    assert_eq!(produced(&response).error_code, 0);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("every batch is appended");
    }
    let mut client = server.connect();
    for partition in 0..4 {
        let mut offset = 0;
        while offset < 400 {
            let response = client.call(12, &fetch("log", &[(partition, offset)]));
            let values = values(only(&response));
            expect_offsets(&values, offset..offset + i64::try_from(values.len()).expect("few"));
            assert!(!values.is_empty());
            offset += i64::try_from(values.len()).expect("few");
        }
        assert_eq!(offset, 400);
    }
}

#[test]
fn everything_is_there_after_a_kill_and_a_restart() {
    let mut server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 2);
    let before = client.call(12, &metadata("log")).topics[0].clone();
    for partition in [0, 1] {
        client.call(9, &produce("log", partition, batch(&["a", "b", "c"])));
    }
    let server = Server::start_in(server.end(), &[]);
    let mut client = server.connect();
    let after = client.call(12, &metadata("log")).topics[0].clone();
    assert_eq!((after.topic_id, after.partitions.len()), (before.topic_id, 2));
    assert!(after.partitions[0].leader_epoch > before.partitions[0].leader_epoch);
    for partition in [0, 1] {
        expect_offsets(&values(only(&client.call(11, &fetch("log", &[(partition, 0)])))), 0..3);
    }
}
