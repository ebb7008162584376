//! `tora`: the engine behind the Kafka protocol, and what one does to brokers of that protocol from a command line.
//!
//! The program is a library so that `benches` can measure its pieces; what it offers to others is the program alone.
#![forbid(unsafe_code)]

mod api;
#[doc(hidden)]
pub mod bench;
mod cli;
mod client;
mod commands;
mod config;
mod connection;
mod coordinator;
mod docs;
mod error_code;
mod limits;
mod log_verify;
mod memory;
mod serve;
mod service;
mod slab;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, Log};

/// The program: does what its command line says.
#[must_use]
pub fn run() -> ExitCode {
    let default = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(default).target(env_logger::Target::Stderr).init();
    let done = match Cli::parse().command {
        Command::Serve(flags) => serve::serve(&flags),
        Command::Log(Log::Verify(flags)) => return log_verify::run(&flags),
        Command::Properties { json } => commands::properties::run(json),
        Command::Topic(topic) => commands::topic::run(topic),
        Command::Group(group) => commands::group::run(group),
        Command::Produce(produce) => commands::produce::run(&produce),
        Command::Consume(consume) => commands::consume::run(&consume),
        Command::Docs { folder } => docs::write(&folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tora: {why}");
            ExitCode::FAILURE
        }
    }
}
