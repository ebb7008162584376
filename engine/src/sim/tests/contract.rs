//! Whoever breaks the seam's contract is told at once.

use super::*;

fn rig() -> Rig {
    Rig::new(1, Faults::none())
}

#[test]
#[should_panic(expected = "change under the write in flight")]
fn two_writes_in_flight_must_not_overlap() {
    let mut rig = rig();
    rig.write(0, 0, 2, 1);
    rig.write(1, 1, 2, 1);
}

#[test]
#[should_panic(expected = "change under the write in flight")]
fn a_cut_must_wait_for_writes_in_flight() {
    let mut rig = rig();
    rig.write(0, 0, 2, 1);
    let _ = rig.fs.truncate(rig.file, 4096);
}

#[test]
fn writes_beside_each_other_may_be_in_flight() {
    let mut rig = rig();
    rig.write(0, 0, 2, 1);
    rig.write(1, 2, 2, 1);
    rig.wait(2);
    rig.write(2, 1, 2, 1);
    rig.wait(1);
}

#[test]
#[should_panic(expected = "not whole blocks")]
fn offsets_are_aligned() {
    let mut rig = rig();
    let data = Slice::copy_from(&[0; BLOCK_SIZE]);
    rig.io.submit(Token(0), Op::Write { file: rig.file, offset: 512, data });
}

#[test]
#[should_panic(expected = "unaligned memory")]
fn memory_is_aligned() {
    let mut rig = rig();
    let data = Slice::copy_from(&[0; 2 * BLOCK_SIZE]).slice(512..512 + BLOCK_SIZE);
    rig.io.submit(Token(0), Op::Write { file: rig.file, offset: 0, data });
}

#[test]
#[should_panic(expected = "not opened for direct writes")]
fn writes_need_a_file_opened_for_them() {
    let mut rig = rig();
    rig.file = rig.fs.open(Path::new(PATH), OpenMode::ReadWrite).unwrap();
    rig.write(0, 0, 1, 1);
}

#[test]
#[should_panic(expected = "closed under an operation in flight")]
fn a_file_in_use_is_not_closed() {
    let mut rig = rig();
    rig.write(0, 0, 1, 1);
    rig.fs.close(rig.file);
}

#[test]
#[should_panic(expected = "is not open")]
fn a_file_is_closed_once() {
    let rig = rig();
    rig.fs.close(rig.file);
    rig.fs.close(rig.file);
}
