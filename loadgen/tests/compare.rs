//! `tora-load compare` with Apache Kafka itself, as short as it can be: the figures mean nothing, the way through does.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Folder, with_server};
use serde_json::Value;

/// Apache Kafka's folder, brought from Maven Central if need be.
fn kafka_home() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let install = Command::new(package.join("tests/kafka/start.sh")).arg("--install-only").status();
    assert!(install.expect("start.sh is part of the repository").success());
    package.join("../.cache/kafka/4.3.1")
}

fn compare(out: &Path, more: &[&str]) -> Output {
    let fixed = ["--workloads=produce-100B-500,start", "--rounds=1", "--duration=500ms", "--warmup=2s"];
    Command::new(env!("CARGO_BIN_EXE_tora-load"))
        .arg("compare")
        .args(fixed)
        .args(more)
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .output()
        .expect("cargo has built tora-load")
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn both_brokers_are_measured_once_and_reported() {
    with_server();
    let home = kafka_home();
    let home = home.to_str().expect("the path is UTF-8");
    let out = Folder::new("compare");
    let first = compare(out.path(), &["--kafka-home", home]);
    assert!(first.status.success(), "{}", said(&first));
    let cells = ["tora-flushed-1", "kafka-written-1", "tora-written-1", "kafka-flushed-1"];
    for cell in cells {
        let path = out.path().join("produce-100B-500").join(cell).join("summary.json");
        let text = fs::read_to_string(path).expect("every contender was measured");
        let summary: Value = serde_json::from_str(&text).expect("summary.json is JSON");
        let contract = cell.split('-').nth(1).expect("it is part of the name");
        let durability = summary["durability"].as_str().expect("the contract is stated");
        assert!(durability == contract || durability.starts_with("not durable"), "{cell}: {durability}");
        let produce = &summary["phases"]["produce"];
        assert!(produce["records"].as_u64() > Some(0), "{cell}: {produce:#}");
        assert!(produce["broker_cpu_seconds"].is_f64(), "{cell}: {produce:#}");
    }
    for cell in ["tora-flushed-1", "kafka-written-1"] {
        let text = fs::read_to_string(out.path().join("start").join(cell).join("summary.json"));
        let summary: Value = serde_json::from_str(&text.expect("both were started")).expect("it is JSON");
        let start = &summary["phases"]["start"];
        let (answered, first) = (start["answered_ms"].as_f64(), start["first_acknowledgement_ms"].as_f64());
        assert!(answered > Some(0.0) && first >= answered, "{cell}: {start:#}");
    }
    let table = fs::read_to_string(out.path().join("comparison.md")).expect("the table is there");
    let aims = ["Start to the first acknowledged record", "flushed against kafka written: records/s"];
    for aim in aims {
        let line = table.lines().find(|line| line.contains(aim)).expect("every aim has a line");
        assert!(line.ends_with("| met |") || line.ends_with("| **not met** |"), "{line}");
        assert!(line.contains('×'), "it was measured: {line}");
    }
    let picture = fs::read_to_string(out.path().join("comparison.svg")).expect("the picture is there");
    assert!(picture.starts_with("<svg") && picture.contains("produce-100B-500"), "{picture}");
    let page = fs::read_to_string(out.path().join("comparison.html")).expect("the report is there");
    for expected in
        ["tora flushed", "against kafka written", "Latency by percentile", "log.segment.delete.delay.ms"]
    {
        assert!(page.contains(expected), "{expected} is missing");
    }
    let left: Vec<_> =
        fs::read_dir(out.path()).expect("the results").flatten().map(|e| e.file_name()).collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().starts_with("data-")),
        "no data is left: {left:?}"
    );

    // What is finished is not measured again: no broker is even started.
    let again = compare(out.path(), &["--kafka-home", home, "--tora", "/no/such/tora"]);
    assert!(again.status.success(), "{}", said(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains("tora flushed against kafka written"));
    fs::remove_file(out.path().join("produce-100B-500/tora-written-1/summary.json")).expect("it is there");
    let missing = compare(out.path(), &["--kafka-home", home, "--tora", "/no/such/tora"]);
    assert!(
        said(&missing).contains("/no/such/tora"),
        "what is missing needs its brokers: {}",
        said(&missing)
    );
}

#[test]
fn a_folder_that_is_no_kafka_is_told() {
    let (out, empty) = (Folder::new("compare"), Folder::new("empty"));
    let output = compare(out.path(), &["--kafka-home", empty.path().to_str().expect("the path is UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("has no folder `libs`"), "{}", said(&output));
}
