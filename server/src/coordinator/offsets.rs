//! What a group has committed.

use std::collections::BTreeMap;

use tora_engine::types::TopicId;

use super::message::Name;

/// A topic's partition, by name: a group's offsets are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetKey {
    /// The topic's name.
    pub topic: Name,
    /// The partition's number.
    pub partition: i32,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next record to be read.
    pub offset: i64,
    /// The leader epoch of the last record read, −1 for unknown.
    pub leader_epoch: i32,
    /// What the client keeps with it.
    pub metadata: Name,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub committed_at: i64,
    /// When it expires, where the client said so (OffsetCommit 2–4).
    pub expires_at: Option<i64>,
    /// Which topic had the name then: one that is deleted and made again begins anew.
    pub topic_id: TopicId,
}

/// A group's offsets: those that are acknowledged, and what is on its way to the log.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    acknowledged: BTreeMap<OffsetKey, Committed>,
    /// Appended and not acknowledged.
    pending: BTreeMap<OffsetKey, Pending>,
}

/// What is under way for one partition.
#[derive(Clone, Debug)]
struct Pending {
    appends: usize,
    /// The last one's value; `None` takes the offset away.
    last: Option<Committed>,
}

impl Offsets {
    /// A value is on its way to the log; `None` takes the offset away.
    pub fn begin(&mut self, key: &OffsetKey, value: Option<&Committed>) {
        let pending = self.pending.entry(key.clone()).or_insert(Pending { appends: 0, last: None });
        pending.appends += 1;
        pending.last = value.cloned();
    }

    /// It is there (or, with `stored` false, refused). Appends end in the order in which they were begun.
    pub fn end(&mut self, key: OffsetKey, value: Option<Committed>, stored: bool) {
        let pending = self.pending.get_mut(&key).expect("it was begun");
        pending.appends -= 1;
        if pending.appends == 0 {
            self.pending.remove(&key);
        }
        if stored {
            self.replay(key, value);
        }
    }

    /// Takes a value as the log holds it.
    pub fn replay(&mut self, key: OffsetKey, committed: Option<Committed>) {
        match committed {
            Some(committed) => self.acknowledged.insert(key, committed),
            None => self.acknowledged.remove(&key),
        };
    }

    /// What was committed for a partition.
    #[must_use]
    pub fn find(&self, key: &OffsetKey) -> Option<&Committed> {
        self.acknowledged.get(key)
    }

    /// Everything acknowledged, by partition.
    pub fn iter(&self) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        self.acknowledged.iter()
    }

    /// What is acknowledged for a topic's partitions.
    pub fn of_topic(&self, topic: &str) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        let topic = Name::from(topic);
        let first = OffsetKey { topic: Name::clone(&topic), partition: i32::MIN };
        self.acknowledged.range(first..).take_while(move |(key, _)| key.topic == topic)
    }

    /// Whether anything is acknowledged for the topic of `first`, a partition of it before any other.
    #[must_use]
    pub fn has_of_topic(&self, first: &OffsetKey) -> bool {
        self.acknowledged.range(first..).next().is_some_and(|(key, _)| key.topic == first.topic)
    }

    /// Everything as the log's end has it: what is on its way included.
    pub fn appended(&self) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        let pending = self.pending.iter().filter_map(|(key, pending)| Some((key, pending.last.as_ref()?)));
        self.acknowledged.iter().filter(|(key, _)| !self.pending.contains_key(*key)).chain(pending)
    }

    /// Whether something of this partition is on its way.
    #[must_use]
    pub fn is_pending(&self, key: &OffsetKey) -> bool {
        self.pending.contains_key(key)
    }

    /// Whether there is nothing, and nothing on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.acknowledged.is_empty() && self.pending.is_empty()
    }
}
