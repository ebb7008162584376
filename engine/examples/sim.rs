//! Runs seeds on the simulated machine: `cargo run --release -p tora-engine --features sim --example sim -- --seeds 10000`.
//!
//! `--from N` begins with seed N, `--trace` prints every event (best with one seed), `--plant NAME` plants a bug and
//! stops at the first seed that finds it. Ends with 1 where a seed fails.

use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tora_engine::sim::plant::Plant;
use tora_engine::sim::{Report, RunOptions, run_seed};

/// The seed under way: a release build ends at a panic, so the panic hook names it.
static CURRENT: AtomicU64 = AtomicU64::new(0);

struct Arguments {
    seeds: u64,
    from: u64,
    trace: bool,
    plant: Option<Plant>,
    keep_going: bool,
}

fn parse() -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 100, from: 0, trace: false, plant: None, keep_going: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number(value()?)?,
            "--from" => arguments.from = number(value()?)?,
            "--trace" => arguments.trace = true,
            "--keep-going" => arguments.keep_going = true,
            "--plant" => {
                let name = value()?;
                let names = Plant::ALL.map(Plant::name).join(", ");
                arguments.plant =
                    Some(Plant::parse(&name).ok_or_else(|| format!("no plant {name}; there are {names}"))?);
            }
            _ => return Err(format!("unknown argument {word}; see the head of examples/sim.rs")),
        }
    }
    Ok(arguments)
}

#[expect(clippy::disallowed_methods, reason = "the run's own time, outside the simulation")]
fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let (plant, hook) = (arguments.plant, panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        hook(info);
        let seed = CURRENT.load(Ordering::Relaxed);
        eprintln!("seed {seed} panics\n    replay: {}", replay(seed, plant));
    }));
    let started = Instant::now();
    let mut reported = started;
    let mut total = Report::default();
    let mut failures = 0_u64;
    let end = arguments.from + arguments.seeds;
    for seed in arguments.from..end {
        CURRENT.store(seed, Ordering::Relaxed);
        let sink = arguments.trace.then(|| -> tora_engine::sim::Sink { Box::new(|line| println!("{line}")) });
        match run_seed(seed, RunOptions { plant: arguments.plant, sink }) {
            Ok(report) => {
                total.operations += report.operations;
                total.crashes += report.crashes;
                total.kills += report.kills;
                total.kept += report.kept;
                total.gone += report.gone;
                total.excused += report.excused;
                total.trace_hash = total.trace_hash.rotate_left(1) ^ report.trace_hash;
            }
            Err(why) => {
                failures += 1;
                println!("seed {seed}: {why}\n    replay: {}", replay(seed, arguments.plant));
                if !arguments.keep_going {
                    return ExitCode::FAILURE;
                }
            }
        }
        if reported.elapsed() > Duration::from_secs(5) {
            reported = Instant::now();
            let done = seed + 1 - arguments.from;
            eprintln!(
                "{done} of {} seeds, {failures} failed, {:.0} s",
                arguments.seeds,
                started.elapsed().as_secs_f64()
            );
        }
    }
    println!(
        "{} seeds in {:.1} s: {} operations, {} crashes, {} kills; {} batches kept, {} gone, {} requests excused by \
         faults; {failures} seeds failed; hash {:016x}",
        arguments.seeds,
        started.elapsed().as_secs_f64(),
        total.operations,
        total.crashes,
        total.kills,
        total.kept,
        total.gone,
        total.excused,
        total.trace_hash
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, plant: Option<Plant>) -> String {
    let plant = plant.map_or(String::new(), |plant| format!(" --plant {}", plant.name()));
    format!(
        "cargo run --release -p tora-engine --features sim --example sim -- --from {seed} --seeds 1 --trace{plant}"
    )
}
