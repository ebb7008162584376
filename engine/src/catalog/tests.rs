//! The catalog's history, its records and what it refuses.

mod history;
mod records;
mod settings;

use super::*;
use crate::batch::TimestampType;
use crate::types::TopicId;

/// A broker's defaults.
fn defaults() -> TopicConfig {
    TopicConfig {
        flush_messages: 1,
        max_message_bytes: 1_048_588,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        retention_ms: -1,
        retention_bytes: -1,
        segment_ms: 604_800_000,
        flush_ms: i64::MAX as u64,
    }
}

fn id(number: u8) -> TopicId {
    TopicId::new([number; 16])
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}
