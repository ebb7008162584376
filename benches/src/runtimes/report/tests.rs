use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::runtimes::work::Work;

fn turn(runtime: Runtime, frames_per_second: f64, client_cores: f64) -> Turn {
    Turn {
        runtime,
        frames_per_second,
        server_cpu_us: 1e6 / frames_per_second,
        server_cores: 1.0,
        client_cores,
        latency_us: None,
    }
}

fn report() -> Report {
    let plan = Plan {
        program: PathBuf::new(),
        folder: PathBuf::new(),
        runtimes: vec![Runtime::OwnRing, Runtime::Epoll],
        works: vec![Work::Pipelined],
        rounds: 3,
        duration: Duration::from_secs(2),
        server_core: 0,
    };
    let turns = [(100_000.0, 50_000.0), (400_000.0, 40_000.0), (200_000.0, 80_000.0)]
        .into_iter()
        .flat_map(|(ring, epoll)| [turn(Runtime::OwnRing, ring, 0.99), turn(Runtime::Epoll, epoll, 0.5)]);
    Report::new(&plan, vec![Measured { work: Work::Pipelined, turns: turns.collect() }])
}

#[test]
fn each_runtime_has_the_median_of_its_own_rounds() {
    let table = report().table();
    assert!(
        table.contains("| own-ring | 200.0 (100.0–400.0) * | 5.00 (2.50–10.00) | 1.00 | 0.99 |"),
        "{table}"
    );
    assert!(table.contains("| epoll | 50.0 (40.0–80.0) | 20.00 (12.50–25.00) | 1.00 | 0.50 |"), "{table}");
    assert!(table.contains("the client was the bottleneck"), "{table}");
}

#[test]
fn the_summary_has_a_row_for_each_work() {
    let summary = report().summary();
    assert_eq!(summary.lines().count(), 3);
    assert!(
        summary.starts_with("| thousand frames/s, server's CPU-µs a frame | own-ring | epoll |\n"),
        "{summary}"
    );
    assert!(
        summary.ends_with("| 200 B frames, pipelined on 4 connections | 200.0, 5.00 | 50.0, 20.00 |\n"),
        "{summary}"
    );
}

#[test]
fn the_json_has_every_round() {
    let report = report();
    let work = report.work_json(&report.works[0]);
    let ring = &work["runtimes"][0];
    assert_eq!(ring["runtime"], "own-ring");
    assert_eq!(ring["frames_per_second"]["median"], 200_000.0);
    assert_eq!(ring["client_limited"], true);
    assert_eq!(ring["rounds"].as_array().map(Vec::len), Some(3));
    assert_eq!(work["runtimes"][1]["rounds"][2]["frames_per_second"], 80_000.0);
}
