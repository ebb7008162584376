//! Kafka's own producer, the Java one, against Tora: its performance tool, idempotent as it is by default.

use std::process::Command;

use super::{Broker, install, java, run, table, topic};
use crate::support::batches::{self, Batch, Codec};

const RECORDS: i32 = 50_000;

/// Runs the tool to its end; gives what it said and what is stored.
fn perform(broker: &Broker, name: &str, properties: &[&str]) -> (String, Vec<Vec<Batch>>) {
    let topic = topic(name);
    let jars = install("kafka-tools");
    let mut command = Command::new("java");
    command.arg("-Xmx256m").arg("-cp").arg(jars.join("*")).arg("org.apache.kafka.tools.ProducerPerformance");
    command.args(["--topic", &topic, "--num-records", &RECORDS.to_string(), "--record-size", "100"]);
    command.args(["--throughput", "-1", "--producer-props"]);
    command.arg(format!("bootstrap.servers={}", broker.address())).args(properties);
    let said = run(&mut command, "");
    (said, batches::partitions(broker.address(), &topic))
}

#[test]
fn it_sends_everything_once_with_its_defaults() {
    let _row = table::row("Kafka's producer-perf-test", &java::version(), "50,000 records, idempotent");
    let broker = Broker::start(&["num.partitions=4"]);
    let (said, partitions) = perform(&broker, "perf", &[]);
    assert!(said.contains(&format!("{RECORDS} records sent")), "{said}");
    let stored: i32 = partitions.iter().flatten().map(|batch| batch.records).sum();
    assert_eq!(stored, RECORDS);
    assert!(partitions.iter().flatten().all(|batch| batch.producer_id >= 0), "it is idempotent by default");
}

#[test]
fn it_sends_without_idempotence_too() {
    let _row =
        table::row("Kafka's producer-perf-test", &java::version(), "50,000 records, not idempotent, acks=1");
    let broker = Broker::start(&["num.partitions=2"]);
    let (said, partitions) = perform(&broker, "plain", &["enable.idempotence=false", "acks=1"]);
    assert!(said.contains(&format!("{RECORDS} records sent")), "{said}");
    let stored: i32 = partitions.iter().flatten().map(|batch| batch.records).sum();
    assert_eq!(stored, RECORDS);
    assert!(partitions.iter().flatten().all(|batch| batch.producer_id == -1));
}

#[test]
fn its_codecs_are_stored_as_sent() {
    let _row = table::row("Kafka's producer-perf-test", &java::version(), "lz4 and zstd, stored as sent");
    let broker = Broker::start(&["num.partitions=1"]);
    for (name, codec) in [("lz4", Codec::Lz4), ("zstd", Codec::Zstd)] {
        let (_, partitions) = perform(&broker, name, &[&format!("compression.type={name}"), "linger.ms=5"]);
        assert!(partitions.iter().flatten().all(|batch| batch.codec == codec), "{name}");
        assert_eq!(partitions.iter().flatten().map(|batch| batch.records).sum::<i32>(), RECORDS, "{name}");
    }
}
