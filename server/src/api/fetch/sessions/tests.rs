use tora_engine::types::TopicId;

use super::*;

const HOLDER: (u32, u64) = (3, 4);

fn topic(number: u8) -> TopicName {
    TopicName::Id(TopicId::new([number; 16]))
}

fn at_minute(minute: u64) -> Nanos {
    Nanos::new(0).plus_millis(minute * 60_000)
}

fn sessions(slots: usize) -> Sessions {
    Sessions::new(ShardId::new(1), 4, slots * 4)
}

/// Begins a session of so many partitions and puts it into the cache; gives its id.
fn begin(sessions: &mut Sessions, partitions: i32, minute: u64) -> Option<i32> {
    let count = usize::try_from(partitions).expect("not negative");
    let mut session = sessions.begin(true, count, HOLDER, at_minute(minute), minute + 77)?;
    for index in 0..partitions {
        session.want(&topic(1), index, -1, Offset::ZERO, 100);
    }
    let id = session.id;
    assert!(sessions.put_back(session));
    Some(id)
}

fn take(sessions: &mut Sessions, id: i32, epoch: i32, minute: u64) -> Option<Session> {
    match sessions.take(id, epoch, true, HOLDER, at_minute(minute)) {
        Taken::Session(session) => Some(session),
        _ => None,
    }
}

#[test]
fn ids_tell_cores_apart() {
    let mut ids = std::collections::BTreeSet::new();
    for core in 0..4 {
        let mut sessions = Sessions::new(ShardId::new(core), 4, 4000);
        for _ in 0..100 {
            // The same word every time: ids that are taken are gone past.
            let session = sessions.begin(true, 1, HOLDER, at_minute(0), u64::MAX).expect("there is room");
            assert!(session.id > 0 && ids.insert(session.id));
        }
    }
}

#[test]
fn a_fetch_has_the_next_number() {
    let mut sessions = sessions(1);
    let id = begin(&mut sessions, 2, 0).expect("there is room");
    assert!(matches!(sessions.take(id, 2, true, HOLDER, at_minute(0)), Taken::OutOfOrder));
    assert!(matches!(sessions.take(id, 1, false, HOLDER, at_minute(0)), Taken::OtherNames));
    assert!(matches!(sessions.take(id + 4, 1, true, HOLDER, at_minute(0)), Taken::Unknown));
    let session = take(&mut sessions, id, 1, 0).expect("the next one");
    assert!(matches!(sessions.take(id, 2, true, HOLDER, at_minute(0)), Taken::Unknown), "it is taken out");
    assert!(sessions.put_back(session));
    let mut session = take(&mut sessions, id, 2, 0).expect("the next one");
    session.epoch = i32::MAX;
    sessions.put_back(session);
    let session = take(&mut sessions, id, i32::MAX, 0).expect("the last one");
    assert_eq!(session.epoch, 1, "0 begins a session");
}

#[test]
fn only_what_was_called_up_is_read() {
    let mut sessions = sessions(1);
    let id = begin(&mut sessions, 3, 0).expect("there is room");
    let mut session = take(&mut sessions, id, 1, 0).expect("the next one");
    assert_eq!(session.take_ready(), [0, 1, 2]);
    assert!(session.take_ready().is_empty());
    let owner = ShardId::new(1);
    let first = sessions.begin_watch(&mut session, 1, owner).expect("few are under way");
    let second = sessions.begin_watch(&mut session, 2, owner).expect("few are under way");
    assert_eq!(sessions.watch_ended(owner, id, 1, first), Some(HOLDER), "a fetch is under way");
    sessions.tell_ended(&mut session);
    assert_eq!(session.take_ready(), [1]);
    assert!(!session.is_watched(1) && session.is_watched(2));
    assert!(sessions.put_back(session));
    assert_eq!(sessions.watch_ended(owner, id, 2, second), None, "none is");
    let mut session = take(&mut sessions, id, 2, 0).expect("the next one");
    assert_eq!(session.take_ready(), [2]);
    session.want(&topic(1), 0, -1, Offset::new(5), 100);
    session.want(&topic(1), 0, -1, Offset::new(6), 100);
    assert_eq!(session.take_ready(), [0]);
    assert_eq!(session.entry(0).from, Offset::new(6));
}

#[test]
fn what_is_forgotten_is_not_read_and_its_watch_is_nobodys() {
    let mut sessions = sessions(1);
    let id = begin(&mut sessions, 2, 0).expect("there is room");
    let mut session = take(&mut sessions, id, 1, 0).expect("the next one");
    let owner = ShardId::new(1);
    let watch = sessions.begin_watch(&mut session, 0, owner).expect("few are under way");
    session.forget(&topic(1), 0);
    session.forget(&topic(2), 0);
    assert_eq!(session.take_ready(), [1]);
    session.want(&topic(2), 0, -1, Offset::ZERO, 100);
    assert_eq!(session.take_ready(), [0], "its place is another's");
    sessions.watch_ended(owner, id, 0, watch);
    sessions.tell_ended(&mut session);
    assert!(session.take_ready().is_empty(), "that watch was not this one's");
    session.forget(&topic(1), 1);
    session.forget(&topic(2), 0);
    assert!(!sessions.put_back(session), "it wants nothing any more");
    assert!(take(&mut sessions, id, 2, 0).is_none());
}

#[test]
fn the_cache_is_bounded_as_kafkas_is() {
    let mut sessions = sessions(2);
    let large = begin(&mut sessions, 10, 0).expect("there is room");
    let small = begin(&mut sessions, 2, 0).expect("there is room");
    assert_eq!(begin(&mut sessions, 100, 1), None, "both are young");
    for id in [large, small] {
        let session = take(&mut sessions, id, 1, 2).expect("the next one");
        sessions.put_back(session);
    }
    assert_eq!(begin(&mut sessions, 2, 3), None, "no smaller one is there");
    let third = begin(&mut sessions, 3, 3).expect("the smallest goes");
    assert!(take(&mut sessions, small, 2, 3).is_none());
    let session = take(&mut sessions, third, 1, 5).expect("the next one");
    sessions.put_back(session);
    assert!(begin(&mut sessions, 1, 5).is_some(), "the large one was not used for long");
    assert!(take(&mut sessions, large, 2, 5).is_none());
}

#[test]
fn none_is_begun_without_room_for_its_partitions_or_without_slots() {
    let mut none = Sessions::new(ShardId::new(0), 1, 0);
    assert!(none.begin(true, 1, HOLDER, at_minute(0), 1).is_none());
    let mut sessions = sessions(10);
    assert!(sessions.begin(true, 0, HOLDER, at_minute(0), 1).is_none(), "it would want nothing");
    assert!(sessions.begin(true, limits::SESSION_PARTITIONS_MAX, HOLDER, at_minute(0), 1).is_some());
    assert!(sessions.begin(true, 1, HOLDER, at_minute(0), 1).is_none());
}

#[test]
fn watches_on_other_cores_are_bounded() {
    let mut sessions = sessions(1);
    let mut session = sessions.begin(true, 1, HOLDER, at_minute(0), 1).expect("there is room");
    session.want(&topic(1), 0, -1, Offset::ZERO, 100);
    let there = ShardId::new(0);
    let mut last = 0;
    for _ in 0..limits::SESSION_WATCHES_THERE_MAX {
        last = sessions.begin_watch(&mut session, 0, there).expect("that many may be under way");
    }
    assert_eq!(sessions.begin_watch(&mut session, 0, there), None);
    assert!(sessions.begin_watch(&mut session, 0, ShardId::new(1)).is_some(), "here is another matter");
    sessions.watch_ended(there, session.id, 0, last);
    assert!(sessions.begin_watch(&mut session, 0, there).is_some());
}
