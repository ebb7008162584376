use std::path::Path;

use crate::io::{BLOCK_SIZE, Fs};
use crate::limits;
use crate::log::rig::Rig;
use crate::log::{Admission, FlushMode, segment};
use crate::sim::Faults;

const GROUP: usize = limits::GROUP_BYTES as usize;

/// A log with its file, ready for appends.
fn rig(mode: FlushMode) -> Rig {
    let mut rig = Rig::with_mode(mode);
    assert_eq!(rig.admit(8 << 20), Ok(Admission::Later), "there is no file yet");
    rig.run();
    rig
}

#[test]
fn what_arrives_in_a_round_goes_together_in_the_next() {
    let mut rig = rig(FlushMode::BeforeAcknowledging);
    rig.append(100);
    rig.run();
    assert_eq!(rig.operations(), [Some(BLOCK_SIZE)]);
    rig.append(100);
    rig.run();
    assert_eq!(rig.operations(), [Some(BLOCK_SIZE)], "a write is under way");
    rig.end_first();
    assert_eq!(rig.operations(), [Some(BLOCK_SIZE)], "what had arrived belongs to this round still");
    rig.end_first();
    assert_eq!(rig.operations(), [None]);
    for _ in 0..10 {
        rig.append(1000);
        rig.run();
    }
    assert_eq!(rig.operations(), [None], "a flush is under way");
    let acknowledged = rig.log.acknowledged();
    rig.end_first();
    assert!(rig.log.acknowledged() > acknowledged);
    let operations = rig.operations();
    assert_eq!(operations.iter().flatten().sum::<usize>(), 3 * BLOCK_SIZE);
    assert!(operations.len() <= 2, "a write for each chunk of memory: {operations:?}");
    rig.settle();
    assert_eq!(rig.log.acknowledged(), rig.log.durable().0);
    assert_eq!(rig.operations(), []);
}

#[test]
fn a_small_round_is_one_durable_write_where_that_is_chosen() {
    let mut rig = rig(FlushMode::BeforeAcknowledging);
    rig.log.settings.durable_writes = true;
    for round in 1..=3 {
        rig.append(1000);
        rig.run();
        assert_eq!(rig.operations(), [Some(BLOCK_SIZE)]);
        rig.end_first();
        assert_eq!(rig.operations(), [], "no flush");
        assert_eq!((rig.log.visible_upto().value(), rig.log.durable().1.value()), (round, round));
    }
    rig.append(100_000);
    rig.run();
    rig.append(1000);
    rig.settle();
    assert_eq!((rig.log.visible_upto().value(), rig.log.durable().1.value()), (5, 5));
}

#[test]
fn a_large_group_does_not_wait_for_the_round_before() {
    let mut rig = rig(FlushMode::BeforeAcknowledging);
    rig.append(100);
    rig.run();
    rig.end_first();
    assert_eq!(rig.operations(), [None]);
    rig.append(GROUP);
    rig.run();
    let operations = rig.operations();
    let written: usize = operations.iter().flatten().sum();
    assert_eq!(operations[0], None);
    assert!(written >= GROUP && written.is_multiple_of(BLOCK_SIZE), "its whole blocks: {operations:?}");
    rig.settle();
    let (durable, offset) = rig.log.durable();
    assert_eq!((rig.log.acknowledged(), rig.log.visible_upto()), (durable, offset));
    assert_eq!(offset.value(), 2);
}

#[test]
fn a_flush_does_not_wait_for_writes_without_end() {
    let mut rig = rig(FlushMode::BeforeAcknowledging);
    // As fast as it goes: there is always another group to be written.
    for _ in 0..20 {
        rig.append(GROUP);
        rig.run();
        rig.append(GROUP);
        rig.run();
        if rig.operations().contains(&None) {
            return;
        }
        rig.end_first();
    }
    panic!("it never flushed");
}

#[test]
fn written_is_acknowledged_whatever_is_flushed_behind() {
    let mut rig = rig(FlushMode::Behind);
    for round in 1..=5 {
        rig.append(100);
        rig.run();
        assert_eq!(rig.operations(), [Some(BLOCK_SIZE)]);
        rig.end_first();
        assert_eq!(rig.log.visible_upto().value(), round);
    }
}

#[test]
fn an_index_is_worth_saving_by_what_was_flushed_since_the_last_time() {
    let mut rig = rig(FlushMode::BeforeAcknowledging);
    assert_eq!(rig.log.grown_since_hint(), 0);
    assert!(rig.log.hint().is_none(), "there is nothing to be found");
    rig.append(50_000);
    rig.run();
    assert_eq!(rig.log.grown_since_hint(), 0, "it is not flushed");
    rig.settle();
    let first = rig.log.durable().0.value();
    assert_eq!(rig.log.grown_since_hint(), first);
    let index = rig.log.hint().expect("something is flushed");
    assert_eq!(index.covered_to().position.value(), first);
    assert_eq!(rig.log.grown_since_hint(), 0);
    rig.append(70_000);
    rig.run();
    rig.settle();
    assert_eq!(rig.log.grown_since_hint(), rig.log.durable().0.value() - first);
    rig.roll();
    rig.settle();
    let begun = rig.log.grown_since_hint();
    assert!((1..1_000).contains(&begun), "a new segment has an index of its own: {begun}");
}

/// First offsets of the segments that have their index beside them.
fn sealed(rig: &Rig) -> Vec<i64> {
    let files = rig.fs.list(&segment::folder(Path::new("/data"), rig.log.id)).expect("it is there");
    files.iter().filter_map(|file| Some(segment::parse_index_name(&file.name)?.value())).collect()
}

/// Those of the segments that a flush looks at.
fn unsealed(rig: &mut Rig) -> Vec<i64> {
    rig.log.segments.unsealed_mut().map(|segment| segment.header.base_offset.value()).collect()
}

/// A log with a record in its first segment, flushed.
fn begun() -> Rig {
    let mut rig = rig(FlushMode::BeforeAcknowledging);
    rig.append(100);
    rig.run();
    rig.settle();
    rig
}

#[test]
fn a_flush_looks_at_no_segment_that_was_sealed_before() {
    let mut rig = begun();
    for ended in 1..=20 {
        rig.roll();
        rig.settle();
        assert_eq!(unsealed(&mut rig), [ended], "the active one alone");
    }
    assert!(sealed(&rig).into_iter().eq(0..20));
}

#[test]
fn segments_that_end_before_a_flush_are_sealed_with_those_that_cover_them() {
    let mut rig = begun();
    for _ in 0..3 {
        rig.roll();
    }
    assert_eq!((sealed(&rig), unsealed(&mut rig)), (vec![], vec![0, 1, 2, 3]), "nothing was flushed since");
    let mut steps = Vec::new();
    while !rig.under_way.is_empty() {
        rig.end_first();
        let (sealed, unsealed) = (sealed(&rig), unsealed(&mut rig));
        assert!(sealed.iter().chain(&unsealed).copied().eq(0..4), "{sealed:?} and {unsealed:?}");
        steps.push(sealed.len());
    }
    steps.dedup();
    // The first one was flushed when it ended, and waited for the next flush.
    assert_eq!(steps, [0, 2, 3]);
}

#[test]
fn a_segment_whose_sealing_failed_does_not_keep_others_from_it() {
    let mut rig = begun();
    rig.roll();
    rig.world.set_faults(Faults { flush_error_one_in: 1, ..Faults::none() });
    rig.settle();
    rig.world.set_faults(Faults::none());
    assert_eq!((sealed(&rig), unsealed(&mut rig)), (vec![], vec![1]), "it stays untrimmed");
    rig.roll();
    rig.settle();
    assert_eq!((sealed(&rig), unsealed(&mut rig)), (vec![1], vec![2]));
}
