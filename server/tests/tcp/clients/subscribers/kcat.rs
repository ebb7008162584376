//! kcat's balanced consumer (librdkafka) against Tora.

use std::process::Command;

use crate::clients::{Broker, install, run, topic};
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
