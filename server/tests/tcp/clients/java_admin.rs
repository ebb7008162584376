//! Kafka's own administration tools, the Java ones, against Tora: topics, configs, offsets. What they did is still so when
//! the broker was killed and started again.

use std::path::Path;
use std::process::Command;

use super::{Broker, install, java, run, table, topic};
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
    let _row = table::row(
        "Kafka's topics",
        &java::version(),
        "create, describe, add partitions, list, delete; all of it still so after kill -9",
    );
    let broker = Broker::start(&[]);
    let (name, other) = (topic("made-by-java"), topic("deleted-by-java"));
    let topics = |broker: &Broker, arguments: &[&str]| {
        java::run(broker, "org.apache.kafka.tools.TopicCommand", arguments)
    };
    for name in [&name, &other] {
        let create = ["--create", "--topic", name, "--partitions", "3", "--replication-factor", "1"];
        let said = topics(&broker, &[&create[..], &["--config", "retention.ms=1000"]].concat());
        contains(&said, &["Created topic", name]);
    }
    let said = topics(&broker, &["--describe", "--topic", &name]);
    contains(&said, &["PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=1000", "Partition: 2"]);
    topics(&broker, &["--alter", "--topic", &name, "--partitions", "5"]);
    topics(&broker, &["--delete", "--topic", &other]);
    let broker = broker.killed_and_started(&[]);
    let said = topics(&broker, &["--describe", "--topic", &name]);
    contains(&said, &["PartitionCount: 5", "Partition: 4", "retention.ms=1000"]);
    let listed = topics(&broker, &["--list"]);
    assert!(listed.lines().any(|line| line == name), "{listed}");
    assert!(!listed.contains(&other), "{listed}");
    topics(&broker, &["--delete", "--topic", &name]);
    assert!(!topics(&broker, &["--list"]).contains(&name));
}

#[test]
fn kafka_configs_describes_and_alters() {
    let _row = table::row(
        "Kafka's configs",
        &java::version(),
        "describe and alter a topic's, describe the broker's; what was altered still holds after kill -9",
    );
    let broker = Broker::start(&[]);
    let jars = install("kafka-core");
    let name = topic("configured-by-java");
    requests::create(&mut Client::connect(broker.address()), &name, 1);
    let configs =
        |broker: &Broker, arguments: &[&str]| tool(&jars, "kafka.admin.ConfigCommand", broker, arguments);
    let alter = ["--alter", "--entity-type", "topics", "--entity-name", &name];
    let settings = ["--add-config", "retention.ms=1000,max.message.bytes=2000"];
    contains(&configs(&broker, &[&alter[..], &settings].concat()), &["Completed updating config"]);
    let describe = ["--describe", "--entity-type", "topics", "--entity-name", &name];
    let said = configs(&broker, &describe);
    contains(&said, &["retention.ms=1000", "max.message.bytes=2000", "DYNAMIC_TOPIC_CONFIG"]);
    configs(&broker, &[&alter[..], &["--delete-config", "retention.ms"]].concat());
    let broker = broker.killed_and_started(&[]);
    let said = configs(&broker, &describe);
    assert!(said.contains("max.message.bytes=2000") && !said.contains("retention.ms=1000"), "{said}");
    let said = configs(&broker, &[&describe[..], &["--all"]].concat());
    contains(&said, &["cleanup.policy=delete", "flush.messages="]);
    let said = configs(&broker, &["--describe", "--entity-type", "brokers", "--entity-name", "1", "--all"]);
    contains(&said, &["num.partitions="]);
}

#[test]
fn kafka_get_offsets_tells_starts_and_ends() {
    let _row = table::row(
        "Kafka's get-offsets",
        &java::version(),
        "starts and ends of two partitions, the same after kill -9",
    );
    let broker = Broker::start(&[]);
    let name = topic("measured-by-java");
    let mut client = Client::connect(broker.address());
    requests::create(&mut client, &name, 2);
    client.call(7, &produce(&name, 1, batch(&["a", "b", "c"])));
    let agree = |broker: &Broker| {
        for (time, first, second) in [("-1", 0, 3), ("-2", 0, 0)] {
            let shell = "org.apache.kafka.tools.GetOffsetShell";
            let said = java::run(broker, shell, &["--topic", &name, "--time", time]);
            contains(&said, &[&format!("{name}:0:{first}"), &format!("{name}:1:{second}")]);
        }
    };
    agree(&broker);
    agree(&broker.killed_and_started(&[]));
}
