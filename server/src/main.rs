//! t
#![forbid(unsafe_code)]
mod connection;
mod error_code;
mod limits;
mod memory;
mod slab;
mod wire;
fn main() {}
