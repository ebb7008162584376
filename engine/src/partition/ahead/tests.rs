use super::*;
use crate::io::Slice;
use crate::partition::ReadRoom;
use crate::types::Position;

fn at(offset: i64) -> Offset {
    Offset::new(offset)
}

fn run() -> (Run, Held) {
    let run = Run { at: Position::new(7), slices: vec![Slice::copy_from(b"batches")], next: Some(at(20)) };
    (run, ReadRoom::new(100).take(100).expect("it is all there"))
}

#[test]
fn who_reads_on_from_where_a_read_ended_goes_through_the_log() {
    let mut ahead = Ahead::default();
    assert!(!ahead.goes_on(at(0), at(10)), "the first read may be any");
    assert!(!ahead.goes_on(at(500), at(510)), "another reader");
    assert!(ahead.goes_on(at(10), at(20)));
    assert!(ahead.goes_on(at(510), at(520)));
    assert!(!ahead.goes_on(at(10), at(20)), "it has gone on from there already");
}

#[test]
fn a_piece_serves_whoever_wants_as_much() {
    let (mut ahead, mut free) = (Ahead::default(), 2);
    ahead.begin(at(10), 1000, 1, &mut free);
    assert!(!ahead.may_begin(at(10), &free), "it is under way");
    assert!(matches!(ahead.take(at(10), 1000, &mut free), Some(Found::UnderWay(1))));
    assert_eq!(free, 2);
    ahead.begin(at(10), 1000, 2, &mut free);
    ahead.came(2, Some(run()), &mut free);
    assert!(ahead.take(at(11), 1000, &mut free).is_none());
    assert!(ahead.take(at(10), 999, &mut free).is_none(), "it holds more than is wanted");
    assert_eq!(free, 2, "and nobody wants it any more");
    ahead.begin(at(10), 1000, 3, &mut free);
    ahead.came(3, Some(run()), &mut free);
    assert!(matches!(ahead.take(at(10), 5000, &mut free), Some(Found::Done(_))));
    assert_eq!(free, 2);
}

#[test]
fn places_come_back_when_reads_have_ended() {
    let (mut ahead, mut free) = (Ahead::default(), 2);
    ahead.begin(at(10), 1000, 1, &mut free);
    ahead.begin(at(20), 1000, 2, &mut free);
    assert!(!ahead.may_begin(at(30), &free), "there is no room");
    ahead.came(2, Some(run()), &mut free);
    ahead.forget_all(&mut free);
    assert_eq!(free, 1, "the other read is still under way");
    assert!(ahead.take(at(10), 1000, &mut free).is_none(), "nobody is to have it");
    ahead.came(1, Some(run()), &mut free);
    assert_eq!(free, 2);
    ahead.begin(at(10), 1000, 3, &mut free);
    ahead.came(3, None, &mut free);
    assert_eq!(free, 2, "it has failed");
}

#[test]
fn what_nobody_asks_for_goes_after_a_while() {
    let (mut ahead, mut free) = (Ahead::default(), 1);
    ahead.begin(at(10), 1000, 1, &mut free);
    ahead.came(1, Some(run()), &mut free);
    for _ in 0..limits::READ_AHEAD_LOOKS {
        ahead.expire(&mut free);
    }
    assert_eq!(free, 0);
    ahead.expire(&mut free);
    assert_eq!(free, 1);
}

#[test]
fn what_has_come_is_given_up_for_others_and_what_is_under_way_is_not() {
    let (mut ahead, mut free) = (Ahead::default(), 2);
    let mut room = ReadRoom::new(100);
    ahead.begin(at(10), 1000, 1, &mut free);
    ahead.begin(at(20), 1000, 2, &mut free);
    ahead.came(1, room.take(100).map(|held| (run().0, held)), &mut free);
    assert!(room.take(1).is_none());
    ahead.give_up(&mut free);
    assert_eq!(free, 1);
    assert!(room.take(1).is_some(), "its room is there for others");
    assert!(ahead.take(at(10), 1000, &mut free).is_none());
    assert!(matches!(ahead.take(at(20), 1000, &mut free), Some(Found::UnderWay(2))));
}
