//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Tora: a partition log that speaks the Kafka protocol. Acknowledged means on the disk.
#[derive(Debug, Parser)]
#[command(name = "tora", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `tora` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the Kafka protocol on a data folder.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// List every property that --config and --set know, with defaults and meanings.
    Properties,
}

/// `tora serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// A file in Kafka's server.properties syntax, with Kafka's names.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to accept connections [property: listeners; default: 127.0.0.1:9092]. Port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Where the data is, created if missing [property: log.dirs; default: ./tora-data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cores to use, each with a thread and a ring [property: tora.cores; default: all].
    #[arg(long, value_name = "N")]
    pub cores: Option<u16>,
    /// Sets one property; may be repeated, and goes before the file and the other flags.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  tora serve
      Serves on 127.0.0.1:9092 from ./tora-data. Prints `listening on HOST:PORT` when it is ready;
      Ctrl-C or SIGTERM stops it cleanly.
  tora serve --config server.properties --set num.partitions=8
      Takes Kafka's file; --set goes before it.
  tora serve --listen 0.0.0.0:9092 --set advertised.listeners=PLAINTEXT://broker1:9092
      Serves other machines, which are told to connect to broker1.
  tora serve --set flush.messages=10000
      Acknowledges when the device has accepted a record and flushes behind: faster, and a power cut may
      take the last records. By default acknowledged means on the disk.";
