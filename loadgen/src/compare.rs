//! `tora-load compare`: the same workloads on Tora and on another broker, in turns.
//!
//! The way through: [`workloads`] and [`plan`] (what is measured, contenders, the order) → [`contest`] (the brokers,
//! started and ended) → [`cell`] (one measurement) → [`figures`] (medians, spreads and ratios) and [`aims`] (what they
//! should be) → [`page`], [`markdown`] and [`picture`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

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
mod floor;
mod instance;
mod kafka;
mod markdown;
mod notes;
mod page;
mod picture;
mod plan;
mod time_left;
mod workloads;

use cell::Cell;
use contest::Contest;
use figures::Results;
use notes::Notes;
use plan::{Layout, Plan};
use time_left::TimeLeft;

/// The report's names in the results folder.
const REPORT: &str = "comparison.html";
const TABLE: &str = "comparison.md";
const PICTURE: &str = "comparison.svg";
/// What fails sooner is tried once more.
const EARLY: Duration = Duration::from_secs(30);
/// What the comparison consists of, beside its measurements.
const DESCRIPTION: &str = "compare.json";

/// Runs what is not finished yet, and reports; gives whether every measurement went well.
///
/// # Errors
/// A sentence that says what to do, where it could not begin.
pub fn run(args: &CompareArgs) -> Result<bool, String> {
    if args.report_only {
        return report_only(args);
    }
    let plan = Plan::new(args)?;
    let started_at = date::stamp(SystemTime::now());
    let out = args.out.clone().unwrap_or_else(|| Path::new("results/local").join(&started_at));
    fs::create_dir_all(&out).map_err(|e| format!("cannot make the results folder {}: {e}", out.display()))?;
    let progress = Progress::new(false);
    for why in plan.missing() {
        progress.say(&why);
    }
    let cells = plan.cells(&out);
    let todo: Vec<_> = cells.iter().filter(|cell| plan.can_run(cell) && !cell.is_finished()).collect();
    let clock = TimeLeft::new(&plan, &todo);
    progress.say(&format!("{} measurements to make, about {}", todo.len(), clock.words()));
    let mut failed = Vec::new();
    for layout in Layout::ALL {
        let todo: Vec<_> = todo.iter().copied().filter(|cell| cell.workload.layout == layout).collect();
        if todo.is_empty() || sys::interrupted() {
            continue;
        }
        let contest = Contest::start(args, &plan, layout, &out, &progress)?;
        describe(&plan, &contest, &out, &started_at)?;
        let measured = measure(&plan, &contest, &todo, &clock, &progress);
        contest.end()?;
        failed.extend(measured?);
    }
    let path = report(&plan, &out, args.notes.as_deref())?;
    for why in &failed {
        eprintln!("tora-load: {why}");
    }
    if sys::interrupted() {
        return Err("interrupted: run it again with the same --out to go on".into());
    }
    show(&out, &path);
    Ok(failed.is_empty())
}

/// Makes the report again from what is in the results folder, whatever its plan was.
fn report_only(args: &CompareArgs) -> Result<bool, String> {
    let out = args.out.as_deref().ok_or("--report-only: give the results folder with --out DIR")?;
    let plan = Plan::of_results(args, out, &description(out)?)?;
    let path = report(&plan, out, args.notes.as_deref())?;
    show(out, &path);
    Ok(true)
}

fn show(out: &Path, report: &Path) {
    let table = fs::read_to_string(out.join(TABLE)).unwrap_or_default();
    println!("{table}\nreport: {}", report.display());
}

/// Makes the measurements in their order; gives what went wrong with some of them.
fn measure(
    plan: &Plan,
    contest: &Contest<'_>,
    todo: &[&Cell],
    clock: &TimeLeft,
    progress: &Progress,
) -> Result<Vec<String>, String> {
    contest.warm_up(plan, progress)?;
    let mut failed = Vec::new();
    for cell in todo {
        if sys::interrupted() {
            break;
        }
        let begun = Instant::now();
        progress.say(&format!("{} (about {} left)", cell.name(), clock.words()));
        let attempt = || contest.settle(cell, plan, progress).and_then(|()| cell.measure(contest, plan));
        // What went wrong early may have been a moment's (a broker that lost touch with its own controller, say).
        let measured = attempt().or_else(|why| {
            let again = begun.elapsed() < EARLY && !sys::interrupted();
            if again {
                progress.say(&format!("  once more: {why}"))
            }
            if again { attempt() } else { Err(why) }
        });
        clock.done(cell.expected(plan), begun.elapsed());
        if let Err(why) = measured
            && !sys::interrupted()
        {
            progress.say(&format!("  could not be measured: {why}"));
            cell.keep_failure(&why)?;
            failed.push(format!("{} could not be measured: {why}", cell.name()));
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
        "other": plan.other,
        "brokers": contest.describe(),
        "floor": plan.floor.is_some(),
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

/// What [`describe`] has written; null where nothing was.
fn description(out: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(out.join(DESCRIPTION)).unwrap_or_else(|_| "null".into());
    serde_json::from_str(&text).map_err(|e| format!("{DESCRIPTION} is not understood: {e}"))
}

fn report(plan: &Plan, out: &Path, notes: Option<&Path>) -> Result<PathBuf, String> {
    let report = Report {
        plan,
        results: &Results::read(plan, out),
        description: &description(out)?,
        notes: &Notes::read(notes, out)?,
        out,
    };
    let write = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok::<_, String>(path)
    };
    let picture = picture::draw(plan, report.results)?;
    write(PICTURE, picture.file)?;
    write(TABLE, markdown::render(&report))?;
    write(REPORT, page::render(&report, &picture.themed)?)
}

/// What a report is made of.
#[derive(Clone, Copy)]
struct Report<'a> {
    plan: &'a Plan,
    results: &'a Results,
    description: &'a Value,
    notes: &'a Notes,
    out: &'a Path,
}
