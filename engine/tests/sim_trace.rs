//! Everything that happens in a run follows from its seed.
#![cfg(feature = "sim")]

use std::sync::{Arc, Mutex};

use tora_engine::sim::{RunOptions, run_seed};

/// A run's trace hash and, where asked for, its lines.
fn run(seed: u64, with_lines: bool) -> (u64, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = with_lines.then(|| -> tora_engine::sim::Sink {
        let lines = Arc::clone(&lines);
        Box::new(move |line| lines.lock().expect("one thread writes").push(line.to_owned()))
    });
    let report = run_seed(seed, RunOptions { plant: None, sink });
    let report = report.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    let lines = std::mem::take(&mut *lines.lock().expect("one thread writes"));
    (report.trace_hash, lines)
}

#[test]
fn the_same_seed_has_the_same_trace() {
    for seed in 0..20 {
        let (first, second) = (run(seed, seed < 3), run(seed, seed < 3));
        for (nth, (one, other)) in first.1.iter().zip(&second.1).enumerate() {
            assert_eq!(one, other, "seed {seed} differs from event {nth} on");
        }
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn printing_the_trace_changes_nothing() {
    assert_eq!(run(5, true).0, run(5, false).0);
}

#[test]
fn another_seed_has_another_trace() {
    assert_ne!(run(1, false).0, run(2, false).0);
}
