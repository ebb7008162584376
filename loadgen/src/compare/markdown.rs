//! The comparison as a table for a README: the aims first, then every ratio.

use std::fmt::Write;

use super::figures::{MARKS, Measured, Rounds};
use super::plan::{Contender, Pair};
use super::workloads::Axis;
use super::{Report, aims};
use crate::report::figures::Figures;

/// The whole text.
pub(super) fn render(report: &Report<'_>) -> String {
    let Report { plan, results, description, notes, .. } = *report;
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
        let why = if outcome.met == Some(false) { notes.of(outcome.key) } else { None };
        let why = why.map(|words| format!("<br>*{words}*")).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {}{why} | {} | {} | {verdict} |",
            outcome.what,
            outcome.aim,
            outcome.measured()
        );
    }
    let findings: Vec<_> = results.findings(plan).collect();
    if !findings.is_empty() {
        text.push_str("\nWhat could not be measured, or not in time:\n\n");
        findings.iter().for_each(|finding| text.push_str(&format!("- {finding}\n")));
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
    let _ = writeln!(text, "\n{MARKS}");
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
