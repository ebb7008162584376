//! Producing and fetching: every version of both, waiting, limits, idempotent producers, and a killed server.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{FetchRequest, InitProducerIdRequest};

use crate::support::requests::{batch, create, fetch, idempotent_batch, list, metadata, produce, produced};
use crate::support::stored::{expect_offsets, only, values};
use crate::support::{Client, Server};

/// The topic's id as later versions name it.
fn with_ids(mut request: FetchRequest, client: &mut Client) -> FetchRequest {
    for topic in &mut request.topics {
        let metadata = client.call(12, &metadata(&topic.topic));
        topic.topic_id = metadata.topics[0].topic_id;
    }
    request
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
    let server = Server::start(&[]);
    create(&mut server.connect(), "log", 1);
    let server = Server::start_in(server.kill(), &[]);
    let mut client = server.connect();
    let epoch = client.call(7, &metadata("log")).topics[0].partitions[0].leader_epoch;
    assert!(epoch > 0, "each start begins a new one");
    for (claimed, expected) in [(-1, 0), (epoch, 0), (epoch - 1, 74), (epoch + 1, 75)] {
        let mut request = fetch("log", &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = claimed;
        assert_eq!(only(&client.call(9, &request)).error_code, expected);
        let mut request = list("log", 0, -1);
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
    let response = client.call(11, &request.clone().with_max_wait_ms(100).with_min_bytes(1 << 20));
    assert!(since.elapsed() >= Duration::from_millis(100));
    let counts: Vec<_> = response.responses[0].partitions.iter().map(|part| values(part).len()).collect();
    assert_eq!(counts, [2, 1], "too few are sent all the same when the time is up");
    // More than it may be sent at all: it would wait for ever, and longer than this client does.
    let impossible = request.with_max_wait_ms(600_000).with_min_bytes(1 << 20).with_max_bytes(100);
    let response = client.call(11, &impossible);
    let counts: Vec<_> = response.responses[0].partitions.iter().map(|part| values(part).len()).collect();
    assert_eq!(counts, [1, 0], "the first batch, and no more");
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

#[test]
fn everything_is_there_after_a_kill_and_a_restart() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 2);
    let before = client.call(12, &metadata("log")).topics[0].clone();
    for partition in [0, 1] {
        client.call(9, &produce("log", partition, batch(&["a", "b", "c"])));
    }
    let server = Server::start_in(server.kill(), &[]);
    let mut client = server.connect();
    let after = client.call(12, &metadata("log")).topics[0].clone();
    assert_eq!((after.topic_id, after.partitions.len()), (before.topic_id, 2));
    assert!(after.partitions[0].leader_epoch > before.partitions[0].leader_epoch);
    for partition in [0, 1] {
        expect_offsets(&values(only(&client.call(11, &fetch("log", &[(partition, 0)])))), 0..3);
    }
}
