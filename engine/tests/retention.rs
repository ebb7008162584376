//! Where a log starts: records that are deleted, on this machine's disk.
#![expect(clippy::disallowed_methods, reason = "the seam is the engine's; a service uses std as it likes")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tora_engine::error::Error;
use tora_engine::handle::RecordRef;
use tora_engine::request::OffsetQuery;
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine, Handle};

/// No test waits longer for something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Of a batch of one record of 100 KiB.
const BATCH_BYTES: usize = 102_472;

/// A data folder of a test's own, gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Beside the build, so that it is on a disk.
        let name = format!("retention-{}-{number}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn open(&self) -> Engine {
        Engine::open(Config::new(&self.0)).unwrap()
    }

    /// First offsets of a partition's segments, from their names.
    fn segments(&self, partition: PartitionId) -> Vec<i64> {
        let entries = std::fs::read_dir(self.0.join(partition.to_string())).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut bases: Vec<i64> = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
        bases.sort_unstable();
        bases
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A topic of one partition with segments of 1 MiB.
fn create(handle: &Handle, configs: &[(&str, &str)]) -> PartitionId {
    let configs: Vec<_> = [("segment.bytes", "1048576")].iter().chain(configs).copied().collect();
    PartitionId::new(handle.create_topic("log", 1, &configs).unwrap().wait().unwrap().id, 0)
}

/// Appends batches of one record of 100 KiB each.
fn append(handle: &Handle, partition: PartitionId, batches: i64) {
    let value = vec![7; 100 << 10];
    for _ in 0..batches {
        handle.append_records(partition, [RecordRef::of_value(&value)]).unwrap().wait().unwrap();
    }
}

fn earliest(handle: &Handle, partition: PartitionId) -> i64 {
    handle.list_offset(partition, OffsetQuery::Earliest).unwrap().wait().unwrap().offset.value()
}

fn delete(handle: &Handle, partition: PartitionId, before: i64) -> Result<i64, Error> {
    handle.delete_records(partition, Offset::new(before)).unwrap().wait().map(Offset::value)
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what} does not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn deleted_records_are_gone_and_their_segments_too() {
    for flush_messages in ["1", "100000"] {
        let folder = Folder::new();
        let engine = folder.open();
        let handle = engine.handle();
        let partition = create(&handle, &[("flush.messages", flush_messages)]);
        append(&handle, partition, 35);
        assert_eq!(folder.segments(partition), [0, 10, 20, 30]);

        assert_eq!(delete(&handle, partition, 25), Ok(25));
        assert_eq!(delete(&handle, partition, 7), Ok(25), "a start never moves back");
        assert_eq!(earliest(&handle, partition), 25);
        let read = |from| handle.read(partition, Offset::new(from), 1).unwrap().wait();
        let (start, end) = (Offset::new(25), Offset::new(35));
        assert_eq!(read(24).unwrap_err(), Error::OffsetOutOfRange { start, end });
        assert_eq!(read(25).unwrap().log_start, start);
        eventually("removing two segments", || folder.segments(partition) == [20, 30]);
        assert_eq!(delete(&handle, partition, 36), Err(Error::OffsetOutOfRange { start, end }));
        assert_eq!(delete(&handle, partition, -1), Err(Error::OffsetOutOfRange { start, end }));
        engine.close();

        let engine = folder.open();
        let handle = engine.handle();
        assert_eq!(earliest(&handle, partition), 25);
        // All of it: the segment that is appended to stays, with nothing in it for anybody.
        assert_eq!(delete(&handle, partition, 35), Ok(35));
        eventually("removing another one", || folder.segments(partition) == [30]);
        assert_eq!(handle.read(partition, end, 1).unwrap().wait().unwrap().slices.len(), 0);
        append(&handle, partition, 1);
        assert_eq!(handle.read(partition, end, 1).unwrap().wait().unwrap().bytes(), BATCH_BYTES);
    }
}

#[test]
fn a_partition_that_was_never_appended_to_has_nothing_to_delete() {
    let folder = Folder::new();
    let engine = folder.open();
    let partition = create(&engine.handle(), &[]);
    assert_eq!(delete(&engine.handle(), partition, 0), Ok(0));
    let range = Error::OffsetOutOfRange { start: Offset::ZERO, end: Offset::ZERO };
    assert_eq!(delete(&engine.handle(), partition, 1), Err(range));
}

#[test]
fn readers_finish_what_they_have_begun_while_segments_go() {
    let folder = Folder::new();
    let engine = folder.open();
    let handle = engine.handle();
    let partition = create(&handle, &[]);
    append(&handle, partition, 40);
    engine.close();

    // Nothing is in memory now: every read goes to the disk.
    let engine = folder.open();
    let handle = engine.handle();
    for round in 0..3 {
        let from = round * 10;
        let reads: Vec<_> =
            (0..50).map(|_| handle.read(partition, Offset::new(from), 1 << 20).unwrap()).collect();
        let deleted = handle.delete_records(partition, Offset::new(from + 10)).unwrap();
        let after: Vec<_> =
            (0..50).map(|_| handle.read(partition, Offset::new(from), 1 << 20).unwrap()).collect();
        assert_eq!(deleted.wait(), Ok(Offset::new(from + 10)));
        for read in reads.into_iter().chain(after) {
            match read.wait() {
                Ok(records) => assert_eq!(records.bytes(), 10 * BATCH_BYTES),
                Err(error) => assert!(matches!(error, Error::OffsetOutOfRange { .. }), "{error}"),
            }
        }
    }
    eventually("removing three segments", || folder.segments(partition) == [30]);
}
