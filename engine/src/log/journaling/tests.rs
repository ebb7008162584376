use crate::error::Error;
use crate::io::BLOCK_SIZE;
use crate::limits;
use crate::log::rig::Rig;
use crate::log::{Admission, Idle};

const MAX: u64 = limits::JOURNAL_ENTRY_BYTES;

/// A log with its file and a journal.
fn rig() -> Rig {
    let mut rig = Rig::with_journal(MAX);
    assert_eq!(rig.admit(8 << 20), Ok(Admission::Later), "there is no file yet");
    rig.run();
    rig
}

/// The journal takes what it is offered, and has it.
fn journal(rig: &mut Rig) -> usize {
    let wanted = rig.log.journal_wanted(MAX).expect("there is something for the journal");
    let (entry, end) = rig.log.take_for_journal();
    assert_eq!(entry.len(), wanted);
    rig.log.journaled(end);
    wanted
}

#[test]
fn a_small_append_counts_once_the_journal_has_it() {
    let mut rig = rig();
    rig.append(100);
    rig.run();
    assert_eq!(rig.operations(), [], "the log's own file can wait");
    let bytes = rig.log.journal_wanted(MAX).expect("it is offered");
    let (entry, end) = rig.log.take_for_journal();
    assert_eq!((entry.at, entry.len()), (BLOCK_SIZE as u64, bytes));
    assert_eq!(rig.log.journal_wanted(MAX), None, "it is on its way");
    assert_eq!(rig.log.visible_upto().value(), 0);
    assert!(rig.log.journaled(end), "the watermark moves");
    assert_eq!((rig.log.visible_upto().value(), rig.log.acknowledged()), (1, end));
    assert_eq!(rig.log.durable().1.value(), 0, "a checkpoint speaks of the log's own file");
    rig.append(100);
    let (entry, _) = rig.log.take_for_journal();
    assert_eq!(entry.at, BLOCK_SIZE as u64 + bytes as u64, "what comes next stands behind it");
}

#[test]
fn what_was_left_to_the_journal_is_settled_when_that_is_asked_for() {
    let mut rig = rig();
    for _ in 0..10 {
        rig.append(10_000);
        journal(&mut rig);
        rig.run();
    }
    assert!(rig.log.is_unsettled());
    assert_eq!(rig.operations(), []);
    rig.log.want_flush();
    rig.run();
    let last = rig.operations().last().copied().flatten();
    assert!(last > Some(BLOCK_SIZE), "the partial block is no write of its own: {:?}", rig.operations());
    rig.settle();
    assert!(!rig.log.is_unsettled() && !rig.log.is_settling());
    assert_eq!(rig.log.durable().1.value(), 10);
}

#[test]
fn a_log_settles_itself_once_that_makes_a_large_group() {
    let mut rig = rig();
    let mut left = 0;
    while left < limits::SETTLE_BYTES {
        assert_eq!(rig.operations(), [], "after {left} bytes");
        rig.append(20_000);
        left += journal(&mut rig) as u64;
        rig.run();
    }
    assert!(!rig.operations().is_empty());
}

#[test]
fn a_large_group_goes_to_the_file_at_once_and_what_follows_small_does_not_wait_for_it() {
    let mut rig = rig();
    rig.append(usize::try_from(MAX).expect("small"));
    rig.run();
    assert_eq!(rig.log.journal_wanted(MAX), None);
    assert!(!rig.operations().is_empty());
    rig.settle();
    assert_eq!(rig.log.visible_upto().value(), 1);
    rig.append(100);
    rig.run();
    assert_eq!(rig.operations(), []);
    journal(&mut rig);
    assert_eq!(rig.log.visible_upto().value(), 2);
}

#[test]
fn without_a_journal_the_file_takes_everything() {
    let mut rig = rig();
    rig.append(100);
    rig.run();
    rig.log.take_for_journal();
    rig.log.journal_failed();
    rig.log.settings.journaled = false;
    rig.run();
    assert_eq!(rig.operations(), [Some(BLOCK_SIZE)]);
    rig.settle();
    assert_eq!(rig.log.visible_upto().value(), 1);
}

#[test]
fn a_segment_that_has_ended_is_settled_and_the_journal_takes_no_entry_across_its_end() {
    let mut rig = rig();
    rig.append(100);
    let bytes = rig.log.journal_wanted(MAX).expect("it is offered");
    rig.roll();
    let (entry, end) = rig.log.take_for_journal();
    assert_eq!((entry.segment.value(), entry.len()), (0, bytes));
    rig.log.journaled(end);
    let (entry, _) = rig.log.take_for_journal();
    assert_eq!((entry.segment.value(), entry.at), (1, BLOCK_SIZE as u64));
    assert_eq!(rig.operations(), [Some(BLOCK_SIZE)], "the first segment's");
    rig.settle();
    assert_eq!(rig.log.durable().1.value(), 1);
}

#[test]
fn files_are_closed_only_when_they_hold_everything() {
    let mut rig = rig();
    rig.append(100);
    assert_eq!(rig.log.close_idle::<crate::sim::SimFs>(&mut Vec::new()), Idle::InUse, "it is nowhere yet");
    journal(&mut rig);
    assert_eq!(rig.log.close_idle::<crate::sim::SimFs>(&mut Vec::new()), Idle::Unflushed);
    rig.run();
    rig.settle();
    let mut closing = Vec::new();
    assert_eq!(rig.log.close_idle::<crate::sim::SimFs>(&mut closing), Idle::Closed);
    assert_eq!(closing.len(), 1);
}

#[test]
fn a_log_whose_storage_has_failed_is_never_settled() {
    let mut rig = rig();
    rig.append(100);
    journal(&mut rig);
    let end = rig.log.acknowledged();
    rig.log.want_flush();
    rig.run();
    rig.fail_first(std::io::Error::other("broken"));
    assert!(matches!(rig.admit(100), Err(Error::Storage(_))));
    assert!(rig.log.settled_to() < end && rig.log.is_in_journal_only(), "the journal has to keep it");
    assert_eq!(rig.log.journal_wanted(MAX), None);
}
