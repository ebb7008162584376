//! The comparison as a page: ratios first, losses as plain as wins; then each workload; then what it all rests on.

use std::path::Path;

use hdrhistogram::Histogram;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::figures::{Axis, Rounds, Spread, ratio};
use super::plan::{Contender, Pair, Plan, Workload};
use crate::histogram;
use crate::report::charts;
use crate::report::figures::{Figures, bytes, count, micros, one_digit, percent, two_digits};
use crate::report::page::{STYLE, command};
use crate::report::raw::Run;

/// The whole page.
///
/// # Errors
/// A sentence, where a chart cannot be drawn or a results folder cannot be read.
pub fn render(plan: &Plan, description: &Value, out: &Path) -> Result<String, String> {
    let workloads: Vec<_> =
        plan.workloads.iter().map(|&workload| Measured::read(plan, out, workload)).collect();
    let sections =
        workloads.iter().map(|measured| section(plan, out, measured)).collect::<Result<Vec<_>, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                link rel="icon" href="data:,";
                title { "tora and " (plan.other) " compared" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (first(plan, description, &workloads))
                @for section in &sections { (section) }
                (ground(description))
            }
        }
    };
    Ok(page.into_string())
}

/// A workload and what came of it.
struct Measured {
    workload: Workload,
    rounds: Vec<(Contender, Rounds)>,
}

impl Measured {
    fn read(plan: &Plan, out: &Path, workload: Workload) -> Self {
        let read = |contender| (contender, Rounds::read(plan, out, workload, contender));
        Self { workload, rounds: Contender::ALL.map(read).into() }
    }

    fn of(&self, contender: Contender) -> &Rounds {
        let found = self.rounds.iter().find(|(other, _)| *other == contender);
        &found.expect("every contender was read").1
    }
}

fn first(plan: &Plan, description: &Value, workloads: &[Measured]) -> Markup {
    let machine = Figures(description);
    html! {
        header {
            p.eyebrow { "tora-load compare · " (machine.text_or_unknown("started_at")) }
            h1 { "tora and " (plan.other) ", the same work on the same machine" }
            p {
                "How many times better tora is: more records a second, or at a steady rate a lower 99th percentile of \
                 latency, or less CPU time. Above 1 tora is ahead, below 1 " (plan.other) " is. Medians of "
                (plan.rounds) " rounds in turns, their least and most below."
            }
            div.scroll {
                table.ratios {
                    thead {
                        tr {
                            th { }
                            @for pair in Pair::ALL {
                                th scope="col" {
                                    (plan.name(pair.ours)) br; "against " (plan.name(pair.theirs))
                                }
                            }
                        }
                    }
                    tbody {
                        @for measured in workloads {
                            @for (index, axis) in Axis::of(measured.workload).iter().enumerate() {
                                tr {
                                    th scope="row" {
                                        @if index == 0 {
                                            a href=(format!("#{}", measured.workload.name)) { (measured.workload.title) } br;
                                        }
                                        span.quiet { (axis.what) }
                                    }
                                    @for pair in Pair::ALL { td { (verdict(measured, axis, &pair)) } }
                                }
                            }
                        }
                    }
                }
            }
            p.quiet {
                strong { "flushed" } ": on the disk before the acknowledgement (tora's default; flush.messages=1 of Kafka). "
                strong { "written" } ": the operating system has it (Kafka's default) or the device has, around the \
                 operating system's cache (tora with flush.messages=9223372036854775807), which is the stronger promise \
                 of the two; a power cut may take the last of either."
            }
            p.quiet {
                "† the load generator was busy nearly all the time and may have set the pace. ‡ the rate was not held."
            }
        }
    }
}

/// A ratio, in the colour of who is ahead, with the figures behind it.
fn verdict(measured: &Measured, axis: &Axis, pair: &Pair) -> Markup {
    let (ours, theirs) = (measured.of(pair.ours), measured.of(pair.theirs));
    let Some(ratio) = ratio(ours, theirs, axis.path, axis.more_is_better) else { return html! { "–" } };
    let class = match ratio {
        Spread { least, .. } if least > 1.0 => "good",
        Spread { most, .. } if most < 1.0 => "bad",
        _ => "even",
    };
    let shown = |rounds: &Rounds| {
        let median = rounds.spread(axis.path).map_or_else(|| "–".into(), |spread| (axis.show)(spread.median));
        format!("{median}{}", marks(rounds))
    };
    html! {
        span.ratio.(class) { (two_digits(ratio.median)) " ×" } br;
        span.quiet { (two_digits(ratio.least)) "–" (two_digits(ratio.most)) } br;
        span.quiet { (shown(ours)) " : " (shown(theirs)) }
    }
}

fn marks(rounds: &Rounds) -> &'static str {
    match (rounds.generator_bound(), rounds.rate_not_held()) {
        (true, true) => "†‡",
        (true, false) => "†",
        (false, true) => "‡",
        (false, false) => "",
    }
}

/// A column of a workload's table.
struct Column {
    head: &'static str,
    path: &'static str,
    show: fn(f64) -> String,
}

const fn column(head: &'static str, path: &'static str, show: fn(f64) -> String) -> Column {
    Column { head, path, show }
}

const SPEED: &[Column] = &[
    column("records/s", "records_per_second", count),
    column("MB/s", "megabytes_per_second", one_digit),
    column("p50", "latency_us/p50", micros),
    column("p99", "latency_us/p99", micros),
    column("p99.9", "latency_us/p99_9", micros),
    column("p99.99", "latency_us/p99_99", micros),
    column("max", "latency_us/max", micros),
];

const COST: &[Column] = &[
    column("broker CPU s/GB", "broker_cpu_seconds_per_gb", two_digits),
    column("s/M records", "broker_cpu_seconds_per_million_records", two_digits),
    column("machine CPU s", "machine_cpu_seconds", one_digit),
    column("memory", "broker_resident_bytes", bytes),
    column("written/produced", "device_written_bytes_per_produced_byte", two_digits),
    column("flushes/ack", "device_flushes_per_acknowledgement", two_digits),
    column("generator busy", "load_generator_busy_share", percent),
    column("late p99", "lateness_us/p99", micros),
];

fn section(plan: &Plan, out: &Path, measured: &Measured) -> Result<Markup, String> {
    let chart = percentiles(plan, out, measured)?;
    let disk = measured
        .rounds
        .iter()
        .filter_map(|(_, rounds)| {
            let at = |percentile: &str| {
                rounds.spread_of_run(&format!("disk_probe/write_and_flush_us/{percentile}"))
            };
            Some((at("p50")?.median, at("p99")?.median))
        })
        .next();
    Ok(html! {
        section id=(measured.workload.name) {
            h2 { (measured.workload.title) }
            (table(plan, measured, SPEED))
            (table(plan, measured, COST))
            @if let Some((p50, p99)) = disk {
                p.quiet { "The disk itself, a 4 KiB write and its flush, took " (micros(p50)) " (p50), " (micros(p99)) " (p99) before these." }
            }
            ul.legend {
                @for (index, contender) in Contender::ALL.into_iter().enumerate() {
                    li style=(format!("--mark: var(--run{index})")) { (plan.name(contender)) }
                }
            }
            @if let Some(svg) = chart {
                div.pictures {
                    figure {
                        figcaption {
                            h3 { "Latency by percentile" }
                            p { "All rounds together, every record counted, from its intended send." }
                        }
                        (PreEscaped(svg))
                    }
                }
            }
        }
    })
}

fn table(plan: &Plan, measured: &Measured, columns: &[Column]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr { th { } th scope="col" { "rounds" } @for column in columns { th scope="col" { (column.head) } } }
                }
                tbody {
                    @for (contender, rounds) in &measured.rounds {
                        tr {
                            th scope="row" title=(rounds.durability().unwrap_or("")) {
                                (plan.name(*contender)) (marks(rounds))
                            }
                            td { (rounds.finished()) }
                            @for column in columns { td { (spread(rounds.spread(column.path), column.show)) } }
                        }
                    }
                }
            }
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

/// Every contender's latencies, all rounds together.
fn percentiles(plan: &Plan, out: &Path, measured: &Measured) -> Result<Option<String>, String> {
    let mut totals: Vec<(usize, Histogram<u64>)> = Vec::new();
    for (index, contender) in Contender::ALL.into_iter().enumerate() {
        let mut total = histogram::empty();
        for cell in plan.cells(out) {
            if cell.workload != measured.workload || cell.contender != contender || !cell.is_finished() {
                continue;
            }
            let run = Run::read(&cell.folder)?;
            if let Some(latency) = run.phase(measured.workload.phase).and_then(|phase| phase.latency.as_ref())
            {
                total.add(&latency.total).map_err(|e| e.to_string())?;
            }
        }
        if !total.is_empty() {
            totals.push((index, total));
        }
    }
    charts::percentiles_of(measured.workload.title, &totals)
}

/// Where it ran, how the brokers were set, and how to do it again.
fn ground(description: &Value) -> Markup {
    let figures = Figures(description);
    let other = Figures(figures.at("brokers/other"));
    html! {
        section id="ground" {
            h2 { "What it rests on" }
            div.scroll {
                table.words {
                    tbody {
                        tr { th scope="row" { "Machine" } td {
                            (figures.text_or_unknown("machine/cpu")) ", "
                            (figures.show("machine/processors", |n| format!("{n:.0}"))) " processors, "
                            (figures.show("machine/memory_bytes", bytes)) ", " (figures.text_or_unknown("machine/system"))
                            ", Linux " (figures.text_or_unknown("machine/kernel"))
                        } }
                        tr { th scope="row" { "Layout" } td { (figures.text_or_unknown("layout")) } }
                        tr { th scope="row" { "tora" } td {
                            (figures.text_or_unknown("brokers/tora/version")) "; " (figures.text_or_unknown("brokers/tora/settings"))
                        } }
                        tr { th scope="row" { (other.text_or_unknown("name")) } td {
                            (other.text_or_unknown("version")) ", " (other.text_or_unknown("java")) br;
                            (other.text_or_unknown("jvm_options"))
                        } }
                    }
                }
            }
            pre { (other.text_or_unknown("settings")) }
            h2 { "Repeat it" }
            pre { (command(figures.at("command"))) }
            p {
                "Both brokers run all the time, and each has nothing to do while the other is measured. Every figure comes \
                 from the summary.json, samples and histogram logs of a measurement of its own, which lie beside this page \
                 with a report each. CPU times, memory, bytes and flushes are read from /proc, none is estimated; bytes and \
                 flushes are the whole device's."
            }
        }
    }
}
