use super::*;

#[test]
fn what_lies_between_two_readings() {
    let disk = |n: u64| DiskUse {
        read_bytes: n,
        written_bytes: 10 * n,
        reads: n,
        writes: n,
        flushes: n,
        discarded_bytes: n,
    };
    let early = Usage {
        broker_cpu_seconds: Some(1.5),
        broker_written_bytes: Some(100),
        own_cpu_seconds: 1.0,
        machine_cpu_seconds: Some(10.0),
        machine_stolen_cpu_seconds: Some(2.0),
        disk: Some(disk(1)),
    };
    let late = Usage {
        broker_cpu_seconds: Some(2.0),
        broker_written_bytes: Some(150),
        own_cpu_seconds: 3.0,
        machine_cpu_seconds: None,
        machine_stolen_cpu_seconds: Some(2.5),
        disk: Some(disk(4)),
    };
    let between = late.since(&early);
    assert_eq!(between.broker_cpu_seconds, Some(0.5));
    assert_eq!(between.own_cpu_seconds, 2.0);
    assert_eq!(between.broker_written_bytes, Some(50));
    assert_eq!(between.machine_cpu_seconds, None, "what was not read is not made up");
    assert_eq!(between.machine_stolen_cpu_seconds, Some(0.5));
    assert_eq!(between.disk, Some(disk(3)));
}

#[test]
fn this_machine_counts() {
    let reading = Usage::now(Some(std::process::id()), None);
    assert!(reading.machine_cpu_seconds > Some(0.0), "{reading:?}");
    assert!(reading.broker_cpu_seconds.is_some() && reading.disk.is_none(), "{reading:?}");
}
