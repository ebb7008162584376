use serde_json::json;

use super::*;

fn rounds(rates: &[Option<f64>]) -> Rounds {
    let summary = |rate: &Option<f64>| {
        rate.map(
            |rate| json!({ "phases": { "produce": { "records_per_second": rate, "unsent_records": 0 } } }),
        )
    };
    Rounds {
        contender: Contender::TORA_FLUSHED,
        summaries: rates.iter().map(summary).collect(),
        findings: Vec::new(),
    }
}

#[test]
fn a_median_stands_between_its_extremes() {
    let spread = |values: &[f64]| Spread::of(values.to_vec());
    assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0, rounds: 3 }));
    assert_eq!(spread(&[4.0, 1.0]).map(|s| s.median), Some(2.5));
    assert_eq!(spread(&[]), None);
}

#[test]
fn ratios_are_taken_within_a_round() {
    let (ours, theirs) =
        (rounds(&[Some(20.0), Some(60.0), None]), rounds(&[Some(10.0), Some(20.0), Some(1.0)]));
    let theirs = Rounds { contender: Contender::OTHER_WRITTEN, ..theirs };
    let workload = crate::compare::workloads::all()[0];
    let measured = Measured { workload, rounds: vec![ours, theirs] };
    let ratio = |axis: Axis| measured.ratio(Contender::TORA_FLUSHED, Contender::OTHER_WRITTEN, &axis);
    let axis = workload.axes[0];
    assert_eq!(ratio(axis), Some(Spread { median: 2.5, least: 2.0, most: 3.0, rounds: 2 }));
    let less = ratio(Axis { more_is_better: false, ..axis }).expect("two rounds have both");
    assert!(less.most <= 0.5, "where less is better, more is worse");
}

#[test]
fn a_round_that_is_missing_is_not_made_up() {
    let none = rounds(&[None, None]);
    assert_eq!((none.finished(), none.spread("produce", "records_per_second")), (0, None));
    assert_eq!(quotients(&[None, Some(1.0)], &[Some(1.0), None]), None);
}

#[test]
fn a_machine_held_up_in_most_rounds_is_marked() {
    let mut rounds = rounds(&[Some(1.0), Some(2.0), Some(3.0)]);
    let mut hold_up = |round: usize| {
        rounds.summaries[round].as_mut().expect("it is finished")["phases"]["produce"]["machine_held_up"] =
            true.into();
        rounds.marks("produce")
    };
    assert_eq!(hold_up(0), "", "one of three is an accident");
    assert_eq!(hold_up(1), "§");
}
