use super::*;
use crate::error::Error;
use crate::log::Admission;
use crate::log::LogSettings;
use crate::log::rig::Rig;
use crate::sim::Faults;

#[test]
fn an_empty_segment_begun_with_a_smaller_w_takes_a_larger_batch_and_says_so() {
    for prepared in [false, true] {
        let mut rig = Rig::new();
        let settings = |rig: &Rig, unflushed_max| LogSettings { unflushed_max, ..rig.log.settings.clone() };
        rig.log.reconfigure(settings(&rig, STEP as u64));
        if !prepared {
            rig.fill_disk();
        }
        assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
        rig.run();
        rig.world.set_faults(Faults::none());
        if !prepared {
            assert_eq!(rig.admit(ROOM), Err(Error::DiskFull), "there is no file yet");
        }
        rig.log.reconfigure(settings(&rig, 4 * STEP as u64));
        assert_eq!(rig.admit(3 * STEP), Ok(Admission::Later));
        rig.run();
        assert_eq!(rig.admit(3 * STEP), Ok(if prepared { Admission::Later } else { Admission::Now }));
        rig.run();
        rig.append(3 * STEP - ROOM);
        let header = &rig.log.segments.first().expect("one was begun").header;
        let path = segment::path(Path::new("/data"), header);
        let bytes = crate::io::read_file(&rig.fs, &path).expect("it is there");
        let stored = segment::SegmentHeader::decode(&bytes).expect("a header");
        assert_eq!((stored.unflushed_max, &stored), (4 * STEP as u64, header), "prepared: {prepared}");
    }
}

/// A batch is a little larger than its value.
const ROOM: usize = 1000;
const STEP: usize = limits::ALLOCATION_STEP_MIN as usize;

#[test]
fn space_comes_ahead_of_need() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later), "there is no file yet");
    assert_eq!(rig.run(), 1);
    rig.append(STEP - ROOM);
    assert_eq!(rig.run(), 1, "little is left");
    rig.append(STEP - ROOM);
}

#[test]
fn a_few_records_need_no_more_space_than_the_first() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    assert_eq!(rig.run(), 1);
    for _ in 0..10 {
        rig.append(ROOM);
        assert_eq!(rig.run(), 0, "more than half is left");
    }
    rig.append(STEP / 2);
    assert_eq!(rig.run(), 1);
}

#[test]
fn a_disk_that_is_full_ahead_is_asked_once_and_refuses_nothing_that_fits() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.fill_disk();
    for _ in 0..5 {
        rig.append(STEP / 8);
        assert!(rig.run() <= 1, "it is asked again with the next append, not before");
        assert_eq!(rig.run(), 0);
    }
    assert_eq!(rig.admit(STEP), Ok(Admission::Later), "this does not fit");
    rig.run();
    assert_eq!(rig.admit(STEP), Err(Error::DiskFull));
    rig.append(STEP / 8);
}

#[test]
fn the_last_bit_of_space_is_used() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.fill_disk();
    rig.append(STEP - ROOM);
    rig.run();
    let space_bytes_max = limits::ALLOCATION_STEP_MIN + 10 * BLOCK_SIZE as u64;
    rig.world.set_faults(Faults { space_bytes_max, ..Faults::none() });
    assert_eq!(rig.admit(ROOM * 2), Ok(Admission::Later));
    rig.run();
    rig.append(ROOM);
}

#[test]
fn a_refused_segment_asks_for_little() {
    let mut rig = Rig::new();
    rig.fill_disk();
    for _ in 0..10 {
        assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
        rig.run();
        assert_eq!(rig.admit(ROOM), Err(Error::DiskFull));
    }
    let space_bytes_max = limits::ALLOCATION_STEP_MIN + 2 * BLOCK_SIZE as u64;
    rig.world.set_faults(Faults { space_bytes_max, ..Faults::none() });
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.append(ROOM / 2);
}

#[test]
fn a_file_that_is_opened_again_asks_for_no_more_space_next_time() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.append(ROOM);
    rig.run();
    rig.settle();
    for _ in 0..5 {
        for file in rig.log.take_files() {
            rig.fs.close(file);
        }
        assert_eq!(rig.admit(ROOM), Ok(Admission::Later), "its file is closed");
        assert_eq!(rig.run(), 1, "it is opened, and nothing more");
        assert_eq!(rig.admit(ROOM), Ok(Admission::Now));
    }
    assert_eq!(rig.run(), 0, "more than half is left");
}
