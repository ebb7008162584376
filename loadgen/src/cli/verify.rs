//! The arguments of `tora-load verify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{BrokerArgs, Rate, duration, rate};

pub const VERIFY_ABOUT: &str = "\
Prove that nothing is lost, duplicated or out of order.

Idempotent producers send numbered records for a while and consumers follow them. With --kills the broker is killed \
(SIGKILL) at random moments meanwhile and started again on the same data; producers and consumers then connect again, and \
what was not acknowledged is sent again with the same sequence numbers, as Kafka's own producer does. At the end the \
broker is restarted once more and everything is read from the first record.

The verdict compares both readings with what was acknowledged: each record once, in the order in which it was sent, every \
batch's CRC right and every offset right behind the one before. Anything else makes the exit code 1.";

pub const VERIFY_EXAMPLES: &str = "\
Examples:
  tora-load verify
      tora, undisturbed, for 20 s
  tora-load verify --kills 20
      killed twenty times under load
  tora-load verify --bootstrap localhost:9092 --topic-config flush.messages=1
      another broker, undisturbed

Results: DIR/verify.json, and the log of a `tora` of ours, DIR/tora.log.";

#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// How often the broker is killed (SIGKILL) and started again, at random moments
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "bootstrap", help_heading = "Load")]
    pub kills: u32,

    /// How long records are sent, restarts not counted (default: 20s, or 2s for each life of a broker that is killed)
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Load")]
    pub duration: Option<Duration>,

    /// Records a second over all connections, or `max`
    #[arg(long, value_name = "N|max", default_value = "100000", value_parser = rate, help_heading = "Load")]
    pub rate: Rate,

    /// Bytes of each record's value, at least 16
    #[arg(long, value_name = "BYTES", default_value_t = 100, help_heading = "Load")]
    pub record_size: u32,

    /// Records in a batch; each request carries one batch
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Load")]
    pub batch_records: u32,

    /// Connections that produce, and as many that consume (at most one a partition)
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Load")]
    pub connections: u32,

    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Load")]
    pub partitions: u32,

    /// Where the random moments come from (default: the time); it is printed, so that a run can be repeated
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub seed: Option<u64>,

    /// Where the results go (default: results/local/<date-time>)
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,

    /// No live progress
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
}
