//! Searches by timestamp: what they find, whatever producers have written, and how long they keep the shard.

use super::*;
use crate::batch::layout;
use crate::request::{FoundOffset, OffsetQuery};

/// What was sent with bytes of it changed, and the checksum right again.
fn changed(mut batch: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = layout::checksum(&batch);
    batch[layout::CRC..layout::ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A batch whose header promises this timestamp.
fn promising(timestamp: i64, timestamps: &[i64]) -> Vec<u8> {
    changed(batch(timestamps), layout::MAX_TIMESTAMP, &timestamp.to_be_bytes())
}

/// A batch of records that nobody looks into.
fn compressed(timestamps: &[i64]) -> Vec<u8> {
    changed(batch(timestamps), layout::ATTRIBUTES, &1i16.to_be_bytes())
}

/// A batch whose second record is longer than the rest of it.
fn undecodable(timestamps: &[i64]) -> Vec<u8> {
    let first = batch(&timestamps[..1]).len();
    changed(batch(timestamps), first, &[0x7e])
}

/// A batch of one record of so many bytes.
fn large(timestamp: i64, size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(timestamp, None, Some(&vec![7; size])).unwrap();
    builder.take().unwrap()
}

impl Rig {
    /// Appends a batch a thousand times.
    fn append_thousand(&mut self, partition: PartitionId, batch: &[u8]) {
        let pending: Vec<_> = (0..1_000).map(|_| self.handle.append(partition, batch).unwrap()).collect();
        for pending in pending {
            self.wait(Ok(pending)).unwrap();
        }
    }

    /// A partition with these batches.
    fn holding(&mut self, name: &str, batches: &[Vec<u8>]) -> PartitionId {
        let partition = self.create(name, &[("segment.bytes", "1048576")]);
        for batch in batches {
            self.append(partition, batch).unwrap();
        }
        partition
    }

    fn delete(&mut self, partition: PartitionId, before: i64) {
        let pending = self.handle.delete_records(partition, Offset::new(before));
        assert_eq!(self.wait(pending), Ok(Offset::new(before)));
    }

    /// Offset and timestamp that are found.
    fn find(&mut self, partition: PartitionId, query: OffsetQuery) -> (i64, i64) {
        let pending = self.handle.list_offset(partition, query);
        place(self.wait(pending).unwrap())
    }

    fn at(&mut self, partition: PartitionId, timestamp: i64) -> (i64, i64) {
        self.find(partition, OffsetQuery::ForTimestamp(timestamp))
    }

    fn newest(&mut self, partition: PartitionId) -> (i64, i64) {
        self.find(partition, OffsetQuery::MaxTimestamp)
    }
}

fn place(found: FoundOffset) -> (i64, i64) {
    (found.offset.value(), found.timestamp)
}

const NOTHING: (i64, i64) = (-1, -1);

#[test]
fn the_newest_is_found_while_newer_ones_are_not_acknowledged() {
    // In its journal, and without one.
    for journal_bytes in [0, 1 << 20] {
        let mut rig = Rig::open(Config { journal_bytes, ..config() });
        // Small ones alone; and so many bytes that the index has entries.
        for (name, size) in [("small", 1), ("large", 10_000)] {
            let partition = rig.holding(name, &[]);
            for nth in 0..20 {
                rig.append(partition, &large(1_000 + nth, size)).unwrap();
                let appending = rig.handle.append(partition, &large(2_000 + nth, 1)).unwrap();
                let newest = rig.handle.list_offset(partition, OffsetQuery::MaxTimestamp).unwrap();
                let latest = rig.handle.list_offset(partition, OffsetQuery::Latest).unwrap();
                let expected = if nth == 0 { (0, 1_000) } else { (2 * nth - 1, 1_999 + nth) };
                assert_eq!(rig.wait(Ok(newest)).map(place), Ok(expected));
                assert_eq!(rig.wait(Ok(latest)).map(place), Ok((2 * nth + 1, -1)), "it was not acknowledged");
                rig.wait(Ok(appending)).unwrap();
                assert_eq!(rig.newest(partition), (2 * nth + 1, 2_000 + nth));
            }
        }
    }
}

#[test]
fn the_newest_is_found_behind_what_was_deleted() {
    let mut rig = Rig::open(config());
    let small = [9_000, 5_000, 6_000, 6_000, 4_000].map(|timestamp| batch(&[timestamp]));
    let small = rig.holding("small", &small);
    let in_part = rig.holding("in-part", &[batch(&[300, 10, 30, 30]), batch(&[20])]);
    // More than a step looks at, and a second segment that is older.
    let mut many: Vec<_> = (0..9).map(|nth| large(1_000 + nth, 100_000)).collect();
    many[0] = large(9_000, 100_000);
    many.extend([large(500, 100_000), large(600, 100_000)]);
    let many = rig.holding("many", &many);
    for partition in [small, in_part, many] {
        rig.delete(partition, 1);
    }
    for _ in 0..2 {
        assert_eq!(rig.newest(small), (2, 6_000));
        assert_eq!(rig.newest(in_part), (2, 30));
        assert_eq!(rig.newest(many), (8, 1_008));
        // Nothing is in memory then.
        rig.reopen();
    }
    rig.delete(many, 9);
    assert_eq!(rig.newest(many), (10, 600));
    rig.delete(many, 11);
    assert_eq!(rig.newest(many), NOTHING);
}

#[test]
fn the_newest_of_a_batch_in_part_has_no_more_than_its_header_says() {
    let mut rig = Rig::open(config());
    let lied = rig.holding("lied", &[promising(5, &[0, 3, 1_000])]);
    let first = rig.holding("first", &[promising(5, &[0, 7, 1_000]), batch(&[5])]);
    for partition in [lied, first] {
        rig.delete(partition, 1);
    }
    for _ in 0..2 {
        assert_eq!(rig.newest(lied), (2, 1_000));
        assert_eq!(rig.newest(first), (1, 7));
        rig.reopen();
    }
}

#[test]
fn the_first_of_those_that_are_as_new_is_found_behind_what_was_deleted() {
    let mut rig = Rig::open(config());
    // In a segment whose newest is deleted, and in the next.
    let mut batches: Vec<_> = (0..14).map(|nth| large(1_000 + nth, 100_000)).collect();
    for nth in [0, 5, 7, 12] {
        batches[nth] = large(9_000, 100_000);
    }
    let partition = rig.holding("log", &batches);
    rig.delete(partition, 1);
    for _ in 0..2 {
        assert_eq!(rig.newest(partition), (5, 9_000));
        rig.reopen();
    }
    rig.delete(partition, 8);
    assert_eq!(rig.newest(partition), (12, 9_000));
}

#[test]
fn an_empty_log_holds_nothing_of_any_time() {
    let mut rig = Rig::open(config());
    let never = rig.holding("never", &[]);
    let emptied = rig.holding("emptied", &[batch(&[5])]);
    rig.delete(emptied, 1);
    let timeless = rig.holding("timeless", &[batch(&[-1])]);
    for _ in 0..2 {
        for partition in [never, emptied] {
            assert_eq!((rig.at(partition, 0), rig.newest(partition)), (NOTHING, NOTHING));
        }
        assert_eq!((rig.at(timeless, 0), rig.newest(timeless)), (NOTHING, NOTHING));
        rig.reopen();
    }
}

#[test]
fn a_compressed_batch_is_taken_as_a_whole() {
    let mut rig = Rig::open(config());
    let partition = rig.holding("log", &[batch(&[50]), compressed(&[100, 300, 200]), batch(&[250])]);
    for _ in 0..2 {
        for (time, found) in [(50, (0, 50)), (51, (1, 300)), (250, (1, 300)), (301, NOTHING)] {
            assert_eq!(rig.at(partition, time), found, "at or after {time}");
        }
        assert_eq!(rig.newest(partition), (1, 300));
        rig.reopen();
    }
    // What is left of it counts.
    rig.delete(partition, 3);
    assert_eq!((rig.at(partition, 0), rig.newest(partition)), ((3, 300), (3, 300)));
}

#[test]
fn a_batch_whose_records_are_damaged_is_taken_as_a_whole() {
    let mut rig = Rig::open(config());
    let damaged = undecodable(&[100, 300]);
    let partition = rig.holding("log", &[batch(&[50]), damaged, batch(&[250]), batch(&[400])]);
    for _ in 0..2 {
        // Its first record can be read.
        for (time, found) in [(51, (1, 100)), (101, (1, 300)), (300, (1, 300)), (301, (4, 400))] {
            assert_eq!(rig.at(partition, time), found, "at or after {time}");
        }
        assert_eq!(rig.newest(partition), (4, 400));
        rig.reopen();
    }
    rig.delete(partition, 2);
    assert_eq!(rig.at(partition, 0), (2, 300));
}

#[test]
fn a_batch_that_promises_more_than_it_holds_is_passed_and_its_word_taken_for_the_newest() {
    let mut rig = Rig::open(config());
    let partition = rig.holding("log", &[batch(&[50]), promising(900, &[60, 70]), batch(&[250])]);
    for _ in 0..2 {
        for (time, found) in [(61, (2, 70)), (71, (3, 250)), (251, NOTHING)] {
            assert_eq!(rig.at(partition, time), found, "at or after {time}");
        }
        assert_eq!(rig.newest(partition), (1, 900));
        rig.reopen();
    }
}

#[test]
fn a_long_search_lets_others_have_their_turns() {
    const BATCHES: i64 = 20_000;
    let mut rig = Rig::open(config());
    let log = rig.holding("log", &[]);
    // A promise that is not kept, and then as many batches as take several steps: none of them promises anything, or all do.
    for (name, rest) in [("silent", batch(&[5])), ("promising", promising(900, &[5]))] {
        let partition = rig.create(name, &[]);
        rig.append(partition, &promising(900, &[5])).unwrap();
        for _ in 0..BATCHES / 1_000 {
            rig.append_thousand(partition, &rest);
        }
        rig.append(partition, &batch(&[700])).unwrap();

        let bytes = BATCHES as usize * rest.len();
        for (time, found) in [(600, (BATCHES + 1, 700)), (800, NOTHING)] {
            let search = rig.handle.list_offset(partition, OffsetQuery::ForTimestamp(time)).unwrap();
            let mut others = 0;
            while !search.is_ready() {
                // Whoever asks meanwhile is answered in one turn.
                assert_eq!(rig.newest(log), NOTHING);
                others += 1;
            }
            assert_eq!(rig.wait(Ok(search)).map(place), Ok(found), "{name}, at or after {time}");
            assert!(others >= bytes / limits::SEARCH_STEP_BYTES, "{others} turns for {bytes} bytes");
            assert!(others <= 4 * bytes / limits::SEARCH_STEP_BYTES, "{others} turns for {bytes} bytes");
        }
    }
}

#[test]
fn a_stop_refuses_a_long_search() {
    let mut rig = Rig::open(config());
    let partition = rig.holding("log", &[]);
    for _ in 0..10 {
        rig.append_thousand(partition, &promising(900, &[5]));
    }
    let search = rig.handle.list_offset(partition, OffsetQuery::ForTimestamp(600)).unwrap();
    rig.close();
    assert_eq!(search.wait(), Err(Error::Stopped));
}

/// A partition whose newest record is deleted, and so many others of which nothing is in memory.
fn old_data(rig: &mut Rig, records: usize) -> PartitionId {
    let partition = rig.create("log", &[]);
    rig.append(partition, &batch(&[9_000])).unwrap();
    for _ in 0..records {
        rig.append(partition, &large(1_000, 100_000)).unwrap();
    }
    rig.append(partition, &large(7_000, 100_000)).unwrap();
    rig.delete(partition, 1);
    rig.reopen();
    partition
}

#[test]
fn a_search_on_the_disk_makes_a_read_a_step() {
    const RECORDS: i64 = 50;
    let mut rig = Rig::open(config());
    let partition = old_data(&mut rig, RECORDS as usize);
    for (time, found) in [(6_000, (RECORDS + 1, 7_000)), (8_000, NOTHING)] {
        let search = rig.handle.list_offset(partition, OffsetQuery::ForTimestamp(time)).unwrap();
        let (mut steps, mut waits) = (0, false);
        while !search.is_ready() {
            rig.step();
            steps += usize::from(!std::mem::replace(&mut waits, !rig.shard().searches.is_empty()) && waits);
        }
        assert_eq!(rig.wait(Ok(search)).map(place), Ok(found), "at or after {time}");
        assert!(steps >= RECORDS as usize, "{steps} steps");
    }
}

#[test]
fn a_search_on_the_disk_goes_with_its_topic() {
    let mut rig = Rig::open(config());
    let partition = old_data(&mut rig, 200);
    let search = rig.handle.list_offset(partition, OffsetQuery::ForTimestamp(8_000)).unwrap();
    rig.delete_topic(partition);
    let mut steps = 0;
    while !search.is_ready() {
        rig.step();
        steps += 1;
    }
    assert_eq!(rig.wait(Ok(search)), Err(Error::UnknownPartition));
    assert!(steps <= 10, "{steps} steps");
}

#[test]
fn a_search_on_the_disk_goes_on_where_no_index_leads() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    let many = (i32::MAX - 1).to_be_bytes();
    let claims = changed(compressed(&[9_000]), layout::LAST_OFFSET_DELTA, &many);
    let claims = changed(claims, layout::RECORDS_COUNT, &i32::MAX.to_be_bytes());
    for _ in 0..3 {
        rig.append(partition, &claims).unwrap();
    }
    for _ in 0..10 {
        rig.append(partition, &large(1_000, 100_000)).unwrap();
    }
    let last = rig.append(partition, &large(7_000, 100_000)).unwrap();
    rig.delete(partition, last - 10);
    rig.reopen();
    assert_eq!(rig.at(partition, 6_000), (last, 7_000));
}
