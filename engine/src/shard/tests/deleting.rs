//! Topics with many partitions that are deleted.

use std::time::Duration;

use super::*;
use crate::log::segment;
use crate::shard::ops::JournalOp;

const PARTITIONS: i32 = 60;

/// A shard with a topic of many partitions, all of them used, and another topic's partition.
fn large_topic(world: &SimWorld) -> (Rig, Vec<PartitionId>, PartitionId) {
    let mut rig = Rig::open_on(world, config());
    let partitions = rig.create_many("large", PARTITIONS);
    for &partition in &partitions {
        rig.append_bytes(partition, 100);
    }
    let other = rig.create_many("other", 1)[0];
    (rig, partitions, other)
}

fn removals(rig: &mut Rig) -> usize {
    rig.shard().ops.owners().filter(|owner| matches!(owner, Owner::Removal(_))).count()
}

/// How many of the partitions have a folder.
fn folders(world: &SimWorld, partitions: &[PartitionId]) -> usize {
    let fs = world.fs();
    let is_there = |id: &&PartitionId| fs.list(&segment::folder(&config().data_dir, **id)).is_ok();
    partitions.iter().filter(is_there).count()
}

#[test]
fn files_of_a_large_topic_are_removed_a_few_at_a_time() {
    let world = world();
    let (mut rig, partitions, other) = large_topic(&world);
    rig.delete_topic(partitions[0]);
    assert!(folders(&world, &partitions) > 0, "the answer does not wait for the files");
    let mut most = 0;
    while rig.shard().ops.len() > 0 {
        rig.step();
        most = most.max(removals(&mut rig));
    }
    assert_eq!(most, limits::REMOVALS_MAX);
    assert_eq!(folders(&world, &partitions), 0);
    rig.append_bytes(other, 100);
    rig.close();
}

#[test]
fn what_a_crash_leaves_is_removed_by_the_next_start_behind_its_journal() {
    let world = world();
    let (mut rig, partitions, other) = large_topic(&world);
    rig.delete_topic(partitions[0]);
    while removals(&mut rig) == 0 {
        rig.step();
    }
    drop(rig);
    world.kill();
    let left = folders(&world, &partitions);
    assert!(left > 2, "{left} are left");

    let mut rig = Rig::open_on(&world, config());
    let owners: Vec<Owner> = rig.shard().ops.owners().collect();
    assert!(matches!(owners[0], Owner::Journal(JournalOp::Make)), "{:?} before the journal", owners[0]);
    assert_eq!(removals(&mut rig), limits::REMOVALS_MAX);
    rig.append_bytes(other, 100);
    rig.settle();
    assert_eq!(folders(&world, &partitions), 0);
    rig.close();
}

#[test]
fn a_stop_leaves_the_files_of_a_large_topic_to_the_next_start() {
    let world = world();
    let (mut rig, partitions, other) = large_topic(&world);
    rig.append_bytes(other, 100);
    rig.delete_topic(partitions[0]);
    while folders(&world, &partitions) == partitions.len() {
        rig.step();
    }
    rig.close();
    let left = folders(&world, &partitions);
    assert!(left > 2 * partitions.len() / 3, "{left} are left");
    assert_eq!(checkpointed_end(&world, other), Offset::new(1));

    let mut rig = Rig::open_on(&world, config());
    rig.settle();
    assert_eq!(folders(&world, &partitions), 0);
    rig.close();
}

#[test]
fn all_partitions_of_a_topic_are_taken_off_the_shards_lists_at_once() {
    let world = world();
    let (mut rig, partitions, _) = large_topic(&world);
    // None of their files is open then, so that all of them can go in the same turn.
    rig.reopen();
    let reads = rig.shard().reads.passes;
    rig.delete_topic(partitions[0]);
    while folders(&world, &partitions) > 0 {
        rig.step();
    }
    assert_eq!((rig.shard().removals.passes, rig.shard().reads.passes), (1, reads + 1));
    rig.close();
}

#[test]
fn a_failed_removal_does_not_keep_the_others_from_theirs() {
    let world = world();
    let (mut rig, partitions, _) = large_topic(&world);
    let foreign = segment::folder(&config().data_dir, partitions[0]).join("foreign");
    world.fs().create_folder(&foreign).unwrap();
    rig.delete_topic(partitions[0]);
    rig.settle();
    assert_eq!(folders(&world, &partitions), 1, "a folder in it is nobody's to remove");
    rig.close();
}

#[test]
fn a_failed_removal_is_tried_again_once_what_was_in_the_way_may_be_gone() {
    let world = world();
    let (mut rig, partitions, other) = large_topic(&world);
    rig.idle = Some(other);
    let foreign = segment::folder(&config().data_dir, partitions[0]).join("foreign");
    world.fs().create_folder(&foreign).unwrap();
    rig.delete_topic(partitions[0]);
    rig.settle();
    rig.pass_ms(2 * limits::REMOVAL_AGAIN_MS);
    assert_eq!(folders(&world, &partitions), 1, "it is still in the way");
    world.fs().remove_folder(&foreign).unwrap();
    rig.pass_ms(limits::REMOVAL_AGAIN_MS + 1_000);
    assert_eq!(folders(&world, &partitions), 0);
    assert_eq!(rig.shard().removals.again_at(), None);
    rig.close();
}

#[test]
fn a_removal_that_fails_again_and_again_is_left_to_the_next_start() {
    let world = world();
    let (mut rig, partitions, other) = large_topic(&world);
    rig.idle = Some(other);
    let foreign = segment::folder(&config().data_dir, partitions[0]).join("foreign");
    world.fs().create_folder(&foreign).unwrap();
    rig.delete_topic(partitions[0]);
    rig.settle();
    assert!(rig.shard().removals.again_at().is_some());
    rig.pass_ms(u64::from(limits::REMOVAL_TRIES_MAX) * limits::REMOVAL_AGAIN_MS);
    assert_eq!((rig.shard().removals.again_at(), folders(&world, &partitions)), (None, 1));
    world.fs().remove_folder(&foreign).unwrap();
    rig.close();

    let mut rig = Rig::open_on(&world, config());
    rig.settle();
    assert_eq!(folders(&world, &partitions), 0);
    rig.close();
}

#[test]
fn who_watches_a_deleted_partition_is_told() {
    let world = world();
    let (mut rig, partitions, other) = large_topic(&world);
    let watch = |partition| rig.handle.wait_for(partition, Offset::new(1), Duration::from_secs(3_600));
    let (watched, waiting) = (watch(partitions[3]), watch(other));
    rig.delete_topic(partitions[0]);
    assert_eq!(rig.wait(watched), Ok(true));
    assert_eq!(rig.shard().watches.len(), 1, "of the other topic alone");
    rig.append_bytes(other, 100);
    rig.append_bytes(other, 100);
    assert_eq!(rig.wait(waiting), Ok(true));
    rig.settle();
    rig.close();
}
