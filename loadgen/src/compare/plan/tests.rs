use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

fn plan(arguments: &str) -> Result<Plan, String> {
    let arguments = ["tora-load", "compare"].into_iter().chain(arguments.split_whitespace());
    let Command::Compare(args) = Cli::parse_from(arguments).command else {
        unreachable!("`compare` was asked for")
    };
    Plan::new(&args)
}

#[test]
fn contenders_take_turns_and_turn_round() {
    let plan = plan("--workloads produce-100B-500 --rounds 2").expect("there is such a workload");
    let names: Vec<_> = plan.cells(Path::new("out")).iter().map(Cell::name).collect();
    assert_eq!(
        names,
        [
            "produce-100B-500, tora flushed, round 1",
            "produce-100B-500, kafka written, round 1",
            "produce-100B-500, tora written, round 1",
            "produce-100B-500, kafka flushed, round 1",
            "produce-100B-500, floor flushed, round 1",
            "produce-100B-500, fresh floor flushed, round 1",
            "produce-100B-500, floor written, round 1",
            "produce-100B-500, floor written, round 2",
            "produce-100B-500, fresh floor flushed, round 2",
            "produce-100B-500, floor flushed, round 2",
            "produce-100B-500, kafka flushed, round 2",
            "produce-100B-500, tora written, round 2",
            "produce-100B-500, kafka written, round 2",
            "produce-100B-500, tora flushed, round 2",
        ]
    );
}

#[test]
fn a_quick_one_is_a_part_of_the_whole() {
    let (quick, whole) = (plan("--quick").expect("fine"), plan("").expect("fine"));
    assert!(quick.workloads.len() < whole.workloads.len() && quick.rounds < whole.rounds);
    assert!(quick.workloads.iter().all(|workload| whole.workloads.contains(workload)));
}

#[test]
fn every_workload_has_a_folder_of_its_own() {
    let all = workloads::all();
    let mut names: Vec<_> = all.iter().map(|workload| workload.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
}

#[test]
fn a_workload_that_is_not_there_is_answered_with_those_that_are() {
    let why = plan("--only nonsense").err().expect("there is none");
    assert!(why.contains("nonsense") && why.contains("produce-100B-500"), "{why}");
    assert!(plan("--rounds 0").is_err());
}

#[test]
fn layouts_come_one_after_the_other_and_short_workloads_end_early() {
    let plan = plan("--workloads produce-lz4-500,split-produce-100B-500 --rounds 3").expect("there are such");
    let cells = plan.cells(Path::new("out"));
    let layouts: Vec<_> = cells.iter().map(|cell| cell.workload.layout).collect();
    let mut sorted = layouts.clone();
    sorted.sort_by_key(|layout| layout.name());
    assert_eq!(layouts, sorted, "shared before split: the brokers are started anew between them");
    assert_eq!(cells.len(), 2 * 2 * Contender::ALL.len(), "two rounds at most of each");
    assert!(self::plan("--workloads nonsense").is_err());
}

#[test]
fn what_is_not_ours_is_left_out_with_its_reason() {
    let plan = plan("--peer other=localhost:9092").expect("much is left");
    let left_out: Vec<_> = plan.left_out.iter().map(|(workload, _)| workload.name).collect();
    assert!(left_out.contains(&"start") && left_out.contains(&"split-produce-100B-500"), "{left_out:?}");
    assert!(plan.workloads.iter().all(|workload| !left_out.contains(&workload.name)));
}

#[test]
fn without_its_program_the_floor_is_missing_and_all_else_can_run() {
    let plan =
        Plan { floor: None, ..plan("--workloads produce-100B-500 --rounds 1").expect("there is such") };
    let cells = plan.cells(Path::new("out"));
    let able: Vec<_> = cells.iter().filter(|cell| plan.can_run(cell)).map(|cell| cell.contender).collect();
    assert_eq!(able, Contender::ALL);
    assert!(plan.missing()[0].contains("cargo build --release -p tora-benches"), "{:?}", plan.missing());
    assert!(self::plan("--floor /no/such/program").is_err());
}

#[test]
fn every_measurement_has_an_expectation_and_the_whole_takes_no_hour() {
    let plan = plan("").expect("fine");
    let cells = plan.cells(Path::new("out"));
    let whole: Duration = cells.iter().map(|cell| cell.expected(&plan)).sum();
    assert!(cells.iter().all(|cell| cell.expected(&plan) > plan.warmup));
    assert!(whole > Duration::from_secs(15 * 60) && whole < Duration::from_secs(45 * 60), "{whole:?}");
}

#[test]
fn a_folder_without_a_comparison_is_told() {
    let Command::Compare(args) = Cli::parse_from(["tora-load", "compare"]).command else {
        unreachable!("asked for")
    };
    let why =
        Plan::of_results(&args, Path::new("/no/such/folder"), &Value::Null).err().expect("there is none");
    assert!(why.contains("holds no comparison"), "{why}");
}

#[test]
fn what_comes_by_the_clock_is_known_for_it() {
    let paced = |name: &str| {
        let all = workloads::all();
        let found = all.iter().find(|workload| workload.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).is_paced()
    };
    assert!(paced("knee-10") && paced("end-to-end-100k-10"));
    assert!(!paced("produce-100B-500"));
}
