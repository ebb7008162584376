//! Kafka's tools that write, read and delete records, the Java ones, against Tora.

use std::process::Command;

use super::java::{self, CONSUMER, PRODUCER};
use super::restart::{Lines, carries_on};
use super::{Broker, run, table, topic};
use crate::support::{Folder, contains};

/// The console producer and consumer.
struct Console;

impl Lines for Console {
    fn produce(&self, broker: &str, topic: &str) -> Command {
        java::tool(broker, PRODUCER, &["--topic", topic])
    }

    fn consume(&self, broker: &str, topic: &str, group: &str, count: usize) -> Command {
        let count = count.to_string();
        let read = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages", &count];
        let often = ["--command-property", "auto.commit.interval.ms=100"];
        java::tool(broker, CONSUMER, &[&read[..], &often].concat())
    }
}

#[test]
fn the_console_tools_carry_on_across_a_kill() {
    let tools = "Kafka's console producer and console consumer";
    let _row = table::row(tools, &java::version(), table::ACROSS_A_KILL);
    carries_on(&Console);
}

/// Has the producers' performance tool send this many records.
fn perform(broker: &Broker, topic: &str, records: &str) {
    let load = ["--topic", topic, "--num-records", records, "--record-size", "100", "--throughput", "-1"];
    let said = java::run(broker, "org.apache.kafka.tools.ProducerPerformance", &load);
    contains(&said, &[&format!("{records} records sent")]);
}

/// Has the consumers' performance tool read this many records as a member of the group; gives how many it has read.
fn read(broker: &Broker, topic: &str, group: &str, records: &str) -> String {
    let wanted =
        ["--topic", topic, "--group", group, "--num-records", records, "--hide-header", "--timeout", "60000"];
    let said = java::run(broker, "org.apache.kafka.tools.ConsumerPerformance", &wanted);
    // start, end, MB, MB/s, records, …
    let row = said.lines().find(|line| line.split(", ").count() >= 6).unwrap_or_else(|| panic!("{said}"));
    row.split(", ").nth(4).expect("it has six columns").to_owned()
}

#[test]
fn the_performance_tools_carry_on_across_a_kill() {
    let _row = table::row(
        "Kafka's producer-perf-test and consumer-perf-test",
        &java::version(),
        "20,000 records of four partitions, kill -9, read through a group; kill -9, 5,000 more, the group reads these alone",
    );
    let settings = ["num.partitions=4", "group.initial.rebalance.delay.ms=0"];
    let (topic, group) = (topic("perf"), topic("group"));
    let broker = Broker::start(&settings);
    perform(&broker, &topic, "20000");
    let broker = broker.killed_and_started(&settings);
    assert_eq!(read(&broker, &topic, &group, "20000"), "20000");
    let broker = broker.killed_and_started(&settings);
    perform(&broker, &topic, "5000");
    assert_eq!(read(&broker, &topic, &group, "5000"), "5000");
}

#[test]
fn records_are_deleted_for_every_reader() {
    let _row = table::row(
        "Kafka's delete-records and get-offsets",
        &java::version(),
        "a partition's first records are deleted; where it starts and ends then, and after kill -9",
    );
    let settings = ["num.partitions=1", "group.initial.rebalance.delay.ms=0"];
    let broker = Broker::start(&settings);
    let topic = topic("deleted");
    let lines: String = (0..10).map(|number| format!("line {number}\n")).collect();
    run(&mut java::tool(broker.address(), PRODUCER, &["--topic", &topic]), &lines);
    let folder = Folder::new();
    let file = folder.join("offsets.json");
    let offsets = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":7}}],"version":1}}"#);
    std::fs::write(&file, offsets).expect("the folder is writable");
    let file = file.to_str().expect("text");
    let delete = "org.apache.kafka.tools.DeleteRecordsCommand";
    let said = java::run(&broker, delete, &["--offset-json-file", file]);
    contains(&said, &["low_watermark: 7"]);
    let agree = |broker: &Broker| {
        for (time, offset) in [("earliest", 7), ("latest", 10)] {
            let shell = "org.apache.kafka.tools.GetOffsetShell";
            let said = java::run(broker, shell, &["--topic", &topic, "--time", time]);
            contains(&said, &[&format!("{topic}:0:{offset}")]);
        }
    };
    agree(&broker);
    let broker = broker.killed_and_started(&settings);
    agree(&broker);
    let read = ["--topic", &topic, "--partition", "0", "--offset", "earliest", "--max-messages", "3"];
    assert_eq!(java::run(&broker, CONSUMER, &read), "line 7\nline 8\nline 9\n");
}
