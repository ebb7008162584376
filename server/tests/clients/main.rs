//! Real clients against a running `tora`.

#[path = "../common/mod.rs"]
mod common;

mod java_perf;
mod kafkajs;
mod kcat;
