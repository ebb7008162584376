//! A workload's section: its figures contender by contender, its picture, and where its raw data is.

use std::path::Path;

use hdrhistogram::Histogram;
use maud::{Markup, PreEscaped, html};

use crate::compare::figures::{Measured, Rounds, Spread};
use crate::compare::plan::Plan;
use crate::compare::workloads::{Axis, Kind};
use crate::histogram;
use crate::report::charts::{self, RateCurve};
use crate::report::figures::{Figures, count, micros, one_digit};
use crate::report::page::{COST, Column, SPEED};
use crate::report::raw::Run;

/// The section.
///
/// # Errors
/// A sentence, where a chart cannot be drawn or a results folder cannot be read.
pub fn render(plan: &Plan, out: &Path, measured: &Measured) -> Result<Markup, String> {
    let workload = measured.workload;
    let benched = matches!(workload.kind, Kind::Bench | Kind::Fetch);
    let tool = matches!(workload.kind, Kind::Tool(_));
    let mut charts = Vec::new();
    for phase in workload.phases.iter().filter(|_| benched) {
        if let Some(svg) = percentiles(plan, out, measured, phase)? {
            charts.push((
                "Latency by percentile",
                "All rounds together, every record counted, from its intended send.",
                svg,
            ));
        }
    }
    if workload.kind == Kind::Knee
        && let Some(svg) = knee(measured)?
    {
        charts.push((
            "Latency against rate",
            "Solid: p99; dashed: p99.9. Each line ends where the rate was not held.",
            svg,
        ));
    }
    Ok(html! {
        section id=(workload.name) {
            h2 { (workload.title) }
            p.quiet { "Layout: " (workload.layout.name()) "." }
            (own_axes(plan, measured))
            (findings(plan, measured))
            @if benched {
                @for phase in workload.phases {
                    @if workload.phases.len() > 1 { h3 { (phase) } }
                    (table(plan, measured, phase, SPEED))
                    (table(plan, measured, phase, COST))
                }
            }
            @if tool {
                (table(plan, measured, "tool", COST))
                p.quiet { "What the tool's whole run cost; how many requests it made, and how late it was, it does not tell." }
            }
            @if workload.kind == Kind::Knee {
                (steps(plan, measured, SPEED, true))
                (steps(plan, measured, COST, false))
            }
            (disk(measured))
            @if !charts.is_empty() {
                ul.legend {
                    @for Rounds { contender, .. } in measured.shown() {
                        li style=(format!("--mark: var(--run{})", contender.place())) { (plan.name(*contender)) }
                    }
                }
                div.pictures {
                    @for (title, note, svg) in &charts {
                        figure { figcaption { h3 { (title) } p { (note) } } (PreEscaped(svg)) }
                    }
                }
            }
            p.quiet { "Raw data: " (raw(plan, out, measured)) }
        }
    })
}

/// What the workload is judged by, contender by contender.
fn own_axes(plan: &Plan, measured: &Measured) -> Markup {
    let axes = measured.workload.axes;
    html! {
        div.scroll {
            table {
                thead { tr { th { } th scope="col" { "rounds" } @for axis in axes { th scope="col" { (axis.what) } } } }
                tbody {
                    @for rounds in measured.shown() {
                        tr {
                            (head(plan, rounds, measured.workload.phases[0]))
                            td { (rounds.finished()) }
                            @for Axis { phase, path, show, .. } in axes { td { (spread(rounds.spread(phase, path), *show)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What could not be measured here.
fn findings(plan: &Plan, measured: &Measured) -> Markup {
    html! {
        @for rounds in &measured.rounds {
            @for (round, what) in &rounds.findings {
                p.bad { (plan.name(rounds.contender)) ", round " (round) ": " (what) }
            }
        }
    }
}

fn table(plan: &Plan, measured: &Measured, phase: &str, columns: &[Column]) -> Markup {
    // A closed loop cannot be late; all else that is not known is shown as not known.
    let counted = |column: &&Column| {
        let of = |rounds: &Rounds| rounds.spread(phase, column.path).is_some();
        !column.path.starts_with("lateness") || measured.rounds.iter().any(of)
    };
    let columns: Vec<_> = columns.iter().filter(counted).collect();
    html! {
        div.scroll {
            table {
                thead { tr { th { } @for column in &columns { th scope="col" { (column.head) } } } }
                tbody {
                    @for rounds in measured.shown() {
                        tr {
                            (head(plan, rounds, phase))
                            @for column in &columns { td { (spread(rounds.spread(phase, column.path), column.show)) } }
                        }
                    }
                }
            }
        }
    }
}

fn head(plan: &Plan, rounds: &Rounds, phase: &str) -> Markup {
    html! {
        th scope="row" title=(rounds.durability().unwrap_or("")) {
            (plan.name(rounds.contender)) (rounds.marks(phase))
        }
    }
}

fn spread(spread: Option<Spread>, show: fn(f64) -> String) -> Markup {
    html! {
        @match spread {
            None => "–",
            Some(spread) => {
                (show(spread.median))
                @if spread.rounds > 1 { br; span.quiet { (show(spread.least)) "–" (show(spread.most)) } }
            }
        }
    }
}

/// The disk's own times and speed, as measured beside.
fn disk(measured: &Measured) -> Markup {
    let spread = |path: &str| measured.rounds.iter().find_map(|rounds| rounds.spread("", path));
    let at = |percentile: &str| spread(&format!("disk_probe/write_and_flush_us/{percentile}"));
    html! {
        @if let (Some(p50), Some(p99), Some(p99_9)) = (at("p50"), at("p99"), at("p99_9")) {
            p.quiet {
                "The disk itself, a 4 KiB write and its flush, took " (micros(p50.median)) " (p50), " (micros(p99.median))
                " (p99), " (micros(p99_9.median)) " (p99.9) before these."
            }
        }
        @if let Some(speed) = spread("disk_read_megabytes_per_second") {
            p.quiet { "The disk itself, read front to back with O_DIRECT, gave " (one_digit(speed.median)) " MB/s after these." }
        }
    }
}

/// Every rate of the knee, with these figures and, if it is asked for, whether it was held.
fn steps(plan: &Plan, measured: &Measured, columns: &[Column], with_held: bool) -> Markup {
    let held = |step: &Figures<'_>| {
        html! {
            td {
                @if step.is("held") { "yes" } @else { span.bad { "no" } }
                @if step.is("load_generator_bound") { "†" }
            }
        }
    };
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { } th scope="col" { "requests/s" }
                    @if with_held { th scope="col" { "held" } }
                    @for column in columns { th scope="col" { (column.head) } }
                } }
                tbody {
                    @for rounds in &measured.rounds {
                        @for step in steps_of(rounds) {
                            tr {
                                th scope="row" { (plan.name(rounds.contender)) }
                                td { (step.show("requests_per_second", count)) }
                                @if with_held { (held(&step)) }
                                @for column in columns { td { (step.show(column.path, column.show)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn steps_of(rounds: &Rounds) -> Vec<Figures<'_>> {
    let summaries = rounds.summaries.iter().flatten();
    let steps = summaries.filter_map(|summary| summary["phases"]["knee"]["steps"].as_array()).flatten();
    steps.map(Figures).collect()
}

/// p99 and p99.9 against the rate, as far as each rate was held.
fn knee(measured: &Measured) -> Result<Option<String>, String> {
    let mut curves = Vec::new();
    for rounds in &measured.rounds {
        for (dashed, path) in [(false, "latency_us/p99"), (true, "latency_us/p99_9")] {
            let steps = steps_of(rounds).into_iter().filter(|step| step.is("held"));
            let point = |step: Figures<'_>| Some((step.number("requests_per_second")?, step.number(path)?));
            let points = steps.filter_map(point).collect();
            curves.push(RateCurve { place: rounds.contender.place(), dashed, points });
        }
    }
    charts::latency_by_rate(measured.workload.title, &curves)
}

/// Every contender's latencies in `phase`, all rounds together.
fn percentiles(plan: &Plan, out: &Path, measured: &Measured, phase: &str) -> Result<Option<String>, String> {
    let mut totals: Vec<(usize, Histogram<u64>)> = Vec::new();
    for &contender in measured.workload.contenders {
        let mut total = histogram::empty();
        for cell in plan.cells(out) {
            if cell.workload != measured.workload || cell.contender != contender || !cell.is_finished() {
                continue;
            }
            let run = Run::read(&cell.folder)?;
            if let Some(latency) = run.phase(phase).and_then(|phase| phase.latency.as_ref()) {
                total.add(&latency.total).map_err(|e| e.to_string())?;
            }
        }
        if !total.is_empty() {
            totals.push((contender.place(), total));
        }
    }
    charts::percentiles_of(measured.workload.title, &totals)
}

/// Links to every finished measurement.
fn raw(plan: &Plan, out: &Path, measured: &Measured) -> Markup {
    let cells: Vec<_> =
        plan.cells(out).into_iter().filter(|cell| cell.workload == measured.workload).collect();
    let link = |cell: &crate::compare::cell::Cell| {
        let folder = cell.folder.strip_prefix(out).unwrap_or(&cell.folder);
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (format!("{}/summary.json", folder.display()), name)
    };
    html! {
        @for (index, cell) in cells.iter().filter(|cell| cell.is_finished()).enumerate() {
            @let (address, name) = link(cell);
            @if index > 0 { ", " }
            a href=(address) { (name) }
        }
    }
}
