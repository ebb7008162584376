//! The log stays short, and says the same.

use super::world::{World, settings, tool};
use crate::coordinator::{Ask, Settings};
use crate::error_code::ErrorCode;

fn small() -> Settings {
    Settings { compact_bytes: 20_000, batch_bytes_max: 1_000, ..settings() }
}

#[test]
fn it_does_not_grow_without_end() {
    let mut world = World::with(small());
    world.stable("members", "a");
    let mut longest = 0;
    for round in 0..5_000_i32 {
        let group = format!("g{}", round % 20);
        let tag = world.commit(&group, tool(), round % 3, round.into());
        assert_eq!(world.plain(tag), ErrorCode::NONE);
        world.heartbeat("members", "a", 1);
        longest = longest.max(world.log.len());
    }
    assert!(longest < 500, "{longest} records, of which at most 62 are live");
    world.crash(0);
    for last in 4_940..5_000 {
        assert_eq!(world.committed(&format!("g{}", last % 20), last % 3), Some(last.into()));
    }
    assert_eq!(world.heartbeat("members", "a", 1), ErrorCode::NONE);
}

#[test]
fn what_is_under_way_meanwhile_is_not_lost() {
    let mut world = World::with(small());
    for round in 0..300 {
        let tag = world.commit("g", tool(), 0, round);
        assert_eq!(world.plain(tag), ErrorCode::NONE);
    }
    // From here on nothing is acknowledged until the live state is on its way, too.
    world.immediate = false;
    for round in 300..600 {
        world.commit("g", tool(), 0, round);
    }
    while !world.pending.is_empty() {
        world.acknowledge();
    }
    assert_eq!(world.committed("g", 0), Some(599));
    world.crash(0);
    assert_eq!(world.committed("g", 0), Some(599));
}

#[test]
fn a_group_that_is_being_deleted_is_not_written_again() {
    let mut world = World::with(small());
    for round in 0..100 {
        let tag = world.commit("gone", tool(), round % 2, i64::from(round));
        world.plain(tag);
    }
    world.immediate = false;
    world.ask("gone", Ask::Delete);
    for round in 0..400 {
        world.commit("other", tool(), 0, round);
    }
    while !world.pending.is_empty() {
        world.acknowledge();
    }
    world.crash(0);
    assert_eq!((world.state("gone"), world.committed("other", 0)), ("none", Some(399)));
}

#[test]
fn nothing_is_given_up_where_it_cannot_be_written_again() {
    let mut world = World::with(small());
    world.immediate = false;
    for round in 0..1_000 {
        world.commit("g", tool(), 0, round);
        let append = world.pending.len();
        for _ in 1..append {
            world.acknowledge();
        }
        if matches!(world.pending[0].then, crate::coordinator::Then::Compacted) {
            world.refuse(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        } else {
            world.acknowledge();
        }
    }
    assert!(world.log.len() >= 1_000, "everything is still there");
    world.crash(0);
    assert_eq!(world.committed("g", 0), Some(999));
}

#[test]
fn where_nothing_is_live_everything_goes() {
    let mut world = World::with(small());
    for round in 0..300 {
        let group = format!("g{round}");
        let tag = world.commit(&group, tool(), 0, round);
        world.plain(tag);
        let tag = world.ask(&group, Ask::Delete);
        assert_eq!(world.plain(tag), ErrorCode::NONE);
    }
    assert!(world.log.len() < 500, "{} records of groups that are gone", world.log.len());
}
