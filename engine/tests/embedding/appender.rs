//! Single records, gathered into batches.

use std::thread;

use tora_engine::batch::{BatchError, CrcCheck, batches};
use tora_engine::catalog::{SettingChange, SettingChangeKind, SettingsEdit};
use tora_engine::error::Error;
use tora_engine::handle::{AppenderOptions, PendingRecord, RecordRef};
use tora_engine::types::{Offset, PartitionId, TopicId};

use crate::support::{Folder, append, create, numbers, values};

#[test]
fn records_of_many_threads_are_gathered_and_answered_one_by_one() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let appender = handle.appender(partition).unwrap().wait().unwrap();
    let (threads, each) = (4, 5_000_u32);

    let offsets: Vec<Vec<i64>> = thread::scope(|scope| {
        let append_all = |thread: u32| {
            let appender = appender.clone();
            move || {
                let pending: Vec<_> = (0..each)
                    .map(|number| {
                        let value = format!("{thread} {number}");
                        appender.append_blocking(RecordRef::of_value(value.as_bytes())).unwrap()
                    })
                    .collect();
                pending.into_iter().map(|pending| pending.wait().unwrap().value()).collect()
            }
        };
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(append_all(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let held = values(&handle, partition, 0);
    assert_eq!(held.len(), (threads * each) as usize);
    for (thread, offsets) in offsets.iter().enumerate() {
        assert!(offsets.is_sorted(), "one thread's records keep their order");
        for (number, &offset) in offsets.iter().enumerate() {
            assert_eq!(held[usize::try_from(offset).unwrap()], (offset, format!("{thread} {number}")));
        }
    }
    let read = handle.read(partition, Offset::ZERO, 1 << 30).unwrap().wait().unwrap();
    let bytes: Vec<u8> = read.slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    let first: Vec<_> = batches(&bytes, CrcCheck::Full).map(|batch| batch.unwrap().header).collect();
    let records: i64 = first.iter().map(|header| i64::from(header.records_count)).sum();
    // How many make a batch is a matter of how fast they come.
    assert!(records >= 2 * first.len() as i64, "{records} records in {} batches", first.len());
    engine.close();
}

#[test]
fn gathered_records_and_others_take_effect_in_the_order_of_their_thread() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let appender = handle.appender(partition).unwrap().wait().unwrap();
    assert_eq!(appender.partition(), partition);
    for number in 0..50_i64 {
        let value = (2 * number).to_string();
        let gathered = appender.append(RecordRef::of_value(value.as_bytes())).unwrap();
        assert_eq!(gathered.wait(), Ok(Offset::new(2 * number)));
        let value = (2 * number + 1).to_string();
        assert_eq!(append(&handle, partition, value.as_bytes()), Offset::new(2 * number + 1));
    }
    assert_eq!(values(&handle, partition, 0), numbers(0..100));
}

#[test]
fn batches_are_no_larger_than_the_topic_takes() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let small = handle.create_topic("small", 1, &[("max.message.bytes", "200")]).unwrap().wait().unwrap().id;
    let partition = PartitionId::new(small, 0);
    assert_eq!(handle.describe(partition).unwrap().wait().unwrap().max_message_bytes, 200);
    let appender = handle.appender(partition).unwrap().wait().unwrap();
    let pending: Vec<_> = (0..500_i64)
        .map(|number| appender.append(RecordRef::of_value(number.to_string().as_bytes())).unwrap())
        .collect();
    for (number, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.wait(), Ok(Offset::new(number as i64)));
    }
    assert_eq!(values(&handle, partition, 0), numbers(0..500));
    let large = appender.append(RecordRef::of_value(&[0; 200])).unwrap_err();
    assert!(matches!(large, Error::Batch(BatchError::TooLarge { max: 200, .. })), "{large:?}");
    assert_eq!(appender.append(RecordRef::of_value(b"500")).unwrap().wait(), Ok(Offset::new(500)));
}

#[test]
fn what_is_unanswered_has_a_limit_that_the_caller_sees() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let options = AppenderOptions { bytes_max: 10_000, ..AppenderOptions::default() };
    let appender = handle.appender_with(partition, options).unwrap().wait().unwrap();
    assert_eq!(appender.bytes_left(), 10_000);

    let value = [b'.'; 1_000];
    let mut pending = Vec::new();
    let busy = loop {
        match appender.append(RecordRef::of_value(&value)) {
            Ok(one) if pending.len() < 1_000_000 => pending.push(one),
            Ok(_) => panic!("a million records and never busy"),
            Err(error) => break error,
        }
    };
    assert_eq!(busy, Error::Busy);
    for pending in pending {
        pending.wait().unwrap();
    }
    assert_eq!(appender.bytes_left(), 10_000);
    for _ in 0..100 {
        drop(appender.append_blocking(RecordRef::of_value(&value)).unwrap());
    }
}

#[test]
fn a_record_that_the_appender_has_no_room_for_says_what_to_raise() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let configs = [("max.message.bytes", "16777216")];
    let topic = handle.create_topic("large", 1, &configs).unwrap().wait().unwrap().id;
    let partition = PartitionId::new(topic, 0);
    let appender = |options| handle.appender_with(partition, options).unwrap().wait().unwrap();
    let value = vec![b'.'; 5 << 20];
    let record = RecordRef::of_value(&value);

    let by_default = appender(AppenderOptions::default());
    let refused = by_default.append(record).unwrap_err();
    assert_eq!(refused, by_default.append_blocking(record).unwrap_err(), "it would wait for ever");
    assert!(
        matches!(refused, Error::RecordTooLarge { max: 4_194_304, option: "bytes_max", .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("raise AppenderOptions::bytes_max"), "{refused}");

    let small_batches = appender(AppenderOptions { bytes_max: 8 << 20, batch_bytes: 1 << 20 });
    let refused = small_batches.append(record).unwrap_err();
    assert!(refused.to_string().contains("raise AppenderOptions::batch_bytes"), "{refused}");
    assert_eq!(small_batches.bytes_left(), 8 << 20);

    let roomy = appender(AppenderOptions { bytes_max: 8 << 20, ..AppenderOptions::default() });
    assert_eq!(roomy.append(record).unwrap().wait(), Ok(Offset::ZERO));
}

#[test]
fn an_appender_goes_on_in_smaller_batches_when_the_topic_takes_no_larger_ones() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let topic = create(&handle, "clicks", 1);
    let partition = PartitionId::new(topic, 0);
    let appender = handle.appender(partition).unwrap().wait().unwrap();
    let change =
        SettingChange { name: "max.message.bytes".into(), kind: SettingChangeKind::Set("200".into()) };
    handle.alter_topic(topic, SettingsEdit::Each(vec![change])).unwrap().wait().unwrap();
    // As much as several batches take, again and again.
    let append_all = || -> Vec<_> {
        let sent = |number: i64| appender.append(RecordRef::of_value(number.to_string().as_bytes())).unwrap();
        let pending: Vec<_> = (0..500).map(sent).collect();
        pending.into_iter().map(PendingRecord::wait).collect()
    };
    let mut tries = 0;
    while append_all().into_iter().any(|outcome| outcome.is_err()) {
        tries += 1;
        assert!(tries <= 2, "it has not learned from the first refusal");
    }
    let held = values(&handle, partition, 0);
    assert!(
        held[held.len() - 500..]
            .iter()
            .map(|(_, value)| value)
            .eq(numbers(0..500).iter().map(|(_, value)| value))
    );
    let large = appender.append(RecordRef::of_value(&[0; 200])).map(PendingRecord::wait);
    let refused = match &large {
        Ok(answer) => answer.as_ref().unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(refused, Error::Batch(BatchError::TooLarge { max: 200, .. })), "{refused:?}");
}

#[test]
fn an_appender_needs_its_partition() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let nowhere = PartitionId::new(TopicId::from_random(1, 2), 0);
    assert_eq!(handle.appender(nowhere).unwrap().wait().unwrap_err(), Error::UnknownPartition);

    let topic = create(&handle, "clicks", 1);
    let appender = handle.appender(PartitionId::new(topic, 0)).unwrap().wait().unwrap();
    appender.append(RecordRef::of_value(b"0")).unwrap().wait().unwrap();
    handle.delete_topic(topic).unwrap().wait().unwrap();
    let gone = appender.append(RecordRef::of_value(b"1")).unwrap().wait();
    assert_eq!(gone, Err(Error::UnknownPartition));
}

#[test]
fn closing_answers_every_record() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let appender = handle.appender(partition).unwrap().wait().unwrap();
    let pending: Vec<_> = (0..5_000_i64)
        .map(|number| appender.append_blocking(RecordRef::of_value(number.to_string().as_bytes())).unwrap())
        .collect();
    engine.close();
    for (number, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.wait(), Ok(Offset::new(number as i64)));
    }
    // The first may still find an open mailbox, or one that was just closed.
    let late = appender.append(RecordRef::of_value(b"late")).and_then(PendingRecord::wait);
    assert_eq!(late, Err(Error::Stopped));
    assert_eq!(appender.append(RecordRef::of_value(b"later")).unwrap_err(), Error::Stopped);

    let engine = folder.open(1);
    assert_eq!(values(&engine.handle(), partition, 0), numbers(0..5_000));
}
