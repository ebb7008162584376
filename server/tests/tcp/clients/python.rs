//! The two Python clients, confluent-kafka (librdkafka) and kafka-python, against Tora.

use std::path::Path;
use std::process::Command;

use super::restart::{Lines, carries_on};
use super::{PACKAGES, install, run, table};

/// One of the scripts beside `install.sh`, which say the same things to either client.
pub struct Script(&'static str);

pub const CONFLUENT: Script = Script("confluent_client.py");
pub const KAFKA_PYTHON: Script = Script("kafka_python_client.py");

impl Script {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(install("python"));
        command.arg(Path::new(PACKAGES).join(self.0)).args(arguments);
        command
    }

    /// The client's version, as it says itself.
    pub fn version(&self) -> String {
        run(&mut self.command(&["version"]), "")
    }
}

impl Lines for Script {
    fn produce(&self, broker: &str, topic: &str) -> Command {
        self.command(&["produce", broker, topic])
    }

    fn consume(&self, broker: &str, topic: &str, group: &str, count: usize) -> Command {
        self.command(&["consume", broker, topic, group, &count.to_string()])
    }
}

#[test]
fn confluent_kafka_carries_on_across_a_kill() {
    let _row = table::row("confluent-kafka (Python)", &CONFLUENT.version(), table::ACROSS_A_KILL);
    carries_on(&CONFLUENT);
}

#[test]
fn kafka_python_carries_on_across_a_kill() {
    let _row = table::row("kafka-python", &KAFKA_PYTHON.version(), table::ACROSS_A_KILL);
    carries_on(&KAFKA_PYTHON);
}
