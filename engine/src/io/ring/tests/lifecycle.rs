//! How rings begin, refuse to begin, and end.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use super::super::queues::Sleep;
use super::super::{Locked, RingError, RingIo, RingOptions};
use super::files::round_trip;
use super::support::{Folder, collect, options, pattern, ring, small_ring};
use crate::io::{BLOCK_SIZE, CHUNK_SIZE, Fs, HostFs, Io, Op, Pool, Token, Wait, socket};
use crate::types::ShardId;

#[test]
fn a_ring_has_the_memory_it_was_given() {
    let io = ring();
    assert_eq!(io.pool().chunks() * CHUNK_SIZE, options().buffer_bytes);
    assert!(io.queues.is_registered());
    let least = RingIo::new(&RingOptions { shard: ShardId::new(0), buffer_bytes: 0 }).unwrap();
    assert_eq!(least.pool().chunks(), 1);
}

#[test]
fn more_than_a_gigabyte_is_registered_in_pieces() {
    let buffer_bytes = (1 << 30) + CHUNK_SIZE;
    let Ok(mut io) = RingIo::new(&RingOptions { shard: ShardId::new(0), buffer_bytes }) else {
        return; // a machine without that much memory to lock
    };
    let folder = Folder::new();
    let file = folder.file("log");
    let mut chunks: Vec<_> = std::iter::from_fn(|| io.pool().take()).collect();
    let last = pattern(chunks.pop().unwrap(), 1, CHUNK_SIZE);
    let first = pattern(chunks.swap_remove(0), 2, CHUNK_SIZE);
    io.submit(Token(1), Op::Write { file, offset: 0, data: first.filled() });
    io.submit(Token(2), Op::Write { file, offset: CHUNK_SIZE as u64, data: last.filled() });
    for completion in collect(&mut io, 2).values() {
        assert_eq!(*completion.result.as_ref().unwrap(), CHUNK_SIZE as u64);
    }
    assert!(folder.contents("log") == [&first[..], &last[..]].concat());
    HostFs.close(file);
}

#[test]
fn rings_come_and_go_on_one_thread() {
    // More at a time, and more one after the other, than a thread may register.
    let many: Vec<_> = (0..20).map(|_| small_ring()).collect();
    for mut io in many {
        io.submit(Token(1), Op::Job(Box::new(|_| Ok(1))));
        collect(&mut io, 1);
    }
    for _ in 0..40 {
        small_ring().turn(Wait::No, &mut Vec::new()).unwrap();
    }
}

#[test]
fn dropping_a_ring_gives_back_everything_in_flight() {
    let mut io = small_ring();
    let folder = Folder::new();
    let file = folder.file("log");
    let (listener, address) = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut peers = Vec::new();
    for n in 0..6 {
        peers.push(TcpStream::connect(address).unwrap());
        io.submit(Token(n), Op::Accept { listener });
    }
    let accepted = collect(&mut io, 6);
    for (n, completion) in &accepted {
        let socket = crate::io::Socket(i32::try_from(*completion.result.as_ref().unwrap()).unwrap());
        let into = io.pool().take().unwrap_or_else(|| Pool::heap(100));
        io.submit(Token(100 + n), Op::Receive { socket, into });
    }
    for block in 0..40 {
        let data = pattern(Pool::heap(BLOCK_SIZE), block, BLOCK_SIZE).filled();
        io.submit(Token(block), Op::Write { file, offset: block * BLOCK_SIZE as u64, data });
        io.submit(Token(50), Op::Flush { file });
    }
    io.submit(Token(200), Op::Accept { listener });
    let (begun, has_begun) = mpsc::channel();
    io.submit(
        Token(300),
        Op::Job(Box::new(move |_| {
            begun.send(()).unwrap();
            Ok(0)
        })),
    );
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    has_begun.recv().unwrap();
    let pool = io.pool().clone();
    assert!(pool.free() < pool.chunks());
    drop(io);
    assert_eq!(pool.free(), pool.chunks());
    for completion in accepted.values() {
        socket::close(crate::io::Socket(i32::try_from(*completion.result.as_ref().unwrap()).unwrap()));
    }
    socket::close(listener);
    HostFs.close(file);
}

#[test]
fn dropping_a_ring_closes_what_nobody_claimed() {
    let mut io = ring();
    let (listener, address) = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    // Accepted, but the completion is never collected.
    let mut unclaimed = TcpStream::connect(address).unwrap();
    io.submit(Token(1), Op::Accept { listener });
    io.hand_over().unwrap();
    io.queues.enter(Sleep::Forever).unwrap();
    assert!(io.queues.has_completions());
    drop(io);
    let mut io = ring();
    let mut to_close = TcpStream::connect(address).unwrap();
    io.submit(Token(2), Op::Accept { listener });
    let completions = collect(&mut io, 1);
    // Submitted to be closed, but never handed over.
    let socket = crate::io::Socket(i32::try_from(*completions[&2].result.as_ref().unwrap()).unwrap());
    io.submit(Token(3), Op::CloseSocket { socket });
    drop(io);
    socket::close(listener);
    for peer in [&mut to_close, &mut unclaimed] {
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        match peer.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("the other end is still open: {other:?}"),
        }
    }
}

/// Set where a test has a process to itself, so that running all ignored tests does no harm.
const ALONE: &str = "TORA_TEST_ALONE";

/// Runs one of this file's ignored tests in a process of its own and returns what it printed.
fn in_a_process(test: &str) -> String {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this)
        .args(["--exact", "--ignored", "--nocapture", &format!("io::ring::tests::lifecycle::{test}")])
        .env(ALONE, "yes")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[test]
fn too_little_lockable_memory_does_without_buffers_but_not_without_queues() {
    let printed = in_a_process("with_little_lockable_memory");
    for part in ["320 KiB of queues", "RLIMIT_MEMLOCK is 64 KiB", "ulimit -l", "LimitMEMLOCK="] {
        assert!(printed.contains(part), "{part} is missing in: {printed}");
    }
}

#[test]
#[ignore = "changes the process's rights; run by the test above"]
fn with_little_lockable_memory() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    // Root may lock any amount: become nobody.
    // SAFETY: takes no memory.
    if unsafe { libc::geteuid() } == 0 {
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setuid(65_534) }, 0);
    }
    let limit = |bytes| {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: reads one struct.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) }, 0);
    };
    // Fits the queues, but not the 2 MiB of buffers, which work all the same.
    limit(1 << 20);
    let mut io = RingIo::new(&options()).expect("it goes without registered buffers");
    round_trip(&mut io, &Folder::new());
    drop(io);
    // Newer kernels refuse the queues for this.
    limit(64 << 10);
    let error = RingIo::new(&options()).err().expect("there is no ring without queues");
    assert!(matches!(error, RingError::Memory { what: Locked::Queues, .. }), "{error:?}");
    println!("{error}");
}

#[test]
fn a_container_that_forbids_io_uring_is_named() {
    let printed = in_a_process("with_io_uring_forbidden");
    assert!(printed.contains("seccomp"), "{printed}");
}

#[test]
#[ignore = "takes io_uring away from the process; run by the test above"]
fn with_io_uring_forbidden() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    forbid_io_uring();
    let error = RingIo::new(&options()).err().expect("io_uring_setup is forbidden");
    assert!(matches!(error, RingError::Unavailable { .. }), "{error:?}");
    println!("{error}");
}

/// Answers io_uring_setup with EPERM from now on, on this thread, as Docker's default profile does.
fn forbid_io_uring() {
    let step = |code: u32, k, jt, jf| libc::sock_filter { code: u16::try_from(code).unwrap(), jt, jf, k };
    let setup = u32::try_from(libc::SYS_io_uring_setup).unwrap();
    let number_at = 0; // of `struct seccomp_data`
    let filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, number_at, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, setup, 0, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned(), 0, 0),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_ptr().cast_mut() };
    // SAFETY: takes no memory.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: reads the program, which lives until the call returns.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(set, 0);
}
