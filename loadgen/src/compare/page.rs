//! The comparison as a page: what was aimed at and the main picture first, losses as plain as wins; then each workload;
//! then what it all rests on.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::figures::{MARKS, Measured, Results, Rounds, Spread};
use super::plan::{Contender, Pair, Plan};
use super::workloads::Axis;
use super::{Report, aims};
use crate::report::figures::{Figures, bytes, two_digits};
use crate::report::page::{STYLE, command};

mod section;

/// The whole page, with the main `picture`.
///
/// # Errors
/// A sentence, where a chart cannot be drawn or a results folder cannot be read.
pub(super) fn render(report: &Report<'_>, picture: &str) -> Result<String, String> {
    let Report { plan, results, description, out, .. } = *report;
    let section = |measured| section::render(plan, out, measured);
    let sections = results.0.iter().map(section).collect::<Result<Vec<_>, _>>()?;
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
                (first(report))
                (main_picture(plan, picture))
                (ratios(plan, results))
                @for section in &sections { (section) }
                (ground(plan, description))
            }
        }
    };
    Ok(page.into_string())
}

/// What a reader takes in within ten seconds: how many aims were met, and each with its ratio and spread, why it was
/// missed below it.
fn first(report: &Report<'_>) -> Markup {
    let Report { plan, results, description, notes, .. } = *report;
    let figures = Figures(description);
    let outcomes = aims::outcomes(results);
    let count = |met| outcomes.iter().filter(|outcome| outcome.met == met).count();
    html! {
        header {
            p.eyebrow {
                "tora-load compare · " (figures.text_or_unknown("started_at")) " · " (figures.text_or_unknown("machine/cpu"))
            }
            h1 { "tora and " (plan.other) ", the same work on the same machine" }
            p.contract {
                strong.figure.good { (count(Some(true))) } " aims met, "
                strong.figure.bad { (count(Some(false))) } " missed"
                @if count(None) > 0 { ", " strong.figure { (count(None)) } " not measured in this run" }
                ". Medians of " (plan.rounds_in_words()) " in turns (least – most)."
            }
            div.scroll {
                table.aims {
                    thead { tr { th { } th { "what" } th { "aim" } th { "measured" } } }
                    tbody {
                        @for outcome in &outcomes {
                            tr {
                                td.(tone(outcome.met)) { (aims::verdict(outcome.met)) }
                                th scope="row" { (outcome.what) }
                                td { (outcome.aim) }
                                td.figure {
                                    @for (index, shown) in outcome.figures.iter().enumerate() {
                                        @if index > 0 { br; }
                                        (shown.called) strong { (shown.median) } " "
                                        span.quiet { (shown.spread) }
                                    }
                                    @if outcome.figures.is_empty() { span.quiet { (marked(outcome.elsewhere)) } }
                                }
                            }
                            @if let (Some(false), Some(why)) = (outcome.met, notes.of(outcome.key)) {
                                tr.why { td { } td colspan="3" { (marked(why)) } }
                            }
                        }
                    }
                }
            }
            (findings(report))
        }
    }
}

/// What could not be measured at all.
fn findings(report: &Report<'_>) -> Markup {
    let findings: Vec<_> = report.results.findings(report.plan).collect();
    html! {
        @if !findings.is_empty() {
            p { "Could not be measured, or not in time:" }
            ul.warnings { @for finding in &findings { li { (finding) } } }
        }
    }
}

/// Text with `code` in it, as notes have it.
fn marked(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn main_picture(plan: &Plan, picture: &str) -> Markup {
    html! {
        section id="picture" {
            figure.wide {
                figcaption {
                    h3 { "How many times better tora is" }
                    p { "Dots: medians; lines: least to most of all rounds. Right of 1 tora is ahead, left of it " (plan.other) "." }
                }
                (PreEscaped(picture))
            }
        }
    }
}

fn tone(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "good",
        Some(false) => "bad",
        None => "quiet",
    }
}

/// Every workload and figure against every pair.
fn ratios(plan: &Plan, results: &Results) -> Markup {
    html! {
        section id="ratios" {
            h2 { "All ratios" }
            p {
                "More records a second, a lower latency, less CPU time: above 1 tora is ahead, below 1 " (plan.other) " is."
            }
            div.scroll {
                table.ratios {
                    thead {
                        tr {
                            th { }
                            @for pair in Pair::ALL {
                                th scope="col" { (plan.name(pair.ours)) br; "against " (plan.name(pair.theirs)) }
                            }
                        }
                    }
                    tbody {
                        @for measured in &results.0 {
                            @for (index, axis) in measured.workload.axes.iter().enumerate() {
                                tr {
                                    th scope="row" {
                                        @if index == 0 {
                                            a href=(format!("#{}", measured.workload.name)) { (measured.workload.title) } br;
                                        }
                                        span.quiet { (axis.what) " · " (measured.workload.layout.name()) }
                                    }
                                    @for pair in Pair::ALL { td { (ratio(measured, axis, &pair)) } }
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
                strong { "shared" } ": broker and load generator on all cores, unpinned. "
                strong { "split" } ": the broker on one core, the load generator on another."
            }
            p.quiet {
                (MARKS)
            }
        }
    }
}

/// A ratio, in the colour of who is ahead, with the figures behind it.
fn ratio(measured: &Measured, axis: &Axis, pair: &Pair) -> Markup {
    let Some(ratio) = measured.ratio(pair.ours, pair.theirs, axis) else { return html! { "–" } };
    let class = match ratio {
        Spread { least, .. } if least > 1.0 => "good",
        Spread { most, .. } if most < 1.0 => "bad",
        _ => "even",
    };
    let shown = |contender: Contender| {
        let shown = |rounds: &Rounds| {
            let median = rounds.spread(axis.phase, axis.path)?.median;
            Some(format!("{}{}", (axis.show)(median), rounds.marks(axis.phase)))
        };
        measured.of(contender).and_then(shown).unwrap_or_else(|| "–".into())
    };
    html! {
        span.ratio.(class) { (two_digits(ratio.median)) " ×" } br;
        @if ratio.rounds > 1 { span.quiet { (two_digits(ratio.least)) "–" (two_digits(ratio.most)) } br; }
        span.quiet { (shown(pair.ours)) " : " (shown(pair.theirs)) }
    }
}

/// Where it ran, how the brokers were set, and how to do it again.
fn ground(plan: &Plan, description: &Value) -> Markup {
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
                        tr { th scope="row" { "tora" } td {
                            (figures.text_or_unknown("brokers/tora/version")) "; " (figures.text_or_unknown("brokers/tora/settings"))
                        } }
                        tr { th scope="row" { (other.text_or_unknown("name")) } td {
                            (other.text_or_unknown("version")) ", " (other.text_or_unknown("java")) br;
                            (other.text_or_unknown("jvm_options"))
                        } }
                        @if figures.is("floor") {
                            tr { th scope="row" { "floor" } td {
                                "The bare server of tora-benches on one core: receive, check the CRC, copy once, write with \
                                 O_DIRECT, flush (or not), acknowledge; over blocks that were written before, or (fresh) \
                                 that never were, as those of a log that grows"
                            } }
                        }
                        @for (workload, why) in &plan.left_out {
                            tr { th scope="row" { "Left out" } td { (workload.title) ": " (why) } }
                        }
                    }
                }
            }
            pre { (other.text_or_unknown("settings")) }
            h2 { "Repeat it" }
            pre { (command(figures.at("command"))) }
            p {
                "Both brokers run all the time, and each has nothing to do while the other is measured. Every figure comes \
                 from the summary.json, samples and histogram logs of a measurement of its own, which lie beside this page. \
                 CPU times, memory and bytes are read from /proc, none is estimated; bytes and flushes of the device are \
                 everybody's (only one of the brokers has something to do at a time, so that flushes for an acknowledgement \
                 are known of either), bytes of the broker its own write_bytes. A dash stands where nothing is counted. MB are 10⁶ bytes of record values."
            }
            p { a href="compare.json" { "compare.json" } " · " a href="comparison.md" { "comparison.md" } " · " a href="comparison.svg" { "comparison.svg" } }
        }
    }
}
