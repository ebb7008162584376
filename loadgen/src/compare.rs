//! `tora-load compare`: the same workloads on Tora and on another broker, in turns.
//!
//! The way through: [`plan`] (workloads, contenders, the order of measurements) → [`contest`] (the brokers, started and
//! ended) → [`cell`] (one measurement: a `tora-load bench` of its own) → [`figures`] (medians, spreads and ratios) →
//! [`page`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cli::CompareArgs;
use crate::date;
use crate::machine;
use crate::progress::Progress;
use crate::sys;

mod cell;
mod contest;
mod figures;
mod kafka;
mod page;
mod plan;

use cell::Cell;
use contest::Contest;
use plan::Plan;

/// The report's name in the results folder.
const REPORT: &str = "comparison.html";
/// What the comparison consists of, beside its measurements.
const DESCRIPTION: &str = "compare.json";

/// Runs what is not finished yet, and reports; gives whether every measurement went well.
///
/// # Errors
/// A sentence that says what to do, where it could not begin.
pub fn run(args: &CompareArgs) -> Result<bool, String> {
    let plan = Plan::new(args)?;
    let started_at = date::stamp(SystemTime::now());
    let out = args.out.clone().unwrap_or_else(|| Path::new("results/local").join(&started_at));
    fs::create_dir_all(&out).map_err(|e| format!("cannot make the results folder {}: {e}", out.display()))?;
    let progress = Progress::new(false);
    let todo: Vec<_> = plan.cells(&out).into_iter().filter(|cell| !cell.is_finished()).collect();
    let mut failed = Vec::new();
    if !todo.is_empty() {
        let contest = Contest::start(args, &plan, &out, &progress)?;
        describe(&plan, &contest, &out, &started_at)?;
        failed = measure(&plan, &contest, &todo, &progress)?;
        contest.end()?;
    }
    let path = report(&plan, &out)?;
    for why in &failed {
        eprintln!("tora-load: {why}");
    }
    println!("{}report: {}", figures::table(&plan, &out), path.display());
    Ok(failed.is_empty())
}

/// Makes the measurements in their order; gives what went wrong with some of them.
fn measure(
    plan: &Plan,
    contest: &Contest,
    todo: &[Cell],
    progress: &Progress,
) -> Result<Vec<String>, String> {
    contest.warm_up(plan, progress)?;
    let mut failed = Vec::new();
    for (index, cell) in todo.iter().enumerate() {
        if sys::interrupted() {
            return Err("interrupted: run it again with the same --out to go on".into());
        }
        progress.say(&format!("{} of {}: {}", index + 1, todo.len(), cell.name()));
        contest.settle()?;
        if let Err(why) = cell.measure(contest.broker(cell.contender), plan) {
            failed.push(format!("{}: {why}", cell.name()));
        }
    }
    Ok(failed)
}

/// Writes down what is compared, with everything needed to judge the figures and to repeat them.
fn describe(plan: &Plan, contest: &Contest, out: &Path, started_at: &str) -> Result<(), String> {
    let text = serde_json::to_string_pretty(&json!({
        "tora_load": env!("CARGO_PKG_VERSION"),
        "started_at": started_at,
        "command": std::env::args().collect::<Vec<_>>(),
        "machine": machine::describe(),
        "brokers": contest.describe(),
        "rounds": plan.rounds,
        "duration_seconds": plan.duration.as_secs_f64(),
        "warmup_seconds": plan.warmup.as_secs_f64(),
        "layout": "shared: brokers and load generator on all cores, unpinned",
    }));
    let path = out.join(DESCRIPTION);
    let text = text.expect("it is plain data");
    fs::write(&path, text + "\n").map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn report(plan: &Plan, out: &Path) -> Result<PathBuf, String> {
    let text = fs::read_to_string(out.join(DESCRIPTION)).unwrap_or_else(|_| "null".into());
    let description: Value =
        serde_json::from_str(&text).map_err(|e| format!("{DESCRIPTION} is not understood: {e}"))?;
    let path = out.join(REPORT);
    let html = page::render(plan, &description, out)?;
    fs::write(&path, html).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(path)
}
