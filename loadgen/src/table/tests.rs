use super::*;
use crate::summary::tests::report;

#[test]
fn every_phase_has_its_row_and_the_contract_is_named() {
    let text = render(&report());
    for expected in [
        "produce ",
        "consume_hot ",
        "  its producers ",
        "end_to_end ",
        "consume_cold ",
        "the disk itself: ",
        "end_to_end: at a steady 100.0 k",
        "acknowledged means: flushed",
    ] {
        assert!(text.contains(expected), "{expected} is missing from\n{text}");
    }
    assert!(text.contains("0 lost, 0 duplicated"), "{text}");
}

#[test]
fn memory_is_called_not_durable() {
    let mut report = report();
    report.durability = Durability::InMemory { filesystem: "tmpfs".into() };
    let text = render(&report);
    assert!(text.contains("not durable: tmpfs") && text.contains("NOT DURABLE"), "{text}");
    assert!(!text.contains("flushed ·"), "{text}");
}

#[test]
fn a_foreign_brokers_cold_phase_says_that_nothing_was_restarted() {
    let mut report = report();
    report.broker = BrokerReport::Foreign { bootstrap: "h:1".into(), pid: None };
    assert!(render(&report).contains("without a restart"));
}

#[test]
fn a_rate_that_was_not_held_is_told() {
    let mut report = report();
    report.phases[0].unsent_records = 1500;
    assert!(render(&report).contains("1.5 k records were due and never sent"));
}

#[test]
fn a_generator_that_set_the_pace_is_told() {
    let mut report = report();
    assert!(!render(&report).contains("may have set the pace"));
    report.phases[0].used.own_cpu_seconds = 1.99;
    assert!(render(&report).contains("produce: the load generator was busy 100 % of the time"));
}

#[test]
fn a_machine_that_its_host_held_up_is_told() {
    let mut report = report();
    assert!(!render(&report).contains("withheld"));
    // A tenth of two seconds of all processors.
    let processors = crate::cpu::Machine::now().expect("/proc/stat has it").processors;
    report.phases[0].used.machine_stolen_cpu_seconds = Some(0.2 * processors as f64);
    assert!(render(&report).contains("produce: the machine's host withheld 10 % of its processors' time"));
}

#[test]
fn quantities_have_their_units() {
    for (count, text) in
        [(0.0, "0"), (999.0, "999"), (1500.0, "1.5 k"), (4_560_000.0, "4.56 M"), (2e9, "2.00 G")]
    {
        assert_eq!(quantity(count), text);
    }
}
