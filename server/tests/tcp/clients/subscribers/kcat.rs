//! kcat's balanced consumer (librdkafka) against Tora.

use std::process::Command;

use crate::clients::kcat::version;
use crate::clients::restart::{Lines, carries_on};
use crate::clients::{Broker, install, run, table, topic};
use crate::support::Server;

fn kcat(broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(install("kcat"));
    command.args(["-q", "-b", broker.address()]).args(arguments);
    command
}

fn lines(from: usize, count: usize) -> String {
    (from..from + count).map(|number| format!("line {number}\n")).collect()
}

#[test]
fn a_group_goes_on_where_it_stopped_across_a_restart_of_the_broker() {
    let _row = table::row("kcat", &version(), "a group is resumed after kill -9, each of three assignors");
    let broker = Broker::start(&[]);
    let (topic, group) = (topic("group"), topic("g"));
    let earliest = "auto.offset.reset=earliest";
    run(&mut kcat(&broker, &["-P", "-t", &topic, "-p", "0"]), &lines(0, 500));
    // Both assignors of librdkafka that rebalance at once, and the one that does so in steps (cooperative).
    let read = |broker: &Broker, count: &str, assignor: &str| {
        let assignor = format!("partition.assignment.strategy={assignor}");
        run(&mut kcat(broker, &["-G", &group, "-X", earliest, "-X", &assignor, "-c", count, &topic]), "")
    };
    assert_eq!(read(&broker, "200", "range"), lines(0, 200));
    assert_eq!(read(&broker, "100", "roundrobin"), lines(200, 100));
    let Broker::Ours(server) = broker else { return };
    let broker = Broker::Ours(Server::start_in(server.kill(), &[]));
    assert_eq!(read(&broker, "200", "cooperative-sticky"), lines(300, 200));
    run(&mut kcat(&broker, &["-P", "-t", &topic, "-p", "0"]), &lines(500, 1));
    assert_eq!(read(&broker, "1", "range"), lines(500, 1));
}

#[test]
fn a_static_member_is_served() {
    let _row = table::row("kcat", &version(), "a static member of a group comes back");
    let broker = Broker::start(&[]);
    let (topic, group) = (topic("static"), topic("g"));
    run(&mut kcat(&broker, &["-P", "-t", &topic, "-p", "0"]), &lines(0, 20));
    let read = |count: &str| {
        let options = ["-X", "auto.offset.reset=earliest", "-X", "group.instance.id=one", "-c", count];
        run(&mut kcat(&broker, &[&["-G", &group][..], &options, &[&topic]].concat()), "")
    };
    assert_eq!(read("10"), lines(0, 10));
    assert_eq!(read("10"), lines(10, 10), "it comes back as who it was, without waiting for its former self");
}

/// kcat's producer and its balanced consumer.
struct Kcat;

impl Lines for Kcat {
    fn produce(&self, broker: &str, topic: &str) -> Command {
        let mut command = Command::new(install("kcat"));
        command.args(["-q", "-b", broker, "-P", "-t", topic]);
        command
    }

    fn consume(&self, broker: &str, topic: &str, group: &str, count: usize) -> Command {
        let mut command = Command::new(install("kcat"));
        // -E: without another broker to turn to, it would end when this one dies.
        command.args(["-E", "-q", "-u", "-b", broker, "-G", group, "-c", &count.to_string()]);
        command.args(["-X", "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=100", topic]);
        command
    }
}

#[test]
fn a_consumer_lives_through_the_brokers_death() {
    let _row = table::row("kcat", &version(), table::ACROSS_A_KILL);
    carries_on(&Kcat);
}
