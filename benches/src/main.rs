//! What Tora is measured by: the floor (a yardstick server), the acceptance figures, other journals and other runtimes.

mod accept;
mod floor;
mod journals;
mod os;
mod reads;
mod runtimes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use accept::AcceptArgs;
use accept::partitions::FillArgs;
use floor::Durability;
use journals::JournalsArgs;
use reads::ReadsArgs;
use runtimes::{RuntimesArgs, ServeArgs};

#[derive(Debug, Parser)]
#[command(
    name = "tora-benches",
    about = "The yardstick for Tora, and the figures it must reach",
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve Produce as barely as possible, on one core: the yardstick
    #[command(long_about = FLOOR_ABOUT)]
    Floor(FloorArgs),
    /// Measure everything that has a target; exit code 1 if one is missed
    Accept(AcceptArgs),
    /// Compare the embedded engine with what else a journal could be kept in
    Journals(JournalsArgs),
    /// Fill a data folder with ten thousand partitions until it is killed: a part of `accept`
    #[command(hide = true)]
    FillPartitions(FillArgs),
    /// Measure consumers, from memory and from the disk; exit code 1 if a target is missed
    Reads(ReadsArgs),
    /// Compare runtimes: the same small server on the engine's own ring, tokio-uring and epoll
    #[command(long_about = runtimes::ABOUT)]
    Runtimes(RuntimesArgs),
    /// Serve frames on one runtime until SIGTERM: a part of `runtimes`
    #[command(hide = true)]
    ServeRuntime(ServeArgs),
}

const FLOOR_ABOUT: &str = "\
Serve Produce as barely as possible, on one core: receive, check the CRC, copy once, write with O_DIRECT, flush (or \
not), acknowledge. Any topic asked for exists. Nothing can be read back, and the file is removed at the end.

  tora-benches floor --listen 127.0.0.1:9092 --file /var/tmp/floor.dat
  tora-load bench --bootstrap 127.0.0.1:9092 --phases produce

It prints `listening on HOST:PORT` once it serves, and what it did when SIGTERM or Ctrl-C stops it.";

#[derive(Debug, Args)]
struct FloorArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,

    /// The scratch file, on the disk to be measured
    #[arg(long, value_name = "PATH")]
    file: PathBuf,

    /// Flush before each acknowledgement (the default)
    #[arg(long, conflicts_with_all = ["no_flush", "no_write"])]
    flush: bool,

    /// Acknowledge once written
    #[arg(long)]
    no_flush: bool,

    /// Acknowledge at once and write nothing
    #[arg(long, conflicts_with = "no_flush")]
    no_write: bool,

    /// With --no-flush, flush behind: so many MiB of each file may be unflushed, and appends wait for them
    #[arg(long, value_name = "N", requires = "no_flush", value_parser = clap::value_parser!(u64).range(1..=1024))]
    unflushed_mib: Option<u64>,

    /// Leave the file's blocks unwritten at first, as a new segment's are; slower with flushes
    #[arg(long)]
    fresh: bool,

    /// Files that partitions share, each written and flushed for itself
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=floor::FILES_MAX as i64))]
    files: u8,

    /// Size of each file, which is written over and over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    file_gib: u64,

    /// Core to run on
    #[arg(long, value_name = "N")]
    core: Option<usize>,

    /// Partitions of any topic asked for, until CreateTopics names a number
    #[arg(long, value_name = "N", default_value_t = 4)]
    partitions: usize,
}

impl FloorArgs {
    fn options(self) -> floor::Options {
        let durability = match (self.no_write, self.no_flush) {
            (true, _) => Durability::Memory,
            (false, true) => Durability::Written,
            (false, false) => Durability::Flushed,
        };
        let log = floor::LogOptions {
            path: self.file,
            files: usize::from(self.files),
            file_bytes: self.file_gib << 30,
            fresh: self.fresh,
            durability,
            unflushed_max: self.unflushed_mib.map(|mib| mib << 20),
        };
        floor::Options { listen: self.listen, core: self.core, partitions: self.partitions, log }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Floor(args) => {
            floor::run(args.options()).map(|()| true).map_err(|e| format!("the floor: {e}"))
        }
        Command::Accept(args) => accept::run(&args),
        Command::FillPartitions(args) => accept::partitions::fill(&args),
        Command::Journals(args) => journals::run(&args),
        Command::Reads(args) => reads::run(&args),
        Command::Runtimes(args) => runtimes::run(&args),
        Command::ServeRuntime(args) => runtimes::serve(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("tora-benches: {why}");
            ExitCode::from(2)
        }
    }
}
