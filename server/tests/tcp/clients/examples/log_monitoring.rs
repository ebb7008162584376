//! Logs watched in real time.

use std::collections::HashMap;

use super::super::{Broker, Program, run, table, topic};
use super::{data, python, repository};

/// The alerts that a log should lead to.
fn alerts(log: &str, errors: u32) -> Vec<String> {
    let mut counts: HashMap<(&str, &str), u32> = HashMap::new();
    for line in log.lines() {
        let mut words = line.split(' ');
        let (moment, instance) = (words.next().expect("a time"), words.next().expect("a service"));
        if words.next() == Some("ERROR") {
            let (service, _) = instance.rsplit_once('-').expect("a service's number");
            *counts.entry((&moment[..16], service)).or_default() += 1;
        }
    }
    let many = counts.into_iter().filter(|(_, count)| *count >= errors);
    let mut alerts: Vec<_> =
        many.map(|((minute, service), _)| format!("ALERT {minute} {service}: {errors} errors")).collect();
    alerts.sort_unstable();
    alerts
}

#[test]
fn errors_that_pile_up_are_said() {
    let _row = table::row(
        "kafka-python",
        &super::super::python::KAFKA_PYTHON.version(),
        "`examples/log-monitoring`: a log followed into a topic, a group that counts errors",
    );
    let broker = Broker::start(&["num.partitions=3", "group.initial.rebalance.delay.ms=0"]);
    let topic = topic("logs");
    let log = data("service.log");
    let lines = log.lines().count().to_string();
    let mut ship = python(&broker, "log-monitoring/ship.py");
    ship.arg(repository("data/service.log")).args(["--topic", &topic, "--limit", &lines]);
    let ship = Program::spawn(&mut ship, "");
    let mut monitor = python(&broker, "log-monitoring/monitor.py");
    let said = run(monitor.args(["--topic", &topic, "--errors", "6", "--limit", &lines]), "");
    ship.finish();
    let mut said: Vec<_> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, alerts(&log, 6));
    assert!(said.len() > 5, "the data set has errors that pile up");
}
