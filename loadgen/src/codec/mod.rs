//! A Kafka codec of the load generator's own: the eight requests it needs, written by hand from the message schemas.
//!
//! It shares nothing with the server, so that a mistake in one of the two cannot cancel itself out in the other.
//! Schemas: `common/message/*.json` in the `kafka-clients` jar, version 4.3.

pub mod admin;
pub mod batch;
pub mod error;
pub mod fetch;
pub mod produce;
pub mod versions;
pub mod wire;

use versions::Api;
use wire::Writer;

/// What a broker sees as our `client.id`.
pub const CLIENT_ID: &str = "tora-load";

/// Starts a request: header v1, or v2 in flexible versions (the client id stays in the old encoding there).
pub fn request(api: Api, version: i16, correlation: i32) -> Writer {
    let mut writer = Writer::new(false);
    writer.i16(api.key());
    writer.i16(version);
    writer.i32(correlation);
    writer.string(CLIENT_ID);
    writer.set_flexible(api.flexible(version));
    writer.end();
    writer
}

/// Where the correlation id lies in a request frame.
pub const CORRELATION_AT: usize = 8;
