//! Saved indexes: used where they fit, rebuilt where they don't.

use super::support::*;
use crate::io::{Fs, read_file, replace_file};
use crate::log::index::SparseIndex;
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader};
use crate::types::{Offset, Position};

/// Two segments of batches that need several index entries, the first one sealed.
fn log(machine: &Machine) -> ([SegmentHeader; 2], Vec<Vec<u8>>) {
    let all = batches(0, &[15_000; 24], 3);
    let headers = [header(0, 0, 1 << 16), header(24, all[..12].concat().len() as u64, 1 << 16)];
    machine.segment(&headers[0], &all[..12], 1 << 18);
    machine.segment(&headers[1], &all[12..], 1 << 18);
    machine.recovered(None);
    (headers, all)
}

/// An index of other batches in a segment of the same name and place.
fn wrong_index(header: &SegmentHeader) -> SparseIndex {
    let mut wrong = SparseIndex::new(header.base_offset, header.base_position);
    let mut base = header.base_offset.value();
    while base < 34 {
        let bytes = batch(base, 14_000, 3);
        wrong.add(&crate::batch::BatchHeader::parse(&bytes).expect("it is one"), wrong.covered_to().position);
        base += 2;
    }
    wrong
}

#[test]
fn damaged_and_missing_indexes_are_rebuilt_and_saved() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let whole = machine.recovered(None);
    let path = folder().join(segment::index_name(headers[0].base_offset));
    let saved = read_file(&machine.fs, &path).expect("it was sealed");
    let foreign = SparseIndex::new(Offset::new(5), Position::new(5)).encode();
    let partial = whole.segments[0].index.up_to(Offset::new(15)).encode();
    for bytes in [&saved[..saved.len() - 1], b"", &foreign, &partial] {
        replace_file(&machine.fs, &path, bytes).expect("no faults");
        let recovered = machine.recovered(Some(&checkpoint(&all[..20])));
        assert_eq!(recovered.segments, whole.segments);
        assert_eq!(read_file(&machine.fs, &path).expect("it was sealed again"), saved);
    }
    machine.fs.remove_file(&path).expect("it is there");
    assert_eq!(machine.recovered(Some(&checkpoint(&all[..20]))).segments, whole.segments);
    assert_eq!(read_file(&machine.fs, &path).expect("it was sealed again"), saved);
}

#[test]
fn a_plausible_index_that_leads_nowhere_is_rebuilt() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let whole = machine.recovered(None);
    segment::save_index_hint(&machine.fs, data_dir(), partition(), &wrong_index(&headers[1]))
        .expect("no faults");
    assert_eq!(machine.recovered(Some(&checkpoint(&all[..22]))).segments, whole.segments);
}

#[test]
fn the_hint_spares_reading_what_the_checkpoint_covers() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let whole = machine.recovered(None);
    let entry = checkpoint(&all[..22]);
    for hinted in [30, 36, 44, 48] {
        let hint = whole.segments[1].index.up_to(Offset::new(hinted));
        segment::save_index_hint(&machine.fs, data_dir(), partition(), &hint).expect("no faults");
        assert_eq!(machine.recovered(Some(&entry)).segments, whole.segments, "hint up to {hinted}");
    }
    // The segment's first batches are covered by the hint; nothing looks at them but for the first one's header.
    machine.write(&headers[1], HEADER_SIZE + 100, &[0; 20_000], true);
    let recovered = machine.recover(Some(&entry)).expect("it is not looked at").expect("it is there");
    assert_eq!(recovered.segments, whole.segments);
}

#[test]
fn damage_found_while_rebuilding_is_told() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    machine
        .fs
        .remove_file(&folder().join(segment::index_name(headers[0].base_offset)))
        .expect("it was sealed");
    let bad = HEADER_SIZE + all[..3].concat().len() as u64;
    machine.write(&headers[0], bad, &[0; 100], true);
    let message = assert_damaged(machine.recover(Some(&checkpoint(&all[..20]))), &headers[0], bad);
    assert!(message.contains("this part of the log was flushed"), "{message}");
}

#[test]
fn how_far_an_index_is_saved_is_known_after_a_start() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let whole = machine.recovered(None);
    assert_eq!(whole.index_saved_to, Position::ZERO, "all of it was read");
    let entry = checkpoint(&all[..22]);
    assert_eq!(machine.recovered(Some(&entry)).index_saved_to, Position::ZERO, "there is none");
    for hinted in [30, 36, 44, 48] {
        let hint = whole.segments[1].index.up_to(Offset::new(hinted));
        segment::save_index_hint(&machine.fs, data_dir(), partition(), &hint).expect("no faults");
        let saved_to = machine.recovered(Some(&entry)).index_saved_to;
        let expected = hint.up_to(entry.flushed_offset).covered_to().position;
        assert!(
            saved_to == expected && saved_to > headers[1].base_position,
            "a hint up to {hinted}: {saved_to}"
        );
    }
    segment::save_index_hint(&machine.fs, data_dir(), partition(), &wrong_index(&headers[1]))
        .expect("no faults");
    assert_eq!(machine.recovered(Some(&entry)).index_saved_to, Position::ZERO, "it leads nowhere");
}
