//! kafkajs's consumer groups, as every introduction to Kafka ends with.

use std::process::Command;

use serde_json::Value;

use crate::clients::kafkajs::version;
use crate::clients::restart::{Lines, carries_on};
use crate::clients::{Broker, Program, install, run, table, topic};
use crate::support::Server;

const MESSAGES: i32 = 600;

fn produce(broker: &Broker, topic: &str, count: i32) {
    let mut command = Command::new("node");
    command.current_dir(install("kafkajs")).args(["produce.js", broker.address(), topic]);
    run(command.args([&count.to_string(), "none", "acks"]), "");
}

/// Starts a consumer that ends after `count` messages, or, with an idle time, when nothing comes any more.
fn consumer(broker: &Broker, topic: &str, group: &str, count: i32, idle_ms: i32) -> Command {
    let mut command = Command::new("node");
    command.current_dir(install("kafkajs")).args(["consume.js", broker.address(), topic, group]);
    command.args([count.to_string(), idle_ms.to_string()]);
    command
}

/// What `consume.js` printed: the partitions assigned first, and how many offsets were read of each.
fn told(output: &str) -> (Vec<i64>, Vec<(i64, i64)>) {
    let told: Value = serde_json::from_str(output).expect("one JSON line");
    let assigned = told["assigned"].as_array().expect("an array").iter();
    let read = told["read"].as_object().expect("an object").iter().flat_map(|(partition, offsets)| {
        let partition: i64 = partition.parse().expect("a number");
        let offsets = offsets.as_array().expect("an array").iter();
        offsets.map(move |offset| (partition, offset.as_i64().expect("a number"))).collect::<Vec<_>>()
    });
    (assigned.map(|partition| partition.as_i64().expect("a number")).collect(), read.collect())
}

#[test]
fn a_group_goes_on_where_it_stopped_across_a_restart_of_the_broker() {
    let _row = table::row("kafkajs", &version(&install("kafkajs")), "a group is resumed after kill -9");
    let broker = Broker::start(&["num.partitions=6"]);
    let (topic, group) = (topic("restart"), topic("group"));
    produce(&broker, &topic, MESSAGES);
    let (assigned, read) = told(&run(&mut consumer(&broker, &topic, &group, MESSAGES, 0), ""));
    assert_eq!((assigned.len(), read.len()), (6, usize::try_from(MESSAGES).expect("few")));
    let Broker::Ours(server) = broker else { return };
    let broker = Broker::Ours(Server::start_in(server.kill(), &[]));
    produce(&broker, &topic, 60);
    let (_, again) = told(&run(&mut consumer(&broker, &topic, &group, 60, 0), ""));
    assert_eq!(again.len(), 60);
    assert!(again.iter().all(|found| !read.contains(found)), "nothing comes twice");
}

#[test]
fn two_consumers_share_the_partitions() {
    let _row =
        table::row("kafkajs", &version(&install("kafkajs")), "two consumers of a group share the partitions");
    let broker = Broker::start(&["num.partitions=6", "group.initial.rebalance.delay.ms=10000"]);
    let (topic, group) = (topic("shared"), topic("group"));
    produce(&broker, &topic, MESSAGES);
    let first = Program::spawn(&mut consumer(&broker, &topic, &group, 0, 8_000), "");
    let second = Program::spawn(&mut consumer(&broker, &topic, &group, 0, 8_000), "");
    let (first, second) = (told(&first.finish()), told(&second.finish()));
    let mut assigned = [first.0, second.0].concat();
    assigned.sort_unstable();
    assert_eq!(assigned, [0, 1, 2, 3, 4, 5], "each has its share");
    let mut read = [first.1, second.1].concat();
    read.sort_unstable();
    read.dedup();
    assert_eq!(read.len(), usize::try_from(MESSAGES).expect("few"), "everything is read by one or the other");
}

/// `lines.js`, both ways.
struct Kafkajs;

impl Lines for Kafkajs {
    fn produce(&self, broker: &str, topic: &str) -> Command {
        let mut command = Command::new("node");
        command.current_dir(install("kafkajs")).args(["lines.js", "produce", broker, topic]);
        command
    }

    fn consume(&self, broker: &str, topic: &str, group: &str, count: usize) -> Command {
        let mut command = Command::new("node");
        command.current_dir(install("kafkajs")).args(["lines.js", "consume", broker, topic, group]);
        command.arg(count.to_string());
        command
    }
}

#[test]
fn a_consumer_lives_through_the_brokers_death() {
    let _row = table::row("kafkajs", &version(&install("kafkajs")), table::ACROSS_A_KILL);
    carries_on(&Kafkajs);
}
