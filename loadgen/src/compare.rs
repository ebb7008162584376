//! `tora-load compare`: the same workloads on Tora and on another broker, in turns.
//!
//! The way through: [`workloads`] and [`plan`] (what is measured, contenders, the order) → [`contest`] (the brokers,
//! started and ended) → [`cell`] (one measurement) → [`figures`] (medians, spreads and ratios) and [`aims`] (what they
//! should be) → [`page`], [`markdown`] and [`picture`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cli::CompareArgs;
use crate::date;
use crate::machine;
use crate::progress::Progress;
use crate::sys;

mod aims;
mod cell;
mod contest;
mod figures;
mod instance;
mod kafka;
mod markdown;
mod page;
mod picture;
mod plan;
mod workloads;

use cell::Cell;
use contest::Contest;
use figures::Results;
use plan::{Layout, Plan};

/// The report's names in the results folder.
const REPORT: &str = "comparison.html";
const TABLE: &str = "comparison.md";
const PICTURE: &str = "comparison.svg";
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
    let mut failed = Vec::new();
    let cells = plan.cells(&out);
    for layout in Layout::ALL {
        let due = |cell: &&Cell| cell.workload.layout == layout && !cell.is_finished();
        let todo: Vec<_> = cells.iter().filter(due).collect();
        if todo.is_empty() || sys::interrupted() {
            continue;
        }
        let contest = Contest::start(args, &plan, layout, &out, &progress)?;
        describe(&plan, &contest, &out, &started_at)?;
        let measured = measure(&plan, &contest, &todo, &progress);
        contest.end()?;
        failed.extend(measured?);
    }
    let path = report(&plan, &out)?;
    for (workload, why) in &plan.left_out {
        eprintln!("tora-load: {} is left out: {why}", workload.name);
    }
    for why in &failed {
        eprintln!("tora-load: {why}");
    }
    if sys::interrupted() {
        return Err("interrupted: run it again with the same --out to go on".into());
    }
    let table = fs::read_to_string(out.join(TABLE)).unwrap_or_default();
    println!("{table}\nreport: {}", path.display());
    Ok(failed.is_empty())
}

/// Makes the measurements in their order; gives what went wrong with some of them.
fn measure(
    plan: &Plan,
    contest: &Contest<'_>,
    todo: &[&Cell],
    progress: &Progress,
) -> Result<Vec<String>, String> {
    contest.warm_up(plan, progress)?;
    let mut failed = Vec::new();
    for (index, cell) in todo.iter().enumerate() {
        if sys::interrupted() {
            break;
        }
        progress.say(&format!("{} of {}: {}", index + 1, todo.len(), cell.name()));
        let measured = contest.settle(cell, plan).and_then(|()| cell.measure(contest, plan));
        if let Err(why) = measured {
            progress.say(&format!("  failed: {why}"));
            failed.push(format!("{}: {why}", cell.name()));
        }
    }
    Ok(failed)
}

/// Writes down what is compared, with everything needed to judge the figures and to repeat them.
fn describe(plan: &Plan, contest: &Contest<'_>, out: &Path, started_at: &str) -> Result<(), String> {
    let text = serde_json::to_string_pretty(&json!({
        "tora_load": env!("CARGO_PKG_VERSION"),
        "started_at": started_at,
        "command": std::env::args().collect::<Vec<_>>(),
        "machine": machine::describe(),
        "brokers": contest.describe(),
        "rounds": plan.rounds,
        "duration_seconds": plan.duration.as_secs_f64(),
        "warmup_seconds": plan.warmup.as_secs_f64(),
        "fetch_bytes": plan.fetch_bytes,
        "left_out": plan.left_out.iter().map(|(w, why)| json!([w.name, why])).collect::<Vec<_>>(),
    }));
    let path = out.join(DESCRIPTION);
    let text = text.expect("it is plain data");
    fs::write(&path, text + "\n").map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn report(plan: &Plan, out: &Path) -> Result<PathBuf, String> {
    let text = fs::read_to_string(out.join(DESCRIPTION)).unwrap_or_else(|_| "null".into());
    let description: Value =
        serde_json::from_str(&text).map_err(|e| format!("{DESCRIPTION} is not understood: {e}"))?;
    let results = Results::read(plan, out);
    let write = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok::<_, String>(path)
    };
    let picture = picture::draw(plan, &results)?;
    write(PICTURE, picture.file)?;
    write(TABLE, markdown::render(plan, &results, &description))?;
    write(REPORT, page::render(plan, &results, &description, out, &picture.themed)?)
}
