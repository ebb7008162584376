//! Files through the ring.

use std::path::Path;

use super::super::RingIo;
use super::super::backlog::{Backlog, Limits};
use super::super::is_passing;
use super::super::queues::Sleep;
use super::super::slots::Key;
use super::support::{Folder, chunk_of, collect, pattern, ring, run, small_ring};
use crate::io::{BLOCK_SIZE, CHUNK_SIZE, File, Fs, HostFs, Io, Op, Pool, Socket, Token, Wait};

/// Writes, flushes and reads, with pooled memory and without.
pub(super) fn round_trip(io: &mut RingIo, folder: &Folder) {
    let file = folder.file("log");
    let pooled = pattern(io.pool().take().unwrap(), 1, CHUNK_SIZE);
    let heap = pattern(Pool::heap(2 * BLOCK_SIZE), 2, 2 * BLOCK_SIZE);
    let end = (CHUNK_SIZE + heap.len()) as u64;

    io.submit(Token(1), Op::Write { file, offset: 0, data: pooled.filled() });
    io.submit(Token(2), Op::Write { file, offset: CHUNK_SIZE as u64, data: heap.filled() });
    let written = collect(io, 2);
    assert_eq!(*written[&1].result.as_ref().unwrap(), CHUNK_SIZE as u64);
    assert_eq!(*written[&2].result.as_ref().unwrap(), heap.len() as u64);
    assert_eq!(run(io, Op::Flush { file }).result.unwrap(), 0);
    assert_eq!(folder.contents("log"), [&pooled[..], &heap[..]].concat());
    assert_eq!(HostFs.size(file).unwrap(), end);

    let into = io.pool().take().unwrap();
    let read = chunk_of(run(io, Op::Read { file, offset: 0, into, len: CHUNK_SIZE }));
    assert!(read[..] == pooled[..]);
    let into = Pool::heap(CHUNK_SIZE);
    let read = chunk_of(run(io, Op::Read { file, offset: CHUNK_SIZE as u64, into, len: CHUNK_SIZE }));
    assert!(read[..] == heap[..], "a read past the end is short");
    let past = Op::Read { file, offset: end, into: Pool::heap(BLOCK_SIZE), len: BLOCK_SIZE };
    assert_eq!(run(io, past).result.unwrap(), 0);
    assert_eq!(run(io, Op::Close { file }).result.unwrap(), 0);
}

#[test]
fn what_was_written_is_read_back() {
    round_trip(&mut ring(), &Folder::new());
}

#[test]
fn also_on_a_memory_file_system() {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        round_trip(&mut ring(), &Folder::within(memory));
    }
}

#[test]
fn a_chunk_goes_on_being_filled_while_its_front_is_written() {
    let mut io = ring();
    let folder = Folder::new();
    let file = folder.file("log");
    let mut chunk = pattern(io.pool().take().unwrap(), 3, BLOCK_SIZE);
    io.submit(Token(1), Op::Write { file, offset: 0, data: chunk.filled() });
    chunk = pattern(chunk, 4, 2 * BLOCK_SIZE);
    collect(&mut io, 1);
    let data = chunk.slice(BLOCK_SIZE..2 * BLOCK_SIZE);
    run(&mut io, Op::Write { file, offset: BLOCK_SIZE as u64, data });
    assert!(folder.contents("log") == chunk[..]);
    HostFs.close(file);
}

#[test]
fn more_operations_than_the_queues_hold_all_complete() {
    let mut io = small_ring();
    let folder = Folder::new();
    let file = folder.file("log");
    let blocks = 500_u64;
    for block in 0..blocks {
        let data = pattern(Pool::heap(BLOCK_SIZE), block, BLOCK_SIZE).filled();
        io.submit(Token(block), Op::Write { file, offset: block * BLOCK_SIZE as u64, data });
    }
    let written = collect(&mut io, 500);
    assert!(written.values().all(|completion| *completion.result.as_ref().unwrap() == BLOCK_SIZE as u64));
    for block in 0..blocks {
        let into = Pool::heap(BLOCK_SIZE);
        io.submit(Token(block), Op::Read { file, offset: block * BLOCK_SIZE as u64, into, len: BLOCK_SIZE });
    }
    for (block, completion) in collect(&mut io, 500) {
        let expected = pattern(Pool::heap(BLOCK_SIZE), block, BLOCK_SIZE);
        assert!(chunk_of(completion)[..] == expected[..], "block {block}");
    }
    HostFs.close(file);
}

#[test]
fn completions_that_overflow_their_queue_still_come() {
    let mut io = small_ring();
    // Far more than the queue's 16 entries, against the rule that normally keeps it from overflowing.
    io.backlog = Backlog::new(Limits { in_flight: 300, for_peers: 100 });
    let folder = Folder::new();
    let file = folder.file("log");
    for n in 0..250 {
        io.submit(Token(n), Op::Read { file, offset: 0, into: Pool::heap(BLOCK_SIZE), len: BLOCK_SIZE });
    }
    // Also to turns that never sleep.
    let (mut read, moment) = (Vec::new(), io.now().plus_millis(20_000));
    while read.len() < 250 {
        io.turn(Wait::No, &mut read).unwrap();
        assert!(io.now() < moment, "only {} of 250 came", read.len());
    }
    assert!(read.iter().all(|completion| *completion.result.as_ref().unwrap() == 0));
    for n in 0..250 {
        io.submit(Token(n), Op::Flush { file });
    }
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    drop(io);
    HostFs.close(file);
}

#[test]
fn what_ended_for_a_passing_reason_is_tried_again() {
    let mut io = ring();
    let folder = Folder::new();
    let file = folder.file("log");
    let chunk = pattern(Pool::heap(BLOCK_SIZE), 5, BLOCK_SIZE);
    for errno in [libc::EAGAIN, libc::EINTR] {
        io.submit(Token(1), Op::Write { file, offset: 0, data: chunk.filled() });
        io.hand_over().unwrap();
        io.queues.enter(Sleep::Forever).unwrap();
        let key = Key::unpack(io.queues.next_completion().unwrap().user_data());
        HostFs.truncate(file, 0).unwrap();
        let mut completions = Vec::new();
        io.settle(key, -errno, &mut completions);
        assert!(completions.is_empty());
        assert_eq!(*collect(&mut io, 1)[&1].result.as_ref().unwrap(), BLOCK_SIZE as u64);
        assert!(folder.contents("log") == chunk[..]);
    }
    HostFs.close(file);
}

#[test]
fn passing_reasons_are_few() {
    let flush = Op::Flush { file: File(3) };
    let close = Op::Close { file: File(3) };
    let accept = Op::Accept { listener: Socket(3) };
    assert!(is_passing(&flush, -libc::EINTR) && is_passing(&flush, -libc::EAGAIN));
    assert!(!is_passing(&flush, -libc::EIO) && !is_passing(&flush, 0));
    assert!(!is_passing(&close, -libc::EINTR), "the descriptor is gone and may be another's");
    assert!(is_passing(&accept, -libc::ECONNABORTED) && !is_passing(&accept, -libc::EMFILE));
}

#[test]
fn errors_carry_the_systems_number_and_the_chunk() {
    let mut io = ring();
    let nothing = File(i32::MAX);
    let data = pattern(Pool::heap(BLOCK_SIZE), 1, BLOCK_SIZE).filled();
    let write = run(&mut io, Op::Write { file: nothing, offset: 0, data });
    assert_eq!(write.result.unwrap_err().raw_os_error(), Some(libc::EBADF));
    let into = io.pool().take().unwrap();
    let free = io.pool().free();
    let read = run(&mut io, Op::Read { file: nothing, offset: 0, into, len: BLOCK_SIZE });
    assert_eq!(read.result.as_ref().unwrap_err().raw_os_error(), Some(libc::EBADF));
    drop(read);
    assert_eq!(io.pool().free(), free + 1);
}

#[test]
#[should_panic(expected = "must be multiples of 4096")]
fn an_unaligned_write_is_refused_on_every_file_system() {
    let mut io = ring();
    let data = pattern(Pool::heap(BLOCK_SIZE), 1, 100).filled();
    run(&mut io, Op::Write { file: File(0), offset: 0, data });
}
