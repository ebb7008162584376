//! `tora` over TCP, as whoever runs it and whoever connects to it see it: an own client, whose codec is not the
//! server's, and the clients that people use.
//!
//! One binary, so that what the tests share is compiled once and every part of it is used.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the seam is the server's: here are real processes, files and sockets"
)]

mod support;

mod bad_input;
mod cli;
mod clients;
mod configs;
mod delete_records;
mod describe;
mod disk_full;
mod groups;
mod idle_memory;
mod kill;
mod list_offsets;
mod log_verify;
mod protocol;
mod records;
mod rights;
mod serve;
mod sessions;
mod slow_readers;
mod streams;
