//! Kafka's own consumer and group tools, the Java ones, against Tora.

use std::process::Command;

use crate::clients::java::{self, CONSUMER, run as tool};
use crate::clients::{Broker, install, run, table, topic};
use crate::support::Server;

const GROUP_TOOL: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

fn produce(broker: &Broker, topic: &str, from: i32, count: i32) {
    let lines: String = (from..from + count).map(|number| format!("line {number}\n")).collect();
    let mut kcat = Command::new(install("kcat"));
    run(kcat.args(["-q", "-b", broker.address(), "-P", "-t", topic]), &lines);
}

/// Reads `count` messages as a group's one member; gives them in order.
fn consume(broker: &Broker, topic: &str, group: &str, count: i32, options: &[&str]) -> Vec<String> {
    let count = count.to_string();
    let arguments = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages", &count];
    let said = tool(broker, CONSUMER, &[&arguments[..], options].concat());
    let mut lines: Vec<String> =
        said.lines().filter(|line| line.starts_with("line ")).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn sorted(from: i32, count: i32) -> Vec<String> {
    let mut lines: Vec<String> = (from..from + count).map(|number| format!("line {number}")).collect();
    lines.sort_unstable();
    lines
}

/// The columns of what the tool prints of a group's partition: committed offset, end and lag.
fn progress(said: &str, group: &str, partition: i32) -> Vec<String> {
    let partition = partition.to_string();
    let rows = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.first() == Some(&group) && row.get(2) == Some(&partition.as_str()));
    let row = rows.next().unwrap_or_else(|| panic!("no line of {group}'s partition {partition} in:\n{said}"));
    row[3..6].iter().map(|column| (*column).to_owned()).collect()
}

#[test]
fn a_group_goes_on_where_it_stopped_across_a_restart_of_the_broker() {
    let _row = table::row(
        "Kafka's console consumer",
        &java::version(),
        "a group is resumed after kill -9, range and then cooperative-sticky",
    );
    let broker = Broker::start(&["num.partitions=3"]);
    let (topic, group) = (topic("restart"), topic("group"));
    produce(&broker, &topic, 0, 300);
    assert_eq!(consume(&broker, &topic, &group, 300, &[]), sorted(0, 300));
    let Broker::Ours(server) = broker else { return };
    let broker = Broker::Ours(Server::start_in(server.kill(), &[]));
    produce(&broker, &topic, 300, 30);
    let sticky = "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    let options = ["--command-property", sticky];
    assert_eq!(consume(&broker, &topic, &group, 30, &options), sorted(300, 30));
}

#[test]
fn the_group_tool_lists_describes_resets_and_deletes() {
    let _row = table::row(
        "Kafka's consumer-groups",
        &java::version(),
        "list with state, describe with lag, reset offsets (still so after kill -9), delete offsets, delete",
    );
    let broker = Broker::start(&["num.partitions=1"]);
    let (topic, group) = (topic("tool"), topic("group"));
    produce(&broker, &topic, 0, 10);
    consume(&broker, &topic, &group, 10, &[]);
    produce(&broker, &topic, 10, 5);
    let listed = tool(&broker, GROUP_TOOL, &["--list", "--state"]);
    let row = listed.lines().find(|line| line.starts_with(&group)).expect("it is listed");
    assert!(row.contains("Empty"), "{listed}");
    let described = tool(&broker, GROUP_TOOL, &["--describe", "--group", &group]);
    assert_eq!(progress(&described, &group, 0), ["10", "15", "5"]);
    let reset = ["--reset-offsets", "--to-offset", "3", "--execute", "--group", &group, "--topic", &topic];
    tool(&broker, GROUP_TOOL, &reset);
    let broker = broker.killed_and_started(&["num.partitions=1"]);
    let described = tool(&broker, GROUP_TOOL, &["--describe", "--group", &group]);
    assert_eq!(progress(&described, &group, 0), ["3", "15", "12"]);
    let deleted = tool(&broker, GROUP_TOOL, &["--delete-offsets", "--group", &group, "--topic", &topic]);
    assert!(deleted.contains("Successful"), "{deleted}");
    let deleted = tool(&broker, GROUP_TOOL, &["--delete", "--group", &group]);
    assert!(deleted.contains("was successful"), "{deleted}");
    assert!(!tool(&broker, GROUP_TOOL, &["--list"]).contains(&group));
}

/// Kafka's own formatters, whose schemas are Kafka's.
#[test]
fn what_is_stored_is_read_as_kafkas() {
    let _row = table::row(
        "Kafka's console consumer",
        &java::version(),
        "`__consumer_offsets` through Kafka's own formatters",
    );
    let broker = Broker::start(&["num.partitions=1", "offsets.topic.num.partitions=2"]);
    let (topic, group) = (topic("stored"), topic("group"));
    produce(&broker, &topic, 0, 10);
    consume(&broker, &topic, &group, 10, &[]);
    let read = |formatter: &str| {
        let formatter = format!("org.apache.kafka.tools.consumer.{formatter}");
        let all = ["--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "12000"];
        tool(&broker, CONSUMER, &[&all[..], &["--formatter", &formatter]].concat())
    };
    let offsets = read("OffsetsMessageFormatter");
    let key = format!(r#""group":"{group}","topic":"{topic}","partition":0"#);
    assert!(offsets.contains(&key) && offsets.contains(r#""version":4,"data":{"offset":10,"#), "{offsets}");
    let groups = read("GroupMetadataMessageFormatter");
    assert!(groups.contains(&format!(r#""group":"{group}""#)), "{groups}");
    assert!(groups.contains(r#""protocolType":"consumer","generation":1,"protocol":"range""#), "{groups}");
}
