//! The checker finds each thing it is there to find.

use crate::batch::{BatchBuilder, stamp};
use crate::io::Slice;
use crate::request::Records;
use crate::sim::checker::{BatchNumber, Checker, Floor, TopicWish};
use crate::types::{LeaderEpoch, Offset, PartitionId, TopicId};

/// A checker that knows one topic, whose one partition has the batches 0 to 2, of two records each.
struct Rig {
    checker: Checker,
    topic: TopicId,
    partition: PartitionId,
}

fn batch(number: u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000);
    for _ in 0..2 {
        builder.push(0, Some(&number.to_be_bytes()), Some(b"value")).unwrap();
    }
    builder.finish().unwrap().to_vec()
}

/// A reader's answer: these batches with their base offsets and epochs, and the watermark.
fn records(batches: &[(u64, i64, i32)], end: i64) -> Records {
    let slices = batches.iter().map(|&(number, base, epoch)| {
        let mut bytes = batch(number);
        stamp(&mut bytes, Offset::new(base), LeaderEpoch::new(epoch));
        Slice::copy_from(&bytes)
    });
    Records {
        slices: slices.collect(),
        high_watermark: Offset::new(end),
        log_start: Offset::ZERO,
        at: crate::types::Position::ZERO,
    }
}

impl Rig {
    fn new(flushed: bool) -> Self {
        let topic = TopicId::from_random(1, 2);
        let mut rig = Self { checker: Checker::default(), topic, partition: PartitionId::new(topic, 0) };
        rig.started().unwrap();
        rig.checker.create("topic", TopicWish { partitions: 1, flushed, limited: false });
        rig.checker.created("topic", topic).unwrap();
        for number in 0..3 {
            rig.checker.submit(BatchNumber(number), rig.partition, &batch(number), 2);
        }
        rig
    }

    fn started(&mut self) -> Result<(), String> {
        let topics = self.checker.alive().map(|(id, name, count)| (id, name.to_owned(), count));
        let topics: Vec<_> = topics.collect();
        self.checker.started(&topics)
    }

    fn read(&mut self, batches: &[(u64, i64, i32)], end: i64) -> Result<i64, String> {
        self.checker.read(self.partition, 0, Floor::default(), &records(batches, end))
    }

    fn acknowledge(&mut self, number: u64, base: i64) -> Result<(), String> {
        self.checker.acknowledged(BatchNumber(number), Offset::new(base))
    }
}

fn guilty<T>(verdict: Result<T, String>, words: &str) {
    let found = verdict.err().unwrap_or_default();
    assert!(found.contains(words), "{found:?} instead of {words:?}");
}

#[test]
fn what_is_right_passes() {
    let mut rig = Rig::new(true);
    rig.acknowledge(0, 0).unwrap();
    assert_eq!(rig.read(&[(0, 0, 1), (1, 2, 1)], 4), Ok(4));
    rig.started().unwrap();
    assert_eq!(rig.read(&[(0, 0, 1), (1, 2, 1)], 4), Ok(4));
    rig.checker.read_whole(rig.partition, 4).unwrap();
    assert_eq!(rig.checker.tally(), (2, 1));
}

#[test]
fn an_acknowledged_batch_must_stay() {
    let mut rig = Rig::new(true);
    rig.acknowledge(0, 0).unwrap();
    rig.started().unwrap();
    guilty(rig.checker.read_whole(rig.partition, 0), "the log ends at 0, but 2");
}

#[test]
fn what_was_shown_must_stay() {
    let mut rig = Rig::new(true);
    rig.read(&[(0, 0, 1)], 2).unwrap();
    guilty(
        rig.checker.read(rig.partition, 0, Floor { end: 2, start: 0 }, &records(&[], 0)),
        "the watermark is 0, but 2",
    );
    rig.started().unwrap();
    guilty(rig.checker.read_whole(rig.partition, 0), "the log ends at 0, but 2");
}

#[test]
fn an_offset_has_one_value() {
    let mut rig = Rig::new(true);
    rig.acknowledge(0, 0).unwrap();
    guilty(rig.read(&[(1, 0, 1)], 2), "have two values");
    let mut rig = Rig::new(true);
    rig.read(&[(0, 0, 1), (1, 2, 1)], 4).unwrap();
    guilty(rig.acknowledge(2, 1), "have two values");
}

#[test]
fn a_batch_has_one_offset() {
    let mut rig = Rig::new(true);
    guilty(rig.read(&[(0, 0, 1), (0, 2, 1)], 4), "one batch is at offset 0 and at 2");
    let mut rig = Rig::new(true);
    rig.acknowledge(0, 0).unwrap();
    guilty(rig.acknowledge(0, 2), "one batch is at offset 0 and at 2");
}

#[test]
fn offsets_are_contiguous_and_epochs_rise() {
    guilty(Rig::new(true).read(&[(0, 0, 1), (1, 3, 1)], 5), "out of its turn");
    guilty(Rig::new(true).read(&[(0, 2, 1)], 4), "out of its turn");
    guilty(Rig::new(true).read(&[(0, 0, 2), (1, 2, 1)], 4), "the epoch goes back");
    guilty(Rig::new(true).read(&[(0, 0, 1)], 1), "the watermark is 1");
    let mut rig = Rig::new(true);
    rig.read(&[(0, 0, 1)], 2).unwrap();
    guilty(rig.read(&[(0, 0, 2)], 2), "the epoch of the batch at 0");
}

#[test]
fn a_lost_batch_does_not_come_back_unless_it_is_sent_again() {
    let mut rig = Rig::new(true);
    rig.started().unwrap();
    rig.checker.read_whole(rig.partition, 0).unwrap();
    guilty(rig.read(&[(0, 0, 1)], 2), "has come back");
    rig.checker.submit(BatchNumber(0), rig.partition, &batch(0), 2);
    rig.read(&[(0, 0, 1)], 2).unwrap();
    rig.checker.refused(BatchNumber(1));
    guilty(rig.read(&[(0, 0, 1), (1, 2, 1)], 4), "has come back");
}

#[test]
fn bytes_are_those_that_were_sent() {
    let mut rig = Rig::new(true);
    rig.checker.submit(BatchNumber(7), rig.partition, &batch(8), 2);
    guilty(rig.read(&[(7, 0, 1)], 2), "is not the one that was sent");
    guilty(rig.read(&[(9, 0, 1)], 2), "was never submitted");
    let mut cut = records(&[(0, 0, 1)], 2);
    cut.slices[0] = cut.slices[0].slice(0..50);
    guilty(
        rig.checker.read(rig.partition, 0, Floor::default(), &cut),
        "brings the record batch is cut short",
    );
}

#[test]
fn an_unflushed_end_may_be_lost_but_not_what_lies_before_it() {
    let mut rig = Rig::new(false);
    rig.read(&[(0, 0, 1), (1, 2, 1)], 4).unwrap();
    rig.started().unwrap();
    guilty(rig.checker.read_whole(rig.partition, 2), "the log ends at 2, but 4");
    rig.checker.lost_unflushed();
    rig.started().unwrap();
    rig.read(&[(0, 0, 1)], 2).unwrap();
    rig.checker.read_whole(rig.partition, 2).unwrap();
    guilty(rig.read(&[(0, 0, 1), (1, 2, 1)], 4), "has come back");
    guilty(rig.read(&[(2, 0, 1)], 2), "lost or refused");
}

#[test]
fn topics_stay_as_long_as_nobody_deletes_them() {
    let mut rig = Rig::new(true);
    let found = [(rig.topic, "topic".to_owned(), 1)];
    guilty(rig.checker.started(&[]), "is gone");
    rig.checker.delete(rig.topic);
    rig.checker.started(&found).unwrap();
    assert!(rig.checker.is_alive(rig.topic), "a deletion that a crash undid");
    rig.checker.delete(rig.topic);
    rig.checker.deleted(rig.topic);
    guilty(rig.checker.started(&found), "has come back");
    guilty(
        rig.checker.started(&[(TopicId::from_random(3, 4), "other".to_owned(), 1)]),
        "nobody asked for it",
    );
}

#[test]
fn ids_are_given_once() {
    let mut rig = Rig::new(true);
    rig.checker.producer_id(1).unwrap();
    guilty(rig.checker.producer_id(1), "handed out twice");
    rig.checker.create("other", TopicWish { partitions: 1, flushed: true, limited: false });
    guilty(rig.checker.created("other", rig.topic), "was given to");
}

#[test]
fn a_log_starts_where_it_was_asked_to() {
    let mut rig = Rig::new(true);
    let (partition, from) = (rig.partition, Floor::default());
    rig.read(&[(0, 0, 1), (1, 2, 1)], 4).unwrap();
    guilty(rig.checker.starts_at(partition, from, 2), "nobody has asked for that");
    rig.checker.delete_records(partition, 2);
    guilty(rig.checker.records_deleted(partition, 2, 1), "but the log starts at 1");
    rig.checker.starts_at(partition, from, 0).unwrap();
    rig.checker.records_deleted(partition, 2, 2).unwrap();
    let floor = rig.checker.floor(partition);
    assert_eq!(floor, Floor { end: 4, start: 2 });
    guilty(rig.checker.starts_at(partition, floor, 0), "it started at 2 before");
    rig.checker.out_of_range(partition, 1, floor, 2).unwrap();
    guilty(rig.checker.out_of_range(partition, 2, floor, 2), "2 is out of range");
    guilty(rig.checker.read(partition, 0, floor, &records(&[(0, 0, 1)], 4)), "a read from 0 is answered");
    // An answer that was on its way when the start moved.
    rig.checker.read(partition, 0, from, &records(&[(0, 0, 1)], 4)).unwrap();
}
