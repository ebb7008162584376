//! The page: what a reader takes in first, then the phases in pictures, then everything that the figures rest on.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::charts::{self, Picture};
use super::figures::count;
use super::raw::Run;
use crate::cli::Phase;

mod ground;
mod head;
mod tables;

pub use ground::command;
pub use tables::{COST, Column, SPEED};

/// How every page of ours looks.
pub const STYLE: &str = include_str!("style.css");

/// The whole page.
///
/// # Errors
/// A sentence, where a chart cannot be drawn.
pub fn render(runs: &[Run]) -> Result<String, String> {
    let mut phases = Vec::new();
    for phase in Phase::ALL {
        if runs.iter().any(|run| run.phase(phase.name()).is_some()) {
            phases.push((phase, charts::of_phase(runs, phase.name())?));
        }
    }
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // A favicon would be a request.
                link rel="icon" href="data:,";
                title { (head::title(runs)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head::render(runs))
                @for (phase, pictures) in &phases { (section(runs, *phase, pictures)) }
                (tables::render(runs))
                (ground::render(runs))
            }
        }
    };
    Ok(page.into_string())
}

/// What a phase is called and what happens in it.
fn words(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Produce => ("Produce", "The producers alone."),
        Phase::ConsumeHot => {
            ("Consume while producing", "Producers again, and consumers that follow them from the log's end.")
        }
        Phase::EndToEnd => (
            "End to end",
            "Producers at a steady rate, and consumers that follow them: from the intended send of a record to its \
             arrival.",
        ),
        Phase::ConsumeCached => {
            ("Consume from memory", "The last megabytes of each partition over and over; nobody produces.")
        }
        Phase::ConsumeCold => {
            ("Consume from the disk", "The whole topic from its first record, after a restart of the broker.")
        }
    }
}

fn section(runs: &[Run], phase: Phase, pictures: &[Picture]) -> Markup {
    let (title, about) = words(phase);
    html! {
        section id=(phase.name()) {
            h2 { (title) }
            p.quiet { (about) " " (paces(runs, phase)) }
            (legend(runs))
            div.pictures {
                @for picture in pictures {
                    figure {
                        figcaption { h3 { (picture.title) } p { (picture.note) } }
                        (PreEscaped(&picture.svg))
                    }
                }
            }
        }
    }
}

/// At which rate a phase ran, where all runs agree on it.
fn paces(runs: &[Run], phase: Phase) -> String {
    let mut paces: Vec<_> = runs
        .iter()
        .filter_map(|run| match run.phase_figures(phase.name()).at("rate") {
            Value::Null => None,
            rate => Some(rate.as_f64().map_or_else(
                || "As fast as it goes (closed loop).".to_owned(),
                |rate| format!("At a steady {} records/s (open loop).", count(rate)),
            )),
        })
        .collect();
    paces.dedup();
    match &paces[..] {
        [pace] => pace.clone(),
        _ => String::new(),
    }
}

/// Which colour is which run, where there are several.
fn legend(runs: &[Run]) -> Markup {
    html! {
        @if runs.len() > 1 {
            ul.legend {
                @for (index, run) in runs.iter().enumerate() {
                    li style=(format!("--mark: var(--run{index})")) { (run.name) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
