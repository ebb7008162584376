use clap::Parser;

use super::*;
use crate::cli::{Cli, Command, Phase};
use crate::usage::Usage;

/// A report of a run of all three phases that lasted two seconds each.
pub fn report() -> Report {
    let Command::Bench(args) = Cli::parse_from(["tora-load", "bench"]).command else {
        unreachable!("`bench` was asked for")
    };
    let latency = Percentiles { p50: 1, p90: 2, p99: 3, p99_9: 4, p99_99: 5, max: 6 };
    let flow =
        Flow { records: 2_000_000, value_bytes: 200_000_000, requests: 4000, latency_us: Some(latency) };
    let verdict = Verdict { verified: 2_000_000, ..Verdict::default() };
    let outcome = |phase, main, producing: Option<Flow>| Outcome {
        phase,
        seconds: 2.0,
        ended_by: EndedBy::Duration,
        main,
        producing,
        lateness_us: None,
        unsent_records: 0,
        lag_records: producing.map(|_| 10),
        used: Usage {
            broker_cpu_seconds: Some(0.1),
            broker_written_bytes: Some(220_000_000),
            own_cpu_seconds: 0.2,
            machine_cpu_seconds: Some(0.5),
            machine_stolen_cpu_seconds: Some(0.0),
            disk: Some(DiskUse { written_bytes: 300_000_000, flushes: 1000, ..DiskUse::default() }),
        },
        broker_resident_bytes: Some(50_000_000),
        rate: if phase == Phase::EndToEnd { Rate::PerSecond(100_000) } else { Rate::Max },
        threads: 1,
        verdict: (phase != Phase::Produce).then_some(verdict),
        sent_bytes: if phase == Phase::ConsumeCold { 0 } else { 1 },
        acknowledged: Vec::new(),
    };
    let untimed = Flow { latency_us: None, ..flow };
    Report {
        started_at: "2026-01-31T23-59-59Z".into(),
        command: vec!["tora-load".into(), "bench".into()],
        broker: BrokerReport::Tora {
            version: Some("0.1.0".into()),
            cores: 2,
            settings: Vec::new(),
            ready_after_ms: vec![12.5, 20.0],
        },
        durability: Durability::Flushed,
        volume: None,
        read_probe: None,
        topic_ready_after: None,
        probe: Some(DiskProbe { writes: 10, write_us: latency, flush_us: latency, both_us: latency }),
        workload: Workload::new(&args).expect("the defaults are fine"),
        partitions: 4,
        topic: "t".into(),
        phases: vec![
            outcome(Phase::Produce, flow, None),
            outcome(Phase::ConsumeHot, flow, Some(flow)),
            outcome(Phase::EndToEnd, flow, Some(flow)),
            outcome(Phase::ConsumeCold, untimed, None),
        ],
        error: None,
    }
}

#[test]
fn the_shape_that_others_rely_on() {
    let summary = report().to_json();
    let produce = &summary["phases"]["produce"];
    assert_eq!(produce["records_per_second"], 1_000_000.0);
    assert_eq!(produce["megabytes_per_second"], 100.0);
    assert_eq!(
        produce["latency_us"],
        json!({ "p50": 1, "p90": 2, "p99": 3, "p99_9": 4, "p99_99": 5, "max": 6 })
    );
    assert_eq!(produce["broker_cpu_seconds_per_gb"], 0.5);
    assert_eq!(produce["device_flushes_per_acknowledgement"], 0.25);
    assert_eq!(summary["phases"]["consume_hot"]["producing"]["records_per_second"], 1_000_000.0);
    assert_eq!(summary["phases"]["consume_cold"]["latency_us"], Value::Null);
    assert_eq!(summary["phases"]["consume_cold"]["device_flushes_per_acknowledgement"], Value::Null);
    assert_eq!(produce["device_written_bytes_per_produced_byte"], 1.5);
    assert_eq!(produce["load_generator_busy_share"], 0.1);
    assert_eq!(produce["load_generator_bound"], false);
    assert_eq!(produce["machine_stolen_share"], 0.0);
    assert_eq!(produce["machine_held_up"], false);
    let end_to_end = &summary["phases"]["end_to_end"];
    assert_eq!(end_to_end["rate"], 100_000);
    assert_eq!(end_to_end["latency_us"]["p99"], 3);
    assert_eq!(summary["disk_probe"]["write_and_flush_us"]["p50"], 1);
    assert_eq!(summary["verification"]["verified"], 6_000_000);
    assert_eq!(summary["durability"], "flushed");
    assert_eq!(summary["ok"], true);
}

#[test]
fn a_loss_or_an_error_is_not_ok() {
    let mut lossy = report();
    if let Some(verdict) = &mut lossy.phases[3].verdict {
        verdict.lost = 1;
    }
    assert!(!lossy.is_ok());
    let mut failed = report();
    failed.error = Some("the broker fell over".into());
    assert_eq!(failed.to_json()["ok"], false);
}

#[test]
fn nothing_measured_is_null_and_not_nan() {
    let mut empty = report();
    empty.phases[0].main = Flow { records: 0, value_bytes: 0, requests: 0, latency_us: None };
    empty.phases[0].seconds = 0.0;
    let produce = &empty.to_json()["phases"]["produce"];
    assert_eq!(produce["records_per_second"], Value::Null);
    assert_eq!(produce["broker_cpu_seconds_per_gb"], Value::Null);
}
