//! Batches of known bytes, and what becomes of them when they are damaged.

mod builder;
mod damage;
mod records;
mod validation;

use super::*;

/// The batch the tests change: one record (key `k`, value `v`, header `h` without a value) of an idempotent producer,
/// written out by hand. Its checksum was computed with another implementation.
pub(super) const ONE_RECORD: [u8; 73] = [
    0, 0, 0, 0, 0, 0, 0, 0, // base offset
    0, 0, 0, 61, // length
    0xff, 0xff, 0xff, 0xff, // leader epoch
    2,    // magic
    0xdf, 0x89, 0x17, 0x09, // CRC-32C
    0, 0, // attributes
    0, 0, 0, 0, // last offset delta
    0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, // base timestamp: 1_700_000_000_000
    0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, // maximum timestamp
    0, 0, 0, 0, 0, 0, 3, 0xe8, // producer id 1000
    0, 7, // producer epoch
    0, 0, 0, 42, // base sequence
    0, 0, 0, 1,  // number of records
    22, // length: 11
    0,  // attributes
    0,  // timestamp delta
    0,  // offset delta
    2, b'k', // key
    2, b'v', // value
    2, 2, b'h', 1, // one header, no value
];

/// A small generator with a seed (xorshift64*), so that a failure can be repeated.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 32) % bound
    }

    /// Fewer than `bound` bytes, or none at all.
    pub(super) fn bytes(&mut self, bound: u64) -> Option<Vec<u8>> {
        (self.below(5) > 0).then(|| (0..self.below(bound)).map(|_| self.next() as u8).collect())
    }
}

/// A valid batch of some records.
pub(super) fn random_batch(random: &mut Random) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..1 + random.below(5) {
        let (key, value) = (random.bytes(20), random.bytes(50));
        builder.push(random.next() as i64, key.as_deref(), value.as_deref()).expect("far below the limit");
    }
    builder.finish().expect("it has a record").to_vec()
}
