use super::*;
use crate::log::read::Find;
use crate::mailbox::ReplyTo;
use crate::partition::reading::Purpose;
use crate::types::{Offset, ShardId, TopicId};

const ALL: usize = 1000;

fn partition(index: i32) -> PartitionId {
    PartitionId::new(TopicId::from_random(1, 2), index)
}

/// A read that is recognised by its number.
fn reading(tag: u64) -> Reading {
    let from = ReplyTo::Shard { shard: ShardId::new(0), tag };
    Reading { from, purpose: Purpose::Records, find: Find::Offset(Offset::ZERO), bytes_max: 1 }
}

fn tag(reading: &Reading) -> u64 {
    match reading.from {
        ReplyTo::Shard { tag, .. } => tag,
        _ => unreachable!("all of them are a shard's"),
    }
}

#[test]
fn those_past_it_wait_in_order() {
    let mut room = ReadRoom::new(ALL);
    let first = room.take(ALL - 10).unwrap();
    let second = room.take(10).unwrap();
    assert!(room.take(1).is_none());
    room.wait(partition(0), reading(1), 20, Position::ZERO);
    room.wait(partition(1), reading(2), 5, Position::ZERO);
    drop(second);
    assert!(room.take(1).is_none(), "others wait already");
    assert!(room.next_turn().is_none(), "the first in line needs more");
    drop(first);
    let (id, turn) = room.next_turn().unwrap();
    assert_eq!((id, tag(&turn.reading), turn.held.bytes()), (partition(0), 1, 20));
    let (id, other) = room.next_turn().unwrap();
    assert_eq!((id, tag(&other.reading), other.held.bytes()), (partition(1), 2, 5));
    assert!(!room.is_waited_for());
    assert!(room.take(ALL - 25).is_some());
}

#[test]
fn more_than_there_is_has_it_alone() {
    let mut room = ReadRoom::new(ALL);
    let small = room.take(1).unwrap();
    assert!(room.take(ALL + 1).is_none());
    room.wait(partition(0), reading(1), ALL + 1, Position::ZERO);
    assert!(!room.may_go_on());
    drop(small);
    let (_, turn) = room.next_turn().unwrap();
    assert!(room.take(1).is_none());
    drop(turn);
    assert!(room.take(1).is_some());
}

#[test]
fn who_needs_more_than_it_had_goes_first() {
    let mut room = ReadRoom::new(ALL);
    let held = room.take(ALL).unwrap();
    room.wait(partition(0), reading(1), 10, Position::ZERO);
    drop(held);
    room.wait_first(partition(1), reading(2), 30, Position::new(7));
    let (_, turn) = room.next_turn().unwrap();
    assert_eq!((tag(&turn.reading), turn.held.bytes(), turn.from), (2, 30, Position::new(7)));
    assert_eq!(tag(&room.next_turn().unwrap().1.reading), 1);
}

#[test]
fn a_partition_takes_its_own_out_of_the_line() {
    let mut room = ReadRoom::new(ALL);
    let held = room.take(ALL).unwrap();
    for (number, index) in (0..).zip([0, 1, 0]) {
        room.wait(partition(index), reading(number), 10, Position::ZERO);
    }
    let gone: Vec<u64> = room.leave(|id| id == partition(0)).iter().map(tag).collect();
    assert_eq!(gone, [0, 2]);
    drop(held);
    assert_eq!(room.next_turn().unwrap().0, partition(1));
    assert!(room.next_turn().is_none());
}

#[test]
fn what_was_read_ahead_is_wanted_once_each_time_that_a_line_forms() {
    let mut room = ReadRoom::new(ALL);
    assert!(!room.wants_ahead());
    let held = room.take(ALL).unwrap();
    room.wait(partition(0), reading(1), 10, Position::ZERO);
    room.wait(partition(0), reading(2), 10, Position::ZERO);
    assert_eq!([room.wants_ahead(), room.wants_ahead()], [true, false]);
    drop(held);
    while room.next_turn().is_some() {}
    let _held = room.take(ALL).unwrap();
    room.wait(partition(0), reading(3), 10, Position::ZERO);
    assert!(room.wants_ahead());
}
