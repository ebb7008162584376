//! The arguments of `tora-load bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Acks, BrokerArgs, Compression, Phase, Rate, duration, rate, size};

pub const BENCH_ABOUT: &str = "\
Measure a broker and print a table.

Without --bootstrap it starts `tora` (the binary beside this one) on a fresh data folder and stops it at the end; with \
--bootstrap it measures any broker that speaks the Kafka protocol. Every run makes a topic of its own.

The phases:
  produce       the producers alone
  consume_hot   producers again, and consumers that follow them from the log's end
  end_to_end    the same at a steady rate, for the time from one end to the other: --rate, or 100,000 records/s where \
that is `max`, because as fast as it goes the time would only tell how long the queue is
  consume_cached  the last two megabytes of each partition over and over, with nobody producing: what a broker has in \
memory (it runs where --phases names it)
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

pub const BENCH_EXAMPLES: &str = "\
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

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// Process id of the broker given by --bootstrap, to report its CPU time
    #[arg(long, value_name = "N", requires = "bootstrap", help_heading = "Broker")]
    pub pid: Option<u32>,

    /// State what an acknowledgement of the broker at --bootstrap means; it is noted beside the figures
    #[arg(long, value_name = "TEXT", requires = "bootstrap", help_heading = "Broker")]
    pub durability: Option<String>,

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

    /// Use this topic, which must be there, and leave it (default: a topic of the run's own)
    #[arg(long, value_name = "NAME", requires = "bootstrap", help_heading = "Load")]
    pub topic: Option<String>,

    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Load")]
    pub partitions: u32,

    /// Compress what is produced (phase produce alone: compressed records carry no stamps to be checked)
    #[arg(long, default_value = "none", help_heading = "Load")]
    pub compression: Compression,

    /// What a producer waits for
    #[arg(long, default_value = "all", help_heading = "Load")]
    pub acks: Acks,

    /// Produce idempotently: producer ids, and sequence numbers that the broker checks
    #[arg(long, help_heading = "Load")]
    pub idempotent: bool,

    /// How long each producing phase is measured, such as 10s, 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Load")]
    pub duration: Duration,

    /// End each producing phase once so many bytes were sent, such as 4GB, whatever --duration says
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Load")]
    pub bytes: Option<u64>,

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

    /// Before consume_cold, drop what the operating system caches of the files below --data-dir
    #[arg(long, requires = "data_dir", help_heading = "Load")]
    pub drop_page_cache: bool,

    /// After the phases, measure the disk's own sequential read of so many bytes below --data-dir
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "data_dir", help_heading = "Load")]
    pub read_probe: Option<u64>,

    /// Do not measure the disk itself before the phases
    #[arg(long, help_heading = "Load")]
    pub no_probe: bool,

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
