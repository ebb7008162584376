//! How pictures are drawn: SVG by plotters, its colours turned into classes, so that the page's style sheet colours them
//! for light, dark and paper.

use std::io;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;

use super::axis::Marks;

/// The picture's own coordinates. It is scaled to its place on the page: two abreast on a desk, one on a phone.
const SIZE: (u32, u32) = (1000, 560);
const FONT_SIZE: u32 = 32;
const LABEL_LEFT: u32 = 124;
const LABEL_BOTTOM: u32 = 52;

type Painted = Result<(), DrawingAreaErrorKind<io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What something is painted with. The style sheet has a class for each: `f-` fills, `s-` strokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Text,
    Grid,
    /// Of a heat map's cells.
    Heat,
    /// What figures are to be held against, such as the disk's own times.
    Reference,
    /// A run's own colour.
    Run(usize),
}

impl Ink {
    /// How many runs have a colour.
    const RUNS: usize = 7;
    const NAMED: [Self; 4] = [Self::Text, Self::Grid, Self::Heat, Self::Reference];

    /// A colour that stands for the class until the picture is finished, and occurs nowhere else.
    pub fn stand_in(self) -> RGBColor {
        match self {
            Self::Text => RGBColor(1, 2, 0),
            Self::Grid => RGBColor(1, 2, 1),
            Self::Heat => RGBColor(1, 2, 2),
            Self::Reference => RGBColor(1, 2, 3),
            Self::Run(index) => RGBColor(1, 3, u8::try_from(index).expect("runs are few")),
        }
    }

    /// Its colour on the light page, for pictures that stand alone.
    fn light(self) -> &'static str {
        const RUNS: [&str; Ink::RUNS] =
            ["#1766a6", "#c2560c", "#2f7d4f", "#8447a8", "#8a6d0b", "#b02a5b", "#4d6275"];
        match self {
            Self::Text => "#59626c",
            Self::Grid => "#dcdfe3",
            Self::Heat => "#14507f",
            Self::Reference => "#8a929b",
            Self::Run(index) => RUNS[index % RUNS.len()],
        }
    }

    fn class(self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Grid => "grid".into(),
            Self::Heat => "heat".into(),
            Self::Reference => "reference".into(),
            Self::Run(index) => format!("run{index}"),
        }
    }
}

/// How a line looks beside its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Dashed,
}

/// A line of a chart.
#[derive(Debug, Clone)]
pub struct Line {
    pub ink: Ink,
    pub stroke: Stroke,
    pub points: Vec<(f64, f64)>,
}

/// An axis of a chart.
#[derive(Clone)]
pub struct Axis {
    pub range: (f64, f64),
    /// Where the marks are; `None` where round numbers will do.
    pub marks: Option<Marks>,
    pub label: fn(f64) -> String,
}

/// A cell of a heat map: its corners, and how dark it is from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    pub from: (f64, f64),
    pub to: (f64, f64),
    pub weight: f64,
}

/// A chart: cells below, lines above, in one pair of axes.
pub struct Chart {
    pub x: Axis,
    pub y: Axis,
    pub cells: Vec<Cell>,
    pub lines: Vec<Line>,
    /// What it shows, for those who do not see it.
    pub described: String,
}

impl Chart {
    /// Draws it as an SVG element.
    ///
    /// # Errors
    /// A sentence, where the drawing library fails.
    pub fn svg(&self) -> Result<String, String> {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        self.paint(&area)
            .and_then(|()| area.present())
            .map_err(|e| format!("a chart cannot be drawn: {e}"))?;
        drop(area);
        Ok(themed(&svg, SIZE, &self.described))
    }

    fn paint(&self, area: &Area<'_>) -> Painted {
        let mut chart = ChartBuilder::on(area)
            .margin_top(18)
            .margin_right(44)
            .set_label_area_size(LabelAreaPosition::Left, LABEL_LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, LABEL_BOTTOM)
            .build_cartesian_2d(Scale::new(&self.x), Scale::new(&self.y))?;
        let text = ("sans-serif", FONT_SIZE).into_font().color(&Ink::Text.stand_in());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(Ink::Grid.stand_in().stroke_width(2))
            .axis_style(Ink::Grid.stand_in().stroke_width(2))
            .label_style(text)
            .x_label_formatter(&|&x| (self.x.label)(x))
            .y_label_formatter(&|&y| (self.y.label)(y))
            .draw()?;
        chart.draw_series(self.cells.iter().map(|cell| {
            Rectangle::new([cell.from, cell.to], Ink::Heat.stand_in().mix(cell.weight).filled())
        }))?;
        for line in &self.lines {
            let style = line.ink.stand_in().stroke_width(4);
            let points = line.points.iter().copied();
            match line.stroke {
                Stroke::Solid => chart.draw_series(LineSeries::new(points, style))?,
                Stroke::Dashed => chart.draw_series(DashedLineSeries::new(points, 10, 8, style))?,
            };
        }
        Ok(())
    }
}

/// An axis as plotters takes it: linear, with the marks that we choose.
struct Scale {
    range: (f64, f64),
    marks: Marks,
}

impl Scale {
    fn new(axis: &Axis) -> Self {
        Self { range: axis.range, marks: axis.marks.clone().unwrap_or_else(|| round_marks(axis.range)) }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (begin, end): (i32, i32)) -> i32 {
        let (low, high) = self.range;
        let share = (value - low) / (high - low);
        begin + (f64::from(end - begin) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Light lines between the marks are not wanted.
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.0..self.range.1
    }
}

/// Multiples of 1, 2 or 5 times a power of ten within the range, at most seven of them.
fn round_marks((low, high): (f64, f64)) -> Marks {
    const MARKS_MAX: f64 = 6.0;
    let rough = (high - low).max(f64::MIN_POSITIVE) / MARKS_MAX;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&step| step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// Everything that something may be painted with.
fn inks() -> impl Iterator<Item = Ink> {
    Ink::NAMED.into_iter().chain((0..Ink::RUNS).map(Ink::Run))
}

/// A colour as an SVG file has it.
fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// Gives a picture that stands alone the colours of the light page.
pub fn coloured(svg: &str) -> String {
    inks().fold(svg.to_owned(), |svg, ink| svg.replace(&hex(ink.stand_in()), ink.light()))
}

/// Gives a picture of `size` its classes, a size that the page decides, and words.
pub fn themed(svg: &str, size: (u32, u32), described: &str) -> String {
    let mut svg = svg.to_owned();
    for ink in inks() {
        let colour = hex(ink.stand_in());
        for (property, prefix) in [("fill", "f"), ("stroke", "s")] {
            let class = format!("class=\"{prefix}-{}\"", ink.class());
            svg = svg.replace(&format!("{property}=\"{colour}\""), &class);
        }
    }
    let (width, height) = size;
    let label = described.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    svg.replace(
        &format!("<svg width=\"{width}\" height=\"{height}\""),
        &format!("<svg role=\"img\" aria-label=\"{label}\""),
    )
    .replace(" font-family=\"sans-serif\"", "")
    .replace(" opacity=\"1\"", "")
}

#[cfg(test)]
mod tests;
