//! The state machine.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::record::Change;
use super::settings::{SettingFault, TopicConfig};
use super::topic::{NameFault, Topic, TopicName};
use crate::error::Error;
use crate::limits::PARTITIONS_MAX;
use crate::types::TopicId;

/// All topics as of some point in the log. A clone is a snapshot; topics are shared, not copied.
#[derive(Clone, Debug)]
pub struct Catalog {
    defaults: TopicConfig,
    topics: BTreeMap<TopicId, Arc<Topic>>,
    names: BTreeMap<TopicName, TopicId>,
    /// Deleted topics whose files may still be there.
    tombstones: BTreeMap<TopicId, Arc<Topic>>,
    /// The first producer id that no block has.
    producer_ids_upto: i64,
}

/// What a change has done, for whoever has to act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A topic may be written to from now on.
    TopicCreated(Arc<Topic>),
    /// A topic's new requests are refused from now on, its waiting ones answered, its files removed.
    TopicDeleted(Arc<Topic>),
    /// Nothing is left of a topic.
    TopicPurged(TopicId),
    /// These producer ids may be handed out, but only by the process that reserved them.
    ProducerIdsReserved(Range<i64>),
}

impl Catalog {
    /// No topics yet. `defaults` are the settings of topics that do not say otherwise.
    #[must_use]
    pub const fn new(defaults: TopicConfig) -> Self {
        Self {
            defaults,
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            producer_ids_upto: 0,
        }
    }

    /// Takes the next change of the log.
    ///
    /// # Errors
    /// A change that no plan of this catalog makes; the catalog stays as it was. In a log that was written by plans it
    /// means that the log is damaged.
    pub fn apply(&mut self, change: &Change) -> Result<Effect, Contradiction> {
        match change {
            Change::TopicCreated { id, name, partitions, configs } => {
                if self.topics.contains_key(id) || self.tombstones.contains_key(id) {
                    return Err(Contradiction::IdTaken(*id));
                }
                let topic = self.topic_of(*id, name, *partitions, configs).map_err(Contradiction::Topic)?;
                let topic = Arc::new(topic);
                self.names.insert(topic.name.clone(), topic.id);
                self.topics.insert(topic.id, Arc::clone(&topic));
                Ok(Effect::TopicCreated(topic))
            }
            Change::TopicDeleted { id } => {
                let topic = self.topics.remove(id).ok_or(Contradiction::UnknownTopic(*id))?;
                self.names.remove(&topic.name);
                self.tombstones.insert(*id, Arc::clone(&topic));
                Ok(Effect::TopicDeleted(topic))
            }
            Change::TopicPurged { id } => {
                self.tombstones.remove(id).ok_or(Contradiction::NotDeleted(*id))?;
                Ok(Effect::TopicPurged(*id))
            }
            Change::ProducerIdsReserved { upto } => {
                let block = self.producer_ids_upto..*upto;
                if block.is_empty() {
                    return Err(Contradiction::ProducerIds { before: block.start, after: block.end });
                }
                self.producer_ids_upto = *upto;
                Ok(Effect::ProducerIdsReserved(block))
            }
        }
    }

    /// The change that creates a topic; `id` is new and random.
    ///
    /// # Errors
    /// What stands against it; its `Display` is for the user.
    pub fn plan_create(
        &self,
        id: TopicId,
        name: &str,
        partitions: i32,
        configs: &[(String, String)],
    ) -> Result<Change, Refused> {
        if partitions > PARTITIONS_MAX {
            return Err(Refused::Partitions(partitions));
        }
        self.topic_of(id, name, partitions, configs)?;
        let configs = configs.iter().map(|(name, value)| (name.clone(), value.trim().to_owned())).collect();
        Ok(Change::TopicCreated { id, name: name.to_owned(), partitions, configs })
    }

    /// The change that deletes a topic; `None` if there is no such topic.
    #[must_use]
    pub fn plan_delete(&self, id: TopicId) -> Option<Change> {
        self.topics.contains_key(&id).then_some(Change::TopicDeleted { id })
    }

    /// The change that says that a deleted topic's files are gone; `None` if no such topic waits for it.
    #[must_use]
    pub fn plan_purge(&self, id: TopicId) -> Option<Change> {
        self.tombstones.contains_key(&id).then_some(Change::TopicPurged { id })
    }

    /// The change that reserves `count` producer ids, at least 1; `None` once there are no more.
    #[must_use]
    pub fn plan_producer_ids(&self, count: i64) -> Option<Change> {
        assert!(count > 0, "a reservation takes at least one id");
        let upto = self.producer_ids_upto.checked_add(count)?;
        Some(Change::ProducerIdsReserved { upto })
    }

    /// The topic with this id.
    #[must_use]
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic_named(&self, name: &str) -> Option<&Arc<Topic>> {
        let id = self.names.get(name)?;
        Some(&self.topics[id])
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.names.values().map(|id| &self.topics[id])
    }

    /// Deleted topics whose files may still be there, by id.
    pub fn tombstones(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.tombstones.values()
    }

    /// The settings of topics that do not say otherwise.
    #[must_use]
    pub const fn defaults(&self) -> &TopicConfig {
        &self.defaults
    }

    /// The topic as it would be, if it can be.
    fn topic_of(
        &self,
        id: TopicId,
        name: &str,
        partitions: i32,
        configs: &[(String, String)],
    ) -> Result<Topic, Refused> {
        let name = TopicName::parse(name).map_err(Refused::Name)?;
        if self.names.contains_key(&name) {
            return Err(Refused::Exists(name));
        }
        // The upper bound is for new topics only: a lower one must not keep an older folder from being opened.
        if partitions < 1 {
            return Err(Refused::Partitions(partitions));
        }
        let config = self.defaults.with(configs).map_err(Refused::Setting)?;
        Ok(Topic { id, name, partitions, configs: configs.to_vec(), config })
    }
}

/// Why a topic cannot be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The name is none (`INVALID_TOPIC_EXCEPTION`).
    Name(NameFault),
    /// The name is another topic's (`TOPIC_ALREADY_EXISTS`).
    Exists(TopicName),
    /// There cannot be that many partitions (`INVALID_PARTITIONS`).
    Partitions(i32),
    /// A setting cannot be used (`INVALID_CONFIG`).
    Setting(SettingFault),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(fault) => fault.fmt(f),
            Self::Exists(name) => write!(f, "a topic named {name} exists"),
            Self::Partitions(count) => {
                write!(f, "a topic cannot have {count} partitions; use 1 to {PARTITIONS_MAX}")
            }
            Self::Setting(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Name(fault) => Self::InvalidTopic(fault.to_string()),
            Refused::Exists(_) => Self::TopicExists,
            Refused::Partitions(_) => Self::InvalidPartitions(refused.to_string()),
            Refused::Setting(fault) => Self::InvalidConfig(fault.to_string()),
        }
    }
}

/// Why a change cannot be the next one of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A topic is created with an id that one has or had.
    IdTaken(TopicId),
    /// A topic is created that could not be.
    Topic(Refused),
    /// A topic is deleted that does not exist.
    UnknownTopic(TopicId),
    /// A topic is purged that is not waiting for it.
    NotDeleted(TopicId),
    /// Producer ids are reserved that were before.
    ProducerIds {
        /// The first id that was free.
        before: i64,
        /// The first id that is said to be free now.
        after: i64,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the catalog's log contradicts itself: ")?;
        match self {
            Self::IdTaken(id) => write!(f, "topic id {id} is used twice"),
            Self::Topic(refused) => refused.fmt(f),
            Self::UnknownTopic(id) => write!(f, "topic {id} is deleted but does not exist"),
            Self::NotDeleted(id) => write!(f, "topic {id} is purged but was not deleted"),
            Self::ProducerIds { before, after } => {
                write!(f, "producer ids are reserved up to {after} after {before}")
            }
        }
    }
}

impl std::error::Error for Contradiction {}
