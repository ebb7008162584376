//! The yardstick and the acceptance figures.

mod drive;
mod floor;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures what Tora must reach")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves Produce as barely as possible: the yardstick
    Floor(FloorArgs),
    Drive(DriveArgs),
}

#[derive(Args)]
struct DriveArgs {
    #[arg(long)]
    bootstrap: SocketAddr,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    #[arg(long, default_value_t = 500)]
    batch_records: usize,
    #[arg(long, default_value_t = 100)]
    record_size: usize,
    #[arg(long, default_value_t = 4)]
    partitions: usize,
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
}

#[derive(Args)]
struct FloorArgs {
    #[arg(long, default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    #[arg(long)]
    file: PathBuf,
    #[arg(long, overrides_with = "no_flush")]
    flush: bool,
    #[arg(long)]
    no_flush: bool,
    #[arg(long)]
    no_write: bool,
    #[arg(long)]
    dsync: bool,
    #[arg(long)]
    core: Option<usize>,
    #[arg(long, default_value_t = 4)]
    partitions: usize,
    #[arg(long, default_value_t = 512)]
    write_kib: usize,
    #[arg(long, default_value_t = 2)]
    writes: usize,
    #[arg(long, default_value_t = 1024)]
    file_mib: u64,
    #[arg(long)]
    prewrite: bool,
    #[arg(long)]
    register: bool,
    #[arg(long, default_value_t = 256)]
    receive_kib: usize,
    #[arg(long, default_value_t = 0)]
    socket_kib: usize,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Floor(a) => floor::run(floor::Options {
            listen: a.listen,
            file: a.file,
            durability: if a.no_write {
                floor::Durability::Memory
            } else if a.dsync {
                floor::Durability::Dsync
            } else if a.no_flush {
                floor::Durability::Written
            } else {
                floor::Durability::Flushed
            },
            core: a.core,
            partitions: a.partitions,
            write_bytes: a.write_kib << 10,
            writes_max: a.writes,
            file_bytes: a.file_mib << 20,
            prewrite: a.prewrite,
            register: a.register,
            receive_bytes: a.receive_kib << 10,
            socket_bytes: a.socket_kib << 10,
        }),
        Command::Drive(a) => drive::run(&drive::Options {
            bootstrap: a.bootstrap,
            connections: a.connections,
            in_flight: a.in_flight,
            batch_records: a.batch_records,
            record_size: a.record_size,
            partitions: a.partitions,
            seconds: a.seconds,
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
