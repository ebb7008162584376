use super::super::tests::Results;

#[test]
fn what_a_run_has_left_is_read_back() {
    let results = Results::new("raw");
    let run = results.run();
    assert_eq!(run.phases.len(), 4);
    let produce = run.phase("produce").expect("it ran");
    assert_eq!(produce.samples.len(), 3);
    let latency = produce.latency.as_ref().expect("it was timed");
    assert_eq!((latency.total.len(), latency.intervals.len()), (3000, 3));
    assert_eq!(latency.intervals[2].start.as_secs(), 2);
    assert!(latency.intervals[2].histogram.equivalent(latency.intervals[2].histogram.max(), 3000));
    assert!(produce.lateness.is_none(), "a closed loop is never late");
    assert!(run.disk_us.is_none(), "no such log was left");
}

#[test]
fn a_log_that_is_none_is_named() {
    let results = Results::new("broken");
    std::fs::write(results.path().join("produce.hlog"), "0.0,1.0,2.0,nonsense\n").expect("written");
    let why = super::Run::read(results.path()).err().expect("it is broken");
    assert!(why.contains("produce.hlog is no histogram log"), "{why}");
}
