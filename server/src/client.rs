//! A client of the Kafka protocol for the command line: blocking sockets, one connection a broker, no state but what a
//! command needs. Apart from the server: no shard runs where this does.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the seam is the server's; a command has the process for itself"
)]

mod cluster;
mod compression;
mod connection;
pub mod member;
pub mod offsets;
mod range;
pub mod records;

pub use cluster::Cluster;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;

/// What a command failed at, for whoever called it.
pub type Failure = String;

/// Refuses an error code.
///
/// # Errors
/// What was being done, the error's name, and what the broker says about it.
pub fn check(code: i16, told: Option<&StrBytes>, what: &str) -> Result<(), Failure> {
    let Some(error) = ResponseError::try_from_code(code) else { return Ok(()) };
    let name = match error {
        ResponseError::Unknown(code) => format!("error {code}"),
        known => format!("{known:?}"),
    };
    Err(match told.filter(|told| !told.is_empty()) {
        Some(told) => format!("{what}: {told} ({name})"),
        None => format!("{what}: {name}"),
    })
}

/// A text as messages have it.
#[must_use]
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A topic's name as messages have it.
#[must_use]
pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A group's name as messages have it.
#[must_use]
pub fn group(name: &str) -> GroupId {
    GroupId(text(name))
}
