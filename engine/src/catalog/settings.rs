//! A topic's settings, by Kafka's names for them.
//!
//! | name | values | effect |
//! | --- | --- | --- |
//! | `flush.messages` | 1 to 2⁶³ − 1 | 1: acknowledged means flushed; more: acknowledged means written |
//! | `max.message.bytes` | 68 bytes to 100 MiB | the largest record batch |
//! | `segment.bytes` | 1 MiB to 1 TiB | a segment's size; raised to `max.message.bytes` where that is larger; one ends at 4 GiB, or 2³² offsets, whatever is set |
//! | `message.timestamp.type` | `CreateTime`, `LogAppendTime` | whose timestamps the records have |
//! | `cleanup.policy` | `delete` | none: compaction is not served |
//! | `compression.type` | `producer` | none: batches are stored as they came |
//! | `retention.ms` | −1 or more | whole segments are deleted once their latest record is older; −1: never |
//! | `retention.bytes` | −1 or more | whole segments are deleted while a partition is larger by one of them; −1: never |
//! | `segment.ms` | 1 or more | a batch so much later than its segment's first one begins the next segment |
//! | `flush.ms` | 0 or more | how long something stays unflushed where `flush.messages` is not 1 |
//!
//! `cleanup.policy` and `compression.type` are taken because clients send them without being asked. Any other name is
//! refused.

use std::fmt;

use crate::batch::TimestampType;
use crate::config::ranges::{self, Range};

/// Characters of a number at most, so that zeroes before it do not fill the catalog's log.
const NUMBER_LENGTH_MAX: usize = 20;

/// The names above.
const NAMES: [&str; 10] = [
    "cleanup.policy",
    "compression.type",
    "flush.messages",
    "flush.ms",
    "max.message.bytes",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
];

/// Those whose value is a list.
pub(super) const LISTS: [&str; 1] = ["cleanup.policy"];

/// Kafka's other names: spelt right, but without a meaning here.
const NOT_SERVED: [&str; 22] = [
    "delete.retention.ms",
    "file.delete.delay.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.log.copy.disable",
    "remote.storage.enable",
    "segment.index.bytes",
    "segment.jitter.ms",
    "unclean.leader.election.enable",
];

/// The settings that apply to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `flush.messages`: 1 means that acknowledged is flushed.
    pub flush_messages: u64,
    /// `max.message.bytes`: the largest record batch, header included.
    pub max_message_bytes: usize,
    /// `segment.bytes`: at least `max_message_bytes`.
    pub segment_bytes: u64,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `retention.ms`, −1 for ever.
    pub retention_ms: i64,
    /// `retention.bytes`, −1 for all.
    pub retention_bytes: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `flush.ms`; `i64::MAX` milliseconds are for ever.
    pub flush_ms: u64,
}

impl TopicConfig {
    /// The names of all settings, ascending.
    pub const NAMES: &'static [&'static str] = &NAMES;

    /// These settings with `pairs` of names and values on top. Spaces around a value do not count.
    ///
    /// # Errors
    /// A name or a value that would have no effect; its `Display` says what would do.
    pub fn with(&self, pairs: &[(String, String)]) -> Result<Self, SettingFault> {
        let mut config = self.clone();
        for (index, (name, value)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(SettingFault::Twice { name: name.clone() });
            }
            config.set(name, value.trim())?;
        }
        config.segment_bytes = config.segment_bytes.max(config.max_message_bytes as u64);
        Ok(config)
    }

    /// The value of a setting; `None` where none has that name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        NAMES.contains(&name).then(|| self.value_of(name))
    }

    /// Every setting with its value, by name.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, String); NAMES.len()] {
        NAMES.map(|name| (name, self.value_of(name)))
    }

    fn value_of(&self, name: &str) -> String {
        match name {
            "cleanup.policy" => "delete".to_owned(),
            "compression.type" => "producer".to_owned(),
            "flush.messages" => self.flush_messages.to_string(),
            "max.message.bytes" => self.max_message_bytes.to_string(),
            "message.timestamp.type" => match self.timestamp_type {
                TimestampType::CreateTime => "CreateTime".to_owned(),
                TimestampType::LogAppendTime => "LogAppendTime".to_owned(),
            },
            "retention.bytes" => self.retention_bytes.to_string(),
            "retention.ms" => self.retention_ms.to_string(),
            "segment.bytes" => self.segment_bytes.to_string(),
            "segment.ms" => self.segment_ms.to_string(),
            "flush.ms" => self.flush_ms.to_string(),
            _ => unreachable!("the names are those of NAMES"),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SettingFault> {
        match name {
            "flush.messages" => {
                self.flush_messages = number(name, value, &ranges::FLUSH_MESSAGES)?.unsigned_abs()
            }
            "max.message.bytes" => {
                self.max_message_bytes = usize::try_from(number(name, value, &ranges::MAX_MESSAGE_BYTES)?)
                    .expect("what is at most 100 MiB fits");
            }
            "segment.bytes" => {
                self.segment_bytes = number(name, value, &ranges::SEGMENT_BYTES)?.unsigned_abs()
            }
            "retention.ms" => self.retention_ms = number(name, value, &ranges::RETENTION)?,
            "retention.bytes" => self.retention_bytes = number(name, value, &ranges::RETENTION)?,
            "segment.ms" => self.segment_ms = number(name, value, &ranges::SEGMENT_MS)?,
            "flush.ms" => self.flush_ms = number(name, value, &ranges::FLUSH_MS)?.unsigned_abs(),
            "message.timestamp.type" => {
                self.timestamp_type = match value {
                    "CreateTime" => TimestampType::CreateTime,
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => return Err(SettingFault::value(name, value, "CreateTime or LogAppendTime")),
                }
            }
            "cleanup.policy" => {
                if value != "delete" {
                    return Err(SettingFault::value(
                        name,
                        value,
                        "delete, since compaction is not supported",
                    ));
                }
            }
            "compression.type" => {
                if value != "producer" {
                    let would_do = "producer, since batches are stored as their producers compressed them";
                    return Err(SettingFault::value(name, value, would_do));
                }
            }
            _ => return Err(SettingFault::unknown(name)),
        }
        Ok(())
    }
}

/// Refuses a name that no setting has; one of a setting that is not served too, unless it is only `reset`.
pub(super) fn check_name(name: &str, reset: bool) -> Result<(), SettingFault> {
    if NAMES.contains(&name) || (reset && NOT_SERVED.contains(&name)) {
        return Ok(());
    }
    Err(SettingFault::unknown(name))
}

fn number(name: &str, value: &str, range: &Range) -> Result<i64, SettingFault> {
    let number =
        Some(value).filter(|value| value.len() <= NUMBER_LENGTH_MAX).and_then(|value| value.parse().ok());
    let number = number.filter(|number| range.contains(number));
    number.ok_or_else(|| SettingFault::value(name, value, &ranges::in_words(range)))
}

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingFault {
    /// Kafka knows the name no more than Tora does.
    Unknown {
        /// The name.
        name: String,
        /// The known name that looks most like it.
        nearest: &'static str,
    },
    /// Kafka knows the name, but here it would have no effect.
    NotServed {
        /// The name.
        name: String,
    },
    /// The name appears more than once.
    Twice {
        /// The name.
        name: String,
    },
    /// Something is added to or taken from the setting's list, but its value is none.
    NoList {
        /// The name.
        name: String,
    },
    /// The value cannot be used.
    Value {
        /// The setting's name.
        name: String,
        /// The value; cut where it is long.
        value: String,
        /// What could stand there.
        would_do: String,
    },
}

impl SettingFault {
    /// Characters of a value that are repeated in the message.
    const VALUE_SHOWN: usize = 40;

    fn unknown(name: &str) -> Self {
        if NOT_SERVED.contains(&name) {
            return Self::NotServed { name: name.to_owned() };
        }
        let nearest = NAMES
            .into_iter()
            .min_by_key(|known| strsim::osa_distance(known, name))
            .expect("there are known names");
        Self::Unknown { name: name.to_owned(), nearest }
    }

    fn value(name: &str, value: &str, would_do: &str) -> Self {
        let shown = value.chars().take(Self::VALUE_SHOWN).collect();
        Self::Value { name: name.to_owned(), value: shown, would_do: would_do.to_owned() }
    }
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, nearest } => {
                write!(f, "no topic setting is called {name:?}; did you mean {nearest}?")
            }
            Self::NotServed { name } => {
                write!(f, "the topic setting {name} is not supported and would have no effect; leave it out")
            }
            Self::Twice { name } => write!(f, "the topic setting {name:?} is given twice"),
            Self::NoList { name } => {
                write!(
                    f,
                    "the topic setting {name} is no list that could be appended to or subtracted from; set it"
                )
            }
            Self::Value { name, value, would_do } => write!(f, "{name} cannot be {value:?}; use {would_do}"),
        }
    }
}

impl std::error::Error for SettingFault {}
