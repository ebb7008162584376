use std::io;

use super::*;
use crate::io::{BLOCK_SIZE, Completion, File, HostFs, Pool, Wait, Wake};

/// Takes notes of what it is given, at a time that the test tells.
struct Notes {
    now: Nanos,
    submitted: Vec<(u64, usize)>,
    pool: Pool,
}

impl Notes {
    fn new() -> Self {
        Self { now: Nanos::new(1), submitted: Vec::new(), pool: Pool::new(1) }
    }
}

impl Io for Notes {
    type Fs = HostFs;

    fn submit(&mut self, token: Token, op: Op<HostFs>) {
        let Op::Read { len, .. } = op else { panic!("only reads go through the gate") };
        self.submitted.push((token.0, len));
    }

    fn turn(&mut self, _: Wait, _: &mut Vec<Completion>) -> io::Result<()> {
        unreachable!("a gate takes no turns")
    }

    fn now(&self) -> Nanos {
        self.now
    }

    fn unix_millis(&self) -> i64 {
        0
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn waker(&self) -> Arc<dyn Wake> {
        unreachable!("a gate wakes nobody")
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn fs(&self) -> &HostFs {
        &HostFs
    }
}

const LARGE: usize = 2 * limits::READ_BESIDE_WRITES_BYTES;

fn gate(disk: &DiskUse, reads: u64) -> Gate<HostFs> {
    let mut gate = Gate::new(disk.clone());
    for token in 0..reads {
        let into = Pool::heap(BLOCK_SIZE);
        gate.push(Token(token), Op::Read { file: File(0), offset: 0, into, len: LARGE });
    }
    gate
}

#[test]
fn without_writes_many_reads_are_in_flight() {
    let (mut io, mut gate) = (Notes::new(), gate(&DiskUse::default(), limits::READS_MAX as u64 + 3));
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), limits::READS_MAX);
    assert!(io.submitted.iter().all(|read| read.1 == LARGE));
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), limits::READS_MAX);
    gate.ended(io.now);
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), limits::READS_MAX + 1);
    assert_eq!(gate.retry_at(), None, "the end of one in flight tells when to go on");
}

#[test]
fn beside_writes_one_small_read_at_a_time_and_a_pause_as_long() {
    let disk = DiskUse::default();
    let (mut io, mut gate) = (Notes::new(), gate(&disk, 2));
    gate.note_write(io.now);
    gate.open(&mut io);
    gate.open(&mut io);
    assert_eq!(io.submitted, [(0, limits::READ_BESIDE_WRITES_BYTES)]);
    io.now = io.now.plus(200_000);
    gate.ended(io.now);
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), 1);
    let retry = gate.retry_at().expect("nothing else would wake it");
    assert_eq!(retry, io.now.plus(200_000));
    io.now = retry;
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), 2);
}

#[test]
fn the_shards_of_an_engine_take_turns() {
    let disk = DiskUse::default();
    let (mut io, mut one, mut other) = (Notes::new(), gate(&disk, 5), gate(&disk, 5));
    one.note_write(io.now);
    one.open(&mut io);
    other.open(&mut io);
    assert_eq!(io.submitted.len(), 1);
    assert!(other.retry_at().is_some());
    io.now = io.now.plus(100_000);
    one.ended(io.now);
    io.now = io.now.plus(100_000);
    other.open(&mut io);
    assert_eq!(io.submitted.len(), 2);
    one.open(&mut io);
    assert_eq!(io.submitted.len(), 2);
}

#[test]
fn a_shard_whose_read_never_ends_does_not_keep_the_turn() {
    let disk = DiskUse::default();
    let (mut io, mut one, mut other) = (Notes::new(), gate(&disk, 1), gate(&disk, 1));
    one.note_write(io.now);
    one.open(&mut io);
    io.now = io.now.plus(limits::READ_TURN_NANOS_MAX);
    other.open(&mut io);
    assert_eq!(io.submitted.len(), 2);
}

#[test]
fn some_time_after_the_last_write_everything_goes() {
    let (mut io, mut gate) = (Notes::new(), gate(&DiskUse::default(), 3));
    gate.note_write(io.now);
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), 1);
    io.now = io.now.plus_millis(limits::READS_YIELD_MS);
    gate.open(&mut io);
    assert_eq!(io.submitted.len(), 3);
}
