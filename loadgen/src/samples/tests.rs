use super::*;

fn sample() -> Sample {
    Sample {
        start: Duration::from_secs(3),
        length: Duration::from_millis(1250),
        produced_records: 1000,
        produced_bytes: 100_000,
        acknowledged_requests: 2,
        consumed_records: 900,
        consumed_bytes: 90_000,
        used: Usage {
            broker_cpu_seconds: Some(0.25),
            broker_written_bytes: None,
            own_cpu_seconds: 0.5,
            machine_cpu_seconds: Some(1.0),
            machine_stolen_cpu_seconds: Some(0.25),
            disk: Some(DiskUse {
                read_bytes: 1,
                written_bytes: 2,
                reads: 3,
                writes: 4,
                flushes: 5,
                discarded_bytes: 6,
            }),
        },
        broker_resident_bytes: Some(4096),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let unknown = Usage {
        broker_cpu_seconds: None,
        machine_cpu_seconds: None,
        machine_stolen_cpu_seconds: None,
        disk: None,
        ..sample().used
    };
    let unknown = Sample { used: unknown, broker_resident_bytes: None, ..sample() };
    let samples = [sample(), unknown];
    let path = std::env::temp_dir().join(format!("tora-load-samples-{}.csv", std::process::id()));
    let mut log = SampleLog::create(&path).expect("the temporary folder is writable");
    samples.iter().for_each(|sample| log.add(sample).expect("written"));
    let text = std::fs::read_to_string(&path).expect("it was just written");
    std::fs::remove_file(&path).expect("it was just written");
    assert_eq!(parse(&text).expect("every line is one of ours"), samples);
}

#[test]
fn columns_may_stand_anywhere_and_more_may_come() {
    let header: Vec<_> = HEADER.split(',').rev().collect();
    let fields: Vec<_> = row(&sample()).split(',').rev().map(str::to_owned).collect();
    let text = format!("new,{}\n7,{}\n", header.join(","), fields.join(","));
    assert_eq!(parse(&text).expect("it is understood"), [sample()]);
}

#[test]
fn a_broken_line_is_named() {
    let why = parse(&format!("{HEADER}\n{}\n1,2,x\n", row(&sample()))).expect_err("the third line is broken");
    assert!(why.contains("line 3") && why.contains("1,2,x"), "{why}");
}
