use std::path::Path;

use super::*;
use crate::io::{BLOCK_SIZE, File, OpenMode};
use crate::log::rig::Rig;
use crate::log::segment::reserve;
use crate::sim::Faults;
use crate::types::Offset;

const LATER: i64 = 10_000;

/// A log with one segment whose records are all old, on a disk that [`fill`] can fill.
fn rig() -> (Rig, File) {
    let mut rig = Rig::new();
    rig.log.settings.retention = Retention { ms: 1, bytes: -1 };
    let _ = rig.admit(100);
    rig.run();
    rig.append(100);
    rig.run();
    rig.settle();
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
