//! Logarithmic axes, as linear ones over logarithms: where a value lies, where the marks are, and what they say.

use super::figures::micros;

/// Positions of marks, from the first to the last.
pub type Marks = Vec<f64>;

/// Where a latency lies: the decimal logarithm of its microseconds; what took less than one lies at one.
pub fn latency(us: u64) -> f64 {
    (us.max(1) as f64).log10()
}

/// What a mark at `position` of the latency axis says.
pub fn latency_label(position: f64) -> String {
    let us = 10f64.powf(position);
    match us {
        us if us < 999.0 => format!("{us:.0} µs"),
        us if us < 999_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.0} s", us / 1e6),
    }
}

/// The whole decades around the latencies from `low` to `high`, at least one.
pub fn decades(low: u64, high: u64) -> (f64, f64) {
    let low = latency(low).floor();
    (low, latency(high).ceil().max(low + 1.0))
}

/// The marks of an axis over whole decades.
pub fn decade_marks((low, high): (f64, f64)) -> Marks {
    (low as i32..=high as i32).map(f64::from).collect()
}

/// Where a quantile lies on HdrHistogram's percentile axis: the decimal logarithm of 1 / (1 - quantile), so that every
/// further nine takes as much room as the one before. `count` values cannot tell more than their own number of nines.
pub fn quantile(quantile: f64, count: u64) -> f64 {
    let end = (count.max(1) as f64).log10();
    if quantile >= 1.0 { end } else { (1.0 / (1.0 - quantile)).log10().clamp(0.0, end) }
}

/// The marks of a percentile axis up to `end`: 50, 90, 99, 99.9 and so on; where there are too many nines to stand beside
/// one another, every second one.
pub fn quantile_marks(end: f64) -> Marks {
    const CROWDED: f64 = 5.5;
    let has_room = |nines: &i32| *nines <= 4 || *nines % 2 == 0 || end < CROWDED;
    let nines = (1..=end.floor() as i32).filter(has_room).map(f64::from);
    [2f64.log10()].into_iter().chain(nines).collect()
}

/// What a mark at `position` of the percentile axis says: the percentile, whose nines leave no room for a sign.
pub fn quantile_label(position: f64) -> String {
    if position < 1.0 {
        return format!("{:.0}", 100.0 * (1.0 - 10f64.powf(-position)));
    }
    let nines = position.round() as usize;
    match nines {
        1 => "90".into(),
        2 => "99".into(),
        _ => format!("99.{}", "9".repeat(nines - 2)),
    }
}

/// A latency in words, for what a picture's alternative text says.
pub fn spoken(us: u64) -> String {
    micros(us as f64)
}

#[cfg(test)]
mod tests;
