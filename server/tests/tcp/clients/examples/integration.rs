//! One system writes, another follows from where it stopped: franz-go.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::super::{Broker, CLIENT_PATIENCE, Program, install, run, table, topic};
use super::{data, repository};
use crate::support::Folder;

/// The module's version as its `go.mod` has it.
fn version() -> String {
    let module = std::fs::read_to_string(repository("examples/integration/go.mod")).expect("it is there");
    let line = module.lines().find(|line| line.contains("github.com/twmb/franz-go v"));
    line.and_then(|line| line.rsplit_once(" v")).expect("it is required").1.to_owned()
}

#[test]
fn the_copy_has_each_record_once_whatever_is_killed() {
    let _row = table::row(
        "franz-go",
        &version(),
        "`examples/integration`: a group across kill -9 of the broker and of the consumer",
    );
    let settings = ["num.partitions=3", "group.initial.rebalance.delay.ms=0"];
    let broker = Broker::start(&settings);
    let (topic, folder) = (topic("actions"), Folder::new());
    let (programs, copy) = (install("integration-example"), folder.join("copy.jsonl"));
    let shop = |broker: &Broker, from: &str, limit: &str| {
        let mut command = Command::new(programs.join("shop"));
        command.args(["-bootstrap", broker.address(), "-topic", &topic, "-from", from, "-limit", limit]);
        run(command.arg(repository("data/click.jsonl")), "");
    };
    let warehouse = |broker: &Broker, limit: &str| {
        let mut command = Command::new(programs.join("warehouse"));
        command.args(["-bootstrap", broker.address(), "-topic", &topic, "-group", &topic]);
        Program::spawn(command.args(["-limit", limit]).arg(&copy), "")
    };
    let copied = || std::fs::read_to_string(&copy).unwrap_or_default().lines().count();

    shop(&broker, "0", "1000");
    let follower = warehouse(&broker, "-1");
    let begun = Instant::now();
    while copied() < 1000 {
        assert!(begun.elapsed() < CLIENT_PATIENCE, "it has copied {} records", copied());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let broker = broker.killed_and_started(&settings);
    shop(&broker, "1000", "500");
    while copied() < 1200 {
        assert!(begun.elapsed() < CLIENT_PATIENCE, "it has copied {} records", copied());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // Killed wherever it is: the copy may be ahead of what the group has committed.
    drop(follower);
    shop(&broker, "1500", "1500");
    warehouse(&broker, "3000").finish();

    let text = std::fs::read_to_string(&copy).expect("there is a copy");
    let mut actions = Vec::new();
    let mut next = [0; 3];
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let partition = usize::try_from(entry["partition"].as_u64().expect("a number")).expect("small");
        assert_eq!(entry["offset"].as_u64(), Some(next[partition]), "in order, each once: {line}");
        next[partition] += 1;
        let (_, action) = line.split_once("\"action\":").expect("it has one");
        actions.push(action.strip_suffix('}').expect("the entry's end").to_owned());
    }
    let mut written: Vec<_> = data("click.jsonl").lines().map(str::to_owned).collect();
    actions.sort_unstable();
    written.sort_unstable();
    assert!(actions == written, "{} records of {}", actions.len(), written.len());
}
