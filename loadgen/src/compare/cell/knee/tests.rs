use super::*;

#[test]
fn a_rate_is_held_where_all_goes_out_and_comes_back_in_time() {
    let held = |unsent: u64, records: f64, p99: u64| {
        let phase =
            json!({ "unsent_records": unsent, "records_per_second": records, "latency_us": { "p99": p99 } });
        is_held(Figures(&phase), 1000)
    };
    assert!(held(0, 10_000.0, 900));
    assert!(held(0, 9_900.0, 200_000));
    assert!(!held(10, 10_000.0, 900), "something could not be sent");
    assert!(!held(0, 9_000.0, 900), "a tenth did not come back");
    assert!(!held(0, 10_000.0, 300_000), "the queue grew");
    assert!(!is_held(Figures(&Value::Null), 1000), "nothing is known");
}
