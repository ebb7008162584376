//! Requests cut from a connection's stream and read, and responses written: what a client's request costs the server
//! beside its records. Requests come from the crate kafka-protocol, as clients send them.

use std::hint::black_box;
use std::num::NonZeroUsize;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, FetchRequest, ProduceRequest, RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
use tora_engine::io::Slice;
use tora_server::bench::{Client, EPOCH, topic_id, topic_name};

use super::batch;

/// Topics that the broker has: a request's is found among them.
const TOPICS: u8 = 100;
/// The version that most clients of today's Kafka send; topics by name.
const PRODUCE_VERSION: i16 = 9;
/// Topics by id, as current clients fetch.
const FETCH_VERSION: i16 = 13;
/// Partitions × records of each.
const PRODUCED: [(i32, usize); 3] = [(1, 1), (1, 500), (16, 1)];
/// Partitions of a fetch.
const FETCHED: [i32; 2] = [1, 16];

/// A Produce request: its frame cut, its header and body read, its topic and batches found. The floor goes over the same
/// fields, one after the other, and keeps where each batch lies.
pub fn produce_request(c: &mut Criterion) {
    let mut group = c.benchmark_group("produce-request");
    for (partitions, records) in PRODUCED {
        let request = produce(partitions, records);
        let name = format!("{partitions}x{records}");
        let mut client = Client::new(&request, TOPICS);
        assert_eq!(client.read_produce().batches(), partitions as usize, "all of it is served");
        assert_eq!(walk_produce(&request).len(), partitions as usize, "the floor finds the same");
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("server", &name), |b| b.iter(|| read_produce(&mut client)));
        group.bench_with_input(BenchmarkId::new("floor-walk", &name), &request, |b, request| {
            let mut found = Vec::with_capacity(partitions as usize);
            b.iter(|| {
                found.clear();
                walk_produce_into(black_box(request), &mut found);
                found.len()
            });
        });
    }
}

/// The response to a Produce whose batches were appended, ready to be sent. The floor copies as many bytes.
pub fn produce_response(c: &mut Criterion) {
    let mut group = c.benchmark_group("produce-response");
    for partitions in [1, 16] {
        let mut client = Client::new(&produce(partitions, 1), TOPICS);
        let answered = client.read_produce().appended();
        let bytes = client.respond_to_produce(&answered);
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("server", partitions), |b| {
            b.iter(|| client.respond_to_produce(black_box(&answered)));
        });
        copy_floor(&mut group, partitions, bytes);
    }
}

/// A Fetch request: as a whole, and in a session, where it names one partition of as many as the session has.
pub fn fetch_request(c: &mut Criterion) {
    let mut group = c.benchmark_group("fetch-request");
    for partitions in FETCHED {
        let request = fetch(0, -1, partitions);
        let mut client = Client::new(&request, TOPICS);
        assert_eq!(client.read_fetch().partitions(), partitions as usize, "all of it is served");
        assert_eq!(walk_fetch(&request), partitions as usize, "the floor finds the same");
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("server", partitions), |b| b.iter(|| client.read_fetch()));
        group.bench_with_input(BenchmarkId::new("floor-walk", partitions), &request, |b, request| {
            b.iter(|| walk_fetch(black_box(request)));
        });
        let all = NonZeroUsize::new(partitions as usize).expect("at least one");
        let session = Client::new(&request, TOPICS).begin_session(all);
        let mut client = Client::new(&fetch(session, 1, 1), TOPICS);
        assert_eq!(client.begin_session(all), session, "sessions are numbered alike");
        group.bench_function(BenchmarkId::new("server-session", partitions), |b| {
            b.iter(|| client.read_session_fetch());
        });
    }
}

/// The response to a Fetch, a batch of 500 records for each partition, ready to be sent: the records are not copied. The
/// floor copies as many bytes as there are beside the records.
pub fn fetch_response(c: &mut Criterion) {
    let mut group = c.benchmark_group("fetch-response");
    let records = Slice::from_vec(batch(500));
    for partitions in FETCHED {
        let mut client = Client::new(&fetch(0, -1, partitions), TOPICS);
        let mut answered = || {
            let mut read = client.read_fetch();
            read.found(&records);
            read
        };
        let mut prepared: Vec<_> = (0..2).map(|_| answered()).collect();
        let mut writer = Client::new(&fetch(0, -1, partitions), TOPICS);
        let bytes = writer.respond_to_fetch(&mut prepared[0]) - partitions as usize * records.len();
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("server", partitions), |b| {
            b.iter_batched_ref(
                &mut answered,
                |answered| writer.respond_to_fetch(answered),
                BatchSize::SmallInput,
            );
        });
        copy_floor(&mut group, partitions, bytes);
    }
}

/// Not inlined, so that a profile has it by its name: `benches/README.md`.
#[inline(never)]
fn read_produce(client: &mut Client) {
    black_box(client.read_produce());
}

fn copy_floor<M: criterion::measurement::Measurement>(
    group: &mut criterion::BenchmarkGroup<'_, M>,
    partitions: i32,
    bytes: usize,
) {
    let (from, mut to) = (vec![7_u8; bytes], vec![0_u8; bytes]);
    group.bench_function(BenchmarkId::new("floor-copy", partitions), |b| {
        b.iter(|| {
            to.copy_from_slice(black_box(&from));
            black_box(&to);
        });
    });
}

fn produce(partitions: i32, records: usize) -> Vec<u8> {
    let records = Bytes::from(batch(records));
    let partition =
        |index| PartitionProduceData::default().with_index(index).with_records(Some(records.clone()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_string(topic_name(TOPICS / 2))))
        .with_partition_data((0..partitions).map(partition).collect());
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    frame(ApiKey::Produce, PRODUCE_VERSION, &request)
}

fn fetch(session: i32, number: i32, partitions: i32) -> Vec<u8> {
    let partition = |index| {
        FetchPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(EPOCH)
            .with_fetch_offset(1_000_000)
            .with_partition_max_bytes(1 << 20)
    };
    let topic = FetchTopic::default()
        .with_topic_id(topic_id(0).to_vec().try_into().expect("sixteen bytes"))
        .with_partitions((0..partitions).map(partition).collect());
    let request = FetchRequest::default()
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_session_id(session)
        .with_session_epoch(number)
        .with_topics(vec![topic]);
    frame(ApiKey::Fetch, FETCH_VERSION, &request)
}

fn frame<Q: Encodable + HeaderVersion>(key: ApiKey, version: i16, request: &Q) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(77)
        .with_client_id(Some(StrBytes::from_static_str("producer-1")));
    let mut body = BytesMut::new();
    header.encode(&mut body, Q::header_version(version)).expect("the header has this version");
    request.encode(&mut body, version).expect("the request has this version");
    let length = u32::try_from(body.len()).expect("it is short");
    [&length.to_be_bytes()[..], &body].concat()
}

/// Goes over a request's fields and believes all of them.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    /// Past the frame's length and the header.
    fn body(request: &'a [u8]) -> Self {
        let mut walk = Self { bytes: request, at: 12 };
        let client = walk.i16();
        walk.at += usize::from(client.unsigned_abs());
        walk.tags();
        walk
    }

    fn i16(&mut self) -> i16 {
        self.at += 2;
        i16::from_be_bytes(*self.bytes[self.at - 2..].first_chunk().expect("the request is whole"))
    }

    fn i32(&mut self) -> i32 {
        self.at += 4;
        i32::from_be_bytes(*self.bytes[self.at - 4..].first_chunk().expect("the request is whole"))
    }

    /// A length, which is one less than the number that is there.
    fn length(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value.saturating_sub(1);
            }
        }
    }

    fn tags(&mut self) {
        assert_eq!(self.bytes[self.at], 0, "clients send none here");
        self.at += 1;
    }
}

fn walk_produce(request: &[u8]) -> Vec<(i32, usize, usize)> {
    let mut found = Vec::new();
    walk_produce_into(request, &mut found);
    found
}

/// Each batch's partition, place and length.
fn walk_produce_into(request: &[u8], found: &mut Vec<(i32, usize, usize)>) {
    let mut walk = Walk::body(request);
    walk.length();
    black_box((walk.i16(), walk.i32()));
    for _ in 0..walk.length() {
        let name = walk.length();
        walk.at += name;
        for _ in 0..walk.length() {
            let (index, length) = (walk.i32(), walk.length());
            found.push((index, walk.at, length));
            walk.at += length;
            walk.tags();
        }
        walk.tags();
    }
}

/// How many partitions are fetched.
fn walk_fetch(request: &[u8]) -> usize {
    let mut walk = Walk::body(request);
    black_box([walk.i32(), walk.i32(), walk.i32(), walk.i32()]);
    walk.at += 1;
    black_box([walk.i32(), walk.i32()]);
    let mut count = 0;
    for _ in 0..walk.length() {
        walk.at += 16;
        for _ in 0..walk.length() {
            black_box([walk.i32(), walk.i32()]);
            walk.at += 8 + 4 + 8;
            black_box(walk.i32());
            walk.tags();
            count += 1;
        }
        walk.tags();
    }
    count
}
