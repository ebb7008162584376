//! The simulator: a disk that loses what it may lose, and everything above it in one thread, from a seed.
#![forbid(unsafe_code)]

pub mod plant;
