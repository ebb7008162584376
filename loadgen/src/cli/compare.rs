//! The arguments of `tora-load compare`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{duration, size};

pub const COMPARE_ABOUT: &str = "\
Compare Tora with Apache Kafka, or with another broker, on this machine.

Both run at the same time, each with nothing to do while the other is measured, and the same workloads are sent to both in \
turns: in each round every workload goes to every contender, in the reverse order in every second round. Before the first \
round each broker is warmed up, which is not counted (a JVM needs it), and before each measurement all filesystems' \
caches are written out and the disk has calmed down (twelve seconds are waited for it at most), so that nobody pays for what \
the one before wrote and deleted. Some workloads start, kill and restart brokers of their own, and some run Kafka's own tools; \
a few bind the broker to one core and the load generator to another, with brokers started for it. Where `tora-benches` lies beside \
this program, its floor, a bare server that only receives, writes and acknowledges, takes its turns in the first workload. \
What one of them cannot do, or not in time, stands in the report as such. Medians are reported with their spread over \
rounds; a ratio is taken within each round first.

Every figure stands beside what an acknowledgement meant:
  flushed   on the disk: Tora's default; Kafka's flush.messages=1
  written   the operating system has it (Kafka's default), or the device has (Tora's flush.messages=9223372036854775807, \
which writes around the operating system's cache and so is the stronger promise of the two)

Each measurement is a `tora-load bench` of its own with a results folder of its own. One that is finished is not made \
again: run the same command with the same --out to go on after an interruption.";

pub const COMPARE_EXAMPLES: &str = "\
Examples:
  tora-load compare --quick
      some minutes; Apache Kafka 4.3.1 comes from Maven Central into the cache folder (needs Java and Maven)
  tora-load compare --kafka-home /opt/kafka --out results/local/compare
      an installed Kafka; goes on where it was interrupted
  tora-load compare --peer other=localhost:9092,pid=1234
      any other broker that is running already

  tora-load compare --report-only --out results/local/compare
      the report again, in a second: after notes.md was written there, whose text stands beside the aims that were missed

Results: DIR/comparison.html to look at, DIR/comparison.md and DIR/comparison.svg for a README, DIR/compare.json, and for each measurement DIR/WORKLOAD/CONTENDER-ROUND/.";

/// A broker that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub name: String,
    /// HOST:PORT.
    pub address: String,
    pub pid: Option<u32>,
}

#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Fewer workloads, rounds and seconds
    #[arg(long)]
    pub quick: bool,

    /// Only workloads whose name contains this; repeat for more
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,

    /// Only these workloads, by their whole names
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub workloads: Vec<String>,

    /// How much is written before it is read back in the workload `fetch` (default: 4GB, or 500MB with --quick)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub fetch_bytes: Option<u64>,

    /// Rounds (default: 3, or 2 with --quick); some workloads have fewer
    #[arg(long, value_name = "N")]
    pub rounds: Option<u32>,

    /// How long each measurement lasts (default: 3s, or 1500ms with --quick); some take a multiple
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// How long each runs before it is measured (default: 1s, or 500ms with --quick)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub warmup: Option<Duration>,

    /// A folder with Kafka's `libs` (default: brought from Maven Central)
    #[arg(long, value_name = "DIR", conflicts_with = "peer")]
    pub kafka_home: Option<PathBuf>,

    /// Where what is brought is kept (default: ~/.cache/tora-load)
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// Compare with this broker instead of Kafka; it must be running
    #[arg(long, value_name = "NAME=HOST:PORT[,pid=N]", value_parser = peer)]
    pub peer: Option<Peer>,

    /// Cores that `tora` is to use
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub cores: u32,

    /// The `tora` to start (default: the one beside this program)
    #[arg(long, value_name = "FILE")]
    pub tora: Option<PathBuf>,

    /// The `tora-benches` whose floor server is the yardstick (default: the one beside this program, if it is there)
    #[arg(long, value_name = "FILE")]
    pub floor: Option<PathBuf>,

    /// Where the brokers keep their data; folders are made inside and removed (default: in the results folder)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Measure nothing: make the report again from what lies in the folder given by --out
    #[arg(long, requires = "out")]
    pub report_only: bool,

    /// Why a row of the aims falls short: a Markdown file with a heading for each row's key, and what a profile says below
    /// it (default: notes.md in the results folder, if it is there)
    #[arg(long, value_name = "FILE")]
    pub notes: Option<PathBuf>,

    /// Where the results go (default: results/local/<date-time>)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn peer(text: &str) -> Result<Peer, String> {
    const HELP: &str = "give it as NAME=HOST:PORT or NAME=HOST:PORT,pid=N";
    let (name, rest) = text.split_once('=').ok_or(HELP)?;
    let (address, pid) = match rest.split_once(",pid=") {
        Some((address, pid)) => (address, Some(pid.parse().map_err(|_| HELP)?)),
        None => (rest, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(plain) || name == "tora" || !address.contains(':') {
        return Err(format!("{HELP}; the name is one word and not `tora`"));
    }
    Ok(Peer { name: name.to_owned(), address: address.to_owned(), pid })
}

#[cfg(test)]
mod tests;
