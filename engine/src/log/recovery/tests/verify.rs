//! What verifying says of a log, and what recovery then does with it.

use std::path::Path;

use super::support::*;
use crate::checkpoint::Entry;
use crate::io::{Fs, read_file, replace_file};
use crate::log::recovery::{AtStart, Known, Verified, verify};
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader};
use crate::types::{LeaderEpoch, Offset, Position};

fn verified(machine: &Machine, checkpoint: Option<&Entry>) -> Verified {
    let known = Known { checkpoint, epoch: EPOCH, journaled: false };
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

#[test]
fn a_broker_epoch_that_lags_by_one_opening_is_noted() {
    for (epoch, notes) in [(EPOCH.value() - 1, 0), (EPOCH.value(), 1)] {
        let machine = Machine::new(1);
        machine.segment(&header(0, 0, 1 << 16), &batches(0, &[1000; 2], epoch), 1 << 18);
        let found = verified(&machine, None);
        assert!(found.is_sound() && found.notes.len() == notes, "{found:?}");
        assert!(found.notes.iter().all(|note| note.contains("broker-epoch is older")), "{found:?}");
        assert_eq!(as_said(&machine, None), None);
    }
}

/// Verifies, starts, and checks that the start does what was said. Answers that.
fn as_said(machine: &Machine, checkpoint: Option<&Entry>) -> Option<AtStart> {
    let found = verified(machine, checkpoint);
    let started = machine.recover(checkpoint);
    let starts: Vec<AtStart> = found.damages.iter().map(|damage| damage.start).collect();
    let refuses = starts.contains(&AtStart::RefusesPartition);
    assert_eq!(refuses, started.is_err(), "{:?}, and then {started:?}", found.damages);
    assert!(!refuses || starts.iter().all(|start| *start == AtStart::RefusesPartition), "{starts:?}");
    starts.first().copied()
}

/// Saves the index of the last segment as a checkpoint does.
fn save_hint(machine: &Machine) {
    let whole = machine.recovered(None);
    let index = &whole.segments.last().expect("there is one").index;
    segment::save_index_hint(&machine.fs, data_dir(), partition(), index).expect("no faults");
}

/// In each segment, with and without what a start knows of its batches, a header and a value is damaged.
#[test]
fn what_a_start_makes_of_damage_below_the_checkpoint_is_what_is_said() {
    let (header_byte, value_byte) = (16, 300);
    for (nth, has_index, byte, expected) in [
        (0, true, header_byte, AtStart::Overlooks),
        (0, true, value_byte, AtStart::Overlooks),
        (0, false, header_byte, AtStart::RefusesPartition),
        (0, false, value_byte, AtStart::Overlooks),
        (2, true, header_byte, AtStart::Overlooks),
        (2, true, value_byte, AtStart::Overlooks),
        (2, false, header_byte, AtStart::RefusesPartition),
        (2, false, value_byte, AtStart::Overlooks),
    ] {
        let machine = Machine::new(1);
        let (headers, all) = log(&machine);
        save_hint(&machine);
        if !has_index {
            let index = folder().join(segment::index_name(headers[nth].base_offset));
            machine.fs.remove_file(&index).expect("it was saved");
        }
        let second = HEADER_SIZE + all[4 * nth].len() as u64;
        flip(&machine, &path(&headers[nth]), second + byte);
        let said = as_said(&machine, Some(&checkpoint(&all)));
        assert_eq!(said, Some(expected), "segment {nth}, index {has_index}, byte {byte}");
        let said = as_said(&machine, None);
        let is_torn = nth == 2;
        assert_eq!(said, (!is_torn).then_some(AtStart::RefusesPartition), "without a checkpoint");
    }
}

#[test]
fn what_a_start_makes_of_bytes_that_cannot_be_read_is_what_is_said() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    save_hint(&machine);
    let entry = checkpoint(&all);
    let index = folder().join(segment::index_name(headers[0].base_offset));
    machine.world.spoil(&index, 0..1).expect("it is there");
    let found = verified(&machine, Some(&entry));
    assert_eq!(places(&found), [(segment::index_name(headers[0].base_offset), 0)]);
    assert_eq!(as_said(&machine, Some(&entry)), Some(AtStart::Repairs));
    assert!(verified(&machine, Some(&entry)).is_sound(), "the start has made another");

    // Of a sealed segment's file a start reads the first block.
    let second = HEADER_SIZE + all[4].len() as u64;
    machine.world.spoil(&path(&headers[1]), second..second + 1).expect("it is there");
    assert_eq!(as_said(&machine, Some(&entry)), Some(AtStart::Overlooks));
    let found = verified(&machine, Some(&entry));
    assert_eq!((places(&found), found.batches), (vec![(segment::file_name(headers[1].base_offset), 0)], 8));
    assert_eq!(as_said(&machine, None), Some(AtStart::RefusesPartition));
    machine.world.spoil(&path(&headers[1]), 5..6).expect("it is there");
    assert_eq!(as_said(&machine, Some(&entry)), Some(AtStart::RefusesPartition));
}

#[test]
fn an_emptied_log_of_a_later_opening_is_refused_as_is_said() {
    let machine = Machine::new(1);
    machine.prepare(&header(40, 5000, 1 << 16), 1 << 16);
    let mut entry = checkpoint(&[]);
    (entry.flushed_position, entry.flushed_offset) = (Position::new(5000), Offset::new(40));
    entry.log_start = Offset::new(40);
    for (ahead, expected) in [(0, None), (1, Some(AtStart::RefusesPartition))] {
        entry.last_epoch = LeaderEpoch::new(EPOCH.value() + ahead);
        assert_eq!(as_said(&machine, Some(&entry)), expected);
    }
    let found = verified(&machine, Some(&entry));
    assert!(found.damages[0].why.contains("the checkpoint says that a batch had"), "{:?}", found.damages);
    assert!(found.damages[0].advice.contains("broker-epoch"), "{:?}", found.damages);
}

#[test]
fn a_checkpoint_that_does_not_fit_its_log_is_damage() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let mut entry = checkpoint(&all[..10]);
    entry.flushed_position = entry.flushed_position.plus(5);
    assert_eq!(as_said(&machine, Some(&entry)), Some(AtStart::RefusesPartition));
    let found = verified(&machine, Some(&entry));
    assert_eq!((found.batches, places(&found).len()), (12, 1), "the batches are in order");
    assert_eq!(places(&found)[0].0, segment::file_name(headers[2].base_offset));
}

#[test]
fn what_a_start_refuses_because_of_one_damage_it_refuses_with_all_of_them() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let index = folder().join(segment::index_name(headers[0].base_offset));
    flip(&machine, &index, 40);
    flip(&machine, &path(&headers[1]), HEADER_SIZE + 300);
    let entry = checkpoint(&all);
    let found = verified(&machine, Some(&entry));
    assert_eq!(
        found.damages.iter().map(|damage| damage.start).collect::<Vec<_>>(),
        [AtStart::Repairs, AtStart::Overlooks]
    );
    flip(&machine, &path(&headers[2]), HEADER_SIZE + 16);
    assert_eq!(as_said(&machine, Some(&entry)), Some(AtStart::RefusesPartition));
}

#[test]
fn no_cut_is_promised_or_advised_while_journals_hold_records() {
    let machine = Machine::new(1);
    let (headers, all) = log(&machine);
    let verified = |checkpoint, journaled| {
        let known = Known { checkpoint, epoch: EPOCH, journaled };
        verify(&machine.fs, data_dir(), partition(), known, &mut |_| {})
    };
    flip(&machine, &path(&headers[2]), HEADER_SIZE + 300);
    for (journaled, said) in [(true, "the next start copies what the journals hold"), (false, "cuts them")] {
        let notes = verified(None, journaled).notes;
        assert!(notes.len() == 1 && notes[0].contains(said), "{notes:?}");
    }
    let entry = checkpoint(&all);
    for (journaled, said) in [(true, "start the server once and stop it"), (false, "truncate -s")] {
        let damages = verified(Some(&entry), journaled).damages;
        assert!(damages.len() == 1 && damages[0].advice.contains(said), "{damages:?}");
        assert_eq!(damages[0].advice.contains("truncate"), !journaled, "{damages:?}");
    }
}
