//! ListOffsets at its edges: what is found before, between and behind records, where there are none, where they were
//! deleted, where they are compressed, and what a leader epoch allows. (All versions: `protocol.rs`.)

use std::io::Write;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::delete_records::{delete, deleted};
use crate::support::requests::{create, list, name, produce, produced, recoded, record, uncompressed};
use crate::support::{Client, Server};

/// When the first records are from, ms since 1970.
const T: i64 = 1_700_000_000_000;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

/// No such record.
const NONE: (i64, i64) = (-1, -1);

/// A batch of a record for each timestamp, counted from [`T`].
fn at(times: &[i64]) -> Vec<u8> {
    let records: Vec<_> = times.iter().zip(0..).map(|(time, nth)| record(nth, T + time, "value")).collect();
    uncompressed(&records)
}

fn gzipped(batch: &[u8]) -> Vec<u8> {
    recoded(batch, 1, |plain| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(plain).and_then(|()| out.finish()).expect("into memory")
    })
}

fn append(client: &mut Client, batch: Vec<u8>) {
    assert_eq!(produced(&client.call(7, &produce("log", 0, batch))).error_code, 0);
}

fn only(response: &ListOffsetsResponse) -> &ListOffsetsPartitionResponse {
    &response.topics[0].partitions[0]
}

/// Offset and timestamp of what is found for each; times count from [`T`], what is negative has Kafka's meaning.
fn found(client: &mut Client, sought: &[i64]) -> Vec<(i64, i64)> {
    let sought = sought.iter().map(|&sought| if sought < 0 { sought } else { T + sought });
    let found = sought.map(|sought| {
        let response = client.call(10, &list("log", 0, sought));
        let found = only(&response);
        assert_eq!(found.error_code, 0, "{sought}");
        let timestamp = if found.timestamp < 0 { found.timestamp } else { found.timestamp - T };
        (found.offset, timestamp)
    });
    found.collect()
}

/// Three batches, whose times go up and down.
fn with_records() -> (Server, Client) {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    for times in [&[100, 300, 200][..], &[250, 400], &[50]] {
        append(&mut client, at(times));
    }
    (server, client)
}

#[test]
fn the_first_record_at_or_after_a_time_is_found_in_the_order_of_offsets() {
    let (_server, mut client) = with_records();
    let sought = [0, 100, 101, 200, 300, 301, 400, 401];
    let expected = [(0, 100), (0, 100), (1, 300), (1, 300), (1, 300), (4, 400), (4, 400), NONE];
    assert_eq!(found(&mut client, &sought), expected);
    assert_eq!(
        found(&mut client, &[LATEST, EARLIEST, MAX_TIMESTAMP, -4, -5]),
        [(6, -1), (0, -1), (4, 400), (0, -1), NONE]
    );
    // A time before there were computers is one, too.
    assert_eq!(only(&client.call(10, &list("log", 0, 0))).offset, 0);
    assert_eq!(only(&client.call(10, &list("log", 0, i64::MAX))).offset, -1);
}

#[test]
fn an_empty_partition_has_a_beginning_and_an_end() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    assert_eq!(
        found(&mut client, &[LATEST, EARLIEST, MAX_TIMESTAMP, -4, -5, 0]),
        [(0, -1), (0, -1), NONE, (0, -1), NONE, NONE]
    );
}

#[test]
fn what_was_deleted_is_not_found() {
    let (_server, mut client) = with_records();
    // What is sought, and what of that is found with so many records deleted.
    let sought = [EARLIEST, -4, LATEST, MAX_TIMESTAMP, 0, 201, 401];
    let cases = [
        (2, [(2, -1), (2, -1), (6, -1), (4, 400), (2, 200), (3, 250), NONE]),
        (5, [(5, -1), (5, -1), (6, -1), (5, 50), (5, 50), NONE, NONE]),
        (6, [(6, -1), (6, -1), (6, -1), NONE, NONE, NONE, NONE]),
    ];
    for (before, expected) in cases {
        assert_eq!(deleted(&mut client, 2, &delete("log", &[(0, before)])), [(0, before)]);
        assert_eq!(found(&mut client, &sought), expected, "before {before}");
    }
    append(&mut client, at(&[10]));
    assert_eq!(found(&mut client, &[EARLIEST, MAX_TIMESTAMP, 0, 11]), [(6, -1), (6, 10), (6, 10), NONE]);
}

/// Nothing is decompressed for it: a consumer that begins with the batch's first record comes to the one it wants.
#[test]
fn a_compressed_batch_is_found_as_a_whole() {
    let (_server, mut client) = with_records();
    append(&mut client, gzipped(&at(&[500, 700, 600])));
    append(&mut client, at(&[650]));
    let sought = [450, 650, 700, 701, MAX_TIMESTAMP, LATEST];
    let expected = [(6, 700), (6, 700), (6, 700), NONE, (6, 700), (10, -1)];
    assert_eq!(found(&mut client, &sought), expected);
    // One that begins before the log's start is found from there on.
    assert_eq!(deleted(&mut client, 2, &delete("log", &[(0, 7)])), [(0, 7)]);
    assert_eq!(found(&mut client, &[450, MAX_TIMESTAMP]), [(7, 700), (7, 700)]);
}

#[test]
fn who_asks_and_with_which_isolation_makes_no_difference() {
    let (_server, mut client) = with_records();
    for replica in [-2, -1, 0, 7] {
        for isolation in [0, 1] {
            let ends = [LATEST, EARLIEST, MAX_TIMESTAMP, T].map(|sought| {
                let request = list("log", 0, sought).with_replica_id(replica.into());
                let response = client.call(7, &request.with_isolation_level(isolation));
                (only(&response).error_code, only(&response).offset)
            });
            assert_eq!(ends, [(0, 6), (0, 0), (0, 4), (0, 0)], "replica {replica}, isolation {isolation}");
        }
    }
}

#[test]
fn a_leader_epoch_that_is_not_the_current_one_is_refused() {
    let (server, mut client) = with_records();
    let ask = |client: &mut Client, epoch| {
        [LATEST, T].map(|sought| {
            let mut request = list("log", 0, sought);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            let response = client.call(10, &request);
            let found = only(&response);
            (found.error_code, found.offset, found.leader_epoch)
        })
    };
    // The folder's first opening has epoch 0. A record's epoch is told, the ends have none.
    let (fenced, unknown) = ([(74, -1, -1); 2], [(75, -1, -1); 2]);
    let sound = [(0, 6, -1), (0, 0, 0)];
    assert_eq!([-1, 0, 1].map(|epoch| ask(&mut client, epoch)), [sound, sound, unknown]);
    let server = Server::start_in(server.stop(), &[]);
    let mut client = server.connect();
    assert_eq!([-1, 0, 1, 2].map(|epoch| ask(&mut client, epoch)), [sound, fenced, sound, unknown]);
}

#[test]
fn each_partition_of_a_request_has_its_own_answer() {
    let (_server, mut client) = with_records();
    let partition =
        |index, sought| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(sought);
    let topic =
        |topic, partitions| ListOffsetsTopic::default().with_name(name(topic)).with_partitions(partitions);
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![
        topic("log", vec![partition(7, LATEST), partition(0, T + 350), partition(0, -9)]),
        topic("none", vec![partition(0, LATEST), partition(0, -9)]),
        topic("log", vec![]),
        topic("log", vec![partition(0, EARLIEST)]),
    ]);
    let response = client.call(10, &request);
    let found = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let partitions = partitions.map(|found| (found.partition_index, found.error_code, found.offset));
        (topic.name.to_string(), partitions.collect::<Vec<_>>())
    });
    let expected = [
        ("log", vec![(7, 3, -1), (0, 0, 4), (0, 35, -1)]),
        ("none", vec![(0, 3, -1), (0, 35, -1)]),
        ("log", vec![]),
        ("log", vec![(0, 0, 0)]),
    ];
    assert!(found.eq(expected.map(|(topic, partitions)| (topic.to_owned(), partitions))), "{response:?}");
}
