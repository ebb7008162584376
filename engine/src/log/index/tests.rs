use super::*;
use crate::batch::BatchBuilder;
use crate::stored::StoredError;

/// Headers of consecutive batches: base offset, records, bytes of value and timestamp of each.
fn header(base: i64, records: i32, size: usize, timestamp: i64) -> BatchHeader {
    let mut builder = BatchBuilder::new(1 << 24);
    for record in 0..records {
        let value = vec![b'x'; if record == 0 { size } else { 1 }];
        builder.push(timestamp, None, Some(&value)).expect("far below the limit");
    }
    let mut header =
        BatchHeader::parse(builder.finish().expect("it has records")).expect("it was just built");
    header.base_offset = Offset::new(base);
    header
}

/// An index of `count` batches of ten records and about 10 kB, whose timestamps rise and fall, with the batches' places.
fn filled(count: usize) -> (SparseIndex, Vec<(Offset, Position, i64)>) {
    let (base, start) = (Offset::new(1000), Position::new(1 << 40));
    let mut index = SparseIndex::new(base, start);
    let mut places = Vec::new();
    for at in 0..count {
        let timestamp = [5, 90, 3, 40, 120][at % 5] + at as i64;
        let CoveredTo { position, offset } = index.covered_to();
        let batch = header(offset.value(), 10, 10_000 + at * 37 % 999, timestamp);
        index.add(&batch, position);
        places.push((offset, position, timestamp));
    }
    (index, places)
}

#[test]
fn lookup_is_at_or_before_the_batch_and_near() {
    let (index, places) = filled(200);
    assert!(index.entries.len() > 30, "an entry about every 32 KiB of 2 MB");
    for (offset, position, _) in &places {
        for inside in 0..10 {
            let found = index.lookup(offset.plus(inside));
            assert!(found <= *position);
            assert!(
                position.since(found) <= INTERVAL + 22_000,
                "no further than one interval and two batches"
            );
            assert!(places.iter().any(|place| place.1 == found), "a batch begins there");
        }
    }
    assert_eq!(index.lookup(Offset::ZERO), Position::new(1 << 40));
    assert!(index.lookup(Offset::new(i64::MAX)) <= places[199].1);
}

#[test]
fn lookup_time_never_skips_the_first_batch_of_that_time() {
    let (index, places) = filled(200);
    for timestamp in 0..330 {
        let first = places.iter().find(|place| place.2 >= timestamp);
        let found = index.lookup_time(timestamp);
        match first {
            Some((_, position, _)) => assert!(found <= *position, "time {timestamp}"),
            None => assert!(index.max_timestamp() < timestamp),
        }
    }
    let (timestamp, offset) = index.max_timestamp_batch().expect("batches have timestamps");
    let first = places.iter().find(|place| place.2 == timestamp).expect("some batch has it");
    assert_eq!((timestamp, offset), (319, first.0));
}

#[test]
fn floor_is_the_last_known_batch_start_before_a_position() {
    let (index, places) = filled(50);
    let start = Position::new(1 << 40);
    assert_eq!(index.floor(Position::new(0)), None);
    assert_eq!(index.floor(start), Some(start));
    let end = index.covered_to().position;
    let last = index.floor(end).expect("inside");
    assert!(end.since(last) <= INTERVAL + 22_000 && places.iter().any(|place| place.1 == last));
}

#[test]
fn an_empty_index_answers_with_the_base() {
    let index = SparseIndex::new(Offset::new(7), Position::new(70));
    assert!(!index.is_started());
    assert_eq!(index.lookup(Offset::new(9)), Position::new(70));
    assert_eq!(index.lookup_time(5), Position::new(70));
    assert_eq!((index.max_timestamp(), index.max_timestamp_batch()), (-1, None));
    assert_eq!(index.memory(), 0);
    assert_eq!(SparseIndex::decode(&index.encode()), Ok(index));
}

#[test]
fn batches_without_timestamps_have_no_maximum() {
    let mut index = SparseIndex::new(Offset::ZERO, Position::ZERO);
    index.add(&header(0, 1, 10, -1), Position::ZERO);
    assert!(index.is_started());
    assert_eq!(index.max_timestamp_batch(), None);
}

#[test]
fn truncated_and_filled_again_it_answers_as_before() {
    let (whole, places) = filled(120);
    for cut in 0..places.len() {
        let mut index = whole.clone();
        let end = index.truncate_to(places[cut].0);
        assert!(end.offset <= places[cut].0 && end == index.covered_to());
        let from = places.iter().position(|place| place.1 == end.position).expect("where a batch begins");
        let expected_max = places[..from].iter().map(|place| place.2).max().unwrap_or(-1);
        assert_eq!(index.max_timestamp(), expected_max);
        if let Some((timestamp, offset)) = index.max_timestamp_batch() {
            let first = places.iter().find(|place| place.2 == timestamp).expect("some batch has it");
            assert!(offset <= first.0, "the search for the batch begins at or before it");
        }
        assert_eq!(SparseIndex::decode(&index.encode()).as_ref(), Ok(&index));

        for (at, (offset, position, timestamp)) in places.iter().enumerate().skip(from) {
            index.add(&header(offset.value(), 10, 10_000 + at * 37 % 999, *timestamp), *position);
        }
        assert_eq!(index.entries, whole.entries);
        assert_eq!(index.covered_to(), whole.covered_to());
        assert_eq!(index.max_timestamp(), whole.max_timestamp());
    }
}

#[test]
fn the_largest_timestamp_below_an_offset_is_that_of_the_batches_it_counts() {
    let (index, places) = filled(120);
    for (offset, position, _) in &places {
        let (found, upto) = index.max_timestamp_below(*offset);
        let counted = places.iter().take_while(|place| place.0 < upto);
        let expected = counted.map(|place| place.2).max();
        assert_eq!(found.map(|found| found.0), expected);
        if let Some((timestamp, at)) = found {
            let first = places.iter().find(|place| place.2 == timestamp).expect("some batch has it");
            assert!(at <= first.0, "the search for the batch begins at or before it");
        }
        let last = places.iter().find(|place| place.0 == upto).expect("where a batch begins");
        assert!(position.since(last.1) <= INTERVAL + 22_000, "few are not counted");
    }
    let end = index.covered_to().offset;
    assert_eq!(index.max_timestamp_below(end), (index.max_timestamp_batch(), end));
}

#[test]
fn truncating_inside_a_batch_forgets_it() {
    let (whole, places) = filled(10);
    let mut index = whole.clone();
    assert_eq!(index.truncate_to(whole.covered_to().offset), whole.covered_to());
    assert!(whole.up_to(places[9].0.plus(3)).covered_to().offset <= places[9].0);
}

#[test]
fn offsets_past_32_bits_get_no_entry_and_right_answers() {
    let mut index = SparseIndex::new(Offset::ZERO, Position::ZERO);
    let mut huge = header(0, 1, 40_000, 1);
    (huge.records_count, huge.last_offset_delta) = (i32::MAX, i32::MAX - 1);
    let mut starts = Vec::new();
    for _ in 0..4 {
        let CoveredTo { position, offset } = index.covered_to();
        starts.push((offset, position));
        huge.base_offset = offset;
        index.add(&huge, position);
    }
    assert_eq!(index.entries.len(), 2, "the fourth batch begins past u32::MAX");
    for (offset, position) in starts {
        assert!(index.lookup(offset) <= position);
    }
}

#[test]
fn saved_indexes_round_trip() {
    for count in [0, 1, 4, 5, 200] {
        let (index, _) = filled(count);
        assert_eq!(SparseIndex::decode(&index.encode()), Ok(index));
    }
}

#[test]
fn every_flip_and_every_cut_of_a_saved_index_is_noticed() {
    let bytes = filled(40).0.encode();
    for len in 0..bytes.len() {
        assert!(SparseIndex::decode(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(SparseIndex::decode(&flipped).is_err(), "bit {bit} flipped");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(SparseIndex::decode(&longer).is_err());
}

#[test]
fn contradictions_are_refused_whatever_the_checksum_says() {
    let (index, _) = filled(40);
    let wrong = |change: fn(&mut SparseIndex)| {
        let mut index = index.clone();
        change(&mut index);
        SparseIndex::decode(&index.encode())
    };
    assert_eq!(wrong(|index| index.entries.swap(1, 2)), Err(StoredError::Field("entry")));
    assert_eq!(wrong(|index| index.max_timestamp = 0), Err(StoredError::Field("entry")));
    assert_eq!(wrong(|index| index.end.offset = Offset::new(999)), Err(StoredError::Field("offset")));
    assert_eq!(wrong(|index| index.end.position = index.base_position), Err(StoredError::Field("entry")));
}
