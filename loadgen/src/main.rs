//! `tora-load`: drives records at a broker that speaks the Kafka protocol, checks every one, and reports throughput,
//! latency and the broker's CPU time.
//!
//! The way through: [`cli`] → [`workload`] (the arguments, checked) → [`bench`] (broker, topic, phases) → [`phase`]
//! (one phase: starting, watching) → [`worker`] (a thread and its ring) → [`driver`] and [`consumer`] (a connection
//! each) → [`summary`] and [`table`], and from what these leave on the disk → [`report`].
//! [`verify`] goes a way of its own, with threads that outlive the broker.

mod admin;
mod bench;
mod broker;
mod check;
mod cli;
mod client;
mod clock;
mod codec;
mod compare;
mod consumer;
mod cpu;
mod dataset;
mod date;
mod disk;
mod driver;
mod durability;
mod histogram;
mod machine;
mod meter;
mod page_cache;
mod phase;
mod placement;
mod probe;
mod progress;
mod reading;
mod report;
mod samples;
mod schedule;
mod stamp;
mod subject;
mod summary;
mod sys;
mod table;
mod template;
mod timer;
mod usage;
mod verify;
mod worker;
mod workload;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use cli::{Cli, Command};
use probe::calm::Known;

/// The run could not begin.
const EXIT_REFUSED: u8 = 2;

fn main() -> ExitCode {
    sys::catch_interrupts();
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Report { folders, out } => report::build(&folders, out.as_deref()).map(|path| {
            println!("{}", path.display());
            true
        }),
        Command::Dataset { folder } => dataset::write(&folder).map(|()| true),
        Command::Calm { folder, quietest_us, discarded_bytes } => {
            let quietest = quietest_us.map(Duration::from_micros);
            probe::calm::run(&folder, Known { quietest, discarded_bytes }).map(|()| true)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("tora-load: {why}");
            ExitCode::from(EXIT_REFUSED)
        }
    }
}
