//! What verifying says of a log, and what recovery then does with it.

use std::path::Path;

use super::support::*;
use crate::checkpoint::Entry;
use crate::io::{Fs, read_file, replace_file};
use crate::log::recovery::{AtStart, Known, Verified, verify};
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader};
use crate::types::Offset;

fn verified(machine: &Machine, checkpoint: Option<&Entry>) -> Verified {
    let known = Known { checkpoint, epoch: EPOCH };
    let verified = verify(&machine.fs, data_dir(), partition(), known, &mut |_| {});
    assert_eq!(machine.world.open_files(), 0);
    verified
}

fn flip(machine: &Machine, path: &Path, at: u64) {
    let mut bytes = read_file(&machine.fs, path).expect("it is there");
    bytes[usize::try_from(at).expect("small")] ^= 1;
    replace_file(&machine.fs, path, &bytes).expect("no faults");
}

/// Three segments of four batches with two records each, all flushed, the first two sealed.
fn log(machine: &Machine) -> ([SegmentHeader; 3], Vec<Vec<u8>>) {
    let all = batches(0, &[1000; 12], 3);
    let size = all[..4].concat().len() as u64;
    let headers = [header(0, 0, 1 << 16), header(8, size, 1 << 16), header(16, 2 * size, 1 << 16)];
    for (header, batches) in headers.iter().zip(all.chunks(4)) {
        machine.segment(header, batches, 1 << 18);
    }
    machine.recovered(None);
    (headers, all)
}

fn path(header: &SegmentHeader) -> std::path::PathBuf {
    segment::path(data_dir(), header)
}

/// The files and places of the damages, by their names.
fn places(verified: &Verified) -> Vec<(String, u64)> {
    let name = |path: &Path| path.file_name().expect("it has one").to_string_lossy().into_owned();
    verified.damages.iter().map(|damage| (name(&damage.file), damage.offset)).collect()
}

#[test]
fn every_damage_is_told_wherever_the_others_are() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let entry = checkpoint(&all);
    let sound = verified(&machine, Some(&entry));
    assert_eq!((sound.batches, sound.records, sound.end, sound.is_sound()), (12, 24, Offset::new(24), true));

    let index = folder().join(segment::index_name(headers[0].base_offset));
    flip(&machine, &index, 40);
    let second = HEADER_SIZE + all[4].len() as u64;
    flip(&machine, &path(&headers[1]), second + 200);
    flip(&machine, &path(&headers[2]), HEADER_SIZE + 200);
    let found = verified(&machine, Some(&entry));
    let expected = [
        (segment::index_name(headers[0].base_offset), 0),
        (segment::file_name(headers[1].base_offset), second),
        (segment::file_name(headers[2].base_offset), HEADER_SIZE),
    ];
    assert_eq!(places(&found), expected);
    assert_eq!(found.damages[0].start, AtStart::Repairs);
    assert!(found.damages[1].lost.starts_with("the records with offsets 10 to 11; "), "{:?}", found.damages);
    assert!(found.damages[2].lost.starts_with("the records with offsets 16 to 17; "), "{:?}", found.damages);
    assert_eq!((found.batches, found.segments, found.is_sound()), (5, 3, false));
}

#[test]
fn segments_are_read_beside_one_that_is_missing_or_has_no_header() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let entry = checkpoint(&all);
    let [first, middle, last] = headers.each_ref().map(path);
    flip(&machine, &last, HEADER_SIZE + 200);
    flip(&machine, &middle, 20);
    let name = |nth: usize| segment::file_name(headers[nth].base_offset);
    let found = verified(&machine, Some(&entry));
    assert_eq!(places(&found), [(name(1), 0), (name(2), HEADER_SIZE)]);
    assert_eq!(found.batches, 4, "those of the first");

    machine.fs.remove_file(&middle).expect("it is there");
    let found = verified(&machine, Some(&entry));
    let end = HEADER_SIZE + all[..4].concat().len() as u64;
    assert_eq!(places(&found), [(name(0), end), (name(2), HEADER_SIZE)]);
    assert_eq!(found.damages[0].lost, "the records with offsets 8 to 15");

    machine.fs.remove_file(&first).expect("it is there");
    let found = verified(&machine, Some(&entry));
    assert_eq!(places(&found), [(name(2), 0), (name(2), HEADER_SIZE)]);
    assert_eq!(found.damages[0].lost, "the records with offsets 0 to 15");
}

#[test]
fn batches_of_later_openings_are_told_once_with_the_latest() {
    let machine = Machine::new(1);
    let epochs = [3, EPOCH.value() + 2, EPOCH.value() + 2, EPOCH.value() + 4];
    let all: Vec<_> = epochs.iter().zip(0..).map(|(epoch, nth)| batch(2 * nth, 1000, *epoch)).collect();
    machine.segment(&header(0, 0, 1 << 16), &all, 1 << 18);
    let found = verified(&machine, None);
    let last = HEADER_SIZE + all[..3].concat().len() as u64;
    assert_eq!(places(&found), [(segment::file_name(Offset::ZERO), last)]);
    assert!(found.damages[0].advice.contains("write the number 13 into it"), "{:?}", found.damages);
    assert_eq!((found.batches, found.end), (4, Offset::new(8)), "all the same they are in order");
}
