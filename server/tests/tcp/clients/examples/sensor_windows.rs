//! Readings averaged over windows.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use serde_json::Value;

use super::super::{Broker, install, run, table, topic};
use super::{data, python, repository};

const WINDOW_MS: u64 = 10_000;

/// For each window's start and kind, the readings' number and average, as the data set has them.
fn expected() -> BTreeMap<(u64, String), (u64, f64)> {
    let mut sums: BTreeMap<(u64, String), (u64, f64)> = BTreeMap::new();
    for line in data("sensor.csv").lines() {
        let mut fields = line.split(',');
        let time: u64 = fields.next().expect("a time").parse().expect("in milliseconds");
        let kind = fields.nth(1).expect("a kind").to_owned();
        let reading: f64 = fields.next().expect("a reading").parse().expect("a number");
        let (count, sum) = sums.entry((time - time % WINDOW_MS, kind)).or_default();
        *count += 1;
        *sum += reading;
    }
    // Nothing comes after the last window, so it stays open.
    let last = sums.last_key_value().expect("there are readings").0.0;
    sums.retain(|(start, _), _| *start < last);
    for (count, sum) in sums.values_mut() {
        *sum /= f64::from(u32::try_from(*count).expect("few"));
    }
    sums
}

#[test]
fn windows_are_averaged_once_each_across_a_kill() {
    let _row = table::row(
        "confluent-kafka (Python)",
        &super::super::python::CONFLUENT.version(),
        "`examples/sensor-windows`: averages over windows into another topic, kill -9 in the middle",
    );
    let settings = ["num.partitions=3", "group.initial.rebalance.delay.ms=0"];
    let broker = Broker::start(&settings);
    let (readings, averages, group) = (topic("readings"), topic("averages"), topic("windows"));
    let mut send = python(&broker, "sensor-windows/readings.py");
    run(send.arg(repository("data/sensor.csv")).args(["--topic", &readings]), "");
    let windows = |broker: &Broker, bound: &[&str]| {
        let mut command = python(broker, "sensor-windows/windows.py");
        command.args(["--from", &readings, "--to", &averages, "--group", &group]).args(bound);
        assert_eq!(run(&mut command, ""), "");
    };
    windows(&broker, &["--limit", "3500"]);
    let broker = broker.killed_and_started(&settings);
    windows(&broker, &["--to-end"]);

    let mut kcat = Command::new(install("kcat"));
    kcat.args(["-C", "-q", "-e", "-o", "beginning", "-b", broker.address(), "-t", &averages, "-f", "%s\n"]);
    let mut found = HashMap::new();
    for line in run(&mut kcat, "").lines() {
        let average: Value = serde_json::from_str(line).expect("JSON");
        let window = average["window_start_ms"].as_u64().expect("a time");
        let key = (window, average["kind"].as_str().expect("a kind").to_owned());
        let told =
            (average["readings"].as_u64().expect("a number"), average["average"].as_f64().expect("one"));
        assert_eq!(found.insert(key, told), None, "{line} comes twice");
    }
    let expected = expected();
    assert_eq!(found.len(), expected.len());
    for (window, (count, average)) in expected {
        let told = found[&window];
        assert!(
            told.0 == count && (told.1 - average).abs() < 0.001,
            "{window:?}: {told:?}, not {count} × {average}"
        );
    }
}
