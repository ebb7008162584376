//! `journals`: the engine, embedded, beside what a service would otherwise keep its append-only journal in, and beside the
//! disk itself.
//!
//! Everything appended is flushed before it counts. It measures time, so it is no test: run it on a machine that does
//! nothing else.

mod candidates;
mod disk;
mod measure;
mod report;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

pub use candidates::Candidate;
pub use measure::{Latencies, Until};
pub use report::Figures;

/// What can go wrong in any of the libraries.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A record's size in bytes.
pub const RECORD_BYTES: usize = 100;

/// Appends under way at once in the second phase.
pub const IN_FLIGHT: usize = 64;

/// What to measure, and how long.
#[derive(Clone, Debug, Args)]
pub struct JournalsArgs {
    /// Interleaved rounds
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Measured seconds of each phase: one append at a time, 64 in flight
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    duration: f64,

    /// The journals to measure
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "tora,file,fjall,redb,okaywal,nano-wal"
    )]
    only: Vec<Candidate>,

    /// Where the results and, for the time of each run, the data go (default: results/local/DATE-TIME-journals)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Measures, prints the table and writes it down.
pub fn run(args: &JournalsArgs) -> Result<bool, String> {
    if cfg!(debug_assertions) {
        return Err("measure an optimised build: cargo run --release -p tora-benches -- journals".into());
    }
    let out = match &args.out {
        Some(out) => out.clone(),
        None => crate::accept::results_folder("journals")?,
    };
    let options = Options {
        folder: out.clone(),
        rounds: args.rounds,
        duration: Duration::try_from_secs_f64(args.duration).map_err(|e| format!("--duration: {e}"))?,
        candidates: args.only.clone(),
    };
    let figures = figures(&options).map_err(|e| e.to_string())?;
    println!("\n{}", figures.table());
    figures.write(&out).map_err(|e| format!("cannot write the results to {}: {e}", out.display()))?;
    println!("results in {}", out.display());
    Ok(true)
}

/// What [`figures`] measures.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder on the disk that matters; what is put there is removed again.
    pub folder: PathBuf,
    /// Interleaved rounds.
    pub rounds: u32,
    /// Of each phase.
    pub duration: Duration,
    /// In the order of each round. The disk's own figures are always taken.
    pub candidates: Vec<Candidate>,
}

/// Measures all candidates and the disk in interleaved rounds: medians of the rounds.
///
/// # Errors
/// Whatever a journal fails with, and a journal that does not give back what was appended.
pub fn figures(options: &Options) -> Result<Figures, Failure> {
    fs::create_dir_all(&options.folder)?;
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        println!("# round {round} of {}", options.rounds);
        rounds.push(measure::round(options)?);
    }
    Ok(Figures::of(&rounds))
}

/// The disk's own write and flush of a 4 KiB block that was written before: this quantile over `duration`, in microseconds. One
/// follows the other, or one begins each `pace`: a disk that has rested, and processors that have slept, take longer.
///
/// # Errors
/// The system's.
pub fn disk_us(
    folder: &Path,
    duration: Duration,
    pace: Option<Duration>,
    quantile: f64,
) -> Result<f64, Failure> {
    let measured = in_folder(folder, "disk", |folder| {
        disk::Disk::create(folder, disk::Blocks::Written)?.run_paced(Until::after(duration), pace)
    })?;
    Ok(measured.micros(quantile))
}

/// Does `work` with a new folder that is gone afterwards.
fn in_folder<T>(
    parent: &Path,
    name: &str,
    work: impl FnOnce(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let folder = parent.join(name);
    fs::create_dir(&folder)?;
    let result = work(&folder);
    fs::remove_dir_all(&folder)?;
    result
}

#[cfg(test)]
mod tests;
