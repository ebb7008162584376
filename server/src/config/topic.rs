//! What can be set for a topic: one table of names and meanings. What the values do is the engine's
//! (`tora_engine::catalog::TopicConfig`).

use tora_engine::catalog::TopicConfig;

use super::Settings;
use super::property::{Kind, Property};
use super::table;

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
    let mut settings = Settings::default();
    settings.check().expect("nothing stands against the defaults");
    tora_engine::open::topic_defaults(&settings.engine)
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
        let property = find(name).and_then(TopicSetting::broker_property);
        // A span of time may be given in several units.
        let units: &[&str] = match name {
            "retention.ms" => &["log.retention.minutes", "log.retention.hours"],
            "segment.ms" => &["log.roll.hours"],
            _ => &[],
        };
        let mut properties = property.into_iter().chain(units.iter().filter_map(|unit| table::find(unit)));
        if set {
            Self::Topic
        } else if properties.any(|property| settings.given(property).is_some()) {
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
        name: "flush.ms",
        broker: Some("log.flush.interval.ms"),
        kind: Kind::Milliseconds,
        doc: "How long something stays unflushed at most where flush.messages is not 1.",
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
        broker: Some("log.retention.bytes"),
        kind: Kind::Bytes,
        doc: "Bytes of a partition that are kept: the oldest segments are deleted while no less is left; -1 keeps all.",
    },
    TopicSetting {
        name: "retention.ms",
        broker: Some("log.retention.ms"),
        kind: Kind::Milliseconds,
        doc: "For how long records are kept: a segment is deleted once its latest one is older; -1 keeps them for ever.",
    },
    TopicSetting {
        name: "segment.bytes",
        broker: Some("log.segment.bytes"),
        kind: Kind::Bytes,
        doc: "A segment's size; at least max.message.bytes. One ends at 4 GiB, or 4 294 967 296 offsets, whatever is set.",
    },
    TopicSetting {
        name: "segment.ms",
        broker: Some("log.roll.ms"),
        kind: Kind::Milliseconds,
        doc: "A batch so much later than its segment's first one begins the next segment.",
    },
];
