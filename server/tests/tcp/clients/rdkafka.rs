//! rust-rdkafka (librdkafka, as most Rust programs have it) against Tora.

use std::process::Command;

use super::restart::{Lines, carries_on};
use super::{install, run, table};

/// The program beside `install.sh`, which is a workspace of its own.
struct Program;

impl Program {
    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(install("rdkafka"));
        command.args(arguments);
        command
    }
}

impl Lines for Program {
    fn produce(&self, broker: &str, topic: &str) -> Command {
        Self::command(&["produce", broker, topic])
    }

    fn consume(&self, broker: &str, topic: &str, group: &str, count: usize) -> Command {
        Self::command(&["consume", broker, topic, group, &count.to_string()])
    }
}

#[test]
fn rust_rdkafka_carries_on_across_a_kill() {
    let version = run(&mut Program::command(&["version"]), "");
    let _row = table::row("rust-rdkafka", &version, table::ACROSS_A_KILL);
    carries_on(&Program);
}
