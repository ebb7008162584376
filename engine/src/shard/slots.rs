//! The partitions of a shard.

use std::collections::BTreeMap;

use crate::partition::Partition;
use crate::types::{Nanos, PartitionId, Position};

/// A partition on its shard.
pub struct Slot {
    /// Which one.
    pub id: PartitionId,
    /// The partition.
    pub partition: Partition,
    /// Its operations in flight.
    pub in_flight: usize,
    /// Whether it is on the list of those to be looked at before the turn ends.
    pub dirty: bool,
    /// Whether it waits for the journal to take something of it.
    pub for_journal: bool,
    /// Whether it waits to be settled.
    pub to_settle: bool,
    /// Whether its topic is deleted.
    pub deleted: bool,
    /// Those of them that wait for a place among the open files.
    pub waiting_opens: usize,
    /// Whether it stands in the ring of those with open files.
    pub in_ring: bool,
    /// When it is flushed at the latest, where something is unflushed and only time sees to that.
    pub flush_at: Option<Nanos>,
    /// When its watchers have to be looked at, where there are any.
    pub watch_at: Option<Nanos>,
    /// When it was last appended to, or read.
    pub last_used: Nanos,
    /// When it was last appended to.
    pub last_appended: Nanos,
}

/// Partitions by slot and by id.
#[derive(Default)]
pub struct Slots {
    list: Vec<Option<Box<Slot>>>,
    free: Vec<usize>,
    by_id: BTreeMap<PartitionId, usize>,
}

impl Slots {
    /// Adds a partition.
    pub fn insert(&mut self, id: PartitionId, partition: Partition) -> usize {
        let entry = Box::new(Slot {
            id,
            partition,
            in_flight: 0,
            waiting_opens: 0,
            in_ring: false,
            dirty: false,
            for_journal: false,
            to_settle: false,
            deleted: false,
            flush_at: None,
            watch_at: None,
            last_used: Nanos::new(0),
            last_appended: Nanos::new(0),
        });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() - 1
        });
        self.list[slot] = Some(entry);
        let before = self.by_id.insert(id, slot);
        assert!(before.is_none(), "partition {id} is there twice");
        slot
    }

    /// The slot of a partition.
    #[must_use]
    pub fn find(&self, id: PartitionId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Takes a partition's name away; its slot stays until [`Slots::remove`].
    pub fn forget(&mut self, id: PartitionId) {
        self.by_id.remove(&id);
    }

    /// Removes a partition whose name was taken away.
    pub fn remove(&mut self, slot: usize) -> Box<Slot> {
        self.free.push(slot);
        self.list[slot].take().expect("a slot is removed once")
    }

    /// The partition in a slot.
    pub fn at(&mut self, slot: usize) -> &mut Slot {
        self.list[slot].as_mut().expect("a slot is used while its partition is there")
    }

    /// How far a partition's log is settled; `None` where it is not there any more.
    #[must_use]
    pub fn settled_to(&self, id: PartitionId) -> Option<Position> {
        let entry = self.list[self.find(id)?].as_ref().expect("a slot is used while its partition is there");
        Some(entry.partition.log().settled_to())
    }

    /// All partitions, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.list.iter_mut().filter_map(|entry| entry.as_deref_mut())
    }

    /// The partitions of a topic, or all of them, with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.list.iter().enumerate().filter_map(|(slot, entry)| entry.as_deref().map(|entry| (slot, entry)))
    }
}
