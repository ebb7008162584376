//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    #[command(long_about = BENCH_ABOUT, after_long_help = BENCH_EXAMPLES)]
    Bench(Box<BenchArgs>),
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
}

const BENCH_ABOUT: &str = "\
Measure a broker and print a table.

Without --bootstrap it starts `tora` (the binary beside this one) on a fresh data folder and stops it at the end; with \
--bootstrap it measures any broker that speaks the Kafka protocol. Every run makes a topic of its own.

The phases:
  produce       the producers alone
  consume_hot   producers again, and consumers that follow them from the log's end
  end_to_end    the same at a steady rate, for the time from one end to the other: --rate, or 100,000 records/s where \
that is `max`, because as fast as it goes the time would only tell how long the queue is
  consume_cold  the whole topic from offset 0, after a restart of the broker (a broker given by --bootstrap is not \
restarted, and the table says so)

Every record is different, and every record is checked: it carries the number of its connection, a sequence number and \
its send time, and consumers verify each batch's CRC and look for gaps, duplicates and disorder. A record lost or \
duplicated makes the exit code 1.

Latency of produce is from the intended send to the acknowledgement; of consume_hot and end_to_end from the intended \
send to the record's arrival at a consumer, whose fetches wait at the broker for a first record as those of Kafka's \
consumer do (fetch.min.bytes 1, fetch.max.wait.ms 500). In an open loop (--rate) the intended send is the schedule's, \
however late the batch really went out, so that a stall counts for all that it held up. The disk's own time, a 4 KiB \
O_DIRECT write and its flush, is measured before the phases and stands below the table. MB is 10^6 bytes of record values. cpu-s/GB is the broker's CPU time for a GB of values; flush/ack \
counts all flushes of the broker's device, whoever asked for them, for each acknowledged request.";

const BENCH_EXAMPLES: &str = "\
Examples:
  tora-load bench
      tora at its defaults: as fast as it goes, each acknowledgement after a flush
  tora-load bench --set flush.messages=9223372036854775807
      the same, acknowledged once written, not flushed
  tora-load bench --rate 100000 --batch-records 10
      latency at a steady 100,000 records/s, in batches of 10
  tora-load bench --payload data/click.jsonl
      lines of a file as values
  tora-load bench --bootstrap localhost:9092 --pid $(pgrep -f kafka.Kafka)
      another broker, with its CPU time

Results: DIR/report.html to look at; DIR/summary.json; DIR/PHASE.csv, a line a second; and DIR/*.hlog in HdrHistogram's log format (microseconds), which HistogramLogAnalyzer and \
HistogramLogProcessor read.";

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
    /// The whole topic from offset 0, after a restart
    #[value(name = "consume_cold")]
    ConsumeCold,
}

impl Phase {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Produce, Self::ConsumeHot, Self::EndToEnd, Self::ConsumeCold];

    /// The phase's name in tables, files and the summary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::ConsumeHot => "consume_hot",
            Self::EndToEnd => "end_to_end",
            Self::ConsumeCold => "consume_cold",
        }
    }

    /// Whether it has producers.
    pub const fn produces(self) -> bool {
        !matches!(self, Self::ConsumeCold)
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

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Measure the broker at this address instead of starting `tora`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Broker")]
    pub bootstrap: Option<String>,

    /// Process id of the broker given by --bootstrap, to report its CPU time
    #[arg(long, value_name = "N", requires = "bootstrap", help_heading = "Broker")]
    pub pid: Option<u32>,

    /// Cores that `tora` is to use
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Broker")]
    pub cores: u32,

    /// A setting for `tora`, handed through; repeat for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, conflicts_with = "bootstrap", help_heading = "Broker")]
    pub set: Vec<(String, String)>,

    /// A config for the topic that the run creates, such as flush.messages=1; repeat for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Broker")]
    pub topic_config: Vec<(String, String)>,

    /// State what an acknowledgement of the broker at --bootstrap means; it is noted beside the figures
    #[arg(long, value_name = "TEXT", requires = "bootstrap", help_heading = "Broker")]
    pub durability: Option<String>,

    /// Where the broker keeps its data. For `tora`, a new folder is made inside (default: beside the results). With
    /// --bootstrap it only tells which disk to watch, so that the run stops before it is full
    #[arg(long, value_name = "DIR", help_heading = "Broker")]
    pub data_dir: Option<PathBuf>,

    /// Keep the data folder that the run has made for `tora`
    #[arg(long, conflicts_with = "bootstrap", help_heading = "Broker")]
    pub keep_data: bool,

    /// The `tora` to start (default: the one beside this program)
    #[arg(long, value_name = "FILE", conflicts_with = "bootstrap", help_heading = "Broker")]
    pub tora: Option<PathBuf>,

    /// Records a second, in an open loop, over all connections: latency then counts from the time at which a batch was
    /// due. `max` is a closed loop with --in-flight requests per connection (end_to_end runs at 100,000 then)
    #[arg(long, value_name = "N|max", default_value = "max", value_parser = rate, help_heading = "Load")]
    pub rate: Rate,

    /// Bytes of each record's value, at least 16
    #[arg(long, value_name = "BYTES", default_value_t = 100, help_heading = "Load")]
    pub record_size: u32,

    /// A file of which each line is a record's value; sequence number and send time go into headers then
    #[arg(long, value_name = "FILE", conflicts_with = "record_size", help_heading = "Load")]
    pub payload: Option<PathBuf>,

    /// Records in a batch; each request carries one batch
    #[arg(long, value_name = "N", default_value_t = 500, help_heading = "Load")]
    pub batch_records: u32,

    /// Connections that produce, and as many that consume (at most one a partition)
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Load")]
    pub connections: u32,

    /// Requests in flight on a producing connection, with --rate max
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Load")]
    pub in_flight: u32,

    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Load")]
    pub partitions: u32,

    /// What a producer waits for
    #[arg(long, default_value = "all", help_heading = "Load")]
    pub acks: Acks,

    /// Produce idempotently: producer ids, and sequence numbers that the broker checks
    #[arg(long, help_heading = "Load")]
    pub idempotent: bool,

    /// How long each producing phase is measured, such as 10s, 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Load")]
    pub duration: Duration,

    /// How long a producing phase runs before it is measured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration, help_heading = "Load")]
    pub warmup: Duration,

    /// The phases to run
    #[arg(
        long,
        value_name = "PHASE,…",
        value_delimiter = ',',
        default_value = "produce,consume_hot,end_to_end,consume_cold",
        help_heading = "Load"
    )]
    pub phases: Vec<Phase>,

    /// Threads of the load generator itself, each with its own ring (default: half of the processors)
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub threads: Option<u32>,

    /// Where the results go (default: results/local/<date-time>)
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,

    /// No live progress
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
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
