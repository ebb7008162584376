//! A full disk: appends that find no space get KAFKA_STORAGE_ERROR, what was acknowledged stays, everything else is
//! answered, and when there is space again appends go on.

mod small_disk;

use std::thread;
use std::time::{Duration, Instant};

use crate::configs::{SET, alter};
use crate::delete_records::{delete, deleted};
use crate::support::requests::{batch, create, fetch, idempotent_batch, metadata, produce, produced};
use crate::support::stored::{end_offset, only, values};
use crate::support::{Client, Folder, Server, refused};
use small_disk::SmallDisk;

const STORAGE_ERROR: i16 = 56;

/// How long space may take to be found again.
const PATIENCE: Duration = Duration::from_secs(20);

/// A producer with one request at a time, and what was acknowledged to it: every offset is the value's number.
struct Producer {
    client: Client,
    topic: &'static str,
    id: i64,
    stored: i64,
}

impl Producer {
    fn new(server: &Server, topic: &'static str, id: i64) -> Self {
        Self { client: server.connect(), topic, id, stored: 0 }
    }

    /// The value at an offset, of about 100 KB.
    fn value(&self, offset: i64) -> String {
        format!("{} {offset} {}", self.topic, "x".repeat(100_000))
    }

    /// Appends one more; gives the error. A refused record is the next one's again.
    fn append(&mut self) -> i16 {
        let sequence = i32::try_from(self.stored).expect("few");
        let bytes = idempotent_batch(&[self.value(self.stored)], self.id, sequence);
        let response = self.client.call(9, &produce(self.topic, 0, bytes));
        let part = produced(&response);
        if part.error_code == 0 {
            assert_eq!(part.base_offset, self.stored, "{}", self.topic);
            self.stored += 1;
        }
        part.error_code
    }

    /// Appends until there is no space left, several times in a row, since smaller steps may still fit.
    fn fill(&mut self) {
        let mut refused = 0;
        while refused < 5 {
            match self.append() {
                0 => refused = 0,
                STORAGE_ERROR => refused += 1,
                error => panic!("error {error} on a full disk"),
            }
        }
    }

    /// Appends until it works again.
    fn go_on(&mut self) {
        let since = Instant::now();
        while self.append() != 0 {
            assert!(since.elapsed() < PATIENCE, "there is space again");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fails the test unless just what was acknowledged is there.
    fn check(&mut self) {
        assert_eq!(end_offset(&mut self.client, self.topic, 0), self.stored, "{}", self.topic);
        let mut offset = 0;
        while offset < self.stored {
            let response = self.client.call(11, &fetch(self.topic, &[(0, offset)]));
            assert_eq!(only(&response).error_code, 0, "{} at {offset}", self.topic);
            let values = values(only(&response));
            assert!(!values.is_empty(), "{} at {offset}", self.topic);
            for (at, value) in values {
                assert_eq!(at, offset);
                assert!(value == self.value(offset), "{} at {offset}", self.topic);
                offset += 1;
            }
        }
    }
}

/// What refuses and what goes on while there is no space.
fn serve_without_space(server: &Server, small: i64) {
    let mut client = server.connect();
    for offset in small..small + 10 {
        let response = client.call(9, &produce("small", 0, batch(&["within its space"])));
        assert_eq!((produced(&response).error_code, produced(&response).base_offset), (0, offset));
    }
    assert_eq!(end_offset(&mut client, "small", 0), small + 10);
    assert_eq!(client.call(9, &metadata("full")).topics[0].error_code, 0);
    let response = client.call(9, &produce("new", 0, batch(&["no space"])));
    assert_eq!(produced(&response).error_code, STORAGE_ERROR);
    assert!(produced(&response).error_message.as_ref().is_some_and(|why| why.contains("free some space")));
    assert_eq!(end_offset(&mut client, "new", 0), 0);
}

#[test]
fn a_full_disk_refuses_appends_and_takes_nothing() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder) else { return };
    let server = Server::run(disk.serve(&folder), folder);
    let mut client = server.connect();
    for topic in ["full", "too", "small", "new"] {
        create(&mut client, topic, 1);
    }
    assert_eq!(produced(&client.call(9, &produce("small", 0, batch(&["first"])))).error_code, 0);
    disk.fill_but(24 << 20);
    let mut producers = [Producer::new(&server, "full", 1), Producer::new(&server, "too", 2)];
    producers.iter_mut().for_each(Producer::fill);
    assert!(producers[0].stored > 100, "there was space for most of it");
    producers.iter_mut().for_each(Producer::check);
    serve_without_space(&server, 1);

    // A start after a kill does with the space that the journals give back.
    let folder = server.kill();
    disk.fill_up();
    let server = Server::run(disk.serve(&folder), folder);
    for producer in &mut producers {
        producer.client = server.connect();
        producer.check();
    }

    // One that has nothing to give back needs a block, and says so.
    let folder = server.stop();
    disk.fill_up();
    let why = refused(disk.serve(&folder), &folder);
    assert!(why.contains("data") && why.contains("is full: free some space"), "{why}");
    disk.sweep_up();
    let server = Server::run(disk.serve(&folder), folder);
    for producer in &mut producers {
        producer.client = server.connect();
        producer.check();
        producer.fill();
    }
    serve_without_space(&server, 11);

    disk.make_room();
    producers.iter_mut().for_each(Producer::go_on);
    let response = server.connect().call(9, &produce("new", 0, batch(&["space"])));
    assert_eq!((produced(&response).error_code, produced(&response).base_offset), (0, 0));
    producers.iter_mut().for_each(Producer::check);
}

/// What deletes needs space itself, for the checkpoint that says where the logs start then: each shard has kept some.
#[test]
fn a_disk_that_is_full_to_the_last_block_is_emptied_by_deleting_records() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder) else { return };
    let mut command = disk.serve(&folder);
    for setting in ["log.segment.bytes=1048576", "log.retention.check.interval.ms=200"] {
        command.args(["--set", setting]);
    }
    let server = Server::run(command, folder);
    let mut client = server.connect();
    for topic in ["deleted", "retained"] {
        create(&mut client, topic, 1);
    }
    disk.fill_but(24 << 20);
    let mut producers = [Producer::new(&server, "deleted", 1), Producer::new(&server, "retained", 2)];
    // Both have several segments.
    for _ in 0..40 {
        assert_eq!(producers.each_mut().map(Producer::append), [0, 0]);
    }
    let fill = |producers: &mut [Producer]| {
        producers.iter_mut().for_each(Producer::fill);
        disk.fill_up();
        producers.iter_mut().for_each(Producer::fill);
    };
    fill(&mut producers);
    let start = producers[0].stored - 1;
    assert_eq!(deleted(&mut client, 2, &delete("deleted", &[(0, start)])), [(0, start)]);
    producers[0].go_on();

    fill(&mut producers);
    let little = [("retention.bytes", SET, Some("2097152"))];
    assert_eq!(alter(&mut client, 1, "retained", &little), (0, String::new()));
    producers[1].go_on();
}

/// Where a log's only segment goes an empty one is made first: there is space for that, too.
#[test]
fn a_disk_that_is_full_to_the_last_block_is_emptied_where_a_log_has_one_segment() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder) else { return };
    let mut command = disk.serve(&folder);
    command.args(["--set", "log.retention.check.interval.ms=200"]);
    let server = Server::run(command, folder);
    let mut client = server.connect();
    for topic in ["old", "other"] {
        create(&mut client, topic, 1);
    }
    disk.fill_but(24 << 20);
    let mut producers = [Producer::new(&server, "old", 1), Producer::new(&server, "other", 2)];
    for _ in 0..20 {
        assert_eq!(producers.each_mut().map(Producer::append), [0, 0]);
    }
    producers.iter_mut().for_each(Producer::fill);
    disk.fill_up();
    producers.iter_mut().for_each(Producer::fill);
    let short = [("retention.ms", SET, Some("1000"))];
    assert_eq!(alter(&mut client, 1, "old", &short), (0, String::new()));
    producers[1].go_on();

    // What was kept for that is kept again, before appends have taken what the old segment had.
    producers[1].fill();
    disk.fill_up();
    producers[1].fill();
    assert_eq!(alter(&mut client, 1, "other", &short), (0, String::new()));
    producers[1].go_on();
    producers[0].go_on();
}

/// A journal whose only area was filled while there was no space for another is used again once there is.
#[test]
fn a_journal_that_could_not_grow_does_so_when_there_is_space() {
    const AREA_BYTES: u64 = 64 << 10;
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder) else { return };
    let mut command = disk.serve(&folder);
    let journal_bytes = 16 * AREA_BYTES;
    command.args(["--set", &format!("tora.journal.bytes={journal_bytes}")]);
    let server = Server::run(command, folder);
    let mut client = server.connect();
    create(&mut client, "small", 1);
    let mut append = |value: &str| {
        let response = client.call(9, &produce("small", 0, batch(&[value])));
        assert_eq!(produced(&response).error_code, 0);
    };
    // Too large for the journal; its segment has more space than the small ones need.
    append(&"x".repeat(500_000));
    disk.fill_but(1 << 20);
    disk.fill_up();
    // Each takes a block of the journal: one area is filled, and its successor in vain asked for.
    for _ in 0..4 * AREA_BYTES / 4096 {
        append("small");
    }
    let size = |shard| disk.size(&format!("journal-{shard}"));
    assert_eq!([size(0), size(1)], [4096 + AREA_BYTES; 2], "there is no space for another area");

    disk.make_room();
    let since = Instant::now();
    while size(0).max(size(1)) == 4096 + AREA_BYTES {
        assert!(since.elapsed() < PATIENCE, "there is space again");
        append("small");
        thread::sleep(Duration::from_millis(50));
    }
}
