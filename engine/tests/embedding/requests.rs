//! Requests of a handle, one by one.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tora_engine::batch::{BatchBuilder, BatchError};
use tora_engine::error::Error;
use tora_engine::handle::RecordRef;
use tora_engine::io::{Completion, Io};
use tora_engine::mailbox::Lane;
use tora_engine::placement::owner;
use tora_engine::request::{OffsetQuery, Reply};
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, Offset, PartitionId, ShardId};
use tora_engine::{Engine, Handle};

use crate::support::{Folder, append, block_on, create, numbers, values};

#[test]
fn many_appends_in_flight_take_effect_in_order_on_every_shard() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let topic = create(&handle, "clicks", 4);
    let partitions: Vec<_> = (0..4).map(|index| PartitionId::new(topic, index)).collect();
    let owners: Vec<_> = partitions.iter().map(|&partition| owner(partition, 2)).collect();
    assert!(owners.contains(&ShardId::new(0)) && owners.contains(&ShardId::new(1)));

    let mut pending = Vec::new();
    for number in 0..500 {
        for &partition in &partitions {
            let value = number.to_string();
            pending.push(handle.append_records(partition, [RecordRef::of_value(value.as_bytes())]).unwrap());
        }
    }
    for (index, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.wait().unwrap().base_offset, Offset::new(index as i64 / 4));
    }
    for &partition in &partitions {
        assert_eq!(values(&handle, partition, 0), numbers(0..500));
        assert_eq!(values(&handle, partition, 321), numbers(321..500));
    }
    engine.close();
}

#[test]
fn a_pending_is_a_future_of_any_runtime() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let end = block_on(async {
        let topic = handle.create_topic("clicks", 1, &[])?.await?;
        let partition = PartitionId::new(topic.id, 0);
        let all: Vec<_> = (0..200)
            .map(|_| handle.append_records(partition, [RecordRef::new(b"key", b"value")]))
            .collect::<Result<_, _>>()?;
        for pending in all {
            pending.await?;
        }
        Ok::<_, Error>(handle.list_offset(partition, OffsetQuery::Latest)?.await?.offset)
    });
    assert_eq!(end, Ok(Offset::new(200)));
}

#[test]
fn what_was_appended_is_there_after_reopening_with_another_number_of_shards() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let topic = create(&engine.handle(), "clicks", 3);
    for number in 0..50 {
        for index in 0..3 {
            append(&engine.handle(), PartitionId::new(topic, index), number.to_string().as_bytes());
        }
    }
    engine.close();

    for (round, shards) in [(0, 1), (1, 3), (2, 2)] {
        let engine = folder.open(shards);
        let handle = engine.handle();
        let found = handle.find_topic("clicks").unwrap().wait().unwrap().unwrap();
        assert_eq!((found.id, found.partitions), (topic, 3));
        for index in 0..3 {
            let partition = PartitionId::new(topic, index);
            assert_eq!(values(&handle, partition, 0), numbers(0..50 + round));
            let next = 50 + round;
            assert_eq!(append(&handle, partition, next.to_string().as_bytes()), Offset::new(next));
        }
        engine.close();
    }
}

#[test]
fn a_reader_at_the_end_waits_for_more() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let watch = |end, timeout| handle.wait_for(partition, Offset::new(end), timeout).unwrap();
    let long = Duration::from_secs(60);

    assert_eq!(watch(0, Duration::from_millis(20)).wait(), Ok(false), "the time is up");
    let pending = watch(0, long);
    assert!(!pending.is_ready());
    append(&handle, partition, b"0");
    assert_eq!(pending.wait(), Ok(true));
    assert_eq!(watch(0, long).wait(), Ok(true), "there is something already");
    assert_eq!(watch(1, Duration::from_millis(20)).wait(), Ok(false));
    assert_eq!(values(&handle, partition, 0), numbers(0..1));
}

#[test]
fn waiting_readers_have_a_limit_and_leave_room_for_appends() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let watch = || handle.wait_for(partition, Offset::ZERO, Duration::from_secs(60));
    let all: Vec<_> = (0..Lane::Watch.handle_credits()).map(|_| watch().unwrap()).collect();
    assert!(matches!(watch(), Err(Error::Busy)));

    append(&handle, partition, b"0");
    for pending in all {
        assert_eq!(pending.wait(), Ok(true));
    }
    assert_eq!(watch().unwrap().wait(), Ok(true), "there is room again");
}

#[test]
fn readers_that_nobody_waits_for_any_more_leave_their_room_to_others() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let hour = Duration::from_secs(3_600);
    let watch = |handle: &Handle| handle.wait_for(partition, Offset::ZERO, hour);
    // Each is dropped, as the other branch of a `select!` does.
    let all: Vec<_> = (0..Lane::Watch.handle_credits()).map(|_| watch(&handle).unwrap()).collect();
    drop(all);
    let waiting = handle.when_room(watch).wait_timeout(Duration::from_secs(60)).unwrap();
    append(&handle, partition, b"0");
    assert_eq!(waiting.wait(), Ok(true));
}

#[test]
fn more_appends_than_the_engine_takes_at_once_wait_for_room() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(0, None, Some(b"value")).unwrap();
    let batch = builder.finish().unwrap();
    let each = i64::from(Lane::Request.handle_credits());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut pending = Vec::new();
                for _ in 0..each {
                    // What cannot be sent is waited for: never Busy.
                    let sent = handle.when_room(|handle| handle.append(partition, batch)).wait();
                    pending.push(sent.unwrap());
                }
                for pending in pending {
                    pending.wait().unwrap();
                }
            });
        }
    });
    let end = handle.list_offset(partition, OffsetQuery::Latest).unwrap().wait().unwrap().offset;
    assert_eq!(end, Offset::new(3 * each));
}

#[test]
fn a_dropped_pending_is_appended_all_the_same() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    for number in 0..20_i64 {
        let value = number.to_string();
        drop(handle.append_records(partition, [RecordRef::of_value(value.as_bytes())]).unwrap());
    }
    append(&handle, partition, b"20");
    assert_eq!(values(&handle, partition, 0), numbers(0..21));
}

#[test]
fn closing_answers_everybody() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let waiting = handle.wait_for(partition, Offset::new(1_000_000), Duration::from_secs(600)).unwrap();
    let pending: Vec<_> = (0..1000_i64)
        .map(|number| {
            let value = number.to_string();
            handle.append_records(partition, [RecordRef::of_value(value.as_bytes())]).unwrap()
        })
        .collect();
    engine.close();

    assert_eq!(waiting.wait(), Err(Error::Stopped), "neither has anything come nor is the time up");
    for (number, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.wait().map(|appended| appended.base_offset), Ok(Offset::new(number as i64)));
    }
    let refused = [
        handle.new_producer_id().unwrap().wait().map(drop),
        handle.read(partition, Offset::ZERO, 1).unwrap().wait().map(drop),
        handle.when_room(|handle| handle.append(partition, b"batch")).wait().unwrap().wait().map(drop),
    ];
    assert_eq!(refused, [const { Err(Error::Stopped) }; 3]);

    let engine = folder.open(1);
    assert_eq!(values(&engine.handle(), partition, 0), numbers(0..1000));
}

#[test]
fn topics_wished_for_before_closing_are_there_afterwards() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    // Each of them has to be known to both shards before the next one's turn comes.
    let wish = |number: i64| handle.create_topic(&format!("topic-{number}"), 1, &[]).unwrap();
    let wished: Vec<_> = (0..100).map(wish).collect();
    engine.close();
    let made: Vec<_> = wished.into_iter().map(|pending| pending.wait().unwrap()).collect();

    let engine = folder.open(2);
    for (number, topic) in made.into_iter().enumerate() {
        let found = engine.handle().find_topic(&format!("topic-{number}")).unwrap();
        assert_eq!(found.wait(), Ok(Some(topic)));
    }
}

#[test]
fn what_cannot_be_appended_or_read_says_why() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let id = handle.create_topic("small", 1, &[("max.message.bytes", "200")]).unwrap().wait().unwrap().id;
    let partition = PartitionId::new(id, 0);

    let large = handle.append_records(partition, [RecordRef::of_value(&[0; 300])]).unwrap().wait();
    assert!(matches!(large, Err(Error::Batch(BatchError::TooLarge { max: 200, .. }))), "{large:?}");
    let damaged = handle.append(partition, b"no batch at all").unwrap().wait();
    assert!(matches!(damaged, Err(Error::Batch(_))), "{damaged:?}");
    let beyond = handle.read(partition, Offset::new(1), 100).unwrap().wait();
    assert!(matches!(beyond, Err(Error::OffsetOutOfRange { .. })), "{beyond:?}");
    for index in [-1, 1] {
        let unknown = handle.read(PartitionId::new(id, index), Offset::ZERO, 100).unwrap().wait();
        assert!(matches!(unknown, Err(Error::UnknownPartition)), "{unknown:?}");
    }
    let twice = handle.create_topic("small", 1, &[]).unwrap().wait();
    assert_eq!(twice, Err(Error::TopicExists));
    assert_eq!(append(&handle, partition, b"0"), Offset::ZERO, "the partition is none the worse");
}

#[test]
fn a_deleted_topic_is_gone_and_its_name_free() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let handle = engine.handle();
    let first = create(&handle, "clicks", 2);
    let partition = PartitionId::new(first, 1);
    append(&handle, partition, b"0");
    let waiting = handle.wait_for(partition, Offset::new(1), Duration::from_secs(60)).unwrap();
    handle.delete_topic(first).unwrap().wait().unwrap();
    assert_eq!(waiting.wait(), Ok(true), "who waits is told");
    let gone = handle.append_records(partition, [RecordRef::of_value(b"1")]).unwrap().wait();
    assert!(matches!(gone, Err(Error::UnknownPartition)), "{gone:?}");
    assert_eq!(handle.find_topic("clicks").unwrap().wait(), Ok(None));

    let second = create(&handle, "clicks", 2);
    assert_ne!(first, second);
    assert_eq!(values(&handle, PartitionId::new(second, 1), 0), []);
}

/// A service that makes a blocking call on its shard's thread, as soon as it has a handle.
struct Blocks {
    handle: Arc<Mutex<Option<(Handle, PartitionId)>>>,
    outcome: std::sync::mpsc::Sender<Error>,
}

impl<I: Io> Service<I> for Blocks {
    fn start(&mut self, _: &mut Shard<I>) {}

    fn on_completion(&mut self, _: &mut Shard<I>, _: Completion) {}

    fn on_reply(&mut self, _: &mut Shard<I>, _: u64, _: Reply) {}

    fn on_turn(&mut self, _: &mut Shard<I>) {
        let Some((handle, partition)) = self.handle.lock().unwrap().take() else { return };
        let pending = handle.append_records(partition, [RecordRef::of_value(b"0")]).unwrap();
        self.outcome.send(pending.wait().unwrap_err()).unwrap();
        let when_room = handle.when_room(|handle| handle.append(partition, b"batch"));
        self.outcome.send(when_room.wait().unwrap_err()).unwrap();
    }

    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    fn has_mail(&self) -> bool {
        self.handle.lock().unwrap().is_some()
    }

    fn on_stop(&mut self, _: &mut Shard<I>) -> bool {
        true
    }
}

#[test]
fn a_blocking_call_on_a_shards_thread_is_an_error() {
    let folder = Folder::new();
    let handle = Arc::new(Mutex::new(None));
    let (outcome, outcomes) = std::sync::mpsc::channel();
    let engine = Engine::open_with(folder.config(1), |_| Blocks {
        handle: Arc::clone(&handle),
        outcome: outcome.clone(),
    })
    .unwrap();
    let partition = PartitionId::new(create(&engine.handle(), "clicks", 1), 0);
    *handle.lock().unwrap() = Some((engine.handle(), partition));
    engine.peers().wake(ShardId::new(0));
    for _ in 0..2 {
        let outcome = outcomes.recv_timeout(Duration::from_secs(10));
        assert_eq!(outcome, Ok(Error::WouldDeadlock));
    }
    engine.close();
}

#[test]
fn as_much_as_there_is_may_be_asked_for_from_anywhere() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    for number in 0..3 {
        append(&handle, partition, number.to_string().as_bytes());
    }
    let bytes = |handle: &Handle, from: i64| {
        handle.read(partition, Offset::new(from), usize::MAX).unwrap().wait().unwrap().bytes()
    };
    let all = bytes(&handle, 0);
    for from in [0, 1, 2] {
        assert_eq!(bytes(&handle, from) * 3, all * (3 - from as usize), "from {from}");
    }
    let mut tail = handle.tail(partition, Offset::new(1)).with_bytes_max(usize::MAX);
    let run = tail.next_blocking().unwrap().unwrap();
    assert_eq!((run.from(), run.end()), (Offset::new(1), Offset::new(3)));
    engine.close();

    // The same from the disk.
    let engine = folder.open(1);
    assert_eq!(bytes(&engine.handle(), 1) * 3, all * 2);
}
