//! What the figures rest on: the machine, the broker's settings, the method, and the command that repeats it all.

use maud::{Markup, html};
use serde_json::Value;

use super::super::figures::bytes;
use super::super::raw::Run;

/// What is told of every run.
struct Row {
    name: &'static str,
    show: fn(&Run) -> String,
}

const fn row(name: &'static str, show: fn(&Run) -> String) -> Row {
    Row { name, show }
}

const ROWS: &[Row] = &[
    row("Broker", Run::broker),
    row("Its settings", settings),
    row("Processor", |run| {
        let figures = run.figures();
        let processors = figures.show("machine/processors", |n| format!("{n:.0}"));
        format!("{} ({processors} processors)", figures.text_or_unknown("machine/cpu"))
    }),
    row("Memory", |run| run.figures().show("machine/memory_bytes", bytes)),
    row("System", |run| {
        let figures = run.figures();
        format!(
            "{}, Linux {}",
            figures.text_or_unknown("machine/system"),
            figures.text_or_unknown("machine/kernel")
        )
    }),
    row("Disk", disk),
    row("Filesystem", |run| {
        let figures = run.figures();
        format!(
            "{} ({})",
            figures.text_or_unknown("disk/filesystem"),
            figures.text_or_unknown("disk/mount_options")
        )
    }),
    row("Acknowledged means", |run| run.figures().text_or_unknown("durability").to_owned()),
    row("Broker ready after", ready),
    row("Load generator", |run| {
        let figures = run.figures();
        let threads = figures.show("workload/threads", |n| format!("{n:.0}"));
        format!("tora-load {}, {threads} threads", figures.text_or_unknown("tora_load"))
    }),
    row("Results folder", |run| run.folder.clone()),
];

/// The last sections.
pub fn render(runs: &[Run]) -> Markup {
    html! {
        section id="ground" {
            h2 { "What it ran on" }
            div.scroll {
                table.words {
                    @if runs.len() > 1 {
                        thead { tr { th { } @for run in runs { th scope="col" { (run.name) } } } }
                    }
                    tbody {
                        @for row in ROWS {
                            tr { th scope="row" { (row.name) } @for run in runs { td { ((row.show)(run)) } } }
                        }
                    }
                }
            }
        }
        section id="repeat" {
            h2 { "Repeat it" }
            @for run in runs {
                @if runs.len() > 1 { h3 { (run.name) } }
                pre { (command(run.figures().at("command"))) }
            }
            (method())
        }
    }
}

fn method() -> Markup {
    html! {
        h3 { "How it was measured" }
        p {
            "Latency counts from the intended send of a record: in an open loop the schedule's time, whatever kept the \
             record waiting (no coordinated omission); in a closed loop the time at which it was made. Every record counts \
             once. Percentiles are HdrHistogram's, to three significant digits; the first record that a percentile's axis \
             cannot tell apart any more is its last point."
        }
        p {
            "CPU times, memory, and the device's bytes and flushes are read from /proc once a second, none is estimated. \
             The load generator runs on the same machine and takes its share of the processors; its own CPU time and \
             lateness stand in the tables."
        }
        p {
            "This page was made from the raw data beside it, which is kept: summary.json, PHASE.csv (samples) and \
             PHASE.hlog (histograms an interval, HdrHistogram's log format). " code { "tora-load report FOLDER…" }
            " makes it again, of several runs too."
        }
    }
}

fn settings(run: &Run) -> String {
    let settings = run.figures().at("broker/settings").as_object();
    let pairs =
        settings.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
    let cores = run.figures().number("broker/cores").map(|cores| format!("{cores:.0} cores"));
    let all: Vec<_> = cores.into_iter().chain(pairs).collect();
    if all.is_empty() { "not known to tora-load".into() } else { all.join(", ") }
}

fn disk(run: &Run) -> String {
    let figures = run.figures();
    let Some(device) = figures.text("disk/device") else { return "no block device known".into() };
    let model =
        figures.text("disk/block_device/model").map(|model| format!(" ({model})")).unwrap_or_default();
    format!(
        "{device}{model}, {}, write cache: {}",
        figures.show("disk/block_device/bytes", bytes),
        figures.text_or_unknown("disk/write_cache")
    )
}

fn ready(run: &Run) -> String {
    let times = run.figures().at("broker/ready_after_ms").as_array();
    let times: Vec<_> =
        times.into_iter().flatten().filter_map(Value::as_f64).map(|ms| format!("{ms:.0} ms")).collect();
    if times.is_empty() { "–".into() } else { times.join(", then ") }
}

/// The command line that made a run, as it can be pasted into a shell.
pub fn command(arguments: &Value) -> String {
    let words = arguments.as_array().into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<_> = words
        .enumerate()
        .map(|(index, word)| if index == 0 { "tora-load".into() } else { quoted(word) })
        .collect();
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,/:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests;
