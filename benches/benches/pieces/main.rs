//! Micro-benchmarks of the pieces that a record passes, each beside the least that could be done instead (its floor).
//!
//! ```text
//! cargo bench -p tora-benches --bench pieces              # all
//! cargo bench -p tora-benches --bench pieces -- crc       # one group
//! ```

mod requests;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_queue::ArrayQueue;
use tora_engine::batch::{BatchBuilder, BatchHeader, layout, stamp, validate_produce};
use tora_engine::io::Pool;
use tora_engine::log::index::SparseIndex;
use tora_engine::log::tail::Tail;
use tora_engine::mailbox;
use tora_engine::types::{LeaderEpoch, Offset, Position, ShardId};

/// Bytes of a record's value, as in the load generator's defaults.
const VALUE: [u8; 100] = [b'x'; 100];
/// Records of a small and of a default batch.
const BATCH_RECORDS: [usize; 2] = [1, 500];
const SIZE_MAX: usize = 1 << 20;
/// Segments of a GiB have that many batches of 500 records.
const SEGMENT_BATCHES: i64 = 18_000;
/// What a tail is filled with before it is dropped.
const TAIL_BYTES: usize = 4 << 20;

/// CRC-32C as it is computed, by another crate with the processor's CRC instruction, and (the floor) reading the bytes.
fn crc(c: &mut Criterion) {
    let mut group = c.benchmark_group("crc");
    for size in [128, 1024, 56 * 1024] {
        let bytes = vec![0x5a_u8; size + layout::ATTRIBUTES];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("engine", size), &bytes, |b, bytes| {
            b.iter(|| layout::checksum(black_box(bytes)));
        });
        group.bench_with_input(BenchmarkId::new("crc32c-crate", size), &bytes, |b, bytes| {
            b.iter(|| crc32c::crc32c(black_box(&bytes[layout::ATTRIBUTES..])));
        });
        group.bench_with_input(BenchmarkId::new("floor-read", size), &bytes, |b, bytes| {
            b.iter(|| read(black_box(&bytes[layout::ATTRIBUTES..])));
        });
    }
}

/// The checks a produced batch goes through; their floor is its checksum alone.
fn validate(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate");
    for records in BATCH_RECORDS {
        let bytes = batch(records);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_with_input(BenchmarkId::new("engine", records), &bytes, |b, bytes| {
            b.iter(|| validate_produce(black_box(bytes), SIZE_MAX));
        });
        group.bench_with_input(BenchmarkId::new("floor-crc", records), &bytes, |b, bytes| {
            b.iter(|| layout::checksum(black_box(bytes)));
        });
    }
}

/// Filling a tail with stamped batches; the floor copies the same bytes into memory that is there already.
fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for records in BATCH_RECORDS {
        let bytes = batch(records);
        let batches = TAIL_BYTES / bytes.len();
        group.throughput(Throughput::Elements((batches * records) as u64));
        let pool = Pool::new(2 * TAIL_BYTES / tora_engine::io::CHUNK_SIZE);
        group.bench_with_input(BenchmarkId::new("engine", records), &bytes, |b, bytes| {
            b.iter_batched(
                || Tail::new(Position::ZERO, Vec::new()),
                |mut tail| {
                    fill(&mut tail, bytes, batches, &pool);
                    tail
                },
                BatchSize::PerIteration,
            );
        });
        let mut memory = vec![0_u8; TAIL_BYTES];
        group.bench_with_input(BenchmarkId::new("floor-copy", records), &bytes, |b, bytes| {
            b.iter(|| {
                for place in memory.chunks_exact_mut(bytes.len()) {
                    place.copy_from_slice(black_box(bytes));
                }
            });
        });
    }
}

/// Finding an offset in a full segment's index; the floor is a binary search over as many plain numbers.
fn index(c: &mut Criterion) {
    let mut group = c.benchmark_group("index");
    let mut header = BatchHeader::parse(&batch(500)).expect("it was just built");
    let mut index = SparseIndex::new(Offset::ZERO, Position::ZERO);
    let mut position = Position::ZERO;
    for number in 0..SEGMENT_BATCHES {
        header.base_offset = Offset::new(number * 500);
        index.add(&header, position);
        position = position.plus(header.total_size() as u64);
    }
    let offsets: Vec<u32> =
        (0..SEGMENT_BATCHES).map(|number| u32::try_from(number * 500).expect("few")).collect();
    let mut wanted = wanted();
    group.bench_function("engine", |b| b.iter(|| index.lookup(Offset::new(wanted()))));
    let mut wanted = self::wanted();
    group.bench_function("floor-binary-search", |b| {
        b.iter(|| offsets.partition_point(|offset| i64::from(*offset) <= wanted()));
    });
}

/// A message to another shard and its taking, on one thread; the floor is the bare queue.
fn mail(c: &mut Criterion) {
    let mut group = c.benchmark_group("mailbox");
    let (peers, mut inboxes) = mailbox::mailboxes::<u64>(2, 256);
    let to = ShardId::new(1);
    group.bench_function("engine", |b| {
        b.iter(|| {
            peers.send(to, black_box(7));
            inboxes[1].pop()
        });
    });
    let queue = ArrayQueue::new(256);
    group.bench_function("floor-queue", |b| {
        b.iter(|| {
            let _ = queue.push(black_box(7_u64));
            queue.pop()
        });
    });
}

fn batch(records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(SIZE_MAX);
    for _ in 0..records {
        builder.push(1_700_000_000_000, None, Some(&VALUE)).expect("a MiB is enough");
    }
    builder.finish().expect("it has records").to_vec()
}

fn fill(tail: &mut Tail, bytes: &[u8], batches: usize, pool: &Pool) {
    let mut clock = 0;
    let mut stamped = bytes[..layout::HEADER_SIZE].to_vec();
    for number in 0..batches {
        let at = tail.end();
        let base = Offset::new(i64::try_from(number).expect("few"));
        stamp(&mut stamped, base, LeaderEpoch::new(1));
        tail.push(&stamped, pool, &mut clock);
        tail.push(&bytes[layout::HEADER_SIZE..], pool, &mut clock);
        tail.note_batch(at, base);
    }
}

/// Touches all bytes, eight at a time.
fn read(bytes: &[u8]) -> u64 {
    let words =
        bytes.chunks_exact(8).map(|word| u64::from_le_bytes(*word.first_chunk().expect("eight bytes")));
    words.fold(0, |all, word| all ^ word)
}

/// Offsets all over the segment, in no order.
fn wanted() -> impl FnMut() -> i64 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as i64 % (SEGMENT_BATCHES * 500)
    }
}

criterion_group!(pieces, crc, validate, append, index, mail);
criterion_group!(
    requests,
    requests::produce_request,
    requests::produce_response,
    requests::fetch_request,
    requests::fetch_response
);
criterion_main!(pieces, requests);
