//! The engine's settings: what they may be, and that a folder opens again whatever they were.

use tora_engine::config::{FlushMethod, ranges};
use tora_engine::engine::OpenError;
use tora_engine::handle::RecordRef;
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine};

use crate::support::{Folder, create, values};

#[test]
fn a_setting_outside_its_range_is_refused_before_the_folder_is_touched() {
    let folder = Folder::new();
    /// Sets a field to what it may not be.
    type Set = fn(&mut Config);
    let outside: [(&str, Set); 6] = [
        ("unflushed_bytes", |config| config.unflushed_bytes = u64::MAX),
        ("max_message_bytes", |config| config.max_message_bytes = usize::MAX),
        ("flush_messages", |config| config.flush_messages = 0),
        ("retention_check_ms", |config| config.retention_check_ms = 0),
        ("segment_bytes", |config| config.segment_bytes = 0),
        ("shards", |config| config.shards = 0),
    ];
    for (field, set) in outside {
        let mut config = folder.config(1);
        set(&mut config);
        match Engine::open(config) {
            Err(OpenError::Config(fault)) => assert_eq!(fault.field, field),
            Err(other) => panic!("{field}: {other}"),
            Ok(_) => panic!("{field} is not refused"),
        }
        assert!(!folder.path().exists(), "{field}");
    }
}

/// Every setting as small as it may be.
fn smallest(folder: &Folder) -> Config {
    Config {
        shards: 1,
        num_partitions: 1,
        flush_messages: 1,
        flush_ms: 0,
        max_message_bytes: usize::try_from(*ranges::MAX_MESSAGE_BYTES.start()).unwrap(),
        segment_bytes: ranges::SEGMENT_BYTES.start().unsigned_abs(),
        segment_ms: 1,
        retention_ms: -1,
        retention_bytes: -1,
        retention_check_ms: 1,
        producer_expiration_ms: 1,
        unflushed_bytes: ranges::UNFLUSHED_BYTES.start().unsigned_abs(),
        checkpoint_bytes: 1,
        journal_bytes: ranges::JOURNAL_BYTES.start().unsigned_abs(),
        open_files_max: usize::try_from(*ranges::OPEN_FILES_MAX.start()).unwrap(),
        buffer_bytes: 0,
        cold_read_bytes: 0,
        flush_method: FlushMethod::Flush,
        ..folder.config(1)
    }
}

/// Every setting as large as it may be; but for what is taken at once, memory and threads.
fn largest(folder: &Folder) -> Config {
    Config {
        num_partitions: i32::try_from(*ranges::NUM_PARTITIONS.end()).unwrap(),
        flush_messages: ranges::FLUSH_MESSAGES.end().unsigned_abs(),
        flush_ms: ranges::FLUSH_MS.end().unsigned_abs(),
        max_message_bytes: usize::try_from(*ranges::MAX_MESSAGE_BYTES.end()).unwrap(),
        segment_bytes: ranges::SEGMENT_BYTES.end().unsigned_abs(),
        segment_ms: *ranges::SEGMENT_MS.end(),
        retention_ms: *ranges::RETENTION.end(),
        retention_bytes: *ranges::RETENTION.end(),
        retention_check_ms: ranges::RETENTION_CHECK_MS.end().unsigned_abs(),
        producer_expiration_ms: *ranges::PRODUCER_EXPIRATION_MS.end(),
        unflushed_bytes: ranges::UNFLUSHED_BYTES.end().unsigned_abs(),
        checkpoint_bytes: ranges::CHECKPOINT_BYTES.end().unsigned_abs(),
        journal_bytes: ranges::JOURNAL_BYTES.end().unsigned_abs(),
        open_files_max: usize::try_from(*ranges::OPEN_FILES_MAX.end()).unwrap(),
        cold_read_bytes: usize::try_from(*ranges::COLD_READ_BYTES.end()).unwrap(),
        ..folder.config(1)
    }
}

#[test]
fn at_the_ends_of_the_ranges_a_folder_serves_and_opens_again() {
    for (name, config) in [("smallest", smallest as fn(&Folder) -> Config), ("largest", largest)] {
        let folder = Folder::new();
        let mut topic = None;
        for round in 0..3 {
            let engine = Engine::open(config(&folder)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let handle = engine.handle();
            let topic = *topic.get_or_insert_with(|| create(&handle, "clicks", 2));
            create(&handle, &format!("another-{round}"), 1);
            for partition in [0, 1].map(|index| PartitionId::new(topic, index)) {
                // The smallest batch there is.
                for number in 0..20 {
                    let pending = handle.append_records(partition, [RecordRef::of_value(b"")]).unwrap();
                    assert_eq!(
                        pending.wait().unwrap().base_offset,
                        Offset::new(round * 20 + number),
                        "{name}"
                    );
                }
                assert_eq!(values(&handle, partition, 0).len() as i64, (round + 1) * 20, "{name}");
            }
            engine.close();
        }
    }
}
