//! `tora-load bench` with the server of this repository: one command, all phases, nothing lost.

mod common;

use std::path::Path;

use common::Run;

/// A short run; what it made for itself must be gone afterwards.
fn bench(arguments: &[&str]) -> Run {
    let fixed = ["--duration=2s", "--warmup=500ms"];
    let run = Run::of_server(&[&fixed[..], arguments].concat());
    run.assert_success();
    run.assert_nothing_lost();
    assert_eq!(run.left_behind(), Vec::<String>::new(), "the data folder is removed");
    run
}

#[test]
fn one_command_measures_all_phases() {
    let run = bench(&[]);
    run.assert_phase("produce", true);
    run.assert_phase("consume_hot", true);
    run.assert_phase("end_to_end", true);
    run.assert_phase("consume_cold", false);
    let summary = &run.summary;
    assert_eq!(summary["broker"]["kind"], "tora");
    let starts = summary["broker"]["ready_after_ms"].as_array().map(Vec::len);
    assert_eq!(starts, Some(2), "it is restarted before the cold phase: {summary:#}");
    let on_disk = summary["disk"]["device"].is_string();
    let contract = summary["durability"].as_str().expect("the contract is stated");
    assert!(contract == "flushed" || (!on_disk && contract.starts_with("not durable")), "{contract}");
    let end_to_end = &summary["phases"]["end_to_end"];
    assert_eq!(end_to_end["rate"], 100_000, "it has a steady rate of its own: {end_to_end:#}");
    assert!(end_to_end["lateness_us"]["p99"].is_u64(), "{end_to_end:#}");
    if on_disk {
        let probe = &summary["disk_probe"]["write_and_flush_us"];
        assert!(probe["p50"].as_u64() > Some(0), "{summary:#}");
        let flushes = summary["phases"]["produce"]["device_flushes"].as_u64();
        assert!(flushes > Some(0), "acknowledged means flushed: {summary:#}");
    }
    assert!(summary["phases"]["produce"]["broker_cpu_seconds_per_gb"].as_f64() > Some(0.0), "{summary:#}");
}

#[test]
fn lines_of_the_data_set_as_values() {
    for file in ["click.jsonl", "sensor.csv", "service.log"] {
        let payload = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(file);
        let payload = payload.to_str().expect("the repository's path is UTF-8");
        let run = bench(&["--payload", payload, "--batch-records=100"]);
        run.assert_phase("consume_hot", true);
        assert_eq!(run.summary["workload"]["values"]["kind"], "payload");
    }
}

#[test]
fn idempotent_in_an_open_loop_acknowledged_when_written() {
    let run = bench(&[
        "--idempotent",
        "--rate=20000",
        "--batch-records=10",
        "--connections=6",
        "--partitions=4",
        "--set=flush.messages=1000000",
    ]);
    run.assert_phase("produce", true);
    let contract = run.summary["durability"].as_str().expect("the contract is stated");
    assert!(contract == "written" || contract.starts_with("not durable"), "{contract}");
    assert!(run.summary["phases"]["produce"]["lateness_us"]["p50"].is_u64(), "{:#}", run.summary);
}

#[test]
fn more_connections_than_partitions_and_tiny_batches() {
    let run =
        bench(&["--connections=9", "--partitions=2", "--batch-records=1", "--record-size=16", "--cores=1"]);
    run.assert_phase("consume_hot", true);
    assert_eq!(run.summary["workload"]["partitions"], 2);
}

#[test]
fn what_is_in_memory_is_read_over_and_over() {
    let run = bench(&["--phases=produce,consume_cached,consume_cold", "--bytes=30MB", "--no-probe"]);
    let phases = &run.summary["phases"];
    let produce = &phases["produce"];
    assert_eq!(produce["ended_by"], "bytes", "{produce:#}");
    run.assert_phase("consume_cached", false);
    let records = |phase: &str| phases[phase]["records"].as_u64().expect("they are counted");
    // The stretch has 20,000 records a partition, and two seconds are enough to read it more than once.
    assert!(records("consume_cached") > 2 * 4 * 20_000, "{phases:#}");
    assert_eq!(phases["consume_cached"]["verification"]["corrupt"], 0);
    assert!(run.summary["disk_probe"].is_null(), "it was not wanted");
    assert!(run.summary["topic_ready_after_ms"].as_f64() > Some(0.0), "{:#}", run.summary);
}

#[test]
fn compressed_batches_are_taken_and_nothing_else_is_measured_with_them() {
    // A new topic's first records wait for its files.
    let fixed = ["--duration=1s", "--warmup=2s"];
    for codec in ["lz4", "zstd"] {
        let compression = format!("--compression={codec}");
        let run = Run::of_server(&[&fixed[..], &["--phases=produce", &compression]].concat());
        run.assert_success();
        run.assert_phase("produce", true);
        assert_eq!(run.summary["workload"]["compression"], codec);
    }
    let refused = Run::of_server(&[&fixed[..], &["--compression=lz4"]].concat());
    assert_eq!(refused.output.status.code(), Some(2), "compressed records cannot be checked");
}
