//! CreatePartitions, DescribeCluster, DescribeTopicPartitions and OffsetForLeaderEpoch at every version.

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    CreatePartitionsRequest, DescribeClusterRequest, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, OffsetForLeaderEpochRequest,
};

use crate::support::requests::{batch, create, metadata, name, produce, produced};
use crate::support::{Client, Server, contains};

fn partitions_of(client: &mut Client, topic: &str) -> usize {
    client.call(7, &metadata(topic)).topics[0].partitions.len()
}

/// Asks for so many partitions; gives the error and its text.
fn grow(
    client: &mut Client,
    version: i16,
    topic: CreatePartitionsTopic,
    validate_only: bool,
) -> (i16, String) {
    let request = CreatePartitionsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(1000)
        .with_validate_only(validate_only);
    let result = client.call(version, &request).results.remove(0);
    (result.error_code, result.error_message.as_deref().unwrap_or_default().to_owned())
}

fn wanted(topic: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic::default().with_name(name(topic)).with_count(count).with_assignments(None)
}

#[test]
fn create_partitions_at_every_version() {
    let server = Server::start(&["tora.cores=2"]);
    let mut client = server.connect();
    let mut elsewhere = server.connect();
    for version in 0..=3 {
        let topic = format!("t{version}");
        create(&mut client, &topic, 2);
        assert_eq!(grow(&mut client, version, wanted(&topic, 5), true), (0, String::new()));
        assert_eq!(partitions_of(&mut client, &topic), 2, "it was only checked");
        assert_eq!(grow(&mut client, version, wanted(&topic, 5), false), (0, String::new()));
        for client in [&mut client, &mut elsewhere] {
            assert_eq!(partitions_of(client, &topic), 5, "on every core");
            assert_eq!(produced(&client.call(7, &produce(&topic, 4, batch(&["new"])))).error_code, 0);
        }
        for count in [5, 4, 0, -1] {
            let (code, why) = grow(&mut client, version, wanted(&topic, count), false);
            assert_eq!(code, 37);
            contains(&why, &["has 5 partitions"]);
        }
        assert_eq!(grow(&mut client, version, wanted(&topic, 100_001), false).0, 37);
        assert_eq!(grow(&mut client, version, wanted("unknown", 5), false).0, 3);
        let assigned = |brokers: &[i32]| {
            let assignments = brokers
                .iter()
                .map(|broker| CreatePartitionsAssignment::default().with_broker_ids(vec![(*broker).into()]));
            wanted(&topic, 7).with_assignments(Some(assignments.collect()))
        };
        assert_eq!(grow(&mut client, version, assigned(&[1, 2]), false).0, 39);
        assert_eq!(grow(&mut client, version, assigned(&[1]), false).0, 39);
        assert_eq!(grow(&mut client, version, assigned(&[1, 1]), false), (0, String::new()));
    }
    let twice = CreatePartitionsRequest::default().with_topics(vec![wanted("t1", 8), wanted("t1", 9)]);
    let codes: Vec<_> = client.call(3, &twice).results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [42, 42]);
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(partitions_of(&mut server.connect(), "t3"), 7);
}

#[test]
fn describe_cluster_at_every_version() {
    let server = Server::start(&["node.id=7"]);
    let mut client = server.connect();
    let id = client.call(7, &metadata("t")).cluster_id;
    for version in 0..=2 {
        let response = client.call(version, &DescribeClusterRequest::default());
        assert_eq!((response.error_code, Some(response.cluster_id)), (0, id.clone()));
        assert_eq!((response.controller_id.0, response.brokers.len()), (7, 1));
        let broker = &response.brokers[0];
        assert_eq!(
            (broker.broker_id.0, format!("{}:{}", &*broker.host, broker.port)),
            (7, server.address.clone())
        );
        if version >= 1 {
            let controllers = client.call(version, &DescribeClusterRequest::default().with_endpoint_type(2));
            assert_eq!((controllers.error_code, controllers.brokers.len()), (115, 0));
        }
    }
}

fn page(
    client: &mut Client,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse {
    let topics = topics.iter().map(|topic| TopicRequest::default().with_name(name(topic)));
    let cursor = cursor
        .map(|(topic, index)| Cursor::default().with_topic_name(name(topic)).with_partition_index(index));
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(topics.collect())
        .with_response_partition_limit(limit)
        .with_cursor(cursor);
    client.call(0, &request)
}

/// Topics with their partitions' numbers, and the cursor.
type Shown = (Vec<(String, i16, Vec<i32>)>, Option<(String, i32)>);

fn shown(response: &DescribeTopicPartitionsResponse) -> Shown {
    let topics = response.topics.iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.name.as_ref().expect("a name").to_string(), topic.error_code, indexes)
    });
    let cursor = response.next_cursor.as_ref();
    (topics.collect(), cursor.map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index)))
}

#[test]
fn topic_partitions_are_described_a_page_at_a_time() {
    let server = Server::start(&["node.id=7"]);
    let mut client = server.connect();
    for (topic, partitions) in [("a", 3), ("b", 1), ("c", 2)] {
        create(&mut client, topic, partitions);
    }
    let all = page(&mut client, &[], 2000, None);
    let part = |topic: &str, indexes: &[i32]| (topic.to_owned(), 0, indexes.to_vec());
    assert_eq!(shown(&all), (vec![part("a", &[0, 1, 2]), part("b", &[0]), part("c", &[0, 1])], None));
    let partition = &all.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.leader_id.0), (0, 7));
    assert_eq!((&partition.replica_nodes[..], &partition.isr_nodes[..]), (&[7.into()][..], &[7.into()][..]));
    assert!(!all.topics[0].topic_id.is_nil());
    let cursor = |topic: &str, index| Some((topic.to_owned(), index));
    let first = page(&mut client, &[], 2, None);
    assert_eq!(shown(&first), (vec![part("a", &[0, 1])], cursor("a", 2)));
    let second = page(&mut client, &[], 2, Some(("a", 2)));
    assert_eq!(shown(&second), (vec![part("a", &[2]), part("b", &[0])], cursor("c", 0)));
    let third = page(&mut client, &[], 2, Some(("c", 0)));
    assert_eq!(shown(&third), (vec![part("c", &[0, 1])], None));
    let named = page(&mut client, &["c", "nope", "a", "c", "no/name"], 2000, Some(("b", 5)));
    let unknown = |topic: &str, code| (topic.to_owned(), code, vec![]);
    assert_eq!(shown(&named), (vec![part("c", &[0, 1]), unknown("no/name", 17), unknown("nope", 3)], None));
    let beyond = page(&mut client, &["a"], 0, Some(("a", 9)));
    assert_eq!(shown(&beyond), (vec![part("a", &[])], None));
}

/// Where an epoch of partition 0 ends: the error, the epoch told and the offset.
fn end_of(client: &mut Client, version: i16, topic: &str, believed: i32, epoch: i32) -> (i16, i32, i64) {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(believed)
        .with_leader_epoch(epoch);
    let topic = OffsetForLeaderTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    let request =
        OffsetForLeaderEpochRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    let response = client.call(version, &request);
    let part = &response.topics[0].partitions[0];
    (part.error_code, part.leader_epoch, part.end_offset)
}

#[test]
fn an_epoch_ends_where_the_next_one_begins() {
    // Records appended in each life of the broker; in the third nothing is.
    let lives = [7, 1, 0, 12];
    let mut server = Server::start(&[]);
    create(&mut server.connect(), "t", 1);
    create(&mut server.connect(), "never", 1);
    let mut epochs = Vec::new();
    for (life, records) in lives.into_iter().enumerate() {
        if life > 0 {
            server = Server::start_in(server.kill(), &[]);
        }
        let mut client = server.connect();
        epochs.push(client.call(7, &metadata("t")).topics[0].partitions[0].leader_epoch);
        for _ in 0..records {
            assert_eq!(produced(&client.call(7, &produce("t", 0, batch(&["a", "b"])))).error_code, 0);
        }
    }
    let mut client = server.connect();
    let [first, second, third, current] = epochs[..] else { panic!("four lives") };
    for version in 2..=4 {
        let mut end = |epoch| end_of(&mut client, version, "t", -1, epoch);
        assert_eq!(end(first), (0, first, 14));
        assert_eq!(end(second), (0, second, 16));
        assert_eq!(end(third), (0, second, 16), "the last one before it that has records");
        assert_eq!(end(current), (0, current, 40));
        assert_eq!(end(current + 1), (0, -1, -1));
        assert_eq!(end(-1), (0, -1, -1));
        assert_eq!(end_of(&mut client, version, "t", current, first), (0, first, 14));
        assert_eq!(end_of(&mut client, version, "t", first, first).0, 74, "the client is behind");
        assert_eq!(end_of(&mut client, version, "t", current + 1, first).0, 75);
        assert_eq!(end_of(&mut client, version, "never", -1, first), (0, first, 0));
        assert_eq!(end_of(&mut client, version, "unknown", -1, first).0, 3);
    }
}
