//! Random operations of every kind: each completes exactly once, and no byte goes astray.

use std::collections::BTreeMap;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

use super::super::RingIo;
use super::support::{Folder, options, pattern, slices_of};
use crate::io::{
    BLOCK_SIZE, ChunkMut, Completion, File, Fs, HostFs, Io, Op, Pool, Returned, Slice, Socket, Token, Wait,
    socket,
};

const OPERATIONS: u64 = 6_000;
const BLOCKS: u64 = 64;

/// What an operation in flight was, for checking its completion.
enum Pending {
    Write { file: usize, block: u64, seed: u64 },
    Read { seed: u64 },
    Flush,
    Job(u64),
    Send { pair: usize },
    Receive { pair: usize },
    Shutdown,
}

struct Pair {
    from: Socket,
    to: Socket,
    sent: u64,
    received: u64,
    sending: bool,
    receiving: bool,
    ended: bool,
}

struct Storm {
    io: RingIo,
    dice: u64,
    files: Vec<File>,
    /// Per file and block: the seed of its contents, or `None` while an operation on it is in flight.
    blocks: Vec<Vec<Option<u64>>>,
    pairs: Vec<Pair>,
    pending: BTreeMap<u64, Pending>,
    next_token: u64,
}

/// The byte at a place of every stream.
fn stream_byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

impl Storm {
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }

    fn start(&mut self, pending: Pending, op: Op<HostFs>) {
        self.next_token += 1;
        self.pending.insert(self.next_token, pending);
        self.io.submit(Token(self.next_token), op);
    }

    fn chunk(&mut self) -> ChunkMut {
        let pooled = if self.roll(2) == 0 { self.io.pool().take() } else { None };
        pooled.unwrap_or_else(|| Pool::heap(BLOCK_SIZE))
    }

    fn step(&mut self) {
        let (file, block) = (self.roll(2) as usize, self.roll(BLOCKS));
        let at = usize::try_from(block).unwrap();
        let pair = self.roll(self.pairs.len() as u64) as usize;
        let (handle, offset) = (self.files[file], block * BLOCK_SIZE as u64);
        match self.roll(8) {
            0 | 1 => {
                if self.blocks[file][at].take().is_some() {
                    let seed = self.roll(u64::MAX);
                    let data = pattern(self.chunk(), seed, BLOCK_SIZE).filled();
                    self.start(
                        Pending::Write { file, block, seed },
                        Op::Write { file: handle, offset, data },
                    );
                }
            }
            2 => {
                if let Some(seed) = self.blocks[file][at] {
                    // Other reads may overlap; a write must not, so the block stays marked until nothing is in flight.
                    let into = self.chunk();
                    let op = Op::Read { file: handle, offset, into, len: BLOCK_SIZE };
                    if !self.pending.values().any(|p| matches!(p, Pending::Read { .. })) {
                        self.blocks[file][at] = None;
                        self.start(Pending::Read { seed }, op);
                        self.settle_reads();
                        self.blocks[file][at] = Some(seed);
                    }
                }
            }
            3 => self.start(Pending::Flush, Op::Flush { file: handle }),
            4 => {
                let value = self.roll(1 << 40);
                self.start(Pending::Job(value), Op::Job(Box::new(move |_| Ok(value))));
            }
            5 | 6 => self.send(pair),
            _ => self.receive(pair),
        }
    }

    fn settle_reads(&mut self) {
        while self.pending.values().any(|pending| matches!(pending, Pending::Read { .. })) {
            self.turn(Wait::Forever);
        }
    }

    fn send(&mut self, pair: usize) {
        let slices: Vec<_> = (0..=self.roll(4)).map(|_| self.roll(5_000)).collect();
        let Pair { from, sent, sending, ended, .. } = &mut self.pairs[pair];
        if *sending || *ended {
            return;
        }
        *sending = true;
        let mut at = *sent;
        let bytes = |len| {
            at += len;
            (at - len..at).map(stream_byte).collect::<Vec<_>>()
        };
        let slices = slices.into_iter().map(bytes).map(|bytes| Slice::copy_from(&bytes)).collect();
        let op = Op::Send { socket: *from, slices };
        self.start(Pending::Send { pair }, op);
    }

    fn receive(&mut self, pair: usize) {
        let into = self.chunk();
        let Pair { to, receiving, .. } = &mut self.pairs[pair];
        if !std::mem::replace(receiving, true) {
            let op = Op::Receive { socket: *to, into };
            self.start(Pending::Receive { pair }, op);
        }
    }

    fn turn(&mut self, wait: Wait) {
        let mut completions = Vec::new();
        self.io.turn(wait, &mut completions).unwrap();
        for completion in completions {
            let token = completion.token.0;
            let pending = self.pending.remove(&token).expect("each operation completes once");
            self.check(pending, completion);
        }
    }

    fn check(&mut self, pending: Pending, completion: Completion) {
        let result = completion.result.as_ref().copied();
        match pending {
            Pending::Write { file, block, seed } => {
                assert_eq!(result.unwrap(), BLOCK_SIZE as u64);
                self.blocks[file][usize::try_from(block).unwrap()] = Some(seed);
            }
            Pending::Read { seed } => {
                assert_eq!(result.unwrap(), BLOCK_SIZE as u64);
                let Returned::Chunk(mut chunk) = completion.returned else { panic!("a chunk was handed in") };
                chunk.advance(BLOCK_SIZE);
                assert!(chunk[..] == pattern(Pool::heap(BLOCK_SIZE), seed, BLOCK_SIZE)[..]);
            }
            Pending::Flush | Pending::Shutdown => assert_eq!(result.unwrap(), 0),
            Pending::Job(value) => assert_eq!(result.unwrap(), value),
            Pending::Send { pair } => {
                let all: usize = slices_of(&completion).iter().map(|slice| slice.len()).sum();
                let pair = &mut self.pairs[pair];
                pair.sending = false;
                match result {
                    Ok(count) => {
                        assert!(count <= all as u64);
                        pair.sent += count;
                    }
                    Err(error) => assert!(pair.ended && error.raw_os_error() == Some(libc::EPIPE), "{error}"),
                }
            }
            Pending::Receive { pair } => {
                let count = result.unwrap();
                let Returned::Chunk(mut chunk) = completion.returned else { panic!("a chunk was handed in") };
                chunk.advance(usize::try_from(count).unwrap());
                let pair = &mut self.pairs[pair];
                pair.receiving = false;
                assert!(count > 0 || pair.ended);
                for byte in &*chunk {
                    assert_eq!(*byte, stream_byte(pair.received));
                    pair.received += 1;
                }
            }
        }
    }

    fn end(&mut self) {
        for pair in 0..self.pairs.len() {
            self.pairs[pair].ended = true;
            for socket in [self.pairs[pair].from, self.pairs[pair].to] {
                self.start(Pending::Shutdown, Op::Shutdown { socket });
            }
        }
        while !self.pending.is_empty() {
            self.turn(Wait::Forever);
        }
        // Nothing comes twice.
        self.turn(Wait::No);
    }
}

fn run(io: RingIo, seed: u64) {
    let folder = Folder::new();
    let files = vec![folder.file("a"), folder.file("b")];
    for file in &files {
        HostFs.write_at(*file, 0, &pattern(Pool::heap(BLOCK_SIZE), 0, BLOCK_SIZE)).unwrap();
    }
    let pairs = (0..6)
        .map(|_| {
            let (from, to) = UnixStream::pair().unwrap();
            let (from, to) = (Socket(from.into_raw_fd()), Socket(to.into_raw_fd()));
            Pair { from, to, sent: 0, received: 0, sending: false, receiving: false, ended: false }
        })
        .collect();
    let mut storm = Storm {
        io,
        dice: seed,
        files,
        blocks: vec![vec![None; usize::try_from(BLOCKS).unwrap()]; 2],
        pairs,
        pending: BTreeMap::new(),
        next_token: 0,
    };
    for file in 0..2 {
        for block in 0..BLOCKS {
            let data = pattern(Pool::heap(BLOCK_SIZE), block, BLOCK_SIZE).filled();
            let op = Op::Write { file: storm.files[file], offset: block * BLOCK_SIZE as u64, data };
            storm.start(Pending::Write { file, block, seed: block }, op);
        }
    }
    while storm.next_token < OPERATIONS {
        for _ in 0..storm.roll(40) {
            storm.step();
        }
        let moment = storm.io.now().plus(200_000);
        let wait = if storm.roll(2) == 0 { Wait::No } else { Wait::Until(moment) };
        storm.turn(wait);
    }
    storm.end();
    assert!(storm.pairs.iter().any(|pair| pair.received > 10_000));
    assert_eq!(storm.io.pool().free(), storm.io.pool().chunks());
    for pair in &storm.pairs {
        socket::close(pair.from);
        socket::close(pair.to);
    }
    for file in &storm.files {
        HostFs.close(*file);
    }
}

#[test]
fn each_operation_completes_exactly_once() {
    run(RingIo::new(&options()).unwrap(), 0x00c0_ffee);
}

#[test]
fn also_where_the_queues_are_always_full() {
    run(super::support::small_ring(), 0x00be_efed);
}
