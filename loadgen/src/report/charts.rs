//! What each picture shows, out of a phase's samples and histograms.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::axis;
use super::draw::{Axis, Cell, Chart, Ink, Line, Stroke};
use super::figures::{bytes, round_count, round_number};
use super::raw::{Interval, Latencies, PhaseData, Run};
use crate::samples::Sample;

/// A picture and the words around it.
pub struct Picture {
    pub title: String,
    /// What its lines and shades mean.
    pub note: String,
    pub svg: String,
}

/// The pictures of `phase`, every run that has it in each.
pub fn of_phase(runs: &[Run], phase: &str) -> Result<Vec<Picture>, String> {
    let data: Vec<_> =
        runs.iter().enumerate().filter_map(|(index, run)| Some((index, run, run.phase(phase)?))).collect();
    let subject = Subject { phase, data: &data };
    // A phase that ended by its bytes may have been over before its first sample.
    let mut pictures: Vec<_> = subject.throughput()?.into_iter().collect();
    pictures.extend(subject.percentiles()?);
    for &(index, run, data) in &data {
        let several = runs.len() > 1;
        pictures.extend(heat_map(phase, data, several.then_some((index, run)))?);
    }
    pictures.extend(subject.cpu()?);
    pictures.extend(subject.disk()?);
    pictures.extend(subject.flushes()?);
    Ok(pictures)
}

struct Subject<'a> {
    phase: &'a str,
    /// With each run's place, which is its colour.
    data: &'a [(usize, &'a Run, &'a PhaseData)],
}

impl Subject<'_> {
    fn throughput(&self) -> Result<Option<Picture>, String> {
        let lines = self.lines(Stroke::Solid, |phase, sample| {
            let records = if phase == "produce" { sample.produced_records } else { sample.consumed_records };
            Some(records as f64 / sample.length.as_secs_f64())
        });
        let verb = if self.phase == "produce" { "Acknowledged" } else { "Consumed" };
        self.over_time("Throughput over time", &format!("{verb} records a second."), lines, round_count)
    }

    fn cpu(&self) -> Result<Option<Picture>, String> {
        let per_second = |seconds: Option<f64>, sample: &Sample| Some(seconds? / sample.length.as_secs_f64());
        let mut lines = self.lines(Stroke::Solid, |_, s| per_second(s.used.broker_cpu_seconds, s));
        if lines.iter().all(|line| line.points.is_empty()) {
            return Ok(None);
        }
        lines.extend(self.lines(Stroke::Dashed, |_, s| per_second(Some(s.used.own_cpu_seconds), s)));
        let note = "Cores kept busy: the broker (solid) and the load generator (dashed).";
        self.over_time("CPU over time", note, lines, round_number)
    }

    fn disk(&self) -> Result<Option<Picture>, String> {
        let rate = |bytes: u64, sample: &Sample| Some(bytes as f64 / sample.length.as_secs_f64());
        let mut lines = self.lines(Stroke::Solid, |_, s| rate(s.used.disk?.written_bytes, s));
        if lines.iter().all(|line| line.points.is_empty()) {
            return Ok(None);
        }
        lines.extend(self.lines(Stroke::Dashed, |_, s| rate(s.used.disk?.read_bytes, s)));
        let note = "Bytes a second on the broker's device: written (solid) and read (dashed).";
        self.over_time("Disk over time", note, lines, bytes)
    }

    fn flushes(&self) -> Result<Option<Picture>, String> {
        let lines = self.lines(Stroke::Solid, |_, sample| {
            Some(sample.used.disk?.flushes as f64 / sample.length.as_secs_f64())
        });
        if lines.iter().flat_map(|line| &line.points).all(|&(_, flushes)| flushes == 0.0) {
            return Ok(None);
        }
        self.over_time(
            "Flushes over time",
            "Flushes a second that the broker's device completed.",
            lines,
            round_count,
        )
    }

    /// A line for each run: what `figure` makes of each sample, at the middle of its interval.
    fn lines(&self, stroke: Stroke, figure: impl Fn(&str, &Sample) -> Option<f64>) -> Vec<Line> {
        let line = |&(index, _, data): &(usize, &Run, &PhaseData)| Line {
            ink: Ink::Run(index),
            stroke,
            points: data
                .samples
                .iter()
                .filter_map(|sample| {
                    let middle = sample.start + sample.length / 2;
                    Some((middle.as_secs_f64(), figure(self.phase, sample)?))
                })
                .collect(),
        };
        self.data.iter().map(line).collect()
    }

    /// Lines over the time of the phase, from zero upwards; `None` where there are none.
    fn over_time(
        &self,
        title: &str,
        note: &str,
        lines: Vec<Line>,
        label: fn(f64) -> String,
    ) -> Result<Option<Picture>, String> {
        let points = || lines.iter().flat_map(|line| &line.points);
        let highest = points().map(|&(_, y)| y).fold(f64::NEG_INFINITY, f64::max);
        if !highest.is_finite() {
            return Ok(None);
        }
        let end = self.data.iter().flat_map(|(_, _, data)| &data.samples).map(|s| s.start + s.length).max();
        let described = format!("{title} of {}: at most {}", self.phase, label(highest));
        let chart = Chart {
            x: seconds_axis(end.unwrap_or_default()),
            y: Axis { range: (0.0, if highest > 0.0 { highest * 1.08 } else { 1.0 }), marks: None, label },
            cells: Vec::new(),
            lines,
            described,
        };
        Ok(Some(Picture { title: title.into(), note: note.into(), svg: chart.svg()? }))
    }

    /// Latency by percentile on HdrHistogram's axis, with the load generator's own lateness and the disk's own times.
    fn percentiles(&self) -> Result<Option<Picture>, String> {
        let mut curves = Vec::new();
        let (mut late, mut disk) = (false, false);
        for &(index, _, data) in self.data {
            let Some(latency) = &data.latency else { continue };
            curves.push((Ink::Run(index), Stroke::Solid, &latency.total));
            if let Some(lateness) = &data.lateness {
                late = true;
                curves.push((Ink::Run(index), Stroke::Dashed, &lateness.total));
            }
        }
        // Runs side by side are of one machine as a rule: its disk is drawn once.
        if let Some(own) = self.data.iter().find_map(|(_, run, _)| run.disk_us.as_ref())
            && !curves.is_empty()
        {
            disk = true;
            curves.push((Ink::Reference, Stroke::Dashed, own));
        }
        let worst =
            self.data.iter().filter_map(|(_, _, data)| Some(data.latency.as_ref()?.total.max())).max();
        let described =
            format!("Latency by percentile of {}: at most {}", self.phase, axis::spoken(worst.unwrap_or(0)));
        let Some(svg) = percentile_chart(&curves, described)? else { return Ok(None) };
        let mut note = "Solid: latency, every record counted, from its intended send.".to_owned();
        if late {
            note += " Dashed: how late the load generator itself was.";
        }
        if disk {
            note += " Grey: the disk's own 4 KiB write and flush.";
        }
        Ok(Some(Picture { title: "Latency by percentile".into(), note, svg }))
    }
}

/// Several histograms by percentile, each with the place that is its colour; `None` where there are none.
pub fn percentiles_of(what: &str, histograms: &[(usize, Histogram<u64>)]) -> Result<Option<String>, String> {
    let curves: Vec<_> =
        histograms.iter().map(|(index, histogram)| (Ink::Run(*index), Stroke::Solid, histogram)).collect();
    percentile_chart(&curves, format!("Latency by percentile: {what}"))
}

/// A latency in microseconds at each of several rates.
pub struct RateCurve {
    /// The place that is its colour.
    pub place: usize,
    pub dashed: bool,
    pub points: Vec<(f64, f64)>,
}

/// Latencies against the rate, both logarithmic; `None` where there are no points.
pub fn latency_by_rate(what: &str, curves: &[RateCurve]) -> Result<Option<String>, String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let ends = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) = (f64::INFINITY, 0.0f64);
        points().map(of).fold((low, high), |(low, high), value| (low.min(value), high.max(value)))
    };
    if points().next().is_none() {
        return Ok(None);
    }
    let (rates, latencies) = (ends(|&(rate, _)| rate), ends(|&(_, us)| us));
    let decades = |(low, high): (f64, f64)| axis::decades(low as u64, high as u64);
    let (x, y) = (decades(rates), decades(latencies));
    let line = |curve: &RateCurve| Line {
        ink: Ink::Run(curve.place),
        stroke: if curve.dashed { Stroke::Dashed } else { Stroke::Solid },
        points: curve.points.iter().map(|&(rate, us)| (rate.log10(), us.max(1.0).log10())).collect(),
    };
    let rate_label = |position: f64| round_count(10f64.powf(position));
    let chart = Chart {
        x: Axis { range: x, marks: Some(axis::decade_marks(x)), label: rate_label },
        y: Axis { range: y, marks: Some(axis::decade_marks(y)), label: axis::latency_label },
        cells: Vec::new(),
        lines: curves.iter().map(line).collect(),
        described: format!("Latency against rate: {what}"),
    };
    chart.svg().map(Some)
}

/// Curves on HdrHistogram's percentile axis; `None` where there are none.
fn percentile_chart(
    curves: &[(Ink, Stroke, &Histogram<u64>)],
    described: String,
) -> Result<Option<String>, String> {
    let Some(end) = curves.iter().map(|(_, _, histogram)| histogram.len()).max() else { return Ok(None) };
    let end = axis::quantile(1.0, end).max(2.0);
    let low = curves.iter().map(|(_, _, histogram)| histogram.min()).min().unwrap_or(1);
    let high = curves.iter().map(|(_, _, histogram)| histogram.max()).max().unwrap_or(1);
    let range = axis::decades(low, high);
    let chart = Chart {
        x: Axis { range: (0.0, end), marks: Some(axis::quantile_marks(end)), label: axis::quantile_label },
        y: Axis { range, marks: Some(axis::decade_marks(range)), label: axis::latency_label },
        cells: Vec::new(),
        lines: curves.iter().map(|&(ink, stroke, histogram)| curve(ink, stroke, histogram)).collect(),
        described,
    };
    chart.svg().map(Some)
}

fn seconds_axis(end: Duration) -> Axis {
    Axis { range: (0.0, end.as_secs_f64().max(0.1)), marks: None, label: seconds_label }
}

fn seconds_label(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}

/// A histogram as a line over the percentile axis.
fn curve(ink: Ink, stroke: Stroke, histogram: &Histogram<u64>) -> Line {
    /// Points in the room of every halving of what is left: enough for a smooth line.
    const TICKS_PER_HALVING: u32 = 8;
    let point = |value: u64, quantile: f64| (axis::quantile(quantile, histogram.len()), axis::latency(value));
    let points = histogram
        .iter_quantiles(TICKS_PER_HALVING)
        .map(|step| point(step.value_iterated_to(), step.quantile_iterated_to()));
    let mut points: Vec<_> = [point(histogram.min(), 0.0)].into_iter().chain(points).collect();
    points.dedup();
    Line { ink, stroke, points }
}

/// Latency over time: a column an interval, a row for each tenth of a decade, the darker the more records lie there.
fn heat_map(phase: &str, data: &PhaseData, of: Option<(usize, &Run)>) -> Result<Option<Picture>, String> {
    let Some(latency) = &data.latency else { return Ok(None) };
    let range = axis::decades(latency.total.min(), latency.total.max());
    let columns = columns(latency);
    let end = columns.iter().map(|column| column.start + column.length).max().unwrap_or_default();
    let chart = Chart {
        x: seconds_axis(end),
        y: Axis { range, marks: Some(axis::decade_marks(range)), label: axis::latency_label },
        cells: columns.iter().flat_map(cells).collect(),
        lines: Vec::new(),
        described: format!(
            "Latency over time of {phase}: from {} to {}",
            axis::spoken(latency.total.min()),
            axis::spoken(latency.total.max())
        ),
    };
    let title = match of {
        Some((_, run)) => format!("Latency over time: {}", run.name),
        None => "Latency over time".into(),
    };
    let note = "The darker, the more of an interval's records took that long; the lightest stand for one in 100,000.";
    Ok(Some(Picture { title, note: note.into(), svg: chart.svg()? }))
}

/// The intervals, joined where there are more than can be told apart. What arrived after the end of the measured time
/// is a sliver of an interval and goes with the last whole one.
fn columns(latency: &Latencies) -> Vec<Interval> {
    const COLUMNS_MAX: usize = 90;
    const SLIVER: u32 = 3;
    let joined = latency.intervals.len().div_ceil(COLUMNS_MAX).max(1);
    let whole = latency.intervals.first().map_or(Duration::ZERO, |first| first.length);
    let join = |intervals: &[Interval]| {
        let (first, last) = (intervals.first().expect("chunks"), intervals.last().expect("chunks"));
        let mut histogram = first.histogram.clone();
        for more in &intervals[1..] {
            histogram.add(&more.histogram).expect("all histograms have the same bounds");
        }
        Interval { start: first.start, length: last.start + last.length - first.start, histogram }
    };
    let sliver = |interval: &Interval| interval.length * SLIVER < whole;
    let slivers = latency.intervals.iter().rev().take_while(|interval| sliver(interval)).count();
    let (intervals, slivers) = latency.intervals.split_at(latency.intervals.len() - slivers);
    let mut columns: Vec<_> = intervals.chunks(joined).map(join).collect();
    if let Some(last) = columns.last_mut() {
        for late in slivers {
            last.histogram.add(&late.histogram).expect("all histograms have the same bounds");
        }
    }
    columns
}

fn cells(column: &Interval) -> Vec<Cell> {
    const ROWS_A_DECADE: f64 = 10.0;
    let mut rows = std::collections::BTreeMap::new();
    for step in column.histogram.iter_recorded() {
        let row = (axis::latency(step.value_iterated_to()) * ROWS_A_DECADE).floor() as i64;
        *rows.entry(row).or_insert(0) += step.count_since_last_iteration();
    }
    let (from, to) = (column.start.as_secs_f64(), (column.start + column.length).as_secs_f64());
    let cell = |(row, records): (i64, u64)| Cell {
        from: (from, row as f64 / ROWS_A_DECADE),
        to: (to, (row + 1) as f64 / ROWS_A_DECADE),
        weight: shade(records as f64 / column.histogram.len() as f64),
    };
    rows.into_iter().map(cell).collect()
}

/// How dark a share is: logarithmic, so that one record in 100,000 can still be seen.
fn shade(share: f64) -> f64 {
    const DECADES: f64 = 5.0;
    const LIGHTEST: f64 = 0.12;
    let weight = (1.0 + share.log10() / DECADES).clamp(0.0, 1.0);
    // Two digits: more cannot be told apart and only make the file longer.
    ((LIGHTEST + (1.0 - LIGHTEST) * weight) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
