//! What the ring's tests share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::{RingIo, RingOptions, Sizes};
use crate::io::{ChunkMut, Completion, File, Fs, HostFs, Io, Op, OpenMode, Returned, Slice, Token, Wait};
use crate::types::ShardId;

/// Queues so small that every test with more than a few operations overfills them.
pub(super) const SMALL: Sizes = Sizes { submission: 4, completion: 16, for_peers: 8 };

pub(super) fn options() -> RingOptions {
    RingOptions { shard: ShardId::new(0), buffer_bytes: 2 << 20 }
}

pub(super) fn ring() -> RingIo {
    RingIo::new(&options()).expect("tests need io_uring")
}

pub(super) fn small_ring() -> RingIo {
    RingIo::with_sizes(&options(), SMALL).expect("tests need io_uring")
}

/// A folder of its own for each test, removed at the end.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub(super) fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("tora-ring-{}-{number}", std::process::id()));
        // A run that was killed leaves its folder, and numbers of processes come again.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Makes an empty file in it and opens that for the ring.
    pub(super) fn file(&self, name: &str) -> File {
        let path = self.0.join(name);
        HostFs.close(HostFs.open(&path, OpenMode::CreateNew).unwrap());
        HostFs.open(&path, OpenMode::Direct).unwrap()
    }

    pub(super) fn contents(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Fills a whole chunk with bytes that differ from place to place and from seed to seed.
pub(super) fn pattern(mut chunk: ChunkMut, seed: u64, len: usize) -> ChunkMut {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while chunk.len() < len {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bytes = word.to_le_bytes();
        chunk.push(&bytes[..8.min(len - chunk.len())]);
    }
    chunk
}

/// Turns until `count` completions have come, each for another token.
pub(super) fn collect(io: &mut RingIo, count: usize) -> BTreeMap<u64, Completion> {
    let mut found = BTreeMap::new();
    let mut completions = Vec::new();
    let patience = io.now().plus_millis(PATIENCE_MS);
    while found.len() < count {
        io.turn(Wait::Until(patience), &mut completions).unwrap();
        assert!(
            !completions.is_empty() || io.now() < patience,
            "only {} of {count} completions came",
            found.len()
        );
        for completion in completions.drain(..) {
            let token = completion.token.0;
            assert!(found.insert(token, completion).is_none(), "token {token} completed twice");
        }
    }
    assert_eq!(found.len(), count, "more completions than operations");
    found
}

/// So long that only a hang reaches it.
const PATIENCE_MS: u64 = 20_000;

/// Runs one operation to its end.
pub(super) fn run(io: &mut RingIo, op: Op<HostFs>) -> Completion {
    io.submit(Token(77), op);
    let (_, completion) = collect(io, 1).pop_first().unwrap();
    assert_eq!(completion.token, Token(77));
    completion
}

pub(super) fn chunk_of(completion: Completion) -> ChunkMut {
    let count = usize::try_from(completion.result.unwrap()).unwrap();
    let Returned::Chunk(mut chunk) = completion.returned else { panic!("a chunk was handed in") };
    chunk.advance(count);
    chunk
}

pub(super) fn slices_of(completion: &Completion) -> &[Slice] {
    let Returned::Slices(slices) = &completion.returned else { panic!("slices were handed in") };
    slices
}
