use std::path::Path;

use crate::io::Fs;
use crate::log::rig::Rig;
use crate::types::Offset;

/// A log of three segments with a record each, the first two of which lie before its start.
fn rig() -> Rig {
    let mut rig = Rig::new();
    let _ = rig.admit(100);
    rig.run();
    rig.append(100);
    rig.run();
    rig.settle();
    for _ in 0..2 {
        rig.roll();
        rig.settle();
    }
    assert!(rig.log.want_start(Offset::new(2)), "a checkpoint has to be written");
    rig.store_start();
    rig
}

/// First offsets of the segments that have a file.
fn files(rig: &Rig) -> Vec<i64> {
    let names =
        rig.fs.list(&crate::log::segment::folder(Path::new("/data"), rig.log.id)).expect("it is there");
    names.iter().filter_map(|entry| entry.name.strip_suffix(".log")?.parse().ok()).collect()
}

/// Has segments removed, one after the other.
fn retire(rig: &mut Rig) {
    loop {
        rig.retire();
        if rig.run() == 0 {
            return;
        }
    }
}

fn no_descriptors() -> std::io::Error {
    std::io::Error::from_raw_os_error(libc::EMFILE)
}

#[test]
fn what_could_not_be_removed_for_a_moment_is_removed_with_the_next_look() {
    let mut rig = rig();
    rig.removal_error = Some(no_descriptors());
    retire(&mut rig);
    assert_eq!(files(&rig), [0, 1, 2], "the second one does not go before the first");
    rig.retire();
    assert_eq!(rig.run(), 0, "it is not tried again at once");

    // Although nothing more is to go, and nothing is limited.
    assert!(!rig.retain(0));
    retire(&mut rig);
    assert_eq!(files(&rig), [2]);
}

#[test]
fn a_removal_fails_as_often_as_it_is_tried() {
    let mut rig = rig();
    for _ in 0..3 {
        rig.removal_error = Some(no_descriptors());
        retire(&mut rig);
        assert_eq!(files(&rig), [0, 1, 2]);
        rig.log.remove_again();
    }
    retire(&mut rig);
    assert_eq!(files(&rig), [2]);
}
