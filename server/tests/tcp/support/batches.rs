//! What a broker has stored, read with a plain Fetch: batches as they are, not decoded.
//!
//! Source: the message schemas of Metadata 7, ListOffsets 2 and Fetch 11, and the record batch of format 2.

use bytes::{Buf, Bytes};

use super::Client;
use super::requests::{fetch, metadata};
use super::stored::{end_offset, only};

/// The compression of a batch: the lowest three bits of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
    Unknown(u8),
}

/// A stored batch's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub base_offset: i64,
    pub records: i32,
    pub codec: Codec,
    /// −1 without idempotence.
    pub producer_id: i64,
}

/// All partitions of a topic, each with its batches from offset 0 to the end.
///
/// Fails the test unless offsets run from 0 to the log's end without a gap.
pub fn partitions(address: &str, topic: &str) -> Vec<Vec<Batch>> {
    let mut client = Client::connect(address);
    let request = metadata(topic).with_allow_auto_topic_creation(false);
    let response = client.call(7, &request);
    let answer = &response.topics[0];
    assert_eq!(answer.error_code, 0, "Metadata of {topic}");
    let count = i32::try_from(answer.partitions.len()).expect("few partitions");
    (0..count).map(|partition| batches(&mut client, topic, partition)).collect()
}

fn batches(client: &mut Client, topic: &str, partition: i32) -> Vec<Batch> {
    let (mut batches, mut next) = (Vec::new(), 0);
    let end = end_offset(client, topic, partition);
    while next < end {
        let request = fetch(topic, &[(partition, next)]).with_max_wait_ms(500);
        let response = client.call(11, &request);
        let part = only(&response);
        assert_eq!(part.error_code, 0, "Fetch of {topic}-{partition} at {next}");
        let mut bytes = part.records.clone().unwrap_or_default();
        assert!(!bytes.is_empty(), "{topic}-{partition} gives nothing at {next}, before its end {end}");
        while let Some(batch) = Batch::cut(&mut bytes) {
            assert_eq!(batch.base_offset, next, "{topic}-{partition}: offsets without a gap");
            next += i64::from(batch.records);
            batches.push(batch);
        }
    }
    batches
}

impl Batch {
    /// Takes the next whole batch off `bytes`; a Fetch may end with a part of one.
    fn cut(bytes: &mut Bytes) -> Option<Self> {
        const HEADER_BYTES: usize = 61;
        let mut header = bytes.get(..HEADER_BYTES)?;
        let base_offset = header.get_i64();
        let length = usize::try_from(header.get_i32()).expect("a length") + 12;
        if bytes.len() < length {
            return None;
        }
        let _leader_epoch = header.get_i32();
        assert_eq!(header.get_i8(), 2, "the format of the batch at {base_offset}");
        let _crc = header.get_u32();
        let attributes = header.get_u16();
        header.advance(4 + 8 + 8); // last offset delta, first and last timestamp
        let producer_id = header.get_i64();
        header.advance(2 + 4); // producer epoch, first sequence number
        let records = header.get_i32();
        bytes.advance(length);
        Some(Self { base_offset, records, codec: Codec::of(attributes), producer_id })
    }
}

impl Codec {
    fn of(attributes: u16) -> Self {
        match attributes & 7 {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => Self::Unknown(other as u8),
        }
    }
}
