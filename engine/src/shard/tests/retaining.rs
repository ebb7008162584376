//! Segments before their logs' starts: that they go, whatever was in the way for a while, a full disk included.

use std::path::{Path, PathBuf};

use super::*;
use crate::io::{OpenMode, keep_space};
use crate::log::segment;

const CHECK_MS: u64 = 1_000;

/// A shard with a log of three segments, where the first one's index cannot be removed. Also answers what is in the way.
fn rig_with_obstacle() -> (Rig, PartitionId, PathBuf) {
    let mut rig = Rig::open(Config { retention_check_ms: CHECK_MS, ..config() });
    let partition = rig.create("log", &[("segment.bytes", "1048576")]);
    rig.append_large(partition, 21, 0);
    // Until all that has ended is sealed.
    rig.pass_ms(10_000);
    let obstacle = segment::folder(&rig.config.data_dir, partition).join(segment::index_name(Offset::ZERO));
    rig.world.fs().remove_file(&obstacle).unwrap();
    rig.world.fs().create_folder(&obstacle).unwrap();
    (rig, partition, obstacle)
}

impl Rig {
    fn delete_records(&mut self, partition: PartitionId, before: i64) {
        let pending = self.handle.delete_records(partition, Offset::new(before));
        assert_eq!(self.wait(pending), Ok(Offset::new(before)));
        self.settle();
    }
}

#[test]
fn a_segment_that_could_not_be_removed_is_removed_with_the_next_deletion() {
    let (mut rig, partition, obstacle) = rig_with_obstacle();
    rig.delete_records(partition, 20);
    assert_eq!(rig.segments(partition), [10, 20], "the next one stays until the first is gone as a whole");
    rig.world.fs().remove_folder(&obstacle).unwrap();
    rig.settle();
    assert_eq!(rig.segments(partition), [10, 20]);
    rig.delete_records(partition, 20);
    assert_eq!(rig.segments(partition), [20]);
}

#[test]
fn a_segment_that_could_not_be_removed_is_removed_in_time_although_nothing_is_limited() {
    let (mut rig, partition, obstacle) = rig_with_obstacle();
    rig.delete_records(partition, 20);
    rig.pass_ms(5 * CHECK_MS);
    assert_eq!(rig.segments(partition), [10, 20]);
    rig.world.fs().remove_folder(&obstacle).unwrap();
    rig.pass_ms(3 * CHECK_MS);
    assert_eq!(rig.segments(partition), [20]);
    assert_eq!(rig.shard().rounds.at, None, "there is nothing more to look after");
}

/// Bytes that the disk of a test has which fills it.
const SPACE: u64 = 64 << 20;

/// Takes all space that is left, as appends do.
fn fill(world: &SimWorld) {
    keep_space(&world.fs(), Path::new("/ballast"), SPACE).unwrap();
}

/// Gives back so many bytes of it.
fn make_room(world: &SimWorld, bytes: u64) {
    let fs = world.fs();
    let ballast = fs.open(Path::new("/ballast"), OpenMode::ReadWrite).unwrap();
    fs.truncate(ballast, fs.size(ballast).unwrap() - bytes).unwrap();
    fs.close(ballast);
}

/// Bytes of a file in the data folder; `None` where it is missing.
fn size(rig: &Rig, name: &str) -> Option<u64> {
    let fs = rig.world.fs();
    let file = fs.open(&rig.config.data_dir.join(name), OpenMode::Read).ok()?;
    let size = fs.size(file).unwrap();
    fs.close(file);
    Some(size)
}

const SEGMENT_RESERVE: &str = "segment.reserve";

#[test]
fn logs_on_a_full_disk_are_emptied_one_after_the_other_although_appends_take_the_space() {
    let mut rig = Rig::open(config());
    let logs = rig.create_many("logs", 3 * limits::RETENTION_STEP as i32);
    for log in &logs {
        rig.append_large(*log, 1, 1_000);
    }
    // Space is kept.
    rig.pass_ms(10_000);
    let world = rig.world.clone();
    world.set_faults(Faults { space_bytes_max: SPACE, ..Faults::none() });
    fill(&world);
    rig.alter(logs[0], "retention.ms", "1000");
    let started = world.now();
    while logs.iter().any(|log| rig.segments(*log) != [1]) {
        rig.step();
        fill(&world);
        let seconds = world.now().since(started) / 1_000_000_000;
        assert!(seconds < 120, "they are not emptied");
        let is_prepare = |owner: &Owner| matches!(owner, Owner::Log { op: LogOp::Prepare { .. }, .. });
        let prepared = rig.shard().ops.owners().filter(is_prepare).count();
        assert!(prepared <= limits::RETENTION_STEP, "{prepared} at once");
    }
}

#[test]
fn a_log_that_could_not_be_emptied_for_want_of_space_does_not_wait_for_the_next_regular_look() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    rig.append_large(partition, 1, 1_000);
    rig.pass_ms(10_000);
    rig.world.fs().remove_file(&rig.config.data_dir.join(SEGMENT_RESERVE)).unwrap();
    rig.world.set_faults(Faults { space_bytes_max: SPACE, ..Faults::none() });
    fill(&rig.world);
    rig.alter(partition, "retention.ms", "1000");
    rig.pass_ms(limits::RETENTION_FIRST_MS + 1_000);
    assert_eq!(rig.segments(partition), [0], "there is no space");
    // As where another shard has removed something.
    make_room(&rig.world, 1 << 20);
    rig.pass_ms(limits::RETENTION_FIRST_MS);
    assert_eq!(rig.segments(partition), [1]);
}

#[test]
fn deleted_records_give_their_space_back_where_a_full_disk_had_refused_the_next_segment() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[("segment.bytes", "1048576")]);
    rig.append_large(partition, 10, 1_000);
    rig.pass_ms(10_000);
    rig.world.set_faults(Faults { space_bytes_max: SPACE, ..Faults::none() });
    fill(&rig.world);
    let large = vec![7; 100_000];
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(0, None, Some(&large)).unwrap();
    assert_eq!(rig.append(partition, &builder.take().unwrap()), Err(Error::DiskFull));
    rig.delete_records(partition, 10);
    assert_eq!(rig.segments(partition), [10]);
    rig.append_large(partition, 1, 1_000);
}

#[test]
fn of_little_space_that_for_a_segment_is_kept_first() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    rig.append_large(partition, 1, 1_000);
    rig.pass_ms(10_000);
    let (fs, data_dir) = (rig.world.fs(), rig.config.data_dir.clone());
    for name in [SEGMENT_RESERVE, "checkpoint-0.reserve"] {
        fs.remove_file(&data_dir.join(name)).unwrap();
    }
    rig.world.set_faults(Faults { space_bytes_max: SPACE, ..Faults::none() });
    fill(&rig.world);
    make_room(&rig.world, 64 << 10);
    rig.delete_records(partition, 1);
    assert_eq!(size(&rig, SEGMENT_RESERVE), Some(limits::SEGMENT_RESERVE_BYTES));
    let rest = size(&rig, "checkpoint-0.reserve").unwrap();
    assert!((1..64 << 10).contains(&rest), "{rest} bytes of what is left");
}

#[test]
fn space_for_a_segment_is_kept_although_the_checkpoint_failed() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    rig.append_large(partition, 1, 1_000);
    rig.pass_ms(10_000);
    rig.world.fs().remove_file(&rig.config.data_dir.join(SEGMENT_RESERVE)).unwrap();
    rig.append_large(partition, 1, 1_000);
    rig.world.set_faults(Faults { folder_error_one_in: 1, ..Faults::none() });
    rig.pass_ms(10_000);
    assert!(rig.shard().checkpoints.is_due(), "it is tried again");
    assert_eq!(size(&rig, SEGMENT_RESERVE), Some(limits::SEGMENT_RESERVE_BYTES));
}
