//! Kafka's own administration tools, the Java ones, against Tora: topics, configs, offsets.

use std::path::Path;
use std::process::Command;

use super::{Broker, install, run, topic};
use crate::support::contains;
use crate::support::requests::{batch, produce};
use crate::support::{Client, requests};

/// Runs a tool's class to its end with these arguments; gives what it said.
fn tool(jars: &Path, class: &str, broker: &Broker, arguments: &[&str]) -> String {
    let mut command = Command::new("java");
    command.arg("-Xmx256m").arg("-cp").arg(jars.join("*")).arg(class);
    command.args(["--bootstrap-server", broker.address()]).args(arguments);
    run(&mut command, "")
}

#[test]
fn kafka_topics_creates_describes_alters_lists_and_deletes() {
    let broker = Broker::start(&[]);
    let jars = install("kafka-tools");
    let name = topic("made-by-java");
    let topics = |arguments: &[&str]| tool(&jars, "org.apache.kafka.tools.TopicCommand", &broker, arguments);
    let create = ["--create", "--topic", &name, "--partitions", "3", "--replication-factor", "1"];
    let said = topics(&[&create[..], &["--config", "retention.ms=1000"]].concat());
    contains(&said, &["Created topic", &name]);
    let said = topics(&["--describe", "--topic", &name]);
    contains(&said, &["PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=1000", "Partition: 2"]);
    topics(&["--alter", "--topic", &name, "--partitions", "5"]);
    contains(&topics(&["--describe", "--topic", &name]), &["PartitionCount: 5", "Partition: 4"]);
    assert!(topics(&["--list"]).lines().any(|line| line == name));
    topics(&["--delete", "--topic", &name]);
    assert!(!topics(&["--list"]).contains(&name));
}

#[test]
fn kafka_configs_describes_and_alters() {
    let broker = Broker::start(&[]);
    let jars = install("kafka-core");
    let name = topic("configured-by-java");
    requests::create(&mut Client::connect(broker.address()), &name, 1);
    let configs = |arguments: &[&str]| tool(&jars, "kafka.admin.ConfigCommand", &broker, arguments);
    let alter = ["--alter", "--entity-type", "topics", "--entity-name", &name];
    let said = configs(&[&alter[..], &["--add-config", "retention.ms=1000,max.message.bytes=2000"]].concat());
    contains(&said, &["Completed updating config"]);
    let describe = ["--describe", "--entity-type", "topics", "--entity-name", &name];
    let said = configs(&describe);
    contains(&said, &["retention.ms=1000", "max.message.bytes=2000", "DYNAMIC_TOPIC_CONFIG"]);
    configs(&[&alter[..], &["--delete-config", "retention.ms"]].concat());
    let said = configs(&describe);
    assert!(said.contains("max.message.bytes=2000") && !said.contains("retention.ms=1000"), "{said}");
    let said = configs(&[&describe[..], &["--all"]].concat());
    contains(&said, &["cleanup.policy=delete", "flush.messages="]);
    let said = configs(&["--describe", "--entity-type", "brokers", "--entity-name", "1", "--all"]);
    contains(&said, &["num.partitions="]);
}

#[test]
fn kafka_get_offsets_tells_ends() {
    let broker = Broker::start(&[]);
    let jars = install("kafka-tools");
    let name = topic("measured-by-java");
    let mut client = Client::connect(broker.address());
    requests::create(&mut client, &name, 2);
    client.call(7, &produce(&name, 1, batch(&["a", "b", "c"])));
    let offsets = |time: &str| {
        tool(&jars, "org.apache.kafka.tools.GetOffsetShell", &broker, &["--topic", &name, "--time", time])
    };
    contains(&offsets("-1"), &[&format!("{name}:0:0"), &format!("{name}:1:3")]);
    contains(&offsets("-2"), &[&format!("{name}:0:0"), &format!("{name}:1:0")]);
}
