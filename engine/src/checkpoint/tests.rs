use super::*;
use crate::io::replace_file;
use crate::sim::{Faults, SimFs, SimWorld};

fn data_dir() -> &'static Path {
    Path::new("/data")
}

fn machine() -> (SimWorld, SimFs) {
    let world = SimWorld::new(1, Faults::none());
    let fs = world.fs();
    fs.create_folder(data_dir()).and_then(|()| fs.sync_folder(Path::new("/"))).expect("no faults");
    (world, fs)
}

fn partition(index: i32) -> PartitionId {
    PartitionId::new(TopicId::from_random(1, 2), index)
}

fn entry(position: u64, log_start: i64) -> Entry {
    Entry {
        flushed_position: Position::new(position),
        flushed_offset: Offset::new(position as i64 / 10),
        log_start: Offset::new(log_start),
        last_epoch: LeaderEpoch::new(3),
        producers: vec![1, 2, 3],
    }
}

fn filled() -> Checkpoint {
    let mut checkpoint = Checkpoint::new();
    for index in 0..5 {
        checkpoint.insert(partition(index), entry(1000 * index as u64, index.into()));
    }
    checkpoint
}

#[test]
fn they_round_trip() {
    for checkpoint in [Checkpoint::new(), filled()] {
        assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint));
    }
}

#[test]
fn every_flip_and_every_cut_is_noticed() {
    let bytes = filled().encode();
    for len in 0..bytes.len() {
        assert!(Checkpoint::decode(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Checkpoint::decode(&flipped).is_err(), "bit {bit} flipped");
    }
}

#[test]
fn entries_that_make_no_sense_are_refused() {
    let refused = |change: fn(&mut Entry)| {
        let mut entry = entry(1000, 5);
        change(&mut entry);
        let mut checkpoint = Checkpoint::new();
        checkpoint.insert(partition(0), entry);
        Checkpoint::decode(&checkpoint.encode()).is_err()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|entry| entry.log_start = Offset::new(101)));
    assert!(refused(|entry| entry.log_start = Offset::new(-1)));
    assert!(refused(|entry| entry.flushed_offset = Offset::new(-1)));
    assert!(refused(|entry| entry.flushed_position = Position::new(u64::MAX)));
}

#[test]
fn all_shards_files_are_merged_by_the_furthest_entry() {
    let (_world, fs) = machine();
    let mut old = Checkpoint::new();
    old.insert(partition(0), entry(500, 40));
    old.insert(partition(1), entry(700, 0));
    old.write(&fs, data_dir(), ShardId::new(3), OnFullDisk::Fail).expect("no faults");
    let mut new = Checkpoint::new();
    new.insert(partition(0), entry(900, 10));
    new.insert(partition(2), entry(100, 0));
    new.write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).expect("no faults");

    let merged = Checkpoint::read_all(&fs, data_dir()).expect("no faults");
    assert_eq!(merged.get(partition(0)), Some(&entry(900, 40)), "the log's start never goes back either");
    assert_eq!(merged.get(partition(1)), Some(&entry(700, 0)));
    assert_eq!(merged.iter().count(), 3);
}

#[test]
fn a_damaged_file_is_left_out() {
    let (_world, fs) = machine();
    filled().write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).expect("no faults");
    replace_file(&fs, &data_dir().join("checkpoint-1"), b"nonsense").expect("no faults");
    replace_file(&fs, &data_dir().join("checkpoint-01"), &filled().encode()).expect("no faults");
    assert_eq!(Checkpoint::read_all(&fs, data_dir()).expect("no faults"), filled());
}

#[test]
fn after_a_crash_it_is_the_old_or_the_new_one() {
    let (mut old_seen, mut new_seen) = (false, false);
    for events in 0..30 {
        let (world, fs) = machine();
        let mut old = filled();
        old.write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).expect("no faults");
        let mut new = filled();
        new.insert(partition(0), entry(1 << 30, 0));
        world.crash_after(events);
        let done = new.write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).is_ok();
        world.crash();
        let found = Checkpoint::read_all(&world.fs(), data_dir()).expect("no faults");
        assert!(found == new || (found == old && !done), "after {events} events");
        old_seen |= found == old;
        new_seen |= found == new;
        old.remove(partition(0));
    }
    assert!(old_seen && new_seen);
}

#[test]
fn files_of_shards_that_are_gone_are_removed() {
    let (_world, fs) = machine();
    for shard in (0..4).map(ShardId::new) {
        let len = filled().write(&fs, data_dir(), shard, OnFullDisk::Fail).expect("no faults");
        Checkpoint::keep_space(&fs, data_dir(), shard, len);
    }
    Checkpoint::remove_beyond(&fs, data_dir(), 2).expect("no faults");
    let names: Vec<_> = fs.list(data_dir()).expect("it exists").into_iter().map(|entry| entry.name).collect();
    let left = ["checkpoint-0", "checkpoint-0.reserve", "checkpoint-1", "checkpoint-1.reserve"];
    assert_eq!(names, left);
}

#[test]
fn what_partitions_take_along_to_another_shard_is_in_its_file_before_any_shard_runs() {
    let (world, fs) = machine();
    filled().write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).expect("no faults");
    let owner = |partition: PartitionId| ShardId::new(u16::from(partition.index.value() >= 2));
    let merged = Checkpoint::hand_over(&fs, data_dir(), owner).expect("no faults");
    assert_eq!(merged, filled());
    // The first shard writes what it owns, and the power goes before the other one does.
    let mut own = filled();
    (2..5).for_each(|index| own.remove(partition(index)));
    own.write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).expect("no faults");
    world.crash();
    assert_eq!(Checkpoint::read_all(&world.fs(), data_dir()).expect("no faults"), filled());
    // What is where it belongs is not written again.
    world.set_faults(Faults { space_bytes_max: 0, ..Faults::none() });
    assert_eq!(Checkpoint::hand_over(&world.fs(), data_dir(), owner).expect("nothing to do"), filled());
}

#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_a_missing_one() {
    let (world, fs) = machine();
    filled().write(&fs, data_dir(), ShardId::new(0), OnFullDisk::Fail).expect("no faults");
    world.set_faults(Faults { read_error_one_in: 1, ..Faults::none() });
    let error = Checkpoint::read_all(&fs, data_dir()).expect_err("it may be sound");
    assert!(error.to_string().contains("/data/checkpoint-0 failed"), "{error}");
}
