//! Fetch sessions (KIP-227): what is told once is not told again, and what is not known any more is begun anew.

use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use crate::support::requests::{batch, create, metadata, name, produce, produced};
use crate::support::stored::values;
use crate::support::{Client, Server};

/// A topic by name and id: which of them a version sends is the codec's affair.
struct Topic(&'static str, [u8; 16]);

impl Topic {
    fn new(client: &mut Client, topic: &'static str, partitions: i32) -> Self {
        create(client, topic, partitions);
        Self(topic, *client.call(12, &metadata(topic)).topics[0].topic_id.as_bytes())
    }

    fn wanted(&self, version: i16, partitions: &[(i32, i64)]) -> FetchTopic {
        let partitions = partitions.iter().map(|(partition, offset)| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(1 << 20)
        });
        let topic = FetchTopic::default().with_partitions(partitions.collect());
        if version >= 13 {
            topic.with_topic_id(self.1.to_vec().try_into().expect("sixteen bytes"))
        } else {
            topic.with_topic(name(self.0))
        }
    }

    fn forgotten(&self, version: i16, partitions: &[i32]) -> ForgottenTopic {
        let topic = ForgottenTopic::default().with_partitions(partitions.to_vec());
        if version >= 13 {
            topic.with_topic_id(self.1.to_vec().try_into().expect("sixteen bytes"))
        } else {
            topic.with_topic(name(self.0))
        }
    }
}

fn request(session: (i32, i32), topics: Vec<FetchTopic>) -> FetchRequest {
    FetchRequest::default()
        .with_min_bytes(1)
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(topics)
}

/// What a response tells: partitions with the number of their records.
fn told(response: &FetchResponse) -> Vec<(i32, usize)> {
    assert_eq!(response.error_code, 0);
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| {
            assert_eq!(partition.error_code, 0);
            (partition.partition_index, values(partition).len())
        })
        .collect()
}

fn append(client: &mut Client, topic: &Topic, partition: i32) {
    assert_eq!(produced(&client.call(7, &produce(topic.0, partition, batch(&["a", "b"])))).error_code, 0);
}

#[test]
fn only_news_is_told_at_every_version() {
    let server = Server::start(&["tora.cores=2"]);
    let mut client = server.connect();
    let topic = Topic::new(&mut client, "t", 4);
    for version in 7..=18 {
        let ends: Vec<i64> =
            (0..4).map(|partition| crate::support::stored::end_offset(&mut client, "t", partition)).collect();
        let all: Vec<(i32, i64)> = (0..4).zip(ends.iter().copied()).collect();
        let first = client.call(version, &request((0, 0), vec![topic.wanted(version, &all)]));
        assert_eq!(told(&first), [(0, 0), (1, 0), (2, 0), (3, 0)], "version {version}: all of them at first");
        let id = first.session_id;
        assert!(id > 0);
        assert_eq!(told(&client.call(version, &request((id, 1), vec![]))), [], "no news");
        append(&mut client, &topic, 2);
        let news = client.call(version, &request((id, 2), vec![]));
        assert_eq!((told(&news), news.session_id), (vec![(2, 2)], id));
        assert_eq!(told(&client.call(version, &request((id, 3), vec![]))), [(2, 2)], "it was not read on");
        let on = topic.wanted(version, &[(2, ends[2] + 2)]);
        assert_eq!(told(&client.call(version, &request((id, 4), vec![on]))), []);
        for _ in 0..2 {
            append(&mut client, &topic, 0);
        }
        append(&mut client, &topic, 3);
        let forget =
            request((id, 5), vec![]).with_forgotten_topics_data(vec![topic.forgotten(version, &[3])]);
        assert_eq!(told(&client.call(version, &forget)), [(0, 4)]);
        let back = topic.wanted(version, &[(0, ends[0] + 4), (3, ends[3])]);
        assert_eq!(told(&client.call(version, &request((id, 6), vec![back]))), [(3, 2)]);
        assert_eq!(client.call(version, &request((id, 6), vec![])).error_code, 71, "that one was");
        assert_eq!(client.call(version, &request((id + 2, 1), vec![])).error_code, 70, "nobody has that");
        let other = if version >= 13 { 12 } else { 13 };
        assert_eq!(client.call(other, &request((id, 7), vec![])).error_code, 106);
        let last = client.call(version, &request((id, -1), vec![topic.wanted(version, &all)]));
        assert_eq!((told(&last), last.session_id), (vec![(0, 4), (1, 0), (2, 2), (3, 2)], 0));
        assert_eq!(client.call(version, &request((id, 7), vec![])).error_code, 70, "it was ended");
    }
}

#[test]
fn a_fetch_waits_for_any_of_its_sessions_partitions() {
    let server = Server::start(&["tora.cores=2"]);
    let mut client = server.connect();
    let topic = Topic::new(&mut client, "t", 100);
    let all: Vec<(i32, i64)> = (0..100).map(|partition| (partition, 0)).collect();
    let id = client.call(13, &request((0, 0), vec![topic.wanted(13, &all)])).session_id;
    let mut producer = server.connect();
    let mut changed = Vec::new();
    for (round, partition) in (1..).zip([0, 1, 50, 51, 99, 1, 0]) {
        let begun = Instant::now();
        let correlation = client
            .send(13, &request((id, round), std::mem::take(&mut changed)).with_max_wait_ms(20_000))
            .expect("it is there");
        thread::sleep(Duration::from_millis(20));
        append(&mut producer, &topic, partition);
        let response = client.response::<FetchRequest>(13, correlation);
        assert_eq!(told(&response), [(partition, 2)]);
        assert!(begun.elapsed() < Duration::from_secs(10), "it did not wait for the time to be up");
        let end = crate::support::stored::end_offset(&mut producer, "t", partition);
        changed.push(topic.wanted(13, &[(partition, end)]));
    }
    let begun = Instant::now();
    let response = client.call(13, &request((id, 8), changed).with_max_wait_ms(100));
    assert_eq!(told(&response), []);
    assert!(begun.elapsed() >= Duration::from_millis(100), "it waited");
}

#[test]
fn what_has_no_room_comes_with_the_next_fetch_and_nobody_starves() {
    let server = Server::start(&["tora.cores=2"]);
    let mut client = server.connect();
    let topic = Topic::new(&mut client, "t", 6);
    for partition in 0..6 {
        let value = batch(&["x".repeat(5_000)]);
        assert_eq!(produced(&client.call(7, &produce("t", partition, value))).error_code, 0);
    }
    let all: Vec<(i32, i64)> = (0..6).map(|partition| (partition, 0)).collect();
    let limited = |session, topics| request(session, topics).with_max_bytes(11_000);
    let first = client.call(13, &limited((0, 0), vec![topic.wanted(13, &all)]));
    let mut seen: Vec<i32> = told(&first).iter().filter(|part| part.1 > 0).map(|part| part.0).collect();
    assert_eq!(seen.len(), 2, "two batches fit");
    // The client does not read on, so that every partition always has records.
    for round in 1..=2 {
        let next = client.call(13, &limited((first.session_id, round), vec![]));
        seen.extend(told(&next).iter().filter(|part| part.1 > 0).map(|part| part.0));
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5], "each had its turn");
}

#[test]
fn topics_come_and_go_within_a_session() {
    let server = Server::start(&["tora.cores=2", "auto.create.topics.enable=false"]);
    let mut client = server.connect();
    let topic = Topic("later", [0; 16]);
    let first = client.call(12, &request((0, 0), vec![topic.wanted(12, &[(0, 0)])]));
    assert_eq!(first.responses[0].partitions[0].error_code, 3);
    let id = first.session_id;
    assert_eq!(client.call(12, &request((id, 1), vec![])).responses[0].partitions[0].error_code, 3);
    Topic::new(&mut client, "later", 1);
    append(&mut client, &topic, 0);
    assert_eq!(told(&client.call(12, &request((id, 2), vec![]))), [(0, 2)]);
    assert_eq!(told(&client.call(12, &request((id, 3), vec![topic.wanted(12, &[(0, 2)])]))), []);
    let deleted =
        kafka_protocol::messages::DeleteTopicsRequest::default().with_topic_names(vec![name("later")]);
    assert_eq!(client.call(4, &deleted).responses[0].error_code, 0);
    let response = client.call(12, &request((id, 4), vec![]).with_max_wait_ms(10_000));
    assert_eq!(response.responses[0].partitions[0].error_code, 3, "its reader is told");
}

#[test]
fn sessions_do_not_outlive_the_broker_and_are_declined_without_room() {
    let server = Server::start(&["tora.cores=1"]);
    let mut client = server.connect();
    let topic = Topic::new(&mut client, "t", 1);
    let wanted = || vec![topic.wanted(13, &[(0, 0)])];
    let id = client.call(13, &request((0, 0), wanted())).session_id;
    assert_eq!(server.connect().call(13, &request((id, 1), vec![])).error_code, 0, "by another connection");
    let again = client.call(13, &request((id, 0), wanted())).session_id;
    assert!(again > 0 && again != id);
    assert_eq!(client.call(13, &request((id, 2), vec![])).error_code, 70, "it was begun anew");
    let nothing = client.call(13, &request((0, 0), vec![]));
    assert_eq!((nothing.error_code, nothing.session_id), (0, 0));
    let server = Server::start_in(server.kill(), &["max.incremental.fetch.session.cache.slots=0"]);
    let mut client = server.connect();
    assert_eq!(client.call(13, &request((again, 1), vec![])).error_code, 70);
    let declined = client.call(13, &request((0, 0), wanted()));
    assert_eq!((told(&declined), declined.session_id), (vec![(0, 0)], 0));
}
