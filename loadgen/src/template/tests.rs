use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::clock::Nanos;
use crate::codec::batch::Batch;
use crate::stamp::SessionId;

fn payload() -> Values {
    let lines = [&b"a"[..], b"a longer line", b"third"];
    Values::Payload(Arc::from(lines.map(<[u8]>::to_vec)))
}

fn spec(values: &Values, batch_records: u32) -> FrameSpec<'_> {
    FrameSpec { version: 9, topic: "topic", acks: -1, batch_records, values, compression: Compression::None }
}

fn patch(sequence: u64) -> Patch {
    Patch {
        correlation: 0x0102_0304,
        partition: 7,
        stamp: Stamp { session: SessionId(3), sequence, sent: Nanos(1_000_000_007) },
        wall_clock_ms: 1_700_000_000_000,
        identity: ProducerIdentity { id: 42, epoch: 1 },
        base_sequence: 500,
    }
}

/// The batch of frame `index`.
fn batch(strip: &Strip, index: usize) -> Batch<'_> {
    let layout = &strip.layouts[index];
    let mut bytes = &strip.bytes[layout.batch_at..layout.batch_end];
    Batch::split_off(&mut bytes).expect("well-formed").expect("whole")
}

/// Patches every frame of every strip twice, and checks what a consumer would see.
fn check(values: &Values, batch_records: u32) {
    let mut pool = StripPool::new(&spec(values, batch_records), 2);
    let mut seen = HashSet::new();
    let mut sequence = 0;
    for _ in 0..2 * pool.free.len() {
        let mut strip = pool.take();
        for index in 0..strip.frames() {
            strip.patch(index, &patch(sequence));
            let batch = batch(&strip, index);
            assert!(batch.intact() && batch.plain());
            assert_eq!(batch.count(), batch_records.cast_signed());
            let mut value_bytes = 0;
            for record in batch.records() {
                let stamp = Stamp::read(&record, values.stamps_in_headers()).expect("stamped");
                let expected = Stamp { session: SessionId(3), sequence, sent: Nanos(1_000_000_007) };
                assert_eq!(stamp, expected);
                assert!(seen.insert((record.value.to_vec(), record.headers.to_vec())), "a record twice");
                value_bytes += record.value.len() as u64;
                sequence += 1;
            }
            assert_eq!(sequence % u64::from(batch_records), 0);
            assert_eq!(strip.value_bytes(index), value_bytes);
        }
        pool.put(strip);
    }
}

#[test]
fn generated_records_are_stamped_intact_and_all_different() {
    // 16 bytes leave room for nothing but the stamp; 64 and more records make the offset delta wider.
    for (size, records) in [(16, 1), (16, 300), (100, 500), (5000, 3)] {
        check(&Values::Generated { size }, records);
    }
}

#[test]
fn payload_records_are_stamped_intact_and_all_different() {
    for records in [1, 2, 200] {
        check(&payload(), records);
    }
}

#[test]
fn payload_lines_arrive_as_they_are_and_in_rotation() {
    let values = payload();
    let mut strip = Strip::build(&spec(&values, 2), 0);
    strip.patch(0, &patch(0));
    strip.patch(1, &patch(2));
    let lines: Vec<_> = (0..2)
        .flat_map(|index| batch(&strip, index).records().map(|r| r.value.to_vec()).collect::<Vec<_>>())
        .collect();
    assert_eq!(lines, [&b"a"[..], b"a longer line", b"third", b"a"]);
}

#[test]
fn the_request_around_the_batch_is_patched_too() {
    let values = Values::Generated { size: 20 };
    let mut strip = Strip::build(&spec(&values, 2), 0);
    let last = strip.frames() - 1;
    assert!(last > 0, "small frames share a strip");
    strip.patch(last, &patch(0));
    let layout = &strip.layouts[last];
    let frame = &strip.bytes[layout.start..layout.end];
    assert_eq!(frame[..4], u32::try_from(frame.len() - 4).expect("short").to_be_bytes());
    assert_eq!(frame[CORRELATION_AT..CORRELATION_AT + 4], [1, 2, 3, 4]);
    assert_eq!(strip.bytes[layout.partition_at..layout.partition_at + 4], [0, 0, 0, 7]);
    let batch = &strip.bytes[layout.batch_at..layout.batch_end];
    assert_eq!(batch[at::PRODUCER_ID..at::PRODUCER_ID + 8], 42i64.to_be_bytes());
    assert_eq!(batch[at::PRODUCER_EPOCH..at::PRODUCER_EPOCH + 2], [0, 1]);
    assert_eq!(batch[at::BASE_SEQUENCE..at::BASE_SEQUENCE + 4], 500i32.to_be_bytes());
    assert_eq!(batch[at::MAX_TIMESTAMP..at::MAX_TIMESTAMP + 8], 1_700_000_000_000i64.to_be_bytes());
}

#[test]
fn a_large_batch_has_a_strip_of_its_own() {
    let values = Values::Generated { size: 1000 };
    assert_eq!(Strip::build(&spec(&values, 500), 0).frames(), 1);
    let tiny = Values::Generated { size: 16 };
    assert_eq!(Strip::build(&spec(&tiny, 1), 0).frames(), STRIP_FRAMES_MAX);
}

/// Fails unless a codec's batch has the same records, as its own decoder reads them, and is a right batch.
fn assert_compressed(compression: Compression, decode: impl Fn(&[u8]) -> Vec<u8>) {
    let values = Values::Payload(vec![b"the same line again and again".to_vec(); 3].into());
    let plain = BatchTemplate::build(&values, 0, 50);
    let records = plain.bytes[at::RECORDS..].to_vec();
    let compressed = plain.compressed(compression);
    assert!(compressed.bytes.len() < records.len() / 2, "it is smaller");
    assert!(decode(&compressed.bytes[at::RECORDS..]) == records, "the records are the same");
    let spec = FrameSpec { compression, ..spec(&values, 50) };
    let mut strip = Strip::build(&spec, 0);
    strip.patch(0, &patch(0));
    let batch = batch(&strip, 0);
    assert!(batch.intact() && !batch.plain() && batch.count() == 50);
}

#[test]
fn a_compressed_batch_holds_the_same_records_and_a_right_crc() {
    use std::io::Read;
    let all = |mut decoder: Box<dyn Read + '_>| {
        let mut bytes = Vec::new();
        decoder.read_to_end(&mut bytes).expect("it is a frame");
        bytes
    };
    assert_compressed(Compression::Lz4, |bytes| all(Box::new(lz4_flex::frame::FrameDecoder::new(bytes))));
    assert_compressed(Compression::Zstd, |bytes| {
        let decoder = ruzstd::decoding::StreamingDecoder::new(bytes).expect("it is a Zstandard frame");
        all(Box::new(decoder))
    });
}
