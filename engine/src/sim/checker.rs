//! What the clients were told, and whether the engine keeps to it.
//!
//! - A batch that was acknowledged, and an offset that was ever shown, stays as it is for as long as its topic lives:
//!   through every crash, the same bytes at the same offset.
//! - Offsets are contiguous, and leader epochs never go back.
//! - Every batch has one offset, however often its producer sent it.
//! - What wasn't acknowledged may be there or not; but a batch that a reader of the whole log has not found after a
//!   restart is gone, and doesn't come back unless it is sent again.
//! - A topic whose creation was acknowledged is there under its id; one whose deletion was acknowledged never comes back.
//! - A producer id is handed out once.
//! - A log starts where somebody has asked it to, and never before where anybody was told that it starts.
//!
//! A topic with `flush.messages` other than 1 may lose what was acknowledged or shown to a power cut, from some batch on;
//! what lies before that stays as it is, and what is lost doesn't come back.
//!
//! Every submitted batch carries a number of its own as its records' key, by which it is recognised.

mod changes;
mod searches;

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{Batch, CrcCheck, batches, layout};
use crate::request::Records;
use crate::types::{Offset, PartitionId, TopicId};

/// What a run is found guilty of, in words.
pub type Verdict = Result<(), String>;

/// The number by which a submitted batch is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchNumber(pub u64);

/// What is checked of a batch's bytes: everything that the log doesn't stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    crc: u32,
    records: i32,
}

impl Fingerprint {
    fn of(bytes: &[u8], records: i32) -> Self {
        Self { crc: crc_fast::crc32_iscsi(&bytes[layout::PRODUCER_ID..]), records }
    }
}

/// A batch that a client sent.
struct Submission {
    partition: PartitionId,
    fingerprint: Fingerprint,
    /// Where it was acknowledged or seen.
    base: Option<i64>,
    /// When it was last sent: the number of starts before it.
    life: u32,
    /// A reader of the whole log has not found it, or it was refused.
    gone: bool,
}

/// What was known of a partition when something was asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// The end that was visible at least.
    pub end: i64,
    /// The start that was told at least.
    pub start: i64,
}

/// A batch at its place.
#[derive(Clone, Copy)]
struct Placed {
    number: BatchNumber,
    end: i64,
    /// Known once it was read.
    epoch: Option<i32>,
}

/// What is known of a partition.
#[derive(Default)]
struct Known {
    batches: BTreeMap<i64, Placed>,
    /// The largest visible end that anybody was told.
    visible_end: i64,
    /// The largest start that anybody was told.
    start: i64,
    /// Where the start may be at most: the largest that anybody has asked for.
    start_max: i64,
    /// The end may have been lost, and nobody has looked since.
    may_be_shorter: bool,
}

/// What has become of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    /// TopicWish for, not answered.
    Deleting,
    Deleted,
}

/// A topic as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicWish {
    /// Its number of partitions.
    pub partitions: i32,
    /// Whether acknowledged means flushed.
    pub flushed: bool,
    /// Whether retention deletes of it.
    pub limited: bool,
}

/// A topic whose id was told.
struct Topic {
    name: String,
    /// Those that it has for certain, and the number that it was asked to have at most.
    partitions: i32,
    partitions_max: i32,
    /// Whether acknowledged means flushed.
    flushed: bool,
    /// Whether its logs' starts move by themselves.
    limited: bool,
    fate: Fate,
}

/// See the module.
#[derive(Default)]
pub struct Checker {
    submissions: BTreeMap<BatchNumber, Submission>,
    partitions: BTreeMap<PartitionId, Known>,
    topics: BTreeMap<TopicId, Topic>,
    /// Names of topics whose creation was asked for and not answered.
    creating: BTreeMap<String, TopicWish>,
    producer_ids: BTreeSet<i64>,
    /// Starts so far.
    life: u32,
}

impl Checker {
    /// Batches that were acknowledged or seen, and those that were sent and are known to be gone.
    #[must_use]
    pub fn tally(&self) -> (u64, u64) {
        let count =
            |is: fn(&Submission) -> bool| self.submissions.values().filter(|it| is(it)).count() as u64;
        (count(|it| it.base.is_some()), count(|it| it.gone))
    }

    // ---- Topics.

    /// The engine has started: `found` are its topics.
    pub fn started(&mut self, found: &[(TopicId, String, i32)]) -> Verdict {
        self.life += 1;
        for (id, name, partitions) in found {
            match self.topics.get(id) {
                None => match self.creating.remove(name) {
                    Some(asked) if asked.partitions == *partitions => {
                        self.add_topic(*id, name.clone(), asked)?;
                    }
                    _ => return Err(format!("topic {name} ({id}) exists, but nobody asked for it")),
                },
                Some(topic) if topic.fate == Fate::Deleted => {
                    return Err(format!("topic {name} ({id}) was deleted and has come back"));
                }
                Some(topic) if topic.name != *name || !topic.may_have(*partitions) => {
                    return Err(format!(
                        "topic {} ({id}) is now {name} with {partitions} partitions",
                        topic.name
                    ));
                }
                Some(_) => self.topic(*id).has(*partitions),
            }
        }
        self.creating.clear();
        for (id, topic) in &mut self.topics {
            let is_there = found.iter().any(|(other, _, _)| other == id);
            match topic.fate {
                Fate::Alive if !is_there => return Err(format!("topic {} ({id}) is gone", topic.name)),
                // Whether it was deleted is decided now.
                Fate::Deleting => topic.fate = if is_there { Fate::Alive } else { Fate::Deleted },
                Fate::Alive | Fate::Deleted => {}
            }
        }
        Ok(())
    }

    /// What is written but not flushed may be lost.
    pub fn lost_unflushed(&mut self) {
        for (partition, known) in &mut self.partitions {
            if self.topics.get(&partition.topic).is_some_and(|topic| !topic.flushed) {
                known.may_be_shorter = true;
                known.visible_end = 0;
            }
        }
    }

    /// A client asks for a topic.
    pub fn create(&mut self, name: &str, asked: TopicWish) {
        self.creating.insert(name.to_owned(), asked);
    }

    /// It has got it.
    pub fn created(&mut self, name: &str, id: TopicId) -> Verdict {
        let asked = self.creating.remove(name);
        let asked = asked.ok_or_else(|| format!("{name} was created twice"))?;
        self.add_topic(id, name.to_owned(), asked)
    }

    /// It hasn't got it and never will.
    pub fn not_created(&mut self, name: &str) {
        self.creating.remove(name);
    }

    /// A client asks for a topic's end.
    pub fn delete(&mut self, id: TopicId) {
        self.topic(id).fate = Fate::Deleting;
    }

    /// It has come.
    pub fn deleted(&mut self, id: TopicId) {
        self.topic(id).fate = Fate::Deleted;
    }

    /// Topics that nobody has asked the end of.
    pub fn alive(&self) -> impl Iterator<Item = (TopicId, &str, i32)> {
        let alive = self.topics.iter().filter(|(_, topic)| topic.fate == Fate::Alive);
        alive.map(|(id, topic)| (*id, topic.name.as_str(), topic.partitions))
    }

    /// Whether the topic must answer as one that exists.
    #[must_use]
    pub fn is_alive(&self, id: TopicId) -> bool {
        self.topics.get(&id).is_some_and(|topic| topic.fate == Fate::Alive)
    }

    /// Whether the topic's acknowledged batches survive a power cut.
    #[must_use]
    pub fn is_flushed(&self, id: TopicId) -> bool {
        self.topics.get(&id).is_some_and(|topic| topic.flushed)
    }

    /// Whether a topic of this name may exist.
    #[must_use]
    pub fn may_exist(&self, name: &str) -> bool {
        let named = |topic: &Topic| topic.name == name && topic.fate != Fate::Deleted;
        self.creating.contains_key(name) || self.topics.values().any(named)
    }

    fn add_topic(&mut self, id: TopicId, name: String, asked: TopicWish) -> Verdict {
        let TopicWish { partitions, flushed, limited } = asked;
        let partitions_max = partitions;
        let topic = Topic { name, partitions, partitions_max, flushed, limited, fate: Fate::Alive };
        match self.topics.insert(id, topic) {
            None => Ok(()),
            Some(other) => Err(format!("the topic id {id} was given to {} before", other.name)),
        }
    }

    fn topic(&mut self, id: TopicId) -> &mut Topic {
        self.topics.get_mut(&id).expect("clients only name topics they were told of")
    }

    // ---- Producers.

    /// A producer id was handed out.
    pub fn producer_id(&mut self, id: i64) -> Verdict {
        if self.producer_ids.insert(id) {
            Ok(())
        } else {
            Err(format!("producer id {id} was handed out twice"))
        }
    }

    // ---- Batches.

    /// A client sends a batch, perhaps not for the first time.
    pub fn submit(&mut self, number: BatchNumber, partition: PartitionId, bytes: &[u8], records: i32) {
        let fingerprint = Fingerprint::of(bytes, records);
        let life = self.life;
        let new = || Submission { partition, fingerprint, base: None, life, gone: false };
        let submission = self.submissions.entry(number).or_insert_with(new);
        submission.life = life;
        submission.gone = false;
    }

    /// A batch was refused in a way that says that it isn't there.
    pub fn refused(&mut self, number: BatchNumber) {
        self.submission(number).gone = true;
    }

    /// A batch was acknowledged.
    pub fn acknowledged(&mut self, number: BatchNumber, base: Offset) -> Verdict {
        let partition = self.submission(number).partition;
        self.place(partition, base.value(), number, None)
    }

    /// The end that is visible at least: what a reader has been shown.
    #[must_use]
    pub fn visible_end(&self, partition: PartitionId) -> i64 {
        self.partitions.get(&partition).map_or(0, |known| known.visible_end)
    }

    /// What is known now.
    #[must_use]
    pub fn floor(&self, partition: PartitionId) -> Floor {
        self.partitions
            .get(&partition)
            .map_or_else(Floor::default, |known| Floor { end: known.visible_end, start: known.start })
    }

    /// A client asks for the records before an offset to be deleted.
    pub fn delete_records(&mut self, partition: PartitionId, before: i64) {
        let known = self.partitions.entry(partition).or_default();
        known.start_max = known.start_max.max(before);
    }

    /// They are, and the log starts at `start`.
    pub fn records_deleted(&mut self, partition: PartitionId, before: i64, start: i64) -> Verdict {
        if start < before {
            return Err(format!(
                "{partition}: what lies before {before} is deleted, but the log starts at {start}"
            ));
        }
        self.starts_at(partition, Floor::default(), start)
    }

    /// Somebody who asked when `floor` was known was told that the log starts at `start`.
    pub fn starts_at(&mut self, partition: PartitionId, floor: Floor, start: i64) -> Verdict {
        let limited = self.topics.get(&partition.topic).is_some_and(|topic| topic.limited);
        let known = self.partitions.entry(partition).or_default();
        if start < floor.start {
            return Err(format!(
                "{partition}: the log starts at {start}, but it started at {} before",
                floor.start
            ));
        }
        if start > known.start_max && !limited {
            return Err(format!("{partition}: the log starts at {start}, and nobody has asked for that"));
        }
        known.start = known.start.max(start);
        Ok(())
    }

    /// A reader who asked for `from` when `floor` was known was told that it isn't there, for the log starts at `start`.
    pub fn out_of_range(&mut self, partition: PartitionId, from: i64, floor: Floor, start: i64) -> Verdict {
        if from >= start {
            return Err(format!("{partition}: {from} is out of range, but the log starts at {start}"));
        }
        self.starts_at(partition, floor, start)
    }

    /// A reader who asked for `from` when `floor` was known has got an answer. Says where to read on.
    pub fn read(
        &mut self,
        partition: PartitionId,
        from: i64,
        floor: Floor,
        records: &Records,
    ) -> Result<i64, String> {
        let end = records.high_watermark.value();
        if end < floor.end {
            return Err(format!("{partition}: the watermark is {end}, but {} was shown before", floor.end));
        }
        if from < floor.start {
            return Err(format!(
                "{partition}: a read from {from} is answered, but the log started at {} before",
                floor.start
            ));
        }
        self.starts_at(partition, floor, records.log_start.value())?;
        let bytes: Vec<u8> = records.slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut expected = None;
        for batch in batches(&bytes, CrcCheck::Full) {
            let batch = batch.map_err(|error| format!("{partition}: a read from {from} brings {error}"))?;
            let (base, next) = (batch.header.base_offset.value(), batch.header.end_offset().value());
            let fits = expected.map_or(base <= from && from < next, |expected| base == expected);
            if !fits {
                return Err(format!("{partition}: a read from {from} brings offset {base} out of its turn"));
            }
            self.seen(partition, &batch)?;
            expected = Some(next);
        }
        let next = expected.unwrap_or(from);
        if next > end || (next == from && end > from) {
            return Err(format!("{partition}: a read from {from} ends at {next}, the watermark is {end}"));
        }
        self.shown(partition, end)?;
        Ok(next)
    }

    /// A reader was told that everything below `end` is visible.
    pub fn shown(&mut self, partition: PartitionId, end: i64) -> Verdict {
        let known = self.partitions.entry(partition).or_default();
        known.visible_end = known.visible_end.max(end);
        Ok(())
    }

    /// Somebody has read the whole log, from its start to `end`, since the last start and before anything was sent.
    pub fn read_whole(&mut self, partition: PartitionId, end: i64) -> Verdict {
        let known = self.partitions.entry(partition).or_default();
        if std::mem::take(&mut known.may_be_shorter) {
            for (base, placed) in known.batches.split_off(&end) {
                let submission =
                    self.submissions.get_mut(&placed.number).expect("what is placed was submitted");
                assert!(submission.base == Some(base), "a batch is placed where it was seen");
                submission.base = None;
            }
        }
        let acknowledged = known.batches.last_key_value().map_or(0, |(_, placed)| placed.end);
        let least = acknowledged.max(known.visible_end).max(known.start);
        if end < least {
            return Err(format!(
                "{partition}: the log ends at {end}, but {least} was acknowledged or shown before"
            ));
        }
        for submission in self.submissions.values_mut() {
            let earlier = submission.partition == partition && submission.life < self.life;
            submission.gone |= earlier && submission.base.is_none();
        }
        Ok(())
    }

    /// Nobody could read the whole log after the last start: what may have been lost is not known any more.
    pub fn not_read_whole(&mut self, partition: PartitionId) {
        if let Some(known) = self.partitions.get_mut(&partition).filter(|known| known.may_be_shorter) {
            *known = Known { start: known.start, start_max: known.start_max, ..Known::default() };
            let here = self.submissions.values_mut().filter(|submission| submission.partition == partition);
            here.for_each(|submission| submission.base = None);
        }
    }

    /// A reader has been shown a batch.
    fn seen(&mut self, partition: PartitionId, batch: &Batch<'_>) -> Verdict {
        let base = batch.header.base_offset.value();
        let number =
            number_of(batch).ok_or_else(|| format!("{partition}: the batch at {base} is nobody's"))?;
        let submission = self.submissions.get(&number);
        let submission =
            submission.ok_or_else(|| format!("{partition}: the batch at {base} was never submitted"))?;
        if submission.partition != partition {
            return Err(format!("{partition}: the batch at {base} was sent to {}", submission.partition));
        }
        if submission.fingerprint != Fingerprint::of(batch.bytes(), batch.header.records_count) {
            return Err(format!("{partition}: the batch at {base} is not the one that was sent"));
        }
        if submission.gone {
            return Err(format!("{partition}: the batch at {base} was lost or refused, and has come back"));
        }
        self.place(partition, base, number, Some(batch.header.leader_epoch.value()))
    }

    /// A batch stands at `base` from now on, where nothing else may stand, and nowhere else.
    fn place(
        &mut self,
        partition: PartitionId,
        base: i64,
        number: BatchNumber,
        epoch: Option<i32>,
    ) -> Verdict {
        let submission = self.submission(number);
        let end = base + i64::from(submission.fingerprint.records);
        if let Some(other) = submission.base.replace(base)
            && other != base
        {
            return Err(format!("{partition}: one batch is at offset {other} and at {base}"));
        }
        let known = self.partitions.entry(partition).or_default();
        let before = known.batches.range(..base).next_back();
        let after =
            known.batches.range(base..).next().filter(|(at, placed)| **at != base || placed.number != number);
        if before.is_some_and(|(_, placed)| placed.end > base) || after.is_some_and(|(at, _)| *at < end) {
            return Err(format!("{partition}: the offsets {base} to {end} have two values"));
        }
        let placed = known.batches.entry(base).or_insert(Placed { number, end, epoch: None });
        match (placed.epoch, epoch) {
            (Some(old), Some(new)) if old != new => {
                return Err(format!("{partition}: the epoch of the batch at {base} was {old} and is {new}"));
            }
            _ => placed.epoch = placed.epoch.or(epoch),
        }
        let mut epochs = known.batches.range(..=base).rev().map(|(_, placed)| placed.epoch);
        if let (Some(Some(this)), Some(Some(earlier))) = (epochs.next(), epochs.next())
            && this < earlier
        {
            return Err(format!(
                "{partition}: the epoch goes back from {earlier} to {this} at offset {base}"
            ));
        }
        Ok(())
    }

    fn submission(&mut self, number: BatchNumber) -> &mut Submission {
        self.submissions.get_mut(&number).expect("only submitted batches are answered or recognised")
    }
}

/// The number that a batch's first record has as its key.
fn number_of(batch: &Batch<'_>) -> Option<BatchNumber> {
    let record = batch.records().ok()?.next()?.ok()?;
    record.key?.try_into().ok().map(u64::from_be_bytes).map(BatchNumber)
}
