//! Consumers that ask for much and do not read it, while others go on.

use bytes::Bytes;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use kafka_protocol::records::RecordBatchDecoder;
use socket2::SockRef;

use crate::support::requests::{batch, create, fetch, produce, produced};
use crate::support::{Client, Server};

const TOPIC: &str = "log";
const PARTITIONS: i32 = 8;
/// Value bytes of each batch: a fetch of all partitions gets one of each, seven megabytes in all.
const VALUE_BYTES: usize = 900_000;
const SLOW: usize = 160;
/// What the kernel takes of a response whose client reads nothing: it grows a socket's send buffer up to 4 MiB
/// (tcp_wmem of tcp(7)), and there is the client's own buffer.
const SOCKET_BYTES: usize = (4 << 20) + RECEIVE_BYTES;
/// The clients' receive buffers: little, but more than a segment of the loopback device, or reading on would take minutes.
const RECEIVE_BYTES: usize = 256 << 10;
/// What the slow ones would have the server hold beyond that.
const WANTED_BYTES: usize = SLOW * (PARTITIONS as usize * VALUE_BYTES - SOCKET_BYTES);
/// What the server may have more than before: its two cores' limits on what waits, what is under way to the sockets, and
/// what it works with.
const GROWTH_MAX: usize = 260 << 20;

const _: () = assert!(GROWTH_MAX < WANTED_BYTES * 3 / 4);

/// A value that is unlike every other batch's.
fn value(partition: i32, number: usize) -> String {
    let mut value = format!("{partition} {number} ").repeat(VALUE_BYTES / 4);
    value.truncate(VALUE_BYTES);
    value
}

fn append(client: &mut Client, partition: i32, number: usize) {
    let response = client.call(7, &produce(TOPIC, partition, batch(&[value(partition, number)])));
    let produced = produced(&response);
    assert_eq!((produced.error_code, produced.base_offset), (0, i64::try_from(number).expect("few")));
}

/// A fetch of one batch of each partition.
fn wanted(number: usize) -> FetchRequest {
    let offset = i64::try_from(number).expect("few");
    let partitions: Vec<_> = (0..PARTITIONS).map(|partition| (partition, offset)).collect();
    fetch(TOPIC, &partitions).with_max_bytes(50 << 20)
}

fn check(response: &FetchResponse, number: usize) {
    let parts = &response.responses[0].partitions;
    assert_eq!(parts.len(), usize::try_from(PARTITIONS).expect("few"));
    for part in parts {
        assert_eq!(part.error_code, 0);
        let mut bytes: Bytes = part.records.clone().expect("records");
        let sets = RecordBatchDecoder::decode_all(&mut bytes).expect("whole batches with their checksums");
        let record = &sets[0].records[0];
        assert_eq!(record.offset, i64::try_from(number).expect("few"));
        let expected = value(part.partition_index, number);
        assert!(record.value.as_deref() == Some(expected.as_bytes()), "batch {number} of {part:?}");
    }
}

#[test]
fn clients_that_do_not_read_hold_little_and_get_everything_when_they_do() {
    let server = Server::start(&[]);
    let mut producer = server.connect();
    create(&mut producer, TOPIC, PARTITIONS);
    for number in 0..4 {
        (0..PARTITIONS).for_each(|partition| append(&mut producer, partition, number));
    }
    let mut reader = server.connect();
    check(&reader.call(11, &wanted(0)), 0);
    let before = server.resident_bytes();

    let mut slow = Vec::new();
    for nth in 0..SLOW {
        let mut client = server.connect();
        SockRef::from(&client.stream).set_recv_buffer_size(RECEIVE_BYTES).expect("a small one");
        let id = client.send(11, &wanted(nth % 4)).expect("the server reads");
        slow.push((client, id, nth % 4));
        // Others go on, whatever the slow ones do.
        append(&mut producer, 0, 4 + nth);
        let response = reader.call(11, &wanted(nth % 4));
        check(&response, nth % 4);
    }
    for number in 4..12 {
        (1..PARTITIONS).for_each(|partition| append(&mut producer, partition, number));
        check(&reader.call(11, &wanted(number)), number);
    }
    let growth = server.resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{} MiB for {SLOW} clients that do not read", growth >> 20);

    for (mut client, id, number) in slow {
        check(&client.response::<FetchRequest>(11, id), number);
        // And it goes on.
        check(&client.call(11, &wanted(number + 1)), number + 1);
    }
    server.stop();
}

#[test]
fn fetches_that_wait_for_more_hold_nothing() {
    const WAITING: usize = 60;
    /// What they would hold, where each reads a batch of each partition from the disk.
    const READ_BYTES: usize = WAITING * PARTITIONS as usize * VALUE_BYTES;
    const HELD_MAX: usize = READ_BYTES / 2;
    let server = Server::start(&[]);
    let mut producer = server.connect();
    create(&mut producer, TOPIC, PARTITIONS);
    (0..PARTITIONS).for_each(|partition| append(&mut producer, partition, 0));
    let server = Server::start_in(server.stop(), &[]);
    let mut reader = server.connect();
    check(&reader.call(11, &wanted(0)), 0);
    let before = server.resident_bytes();

    // Half of them without a session, half beginning one.
    let more_than_there_is = wanted(0).with_min_bytes(40 << 20).with_max_wait_ms(4_000);
    let waiting: Vec<_> = (0..WAITING)
        .map(|nth| {
            let mut client = server.connect();
            let request = more_than_there_is.clone().with_session_epoch(if nth % 2 == 0 { -1 } else { 0 });
            let id = client.send(11, &request).expect("the server reads");
            // It has read, and waits, once a later request of another client has been answered.
            check(&reader.call(11, &wanted(0)), 0);
            (client, id)
        })
        .collect();
    let growth = server.resident_bytes().saturating_sub(before);
    assert!(growth < HELD_MAX, "{} MiB for {WAITING} fetches that wait", growth >> 20);
    for (mut client, id) in waiting {
        check(&client.response::<FetchRequest>(11, id), 0);
    }
    server.stop();
}

#[test]
fn a_client_that_never_reads_on_is_closed() {
    let server = Server::start(&["connections.max.idle.ms=3000"]);
    let mut producer = server.connect();
    create(&mut producer, TOPIC, PARTITIONS);
    (0..PARTITIONS).for_each(|partition| append(&mut producer, partition, 0));
    let mut slow = server.connect();
    SockRef::from(&slow.stream).set_recv_buffer_size(RECEIVE_BYTES).expect("a small one");
    slow.send(11, &wanted(0)).expect("the server reads");
    // Time enough for the server to give up; another connection, with something to do, stays.
    for _ in 0..60 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let response = producer.call(11, &fetch(TOPIC, &[(0, 1)]).with_max_wait_ms(0));
        assert_eq!(response.responses[0].partitions[0].error_code, 0);
    }
    assert!(slow.read_frame().is_none(), "what it had not read is not sent any more");
    server.stop();
}
