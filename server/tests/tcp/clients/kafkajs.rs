//! kafkajs's producer against Tora.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Broker, install, run, table, topic};
use crate::support::batches::{self, Batch, Codec};

const MESSAGES: i32 = 1000;

/// The version that is installed in a folder.
pub fn version(folder: &Path) -> String {
    let package = std::fs::read_to_string(folder.join("node_modules/kafkajs/package.json"));
    let package: Value = serde_json::from_str(&package.expect("it is installed")).expect("JSON");
    package["version"].as_str().expect("it has one").to_owned()
}

/// Produces numbered messages to a topic of three partitions; gives what kafkajs said and what is stored.
fn produce(broker: &Broker, topic: &str, codec: &str, mode: &str) -> (String, Vec<Vec<Batch>>) {
    let folder = install("kafkajs");
    let mut command = Command::new("node");
    command.current_dir(folder).args(["produce.js", broker.address(), topic]);
    command.args([&MESSAGES.to_string(), codec, mode]);
    let said = run(&mut command, "");
    (said, batches::partitions(broker.address(), topic))
}

/// The base offsets in the form in which `produce.js` prints them.
fn base_offsets(partitions: &[Vec<Batch>]) -> String {
    let partitions = partitions.iter().enumerate().filter(|(_, batches)| !batches.is_empty());
    let printed = partitions.map(|(index, batches)| {
        let offsets: Vec<_> = batches.iter().map(|batch| batch.base_offset.to_string()).collect();
        format!("\"{index}\":[{}]", offsets.join(","))
    });
    format!("{{{}}}\n", printed.collect::<Vec<_>>().join(","))
}

#[test]
fn messages_are_stored_where_the_answers_say() {
    let broker = Broker::start(&["num.partitions=3"]);
    let (said, partitions) = produce(&broker, &topic("plain"), "none", "acks");
    let records: i32 = partitions.iter().flatten().map(|batch| batch.records).sum();
    assert_eq!(records, MESSAGES);
    assert_eq!(said, base_offsets(&partitions));
    assert!(partitions.iter().flatten().all(|batch| batch.codec == Codec::None));
}

#[test]
fn gzip_is_stored_as_sent() {
    let _row = table::row("kafkajs", &version(&install("kafkajs")), "gzip, stored as sent");
    let broker = Broker::start(&["num.partitions=3"]);
    let (said, partitions) = produce(&broker, &topic("gzip"), "gzip", "acks");
    assert_eq!(said, base_offsets(&partitions));
    assert!(partitions.iter().flatten().all(|batch| batch.codec == Codec::Gzip), "{partitions:?}");
}

#[test]
fn an_idempotent_producer_is_served() {
    let _row = table::row("kafkajs", &version(&install("kafkajs")), "an idempotent producer");
    let broker = Broker::start(&["num.partitions=3"]);
    let (said, partitions) = produce(&broker, &topic("idempotent"), "none", "idempotent");
    assert_eq!(said, base_offsets(&partitions));
    assert!(partitions.iter().flatten().all(|batch| batch.producer_id >= 0), "{partitions:?}");
}

#[test]
fn keys_values_and_headers_are_read_by_another_client() {
    let _row = table::row("kafkajs", &version(&install("kafkajs")), "keys and headers, read by kcat");
    let broker = Broker::start(&["num.partitions=1"]);
    let topic = topic("contents");
    produce(&broker, &topic, "gzip", "acks");
    let mut kcat = Command::new(install("kcat"));
    kcat.args([
        "-C",
        "-q",
        "-b",
        broker.address(),
        "-t",
        &topic,
        "-o",
        "beginning",
        "-e",
        "-f",
        "%k %s %h\n",
    ]);
    let read = run(&mut kcat, "");
    let mut lines: Vec<_> = read.lines().collect();
    lines.sort_unstable();
    let mut expected: Vec<_> = (0..MESSAGES).map(|n| format!("key-{n} value-{n} number={n}")).collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}
