//! Records that are deleted. DeleteRecords at every version: what clients are told, what they read afterwards, and that it
//! survives. And retention, as a broker's properties and a topic's settings want it.

use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::protocol::StrBytes;

use crate::support::requests::{batch, create, creation, fetch, list, name, produce, produced};
use crate::support::{Client, Server};

/// A request about some partitions of one topic, each with the offset before which everything is to go.
pub fn delete(topic: &str, partitions: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partitions = partitions.iter().map(|&(index, offset)| {
        DeleteRecordsPartition::default().with_partition_index(index).with_offset(offset)
    });
    let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(partitions.collect());
    DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
}

/// What it is answered: error and low watermark of each partition.
pub fn deleted(client: &mut Client, version: i16, request: &DeleteRecordsRequest) -> Vec<(i16, i64)> {
    let response = client.call(version, request);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| (partition.error_code, partition.low_watermark)).collect()
}

fn offset_at(client: &mut Client, timestamp: i64) -> i64 {
    offset_of(client, "log", timestamp)
}

fn offset_of(client: &mut Client, topic: &str, timestamp: i64) -> i64 {
    client.call(7, &list(topic, 0, timestamp)).topics[0].partitions[0].offset
}

#[test]
fn delete_records_at_every_version() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 2);
    for _ in 0..10 {
        client.call(7, &produce("log", 0, batch(&["a", "b"])));
    }
    for version in 0..=2 {
        let start = i64::from(version) * 3;
        let request = delete("log", &[(0, start), (1, -1), (2, 0), (-1, 0)]);
        assert_eq!(deleted(&mut client, version, &request), [(0, start), (0, 0), (3, -1), (3, -1)]);
        assert_eq!(deleted(&mut client, version, &delete("unknown", &[(0, 0)])), [(3, -1)]);
        // Outside of what is there; before the start there is nothing to do.
        let ends: Vec<_> = [21, -2, 0]
            .iter()
            .map(|&offset| deleted(&mut client, version, &delete("log", &[(0, offset)]))[0])
            .collect();
        assert_eq!(ends, [(1, -1), (1, -1), (0, start)]);
    }
    assert_eq!((offset_at(&mut client, -2), offset_at(&mut client, -1)), (6, 20));
    let partition = |client: &mut Client, from| {
        let response = client.call(12, &fetch("log", &[(0, from)]));
        response.responses[0].partitions[0].clone()
    };
    assert_eq!(partition(&mut client, 5).error_code, 1);
    let read = partition(&mut client, 6);
    assert_eq!((read.error_code, read.log_start_offset, read.high_watermark), (0, 6, 20));
    assert_eq!(produced(&client.call(7, &produce("log", 0, batch(&["c"])))).log_start_offset, 6);
}

#[test]
fn deleted_records_stay_deleted() {
    let mut server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    client.call(7, &produce("log", 0, batch(&["a", "b", "c"])));
    assert_eq!(deleted(&mut client, 2, &delete("log", &[(0, 2)])), [(0, 2)]);
    server = Server::start_in(server.kill(), &[]);
    let mut client = server.connect();
    assert_eq!((offset_at(&mut client, -2), offset_at(&mut client, -1)), (2, 3));
    // Everything: what comes next goes on behind it.
    assert_eq!(deleted(&mut client, 2, &delete("log", &[(0, -1)])), [(0, 3)]);
    assert_eq!(produced(&client.call(7, &produce("log", 0, batch(&["d"])))).base_offset, 3);
    server = Server::start_in(server.kill(), &[]);
    let mut client = server.connect();
    assert_eq!((offset_at(&mut client, -2), offset_at(&mut client, -1)), (3, 4));
}

#[test]
fn old_records_go_by_themselves() {
    let server = Server::start(&["log.retention.ms=3600000", "log.retention.check.interval.ms=20"]);
    let mut client = server.connect();
    let mut kept = creation("kept", 1);
    let forever = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("-1")));
    kept.topics[0].configs = vec![forever];
    assert_eq!(client.call(7, &kept).topics[0].error_code, 0);
    create(&mut client, "log", 1);
    for topic in ["kept", "log"] {
        client.call(7, &produce(topic, 0, batch(&["of", "2023"])));
    }
    let started = Instant::now();
    while offset_at(&mut client, -2) < 2 {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing is deleted");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(offset_of(&mut client, "kept", -2), 0);
    assert_eq!(produced(&client.call(7, &produce("log", 0, batch(&["more"])))).base_offset, 2);
}
