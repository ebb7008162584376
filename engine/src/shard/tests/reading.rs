//! Reads from the disk: the memory of many at once, and what cannot be read.

use super::*;
use crate::batch::layout;
use crate::log::segment;
use crate::request::Records;

/// A configuration that takes batches that are larger than all of the memory of reads.
fn large_batches() -> Config {
    Config { max_message_bytes: 2 * limits::COLD_READ_BYTES, ..config() }
}

/// Bytes of a record; some of them are a read.
const RECORD_BYTES: usize = 100_000;
pub(super) const RECORDS: i64 = 60;
const READERS: usize = 100;
const READ_BYTES: usize = 1 << 20;

/// A shard with two partitions of old data, of which nothing is in memory.
pub(super) fn old_data(world: &SimWorld) -> (Rig, Vec<PartitionId>) {
    let mut rig = Rig::open_on(world, large_batches());
    let partitions = rig.create_many("old", 2);
    for _ in 0..RECORDS {
        for &partition in &partitions {
            rig.append_bytes(partition, RECORD_BYTES);
        }
    }
    rig.close();
    (Rig::open_on(world, large_batches()), partitions)
}

/// Bytes that all partitions' reads have allocated.
fn read_bytes(rig: &mut Rig) -> usize {
    rig.shard().slots.iter().map(|(_, entry)| entry.partition.read_bytes()).sum()
}

/// Lets things happen until all reads are answered, and looks at their memory all the while.
fn answer_all(rig: &mut Rig, reads: Vec<(i64, Pending<Records>)>) {
    let mut most = 0;
    while !reads.iter().all(|(_, read)| read.is_ready()) {
        rig.step();
        let bytes = read_bytes(rig);
        assert!(bytes <= limits::COLD_READ_BYTES, "reads have {bytes} bytes");
        most = most.max(bytes);
    }
    assert!(most > limits::COLD_READ_BYTES / 2, "what there is is used, and not {most} bytes of it");
    for (from, read) in reads {
        let records = read.wait().unwrap();
        let first: Vec<u8> = records.slices.iter().flat_map(|slice| slice.to_vec()).take(8).collect();
        assert_eq!(first, from.to_be_bytes(), "a batch begins with its offset");
    }
}

fn read_all(rig: &Rig, partitions: &[PartitionId]) -> Vec<(i64, Pending<Records>)> {
    let read = |number: usize| {
        let from = number as i64 * 7 % (RECORDS - 20);
        let partition = partitions[number % partitions.len()];
        (from, rig.handle.read(partition, Offset::new(from), READ_BYTES).unwrap())
    };
    (0..READERS).map(read).collect()
}

#[test]
fn a_hundred_readers_of_old_data_have_bounded_memory() {
    let world = world();
    let (mut rig, partitions) = old_data(&world);
    let reads = read_all(&rig, &partitions);
    answer_all(&mut rig, reads);
    rig.close();
}

#[test]
fn beside_appends_they_have_no_more() {
    let world = world();
    let (mut rig, partitions) = old_data(&world);
    let busy = rig.create_many("busy", 1)[0];
    rig.append_bytes(busy, 100);
    let reads = read_all(&rig, &partitions);
    answer_all(&mut rig, reads);
    rig.append_bytes(busy, 100);
    rig.close();
}

#[test]
fn who_goes_through_old_data_is_read_ahead_of_until_others_need_the_memory() {
    let world = world();
    let (mut rig, partitions) = old_data(&world);
    let mut next = Offset::ZERO;
    for _ in 0..2 {
        let read = rig.handle.read(partitions[0], next, READ_BYTES);
        next = next.plus(10);
        rig.wait(read).unwrap();
    }
    rig.settle();
    assert!(read_bytes(&mut rig) > 0, "what comes next is there");
    assert_eq!(rig.shard().ahead, limits::READS_AHEAD_MAX - 1);
    let reads = read_all(&rig, &partitions[1..]);
    answer_all(&mut rig, reads);
    let slot = rig.shard().slots.find(partitions[0]).unwrap();
    assert_eq!(rig.shard().slots.at(slot).partition.read_bytes(), 0, "it is given up");
    rig.close();
}

#[test]
fn a_batch_larger_than_all_of_the_memory_is_read_alone() {
    let world = world();
    let mut rig = Rig::open_on(&world, large_batches());
    let partition = rig.create_many("large", 1)[0];
    rig.append_bytes(partition, limits::COLD_READ_BYTES + 1);
    rig.append_bytes(partition, 100);
    rig.close();
    let mut rig = Rig::open_on(&world, large_batches());
    let reads: Vec<_> = (0..3).map(|_| rig.handle.read(partition, Offset::ZERO, 1000).unwrap()).collect();
    for read in reads {
        while !read.is_ready() {
            rig.step();
            assert!(read_bytes(&mut rig) < 2 * limits::COLD_READ_BYTES, "one at a time");
        }
        let bytes: usize = read.wait().unwrap().slices.iter().map(|slice| slice.len()).sum();
        assert!(bytes > limits::COLD_READ_BYTES);
    }
    rig.close();
}

#[test]
fn reads_that_wait_are_refused_with_their_topic_and_keep_nobody_waiting() {
    let world = world();
    let (mut rig, partitions) = old_data(&world);
    let other = rig.create_many("other", 1)[0];
    let reads = read_all(&rig, &partitions);
    while !rig.shard().reads.is_waited_for() {
        rig.step();
    }
    rig.delete_topic(partitions[0]);
    let (mut answered, mut refused) = (0, 0);
    for (_, read) in reads {
        match rig.wait(Ok(read)) {
            Ok(_) => answered += 1,
            Err(error) => {
                assert_eq!(error, Error::UnknownPartition);
                refused += 1;
            }
        }
    }
    assert!(refused > READERS / 2, "{answered} were answered");
    rig.append_bytes(other, 100);
    assert_eq!(read_bytes(&mut rig), 0);
    assert!(rig.shard().reads.take(limits::COLD_READ_BYTES).is_some(), "all of it is there again");
    rig.close();
}

#[test]
fn a_stop_refuses_reads_that_wait() {
    let world = world();
    let (mut rig, partitions) = old_data(&world);
    let reads = read_all(&rig, &partitions);
    while !rig.shard().reads.is_waited_for() {
        rig.step();
    }
    rig.close();
    let refused = reads.into_iter().filter_map(|(_, read)| read.wait().err());
    let refused: Vec<Error> = refused.collect();
    assert!(refused.len() > READERS / 2, "{} were refused", refused.len());
    assert!(refused.iter().all(|error| *error == Error::Stopped));
}

/// A partition with two batches of one record on the disk, in which this is written over the file from `at` of batch `number`
/// on; what a read of `offset` is refused with.
fn refused_after_damage(number: u64, at: usize, damage: impl Fn(u64) -> Vec<u8>, offset: i64) -> String {
    let world = world();
    let mut rig = Rig::open_on(&world, config());
    let partition = rig.create_many("log", 1)[0];
    for _ in 0..2 {
        rig.append_bytes(partition, 10_000);
    }
    rig.close();
    let mut rig = Rig::open_on(&world, config());
    let slot = rig.shard().slots.find(partition).unwrap();
    let bytes = rig.shard().slots.at(slot).partition.log().durable().0.value();
    let (fs, folder) = (world.fs(), segment::folder(&config().data_dir, partition));
    let file = fs.open(&folder.join(segment::file_name(Offset::ZERO)), OpenMode::ReadWrite).unwrap();
    let place = segment::HEADER_SIZE + number * bytes / 2 + at as u64;
    fs.write_at(file, place, &damage(bytes)).unwrap();
    fs.close(file);

    let read = rig.handle.read(partition, Offset::new(offset), READ_BYTES);
    let refused = rig.wait(read).map(|records| records.slices).unwrap_err();
    rig.close();
    let Error::Storage(why) = refused else { panic!("{refused}") };
    why
}

#[test]
fn what_was_damaged_meanwhile_is_an_error_and_not_read_for_ever() {
    // The first batch ends so close to the log's end that no other has room there.
    let length =
        |bytes| (u32::try_from(bytes).unwrap() - 10 - layout::LENGTH_OVERHEAD as u32).to_be_bytes().to_vec();
    let why = refused_after_damage(0, layout::LENGTH, length, 1);
    assert!(why.contains("past the log's end"), "{why}");
}

#[test]
fn batches_that_are_not_what_was_asked_for_are_an_error_though_no_checksum_tells() {
    let becomes = |offset: i64| move |_| offset.to_be_bytes().to_vec();
    for (number, offset, wanted, why) in
        [(0, 5, 0, "begins at offset 5"), (1, 0, 1, "begins at offset 0"), (1, 7, 1, "begins at offset 7")]
    {
        let said = refused_after_damage(number, layout::BASE_OFFSET, becomes(offset), wanted);
        assert!(said.contains(why), "batch {number} says {offset}, {wanted} was wanted: {said}");
    }
    // The last one seems to end before what is wanted.
    let said = refused_after_damage(1, layout::LAST_OFFSET_DELTA, |_| (-1_i32).to_be_bytes().to_vec(), 1);
    assert!(said.contains("end before offset 1"), "{said}");
}
