//! The engine on the simulated machine: nothing that was acknowledged or shown is lost, doubled or changed.
//!
//! A few hundred seeds; `cargo run --release -p tora-engine --features sim --example sim -- --seeds 10000` runs more.
#![cfg(feature = "sim")]

use tora_engine::sim::{RunOptions, run_seed};

#[test]
fn nothing_acknowledged_is_lost_doubled_or_changed() {
    for seed in 0..300 {
        let report = run_seed(seed, RunOptions::default()).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert!(report.operations >= 200, "seed {seed} has {} operations only", report.operations);
        assert!(report.crashes >= 2, "seed {seed} has {} crashes only", report.crashes);
    }
}
