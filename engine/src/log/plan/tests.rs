use super::*;
use crate::log::rig::Rig;
use crate::log::{Admission, FlushMode};
use crate::sim::SimFs;

fn plan(rig: &mut Rig, find: Find, bytes_max: usize) -> Plan {
    rig.log.plan_read(find, bytes_max, &mut Wanted::<SimFs>::new()).expect("it is in the log")
}

#[test]
fn a_batch_that_is_flushed_in_part_is_read_from_memory() {
    let mut rig = Rig::with_mode(FlushMode::Behind);
    rig.log.settings.unflushed_max = 130_000;
    assert_eq!(rig.admit(100_100), Ok(Admission::Later), "there is no file yet");
    rig.run();
    rig.append(100_000);
    rig.run();
    assert!(rig.operations().len() > 2, "a write for each chunk of memory: {:?}", rig.operations());
    while !rig.operations().contains(&None) {
        rig.end_first();
    }
    rig.settle();
    assert!(rig.log.acknowledged() > Position::ZERO);
    assert_eq!(rig.log.durable().0, Position::ZERO, "it is flushed in part only");

    rig.log.give_back_old_memory();
    rig.log.give_back_old_memory();
    let plan = plan(&mut rig, Find::Offset(Offset::new(0)), usize::MAX);
    assert!(matches!(plan, Plan::Ready(run) if !run.slices.is_empty()));
}

#[test]
fn nothing_is_read_where_nothing_is_asked_for() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(100_100), Ok(Admission::Later), "there is no file yet");
    rig.run();
    rig.append(100_000);
    rig.run();
    rig.settle();
    rig.log.shrink();
    let start = Find::Bytes(Position::ZERO);
    assert!(matches!(plan(&mut rig, start, 1), Plan::Cold(_)));
    assert!(matches!(plan(&mut rig, start, 0), Plan::Ready(run) if run.slices.is_empty()));
}
