//! `tora`: the engine behind the Kafka protocol.
#![forbid(unsafe_code)]

mod api;
mod cli;
mod config;
mod connection;
mod coordinator;
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

fn main() -> ExitCode {
    let default = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(default).target(env_logger::Target::Stderr).init();
    match Cli::parse().command {
        Command::Serve(flags) => match serve::serve(&flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("tora: {why}");
                ExitCode::FAILURE
            }
        },
        Command::Log(Log::Verify(flags)) => match log_verify::verify(&flags) {
            Ok(sound) => ExitCode::from(u8::from(!sound)),
            Err(why) => {
                eprintln!("tora: {why}");
                ExitCode::FAILURE
            }
        },
        Command::Properties => {
            for property in config::table::PROPERTIES {
                let config::table::Property { name, default, kind, doc, .. } = property;
                println!("{name}={default} ({})\n    {doc}", kind.unit());
            }
            ExitCode::SUCCESS
        }
    }
}
