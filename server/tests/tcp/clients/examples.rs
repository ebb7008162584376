//! What stands in `examples/`, with its real packages, against Tora.

mod integration;
mod interrupted;
mod kafkajs;
mod log_monitoring;
mod sensor_windows;

use std::path::PathBuf;
use std::process::Command;

use super::{Broker, install};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// The text of a file of the data set.
fn data(name: &str) -> String {
    std::fs::read_to_string(repository("data").join(name)).expect("the data set is there")
}

/// A script of an example in Python, told of the broker.
fn python(broker: &Broker, script: &str) -> Command {
    let mut command = Command::new(install("python"));
    command.arg(repository("examples").join(script)).args(["--bootstrap", broker.address()]);
    command
}
