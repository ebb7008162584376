//! Kafka's Java tools: how to start them.

use std::process::Command;

use super::{Broker, install};

/// The console tools.
pub const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
pub const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";

/// A tool by its class, told of the broker.
pub fn tool(broker: &str, class: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.arg("-Xmx256m").arg("-cp").arg(install("kafka-tools").join("*")).arg(class);
    command.args(["--bootstrap-server", broker]).args(arguments);
    command
}

/// The same to its end; gives what it said.
pub fn run(broker: &Broker, class: &str, arguments: &[&str]) -> String {
    super::run(&mut tool(broker.address(), class, arguments), "")
}

/// The tools' version, as their file is named.
pub fn version() -> String {
    let jars = std::fs::read_dir(install("kafka-tools")).expect("it is installed");
    let mut names = jars.filter_map(|jar| jar.ok()?.file_name().into_string().ok());
    names
        .find_map(|name| {
            let version = name.strip_prefix("kafka-tools-")?.strip_suffix(".jar")?;
            version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
        })
        .expect("the tools are among them")
}
