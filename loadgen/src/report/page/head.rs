//! The first screen: the answer in figures.

use maud::{Markup, html};

use super::super::figures::{bytes, count, micros, one_digit, percent, two_digits};
use super::super::raw::Run;
use crate::cli::Phase;

/// The page's title.
pub fn title(runs: &[Run]) -> String {
    match runs {
        [run] => format!("{} · tora-load report", headline(run)),
        _ => format!("{} runs side by side · tora-load report", runs.len()),
    }
}

/// What comes before everything else.
pub fn render(runs: &[Run]) -> Markup {
    match runs {
        [run] => single(run),
        _ => several(runs),
    }
}

fn single(run: &Run) -> Markup {
    html! {
        header {
            p.eyebrow { "tora-load report · " (date(run)) }
            h1 { (headline(run)) }
            p.contract { (contract(run)) }
            p.quiet { (load(run)) }
            (warnings(&[run]))
            div.cards { @for card in cards(run) { (card) } }
        }
    }
}

fn several(runs: &[Run]) -> Markup {
    let all: Vec<_> = runs.iter().collect();
    html! {
        header {
            p.eyebrow { "tora-load report" }
            h1 { (runs.len()) " runs side by side" }
            (super::legend(runs))
            (warnings(&all))
            div.scroll {
                table {
                    thead { tr { th { } @for run in runs { th scope="col" { (run.name) } } } }
                    tbody {
                        @for row in ROWS {
                            tr {
                                th scope="row" { (row.name) }
                                @for run in runs { td { ((row.show)(run)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A figure of every run.
struct Row {
    name: &'static str,
    show: fn(&Run) -> String,
}

const ROWS: &[Row] = &[
    Row { name: "acknowledged means", show: |run| run.figures().text_or_unknown("durability").to_owned() },
    Row { name: "produced, records/s", show: |run| figure(run, "produce/records_per_second", count) },
    Row { name: "… MB/s", show: |run| figure(run, "produce/megabytes_per_second", one_digit) },
    Row { name: "… latency p99", show: |run| figure(run, "produce/latency_us/p99", micros) },
    Row {
        name: "… broker CPU, s/GB",
        show: |run| figure(run, "produce/broker_cpu_seconds_per_gb", two_digits),
    },
    Row { name: "consumed hot, records/s", show: |run| figure(run, "consume_hot/records_per_second", count) },
    Row { name: "end to end p50", show: |run| figure(run, "end_to_end/latency_us/p50", micros) },
    Row { name: "… p99", show: |run| figure(run, "end_to_end/latency_us/p99", micros) },
    Row { name: "… p99.9", show: |run| figure(run, "end_to_end/latency_us/p99_9", micros) },
    Row {
        name: "consumed cold, records/s",
        show: |run| figure(run, "consume_cold/records_per_second", count),
    },
    Row { name: "broker memory, at most", show: resident },
    Row {
        name: "disk's own write + flush p50",
        show: |run| run.figures().show("disk_probe/write_and_flush_us/p50", micros),
    },
    Row { name: "lost, duplicated, out of order, corrupt", show: verdict },
];

fn figure(run: &Run, path: &str, show: fn(f64) -> String) -> String {
    run.figures().show(&format!("phases/{path}"), show)
}

/// The most memory the broker held in any phase.
fn resident(run: &Run) -> String {
    let most = Phase::ALL
        .iter()
        .filter_map(|phase| run.phase_figures(phase.name()).number("broker_resident_bytes"))
        .reduce(f64::max);
    most.map_or_else(|| "–".into(), bytes)
}

fn verdict(run: &Run) -> String {
    let verification = run.figures();
    ["lost", "duplicated", "reordered", "corrupt"]
        .map(|trouble| verification.show(&format!("verification/{trouble}"), count))
        .join(", ")
}

/// 2026-01-31T23-59-59Z for people.
fn date(run: &Run) -> String {
    let stamp = run.figures().text_or_unknown("started_at");
    let Some((day, time)) = stamp.split_once('T') else { return stamp.to_owned() };
    let time: Vec<_> = time.trim_end_matches('Z').split('-').take(2).collect();
    format!("{day}, {} UTC", time.join(":"))
}

/// The one sentence to take away.
fn headline(run: &Run) -> String {
    let per_second = |phase: &str| run.phase_figures(phase).number("records_per_second");
    let contract = match run.figures().text("durability") {
        Some("flushed") => ", each on the disk before it was acknowledged",
        Some("written") => ", each written before it was acknowledged, not flushed",
        Some(text) if text.starts_with("not durable") => ", kept in memory only",
        _ => "",
    };
    if let Some(rate) = per_second("produce").or(per_second("consume_hot")) {
        return format!("{} records a second{contract}", count(rate));
    }
    match run.phase_figures("end_to_end").number("latency_us/p99") {
        Some(p99) => format!("99 of 100 records arrived within {}{contract}", micros(p99)),
        None => "A run that measured nothing".into(),
    }
}

/// What an acknowledgement meant.
fn contract(run: &Run) -> Markup {
    let text = run.figures().text_or_unknown("durability");
    let meaning = match text {
        "flushed" => {
            "flushed to the device before every acknowledgement: a power cut takes nothing that was acknowledged."
        }
        "written" => {
            "written, not flushed: the device or the operating system has it, and a power cut may take the last of it."
        }
        _ if text.starts_with("not durable") => {
            "in memory: whatever the broker flushes there is gone with the power."
        }
        _ => "as stated by whoever ran it.",
    };
    html! { "Durability: " strong { (text) } ". Acknowledged means " (meaning) }
}

/// What was run, in one line.
fn load(run: &Run) -> String {
    let figures = run.figures();
    let values = match figures.text("workload/values/kind") {
        Some("generated") => format!("{} B values", figures.show("workload/values/record_size", count)),
        _ => format!("lines of {} B as values", figures.show("workload/values/mean_record_size", count)),
    };
    let number = |path: &str| figures.show(path, |n| format!("{n:.0}"));
    format!(
        "{} · {values}, {} a batch · {} connections, {} partitions · {} on {}, write cache {}",
        run.broker(),
        number("workload/batch_records"),
        number("workload/connections"),
        number("workload/partitions"),
        figures.text_or_unknown("disk/filesystem"),
        figures.text_or_unknown("disk/device"),
        figures.text_or_unknown("disk/write_cache"),
    )
}

/// Everything because of which a figure is to be taken with care.
fn warnings(runs: &[&Run]) -> Markup {
    let several = runs.len() > 1;
    let mut warnings = Vec::new();
    for run in runs {
        let whose = if several { format!("{}: ", run.name) } else { String::new() };
        warnings.extend(troubles(run).into_iter().map(|trouble| whose.clone() + &trouble));
    }
    html! {
        @if !warnings.is_empty() { ul.warnings { @for warning in &warnings { li { (warning) } } } }
    }
}

fn troubles(run: &Run) -> Vec<String> {
    let mut troubles = Vec::new();
    if let Some(error) = run.figures().text("error") {
        troubles.push(format!("The run ended with an error: {error}"));
    }
    for phase in Phase::ALL {
        let (figures, name) = (run.phase_figures(phase.name()), super::words(phase).0);
        if figures.is("load_generator_bound") {
            troubles.push(format!(
                "{name}: the load generator was busy {} of the time. It may have set the pace, not the broker.",
                figures.show("load_generator_busy_share", percent)
            ));
        }
        if figures.is("machine_held_up") {
            troubles.push(format!(
                "{name}: the machine's host withheld {} of its processors' time. Those pauses are in the latencies, \
                 whoever was measured.",
                figures.show("machine_stolen_share", percent)
            ));
        }
        if let Some(unsent) = figures.number("unsent_records").filter(|&unsent| unsent > 0.0) {
            troubles.push(format!(
                "{name}: the rate was not held; {} records were due and never sent.",
                count(unsent)
            ));
        }
        if let Some(ended) =
            figures.text("ended_by").filter(|ended| ended.starts_with("disk guard") || *ended == "interrupt")
        {
            troubles.push(format!("{name}: ended early ({ended})."));
        }
    }
    for trouble in ["lost", "duplicated", "reordered", "corrupt"] {
        if let Some(n) = run.figures().number(&format!("verification/{trouble}")).filter(|&n| n > 0.0) {
            troubles.push(format!("{} records {trouble}", count(n)));
        }
    }
    troubles
}

/// A figure large, and what it is.
fn card(title: &str, figure: &str, unit: &str, more: &str) -> Markup {
    html! {
        div.card {
            h3 { (title) }
            span.figure { (figure) @if !unit.is_empty() { " " span.unit { (unit) } } }
            p { (more) }
        }
    }
}

fn cards(run: &Run) -> Vec<Markup> {
    let mut cards = Vec::new();
    for phase in Phase::ALL {
        let figures = run.phase_figures(phase.name());
        if figures.0.is_null() {
            continue;
        }
        let latency = |name: &str| figures.show(&format!("latency_us/{name}"), micros);
        let (title, rate) = (super::words(phase).0, figures.show("records_per_second", count));
        cards.push(if phase == Phase::EndToEnd {
            let more = format!("p50 {} · p99.9 {} · at {rate} records/s", latency("p50"), latency("p99_9"));
            card(title, &latency("p99"), "p99", &more)
        } else {
            let megabytes = figures.show("megabytes_per_second", one_digit);
            let latencies = match figures.at("latency_us") {
                times if times.is_object() => format!(" · p50 {} · p99 {}", latency("p50"), latency("p99")),
                _ => String::new(),
            };
            card(title, &rate, "records/s", &format!("{megabytes} MB/s{latencies}"))
        });
    }
    let produce = run.phase_figures("produce");
    if produce.number("broker_cpu_seconds_per_gb").is_some() {
        let more = format!("for a GB produced · at most {} of memory", resident(run));
        cards.push(card("Broker CPU", &produce.show("broker_cpu_seconds_per_gb", two_digits), "s/GB", &more));
    }
    if let Some(p50) = run.figures().number("disk_probe/write_and_flush_us/p50") {
        let more = format!(
            "p99 {} · 4 KiB O_DIRECT",
            run.figures().show("disk_probe/write_and_flush_us/p99", micros)
        );
        cards.push(card("The disk itself: write and flush", &micros(p50), "p50", &more));
    }
    if let Some(lost) = run.figures().number("verification/lost") {
        let figures = run.figures();
        let number = |name: &str| figures.show(&format!("verification/{name}"), count);
        let more = format!(
            "of {} checked; {} duplicated, {} out of order, {} corrupt",
            number("verified"),
            number("duplicated"),
            number("reordered"),
            number("corrupt")
        );
        cards.push(card("Every record checked", &count(lost), "lost", &more));
    }
    cards
}
