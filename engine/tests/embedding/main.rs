//! The engine as an embedding service sees it, on this machine's disk.
#![expect(clippy::disallowed_methods, reason = "the seam is the engine's; a service uses std as it likes")]

mod appender;
mod cold_reads;
mod disk_full;
mod engines;
mod failure;
mod partitions;
mod poor;
mod process;
mod requests;
mod resettled;
mod runtimes;
mod settings;
mod support;
mod tail;
