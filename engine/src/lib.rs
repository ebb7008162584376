//! Tora's engine: a partition log, thread-per-core on io_uring.
//!
//! `deny(unsafe_code)` everywhere; the buffers and the ring relax it, each with its reason.
#![deny(unsafe_code)]

pub mod batch;
pub mod catalog;
pub mod config;
pub mod error;
pub mod io;
pub mod limits;
pub mod mailbox;
pub mod placement;
pub mod producers;
pub mod request;
pub mod service;
pub mod shard;
pub mod sim;
pub mod types;
