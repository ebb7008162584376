//! Ctrl-C, which every reader of an example presses in the end.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::DescribeGroupsRequest;

use super::super::{Broker, CLIENT_PATIENCE, Program, install, topic};
use super::python;
use crate::support::Client;
use crate::support::members::group_id;
use crate::support::requests::create;

fn state(broker: &Broker, group: &str) -> String {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    Client::connect(broker.address()).call(5, &request).groups[0].group_state.to_string()
}

/// The same command with Ctrl-C as a terminal has it: whoever runs the tests in the background may have it ignored, and Python
/// leaves that as it finds it.
fn as_from_a_terminal(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=INT").arg(command.get_program()).args(command.get_args());
    env.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        env.current_dir(folder);
    }
    env
}

#[test]
fn consumers_end_without_an_error_and_leave_their_groups() {
    let broker = Broker::start(&["group.initial.rebalance.delay.ms=0"]);
    let name = topic("interrupted");
    create(&mut Client::connect(broker.address()), &name, 1);
    let mut monitor = python(&broker, "log-monitoring/monitor.py");
    monitor.args(["--topic", &name]);
    let mut windows = python(&broker, "sensor-windows/windows.py");
    windows.args(["--from", &name]);
    let mut greetings = Command::new("node");
    greetings.current_dir(install("kafkajs-example"));
    greetings.args(["consumer.js", "--bootstrap", broker.address(), "--topic", &name]);
    for consumer in [monitor, windows, greetings] {
        let group = topic("group");
        let mut consumer = as_from_a_terminal(&consumer);
        let running = Program::spawn(consumer.args(["--group", &group]), "");
        let deadline = Instant::now() + CLIENT_PATIENCE;
        while state(&broker, &group) != "Stable" {
            assert!(Instant::now() < deadline, "{consumer:?} should have joined");
            thread::sleep(Duration::from_millis(50));
        }
        running.interrupt();
        running.finish();
        assert_eq!(state(&broker, &group), "Empty", "{consumer:?} leaves");
    }
}
