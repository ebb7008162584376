//! The comparison as a table for a README: the aims first, then every ratio.

use std::fmt::Write;

use serde_json::Value;

use super::aims;
use super::figures::{Measured, Results, Rounds};
use super::plan::{Contender, Pair, Plan};
use super::workloads::Axis;
use crate::report::figures::Figures;

/// The whole text.
pub fn render(plan: &Plan, results: &Results, description: &Value) -> String {
    let mut text = String::new();
    let figures = Figures(description);
    let _ = writeln!(
        text,
        "Measured {} on {}, {} processors, Linux {}: medians of {} in turns (least – most).\n",
        figures.text_or_unknown("started_at"),
        figures.text_or_unknown("machine/cpu"),
        figures.number("machine/processors").unwrap_or(0.0),
        figures.text_or_unknown("machine/kernel"),
        plan.rounds_in_words(),
    );
    text.push_str("| what | aim | measured | |\n| --- | --- | --- | --- |\n");
    for outcome in aims::outcomes(results) {
        let verdict = aims::verdict(outcome.met);
        let verdict = if outcome.met == Some(false) { format!("**{verdict}**") } else { verdict.to_owned() };
        let _ = writeln!(text, "| {} | {} | {} | {verdict} |", outcome.what, outcome.aim, outcome.measured);
    }
    text.push_str("\nHow many times better tora is; below 1 it is behind.\n\n| workload | figure |");
    for pair in Pair::ALL {
        let _ = write!(text, " {} against {} |", plan.name(pair.ours), plan.name(pair.theirs));
    }
    text.push_str("\n| --- | --- | --- | --- | --- |\n");
    for measured in &results.0 {
        for (index, axis) in measured.workload.axes.iter().enumerate() {
            let title = if index == 0 { measured.workload.title } else { "" };
            let _ = write!(text, "| {title} | {} |", axis.what);
            for pair in Pair::ALL {
                let _ = write!(text, " {} |", cell(measured, axis, &pair));
            }
            text.push('\n');
        }
    }
    text.push_str(
        "\n† the load generator was busy nearly all the time and may have set the pace. ‡ the rate was not held.\n",
    );
    text
}

fn cell(measured: &Measured, axis: &Axis, pair: &Pair) -> String {
    let Some(ratio) = measured.ratio(pair.ours, pair.theirs, axis) else { return "–".into() };
    let shown = |contender: Contender| {
        let shown = |rounds: &Rounds| {
            let median = rounds.spread(axis.phase, axis.path)?.median;
            Some(format!("{}{}", (axis.show)(median), rounds.marks(axis.phase)))
        };
        measured.of(contender).and_then(shown).unwrap_or_else(|| "–".into())
    };
    let spread =
        if ratio.rounds > 1 { format!(" ({:.2} – {:.2})", ratio.least, ratio.most) } else { String::new() };
    format!("**{:.2} ×**{spread}; {} : {}", ratio.median, shown(pair.ours), shown(pair.theirs))
}
