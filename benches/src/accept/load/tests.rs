use serde_json::json;

use super::*;

#[test]
fn the_summary_of_a_consuming_phase_is_read() {
    let summary = json!({"ok": true, "phases": {"consume_hot": {
        "records_per_second": 3.5e6, "broker_cpu_seconds_per_gb": 0.9,
        "latency_us": {"p50": 800, "p99": 2100}, "producing": {"records_per_second": 3.6e6},
    }}});
    let figures = Figures::from_summary(&summary, "consume_hot").expect("all there");
    assert_eq!(figures.records_per_second, 3.5e6);
    assert_eq!(figures.produced_per_second, Some(3.6e6));
    assert_eq!((figures.p50_us, figures.p99_us, figures.cpu_seconds_per_gb), (800.0, 2100.0, 0.9));
    assert!(figures.ok);
}

#[test]
fn a_figure_that_is_missing_is_named() {
    let summary = json!({"ok": true, "phases": {"produce": {"records_per_second": 1.0}}});
    let why = Figures::from_summary(&summary, "produce").expect_err("no CPU time");
    assert!(why.contains("broker_cpu_seconds_per_gb"), "{why}");
}
