//! The producer and the consumer with which introductions to Kafka end.

use std::process::Command;

use super::super::kafkajs::version;
use super::super::{Broker, install, run, table, topic};

/// The example's script, told of the broker and the topic.
fn script(name: &str, broker: &Broker, topic: &str) -> Command {
    let mut command = Command::new("node");
    command.current_dir(install("kafkajs-example")).arg(name);
    command.args(["--bootstrap", broker.address(), "--topic", topic]);
    command
}

#[test]
fn what_the_producer_says_the_consumer_prints() {
    let folder = install("kafkajs-example");
    let _row = table::row("kafkajs", &version(&folder), "`examples/kafkajs`: its producer, its consumer");
    let broker = Broker::start(&["num.partitions=3", "group.initial.rebalance.delay.ms=0"]);
    let topic = topic("greetings");
    run(script("producer.js", &broker, &topic).args(["--limit", "200"]), "");
    let printed = run(script("consumer.js", &broker, &topic).args(["--limit", "200"]), "");
    let mut greetings: Vec<_> = printed.lines().filter_map(|line| line.splitn(3, ' ').nth(2)).collect();
    greetings.sort_unstable();
    let mut expected: Vec<_> =
        (0..200).map(|number| format!("visitor-{} Hello {number}", number % 10)).collect();
    expected.sort_unstable();
    assert_eq!(greetings, expected);
}
