//! Following a partition.

use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use tora_engine::Handle;
use tora_engine::error::Error;
use tora_engine::handle::{RecordRef, Tail, TailFrom, TailRun};
use tora_engine::types::{Offset, PartitionId};

use crate::support::{Folder, append, block_on, create, numbers};

fn values_of(run: &TailRun) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    run.for_each(|record| {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        values.push((record.offset.value(), value));
    })
    .unwrap();
    assert_eq!(values.first().map(|first| first.0), Some(run.from().value()));
    assert_eq!(values.last().map(|last| last.0 + 1), Some(run.end().value()));
    values
}

fn append_numbers(handle: &Handle, partition: PartitionId, range: std::ops::Range<i64>) {
    for number in range {
        let value = number.to_string();
        let timestamp = Some(1_000 + number * 10);
        let record = RecordRef { timestamp, ..RecordRef::of_value(value.as_bytes()) };
        let pending = handle.append_records(partition, [record]).unwrap();
        assert_eq!(pending.wait().unwrap().base_offset, Offset::new(number));
    }
}

/// The next records until there are `count`.
fn take(tail: &mut Tail, count: usize) -> Vec<(i64, String)> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(values_of(&tail.next_blocking().unwrap().unwrap()));
    }
    taken
}

#[test]
fn a_blocking_reader_follows_what_another_thread_appends() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    append_numbers(&handle, partition, 0..300);
    thread::scope(|scope| {
        scope.spawn(|| append_numbers(&handle, partition, 300..600));
        // Runs of a few batches, so that it goes on from one to the next often.
        let mut tail = handle.tail(partition, Offset::new(5)).with_bytes_max(300);
        assert_eq!(take(&mut tail, 595), numbers(5..600));
        assert!(tail.try_next().is_pending(), "it is at the end");
        append(&handle, partition, b"600");
        assert_eq!(take(&mut tail, 1), numbers(600..601));
        assert_eq!(tail.partition(), partition);
    });
}

#[test]
fn a_wait_for_the_next_run_that_times_out_loses_nothing() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let mut tail = handle.tail(partition, TailFrom::Earliest);
    assert!(tail.next_timeout(Duration::from_millis(20)).is_pending(), "there is nothing");
    let mut seen = Vec::new();
    let mut in_vain = 0;
    thread::scope(|scope| {
        scope.spawn(|| append_numbers(&handle, partition, 0..300));
        while seen.len() < 300 {
            // Whatever it is doing just then: in line, looking for its start, reading or waiting.
            match tail.next_timeout(Duration::from_micros(seen.len() as u64 % 50)) {
                Poll::Ready(run) => seen.extend(values_of(&run.unwrap().unwrap())),
                Poll::Pending => in_vain += 1,
            }
        }
    });
    assert_eq!(seen, numbers(0..300));
    assert!(in_vain > 0, "it was to be tried");
    append(&handle, partition, b"300");
    let Poll::Ready(Some(Ok(run))) = tail.next_timeout(Duration::from_secs(60)) else { panic!("{tail:?}") };
    assert_eq!(values_of(&run), numbers(300..301));
    engine.close();
    assert!(matches!(tail.next_timeout(Duration::from_secs(60)), Poll::Ready(None)));
}

#[test]
fn a_tail_begins_where_it_is_told() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    append_numbers(&handle, partition, 0..10);
    let from = |from| take(&mut handle.tail(partition, from), 1)[0].0;
    assert_eq!(from(TailFrom::Earliest), 0);
    assert_eq!(from(TailFrom::Offset(Offset::new(3))), 3);
    assert_eq!(from(TailFrom::Timestamp(1_041)), 5, "the first record that is not older");

    let mut latest = [TailFrom::Latest, TailFrom::Timestamp(1_000_000)].map(|from| {
        let mut tail = handle.tail(partition, from);
        // Only now it looks where the end is.
        while format!("{tail:?}").contains("start") {
            assert!(tail.try_next().is_pending());
            thread::yield_now();
        }
        tail
    });
    append(&handle, partition, b"10");
    for tail in &mut latest {
        assert_eq!(take(tail, 1), numbers(10..11));
        tail.seek(Offset::new(7));
        assert_eq!(take(tail, 4), numbers(7..11));
    }
}

#[test]
fn a_tail_ends_with_its_topic_and_with_the_engine() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partitions = ["deleted", "kept"].map(|name| PartitionId::new(create(&handle, name, 1), 0));
    let mut tails = partitions.map(|partition| handle.tail(partition, TailFrom::Earliest));
    for (partition, tail) in partitions.iter().zip(&mut tails) {
        append(&handle, *partition, b"0");
        assert_eq!(take(tail, 1), numbers(0..1));
        assert!(tail.try_next().is_pending());
    }
    let [mut deleted, mut kept] = tails;
    thread::scope(|scope| {
        let [of_deleted, of_kept] =
            [scope.spawn(|| deleted.next_blocking()), scope.spawn(|| kept.next_blocking())];
        handle.delete_topic(partitions[0].topic).unwrap().wait().unwrap();
        // It has to hear of the one before the other.
        assert!(of_deleted.join().unwrap().is_none());
        engine.close();
        assert!(of_kept.join().unwrap().is_none());
    });
    assert_eq!(deleted.ended(), Some(&Error::UnknownPartition));
    assert_eq!(kept.ended(), Some(&Error::Stopped));
    assert!(deleted.next_blocking().is_none() && kept.next_blocking().is_none(), "for good");
}

#[test]
fn offsets_that_are_not_held_are_an_error_that_says_what_is() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    append_numbers(&handle, partition, 0..10);
    let mut tail = handle.tail(partition, Offset::new(11));
    let outside = Error::OffsetOutOfRange { start: Offset::ZERO, end: Offset::new(10) };
    assert_eq!(tail.next_blocking().unwrap().unwrap_err(), outside);
    assert!(tail.next_blocking().is_none());
    assert_eq!(tail.ended(), Some(&outside));
    tail.seek(Offset::new(9));
    assert_eq!(take(&mut tail, 1), numbers(9..10));

    handle.delete_records(partition, Offset::new(6)).unwrap().wait().unwrap();
    tail.seek(Offset::new(2));
    let Err(Error::OffsetOutOfRange { start, .. }) = tail.next_blocking().unwrap() else {
        panic!("{tail:?}")
    };
    tail.seek(start);
    assert_eq!(take(&mut tail, 4), numbers(6..10));
}

#[test]
fn a_run_is_gone_through_up_to_the_record_that_is_refused() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    append_numbers(&handle, partition, 0..10);
    let run = handle.tail(partition, Offset::new(2)).next_blocking().unwrap().unwrap();
    let mut seen = Vec::new();
    let outcome = run.try_for_each(|record| {
        seen.push(record.offset.value());
        if record.value == Some(b"5") { Err(Error::DuplicateSequence) } else { Ok(()) }
    });
    assert_eq!((outcome, seen), (Err(Error::DuplicateSequence), vec![2, 3, 4, 5]));
}

#[test]
fn a_loop_over_a_tail_blocks_for_each_run() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    append_numbers(&handle, partition, 0..100);
    let mut seen = Vec::new();
    for run in handle.tail(partition, TailFrom::Earliest).with_bytes_max(1_000) {
        seen.extend(values_of(&run.unwrap()));
        if seen.len() == 100 {
            break;
        }
    }
    assert_eq!(seen, numbers(0..100));
}

#[test]
fn a_tail_is_a_stream_of_any_runtime() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let follow = |mut tail: Tail| async move {
        let (mut seen, mut as_stream) = (Vec::new(), true);
        while seen.len() < 50 {
            let run = if as_stream {
                // As StreamExt::next of any crate of streams does it.
                std::future::poll_fn(|context| std::pin::Pin::new(&mut tail).poll_next(context)).await
            } else {
                tail.next_async().await
            };
            seen.extend(values_of(&run.unwrap().unwrap()));
            as_stream = !as_stream;
        }
        seen
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let on_tokio = runtime.spawn(follow(handle.tail(partition, TailFrom::Earliest)));
    let on_smol = smol::spawn(follow(handle.tail(partition, TailFrom::Earliest)));
    let on_none = follow(handle.tail(partition, TailFrom::Earliest));
    thread::scope(|scope| {
        scope.spawn(|| append_numbers(&handle, partition, 0..52));
        for seen in [runtime.block_on(on_tokio).unwrap(), smol::block_on(on_smol), block_on(on_none)] {
            assert_eq!(seen, numbers(0..seen.len() as i64));
        }
    });
}

#[test]
fn more_tails_than_may_wait_at_once_take_turns_and_leave_room_for_appends() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    append(&handle, partition, b"0");
    let mut tails: Vec<_> = (0..1_500).map(|_| handle.tail(partition, Offset::ZERO)).collect();
    for tail in &mut tails {
        assert_eq!(take(tail, 1), numbers(0..1));
        assert!(tail.try_next().is_pending());
    }
    append(&handle, partition, b"1");
    for tail in &mut tails {
        assert_eq!(take(tail, 1), numbers(1..2));
        assert!(matches!(tail.try_next(), Poll::Pending));
    }
}
