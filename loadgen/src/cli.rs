//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

mod bench;
mod broker;
mod compare;
mod verify;

pub use bench::BenchArgs;
use bench::{BENCH_ABOUT, BENCH_EXAMPLES};
pub use broker::BrokerArgs;
pub use compare::CompareArgs;
use compare::{COMPARE_ABOUT, COMPARE_EXAMPLES};
pub use verify::VerifyArgs;
use verify::{VERIFY_ABOUT, VERIFY_EXAMPLES};

/// A load generator for brokers that speak the Kafka protocol.
#[derive(Debug, Parser)]
#[command(name = "tora-load", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure a broker: produce, consume while producing, end to end, consume from the disk
    #[command(long_about = BENCH_ABOUT, after_long_help = BENCH_EXAMPLES, args_override_self = true)]
    Bench(Box<BenchArgs>),
    /// Prove that nothing is lost, duplicated or out of order, also of a broker that is killed meanwhile
    #[command(long_about = VERIFY_ABOUT, after_long_help = VERIFY_EXAMPLES)]
    Verify(Box<VerifyArgs>),
    /// Compare Tora with Apache Kafka: the same workloads on both, in turns
    #[command(long_about = COMPARE_ABOUT, after_long_help = COMPARE_EXAMPLES)]
    Compare(Box<CompareArgs>),
    /// Build the HTML report of a run, or of several side by side, from their raw data
    #[command(after_long_help = REPORT_EXAMPLES)]
    Report {
        /// Results folders of `tora-load bench`
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// The file to write (default: report.html in the first folder)
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the data set for --payload (click, sensor and log lines) into a folder
    #[command(hide = true)]
    Dataset {
        /// The folder, made if missing
        folder: PathBuf,
    },
    /// Wait until the disk has calmed down, twelve seconds at most: before a measurement of latency
    #[command(hide = true)]
    Calm {
        /// A folder on it
        folder: PathBuf,
        /// What a write and its flush took at the quietest moment before, in microseconds
        #[arg(long, value_name = "N")]
        quietest_us: Option<u64>,
        /// What the device had been told to discard by then, in bytes since boot
        #[arg(long, value_name = "N")]
        discarded_bytes: Option<u64>,
    },
}

const REPORT_EXAMPLES: &str = "\
Examples:
  tora-load report results/local/2026-01-31T23-59-59Z
      makes that run's report.html again; prints where it is
  tora-load report results/local/flushed results/local/written --out both.html
      two runs side by side, every picture with a line for each

The file needs nothing else: no script, no font, no network.";

/// A phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Phase {
    /// Producers alone
    #[value(name = "produce")]
    Produce,
    /// Producers, and consumers following them
    #[value(name = "consume_hot")]
    ConsumeHot,
    /// The same at a steady rate
    #[value(name = "end_to_end")]
    EndToEnd,
    /// The last megabytes of each partition, over and over
    #[value(name = "consume_cached")]
    ConsumeCached,
    /// The whole topic from offset 0, after a restart
    #[value(name = "consume_cold")]
    ConsumeCold,
}

impl Phase {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 5] =
        [Self::Produce, Self::ConsumeHot, Self::EndToEnd, Self::ConsumeCached, Self::ConsumeCold];

    /// The phase's name in tables, files and the summary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::ConsumeHot => "consume_hot",
            Self::EndToEnd => "end_to_end",
            Self::ConsumeCached => "consume_cached",
            Self::ConsumeCold => "consume_cold",
        }
    }

    /// Whether it has producers.
    pub const fn produces(self) -> bool {
        !matches!(self, Self::ConsumeCached | Self::ConsumeCold)
    }

    /// Whether its consumers follow its own producers.
    pub const fn follows(self) -> bool {
        matches!(self, Self::ConsumeHot | Self::EndToEnd)
    }

    /// Whether it has consumers.
    pub const fn consumes(self) -> bool {
        !matches!(self, Self::Produce)
    }
}

/// How fast to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Closed loop: a request goes out as soon as one of a connection's places is free.
    Max,
    /// Open loop: so many records a second, whatever the broker does.
    PerSecond(u64),
}

/// What is done to the records of a batch before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Nothing
    #[value(name = "none")]
    None,
    /// An LZ4 frame, made once: every batch carries the same one
    #[value(name = "lz4")]
    Lz4,
    /// The same as a Zstandard frame, about level 1
    #[value(name = "zstd")]
    Zstd,
}

impl Compression {
    /// Its name, as everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Which acknowledgement a producer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Acks {
    /// None: latency then ends when the request is handed to the kernel
    #[value(name = "0")]
    None,
    /// The leader's
    #[value(name = "1")]
    Leader,
    /// All in-sync replicas'
    #[value(name = "all", alias = "-1")]
    All,
}

impl Acks {
    /// As the Produce request has it.
    pub const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    match text.parse::<u64>() {
        Ok(n) if n > 0 => Ok(Rate::PerSecond(n)),
        _ => Err("give records a second as a whole number above 0, or `max`".into()),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("give it as KEY=VALUE, for example flush.messages=1".into()),
    }
}

/// Bytes in powers of 1000, as in `500MB` or `4GB`.
fn size(text: &str) -> Result<u64, String> {
    const HELP: &str = "give a size such as 500MB or 4GB";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let power = match unit {
        "" | "B" => 0,
        "kB" => 3,
        "MB" => 6,
        "GB" => 9,
        _ => return Err(HELP.into()),
    };
    let number: u64 = number.parse().map_err(|_| HELP)?;
    number.checked_mul(10u64.pow(power)).filter(|&bytes| bytes > 0).ok_or_else(|| HELP.into())
}

fn duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "give a time such as 10s, 500ms or 2m";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| HELP)?;
    let seconds = |n| Ok(Duration::from_secs(n));
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => seconds(number),
        "m" => number.checked_mul(60).ok_or(HELP.to_owned()).and_then(seconds),
        _ => Err(HELP.into()),
    }
}

#[cfg(test)]
mod tests;
