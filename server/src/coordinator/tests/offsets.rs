//! Committing, and what becomes of it.

use super::world::{TOPIC, World, committed, identity, key, settings, tool};
use crate::coordinator::{Answer, Ask, Commit, Settings};
use crate::error_code::ErrorCode;

fn commit(world: &mut World, group: &str, partition: i32, offset: i64) {
    let tag = world.commit(group, tool(), partition, offset);
    assert_eq!(world.plain(tag), ErrorCode::NONE);
}

#[test]
fn a_commit_is_answered_and_told_when_it_is_stored() {
    let mut world = World::new();
    world.immediate = false;
    let first = world.commit("g", tool(), 0, 10);
    let second = world.commit("g", tool(), 0, 20);
    assert_eq!(world.committed("g", 0), None);
    world.acknowledge();
    assert_eq!(world.plain(first), ErrorCode::NONE);
    assert_eq!(world.committed("g", 0), Some(10));
    world.refuse(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(world.plain(second), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(world.committed("g", 0), Some(10));
    world.crash(0);
    assert_eq!(world.committed("g", 0), Some(10));
}

#[test]
fn members_commit_for_their_generation_and_tools_for_empty_groups() {
    let mut world = World::new();
    world.stable("g", "a");
    for (who, error) in [
        (identity("a", 1), ErrorCode::NONE),
        (identity("a", 0), ErrorCode::ILLEGAL_GENERATION),
        (identity("b", 1), ErrorCode::UNKNOWN_MEMBER_ID),
        (tool(), ErrorCode::UNKNOWN_MEMBER_ID),
    ] {
        let tag = world.commit("g", who.clone(), 0, 1);
        assert_eq!(world.plain(tag), error, "{who:?}");
    }
    let b = world.join_dynamic("g", "b");
    let tag = world.commit("g", identity("a", 1), 0, 2);
    assert_eq!(world.plain(tag), ErrorCode::NONE, "while a rebalance is prepared it may still commit");
    world.ask("g", Ask::Join(Box::new(super::world::join("a", ""))));
    world.joined(b);
    let tag = world.commit("g", identity("a", 2), 0, 3);
    assert_eq!(world.plain(tag), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.committed("g", 0), Some(2));
    let tag = world.commit("unknown", identity("a", 1), 0, 3);
    assert_eq!(world.plain(tag), ErrorCode::ILLEGAL_GENERATION);
    let offsets = vec![(key(0), committed(1, 0))];
    let newer = Commit { identity: identity("a", 1), tells_unknown_group: true, offsets };
    let tag = world.ask("unknown", Ask::Commit(Box::new(newer)));
    assert_eq!(world.plain(tag), ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut world = World::new();
    world.stable("g", "a");
    for _ in 0..4 {
        world.pass(9_000);
        let tag = world.commit("g", identity("a", 1), 0, 1);
        assert_eq!(world.plain(tag), ErrorCode::NONE);
    }
}

#[test]
fn everything_is_told_when_nothing_is_named() {
    let mut world = World::new();
    commit(&mut world, "g", 3, 30);
    commit(&mut world, "g", 1, 10);
    let tag = world.ask("g", Ask::Fetch(None));
    let Answer::Fetch(Ok(found)) = world.answer(tag) else { panic!("offsets") };
    let found: Vec<_> =
        found.into_iter().map(|(key, found)| (key.partition, found.map(|found| found.offset))).collect();
    assert_eq!(found, [(1, Some(10)), (3, Some(30))]);
}

#[test]
fn too_much_for_one_batch_is_refused() {
    let mut world = World::with(Settings { batch_bytes_max: 1000, ..settings() });
    let offsets = (0..20).map(|partition| (key(partition), committed(1, 0))).collect();
    let large = Commit { identity: tool(), tells_unknown_group: false, offsets };
    let tag = world.ask("g", Ask::Commit(Box::new(large)));
    assert_eq!(world.plain(tag), ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
    assert!(world.log.is_empty());
}

#[test]
fn a_deleted_group_is_gone_with_what_was_on_its_way() {
    let mut world = World::new();
    world.stable("g", "a");
    let tag = world.ask("g", Ask::Delete);
    assert_eq!(world.plain(tag), ErrorCode::NON_EMPTY_GROUP);
    world.leave("g", "a");
    commit(&mut world, "g", 0, 1);
    world.immediate = false;
    let late = world.commit("g", tool(), 1, 2);
    let tag = world.ask("g", Ask::Delete);
    let other = world.commit("g", tool(), 1, 3);
    assert_eq!(world.plain(other), ErrorCode::COORDINATOR_NOT_AVAILABLE, "it is being deleted");
    let again = world.ask("g", Ask::Delete);
    assert_eq!(world.plain(again), ErrorCode::COORDINATOR_NOT_AVAILABLE, "that it is gone is not stored yet");
    world.acknowledge();
    assert_eq!(world.plain(late), ErrorCode::NONE);
    world.acknowledge();
    assert_eq!(world.plain(tag), ErrorCode::NONE);
    assert_eq!(world.state("g"), "none");
    world.crash(0);
    assert_eq!(world.state("g"), "none");
    world.immediate = true;
    let tag = world.ask("g", Ask::Delete);
    assert_eq!(world.plain(tag), ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn a_deletion_that_cannot_be_stored_changes_nothing() {
    let mut world = World::new();
    commit(&mut world, "g", 0, 1);
    world.immediate = false;
    let tag = world.ask("g", Ask::Delete);
    world.refuse(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(world.plain(tag), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!((world.state("g"), world.committed("g", 0)), ("Empty", Some(1)));
}

#[test]
fn offsets_are_taken_back_but_not_from_those_who_read() {
    let mut world = World::new();
    commit(&mut world, "g", 0, 1);
    world.stable("g", "a");
    let tag = world.ask("g", Ask::DeleteOffsets(vec![key(0)]));
    let Answer::DeleteOffsets(Ok(outcomes)) = world.answer(tag) else { panic!("outcomes") };
    assert_eq!(outcomes, [(key(0), ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC)]);
    world.leave("g", "a");
    let tag = world.ask("g", Ask::DeleteOffsets(vec![key(0), key(1)]));
    let Answer::DeleteOffsets(Ok(outcomes)) = world.answer(tag) else { panic!("outcomes") };
    assert_eq!(outcomes, [(key(0), ErrorCode::NONE), (key(1), ErrorCode::NONE)]);
    assert_eq!(world.committed("g", 0), None);
    world.crash(0);
    assert_eq!(world.committed("g", 0), None);
}

#[test]
fn what_nobody_comes_for_expires_and_the_group_with_it() {
    let mut world = World::new();
    commit(&mut world, "tool", 0, 1);
    let generation = world.stable("g", "a");
    let tag = world.commit("g", identity("a", generation), 0, 1);
    world.plain(tag);
    let half = settings().retention_ms.unsigned_abs() / 2;
    for _ in 0..half / 9_000 {
        world.pass(9_000);
        world.heartbeat("g", "a", generation);
    }
    world.leave("g", "a");
    world.pass(half + 1_200_000);
    assert_eq!(world.committed("tool", 0), None, "it counts from the commit");
    assert_eq!(world.state("tool"), "none");
    assert_eq!(world.committed("g", 0), Some(1), "it counts from when the last member left");
    world.pass(half);
    assert_eq!(world.state("g"), "none");
    world.crash(0);
    assert_eq!((world.state("g"), world.state("tool")), ("none", "none"));
}

#[test]
fn a_client_may_say_when_its_offsets_expire() {
    let mut world = World::new();
    let mut short = committed(1, 0);
    short.expires_at = Some(1_000_000);
    let offsets = vec![(key(0), short)];
    let commit = Commit { identity: tool(), tells_unknown_group: false, offsets };
    let tag = world.ask("g", Ask::Commit(Box::new(commit)));
    world.plain(tag);
    world.crash(0);
    assert_eq!(world.committed("g", 0), Some(1));
    world.pass(1_300_000);
    assert_eq!(world.committed("g", 0), None);
}

#[test]
fn offsets_of_a_topic_that_is_gone_go_too() {
    let mut world = World::new();
    commit(&mut world, "g", 0, 1);
    world.check_without_topic("other");
    assert_eq!(world.committed("g", 0), Some(1));
    world.check_without_topic("t");
    assert_eq!(world.state("g"), "none");
}

#[test]
fn a_topics_deletion_takes_its_offsets_at_once() {
    let mut world = World::new();
    commit(&mut world, "tool", 0, 1);
    let generation = world.stable("g", "a");
    for partition in [0, 1] {
        let tag = world.commit("g", identity("a", generation), partition, 1);
        world.plain(tag);
    }
    world.delete_topic("other", None);
    world.delete_topic("t", Some(TOPIC));
    assert_eq!(world.committed("tool", 0), Some(1), "they are of the topic that has the name now");
    world.immediate = false;
    let late = world.commit("g", identity("a", generation), 1, 2);
    world.delete_topic("t", None);
    world.immediate = true;
    while !world.pending.is_empty() {
        world.acknowledge();
    }
    assert_eq!(world.plain(late), ErrorCode::NONE);
    assert_eq!(world.state("tool"), "none", "it had nothing else");
    assert_eq!(world.committed("g", 0), None, "members or not");
    assert_eq!(world.committed("g", 1), Some(2), "what was on its way is left to the next check");
    assert_eq!(world.state("g"), "Stable");
    world.crash(0);
    assert_eq!((world.state("tool"), world.committed("g", 0)), ("none", None));
    assert_eq!(world.committed("g", 1), None, "or to the next start");
}

#[test]
fn a_topics_offsets_do_not_come_back_after_a_kill() {
    let mut world = World::new();
    commit(&mut world, "tool", 0, 1);
    let generation = world.stable("g", "a");
    let tag = world.commit("g", identity("a", generation), 0, 1);
    world.plain(tag);
    world.immediate = false;
    world.delete_topic("t", None);
    assert_ne!(world.pending.len(), 0);
    world.crash(0);
    world.immediate = true;
    while !world.pending.is_empty() {
        world.acknowledge();
    }
    assert_eq!((world.state("tool"), world.committed("g", 0)), ("none", None));
    assert_eq!(world.state("g"), "Stable");
    world.crash(0);
    assert_eq!((world.state("tool"), world.committed("g", 0)), ("none", None), "it is stored");
}
