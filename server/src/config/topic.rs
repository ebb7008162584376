//! What can be set for a topic: one table of names and meanings. What the values do is the engine's
//! (`tora_engine::catalog::TopicConfig`).

use tora_engine::catalog::TopicConfig;

use super::Settings;
use super::table::{self, Kind, Property};

/// A topic's setting.
pub struct TopicSetting {
    /// Kafka's name.
    pub name: &'static str,
    /// The property that gives the default of topics that do not set it.
    pub broker: Option<&'static str>,
    /// What its value is.
    pub kind: Kind,
    /// What it means.
    pub doc: &'static str,
}

/// The setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TopicSetting> {
    TOPIC_SETTINGS.iter().find(|setting| setting.name == name)
}

impl TopicSetting {
    /// The property that gives its default, if one does.
    #[must_use]
    pub fn broker_property(&self) -> Option<&'static Property> {
        self.broker.and_then(table::find)
    }
}

/// The settings of a topic that sets nothing, of a broker that was told nothing.
#[must_use]
pub fn built_in() -> TopicConfig {
    tora_engine::open::topic_defaults(&Settings::default().engine)
}

/// Where a value comes from (Kafka's `ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was set for the topic.
    Topic,
    /// It was set when the broker was started.
    Broker,
    /// It is the default.
    Default,
}

impl Source {
    /// Where the value of a topic's setting comes from; `set` tells whether the topic sets it.
    #[must_use]
    pub fn of(name: &str, set: bool, settings: &Settings) -> Self {
        let property = || find(name).and_then(TopicSetting::broker_property);
        if set {
            Self::Topic
        } else if property().is_some_and(|property| settings.given(property).is_some()) {
            Self::Broker
        } else {
            Self::Default
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::Broker => 4,
            Self::Default => 5,
        }
    }
}

/// All settings, by name.
pub const TOPIC_SETTINGS: &[TopicSetting] = &[
    TopicSetting {
        name: "cleanup.policy",
        broker: None,
        kind: Kind::List,
        doc: "What becomes of old records. Only delete is served.",
    },
    TopicSetting {
        name: "compression.type",
        broker: None,
        kind: Kind::Text,
        doc: "How batches are compressed. Only producer is served: they are stored as they came.",
    },
    TopicSetting {
        name: "flush.messages",
        broker: Some("flush.messages"),
        kind: Kind::Count,
        doc: "1: an acknowledged record is on the disk. More: acknowledged when the device has accepted it, flushed \
              behind.",
    },
    TopicSetting {
        name: "max.message.bytes",
        broker: Some("message.max.bytes"),
        kind: Kind::Bytes,
        doc: "The largest record batch.",
    },
    TopicSetting {
        name: "message.timestamp.type",
        broker: None,
        kind: Kind::Text,
        doc: "Whose timestamps the records have: CreateTime, the producer's, or LogAppendTime, the broker's.",
    },
    TopicSetting {
        name: "retention.bytes",
        broker: None,
        kind: Kind::Bytes,
        doc: "Bytes that a partition keeps; -1 for all. Stored only: nothing is deleted by size yet.",
    },
    TopicSetting {
        name: "retention.ms",
        broker: None,
        kind: Kind::Milliseconds,
        doc: "How long records are kept; -1 for ever. Stored only: nothing is deleted by age yet.",
    },
    TopicSetting {
        name: "segment.bytes",
        broker: Some("log.segment.bytes"),
        kind: Kind::Bytes,
        doc: "A segment's size; at least max.message.bytes.",
    },
];
