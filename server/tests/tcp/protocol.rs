//! The APIs that every client uses, but Produce and Fetch, at every version that is advertised, with an implementation of the protocol that shares
//! nothing with the server's.

use std::io::Write;

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FindCoordinatorRequest, ListOffsetsRequest,
    MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::support::requests::{batch, create, list, metadata, name, produce, produced};
use crate::support::{Client, Server};

/// What is advertised, by key.
const ADVERTISED: &[(i16, i16, i16)] = &[
    (0, 0, 13),
    (1, 4, 18),
    (2, 1, 11),
    (3, 0, 13),
    (8, 2, 10),
    (9, 1, 10),
    (10, 0, 6),
    (11, 0, 9),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 6),
    (16, 0, 5),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (21, 0, 2),
    (22, 0, 5),
    (23, 2, 4),
    (32, 1, 4),
    (33, 0, 2),
    (37, 0, 3),
    (42, 0, 2),
    (44, 0, 1),
    (47, 0, 0),
    (60, 0, 2),
    (75, 0, 0),
];

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

/// Asks about partition 0. Version 11 has 10's form, but the other codec does not know it yet.
fn list_one(client: &mut Client, version: i16, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
    let known = version.min(10);
    let mut frame = client.frame(known, &list(topic, 0, timestamp));
    frame[6..8].copy_from_slice(&version.to_be_bytes());
    client.stream.write_all(&frame).expect("the server reads");
    let correlation = i32::from_be_bytes(*frame[8..].first_chunk().expect("a header"));
    client.response::<ListOffsetsRequest>(known, correlation).topics[0].partitions[0].clone()
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
    // Each with the offset and timestamp that it finds, and the version that brought it.
    let cases = [
        (-1, 6, -1, 1),
        (-2, 0, -1, 1),
        (-3, 1, base + 1, 7),
        (-4, 0, -1, 8),
        (-5, -1, -1, 9),
        (-6, -1, -1, 11),
        (-7, -1, -1, 12),
        (i64::MIN, -1, -1, 12),
        (0, 0, base, 1),
        (base + 1, 1, base + 1, 1),
        (base + 2, -1, -1, 1),
    ];
    for version in 1..=11 {
        for (sought, offset, timestamp, since) in cases {
            let found = list_one(&mut client, version, "log", sought);
            let expected = if version < since { (35, -1, -1) } else { (0, offset, timestamp) };
            let found = (found.error_code, found.offset, found.timestamp);
            assert_eq!(found, expected, "version {version}, {sought}");
        }
        assert_eq!(list_one(&mut client, version, "unknown", -1).error_code, 3);
    }
    for sought in [-1, -5] {
        for index in [-1, 1] {
            let found = &client.call(10, &list("log", index, sought)).topics[0].partitions[0];
            assert_eq!((found.error_code, found.offset), (3, -1), "partition {index}, {sought}");
        }
    }
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
            for kind in [1, 2] {
                let response = client.call(version, &request.clone().with_key_type(kind));
                let error =
                    response.coordinators.first().map_or(response.error_code, |found| found.error_code);
                assert_eq!(error, 42, "nobody coordinates transactions or share groups");
            }
        }
    }
}
