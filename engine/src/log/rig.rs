//! A log under test, without a shard.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::batch::{BatchBuilder, BatchHeader};
use crate::error::Error;
use crate::io::{Completion, Fs, Op, Pool, Returned, Token};
use crate::log::{Admission, FlushMode, Log, LogOp, LogSettings, Retention, Wanted};
use crate::sim::{Faults, SimFs, SimWorld};
use crate::types::{LeaderEpoch, PartitionId, TopicId};

/// A log whose operations end when the test says so.
pub struct Rig {
    pub world: SimWorld,
    pub fs: SimFs,
    pub log: Log,
    pool: Pool,
    clock: u64,
    wanted: Wanted<SimFs>,
    journal_max: Option<u64>,
    /// What the next removal of a segment ends with, in place of being done.
    pub removal_error: Option<io::Error>,
    /// Writes and flushes that are under way.
    pub under_way: Wanted<SimFs>,
}

impl Rig {
    pub fn new() -> Self {
        Self::with_mode(FlushMode::BeforeAcknowledging)
    }

    /// A log with a journal that takes so many bytes of it at a time.
    pub fn with_journal(max: u64) -> Self {
        let mut rig = Self::new();
        rig.log.settings.journaled = true;
        rig.journal_max = Some(max);
        rig
    }

    pub fn with_mode(flush: FlushMode) -> Self {
        let world = SimWorld::new(1, Faults::none());
        world.fs().create_folder(Path::new("/data")).expect("no faults");
        Self::on(world, 0, flush)
    }

    /// Another log on the same disk.
    pub fn beside(&self) -> Self {
        Self::on(self.world.clone(), self.log.id.index.value() + 1, FlushMode::BeforeAcknowledging)
    }

    fn on(world: SimWorld, index: i32, flush: FlushMode) -> Self {
        let fs = world.fs();
        let settings = LogSettings {
            data_dir: Arc::from(Path::new("/data")),
            segment_bytes: 1 << 30,
            segment_ms: i64::MAX,
            retention: Retention::ALL,
            unflushed_max: 1 << 30,
            flush,
            flush_ms: None,
            durable_writes: false,
            journaled: false,
            epoch: LeaderEpoch::new(1),
        };
        let log = Log::empty(PartitionId::new(TopicId::from_random(1, 2), index), settings);
        Self {
            world,
            fs,
            log,
            pool: Pool::new(16),
            clock: 0,
            wanted: Vec::new(),
            journal_max: None,
            removal_error: None,
            under_way: Vec::new(),
        }
    }

    pub fn retain(&mut self, now_ms: i64) -> bool {
        self.log.retain(now_ms, &mut self.wanted)
    }

    /// The checkpoint that moves the log's start is on the disk.
    pub fn store_start(&mut self) {
        let start = self.log.start_storing().expect("it is wanted");
        self.log.start_stored(start);
    }

    /// Has segments removed that lie before the log's start.
    pub fn retire(&mut self) {
        self.log.retire(|_| false, &mut self.wanted);
    }

    pub fn admit(&mut self, size: usize) -> Result<Admission, Error> {
        self.log.admit(size, 0, &mut self.wanted)
    }

    /// Appends a batch of about `size` bytes; it must be admitted at once.
    pub fn append(&mut self, size: usize) {
        self.append_claiming(size, 1);
    }

    /// The same with a header that says it has so many records, as that of a compressed one may.
    pub fn append_claiming(&mut self, size: usize, records: i32) {
        let mut builder = BatchBuilder::new(1 << 24);
        builder.push(0, None, Some(&vec![7; size])).expect("far below the limit");
        let batch = builder.finish().expect("it has a record");
        assert_eq!(self.admit(batch.len()), Ok(Admission::Now));
        let mut header = BatchHeader::parse(batch).expect("it was just built");
        (header.records_count, header.last_offset_delta) = (records, records - 1);
        self.log.append(batch, &header, &self.pool, &mut self.clock);
    }

    /// Runs the jobs that are wanted, until no more are; says how many there were. Writes and flushes get under way.
    pub fn run(&mut self) -> usize {
        let mut jobs = 0;
        loop {
            self.log.pump(self.journal_max, &mut self.wanted);
            if self.log.flush_due() {
                self.log.flush(&mut self.wanted);
            }
            let wanted = std::mem::take(&mut self.wanted);
            let before = jobs;
            for (op, what) in wanted {
                match what {
                    Op::Job(job) => {
                        jobs += 1;
                        let error = self.removal_error.take_if(|_| op == LogOp::Remove);
                        self.end(op, error.map_or_else(|| job(&self.fs), Err));
                    }
                    what => self.under_way.push((op, what)),
                }
            }
            if jobs == before {
                return jobs;
            }
            assert!(jobs < 100, "it asks without end");
        }
    }

    fn end(&mut self, op: LogOp, result: io::Result<u64>) {
        let completion = Completion { token: Token(0), result, returned: Returned::Nothing };
        self.log.complete(op, completion, &mut self.wanted);
    }

    /// Ends whatever is under way, and what that brings.
    pub fn settle(&mut self) {
        while !self.under_way.is_empty() {
            self.end_first();
        }
    }

    /// Ends the write or flush that has been under way the longest.
    pub fn end_first(&mut self) {
        self.end_at(0);
    }

    /// Fails it.
    pub fn fail_first(&mut self, error: io::Error) {
        let (op, _) = self.under_way.remove(0);
        self.end(op, Err(error));
        self.run();
    }

    /// Has the next append begin a segment.
    pub fn roll(&mut self) {
        self.log.settings.segment_bytes = 1;
        assert_eq!(self.admit(1000), Ok(Admission::Later), "a new segment needs a file");
        self.log.settings.segment_bytes = 1 << 30;
        self.run();
        self.append(100);
        self.run();
    }

    /// Ends one of those under way.
    pub fn end_at(&mut self, at: usize) {
        let (op, what) = self.under_way.remove(at);
        let count = match &what {
            Op::Write { data, .. } | Op::WriteDurably { data, .. } => data.len() as u64,
            _ => 0,
        };
        self.end(op, Ok(count));
        self.run();
    }

    /// What is under way: the bytes of each write, and `None` for a flush.
    pub fn operations(&self) -> Vec<Option<usize>> {
        let bytes = |what: &Op<SimFs>| match what {
            Op::Write { data, .. } | Op::WriteDurably { data, .. } => Some(data.len()),
            Op::Flush { .. } => None,
            _ => unreachable!("jobs are run at once"),
        };
        self.under_way.iter().map(|(_, what)| bytes(what)).collect()
    }

    pub fn fill_disk(&self) {
        self.world.set_faults(Faults { space_bytes_max: 0, ..Faults::none() });
    }
}
