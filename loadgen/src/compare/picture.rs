//! The main picture: how many times better tora is, a row for each workload and figure, on a logarithmic axis.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figures::{Results, Spread};
use super::plan::{Layout, Pair, Plan};
use super::workloads::Workload;
use crate::report::draw::{Ink, coloured, themed};

const WIDTH: u32 = 1000;
const ROW: u32 = 30;
const HEAD: u32 = 74;
const FOOT: u32 = 14;
/// Where the axis begins and ends.
const LEFT: i32 = 340;
const RIGHT: i32 = WIDTH as i32 - 30;
const TEXT: u32 = 16;

/// The same picture twice.
pub struct Picture {
    /// For the page, whose style sheet colours it.
    pub themed: String,
    /// To stand alone.
    pub file: String,
}

/// A row: its words, and a mark for each pair that has a ratio, with the pair's place.
struct Row {
    label: String,
    marks: Vec<(usize, Spread)>,
}

/// Draws it.
///
/// # Errors
/// A sentence, where the drawing library fails.
pub fn draw(plan: &Plan, results: &Results) -> Result<Picture, String> {
    let rows = rows(results);
    let size = (WIDTH, HEAD + ROW * u32::try_from(rows.len().max(1)).unwrap_or(1) + FOOT);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let painted = paint(&area, plan, &rows, size).and_then(|()| area.present().map_err(Into::into));
        painted.map_err(|e| format!("the main picture cannot be drawn: {e}"))?;
    }
    let described = format!(
        "How many times better tora is than {}, {} figures on a logarithmic axis",
        plan.other,
        rows.len()
    );
    let paper = format!("<rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>", size.0, size.1);
    let start = svg.find('>').map_or(0, |end| end + 1);
    // Behind the element's own tag, which follows no declaration here.
    let alone = format!("{}\n{paper}{}", &svg[..start], &svg[start..]);
    Ok(Picture { themed: themed(&svg, size, &described), file: coloured(&alone) })
}

fn rows(results: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    // What most is said about: the others have their ratios in the page's table.
    let told =
        |workload: &Workload| workload.quick || (workload.rounds > 1 && workload.layout == Layout::Shared);
    for measured in results.0.iter().filter(|measured| told(&measured.workload)) {
        for axis in measured.workload.axes.iter().take(2) {
            let mark =
                |(place, pair): (usize, &Pair)| Some((place, measured.ratio(pair.ours, pair.theirs, axis)?));
            let marks: Vec<_> = Pair::ALL.iter().enumerate().filter_map(mark).collect();
            if !marks.is_empty() {
                rows.push(Row { label: format!("{}: {}", measured.workload.name, short(axis.what)), marks });
            }
        }
    }
    rows
}

/// Words that fit beside a row.
fn short(what: &str) -> String {
    what.replace("broker CPU-seconds per million records", "CPU/record")
        .replace("broker CPU-seconds per GB", "CPU/GB")
        .replace("first acknowledged record after, ms", "first record")
        .replace("ready after, ms", "ready")
        .replace("latency ", "")
        .replace("from memory", "memory")
}

/// The axis: whole decades around all that is drawn, in decimal logarithms.
fn range(rows: &[Row]) -> (f64, f64) {
    let ends = rows.iter().flat_map(|row| &row.marks).flat_map(|(_, spread)| [spread.least, spread.most]);
    let (mut low, mut high) = (-0.5f64, 1.0f64);
    for end in ends.filter(|end| *end > 0.0) {
        (low, high) = (low.min(end.log10() - 0.05), high.max(end.log10() + 0.05));
    }
    (low, high)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn paint(area: &Area<'_>, plan: &Plan, rows: &[Row], size: (u32, u32)) -> Result<(), Box<dyn Error>> {
    let (low, high) = range(rows);
    let x = |ratio: f64| {
        let share = (ratio.max(1e-9).log10().clamp(low, high) - low) / (high - low);
        LEFT + (f64::from(RIGHT - LEFT) * share).round() as i32
    };
    let text = |anchor: HPos, ink: Ink| {
        let style = ("sans-serif", TEXT).into_font().color(&ink.stand_in());
        style.pos(Pos::new(anchor, VPos::Center))
    };
    let bottom = size.1 as i32 - FOOT as i32;
    for (place, pair) in Pair::ALL.iter().enumerate() {
        let left = 14 + 330 * place as i32;
        area.draw(&Circle::new((left, 16), 6, Ink::Run(place).stand_in().filled()))?;
        let words = format!("{} against {}", plan.name(pair.ours), plan.name(pair.theirs));
        area.draw(&Text::new(words, (left + 12, 16), text(HPos::Left, Ink::Text)))?;
    }
    for mark in marks(low, high) {
        let ink = if (mark - 1.0).abs() < f64::EPSILON { Ink::Text } else { Ink::Grid };
        let line = vec![(x(mark), HEAD as i32 - 8), (x(mark), bottom)];
        area.draw(&PathElement::new(line, ink.stand_in().stroke_width(2)))?;
        area.draw(&Text::new(label(mark), (x(mark), HEAD as i32 - 20), text(HPos::Center, Ink::Text)))?;
    }
    let ahead = [
        (format!("← {} ahead", plan.other), x(1.0) - 8, HPos::Right),
        ("tora ahead →".into(), x(1.0) + 8, HPos::Left),
    ];
    for (words, at, anchor) in ahead {
        area.draw(&Text::new(words, (at, 38), text(anchor, Ink::Text)))?;
    }
    for (index, row) in rows.iter().enumerate() {
        let y = (HEAD + ROW * index as u32 + ROW / 2) as i32;
        area.draw(&Text::new(row.label.clone(), (LEFT - 14, y), text(HPos::Right, Ink::Text)))?;
        for &(place, spread) in &row.marks {
            let y = y + 6 * (place as i32 - 1);
            let ink = Ink::Run(place).stand_in();
            let line = vec![(x(spread.least), y), (x(spread.most), y)];
            area.draw(&PathElement::new(line, ink.stroke_width(2)))?;
            area.draw(&Circle::new((x(spread.median), y), 5, ink.filled()))?;
        }
    }
    Ok(())
}

/// 1, 2 and 5 times the powers of ten within the range; only the powers where that would be many.
fn marks(low: f64, high: f64) -> Vec<f64> {
    const CLOSE: f64 = 3.2;
    let steps: &[f64] = if high - low > CLOSE { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
    all.filter(|mark| (low..=high).contains(&mark.log10())).collect()
}

fn label(mark: f64) -> String {
    if mark < 0.095 {
        format!("{mark:.2} ×")
    } else if mark < 0.95 {
        format!("{mark:.1} ×")
    } else {
        format!("{mark:.0} ×")
    }
}

#[cfg(test)]
mod tests;
