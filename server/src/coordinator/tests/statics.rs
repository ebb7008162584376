//! Static members (KIP-345): they come back as who they were.

use super::world::{World, identity, join};
use crate::coordinator::{Answer, Ask, Identity, Join, Leaver, Name, Opaque};
use crate::error_code::ErrorCode;

fn static_join(id: &str, fresh: &str, instance: &str) -> Join {
    Join { instance: Some(Name::from(instance)), ..join(id, fresh) }
}

fn ask(world: &mut World, join: Join) -> u32 {
    world.ask("g", Ask::Join(Box::new(join)))
}

/// Two static members, a-1 of instance "a", the leader, and b-1 of "b", with their shares.
fn two(world: &mut World) {
    let a = ask(world, static_join("", "a-1", "a"));
    let b = ask(world, static_join("", "b-1", "b"));
    world.pass(6_000);
    assert_eq!((world.joined(a).generation, world.joined(b).generation), (1, 1));
    let b = world.sync("g", "b-1", 1, &[]);
    let a = world.sync("g", "a-1", 1, &[("a-1", "half"), ("b-1", "rest")]);
    assert_eq!((world.share(a), world.share(b)), (Ok(b"half".to_vec()), Ok(b"rest".to_vec())));
}

#[test]
fn a_restart_costs_no_rebalance() {
    let mut world = World::new();
    two(&mut world);
    let b = ask(&mut world, static_join("", "b-2", "b"));
    let b = world.joined(b);
    assert_eq!((b.error, b.generation, &*b.member, &*b.leader), (ErrorCode::NONE, 1, "b-2", "a-1"));
    assert!(!b.skip_assignment);
    assert_eq!(world.state("g"), "Stable");
    let share = world.sync("g", "b-2", 1, &[]);
    assert_eq!(world.share(share), Ok(b"rest".to_vec()), "it has its share back");
    assert_eq!(world.heartbeat("g", "a-1", 1), ErrorCode::NONE);
}

#[test]
fn who_has_the_old_id_is_fenced() {
    let mut world = World::new();
    two(&mut world);
    ask(&mut world, static_join("", "b-2", "b"));
    let old = Identity { instance: Some(Name::from("b")), ..identity("b-1", 1) };
    let tag = world.ask("g", Ask::Heartbeat(old.clone()));
    assert_eq!(world.plain(tag), ErrorCode::FENCED_INSTANCE_ID);
    let tag = world.commit("g", old, 0, 5);
    assert_eq!(world.plain(tag), ErrorCode::FENCED_INSTANCE_ID);
    let tag = ask(&mut world, static_join("b-1", "", "b"));
    assert_eq!(world.joined(tag).error, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(world.heartbeat("g", "b-1", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_leader_that_restarts_leaves_the_assignment_as_it_is() {
    let mut world = World::new();
    two(&mut world);
    let a = ask(&mut world, static_join("", "a-2", "a"));
    let a = world.joined(a);
    assert_eq!((&*a.leader, a.skip_assignment, a.members.len()), ("a-2", true, 2), "it goes on leading");
    // Before version 9 it could not be told so, and is not told that it leads.
    let mut older = static_join("", "a-3", "a");
    older.may_skip_assignment = false;
    let a = ask(&mut world, older);
    let a = world.joined(a);
    assert_eq!((&*a.leader, &*a.member, a.skip_assignment, a.members.len()), ("a-2", "a-3", false, 0));
    assert_eq!(world.state("g"), "Stable");
}

#[test]
fn two_with_the_same_instance_fence_each_other_while_joining() {
    let mut world = World::new();
    let first = ask(&mut world, static_join("", "a-1", "a"));
    let second = ask(&mut world, static_join("", "a-2", "a"));
    assert_eq!(world.joined(first).error, ErrorCode::FENCED_INSTANCE_ID);
    world.pass(6_000);
    let joined = world.joined(second);
    assert_eq!((&*joined.member, &*joined.leader, joined.members.len()), ("a-2", "a-2", 1));
}

#[test]
fn a_changed_assignor_does_cost_a_rebalance() {
    let mut world = World::new();
    two(&mut world);
    let mut other = static_join("", "b-2", "b");
    other.protocols.remove(0);
    ask(&mut world, other);
    assert_eq!(world.state("g"), "PreparingRebalance");
}

#[test]
fn a_replacement_that_cannot_be_stored_is_tried_again() {
    let mut world = World::new();
    two(&mut world);
    world.immediate = false;
    let b = ask(&mut world, static_join("", "b-2", "b"));
    world.refuse(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(world.joined(b).error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    world.immediate = true;
    let b = ask(&mut world, static_join("", "b-3", "b"));
    assert_eq!(&*world.joined(b).member, "b-3");
    let share = world.sync("g", "b-3", 1, &[]);
    assert_eq!(world.share(share), Ok(b"rest".to_vec()));
}

#[test]
fn it_is_kept_through_a_rebalance_and_given_up_when_its_session_ends() {
    let mut world = World::new();
    two(&mut world);
    let c = world.join_dynamic("g", "c");
    let a = ask(&mut world, static_join("a-1", "", "a"));
    // b-1 is silent: its session of 10 s ends before the rebalance's 60 s.
    world.pass(9_999);
    assert!(world.answers.is_empty());
    world.pass(1);
    assert_eq!((world.joined(a).generation, world.joined(c).generation), (2, 2));
}

#[test]
fn it_is_removed_by_hand_by_its_instance() {
    let mut world = World::new();
    two(&mut world);
    let leaver = Leaver { member: Name::from(""), instance: Some(Name::from("b")) };
    let fenced = Leaver { member: Name::from("x"), instance: Some(Name::from("a")) };
    let unknown = Leaver { member: Name::from(""), instance: Some(Name::from("z")) };
    let tag = world.ask("g", Ask::Leave(vec![leaver.clone(), fenced.clone(), unknown.clone()]));
    let Answer::Leave(ErrorCode::NONE, outcomes) = world.answer(tag) else { panic!("it left") };
    let expected = [
        (leaver, ErrorCode::NONE),
        (fenced, ErrorCode::FENCED_INSTANCE_ID),
        (unknown, ErrorCode::UNKNOWN_MEMBER_ID),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(world.state("g"), "PreparingRebalance");
}

#[test]
fn it_outlives_the_broker_too() {
    let mut world = World::new();
    two(&mut world);
    world.crash(0);
    let mut join = static_join("", "b-2", "b");
    join.protocols[0].1 = Opaque::from(*b"more");
    let b = ask(&mut world, join);
    assert_eq!(world.joined(b).generation, 1);
    let share = world.sync("g", "b-2", 1, &[]);
    assert_eq!(world.share(share), Ok(b"rest".to_vec()));
}
