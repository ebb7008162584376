//! Many partitions: files are opened as they are needed, and no more than a few at a time.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use tora_engine::checkpoint::Checkpoint;
use tora_engine::handle::RecordRef;
use tora_engine::request::OffsetQuery;
use tora_engine::types::{Offset, PartitionId, TopicId};
use tora_engine::{Engine, Handle};

use crate::support::{Folder, append, create, numbers, values};

/// Files that a shard's helpers may have open for a moment beside those that it appends to and reads.
const HELPERS: usize = 2;

/// Segment files in `folder` that this process has open.
fn open_segments(folder: &Path) -> usize {
    let folder = fs::canonicalize(folder).unwrap();
    let files =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let is_segment = |file: &Path| file.extension().is_some_and(|extension| extension == "log");
    files.filter(|file| file.starts_with(&folder) && is_segment(file)).count()
}

/// Fails the test if more than `limit` are open time and again: files that are opened while this looks may be counted twice.
fn check_open_segments(folder: &Path, limit: usize) {
    let counts: Vec<_> = (0..5).map(|_| open_segments(folder)).collect();
    assert!(counts.iter().any(|open| *open <= limit), "{counts:?} are open, {limit} may be");
}

fn partitions(topic: TopicId, count: i32) -> impl Iterator<Item = PartitionId> + Clone {
    (0..count).map(move |index| PartitionId::new(topic, index))
}

/// Appends one record to each partition, all at once.
fn append_to_all(handle: &Handle, partitions: impl Iterator<Item = PartitionId>, value: &str) {
    let mut batch = tora_engine::batch::BatchBuilder::new(1_000);
    batch.push(0, None, Some(value.as_bytes())).unwrap();
    let batch = batch.finish().unwrap();
    let pending: Vec<_> = partitions
        .map(|partition| handle.when_room(|handle| handle.append(partition, batch)).wait().unwrap())
        .collect();
    for pending in pending {
        pending.wait().unwrap();
    }
}

#[test]
fn a_few_descriptors_serve_many_partitions() {
    let folder = Folder::new();
    let mut config = folder.config(1);
    (config.open_files_max, config.segment_bytes) = (8, 1 << 20);
    let engine = Engine::open(config).unwrap();
    let handle = engine.handle();
    let flushed = create(&handle, "flushed", 30);
    let behind = handle.create_topic("behind", 30, &[("flush.messages", "1000")]).unwrap().wait().unwrap().id;
    let all = || partitions(flushed, 30).chain(partitions(behind, 30));
    for round in 0..6 {
        append_to_all(&handle, all(), &round.to_string());
        check_open_segments(folder.path(), 8 + HELPERS);
    }
    // Several segments each, and readers of old ones beside the appends.
    let large = vec![b'.'; 400_000];
    thread::scope(|scope| {
        scope.spawn(|| {
            for partition in all().step_by(3) {
                for _ in 0..5 {
                    let record = [RecordRef::of_value(&large)];
                    handle.append_records(partition, record).unwrap().wait().unwrap();
                }
            }
        });
        for partition in all() {
            assert_eq!(values(&handle, partition, 0)[..6], numbers(0..6));
            check_open_segments(folder.path(), 8 + HELPERS);
        }
    });
    for partition in all() {
        let end = handle.list_offset(partition, OffsetQuery::Latest).unwrap().wait().unwrap().offset;
        assert_eq!(append(&handle, partition, b"last"), end);
    }
    handle.delete_topic(behind).unwrap().wait().unwrap();
    append_to_all(&handle, partitions(flushed, 30), "after");
    engine.close();
    assert_eq!(open_segments(folder.path()), 0, "closed with the engine");
}

#[test]
fn a_thousand_partitions_are_active_at_once() {
    let folder = Folder::new();
    let mut config = folder.config(2);
    config.open_files_max = 200;
    let engine = Engine::open(config).unwrap();
    let handle = engine.handle();
    let topic = create(&handle, "sensors", 1_000);
    let mut appenders: Vec<_> = partitions(topic, 1_000)
        .map(|partition| handle.appender(partition).unwrap().wait().unwrap())
        .collect();
    for round in 0..3_i64 {
        let value = round.to_string();
        let pending: Vec<_> = appenders
            .iter_mut()
            .map(|appender| appender.append_blocking(RecordRef::of_value(value.as_bytes())).unwrap())
            .collect();
        for pending in pending {
            assert_eq!(pending.wait(), Ok(Offset::new(round)));
        }
    }
    check_open_segments(folder.path(), 2 * (200 + HELPERS));
    for partition in partitions(topic, 1_000) {
        assert_eq!(values(&handle, partition, 0), numbers(0..3));
    }
    engine.close();

    let engine = folder.open(1);
    for partition in partitions(topic, 1_000).step_by(37) {
        assert_eq!(values(&engine.handle(), partition, 0), numbers(0..3));
    }
    engine.close();
}

#[test]
fn ten_thousand_partitions_are_open_and_cost_nothing_until_they_are_used() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let topic = create(&handle, "sensors", 10_000);
    let used: Vec<_> = partitions(topic, 10_000).step_by(101).collect();
    let mut tails: Vec<_> = used.iter().map(|&partition| handle.tail(partition, Offset::ZERO)).collect();
    assert!(tails.iter_mut().all(|tail| tail.try_next().is_pending()));
    for partition in partitions(topic, 10_000) {
        let end = handle.list_offset(partition, OffsetQuery::Latest).unwrap().wait().unwrap().offset;
        assert_eq!(end, Offset::ZERO);
    }
    let folders =
        || fs::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders().count(), 1, "the catalog's alone");

    append_to_all(&handle, used.iter().copied(), "0");
    for tail in &mut tails {
        assert_eq!(tail.next_blocking().unwrap().unwrap().end(), Offset::new(1));
    }
    assert_eq!(folders().count(), 1 + used.len());
    assert_eq!(handle.wait_for(used[0], Offset::new(1), Duration::from_millis(1)).unwrap().wait(), Ok(false));
    engine.close();
}

#[test]
fn what_a_checkpoint_beside_appends_leaves_out_is_written_in_the_next_quiet_moment() {
    let folder = Folder::new();
    let mut config = folder.config(1);
    // The second append is worth a checkpoint, which is written before that append is flushed.
    config.checkpoint_bytes = 1_000;
    let engine = Engine::open(config).unwrap();
    let topic = create(&engine.handle(), "topic", 2);
    let [large, small] = [PartitionId::new(topic, 0), PartitionId::new(topic, 1)];
    append(&engine.handle(), small, &[b'.'; 100]);
    append(&engine.handle(), large, &[b'.'; 200_000]);
    let index = |partition: PartitionId| {
        folder.path().join(partition.to_string()).join("00000000000000000000.index").exists()
    };
    let known = |partition| {
        let bytes = fs::read(folder.path().join("checkpoint-0")).unwrap();
        let checkpoint = Checkpoint::decode(&bytes).unwrap();
        checkpoint.get(partition).map_or(0, |entry| entry.flushed_offset.value())
    };
    let begun = Instant::now();
    while !index(large) || known(large) < 1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it goes without");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(known(small), 1);
    assert!(!index(small), "its records are read as soon as its index");
}

#[test]
fn an_index_that_is_saved_is_not_saved_again_by_the_next_start() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let partition = PartitionId::new(create(&engine.handle(), "clicks", 1), 0);
    let index = folder.path().join(format!("{partition}")).join(format!("{:020}.index", 0));
    let grow = |handle: &Handle| {
        for _ in 0..20 {
            append(handle, partition, &[b'.'; 20_000]);
        }
    };
    grow(&engine.handle());
    // In a quiet moment, since closing a busy disk's engine gives up after a while.
    let begun = Instant::now();
    while !index.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it goes without");
        thread::sleep(Duration::from_millis(20));
    }
    engine.close();
    // It is replaced when it is saved.
    let file = || fs::metadata(&index).map(|file| (file.ino(), file.modified().unwrap())).unwrap();
    let saved = file();
    folder.open(1).close();
    assert_eq!(file(), saved, "nothing has come since");
    let engine = folder.open(1);
    grow(&engine.handle());
    engine.close();
    assert_ne!(file(), saved, "it has grown");
}
