//! Joining, syncing, leaving, dying.

use super::world::{World, identity, join, settings, tool};
use crate::coordinator::{Answer, Ask, Name, Opaque, Settings};
use crate::error_code::ErrorCode;

#[test]
fn those_who_start_together_are_assigned_together() {
    let mut world = World::new();
    let a = world.join_dynamic("g", "a");
    world.pass(2_000);
    let b = world.join_dynamic("g", "b");
    world.pass(2_000);
    assert!(world.answers.is_empty(), "somebody came: it waits once more");
    world.pass(2_000);
    let (a, b) = (world.joined(a), world.joined(b));
    assert_eq!((a.generation, b.generation), (1, 1));
    assert_eq!((&*a.leader, &*b.leader), ("a", "a"));
    assert_eq!(a.members.len(), 2, "the leader is told who there is");
    assert!(b.members.is_empty());
    assert_eq!(a.protocol.as_deref(), Some("range"));

    let b = world.sync("g", "b", 1, &[]);
    assert!(world.answers.is_empty(), "it waits for the leader");
    let a = world.sync("g", "a", 1, &[("a", "half"), ("b", "rest")]);
    assert_eq!((world.share(a), world.share(b)), (Ok(b"half".to_vec()), Ok(b"rest".to_vec())));
    assert_eq!(world.state("g"), "Stable");
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::NONE);
    assert_eq!(world.heartbeat("g", "a", 2), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(world.heartbeat("g", "c", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_newcomer_has_everybody_join_again() {
    let mut world = World::new();
    world.stable("g", "a");
    let b = world.join_dynamic("g", "b");
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let late = world.sync("g", "a", 1, &[("a", "all")]);
    assert_eq!(world.share(late), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let a = world.ask("g", Ask::Join(Box::new(join("a", ""))));
    let (a, b) = (world.joined(a), world.joined(b));
    assert_eq!((a.generation, b.generation), (2, 2));
    assert_eq!(a.members.len() + b.members.len(), 2);
}

#[test]
fn who_does_not_join_again_is_left_behind() {
    let mut world = World::new();
    world.stable("g", "a");
    let b = world.join_dynamic("g", "b");
    for _ in 0..11 {
        world.pass(5_000);
        assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    world.pass(5_000);
    let b = world.joined(b);
    assert_eq!((b.generation, &*b.leader, b.members.len()), (2, "b", 1));
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_silent_member_is_removed() {
    let mut world = World::new();
    world.stable("g", "a");
    world.pass(9_999);
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::NONE);
    world.pass(9_999);
    assert_eq!(world.state("g"), "Stable");
    world.pass(1);
    assert_eq!(world.state("g"), "Empty");
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_that_joined_and_never_synced_is_removed() {
    let mut world = World::new();
    let a = world.join_dynamic("g", "a");
    let b = world.join_dynamic("g", "b");
    world.pass(6_000);
    let (a, _b) = (world.joined(a), world.joined(b));
    let waiting = world.sync("g", "a", a.generation, &[("a", "half"), ("b", "rest")]);
    assert_eq!(world.share(waiting), Ok(b"half".to_vec()));
    for _ in 0..12 {
        world.pass(5_000);
        world.heartbeat("g", "a", 1);
        world.heartbeat("g", "b", 1);
    }
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.heartbeat("g", "b", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn leaving_is_at_once() {
    let mut world = World::new();
    world.stable("g", "a");
    let b = world.join_dynamic("g", "b");
    assert_eq!(world.leave("g", "a"), ErrorCode::NONE);
    let b = world.joined(b);
    assert_eq!((b.generation, &*b.leader), (2, "b"));
    assert_eq!(world.leave("g", "a"), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.leave("g", "b"), ErrorCode::NONE);
    assert_eq!(world.state("g"), "Empty");
    assert_eq!(world.leave("unknown", "b"), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_told_its_id_holds_the_rebalance_up_until_it_joins() {
    let mut world = World::new();
    world.stable("g", "a");
    let b = world.join_dynamic("g", "b");
    let told = world.ask("g", Ask::Join(Box::new(join("", "c"))));
    assert_eq!(world.joined(told).error, ErrorCode::MEMBER_ID_REQUIRED);
    let a = world.ask("g", Ask::Join(Box::new(join("a", ""))));
    assert!(world.answers.is_empty(), "c is expected");
    world.pass(10_000);
    assert_eq!((world.joined(a).generation, world.joined(b).generation), (2, 2), "c has not come");
    let late = world.ask("g", Ask::Join(Box::new(join("c", ""))));
    assert_eq!(world.joined(late).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn older_members_join_without_knowing_their_id() {
    let mut world = World::new();
    let old = |id: &str| {
        let mut join = join("", id);
        join.requires_known_id = false;
        Ask::Join(Box::new(join))
    };
    let a = world.ask("g", old("a"));
    world.pass(3_000);
    assert_eq!(&*world.joined(a).member, "a");
}

#[test]
fn asking_to_join_twice_answers_both() {
    let mut world = World::new();
    let first = world.join_dynamic("g", "a");
    let second = world.ask("g", Ask::Join(Box::new(join("a", ""))));
    assert_eq!(world.joined(first).error, ErrorCode::REBALANCE_IN_PROGRESS);
    world.pass(3_000);
    assert_eq!(world.joined(second).generation, 1);
    let again = world.ask("g", Ask::Join(Box::new(join("a", ""))));
    assert_eq!(world.joined(again).generation, 1, "it has not heard the answer");
    world.immediate = false;
    let first = world.sync("g", "a", 1, &[("a", "all")]);
    let second = world.sync("g", "a", 1, &[("a", "all")]);
    assert_eq!(world.share(first), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    world.acknowledge();
    assert_eq!(world.share(second), Ok(b"all".to_vec()));
    world.acknowledge();
    assert_eq!(world.state("g"), "Stable");
}

#[test]
fn a_changed_subscription_or_the_leader_begins_a_rebalance_and_a_follower_does_not() {
    let mut world = World::new();
    let (a, b) = (world.join_dynamic("g", "a"), world.join_dynamic("g", "b"));
    world.pass(6_000);
    assert_eq!((world.joined(a).generation, world.joined(b).generation), (1, 1));
    world.sync("g", "b", 1, &[]);
    world.sync("g", "a", 1, &[]);
    let same = world.ask("g", Ask::Join(Box::new(join("b", ""))));
    assert_eq!(world.joined(same).generation, 1);
    assert_eq!(world.state("g"), "Stable");
    let mut changed = join("b", "");
    changed.protocols[0].1 = Opaque::from(*b"other");
    world.ask("g", Ask::Join(Box::new(changed)));
    assert_eq!(world.state("g"), "PreparingRebalance");
    world.ask("g", Ask::Join(Box::new(join("a", ""))));
    assert_eq!(world.state("g"), "CompletingRebalance");
    world.sync("g", "b", 2, &[]);
    world.sync("g", "a", 2, &[]);
    world.ask("g", Ask::Join(Box::new(join("a", ""))));
    assert_eq!(world.state("g"), "PreparingRebalance", "the leader wants to assign again");
}

#[test]
fn the_assignor_is_one_that_all_have_and_most_prefer() {
    let mut world = World::new();
    world.stable("g", "a");
    let mut other = join("", "b");
    other.protocols = vec![(Name::from("sticky"), Opaque::from([]))];
    let tag = world.ask("g", Ask::Join(Box::new(other.clone())));
    assert_eq!(world.joined(tag).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    other.protocols.push((Name::from("roundrobin"), Opaque::from(*b"rr")));
    other.requires_known_id = false;
    let b = world.ask("g", Ask::Join(Box::new(other.clone())));
    world.ask("g", Ask::Join(Box::new(join("a", ""))));
    assert_eq!(world.joined(b).protocol.as_deref(), Some("roundrobin"));
    other.protocol_type = Name::from("connect");
    let tag = world.ask("g", Ask::Join(Box::new(other)));
    assert_eq!(world.joined(tag).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = World::with(Settings { group_size_max: 1, ..settings() });
    let mut short = join("", "a");
    short.session_timeout_ms = 5_999;
    let tag = world.ask("g", Ask::Join(Box::new(short)));
    assert_eq!(world.joined(tag).error, ErrorCode::INVALID_SESSION_TIMEOUT);
    let tag = world.ask("", Ask::Join(Box::new(join("", "a"))));
    assert_eq!(world.joined(tag).error, ErrorCode::INVALID_GROUP_ID);
    let tag = world.ask("g", Ask::Join(Box::new(join("unknown", ""))));
    assert_eq!(world.joined(tag).error, ErrorCode::UNKNOWN_MEMBER_ID);
    let mut nothing = join("", "a");
    nothing.protocols.clear();
    let tag = world.ask("g", Ask::Join(Box::new(nothing)));
    assert_eq!(world.joined(tag).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(world.state("g"), "none", "nothing is left of a refused group");
    world.stable("g", "a");
    let tag = world.ask("g", Ask::Join(Box::new(join("", "b"))));
    assert_eq!(world.joined(tag).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    let tag = world.sync("g", "b", 1, &[]);
    assert_eq!(world.share(tag), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let tag = world.sync("g", "a", 0, &[]);
    assert_eq!(world.share(tag), Err(ErrorCode::ILLEGAL_GENERATION));
}

#[test]
fn shares_that_cannot_be_stored_are_not_given_out() {
    let mut world = World::new();
    let a = world.join_dynamic("g", "a");
    world.pass(3_000);
    world.joined(a);
    world.immediate = false;
    let a = world.sync("g", "a", 1, &[("a", "all")]);
    world.refuse(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(world.share(a), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    assert_eq!(world.state("g"), "PreparingRebalance");

    let mut world = World::with(Settings { batch_bytes_max: 400, ..settings() });
    let a = world.join_dynamic("g", "a");
    world.pass(3_000);
    world.joined(a);
    let a = world.sync("g", "a", 1, &[("a", &"x".repeat(500))]);
    assert_eq!(world.share(a), Err(ErrorCode::UNKNOWN_SERVER_ERROR));
    let mut large = join("", "b");
    large.protocols[0].1 = Opaque::from(vec![0; 500]);
    let tag = world.ask("g", Ask::Join(Box::new(large)));
    assert_eq!(world.joined(tag).error, ErrorCode::INVALID_REQUEST);
}

#[test]
fn members_outlive_the_broker() {
    let mut world = World::new();
    world.stable("g", "a");
    let commit = world.commit("g", identity("a", 1), 0, 41);
    assert_eq!(world.plain(commit), ErrorCode::NONE);
    world.crash(0);
    assert_eq!(world.state("g"), "Stable");
    assert_eq!(world.heartbeat("g", "a", 1), ErrorCode::NONE, "it goes on without a rebalance");
    assert_eq!(world.committed("g", 0), Some(41));
    let again = world.sync("g", "a", 1, &[]);
    assert_eq!(world.share(again), Ok(b"all".to_vec()));
    world.crash(0);
    world.pass(10_000);
    assert_eq!(world.state("g"), "Empty", "who does not come back is given up");
}

#[test]
fn a_stopping_coordinator_sends_everybody_away() {
    let mut world = World::new();
    let a = world.join_dynamic("g", "a");
    let mut out = crate::coordinator::Effects::default();
    world.coordinator.stop(&mut out);
    let [(ticket, Answer::Join(joined))] = &out.answers[..] else { panic!("{out:?}") };
    assert_eq!((ticket.tag, joined.error), (a, ErrorCode::NOT_COORDINATOR));
}

#[test]
fn groups_are_listed() {
    let mut world = World::new();
    world.stable("a", "m");
    let tag = world.commit("b", tool(), 0, 1);
    world.plain(tag);
    let listed: Vec<_> =
        world.coordinator.list().into_iter().map(|group| (group.group, group.state)).collect();
    assert_eq!(listed, [(Name::from("a"), "Stable"), (Name::from("b"), "Empty")]);
}
