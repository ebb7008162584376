//! Where a log starts: records that are deleted on demand, by age and by size; and what else goes by the clock. On this
//! machine's disk.
#![expect(clippy::disallowed_methods, reason = "the seam is the engine's; a service uses std as it likes")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tora_engine::checkpoint::Checkpoint;
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
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A run that was killed leaves its folder, and numbers of processes come again.
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    /// An engine that looks all the time for what is to be deleted.
    fn open(&self) -> Engine {
        self.open_that_looks_every(10)
    }

    fn open_that_looks_every(&self, ms: u64) -> Engine {
        let mut config = Config::new(&self.0);
        config.retention_check_ms = ms;
        Engine::open(config).unwrap()
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
    append_at(handle, partition, batches, now());
}

/// The same with this timestamp.
fn append_at(handle: &Handle, partition: PartitionId, batches: i64, timestamp: i64) {
    let value = vec![7; 100 << 10];
    for _ in 0..batches {
        let record = RecordRef { timestamp: Some(timestamp), ..RecordRef::of_value(&value) };
        handle.append_records(partition, [record]).unwrap().wait().unwrap();
    }
}

/// Milliseconds since the Unix epoch.
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
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

const HOUR_MS: i64 = 3_600_000;

#[test]
fn segments_go_when_their_latest_record_is_too_old() {
    let folder = Folder::new();
    let engine = folder.open_that_looks_every(1_000_000);
    let handle = engine.handle();
    let partition = create(&handle, &[("retention.ms", "3600000")]);
    append_at(&handle, partition, 15, now() - 2 * HOUR_MS);
    append(&handle, partition, 1);
    append_at(&handle, partition, 20, now() - 2 * HOUR_MS);
    assert_eq!(folder.segments(partition), [0, 10, 20, 30]);
    engine.close();
    let engine = folder.open();
    // The second segment has one record that is young enough, and what follows it stays for its sake.
    eventually("deleting the first segment", || folder.segments(partition) == [10, 20, 30]);
    assert_eq!(earliest(&engine.handle(), partition), 10);
    engine.close();
    let engine = folder.open();
    assert_eq!(earliest(&engine.handle(), partition), 10);
}

#[test]
fn a_log_that_is_too_old_as_a_whole_is_emptied_and_goes_on() {
    let folder = Folder::new();
    let engine = folder.open_that_looks_every(1_000_000);
    let handle = engine.handle();
    let partition = create(&handle, &[("retention.ms", "3600000")]);
    append_at(&handle, partition, 25, now() - 2 * HOUR_MS);
    engine.close();
    let engine = folder.open();
    eventually("deleting everything", || folder.segments(partition) == [25]);
    assert_eq!(earliest(&engine.handle(), partition), 25);
    engine.close();

    // An empty segment is all that tells how far the log had come.
    for round in 0..3 {
        let engine = folder.open();
        let handle = engine.handle();
        assert_eq!((folder.segments(partition), earliest(&handle, partition)), (vec![25], 25));
        if round == 2 {
            append(&handle, partition, 1);
            let records = handle.read(partition, Offset::new(25), 1).unwrap().wait().unwrap();
            assert_eq!((records.bytes(), records.high_watermark), (BATCH_BYTES, Offset::new(26)));
        }
    }
}

#[test]
fn the_oldest_segments_go_while_a_partition_is_too_large() {
    let folder = Folder::new();
    let engine = folder.open();
    let handle = engine.handle();
    let limit = (15 * BATCH_BYTES).to_string();
    let partition = create(&handle, &[("retention.bytes", &limit)]);
    append(&handle, partition, 44);
    // 24 are left without the first two segments, 14 would be too few.
    eventually("deleting two segments", || folder.segments(partition) == [20, 30, 40]);
    append(&handle, partition, 1);
    eventually("deleting another one", || folder.segments(partition) == [30, 40]);
    assert_eq!(earliest(&handle, partition), 30);
}

#[test]
fn a_batch_that_is_too_late_for_its_segment_begins_the_next() {
    let folder = Folder::new();
    let engine = folder.open();
    let handle = engine.handle();
    let partition = create(&handle, &[("segment.ms", "1000")]);
    let start = now();
    for late in [0, 1000, 500, 1001, 1500, 2001] {
        append_at(&handle, partition, 1, start + late);
    }
    assert_eq!(folder.segments(partition), [0, 3]);
    engine.close();
    // The first batch's time is known again after a start.
    let engine = folder.open();
    append_at(&engine.handle(), partition, 1, start + 2001);
    assert_eq!(folder.segments(partition), [0, 3]);
    append_at(&engine.handle(), partition, 1, start + 2002);
    assert_eq!(folder.segments(partition), [0, 3, 7]);
}

#[test]
fn what_is_acknowledged_unflushed_is_flushed_in_time() {
    // Until so much is flushed, or for so long.
    let flushed = |configs: &[(&str, &str)], wanted: i64, patience: Duration| {
        let folder = Folder::new();
        let engine = folder.open();
        let handle = engine.handle();
        let partition = create(&handle, configs);
        append(&handle, partition, 3);
        // Moving the start takes a checkpoint, which says how far each log is flushed.
        let other = handle.create_topic("other", 1, &[]).unwrap().wait().unwrap().id;
        let other = PartitionId::new(other, 0);
        let since = Instant::now();
        loop {
            append(&handle, other, 1);
            let end = handle.list_offset(other, OffsetQuery::Latest).unwrap().wait().unwrap().offset;
            handle.delete_records(other, end).unwrap().wait().unwrap();
            let bytes = std::fs::read(folder.0.join("checkpoint-0")).unwrap();
            let checkpoint = Checkpoint::decode(&bytes).unwrap();
            let flushed = checkpoint.get(partition).map_or(0, |entry| entry.flushed_offset.value());
            if flushed >= wanted || since.elapsed() > patience {
                return flushed;
            }
        }
    };
    assert_eq!(flushed(&[("flush.messages", "1000"), ("flush.ms", "20")], 3, PATIENCE), 3);
    let a_while = Duration::from_millis(300);
    assert_eq!(flushed(&[("flush.messages", "1000")], 1, a_while), 0, "it would have been flushed anyway");
}

/// Appends one batch of records with these timestamps.
fn append_times(handle: &Handle, partition: PartitionId, times: &[i64]) {
    let records = times.iter().map(|time| RecordRef { timestamp: Some(*time), ..RecordRef::of_value(b"x") });
    handle.append_records(partition, records).unwrap().wait().unwrap();
}

/// Offset and timestamp that a search finds.
fn find(handle: &Handle, partition: PartitionId, query: OffsetQuery) -> (i64, i64) {
    let found = handle.list_offset(partition, query).unwrap().wait().unwrap();
    (found.offset.value(), found.timestamp)
}

#[test]
fn a_search_by_time_finds_the_first_record_that_is_left() {
    let folder = Folder::new();
    let engine = folder.open();
    let partition = create(&engine.handle(), &[]);
    append_times(&engine.handle(), partition, &[100, 50, 200]);
    append_times(&engine.handle(), partition, &[300, 10, 10]);
    append_times(&engine.handle(), partition, &[20, 60]);
    let check = |handle: &Handle, cases: &[(i64, i64, i64)]| {
        for &(time, offset, timestamp) in cases {
            let found = find(handle, partition, OffsetQuery::ForTimestamp(time));
            assert_eq!(found, (offset, timestamp), "at or after {time}");
        }
    };
    check(&engine.handle(), &[(0, 0, 100), (60, 0, 100), (101, 2, 200), (201, 3, 300), (301, -1, -1)]);
    assert_eq!(find(&engine.handle(), partition, OffsetQuery::MaxTimestamp), (3, 300));
    delete(&engine.handle(), partition, 1).unwrap();
    check(&engine.handle(), &[(0, 1, 50), (60, 2, 200), (201, 3, 300)]);
    // The fourth record's batch is left in part; what promised the largest time is not.
    delete(&engine.handle(), partition, 4).unwrap();
    let left = [(0, 4, 10), (11, 6, 20), (21, 7, 60), (61, -1, -1), (300, -1, -1)];
    check(&engine.handle(), &left);
    engine.close();
    let engine = folder.open();
    check(&engine.handle(), &left);
}

#[test]
fn a_search_by_time_goes_on_in_the_next_segment() {
    let folder = Folder::new();
    let engine = folder.open();
    let handle = engine.handle();
    let partition = create(&handle, &[("segment.ms", "100000")]);
    append_at(&handle, partition, 1, 9_000);
    append_at(&handle, partition, 9, 5_000);
    append_at(&handle, partition, 10, 6_000);
    append_at(&handle, partition, 1, 4_000);
    assert_eq!(folder.segments(partition), [0, 10, 20]);
    assert_eq!(find(&handle, partition, OffsetQuery::MaxTimestamp), (0, 9_000));
    delete(&handle, partition, 1).unwrap();
    engine.close();
    let engine = folder.open();
    for round in 0..2 {
        let handle = engine.handle();
        for (time, found) in [(0, (1, 5_000)), (5_001, (10, 6_000)), (6_001, (-1, -1))] {
            let query = OffsetQuery::ForTimestamp(time);
            assert_eq!(find(&handle, partition, query), found, "round {round}, at or after {time}");
        }
        assert_eq!(find(&handle, partition, OffsetQuery::MaxTimestamp), (10, 6_000));
    }
}
