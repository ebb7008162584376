//! The clients of a run: a service on each shard that makes requests, gets the replies, and has the checker judge them.

mod answers;
mod requests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checker::{BatchNumber, Checker, Floor};
use super::io::SimIo;
use super::producer::{Producer, Sending};
use super::rng::Rng;
use super::workload::Workload;
use crate::io::{Completion, Io, Slice};
use crate::request::Reply;
use crate::service::Service;
use crate::shard::Shard;
use crate::types::{Nanos, PartitionId, TopicId};

/// A request under way.
struct Asked {
    shard: u16,
    at: Nanos,
    what: What,
}

/// What a reply is needed for.
#[derive(Debug)]
enum What {
    Append { partition: PartitionId, number: BatchNumber },
    Produce { partition: PartitionId, number: BatchNumber, producer: usize, sending: Sending },
    Read { partition: PartitionId, from: i64, floor: Floor, why: Why },
    ReadStored { partition: PartitionId, from: i64, floor: Floor, expected: Slice },
    Watch { partition: PartitionId, end: i64, until: Nanos },
    Latest { partition: PartitionId, floor: i64 },
    Earliest { partition: PartitionId, floor: Floor },
    Newest { partition: PartitionId, floor: Floor },
    AnyOffset { partition: PartitionId },
    DeleteRecords { partition: PartitionId, before: i64 },
    Create { name: String },
    Delete { id: TopicId },
    Alter { id: TopicId },
    Grow { id: TopicId, partitions: i32 },
    ProducerId,
}

/// Why something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// To see.
    Look,
    /// Because a watch said that there is something.
    News,
    /// To know the whole log after a start; so many tries have failed.
    Whole { failures: u32 },
}

/// How far a life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Every log is read as a whole.
    Reading,
    /// Anything is asked.
    Working,
    /// Nothing is asked any more.
    Ending,
}

/// What the clients of all shards share.
pub struct Bench {
    /// Judges the replies.
    pub checker: Checker,
    rng: Rng,
    workload: Workload,
    producers: Vec<Producer>,
    in_flight: BTreeMap<u64, Asked>,
    next_tag: u64,
    next_number: u64,
    next_topic: u64,
    phase: Phase,
    /// Logs to be read as a whole.
    unread: Vec<PartitionId>,
    /// Operations so far, in all lives.
    issued: u64,
    /// Operations after which this life asks nothing more.
    target: u64,
    /// Appends to one partition that this life ends with, all at once, so that a crash finds many of them on their way.
    surge: u64,
    excused: u64,
    /// Tries in a row that found nothing to ask.
    in_vain: u32,
    /// Whether the machine may fail operations in this life.
    faulty: bool,
    stopping: bool,
    /// What the engine is guilty of.
    failure: Option<String>,
}

impl Bench {
    /// Clients who have asked nothing yet.
    #[must_use]
    pub fn new(mut rng: Rng) -> Self {
        let workload = Workload::random(&mut rng);
        Self {
            checker: Checker::default(),
            rng,
            workload,
            producers: Vec::new(),
            in_flight: BTreeMap::new(),
            next_tag: 0,
            next_number: 0,
            next_topic: 0,
            phase: Phase::Ending,
            unread: Vec::new(),
            issued: 0,
            target: 0,
            surge: 0,
            excused: 0,
            in_vain: 0,
            faulty: false,
            stopping: false,
            failure: None,
        }
    }

    /// The engine has started, with these topics. So many more operations are to be made.
    ///
    /// # Errors
    /// Topics that must not be there, or must.
    pub fn started(
        &mut self,
        topics: &[(TopicId, String, i32)],
        operations: u64,
        faulty: bool,
    ) -> Result<(), String> {
        self.checker.started(topics)?;
        self.in_flight.clear();
        self.producers.iter_mut().for_each(Producer::restarted);
        self.phase = Phase::Reading;
        self.unread = self.partitions();
        self.target = self.issued + operations;
        self.surge = if self.rng.coin() { self.rng.below(operations.min(30) + 1) } else { 0 };
        self.in_vain = 0;
        self.faulty = faulty;
        self.stopping = false;
        Ok(())
    }

    /// What is written but not flushed may be lost.
    pub fn lost_unflushed(&mut self) {
        self.checker.lost_unflushed();
    }

    /// Nothing more is asked, and what is under way may be answered with errors.
    pub fn stop(&mut self) {
        self.phase = Phase::Ending;
        self.stopping = true;
    }

    /// Operations so far.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Requests that the machine's faults kept from being answered well.
    #[must_use]
    pub fn excused(&self) -> u64 {
        self.excused
    }

    /// Whether this life has made its operations.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.phase == Phase::Ending
    }

    /// Whether everything is answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Since when the request has waited that has waited the longest, and which it is.
    #[must_use]
    pub fn waits(&self) -> Option<(Nanos, String)> {
        let oldest = self.in_flight.values().min_by_key(|asked| asked.at)?;
        Some((oldest.at, format!("{:?} of shard {}", oldest.what, oldest.shard)))
    }

    /// What the engine is guilty of, if anything.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn partitions(&self) -> Vec<PartitionId> {
        let topics = self.checker.alive();
        topics.flat_map(|(id, _, count)| (0..count).map(move |index| PartitionId::new(id, index))).collect()
    }
}

/// One shard's client.
pub struct Client {
    bench: Arc<Mutex<Bench>>,
    shard: u16,
    next_burst: Nanos,
}

impl Client {
    /// A client of this shard.
    #[must_use]
    pub fn new(bench: Arc<Mutex<Bench>>, shard: u16) -> Self {
        Self { bench, shard, next_burst: Nanos::new(0) }
    }

    fn bench(&self) -> MutexGuard<'_, Bench> {
        // A panic ends the run anyhow.
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<SimIo> for Client {
    fn start(&mut self, _: &mut Shard<SimIo>) {}

    fn on_completion(&mut self, _: &mut Shard<SimIo>, completion: Completion) {
        unreachable!("the clients submit no operations, but {:?} has ended", completion.token);
    }

    fn on_reply(&mut self, shard: &mut Shard<SimIo>, tag: u64, reply: Reply) {
        let mut bench = self.bench();
        if let Err(guilty) = bench.answered(shard, tag, reply)
            && bench.failure.is_none()
        {
            bench.failure = Some(guilty);
        }
    }

    fn on_turn(&mut self, shard: &mut Shard<SimIo>) {
        let now = shard.io().now();
        let mut bench = self.bench();
        if bench.phase == Phase::Reading {
            bench.read_logs(shard, self.shard);
        } else if bench.phase == Phase::Working && self.next_burst <= now {
            bench.burst(shard, self.shard);
        }
        let pause = bench.workload.pause_ns_max;
        let pause = bench.rng.below(pause) + 1;
        drop(bench);
        if self.next_burst <= now {
            self.next_burst = now.plus(pause);
        }
    }

    fn next_deadline(&self) -> Option<Nanos> {
        (!self.bench().has_ended()).then_some(self.next_burst)
    }

    fn has_mail(&self) -> bool {
        false
    }

    fn on_stop(&mut self, _: &mut Shard<SimIo>) -> bool {
        !self.bench().in_flight.values().any(|asked| asked.shard == self.shard)
    }
}
