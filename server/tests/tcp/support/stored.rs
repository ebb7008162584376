//! What a Fetch response brought.

use std::ops::Range;

use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::records::RecordBatchDecoder;

use super::Client;
use super::requests::list;

/// Offsets and values of a partition's records.
pub fn values(partition: &PartitionData) -> Vec<(i64, String)> {
    let mut bytes = partition.records.clone().unwrap_or_default();
    let sets = RecordBatchDecoder::decode_all(&mut bytes).expect("whole batches");
    let records = sets.into_iter().flat_map(|set| set.records);
    let text =
        |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap_or_default().into()).expect("UTF-8");
    records.map(|record| (record.offset, text(record.value))).collect()
}

/// The one partition of a response.
pub fn only(response: &FetchResponse) -> &PartitionData {
    assert_eq!(response.error_code, 0);
    assert_eq!(response.responses.len(), 1);
    assert_eq!(response.responses[0].partitions.len(), 1);
    &response.responses[0].partitions[0]
}

/// Fails the test unless the records are exactly those.
pub fn expect_offsets(values: &[(i64, String)], offsets: Range<i64>) {
    assert!(values.iter().map(|value| value.0).eq(offsets), "{values:?}");
}

/// The offset after a partition's last record.
pub fn end_offset(client: &mut Client, topic: &str, partition: i32) -> i64 {
    let response = client.call(2, &list(topic, partition, -1));
    let answer = &response.topics[0].partitions[0];
    assert_eq!(answer.error_code, 0, "ListOffsets of {topic}-{partition}");
    answer.offset
}
