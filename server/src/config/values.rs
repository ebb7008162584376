//! Values as they are written, read; what is said of those that cannot be.

use tora_engine::config::ranges::Range;

/// A whole number within bounds, both included.
pub fn number(value: &str, min: u64, max: u64) -> Result<u64, String> {
    let number: Option<u64> = value.parse().ok();
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("use a whole number from {min} to {max}"))
}

/// The same, where numbers below zero have a meaning.
pub fn signed(value: &str, min: i64, max: i64) -> Result<i64, String> {
    let number: Option<i64> = value.parse().ok();
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("use a whole number from {min} to {max}"))
}

/// A whole number in one of the engine's ranges.
pub fn within(value: &str, range: &Range) -> Result<i64, String> {
    signed(value, *range.start(), *range.end())
}

/// A number of bytes or things in memory, in one of the engine's ranges.
pub fn size_within(value: &str, range: &Range) -> Result<usize, String> {
    within(value, range).map(|value| size(value.unsigned_abs()))
}

/// A number that was bounded so as to fit.
pub fn int(value: u64) -> i32 {
    i32::try_from(value).expect("it was bounded to an i32's")
}

/// `true` or `false`.
pub fn truth(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "use true or false".to_owned())
}

/// A number of bytes or things in memory.
pub fn size(value: u64) -> usize {
    usize::try_from(value).expect("a 64-bit machine, as io_uring's ring mappings need here")
}
