use std::path::Path;

use super::*;
use crate::io::{BLOCK_SIZE, File, OpenMode};
use crate::log::rig::Rig;
use crate::log::segment::reserve;
use crate::sim::Faults;
use crate::types::Offset;

const LATER: i64 = 10_000;

/// Has a log hold one segment whose records are all old.
fn begin(rig: &mut Rig) {
    rig.log.settings.retention = Retention { ms: 1, bytes: -1 };
    let _ = rig.admit(100);
    rig.run();
    rig.append(100);
    rig.run();
    rig.settle();
}

/// A log with one segment whose records are all old, on a disk that [`fill`] can fill.
fn rig() -> (Rig, File) {
    let mut rig = Rig::new();
    begin(&mut rig);
    let ballast = rig.fs.open(Path::new("/ballast"), OpenMode::CreateNew).expect("no faults");
    rig.world.set_faults(Faults { space_bytes_max: 4 << 20, ..Faults::none() });
    (rig, ballast)
}

fn fill(rig: &Rig, ballast: File) {
    let mut size = 0;
    while rig.fs.allocate(ballast, size, BLOCK_SIZE as u64).is_ok() {
        size += BLOCK_SIZE as u64;
    }
}

fn bases(rig: &Rig) -> Vec<i64> {
    rig.log.segments.iter().map(|segment| segment.header.base_offset.value()).collect()
}

/// The first segment goes, now that nothing needs it.
fn goes(rig: &mut Rig) {
    rig.retire();
    assert_eq!((bases(rig), rig.log.start_offset()), (vec![1], Offset::new(1)));
    rig.run();
    let names = rig.fs.list(&crate::log::segment::folder(Path::new("/data"), rig.log.id));
    let names: Vec<_> = names.expect("it is there").into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["00000000000000000001.log"]);
}

#[test]
fn on_a_disk_without_a_free_block_the_only_segment_goes_all_the_same() {
    let (mut rig, ballast) = rig();
    reserve::keep(&rig.fs, Path::new("/data"));
    fill(&rig, ballast);
    assert!(rig.retain(LATER), "a checkpoint has to be written");
    rig.run();
    rig.store_start();
    goes(&mut rig);
    // And there is space for what comes.
    let _ = rig.admit(100);
    rig.run();
    rig.append(100);
}

#[test]
fn what_could_not_go_for_want_of_space_goes_once_there_is_some() {
    let (mut rig, ballast) = rig();
    fill(&rig, ballast);
    assert!(rig.retain(LATER), "a checkpoint has to be written");
    rig.run();
    rig.store_start();
    rig.retire();
    assert_eq!(bases(&rig), [0, 1], "nothing but the next segment would tell how far the log had come");
    assert_eq!(rig.run(), 0, "it is not asked for without end");

    rig.fs.truncate(ballast, 0).expect("no faults");
    rig.retain(LATER);
    assert_eq!(rig.run(), 1);
    goes(&mut rig);
}

#[test]
fn on_a_full_disk_one_log_goes_after_the_other_although_appends_fill_it_each_time() {
    let (first, ballast) = rig();
    let mut rigs = vec![first];
    for _ in 0..3 {
        let mut next = rigs[rigs.len() - 1].beside();
        begin(&mut next);
        rigs.push(next);
    }
    reserve::keep(&rigs[0].fs, Path::new("/data"));
    fill(&rigs[0], ballast);
    // All have grown too old, and there is space for one of them.
    for rig in &mut rigs {
        assert!(rig.retain(LATER), "a checkpoint has to be written");
        rig.run();
        fill(rig, ballast);
        rig.store_start();
    }
    for (at, rig) in rigs.iter_mut().enumerate() {
        assert_eq!(rig.log.lacks_successor(), at > 0);
        rig.retain(LATER);
        rig.run();
        goes(rig);
        fill(rig, ballast);
    }
}

#[test]
fn what_was_deleted_goes_although_there_was_no_space_for_the_next_segment() {
    let (mut rig, ballast) = rig();
    rig.log.settings.retention = Retention::ALL;
    reserve::keep(&rig.fs, Path::new("/data"));
    fill(&rig, ballast);
    // An append begins the next segment, and is refused.
    rig.log.settings.segment_bytes = 1;
    let _ = rig.admit(100);
    rig.run();
    assert!(rig.admit(100).is_err());
    assert!(!rig.log.lacks_successor(), "readers get what is before it");
    assert!(rig.log.want_start(Offset::new(1)), "a checkpoint has to be written");
    rig.store_start();
    assert!(rig.log.lacks_successor());
    rig.retain(LATER);
    rig.run();
    goes(&mut rig);
}

#[test]
fn a_log_that_is_appended_to_all_the_time_gets_what_is_kept_for_emptying_it() {
    let (mut rig, ballast) = rig();
    fill(&rig, ballast);
    assert!(rig.retain(LATER), "a checkpoint has to be written");
    rig.run();
    rig.store_start();
    // What another log has left, when an append is about to ask for space.
    rig.fs.truncate(ballast, 0).expect("no faults");
    reserve::keep(&rig.fs, Path::new("/data"));
    fill(&rig, ballast);
    let _ = rig.admit(100);
    rig.run();
    goes(&mut rig);
    rig.append(100);
}

#[test]
fn an_unlimited_log_without_space_for_its_next_segment_takes_none_that_others_need() {
    let (mut rig, ballast) = rig();
    rig.log.settings.retention = Retention::ALL;
    fill(&rig, ballast);
    rig.log.settings.segment_bytes = 1;
    let _ = rig.admit(100);
    rig.run();
    assert!(!rig.retain(LATER));
    assert_eq!(rig.run(), 0);
}
