//! Recovery that crashes itself, at every call, and is repeated.

use super::support::*;
use crate::checkpoint::Entry;
use crate::log::segment::HEADER_SIZE;
use crate::types::Offset;

/// Logs as crashes leave them: their flushed batches, and a function that writes them.
struct Story {
    name: &'static str,
    /// Offset up to which batches are flushed.
    flushed: i64,
    /// Offset that the log may reach at most.
    written: i64,
    write: fn(&Machine) -> Option<Entry>,
}

const W: u64 = 1 << 16;

const STORIES: [Story; 5] = [
    Story { name: "a torn end", flushed: 6, written: 6, write: torn_end },
    Story { name: "unflushed survivors", flushed: 6, written: 12, write: unflushed },
    Story { name: "unsealed segments", flushed: 40, written: 40, write: unsealed },
    Story { name: "prepared successors", flushed: 8, written: 8, write: prepared },
    Story { name: "a checkpoint and a torn end", flushed: 8, written: 8, write: checkpointed },
];

fn torn_end(machine: &Machine) -> Option<Entry> {
    let mut batches = batches(0, &[900; 6], 3);
    batches[3][500] ^= 1;
    machine.segment(&header(0, 0, W), &batches, 1 << 15);
    None
}

fn unflushed(machine: &Machine) -> Option<Entry> {
    let (header, batches) = (header(0, 0, W), batches(0, &[900; 6], 3));
    machine.segment(&header, &batches[..3], 1 << 15);
    let at = HEADER_SIZE + batches[..3].concat().len() as u64;
    machine.write(&header, at, &batches[3..].concat(), false);
    None
}

fn unsealed(machine: &Machine) -> Option<Entry> {
    let batches = batches(0, &[900; 20], 3);
    for (at, chunk) in batches.chunks(5).enumerate() {
        let position = batches[..5 * at].concat().len() as u64;
        machine.segment(&header(10 * at as i64, position, W), chunk, 1 << 15);
    }
    None
}

fn prepared(machine: &Machine) -> Option<Entry> {
    let batches = batches(0, &[900; 4], 3);
    machine.segment(&header(0, 0, W), &batches, 1 << 15);
    machine.prepare(&header(20, 1 << 15, W), 1 << 15);
    machine.prepare(&header(30, 1 << 16, W), 1 << 15);
    None
}

fn checkpointed(machine: &Machine) -> Option<Entry> {
    let mut all = batches(0, &[900; 6], 3);
    let entry = checkpoint(&all[..2]);
    all[4][500] ^= 1;
    let (first, second) = (header(0, 0, W), header(6, all[..3].concat().len() as u64, W));
    machine.segment(&first, &all[..3], 1 << 15);
    machine.segment(&second, &all[3..], 1 << 15);
    Some(entry)
}

#[test]
fn a_crash_at_any_call_changes_nothing_that_was_flushed() {
    for story in &STORIES {
        for seed in 0..5 {
            let calls = (0..500).find(|calls| recovers_whole_after(story, seed, *calls));
            let calls =
                calls.unwrap_or_else(|| panic!("{}: recovering takes fewer than 500 calls", story.name));
            assert!(calls > 5, "{}: {calls} calls", story.name);
        }
    }
}

/// Lets the power go after so many calls, twice, then recovers. Says whether the first recovery had come to its end.
fn recovers_whole_after(story: &Story, seed: u64, calls: u64) -> bool {
    let mut machine = Machine::new(seed);
    let entry = (story.write)(&machine);
    machine.world.crash_after(calls);
    let first = machine.recover(entry.as_ref());
    let done = !machine.world.is_crashed();
    machine.crash();
    machine.world.crash_after(calls / 2);
    let _ = machine.recover(entry.as_ref());
    machine.crash();
    let recovered = machine.recovered(entry.as_ref());
    let end = recovered.end_offset;
    let (flushed, written) = (Offset::new(story.flushed), Offset::new(story.written));
    assert!((flushed..=written).contains(&end), "{}, {calls} calls: recovered to {end}", story.name);
    if done {
        let first = first.expect("it is not damaged").expect("it is there");
        assert_eq!(first.end_offset, end, "{}: what was shown stays", story.name);
    }
    done
}

#[test]
fn a_log_of_a_few_records_is_opened_and_read_once() {
    let all = batches(0, &[300; 3], 3);
    let takes = |entry: Option<&Entry>, calls| {
        let machine = Machine::new(1);
        machine.segment(&header(0, 0, W), &all, 1 << 16);
        machine.world.crash_after(calls);
        let _ = machine.recover(entry);
        !machine.world.is_crashed()
    };
    let entry = checkpoint(&all);
    // Listed, opened, its size, read, synced, closed. Ten thousand of them take ten thousand times as many.
    assert_eq!((0..100).find(|calls| takes(None, *calls)), Some(6));
    assert_eq!((0..100).find(|calls| takes(Some(&entry), *calls)), Some(5), "it need not be synced");
}
