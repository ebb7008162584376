//! Segments before their logs' starts: that they go, whatever was in the way for a while.

use super::*;
use crate::log::segment;

const CHECK_MS: u64 = 1_000;

/// A shard with a log of three segments, where the first one's index cannot be removed. Also answers what is in the way.
fn rig_with_obstacle() -> (Rig, PartitionId, std::path::PathBuf) {
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
