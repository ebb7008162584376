use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::batch::{BatchBuilder, BatchHeader};
use crate::error::Error;
use crate::io::{Completion, Pool, Returned, Token};
use crate::log::Admission;
use crate::log::{FlushMode, LogSettings, Retention};
use crate::sim::{Faults, SimFs, SimWorld};
use crate::types::{LeaderEpoch, PartitionId, TopicId};

/// A log whose jobs are run when the test says so, and whose writes never are.
struct Rig {
    world: SimWorld,
    fs: SimFs,
    log: Log,
    pool: Pool,
    clock: u64,
    wanted: Wanted<SimFs>,
}

impl Rig {
    fn new() -> Self {
        let world = SimWorld::new(1, Faults::none());
        let fs = world.fs();
        fs.create_folder(Path::new("/data")).expect("no faults");
        let settings = LogSettings {
            data_dir: Arc::from(Path::new("/data")),
            segment_bytes: 1 << 30,
            segment_ms: i64::MAX,
            retention: Retention::ALL,
            unflushed_max: 1 << 30,
            flush: FlushMode::BeforeAcknowledging,
            flush_ms: None,
            epoch: LeaderEpoch::new(1),
        };
        let log = Log::empty(PartitionId::new(TopicId::from_random(1, 2), 0), settings);
        Self { world, fs, log, pool: Pool::new(16), clock: 0, wanted: Vec::new() }
    }

    fn admit(&mut self, size: usize) -> Result<Admission, Error> {
        self.log.admit(size, 0, &mut self.wanted)
    }

    /// Appends a batch of about `size` bytes; it must be admitted at once.
    fn append(&mut self, size: usize) {
        let mut builder = BatchBuilder::new(1 << 24);
        builder.push(0, None, Some(&vec![7; size])).expect("far below the limit");
        let batch = builder.finish().expect("it has a record");
        assert_eq!(self.admit(batch.len()), Ok(Admission::Now));
        let header = BatchHeader::parse(batch).expect("it was just built");
        self.log.append(batch, &header, &self.pool, &mut self.clock);
    }

    /// Runs the jobs that are wanted, until no more are; says how many there were. Writes and flushes go nowhere.
    fn run(&mut self) -> usize {
        let mut jobs = 0;
        loop {
            self.log.pump(&mut self.wanted);
            let wanted = std::mem::take(&mut self.wanted);
            let before = jobs;
            for (op, what) in wanted {
                if let Op::Job(job) = what {
                    jobs += 1;
                    let result = job(&self.fs);
                    let completion = Completion { token: Token(0), result, returned: Returned::Nothing };
                    self.log.complete(op, completion, &mut self.wanted);
                }
            }
            if jobs == before {
                return jobs;
            }
            assert!(jobs < 100, "it asks without end");
        }
    }

    fn fill_disk(&self) {
        self.world.set_faults(Faults { space_bytes_max: 0, ..Faults::none() });
    }
}

#[test]
fn an_empty_segment_begun_with_a_smaller_w_takes_a_larger_batch_and_says_so() {
    for prepared in [false, true] {
        let mut rig = Rig::new();
        let settings = |unflushed_max| LogSettings {
            data_dir: Arc::from(Path::new("/data")),
            segment_bytes: 1 << 30,
            unflushed_max,
            flush: FlushMode::BeforeAcknowledging,
            epoch: LeaderEpoch::new(1),
        };
        rig.log.reconfigure(settings(STEP as u64));
        if !prepared {
            rig.fill_disk();
        }
        assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
        rig.run();
        rig.world.set_faults(Faults::none());
        if !prepared {
            assert_eq!(rig.admit(ROOM), Err(Error::DiskFull), "there is no file yet");
        }
        rig.log.reconfigure(settings(4 * STEP as u64));
        assert_eq!(rig.admit(3 * STEP), Ok(Admission::Later));
        rig.run();
        assert_eq!(rig.admit(3 * STEP), Ok(if prepared { Admission::Later } else { Admission::Now }));
        rig.run();
        rig.append(3 * STEP - ROOM);
        let header = &rig.log.segments.first().expect("one was begun").header;
        let path = segment::path(Path::new("/data"), header);
        let bytes = crate::io::read_file(&rig.fs, &path).expect("it is there");
        let stored = segment::SegmentHeader::decode(&bytes).expect("a header");
        assert_eq!((stored.unflushed_max, &stored), (4 * STEP as u64, header), "prepared: {prepared}");
    }
}

/// A batch is a little larger than its value.
const ROOM: usize = 1000;
const STEP: usize = limits::ALLOCATION_STEP_MIN as usize;

#[test]
fn space_comes_ahead_of_need() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later), "there is no file yet");
    assert_eq!(rig.run(), 1);
    rig.append(STEP - ROOM);
    assert_eq!(rig.run(), 1, "little is left");
    rig.append(STEP - ROOM);
}

#[test]
fn a_disk_that_is_full_ahead_is_asked_once_and_refuses_nothing_that_fits() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.fill_disk();
    for _ in 0..5 {
        rig.append(STEP / 8);
        assert!(rig.run() <= 1, "it is asked again with the next append, not before");
        assert_eq!(rig.run(), 0);
    }
    assert_eq!(rig.admit(STEP), Ok(Admission::Later), "this does not fit");
    rig.run();
    assert_eq!(rig.admit(STEP), Err(Error::DiskFull));
    rig.append(STEP / 8);
}

#[test]
fn the_last_bit_of_space_is_used() {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.fill_disk();
    rig.append(STEP - ROOM);
    rig.run();
    let space_bytes_max = limits::ALLOCATION_STEP_MIN + 10 * BLOCK_SIZE as u64;
    rig.world.set_faults(Faults { space_bytes_max, ..Faults::none() });
    assert_eq!(rig.admit(ROOM * 2), Ok(Admission::Later));
    rig.run();
    rig.append(ROOM);
}

#[test]
fn a_refused_segment_asks_for_little() {
    let mut rig = Rig::new();
    rig.fill_disk();
    for _ in 0..10 {
        assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
        rig.run();
        assert_eq!(rig.admit(ROOM), Err(Error::DiskFull));
    }
    let space_bytes_max = limits::ALLOCATION_STEP_MIN + 2 * BLOCK_SIZE as u64;
    rig.world.set_faults(Faults { space_bytes_max, ..Faults::none() });
    assert_eq!(rig.admit(ROOM), Ok(Admission::Later));
    rig.run();
    rig.append(ROOM / 2);
}
