//! Requests as they come over connections: in any split, many at once, on many connections.

use std::io::Write;
use std::thread;
use std::time::Duration;

use kafka_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest};

use crate::support::Server;
use crate::support::requests::{batch, create, fetch, metadata, produce, produced};
use crate::support::stored::{expect_offsets, only, values};

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
