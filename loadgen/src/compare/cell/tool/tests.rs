use super::*;

#[test]
fn what_the_producer_test_prints() {
    let said = "100 records sent, 20.0 records/sec (0.00 MB/sec), 3.0 ms avg latency, 30.0 ms max latency.\n\
                500000 records sent, 250000.5 records/sec (23.84 MB/sec), 200.50 ms avg latency, 400.00 ms max latency, \
                190 ms 50th, 350 ms 95th, 390 ms 99th, 399 ms 99.9th.\n";
    let figures = producer_performance(said).expect("it is what the tool prints");
    assert_eq!(figures["records_per_second"], 250_000.5);
    assert_eq!(
        figures["latency_ms"],
        json!({ "mean": 200.5, "p50": 190.0, "p99": 390.0, "p99_9": 399.0, "max": 400.0 })
    );
    assert!(producer_performance("an exception").is_err());
}

#[test]
fn what_the_consumer_test_prints() {
    let said = "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms\n\
                2026-01-31 10:00:00:000, 2026-01-31 10:00:01:000, 95.3, 100.0, 1000000, 1048576.0, 300\n";
    let figures = consumer_performance(said).expect("it is what the tool prints");
    assert_eq!(figures["megabytes_per_second"], 104.8576);
    assert_eq!(figures["records_per_second"], 1_048_576.0);
    assert!(consumer_performance("an exception").is_err());
}

#[test]
fn what_the_end_to_end_tool_prints() {
    let said = "0\t1.5\nAvg latency: 0.5123 ms\n\nPercentiles: 50th = 1, 99th = 2, 99.9th = 3\n";
    let figures = end_to_end(said).expect("it is what the tool prints");
    assert_eq!(figures["latency_ms"], json!({ "mean": 0.5123, "p50": 1.0, "p99": 2.0, "p99_9": 3.0 }));
    assert!(end_to_end("an exception").is_err());
}
