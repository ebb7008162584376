//! Tora's engine: a partition log, thread-per-core on io_uring.
//!
//! `deny(unsafe_code)` everywhere; the buffers and the ring relax it, each with its reason.
#![deny(unsafe_code)]

pub mod batch;
pub mod catalog;
pub mod checkpoint;
pub mod config;
pub mod data_folder;
pub mod engine;
pub mod error;
pub mod handle;
pub mod io;
pub mod limits;
pub mod log;
pub mod mailbox;
pub mod open;
pub mod partition;
pub mod placement;
pub mod producers;
pub mod reactor;
pub mod request;
pub mod service;
pub mod shard;
pub mod sim;
mod stored;
pub mod types;

pub use config::Config;
pub use engine::{Engine, OpenError};
pub use error::Error;
pub use handle::Handle;
