//! Fetch sessions (KIP-227): what a consumer wants, remembered, so that it need not say it again and is not told again
//! what it knows.
//!
//! Each core has its own, found by an id that no other core gives out: one that comes to another core is not known there,
//! and the client begins anew, as it does with its next connection. They are bounded in number
//! (`max.incremental.fetch.session.cache.slots`) and in partitions; which one has to go is decided as Kafka does.
//!
//! A session takes no work for a partition without news: a watch is left with the partition when its reader has come to
//! the end, and only what a watch, or the client, has called up is read by the next fetch. Watches outlast fetches; since
//! those on other cores' partitions take mailbox room for as long, they are bounded too, and beyond that partitions are
//! read by each fetch.

use std::collections::{BTreeMap, VecDeque};

use tora_engine::types::{Nanos, Offset, PartitionId, ShardId};

use super::TopicName;
use crate::limits;

/// A partition of a session, by its place there.
pub type Place = u32;

/// One partition as its client wants it.
pub struct Entry {
    /// Its topic, as the client names it.
    pub topic: TopicName,
    /// Its number.
    pub index: i32,
    /// Which partition that is, as far as there is one.
    pub partition: Option<PartitionId>,
    /// The leader epoch that the client believes in.
    pub epoch: i32,
    /// Where to read from.
    pub from: Offset,
    /// Bytes wanted at most.
    pub bytes_max: usize,
    /// The high watermark that the client was told.
    pub told_watermark: i64,
    /// The log's start that the client was told.
    pub told_start: i64,
    /// The number of the watch under way.
    watch: Option<u32>,
    /// Whether it is to be read by the next fetch.
    is_ready: bool,
}

/// What one client wants.
pub struct Session {
    /// Its name.
    pub id: i32,
    /// The number that the next fetch must have.
    pub epoch: i32,
    /// Whether topics are named by id.
    pub by_id: bool,
    entries: Vec<Option<Entry>>,
    free: Vec<Place>,
    places: BTreeMap<(TopicName, i32), Place>,
    /// Places to be read by the next fetch, those that have waited longest first.
    ready: VecDeque<Place>,
    next_watch: u32,
}

impl Session {
    fn new(id: i32, by_id: bool) -> Self {
        Self {
            id,
            epoch: 1,
            by_id,
            entries: Vec::new(),
            free: Vec::new(),
            places: BTreeMap::new(),
            ready: VecDeque::new(),
            next_watch: 0,
        }
    }

    /// How many partitions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Takes what the client wants of a partition, whether it is new or not: it is read by the next fetch.
    pub fn want(&mut self, topic: &TopicName, index: i32, epoch: i32, from: Offset, bytes_max: usize) {
        let key = (topic.clone(), index);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let place = self.free.pop().unwrap_or_else(|| {
                    self.entries.push(None);
                    u32::try_from(self.entries.len() - 1).expect("a session's partitions are limited")
                });
                self.entries[place as usize] = Some(Entry {
                    topic: topic.clone(),
                    index,
                    partition: None,
                    epoch,
                    from,
                    bytes_max,
                    told_watermark: -1,
                    told_start: -1,
                    watch: None,
                    is_ready: false,
                });
                self.places.insert(key, place);
                place
            }
        };
        let entry = self.entries[place as usize].as_mut().expect("places lead to entries");
        (entry.epoch, entry.from, entry.bytes_max) = (epoch, from, bytes_max);
        self.call_up(place);
    }

    /// The client wants nothing of a partition any more.
    pub fn forget(&mut self, topic: &TopicName, index: i32) {
        if let Some(place) = self.places.remove(&(topic.clone(), index)) {
            self.entries[place as usize] = None;
            self.free.push(place);
        }
    }

    /// Has a partition read by the next fetch.
    pub fn call_up(&mut self, place: Place) {
        if let Some(entry) = self.entries[place as usize].as_mut()
            && !std::mem::replace(&mut entry.is_ready, true)
        {
            self.ready.push_back(place);
        }
    }

    /// Takes all partitions that are to be read.
    pub fn take_ready(&mut self) -> VecDeque<Place> {
        let mut ready = std::mem::take(&mut self.ready);
        // A place may be there that was forgotten, or twice where it is another's since.
        ready.retain(|place| {
            let entry = self.entries[*place as usize].as_mut();
            entry.is_some_and(|entry| std::mem::take(&mut entry.is_ready))
        });
        ready
    }

    /// A partition.
    pub fn entry(&mut self, place: Place) -> &mut Entry {
        self.entries[place as usize].as_mut().expect("it is not forgotten while it is read")
    }

    /// A watch has ended: the partition may have more. Says whether it was the watch under way.
    fn watch_ended(&mut self, place: Place, watch: u32) -> bool {
        let entry = self.entries.get_mut(place as usize).and_then(Option::as_mut);
        let Some(entry) = entry.filter(|entry| entry.watch == Some(watch)) else { return false };
        entry.watch = None;
        self.call_up(place);
        true
    }

    /// Whether the partition is watched.
    #[must_use]
    pub fn is_watched(&self, place: Place) -> bool {
        self.entries[place as usize].as_ref().is_some_and(|entry| entry.watch.is_some())
    }

    fn begin_watch(&mut self, place: Place) -> u32 {
        let watch = self.next_watch;
        self.next_watch = self.next_watch.wrapping_add(1);
        self.entry(place).watch = Some(watch);
        watch
    }
}

/// A session's place in the cache. A fetch takes the session out and puts it back.
struct Slot {
    session: Option<Session>,
    /// The connection, by number and serial, whose fetch has taken it out.
    holder: Option<(u32, u64)>,
    /// Watches that have ended meanwhile.
    ended: Vec<(Place, u32)>,
    created: Nanos,
    last_used: Nanos,
    partitions: usize,
}

/// What became of a fetch's wish for its session.
pub enum Taken {
    /// Here it is.
    Session(Session),
    /// No session has this id, or a fetch of it is under way.
    Unknown,
    /// The fetch has another number than the next one.
    OutOfOrder,
    /// The session's topics are named the other way.
    OtherNames,
}

/// The sessions of one core.
pub struct Sessions {
    slots: BTreeMap<i32, Slot>,
    slots_max: usize,
    partitions: usize,
    /// This core and how many there are.
    core: ShardId,
    cores: u16,
    /// Watches under way, by the core that they are at.
    watches: Vec<usize>,
}

impl Sessions {
    /// None yet; at most `slots_max` on all cores.
    #[must_use]
    pub fn new(core: ShardId, cores: u16, slots_max: usize) -> Self {
        let share = slots_max.div_ceil(usize::from(cores));
        Self {
            slots: BTreeMap::new(),
            slots_max: share,
            partitions: 0,
            core,
            cores,
            watches: vec![0; usize::from(cores)],
        }
    }

    /// Begins a session, where there is room for one of so many partitions, or can be made. It is taken out by the
    /// holder's fetch. `random` is a random word.
    pub fn begin(
        &mut self,
        by_id: bool,
        partitions: usize,
        holder: (u32, u64),
        now: Nanos,
        random: u64,
    ) -> Option<Session> {
        if partitions == 0 || self.slots_max == 0 {
            return None;
        }
        while self.slots.len() >= self.slots_max
            || self.partitions + partitions > limits::SESSION_PARTITIONS_MAX
        {
            self.evict(partitions, now)?;
        }
        let id = self.free_id(random);
        let slot = Slot {
            session: None,
            holder: Some(holder),
            ended: Vec::new(),
            created: now,
            last_used: now,
            partitions,
        };
        self.slots.insert(id, slot);
        self.partitions += partitions;
        Some(Session::new(id, by_id))
    }

    /// A positive number that no session has; each core's leave another rest.
    fn free_id(&self, random: u64) -> i32 {
        let (core, cores) = (u64::from(self.core.value()), u64::from(self.cores));
        let highest = i32::MAX as u64 / cores;
        let mut at = random % highest;
        loop {
            let id = i32::try_from(at * cores + core).expect("below the highest");
            if id > 0 && !self.slots.contains_key(&id) {
                return id;
            }
            at = (at + 1) % highest;
        }
    }

    /// Makes room for a session of so many partitions as Kafka does (`FetchSessionCache.tryEvict`): one that was not used
    /// for long goes, or the smallest of those that are not young, if it is smaller.
    fn evict(&mut self, partitions: usize, now: Nanos) -> Option<()> {
        let old = |since: Nanos| now.since(since) > limits::SESSION_EVICTION_MS * 1_000_000;
        let stale =
            self.slots.iter().min_by_key(|slot| slot.1.last_used).filter(|slot| old(slot.1.last_used));
        let smaller = || {
            let grown = self.slots.iter().filter(|slot| old(slot.1.created));
            grown.min_by_key(|slot| slot.1.partitions).filter(|slot| slot.1.partitions < partitions)
        };
        let id = *stale.or_else(smaller)?.0;
        self.end(id);
        Some(())
    }

    /// Ends a session.
    pub fn end(&mut self, id: i32) {
        if let Some(slot) = self.slots.remove(&id) {
            self.partitions -= slot.partitions;
        }
    }

    /// Takes a session out for its next fetch, which says that its number is `epoch`.
    pub fn take(&mut self, id: i32, epoch: i32, by_id: bool, holder: (u32, u64), now: Nanos) -> Taken {
        let Some(slot) = self.slots.get_mut(&id) else { return Taken::Unknown };
        let Some(session) = &mut slot.session else { return Taken::Unknown };
        if session.by_id != by_id {
            return Taken::OtherNames;
        }
        if session.epoch != epoch {
            return Taken::OutOfOrder;
        }
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        (slot.holder, slot.last_used) = (Some(holder), now);
        slot.session.take().map_or(Taken::Unknown, Taken::Session)
    }

    /// Puts a session back. One that had to go meanwhile, or wants nothing any more, goes for good; says whether it stays.
    pub fn put_back(&mut self, mut session: Session) -> bool {
        let id = session.id;
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        if session.len() == 0 {
            self.end(id);
            return false;
        }
        for (place, watch) in slot.ended.drain(..) {
            session.watch_ended(place, watch);
        }
        self.partitions = self.partitions - slot.partitions + session.len();
        slot.partitions = session.len();
        (slot.session, slot.holder) = (Some(session), None);
        let fits = self.partitions <= limits::SESSION_PARTITIONS_MAX;
        if !fits {
            self.end(id);
        }
        fits
    }

    /// Has a session that is taken out know which of its watches have ended.
    pub fn tell_ended(&mut self, session: &mut Session) {
        if let Some(slot) = self.slots.get_mut(&session.id) {
            for (place, watch) in slot.ended.drain(..) {
                session.watch_ended(place, watch);
            }
        }
    }

    /// Begins a watch on a partition that `owner` has; its number, or `None` where there are too many.
    pub fn begin_watch(&mut self, session: &mut Session, place: Place, owner: ShardId) -> Option<u32> {
        let under_way = &mut self.watches[usize::from(owner.value())];
        let most = if owner == self.core {
            limits::SESSION_WATCHES_HERE_MAX
        } else {
            limits::SESSION_WATCHES_THERE_MAX
        };
        if *under_way >= most {
            return None;
        }
        *under_way += 1;
        Some(session.begin_watch(place))
    }

    /// A watch has ended. Gives the connection whose fetch may wait for that.
    pub fn watch_ended(&mut self, owner: ShardId, id: i32, place: Place, watch: u32) -> Option<(u32, u64)> {
        self.watches[usize::from(owner.value())] -= 1;
        let slot = self.slots.get_mut(&id)?;
        match &mut slot.session {
            Some(session) => {
                session.watch_ended(place, watch);
                None
            }
            None => {
                slot.ended.push((place, watch));
                slot.holder
            }
        }
    }
}

#[cfg(test)]
mod tests;
