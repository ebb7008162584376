//! Long random histories against a model that forgets nothing.

use std::collections::BTreeMap;

use super::*;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }
}

/// Everything one producer ever appended in its epoch: (first sequence, records, offset).
#[derive(Default)]
struct History {
    epoch: i16,
    batches: Vec<(i32, i32, i64)>,
    next: i32,
}

#[test]
fn nothing_is_stored_twice_and_nothing_new_is_refused() {
    for seed in 1..40 {
        let mut random = Random(seed);
        let mut producers = Producers::new(1000);
        let mut histories = BTreeMap::<i64, History>::new();
        let mut end = 0;
        for _ in 0..200 {
            let id = random.below(4) as i64;
            let history = histories.entry(id).or_insert_with(|| {
                // Some begin close to where the numbers wrap.
                History { next: if id % 2 == 0 { 0 } else { i32::MAX - 20 }, ..History::default() }
            });
            if random.below(30) == 0 {
                *history = History { epoch: history.epoch + 1, ..History::default() };
            }
            if random.below(3) == 0 && !history.batches.is_empty() {
                repeat(&producers, id, history, random.below(history.batches.len() as u64) as usize);
            } else {
                let count = 1 + random.below(9) as i32;
                let header = batch(id, history.epoch, history.next, count);
                assert_eq!(producers.check(&header), Verdict::Append, "seed {seed}");
                producers.record(&header, Offset::new(end), end);
                history.batches.push((history.next, count, end));
                history.next = ((i64::from(history.next) + i64::from(count)) % (1 << 31)) as i32;
                end += i64::from(count);
            }
        }
    }
}

/// Sends a batch of the past again: it must be known, with its offsets if it is one of the last five.
fn repeat(producers: &Producers, id: i64, history: &History, index: usize) {
    let (sequence, count, offset) = history.batches[index];
    let verdict = producers.check(&batch(id, history.epoch, sequence, count));
    let age = history.batches.len() - index;
    match verdict {
        Verdict::Duplicate { base_offset, end_offset, .. } => {
            assert!(age <= BATCHES_KEPT);
            assert_eq!((base_offset.value(), end_offset.value()), (offset, offset + i64::from(count)));
        }
        Verdict::DuplicateSequence { before } => {
            assert!(age > BATCHES_KEPT);
            assert!(offset + i64::from(count) <= before.value(), "its original lies before that offset");
        }
        other => panic!("a batch of the past was {other:?}"),
    }
}
