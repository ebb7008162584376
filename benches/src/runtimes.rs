//! `runtimes`: the same small server on the engine's own ring, on tokio-uring and on epoll, doing the same work for the
//! same client, so that the choice of runtime rests on figures that anyone can repeat.
//!
//! It measures time, so it is no test: run it on a machine that does nothing else.

mod client;
mod disk;
mod frames;
mod measure;
mod report;
mod servers;
mod work;

use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::os;
use measure::{Plan, measure};
use report::Report;
use servers::Runtime;
pub use servers::{ServeArgs, serve};
use work::Work;

/// What `--help` says.
pub const ABOUT: &str = "\
Compare runtimes: the same small server on the engine's own ring (its reactor, as Tora's server runs on it), on \
tokio-uring (COOP_TASKRUN) and on epoll (tokio, current-thread).

Frames of a length and a body are each answered, in order, by a small frame. Where the work is `flushed` or `durable`, \
each is first written to a file of 64 MiB, a block of 4 KiB at a time with O_DIRECT: on the rings as their own \
operations, on epoll by a pool of threads, since no file is ever ready or not to epoll.

The server's loop is tied to one core and the client, one thread on a ring, to another; threads that wait for the disk, \
the pool's and the kernel's, run where they may. The servers take turns, round by round: A B C, C B A, … The CPU time is \
that of the server's whole process. A `*` marks where the client was the bottleneck.

  tora-benches runtimes                                    # everything, about four minutes
  tora-benches runtimes --work flushed,durable --rounds 9  # the disk path
  tora-benches runtimes --out /mnt/nvme/runtimes           # on another disk

Run it on a machine that does nothing else.";

/// What to measure, and how long.
#[derive(Clone, Debug, Args)]
pub struct RuntimesArgs {
    /// Interleaved rounds
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Measured seconds of each server's turn
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    duration: f64,

    /// The kinds of work to measure (default: all of them)
    #[arg(long, value_name = "WORK,…", value_delimiter = ',')]
    work: Vec<Work>,

    /// The runtimes to measure (default: all of them)
    #[arg(long, value_name = "RUNTIME,…", value_delimiter = ',')]
    only: Vec<Runtime>,

    /// Core of the servers' loops
    #[arg(long, value_name = "N", default_value_t = 0)]
    server_core: usize,

    /// Core of the client
    #[arg(long, value_name = "N", default_value_t = 1)]
    client_core: usize,

    /// Where the results and, for the time of the run, the data go (default: results/local/DATE-TIME-runtimes)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Measures, prints the tables and writes them down.
///
/// # Errors
/// What could not be measured, and why.
pub fn run(args: &RuntimesArgs) -> Result<bool, String> {
    if cfg!(debug_assertions) {
        return Err("measure an optimised build: cargo run --release -p tora-benches -- runtimes".into());
    }
    let cores = available_parallelism().map_or(1, usize::from);
    if cores < 2 || args.server_core == args.client_core {
        return Err(format!(
            "server and client need a core each: this process may use {cores}, and they are told to run on {} and {} \
             (--server-core, --client-core)",
            args.server_core, args.client_core
        ));
    }
    os::pin_to_core(args.client_core)
        .map_err(|e| format!("the client cannot run on core {}: {e}", args.client_core))?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => crate::accept::results_folder("runtimes")?,
    };
    let plan = plan(args, out.join("data"))?;
    let cannot = |e| format!("cannot write the results to {}: {e}", out.display());
    fs::create_dir_all(&plan.folder).map_err(cannot)?;
    let works = plan.works.iter().map(|work| measure(&plan, *work)).collect::<Result<_, _>>()?;
    fs::remove_dir_all(&plan.folder).map_err(cannot)?;
    let report = Report::new(&plan, works);
    println!("\n{}\n{}", report.table(), report.summary());
    report.write(&out).map_err(cannot)?;
    println!("results in {}", out.display());
    Ok(true)
}

fn plan(args: &RuntimesArgs, folder: PathBuf) -> Result<Plan, String> {
    Ok(Plan {
        program: std::env::current_exe().map_err(|e| format!("cannot tell where this program lies: {e}"))?,
        folder,
        runtimes: or_all(&args.only),
        works: or_all(&args.work),
        rounds: args.rounds,
        duration: Duration::try_from_secs_f64(args.duration).map_err(|e| format!("--duration: {e}"))?,
        server_core: args.server_core,
    })
}

fn or_all<T: ValueEnum + Clone>(chosen: &[T]) -> Vec<T> {
    if chosen.is_empty() { T::value_variants().to_vec() } else { chosen.to_vec() }
}
