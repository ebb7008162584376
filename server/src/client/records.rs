//! Records to batches and back.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::compression::decompress;
use super::{Failure, text};

/// Where a batch's header has the last record's offset, counted from the first.
const LAST_OFFSET_DELTA_AT: usize = 23;

/// What a line becomes, and is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its value, if it has one.
    pub value: Option<Vec<u8>>,
    /// Names and values, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
}

impl Content {
    /// Bytes of a record's parts, roughly what it takes in a batch.
    #[must_use]
    pub fn len(&self) -> usize {
        let of = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + of(value) + 8).sum();
        of(&self.key) + of(&self.value) + headers + 24
    }
}

/// One batch of these.
///
/// # Errors
/// What cannot be encoded.
pub fn encode(contents: &[Content]) -> Result<Bytes, Failure> {
    let records: Vec<Record> =
        contents.iter().zip(0_i32..).map(|(content, at)| record(content, at)).collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).map_err(|why| why.to_string())?;
    Ok(bytes.freeze())
}

fn record(content: &Content, at: i32) -> Record {
    let bytes = |part: &Option<Vec<u8>>| part.clone().map(Bytes::from);
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: at.into(),
        // Without idempotence; the encoder wants them in step with the offsets.
        sequence: at - 1,
        timestamp: content.timestamp,
        key: bytes(&content.key),
        value: bytes(&content.value),
        headers: content.headers.iter().map(|(name, value)| (text(name), bytes(value))).collect(),
    }
}

/// What a partition's bytes hold.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Its records, each with its offset.
    pub contents: Vec<(i64, Content)>,
    /// The offset behind the last batch, if there is one. Batches may end with records that are left out here, or that the
    /// broker has compacted away.
    pub end: Option<i64>,
}

/// The records of a partition's bytes as a Fetch brings them; a batch that is cut off at the end is left out, and so are
/// control records.
///
/// # Errors
/// Bytes that are no batches, or a codec's.
pub fn decode(mut bytes: Bytes) -> Result<Decoded, Failure> {
    let mut decoded = Decoded::default();
    while let Some(length) = bytes.get(8..12) {
        let length = i32::from_be_bytes(*length.first_chunk().expect("four bytes"));
        let size = usize::try_from(length).map_err(|_| "a batch has no length".to_owned())? + 12;
        if size > bytes.len() {
            break;
        }
        let mut batch = bytes.split_to(size);
        decoded.end = end(&batch);
        let undo = |bytes: &mut Bytes, codec: Compression| Ok(decompress(bytes, codec)?);
        let set = RecordBatchDecoder::decode_with_custom_compression(&mut batch, Some(undo))
            .map_err(|why| format!("a batch cannot be read: {why:#}"))?;
        decoded.contents.extend(set.records.into_iter().filter(|record| !record.control).map(|record| {
            let headers = record.headers.into_iter();
            let content = Content {
                key: record.key.map(Into::into),
                value: record.value.map(Into::into),
                headers: headers.map(|(name, value)| (name.to_string(), value.map(Into::into))).collect(),
                timestamp: record.timestamp,
            };
            (record.offset, content)
        }));
    }
    Ok(decoded)
}

/// The offset behind a batch: its base offset, and its last offset from there.
fn end(batch: &[u8]) -> Option<i64> {
    let base = i64::from_be_bytes(*batch.first_chunk()?);
    let last = i32::from_be_bytes(*batch.get(LAST_OFFSET_DELTA_AT..)?.first_chunk()?);
    base.checked_add(i64::from(last))?.checked_add(1)
}
