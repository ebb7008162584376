//! `reads`: what consumers cost and how fast they are, from memory and from the disk.
//!
//! It measures time, so it is no test: run it on a machine that does nothing else. Each part is a function that the
//! acceptance can call as well.

mod beside;
mod cold;
mod consumer;
mod disk;
mod hot;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::accept::Setup;
use crate::accept::report::Report;
pub use beside::beside;
pub use cold::cold;
pub use hot::hot;

/// What to measure, and how long.
#[derive(Debug, Args)]
pub struct ReadsArgs {
    /// Interleaved rounds of what is compared
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Measured seconds of each producing run
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    duration: u64,

    /// The parts to measure
    #[arg(long, value_name = "PART,…", value_delimiter = ',', default_value = "hot,cold,beside")]
    parts: Vec<Part>,

    /// The server to measure (default: the `tora` built beside this program)
    #[arg(long, value_name = "FILE")]
    tora: Option<PathBuf>,

    /// Where the results and, for the time of each run, the data go (default: results/local/DATE-TIME-reads)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The broker's CPU time for consumers that read what is still in memory
    Hot,
    /// Consumers that read from the disk, against the disk itself
    Cold,
    /// What producers feel of a consumer that reads from the disk
    Beside,
}

/// Runs the parts; true if every target is met.
pub fn run(args: &ReadsArgs) -> Result<bool, String> {
    let setup = Setup::new("reads", args.rounds, args.duration, args.tora.as_ref(), args.out.as_ref())?;
    let mut report = Report::new(&setup.out, std::env::args().collect());
    for part in &args.parts {
        let measured = match part {
            Part::Hot => hot(&setup, &mut report),
            Part::Cold => cold(&setup, &mut report),
            Part::Beside => beside(&setup, &mut report),
        };
        if let Err(why) = measured {
            report.failed(&format!("{part:?}"), &why);
        }
    }
    report.write().map_err(|e| format!("cannot write the results to {}: {e}", setup.out.display()))?;
    println!("\n{}\nresults in {}", report.table(), setup.out.display());
    Ok(report.passed())
}
