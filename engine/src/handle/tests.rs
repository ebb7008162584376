#![expect(clippy::disallowed_methods, reason = "the threads here play an embedding service's")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::*;
use crate::batch::{BatchBuilder, BatchError, CrcCheck, batches};
use crate::io::Wake as WakeShard;
use crate::mailbox::{Inbox, mail, mark_shard_thread};

mod appenders;
mod gathering;
mod rooms;
mod scanning;
mod tailing;
mod timeouts;

struct NeverAsleep;

impl WakeShard for NeverAsleep {
    fn wake(&self) {}
}

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Nanos {
        Nanos::new(1_000)
    }

    fn unix_millis(&self) -> i64 {
        1_700_000_000_000
    }
}

/// A handle, and the inboxes whose shards the test plays itself.
fn handle_of(shards: u16) -> (Handle, Vec<Inbox<Mail>>) {
    let (peers, mut inboxes) = mail::open(shards);
    for inbox in &mut inboxes {
        inbox.register(Arc::new(NeverAsleep));
    }
    (Handle::new(peers, Arc::new(StoppedClock)), inboxes)
}

fn partition(index: i32) -> PartitionId {
    PartitionId::new(TopicId::from_random(3, 4), index)
}

fn next_request(inbox: &mut Inbox<Mail>) -> (ReplyTo, Request) {
    match inbox.pop() {
        Some(Mail::Request { from, request }) => (from, request),
        other => panic!("{other:?} is no request"),
    }
}

fn answer(to: ReplyTo, reply: Reply) {
    match to {
        ReplyTo::Handle(completer) => completer.complete(reply),
        other => panic!("{other:?} is no handle"),
    }
}

fn appended(offset: i64) -> Appended {
    Appended { base_offset: Offset::new(offset), log_append_time: -1, log_start: Offset::ZERO }
}

/// Counts the wakes of a task.
#[derive(Default)]
struct Task {
    woken: AtomicU32,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    fn woken(&self) -> u32 {
        self.woken.load(Ordering::Relaxed)
    }
}

#[test]
fn a_waiting_thread_gets_the_answer_that_comes_later() {
    let (handle, mut inboxes) = handle_of(1);
    let pending = handle.append(partition(0), b"batch").unwrap();
    assert!(!pending.is_ready());
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pending.wait());
        thread::yield_now();
        let (from, request) = next_request(&mut inboxes[0]);
        assert!(matches!(request, Request::Append { batch, .. } if &*batch == b"batch"));
        answer(from, Reply::Append(Ok(appended(7))));
        assert_eq!(waiter.join().unwrap(), Ok(appended(7)));
    });
}

#[test]
fn a_future_wakes_the_task_that_polled_last() {
    let (handle, mut inboxes) = handle_of(1);
    let mut pending = std::pin::pin!(handle.new_producer_id().unwrap());
    let (first, last) = (Arc::new(Task::default()), Arc::new(Task::default()));
    for task in [&first, &last, &last] {
        let waker = Waker::from(Arc::clone(task));
        assert!(pending.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let (from, _) = next_request(&mut inboxes[0]);
    answer(from, Reply::NewProducerId(Ok(ProducerId::new(9))));
    assert_eq!((first.woken(), last.woken()), (0, 1));
    let waker = Waker::noop();
    let polled = pending.as_mut().poll(&mut Context::from_waker(waker));
    assert_eq!(polled, Poll::Ready(Ok(ProducerId::new(9))));
}

#[test]
fn a_request_that_is_dropped_unanswered_says_stopped() {
    let (handle, mut inboxes) = handle_of(1);
    let pending = handle.find_topic("clicks").unwrap();
    drop(next_request(&mut inboxes[0]));
    assert_eq!(pending.wait(), Err(Error::Stopped));
}

#[test]
fn a_dropped_pending_leaves_the_request_alone() {
    let (handle, mut inboxes) = handle_of(1);
    drop(handle.append(partition(0), b"batch").unwrap());
    let (from, _) = next_request(&mut inboxes[0]);
    answer(from, Reply::Append(Ok(appended(0))));
}

#[test]
fn a_shards_own_thread_is_not_blocked() {
    let (handle, mut inboxes) = handle_of(1);
    let tests = thread::spawn(move || {
        mark_shard_thread();
        let pending = handle.append(partition(0), b"batch").unwrap();
        assert_eq!(pending.wait(), Err(Error::WouldDeadlock));
        let when_room = handle.when_room(|handle| handle.append(partition(0), b"batch"));
        assert!(matches!(when_room.wait(), Err(Error::WouldDeadlock)));

        let pending = handle.append(partition(0), b"batch").unwrap();
        for _ in 0..2 {
            let (from, _) = next_request(&mut inboxes[0]);
            answer(from, Reply::Append(Ok(appended(1))));
        }
        assert_eq!(pending.wait(), Ok(appended(1)), "an answer that is there can be taken");
    });
    tests.join().unwrap();
}

#[test]
fn past_the_limit_it_is_busy_until_an_answer_comes() {
    let (handle, mut inboxes) = handle_of(1);
    let batch = Slice::copy_from(b"batch");
    let send = || handle.append_slice(partition(0), batch.clone());
    let mut pending: Vec<_> = (0..Lane::Request.handle_credits()).map(|_| send().unwrap()).collect();
    assert!(matches!(send(), Err(Error::Busy)));
    assert!(matches!(handle.new_producer_id(), Err(Error::Busy)));
    assert!(handle.wait_for(partition(0), Offset::ZERO, Duration::from_secs(1)).is_ok(), "a lane of its own");

    let (from, _) = next_request(&mut inboxes[0]);
    assert!(matches!(send(), Err(Error::Busy)), "taken up is not answered");
    answer(from, Reply::Append(Ok(appended(0))));
    pending.push(send().unwrap());
    assert!(pending[0].is_ready());
}

#[test]
fn requests_that_block_for_room_all_get_it() {
    let (handle, mut inboxes) = handle_of(1);
    let total = Lane::Request.handle_credits() * 2;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..total / 2 {
                    drop(handle.when_room(|handle| handle.append(partition(0), b"batch")).wait().unwrap());
                }
            });
        }
        let mut answered = 0;
        while answered < total {
            match inboxes[0].pop() {
                Some(Mail::Request { from, .. }) => {
                    answer(from, Reply::Append(Ok(appended(0))));
                    answered += 1;
                }
                Some(other) => panic!("{other:?} is no request"),
                None => thread::yield_now(),
            }
        }
    });
}

#[test]
fn everything_ends_with_the_engine() {
    let (handle, inboxes) = handle_of(1);
    let batch = Slice::copy_from(b"batch");
    let all = (0..Lane::Request.handle_credits())
        .map(|_| handle.append_slice(partition(0), batch.clone()).unwrap());
    let pending: Vec<_> = all.collect();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| handle.when_room(|handle| handle.append(partition(0), b"batch")).wait());
        thread::yield_now();
        drop(inboxes);
        assert_eq!(blocked.join().unwrap().unwrap().wait(), Err(Error::Stopped));
    });
    for pending in pending {
        assert_eq!(pending.wait(), Err(Error::Stopped));
    }
    assert_eq!(handle.new_producer_id().unwrap().wait(), Err(Error::Stopped));
}

#[test]
fn requests_go_to_the_partitions_owner_and_the_rest_to_the_catalogs() {
    let (handle, mut inboxes) = handle_of(3);
    for index in 0..6 {
        let partition = partition(index);
        let _pending = handle.list_offset(partition, OffsetQuery::Latest).unwrap();
        let owner = usize::from(owner(partition, 3).value());
        let (_, request) = next_request(&mut inboxes[owner]);
        assert!(matches!(request, Request::ListOffset { partition: asked, .. } if asked == partition));
    }
    let _pending = handle.create_topic("clicks", 4, &[("flush.messages", "1000")]).unwrap();
    let (_, request) = next_request(&mut inboxes[0]);
    let Request::CreateTopic { name, partitions, configs, validate_only } = request else {
        panic!("{request:?}")
    };
    assert_eq!((name.as_str(), partitions, validate_only), ("clicks", Some(4), false));
    assert_eq!(configs, [("flush.messages".to_owned(), "1000".to_owned())]);
    for inbox in &mut inboxes {
        assert!(inbox.pop().is_none());
    }
}

#[test]
fn a_wait_ends_by_the_shards_clock() {
    let (handle, mut inboxes) = handle_of(1);
    for (timeout, expected) in [(Duration::from_nanos(500), 1_500), (Duration::MAX, u64::MAX)] {
        let pending = handle.wait_for(partition(0), Offset::new(5), timeout).unwrap();
        let (from, request) = next_request(&mut inboxes[0]);
        assert!(matches!(request, Request::Watch { until, .. } if until == Nanos::new(expected)));
        answer(from, Reply::Watch(true));
        assert_eq!(pending.wait(), Ok(true));
    }
}

#[test]
fn records_are_appended_as_one_valid_batch() {
    let (handle, mut inboxes) = handle_of(1);
    let records =
        [RecordRef::new(b"key", b"value"), RecordRef { timestamp: Some(42), ..RecordRef::of_value(b"old") }];
    let _pending = handle.append_records(partition(0), records).unwrap();
    let (_, Request::Append { batch, .. }) = next_request(&mut inboxes[0]) else { panic!("no append") };
    let batch = batches(&batch, CrcCheck::Full).next().unwrap().unwrap();
    let records: Vec<_> = batch.records().unwrap().map(Result::unwrap).collect();
    let seen: Vec<_> = records.iter().map(|record| (record.timestamp, record.key, record.value)).collect();
    let expected =
        [(1_700_000_000_000, Some(&b"key"[..]), Some(&b"value"[..])), (42, None, Some(&b"old"[..]))];
    assert_eq!(seen, expected);

    let none = handle.append_records(partition(0), []);
    assert!(matches!(none, Err(Error::Batch(BatchError::Empty))));
}
