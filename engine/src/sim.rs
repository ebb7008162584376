//! The simulator: a machine whose disk loses what it may lose, and everything above the seam in one thread, from a seed.
//!
//! [`SimWorld`] is the machine: it hands out a [`SimIo`] for each shard and chooses what happens next. What its disk does
//! to those who trust it too much is written at the top of `sim/disk.rs`. It is compiled with the feature `sim` only;
//! [`plant`] always is, so that the engine can ask it.
#![forbid(unsafe_code)]

pub mod plant;

#[cfg(any(test, feature = "sim"))]
mod checker;
#[cfg(any(test, feature = "sim"))]
mod client;
#[cfg(any(test, feature = "sim"))]
mod cluster;
#[cfg(any(test, feature = "sim"))]
mod disk;
#[cfg(any(test, feature = "sim"))]
mod faults;
#[cfg(any(test, feature = "sim"))]
mod folder;
#[cfg(any(test, feature = "sim"))]
mod fs;
#[cfg(any(test, feature = "sim"))]
mod image;
#[cfg(any(test, feature = "sim"))]
mod io;
#[cfg(any(test, feature = "sim"))]
mod producer;
#[cfg(any(test, feature = "sim"))]
mod rng;
#[cfg(any(test, feature = "sim"))]
mod run;
#[cfg(any(test, feature = "sim"))]
mod trace;
#[cfg(any(test, feature = "sim"))]
mod workload;
#[cfg(any(test, feature = "sim"))]
mod world;

#[cfg(any(test, feature = "sim"))]
pub use self::{
    faults::Faults,
    fs::SimFs,
    io::SimIo,
    rng::Rng,
    run::{Report, RunOptions, run_seed},
    trace::Sink,
    world::{SimWorld, Step},
};

#[cfg(test)]
mod tests;
