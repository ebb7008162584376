//! The state machine.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::edit::SettingsEdit;
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
    /// A topic's settings apply from now on as they stand here.
    TopicReconfigured(Arc<Topic>),
    /// A topic's new partitions may be written to from now on.
    PartitionsAdded(Arc<Topic>),
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
            Change::TopicReconfigured { id, configs } => {
                let topic = self.topics.get_mut(id).ok_or(Contradiction::UnknownTopic(*id))?;
                let config = self.defaults.with(configs);
                let config = config.map_err(|fault| Contradiction::Topic(Refused::Setting(fault)))?;
                let changed = Topic { configs: configs.clone(), config, ..Topic::clone(topic) };
                *topic = Arc::new(changed);
                Ok(Effect::TopicReconfigured(Arc::clone(topic)))
            }
            Change::PartitionsAdded { id, partitions } => {
                let topic = self.topics.get_mut(id).ok_or(Contradiction::UnknownTopic(*id))?;
                let (has, wanted) = (topic.partitions, *partitions);
                if wanted <= has {
                    return Err(Contradiction::Topic(Refused::NoMorePartitions { has, wanted }));
                }
                *topic = Arc::new(Topic { partitions: wanted, ..Topic::clone(topic) });
                Ok(Effect::PartitionsAdded(Arc::clone(topic)))
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

    /// The change that gives a topic other settings; `None` where it would change nothing.
    ///
    /// # Errors
    /// What stands against it; its `Display` is for the user.
    pub fn plan_alter(&self, id: TopicId, edit: &SettingsEdit) -> Result<Option<Change>, Refused> {
        let topic = self.topic(id).ok_or(Refused::Unknown)?;
        let configs = edit.applied_to(&topic.configs, |name| topic.config.value(name));
        let configs = configs.map_err(Refused::Setting)?;
        self.defaults.with(&configs).map_err(Refused::Setting)?;
        Ok((configs != topic.configs).then_some(Change::TopicReconfigured { id, configs }))
    }

    /// The change that gives a topic more partitions: `partitions` in all.
    ///
    /// # Errors
    /// What stands against it; its `Display` is for the user.
    pub fn plan_add_partitions(&self, id: TopicId, partitions: i32) -> Result<Change, Refused> {
        let has = self.topic(id).ok_or(Refused::Unknown)?.partitions;
        if partitions > PARTITIONS_MAX {
            return Err(Refused::Partitions(partitions));
        }
        if partitions <= has {
            return Err(Refused::NoMorePartitions { has, wanted: partitions });
        }
        Ok(Change::PartitionsAdded { id, partitions })
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

/// Why a topic cannot be created or changed.
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
    /// There is no such topic (`UNKNOWN_TOPIC_OR_PARTITION`).
    Unknown,
    /// A topic's partitions can only become more (`INVALID_PARTITIONS`).
    NoMorePartitions {
        /// How many it has.
        has: i32,
        /// How many it should have.
        wanted: i32,
    },
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
            Self::Unknown => f.write_str("there is no such topic"),
            Self::NoMorePartitions { has, wanted } => {
                write!(
                    f,
                    "the topic has {has} partitions, and {wanted} would not be more; partitions are never removed"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Name(fault) => Self::InvalidTopic(fault.to_string()),
            Refused::Exists(_) => Self::TopicExists,
            Refused::Unknown => Self::UnknownPartition,
            Refused::Partitions(_) | Refused::NoMorePartitions { .. } => {
                Self::InvalidPartitions(refused.to_string())
            }
            Refused::Setting(fault) => Self::InvalidConfig(fault.to_string()),
        }
    }
}

/// Why a change cannot be the next one of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A topic is created with an id that one has or had.
    IdTaken(TopicId),
    /// A topic is created or changed that could not be.
    Topic(Refused),
    /// A topic is deleted or changed that does not exist.
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
            Self::UnknownTopic(id) => write!(f, "topic {id} is deleted or changed but does not exist"),
            Self::NotDeleted(id) => write!(f, "topic {id} is purged but was not deleted"),
            Self::ProducerIds { before, after } => {
                write!(f, "producer ids are reserved up to {after} after {before}")
            }
        }
    }
}

impl std::error::Error for Contradiction {}
