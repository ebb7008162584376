//! Figures out of `summary.json`, and how they are written for people.

use serde_json::Value;

use crate::table::quantity;

/// What stands for a figure that is not known.
const UNKNOWN: &str = "–";

/// A part of a summary.
#[derive(Clone, Copy)]
pub struct Figures<'a>(pub &'a Value);

impl<'a> Figures<'a> {
    /// The part at `path`, its steps divided by slashes.
    pub fn at(self, path: &str) -> &'a Value {
        const NOTHING: &Value = &Value::Null;
        path.split('/').fold(self.0, |value, step| value.get(step).unwrap_or(NOTHING))
    }

    /// A number.
    pub fn number(self, path: &str) -> Option<f64> {
        self.at(path).as_f64()
    }

    /// A text.
    pub fn text(self, path: &str) -> Option<&'a str> {
        self.at(path).as_str()
    }

    /// Whether a flag is set.
    pub fn is(self, path: &str) -> bool {
        self.at(path).as_bool() == Some(true)
    }

    /// A number as `show` writes it.
    pub fn show(self, path: &str, show: fn(f64) -> String) -> String {
        self.number(path).map_or_else(|| UNKNOWN.to_owned(), show)
    }

    /// A text, or what stands for nothing.
    pub fn text_or_unknown(self, path: &str) -> &'a str {
        self.text(path).unwrap_or(UNKNOWN)
    }
}

/// A count: 950, 12.3 k, 4.56 M.
pub fn count(number: f64) -> String {
    quantity(number).replace(' ', "\u{a0}")
}

/// A time given in microseconds: 950 µs, 1.23 ms, 4.5 s.
pub fn micros(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.0}\u{a0}µs"),
        us if us < 1e4 => format!("{:.2}\u{a0}ms", us / 1e3),
        us if us < 1e5 => format!("{:.1}\u{a0}ms", us / 1e3),
        us if us < 1e6 => format!("{:.0}\u{a0}ms", us / 1e3),
        us => format!("{:.2}\u{a0}s", us / 1e6),
    }
}

/// Bytes in powers of 1000.
pub fn bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1e3 => format!("{b:.0}\u{a0}B"),
        b if b < 1e6 => format!("{:.1}\u{a0}kB", b / 1e3),
        b if b < 1e9 => format!("{:.0}\u{a0}MB", b / 1e6),
        b => format!("{:.2}\u{a0}GB", b / 1e9),
    }
}

/// A count at a mark of an axis, which is a round number: 800 k, 1.5 M.
pub fn round_count(number: f64) -> String {
    let text = quantity(number);
    let (digits, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits} {unit}").trim_end().to_owned()
}

/// A number at a mark of an axis: as many digits as it needs, two at most.
pub fn round_number(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number with one digit behind the point, from a hundred on with none.
pub fn one_digit(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

/// A number with two digits behind the point.
pub fn two_digits(number: f64) -> String {
    format!("{number:.2}")
}

/// A number with three digits behind the point.
pub fn three_digits(number: f64) -> String {
    format!("{number:.3}")
}

/// A share as per cent.
pub fn percent(share: f64) -> String {
    format!("{:.0}\u{a0}%", share * 100.0)
}

#[cfg(test)]
mod tests;
