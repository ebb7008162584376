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

impl Rig {
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
    assert_eq!(rig.at(partition, 0), (3, 300));
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
fn a_batch_that_promises_more_than_it_holds_is_passed() {
    let mut rig = Rig::open(config());
    let partition = rig.holding("log", &[batch(&[50]), promising(900, &[60, 70]), batch(&[250])]);
    for _ in 0..2 {
        for (time, found) in [(61, (2, 70)), (71, (3, 250)), (251, NOTHING)] {
            assert_eq!(rig.at(partition, time), found, "at or after {time}");
        }
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
            let pending: Vec<_> = (0..1_000).map(|_| rig.handle.append(partition, &rest).unwrap()).collect();
            for pending in pending {
                rig.wait(Ok(pending)).unwrap();
            }
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
