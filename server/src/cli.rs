//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::consume::Consume;
use crate::commands::group::Group;
use crate::commands::produce::Produce;
use crate::commands::topic::Topic;

/// Tora: a partition log that speaks the Kafka protocol. Acknowledged means on the disk.
#[derive(Debug, Parser)]
#[command(name = "tora", version, about, long_about = None, after_help = START_HERE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const START_HERE: &str = "\
Start here:
  tora serve                                in one terminal; in another:
  tora topic create greetings --partitions 4
  echo hello | tora produce greetings
  tora consume greetings --from earliest    Ctrl-C ends it
Each command explains itself with examples: `tora consume --help`.";

/// What `tora` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the Kafka protocol on a data folder.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Look into the logs of a data folder that nobody serves.
    #[command(subcommand)]
    Log(Log),
    /// List every property that --config and --set know, with defaults and meanings.
    Properties {
        /// Print a JSON array, for programs.
        #[arg(long)]
        json: bool,
    },
    /// List, create, describe, alter and delete topics, of any broker of the Kafka protocol.
    #[command(subcommand)]
    Topic(Topic),
    /// List, describe and delete consumer groups, and have them go on from another place.
    #[command(subcommand)]
    Group(Group),
    /// Send the lines of standard input as records.
    Produce(Produce),
    /// Print records as lines.
    Consume(Consume),
    /// Write the documents that are made from the code into a folder.
    #[command(hide = true)]
    Docs {
        /// The folder.
        folder: PathBuf,
    },
}

/// `tora log`.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Read every batch, header, index and checkpoint of a data folder, and say whether all is as it was written.
    ///
    /// Nothing is written, so that the folder may be a snapshot or backup mounted for reading only; no server may run on it
    /// meanwhile. Prints a line for each partition, and before it for each damage the file and the first byte of it, which
    /// records are lost, what the next start makes of it, and what to do. Every segment is read up to its first damaged batch.
    /// What a crash tore and the next start will cut was never acknowledged as flushed, and is no damage: it is mentioned.
    ///
    /// Ends with 0 where all is sound, with 1 where something is damaged, with 2 where it could not be checked: the folder is
    /// in use, or none of Tora's.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(LogVerify),
}

/// `tora log verify`.
#[derive(Debug, clap::Args)]
pub struct LogVerify {
    /// Where the data is.
    #[arg(long, value_name = "DIR", default_value = "./tora-data")]
    pub data_dir: PathBuf,
    /// Check the partitions of this topic only.
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// Print a JSON object for each partition, and for each damage.
    #[arg(long)]
    pub json: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  tora log verify
      Checks everything in ./tora-data.
  tora log verify --data-dir /var/lib/tora --topic clicks --json
      Checks one topic's partitions; each line is an object with `sound`: one
      for each damage, with `file`, `offset`, `why`, `lost`, `start` and
      `advice`, then one with what the partition holds, and `damages`, how many.
  mount -o ro /dev/snapshot /mnt && tora log verify --data-dir /mnt/tora
      Checks a snapshot.";

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
      Serves on 127.0.0.1:9092 from ./tora-data. Prints `listening on HOST:PORT`
      when it is ready; Ctrl-C or SIGTERM stops it cleanly.
  tora serve --config server.properties --set num.partitions=8
      Takes Kafka's file; --set goes before it.
  tora serve --listen 0.0.0.0:9092 \\
    --set advertised.listeners=PLAINTEXT://broker1:9092
      Serves other machines, which are told to connect to broker1.
  tora serve --set flush.messages=10000
      Acknowledges when the device has accepted a record and flushes behind:
      faster, and a power cut may take the last records. By default acknowledged
      means on the disk.";
