//! What every client is put through: it produces and consumes through a group, and in between the broker is killed and
//! started again.

use std::ops::Range;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Broker, CLIENT_PATIENCE, Program, run, topic};
use crate::support::members::{Member, committed};

const PARTITIONS: usize = 3;

const SETTINGS: &[&str] = &["num.partitions=3", "group.initial.rebalance.delay.ms=0"];

/// A client as the commands that drive it.
pub trait Lines {
    /// Produces each line of its input to the topic.
    fn produce(&self, broker: &str, topic: &str) -> Command;

    /// Reads `count` records as a member of the group, from the start where the group has nothing committed, prints each
    /// on a line of its own, commits and ends.
    fn consume(&self, broker: &str, topic: &str, group: &str, count: usize) -> Command;
}

fn lines(numbers: Range<usize>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

/// The numbers of the lines read, sorted; whatever else the client says is left out.
fn numbers(said: &str) -> Vec<usize> {
    let lines = said.lines().filter_map(|line| line.strip_prefix("line "));
    let mut numbers: Vec<usize> = lines.map(|number| number.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

/// Waits until a group has committed this many records.
fn wait_for_commits(broker: &Broker, group: &str, topic: &str, records: i64) {
    let mut client = Member::new(broker.address(), group).client;
    let partitions: Vec<i32> = (0..).take(PARTITIONS).collect();
    let deadline = Instant::now() + CLIENT_PATIENCE;
    loop {
        let offsets = committed(&mut client, group, topic, &partitions);
        let sum: i64 = offsets.iter().map(|offset| (*offset).max(0)).sum();
        if sum == records {
            return;
        }
        assert!(Instant::now() < deadline, "{group} should have committed {records} records: {offsets:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A consumer lives through the broker's death with what it reads whole, and its group goes on where it stopped.
pub fn carries_on(client: &impl Lines) {
    let broker = Broker::start(SETTINGS);
    let (topic, group) = (topic("restart"), topic("group"));
    let produce = |broker: &Broker, numbers: Range<usize>| {
        run(&mut client.produce(broker.address(), &topic), &lines(numbers));
    };
    produce(&broker, 0..200);
    let consumer = Program::spawn(&mut client.consume(broker.address(), &topic, &group, 300), "");
    wait_for_commits(&broker, &group, &topic, 200);
    let broker = broker.killed_and_started(SETTINGS);
    produce(&broker, 200..300);
    assert_eq!(numbers(&consumer.finish()), (0..300).collect::<Vec<_>>(), "each record once");
    produce(&broker, 300..350);
    let said = run(&mut client.consume(broker.address(), &topic, &group, 50), "");
    assert_eq!(numbers(&said), (300..350).collect::<Vec<_>>(), "the group goes on where it stopped");
}
