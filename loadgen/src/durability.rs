//! What an acknowledgement of the broker under test means, as far as it can be known.

use std::fmt;

use crate::disk::Volume;

/// Kafka's name for how many records may be unflushed when they are acknowledged; 1 means none.
const FLUSH_MESSAGES: &str = "flush.messages";

/// The durability contract that a run's figures stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Durability {
    /// Flushed to the device before the acknowledgement.
    Flushed,
    /// Handed to the device (or to the kernel) before it, not flushed.
    Written,
    /// On a filesystem in memory: flushing means nothing there.
    InMemory { filesystem: String },
    /// As the user stated it for a foreign broker.
    Stated(String),
    /// A foreign broker, of which nothing was stated.
    Unknown,
}

impl Durability {
    /// Of a `tora` with these settings, the topic's configs going first.
    pub fn of_tora(
        settings: &[(String, String)],
        topic: &[(String, String)],
        volume: Option<&Volume>,
    ) -> Self {
        let flush_messages =
            setting(topic, FLUSH_MESSAGES).or(setting(settings, FLUSH_MESSAGES)).unwrap_or("1");
        let contract = if flush_messages == "1" { Self::Flushed } else { Self::Written };
        contract.checked_against(volume)
    }

    /// Of a foreign broker, of which the user may have stated it or set it on the topic.
    pub fn of_foreign(stated: Option<&str>, topic: &[(String, String)], volume: Option<&Volume>) -> Self {
        let contract = match (stated, setting(topic, FLUSH_MESSAGES)) {
            (Some(stated), _) => Self::Stated(stated.to_owned()),
            (None, Some("1")) => Self::Flushed,
            (None, Some(_)) => Self::Written,
            (None, None) => Self::Unknown,
        };
        contract.checked_against(volume)
    }

    /// Nothing is called flushed that lives in memory.
    fn checked_against(self, volume: Option<&Volume>) -> Self {
        match volume {
            Some(volume) if volume.is_memory() => Self::InMemory { filesystem: volume.filesystem.clone() },
            _ => self,
        }
    }
}

/// The last value given for `key`.
fn setting<'a>(settings: &'a [(String, String)], key: &str) -> Option<&'a str> {
    settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flushed => f.write_str("flushed"),
            Self::Written => f.write_str("written"),
            Self::InMemory { filesystem } => write!(f, "not durable: {filesystem}"),
            Self::Stated(text) => f.write_str(text),
            Self::Unknown => f.write_str("unknown to us: see its flush.messages"),
        }
    }
}

#[cfg(test)]
mod tests;
