use std::collections::HashSet;

use serde_json::{Value, json};

use super::*;
use crate::compare::figures::{Measured, Rounds};
use crate::compare::workloads;

/// Results in which the workload called `name` has been measured once for each of these contenders.
fn results(name: &str, summaries: &[(Contender, Value)]) -> Results {
    let workload = workloads::all().into_iter().find(|workload| workload.name == name).expect("there is one");
    let rounds = |(contender, summary): &(Contender, Value)| Rounds {
        contender: *contender,
        summaries: vec![Some(summary.clone())],
        findings: Vec::new(),
    };
    Results(vec![Measured { workload, rounds: summaries.iter().map(rounds).collect() }])
}

fn produced_at(rate: f64) -> Value {
    json!({ "phases": { "produce": { "records_per_second": rate } } })
}

#[test]
fn an_aim_is_met_or_missed_by_its_median() {
    let met = |ours: f64| {
        let results = results(BULK, &[(TORA, produced_at(ours)), (KAFKA, produced_at(10.0))]);
        outcomes(&results)[0].met
    };
    assert_eq!(met(21.0), Some(true));
    assert_eq!(met(19.0), Some(false));
    let alone = results(BULK, &[(TORA, produced_at(1.0))]);
    assert!(outcomes(&alone).iter().all(|outcome| outcome.met.is_none()), "nothing is made up");
}

#[test]
fn one_of_two_bounds_will_do() {
    let summary = |us: u64, disk: u64| {
        json!({
            "disk_probe": { "write_and_flush_us": { "p99_9": disk } },
            "phases": { "produce": { "latency_us": { "p99_9": us } } },
        })
    };
    let met = |ours: u64, theirs: u64, disk: u64| {
        let both = [(TORA, summary(ours, disk)), (KAFKA, summary(theirs, disk))];
        let all = outcomes(&results("latency-10k-10", &both));
        all.into_iter().find(|outcome| outcome.what.contains("p99.9")).expect("it is an aim").met
    };
    assert_eq!(met(10, 40, 1), Some(true), "a third of Kafka's");
    assert_eq!(met(10, 10, 9), Some(true), "the disk itself is no faster");
    assert_eq!(met(10, 10, 1), Some(false));
}

#[test]
fn the_floor_is_an_aim_and_the_fresh_floor_only_stands_beside_it() {
    let measured = |contenders: &[(Contender, Value)]| {
        let all = outcomes(&results(BULK, contenders));
        all.into_iter().find(|outcome| outcome.key == "floor-rate").expect("it is an aim")
    };
    let (tora, slow, fast) = ((TORA, produced_at(8.0)), produced_at(10.0), produced_at(20.0));
    let outcome = measured(&[tora.clone(), (FLOOR, slow.clone()), (FRESH_FLOOR, fast.clone())]);
    assert_eq!(outcome.met, Some(true), "{}", outcome.measured());
    assert!(outcome.measured().contains("fresh blocks: 0.40 ×"), "{}", outcome.measured());
    assert_eq!(measured(&[tora.clone(), (FLOOR, fast), (FRESH_FLOOR, slow.clone())]).met, Some(false));
    assert_eq!(measured(&[tora.clone(), (FRESH_FLOOR, slow)]).met, None, "the floor itself is missing");
    let missing = measured(&[tora]);
    assert!(missing.met.is_none() && missing.measured().contains("tora-benches"), "{}", missing.measured());
}

#[test]
fn every_aim_asks_for_something_that_is_measured() {
    let all = workloads::all();
    for test in AIMS.iter().flat_map(|aim| aim.tests) {
        for source in [Some(test.of), test.over].into_iter().flatten() {
            let workload = all.iter().find(|workload| workload.name == source.workload);
            let workload = workload.unwrap_or_else(|| panic!("there is no {}", source.workload));
            assert!(workload.contenders.contains(&source.contender), "{}", source.workload);
            assert!(
                source.phase.is_empty() || workload.phases.contains(&source.phase),
                "{}",
                source.workload
            );
            assert!(!source.path.contains("disk_probe") || workload.probed, "{}", source.workload);
        }
    }
    let names: HashSet<_> = AIMS.iter().map(|aim| aim.what).collect();
    assert_eq!(names.len(), AIMS.len());
    assert_eq!(keys().collect::<HashSet<_>>().len(), AIMS.len());
}
