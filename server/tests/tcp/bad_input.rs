//! What each bad input gets: an error of the protocol where there is one, a closed connection where there is none, and
//! never the server's end.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ProduceRequest, TransactionalId,
};
use kafka_protocol::protocol::{Request, StrBytes};

use crate::support::requests::{batch, create, creation, fetch, list, metadata, name, produce, produced};
use crate::support::{Client, Server};

/// Where a batch's fields stand (`DefaultRecordBatch` in Kafka).
const MAGIC: usize = 16;
const ATTRIBUTES: usize = 21;

/// Sends a frame of these bytes, its length in front.
fn send(client: &mut Client, request: &[u8]) {
    let length = u32::try_from(request.len()).expect("short").to_be_bytes();
    // The server may have closed the connection by then.
    let _ = client.stream.write_all(&[&length, request].concat());
}

/// A request's header in its first version: key, version, correlation id 7, no client id.
fn header(key: i16, version: i16) -> Vec<u8> {
    [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &(-1_i16).to_be_bytes()].concat()
}

fn is_alive(server: &Server) {
    assert_eq!(server.connect().call(0, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn an_unknown_api_closes_the_connection_and_is_logged_once() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    send(&mut client, &header(999, 0));
    assert!(client.read_frame().is_none());
    assert_eq!(server.log().matches("API 999").count(), 1);
    is_alive(&server);
    assert_eq!(server.log().matches("closing the connection").count(), 1);
}

#[test]
fn an_unreadable_header_closes_the_connection() {
    let server = Server::start(&[]);
    // A client id that is longer than the frame, one that is not UTF-8, and tagged fields without an end.
    let long = [&header(3, 1)[..8], &[0x7f, 0xff]].concat();
    let garbled = [&header(3, 1)[..8], &[0, 1, 0xff]].concat();
    let tagged = [&header(3, 9)[..], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    for request in [long, garbled, tagged] {
        let mut client = server.connect();
        send(&mut client, &request);
        assert!(client.read_frame().is_none());
    }
    assert_eq!(server.log().matches("closing the connection").count(), 3);
    is_alive(&server);
}

#[test]
fn a_version_that_is_not_served_closes_the_connection() {
    let server = Server::start(&[]);
    for (key, version) in [(1, 3), (1, 19), (3, 14), (0, 14), (3, -1), (22, 6)] {
        let mut client = server.connect();
        send(&mut client, &header(key, version));
        assert!(client.read_frame().is_none(), "key {key}, version {version}");
    }
    is_alive(&server);
}

#[test]
fn a_frame_longer_than_the_limit_is_closed_before_it_is_buffered() {
    let server = Server::start(&["socket.request.max.bytes=100000"]);
    for length in [100_001_u32, 1 << 30, u32::MAX, 7, 0] {
        let mut client = server.connect();
        client.stream.write_all(&length.to_be_bytes()).expect("the server reads");
        assert!(client.read_frame().is_none(), "{length} bytes, of which only the length was sent");
    }
    let mut browser = server.connect();
    browser.stream.write_all(b"GET / HTTP/1.1\r\nHost: tora\r\n\r\n").expect("the server reads");
    assert!(browser.read_frame().is_none());
    is_alive(&server);
}

#[test]
fn a_frame_of_just_the_limit_is_served() {
    let server = Server::start(&["socket.request.max.bytes=100000"]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let overhead = client.frame(7, &produce("log", 0, batch(&[&"x".repeat(10_000)]))).len() - 4 - 10_000;
    for length in [100_000 - overhead - 10, 100_000 - overhead + 10] {
        let frame = client.frame(7, &produce("log", 0, batch(&[&"x".repeat(length)])));
        let fits = frame.len() - 4 <= 100_000;
        let _ = client.stream.write_all(&frame);
        assert_eq!(client.read_frame().is_some(), fits);
    }
}

#[test]
fn a_bad_batch_gets_the_error_that_fits() {
    let server = Server::start(&["message.max.bytes=5000"]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let good = batch(&["a", "b"]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let two = [&good[..], &good].concat();
    let cases = [
        ("a damaged record", changed(good.len() - 1, 0x55), 2),
        ("a damaged count", changed(60, 9), 2),
        ("a length past the end", changed(11, 0xff), 2),
        ("a length too small", changed(11, 3), 2),
        ("a cut batch", good[..good.len() - 1].to_vec(), 2),
        ("a piece of a header", good[..20].to_vec(), 2),
        ("more than max.message.bytes", batch(&[&"x".repeat(5000)]), 10),
        ("format v0", changed(MAGIC, 0), 43),
        ("format v1", changed(MAGIC, 1), 43),
        ("two batches", two, 87),
        ("no batch", Vec::new(), 87),
    ];
    for (what, bytes, expected) in cases {
        let response = client.call(9, &produce("log", 0, bytes));
        let part = produced(&response);
        assert_eq!((part.error_code, part.base_offset), (expected, -1), "{what}: {:?}", part.error_message);
        assert!(part.error_message.is_some(), "{what}");
    }
    let mut none = produce("log", 0, Vec::new());
    none.topic_data[0].partition_data[0].records = None;
    assert_eq!(produced(&client.call(9, &none)).error_code, 87);
    let response = client.call(9, &produce("log", 0, good));
    assert_eq!(
        (produced(&response).error_code, produced(&response).base_offset),
        (0, 0),
        "nothing was appended"
    );
}

fn config(name: &'static str, value: &'static str) -> CreatableTopicConfig {
    CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_static_str(value)))
}

#[test]
fn a_topic_has_its_own_largest_batch() {
    let server = Server::start(&["message.max.bytes=5000"]);
    let mut client = server.connect();
    for (topic, limit) in [("more", "6000"), ("less", "1000")] {
        let mut request = creation(topic, 1);
        request.topics[0].configs.push(config("max.message.bytes", limit));
        assert_eq!(client.call(7, &request).topics[0].error_code, 0);
    }
    let mut code =
        |topic, size| produced(&client.call(9, &produce(topic, 0, batch(&["x".repeat(size)])))).error_code;
    assert_eq!((code("more", 5500), code("more", 6000)), (0, 10));
    assert_eq!((code("less", 500), code("less", 1000)), (0, 10));
}

#[test]
fn zstd_needs_produce_7() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let mut bytes = batch(&["a"]);
    bytes[ATTRIBUTES + 1] = 4;
    assert_eq!(produced(&client.call(6, &produce("log", 0, bytes.clone()))).error_code, 76);
    // From 7 on it is only its checksum, which was not made anew, that is wrong.
    assert_eq!(produced(&client.call(7, &produce("log", 0, bytes))).error_code, 2);
}

#[test]
fn produce_refuses_what_it_cannot_do() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let mut code = |version, request: &ProduceRequest| produced(&client.call(version, request)).error_code;
    assert_eq!(code(7, &produce("unknown", 0, batch(&["a"]))), 3);
    assert_eq!(code(7, &produce("log", 1, batch(&["a"]))), 3);
    assert_eq!(code(7, &produce("log", -1, batch(&["a"]))), 3);
    assert_eq!(code(13, &produce("log", 0, batch(&["a"]))), 100, "no topic has the id 0");
    assert_eq!(code(7, &produce("log", 0, batch(&["a"])).with_acks(2)), 21);
    assert_eq!(code(7, &produce("log", 0, batch(&["a"])).with_acks(-2)), 21);
    let id = TransactionalId(StrBytes::from_static_str("t"));
    assert_eq!(code(7, &produce("log", 0, batch(&["a"])).with_transactional_id(Some(id))), 42);
}

/// A Produce request before version 3, which no library makes any more, and its response.
fn old_produce(server: &Server, version: i16, acks: i16) -> Option<Vec<u8>> {
    let mut request = header(0, version);
    request.extend(acks.to_be_bytes());
    request.extend(1000_i32.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    request.extend([0, 3, b'l', b'o', b'g']);
    request.extend(1_i32.to_be_bytes());
    request.extend(5_i32.to_be_bytes());
    request.extend(3_i32.to_be_bytes());
    request.extend([1, 2, 3]);
    let mut client = server.connect();
    send(&mut client, &request);
    client.read_frame()
}

#[test]
fn produce_before_version_3_is_unsupported_in_that_versions_body() {
    let server = Server::start(&[]);
    create(&mut server.connect(), "log", 1);
    for version in 0..=2 {
        let mut expected = Vec::new();
        expected.extend(7_i32.to_be_bytes());
        expected.extend(1_i32.to_be_bytes());
        expected.extend([0, 3, b'l', b'o', b'g']);
        expected.extend(1_i32.to_be_bytes());
        expected.extend(5_i32.to_be_bytes());
        expected.extend(35_i16.to_be_bytes());
        expected.extend((-1_i64).to_be_bytes());
        if version >= 2 {
            expected.extend((-1_i64).to_be_bytes());
        }
        if version >= 1 {
            expected.extend(0_i32.to_be_bytes());
        }
        assert_eq!(old_produce(&server, version, 1), Some(expected), "version {version}");
    }
    assert_eq!(old_produce(&server, 1, 0), None, "with acks=0 the connection's end is all there is to say");
}

#[test]
fn a_failure_with_acks_0_closes_the_connection() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    for (topic, closes) in [("log", false), ("unknown", true)] {
        let frame = client.frame(7, &produce(topic, 0, batch(&["a"])).with_acks(0));
        client.stream.write_all(&frame).expect("the server reads");
        let frame = client.frame(0, &ApiVersionsRequest::default());
        client.stream.write_all(&frame).expect("the server reads");
        assert_eq!(client.read_frame().is_none(), closes, "{topic}");
    }
}

#[test]
fn topics_that_cannot_be_are_refused() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let topic = |topic: &str, partitions, replicas| {
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
    };
    let with = |name, value| topic("log", 1, 1).with_configs(vec![config(name, value)]);
    let cases = [
        (topic("", 1, 1), 17, "empty"),
        (topic("a/b", 1, 1), 17, "letters"),
        (topic("..", 1, 1), 17, ".."),
        (topic(&"x".repeat(250), 1, 1), 17, "249"),
        (topic("log", 0, 1), 37, "partitions"),
        (topic("log", -2, 1), 37, "partitions"),
        (topic("log", i32::MAX, 1), 37, "partitions"),
        (topic("log", 1, 2), 38, "one broker"),
        (topic("log", 1, 0), 38, "one broker"),
        (with("max.message.bytes", "many"), 40, "whole number"),
        (with("max.mesage.bytes", "100"), 40, "max.message.bytes"),
        (with("cleanup.policy", "compact"), 40, "delete"),
    ];
    for (topic, expected, text) in cases {
        let response = client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]));
        let topic = &response.topics[0];
        let message = topic.error_message.as_deref().unwrap_or_default();
        assert_eq!(topic.error_code, expected, "{message}");
        assert!(message.contains(text), "{message:?} should say {text:?}");
    }
}

#[test]
fn transactions_are_refused_and_not_advertised() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let id = TransactionalId(StrBytes::from_static_str("t"));
    for version in 0..=5 {
        let request = InitProducerIdRequest::default().with_transactional_id(Some(id.clone()));
        assert_eq!(client.call(version, &request).error_code, 42);
    }
    let versions = client.call(3, &ApiVersionsRequest::default());
    for key in [24, 25, 26, 28] {
        assert!(versions.api_keys.iter().all(|api| api.api_key != key), "API {key}");
    }
    assert!(versions.finalized_features.is_empty(), "transaction.version is not offered");
}

/// One request of each API, at its highest version and at one before the flexible encoding.
fn examples(client: &mut Client) -> Vec<Vec<u8>> {
    fn both<R: Request>(client: &mut Client, frames: &mut Vec<Vec<u8>>, versions: [i16; 2], request: &R) {
        frames.extend(versions.map(|version| client.frame(version, request)));
    }
    let mut frames = Vec::new();
    both(client, &mut frames, [7, 13], &produce("log", 0, batch(&["a", "b"])));
    both(client, &mut frames, [11, 18], &fetch("log", &[(0, 0), (1, 0)]));
    both(client, &mut frames, [1, 10], &list("log", 0, -1));
    both(client, &mut frames, [8, 13], &metadata("log"));
    let group = StrBytes::from_static_str("g");
    both(client, &mut frames, [2, 3], &FindCoordinatorRequest::default().with_key(group.clone()));
    both(client, &mut frames, [4, 6], &FindCoordinatorRequest::default().with_coordinator_keys(vec![group]));
    frames.push(client.frame(3, &ApiVersionsRequest::default()));
    let topic =
        CreatableTopic::default().with_name(name("log")).with_num_partitions(1).with_replication_factor(1);
    let config = CreatableTopicConfig::default().with_name(StrBytes::from_static_str("retention.ms"));
    let topic = topic.with_configs(vec![config]);
    both(client, &mut frames, [4, 7], &CreateTopicsRequest::default().with_topics(vec![topic]));
    both(
        client,
        &mut frames,
        [3, 5],
        &DeleteTopicsRequest::default().with_topic_names(vec![name("unknown")]),
    );
    both(client, &mut frames, [1, 5], &InitProducerIdRequest::default().with_transactional_id(None));
    frames
}

#[test]
fn requests_cut_short_end_their_connection_and_nothing_else() {
    let server = Server::start(&[]);
    create(&mut server.connect(), "log", 2);
    for frame in examples(&mut server.connect()) {
        let request = &frame[4..];
        for end in 8..request.len() {
            let mut client = server.connect();
            send(&mut client, &request[..end]);
            // Where what is cut off was all optional there may be an answer; there must not be silence.
            client.read_frame();
        }
    }
    is_alive(&server);
}

#[test]
fn requests_with_any_byte_changed_do_no_harm() {
    let server = Server::start(&["connections.max.idle.ms=1000"]);
    create(&mut server.connect(), "log", 2);
    for frame in examples(&mut server.connect()) {
        // The header's first eight bytes are left alone: other APIs and versions have their own tests.
        for at in 12..frame.len() {
            for byte in [0xff, 0x7f, 0x80, 0] {
                let mut request = frame[4..].to_vec();
                request[at - 4] = byte;
                let mut client = server.connect();
                send(&mut client, &request);
                // What now waits for long (a fetch) or asks for no answer is not waited for.
                client.stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
                let mut length = [0; 4];
                let _ = std::io::Read::read(&mut client.stream, &mut length);
            }
        }
    }
    is_alive(&server);
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn arrays_that_claim_billions_reserve_nothing() {
    let server = Server::start(&[]);
    for (key, version, before) in [(0, 7, 8), (1, 4, 17), (2, 1, 4), (3, 1, 0), (19, 4, 0), (20, 3, 0)] {
        let mut request = header(key, version);
        if key == 0 {
            request.extend((-1_i16).to_be_bytes());
        }
        request.resize(request.len() + if key == 0 { 6 } else { before }, 0);
        request.extend(i32::MAX.to_be_bytes());
        request.extend([0; 40]);
        let mut client = server.connect();
        send(&mut client, &request);
        assert!(client.read_frame().is_none(), "key {key}");
    }
    is_alive(&server);
}

#[test]
fn large_requests_take_turns_within_their_memory() {
    let settings = ["queued.max.request.bytes=4194304", "socket.request.max.bytes=3000000"];
    let server = Server::start(&[&settings[..], &["message.max.bytes=2500000"]].concat());
    create(&mut server.connect(), "log", 4);
    let value = "x".repeat(2_000_000);
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let mut client = server.connect();
            let batch = batch(&[&value]);
            thread::spawn(move || {
                for _ in 0..4 {
                    let response = client.call(9, &produce("log", worker % 4, batch.clone()));
                    assert_eq!(produced(&response).error_code, 0);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("each gets its turn");
    }
}

#[test]
fn a_connection_without_progress_is_closed() {
    let server = Server::start(&["connections.max.idle.ms=2000"]);
    let since = Instant::now();
    let (mut idle, mut stuck, mut waiting) = (server.connect(), server.connect(), server.connect());
    stuck.stream.write_all(&[0, 0, 0, 50, 0, 3]).expect("the server reads");
    create(&mut waiting, "log", 1);
    let frame = waiting.frame(4, &fetch("log", &[(0, 0)]).with_max_wait_ms(6000));
    waiting.stream.write_all(&frame).expect("the server reads");
    assert!(idle.read_frame().is_none());
    assert!(stuck.read_frame().is_none(), "half a request is no progress");
    assert!(since.elapsed() >= Duration::from_millis(2_000));
    assert!(waiting.read_frame().is_some(), "a client that waits for the server is not idle");
}

#[test]
fn more_connections_than_allowed_are_closed_until_others_end() {
    let server = Server::start(&["max.connections=4"]);
    let mut open: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut open {
        client.call(0, &ApiVersionsRequest::default());
    }
    for _ in 0..3 {
        assert!(server.connect().read_frame().is_none());
    }
    assert_eq!(server.log().matches("max.connections=4").count(), 1, "said once");
    open.pop();
    let since = Instant::now();
    loop {
        let mut client = server.connect();
        let frame = client.frame(0, &ApiVersionsRequest::default());
        if client.stream.write_all(&frame).is_ok() && client.read_frame().is_some() {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(10), "one may come for the one that went");
        thread::sleep(Duration::from_millis(10));
    }
    open[0].call(0, &ApiVersionsRequest::default());
}
